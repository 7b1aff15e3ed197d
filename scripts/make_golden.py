"""Make tests/golden/*.npz: what PyTorch, captum and zennit compute on small networks, once.

    python scripts/make_golden.py

needs all three (see nnlite/verify/libraries.py). Each file holds a network, inputs, the classes explained, the
versions, and the libraries' maps; `pytest` compares nnlite with them where none is installed. A map is written only if
nnlite agrees with it here and now. Of maps that are the same to 1e-13 one is kept; of the larger networks, a part.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

import nnlite.models
from nnlite import files, storage
from nnlite.verify import Case, comparisons
from nnlite.verify.examples import EXAMPLES, example
from nnlite.verify.report import versions
from nnlite.verify.table import AGREES, compute, differences, flattened

FOLDER = Path(__file__).parents[1] / "tests" / "golden"
SAME = 1e-13

LARGE: dict[str, tuple[str, ...]] = {
    "lenet": (
        "gradient | torch | autograd",
        "guided-backpropagation | zennit",
        "deconvnet | zennit",
        "integrated-gradients | captum | gausslegendre",
        "occlusion | captum",
        "deeplift | captum",
        "lrp-epsilon | zennit | Epsilon(1e-6)",
        "lrp-epsilon-gamma-box | zennit",
        "lrp-epsilon-alpha2-beta1-flat | zennit",
    ),
    "lenet_avg": ("lrp-epsilon | zennit | Epsilon(1e-6)", "lrp-epsilon-plus-flat | zennit", "lrp-gamma | captum"),
    "cam_net": ("grad-cam | captum", "cam | captum", "guided-grad-cam | captum", "lrp-epsilon-gamma-box | zennit"),
    "resnet": (
        "gradient | torch | autograd",
        "guided-backpropagation | zennit",
        "grad-cam | captum | LayerGradCam(relu3, relu), bilinear",
        "deeplift | captum | DeepLift (Rescale), reference 0",
        "lrp-epsilon | captum | EpsilonRule(0.25)",
        "lrp-epsilon | zennit | Epsilon(0.25)",
        "lrp-gamma | zennit",
        "lrp-epsilon-plus-flat | zennit",
    ),
}
"""What of the large networks is kept: the beginnings of the keys."""


def cases() -> dict[str, Case]:
    """Every example, and the shipped networks but the largest, with one input."""
    found = {name: Case.of(name, *example(name, 1)) for name in EXAMPLES}
    for name in ("tiny", *LARGE):
        x = nnlite.models.digits("uci" if name == "tiny" else "strokes", "test")[0][:1]
        found[name] = Case.of(name, nnlite.models.load(name).astype(np.float64), x.astype(np.float64))
    return found


def golden(case: Case) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays of one file. Every comparison that must agree is in it, by its key."""
    header, arrays = files.description(case.network) if case.name in EXAMPLES else ({"shipped": case.name}, {})
    content = {"x": case.x, "target": case.target, **{f"network/{name}": value for name, value in arrays.items()}}
    rows: list[dict[str, Any]] = []
    kept: list[np.ndarray] = []
    for comparison in flattened(comparisons(case)):
        if comparison.differs or (case.name in LARGE and not comparison.key.startswith(LARGE[case.name])):
            continue
        row = compute(comparison)
        if row.verdict != AGREES:
            sys.exit(f"{case.name}: {comparison.key}: {row.verdict} ({row.relative}); {row.because}")
        theirs = comparison.theirs()
        same = (i for i, other in enumerate(kept) if differences(theirs, other)[1] <= SAME)
        place = next(same, len(kept))
        if place == len(kept):
            kept.append(theirs)
        start = sum(other.size for other in kept[:place])
        rows.append({"key": comparison.key, "tolerance": row.tolerance, "start": start, "shape": theirs.shape})
    content["theirs"] = np.concatenate([theirs.ravel() for theirs in kept])  # one array: few members, a small file
    return {"network": header, "versions": versions(), "rows": rows, "script": "scripts/make_golden.py"}, content


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, case in cases().items():
        header, arrays = golden(case)
        storage.write(FOLDER / f"{name}.npz", "golden", header, arrays)
        print(f"{name}: {len(header['rows'])} maps, {(FOLDER / f'{name}.npz').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
