"""nnlite beside PyTorch's autograd, captum, zennit and LXT, number by number.

case.py           a network, inputs and classes; the same network as modules of PyTorch
families/         what is compared: a family of methods a file
table.py          how far two maps are apart, and the verdict
report.py         the rows as text, JSON and a page
theirs.py         somebody else's map beside ours: where it first differs, and which convention explains it
examples.py       small networks, one for each thing that libraries get wrong
architectures.py  networks of the literature with branches or attention, as modules of PyTorch
vgg16.py          a few rows on VGG-16 (or ResNet-18) at 224 × 224, with time and memory

torch, captum, zennit and lxt are imported when a comparison is computed. Where one is missing its rows say so.

>>> from nnlite.verify.examples import example
>>> case = Case.of("padding", *example("padding"))
>>> len(comparisons(case)) > 40
True
"""

from .case import Case
from .families import comparisons
from .report import Report
from .table import Comparison, Row, compare

__all__ = ["Case", "Comparison", "Report", "Row", "compare", "comparisons", "verify"]


def verify(case: Case, method: str | None = None) -> Report:
    """Every comparison of a case (or those of one method), as a report.

    Raises ValueError: no comparison is of that method.
    """
    return Report.of(case, compare(chosen(case, method)))


def chosen(case: Case, method: str | None = None) -> list[Comparison]:
    """The comparisons of one method, or all."""
    every = comparisons(case)
    if method is None:
        return every
    found = [comparison for comparison in every if method in comparison.method.split(", ")]
    if not found:
        names = sorted({name for comparison in every for name in comparison.method.split(", ")})
        raise ValueError(
            f"There is no comparison of a method {method!r} on this network; there are {', '.join(names)}."
        )
    return found
