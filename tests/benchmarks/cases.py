"""The rows: what is measured, at which sizes, what is to be reached, and how equal the results must be before.

The targets are read on one thread, in CPU time. Results are compared in float32 by the L2 norm: two orders of
summation differ, and now and then a winner of ReLU or pooling flips.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .workloads import CONVOLUTIONS

Size = Mapping[str, int]
"""What the sides of a row are called with, such as {"batch": 256}."""


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    key, title
        Its name, and what the table says.
    sizes
        What it is measured at.
    tiny
        A size for a quick look whether it runs.
    targets, plain
        How many times as fast as each contestant nnlite is to be, compiled, and by default: one number for each
        size, or None.
    tolerance
        The largest ‖ours − theirs‖ / ‖theirs‖ of a sample.
    heavy
        Minutes, and gigabytes: only when asked for.
    """

    key: str
    title: str
    sizes: tuple[Size, ...]
    tiny: Size
    targets: Mapping[str, tuple[float | None, ...]]
    tolerance: float
    heavy: bool = False
    plain: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)

    def target(self, against: str, size: Size, plain: bool = False) -> float | None:
        """What is to be reached against a contestant at this size; None where nothing was set."""
        targets = self.plain if plain else self.targets
        return targets[against][self.sizes.index(size)] if against in targets and size in self.sizes else None

    def label(self, size: Size) -> str:
        """The title and the size."""
        return ", ".join([self.title, *(f"{name} {value}" for name, value in size.items())])


BATCHES = ({"batch": 1}, {"batch": 256})
ONE = {"batch": 1}

ROWS = (
    Row("inference", "inference", BATCHES, ONE, {"torch": (4, 1.5)}, 1e-5, plain={"torch": (3, 1)}),
    Row("saliency", "saliency", BATCHES, ONE, {"captum": (10, 2)}, 1e-3, plain={"captum": (3, 1.5)}),
    Row(
        "lrp-epsilon", "LRP-ε", BATCHES, ONE, {"captum": (20, 5), "zennit": (20, 5)}, 1e-3,
        plain={"captum": (3.5, 2), "zennit": (3.5, 2)},
    ),
    Row("lrp-epsilon-resnet", "LRP-ε, resnet", BATCHES, ONE, {}, 1e-3),
    Row("lrp-epsilon-plus", "LRP EpsilonPlus", BATCHES, ONE, {"zennit": (20, 5)}, 1e-3),
    Row("integrated-gradients", "integrated gradients", ({"steps": 50},), {"steps": 2}, {"captum": (4,)}, 1e-3),
    Row("smoothgrad", "SmoothGrad", ({"draws": 50},), {"draws": 2}, {"captum": (3,)}, 1e-3),
    Row(
        "activation-maximization", "act. max.", ({"images": 1, "steps": 200}, {"images": 10, "steps": 200}),
        {"images": 1, "steps": 2}, {"torch": (5, 5), "jax": (3, 3)}, 5e-3,
    ),
    Row("training", "training step", ({"batch": 64, "steps": 20},), {"batch": 2, "steps": 1}, {"torch": (1,)}, 1e-3),
    Row("whole-training", "a whole training", ({"epochs": 8},), {"epochs": 1}, {"torch": (1,)}, 1e-3, heavy=True),
    Row(
        "occlusion", "occlusion 5 × 5", ({"stride": 1},), {"stride": 5},
        {"captum best": (8,), "captum default": (40,)}, 1e-4,
    ),
    Row(
        "vgg16-occlusion", "VGG-16, a position", ({"size": 224},), {"size": 224}, {"torch": (5,)}, 5e-3, heavy=True
    ),
    Row(
        "convolution", "3 × 3 conv.",
        ({"channels": 64, "size": 224}, {"channels": 256, "size": 56}, {"channels": 512, "size": 14}),
        {"channels": 2, "size": 5}, {}, 1e-5, plain={"torch": (1.1, 1.3, 1.3)},
    ),
    Row(
        "relu-pool", "ReLU + pool, both ways", ({"batch": 256},), ONE,
        {}, 1e-6, plain={"torch channels-last": (1.5,), "torch NCHW": (4,)},
    ),
    *(
        Row(
            f"conv-{way}-{name}", f"{of.title} {way}", ({"size": of.size},), {"size": 7},
            {}, 1e-5, plain={"torch": (goal,)},
        )
        for name, of in CONVOLUTIONS.items()
        for way, goal in zip(("up", "down"), of.goals, strict=True)
    ),
)  # fmt: skip
"""The table, in the order of the page."""


def chosen(only: str = "", batches: tuple[int, ...] = (), heavy: bool = False) -> list[Row]:
    """The rows whose key holds `only`, at other batches where the row is about a batch.

    >>> [(row.key, row.sizes) for row in chosen("saliency", (7,))]
    [('saliency', ({'batch': 7},))]
    """
    rows = [row for row in ROWS if only in row.key and (heavy or not row.heavy)]
    return [_at(row, batches) if batches and row.sizes == BATCHES else row for row in rows]


def _at(row: Row, batches: tuple[int, ...]) -> Row:
    sizes = tuple({"batch": batch} for batch in batches)
    targets, plain = (
        {against: tuple(row.target(against, size, plain) for size in sizes) for against in of}
        for of, plain in ((row.targets, False), (row.plain, True))
    )
    return replace(row, sizes=sizes, targets=targets, plain=plain)
