"""Make tests/golden/evaluation/captum.npz: what captum computes for infidelity and max-sensitivity, in float64, once.

    python scripts/make_golden_evaluation.py

The slope of a small network is judged under fixed noise and at fixed neighbours. The file is written only if nnlite
agrees with it here and now.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from captum.attr import Saliency
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max

from nnlite import Network, storage
from nnlite.decision_based import gradient
from nnlite.evaluation import infidelity, max_sensitivity
from nnlite.interop.torch import to_torch
from nnlite.layers import Dense, Tanh

PLACE = Path(__file__).parents[1] / "tests" / "golden" / "evaluation" / "captum.npz"
AGREES = 1e-12
SEED, DRAWS, LEVEL = 4, 6, 0.2


def main() -> None:
    """Compute, compare, write."""
    rng = np.random.default_rng(0)
    shapes = {"dense1.W": (8, 6), "dense1.b": (6,), "dense2.W": (6, 3), "dense2.b": (3,)}
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    W1, b1, W2, b2 = weights.values()
    network = Network([Dense(W1, b1), Tanh(), Dense(W2, b2)], input_shape=(8,))
    x, near = rng.random((3, 8)), rng.random((4, 3, 8))
    classes, R = network.predict(x), gradient(network, x)
    noise = LEVEL * np.random.default_rng(SEED).standard_normal((DRAWS, 1, 8))
    model, X, target = to_torch(network).double().eval(), torch.tensor(x), torch.tensor(classes)

    def change(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        changes = torch.tensor(noise[:, 0]).repeat(len(inputs) // DRAWS, 1)  # captum has the draws of a sample in a row
        return changes, inputs - changes

    def neighbours(_: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.tensor(near.swapaxes(0, 1).reshape(-1, 8)),)

    def slope(inputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return Saliency(model).attribute(inputs, target=target, abs=False)

    options = {"target": target, "n_perturb_samples": DRAWS}
    plain, scaled = (
        captum_infidelity(model, change, X, torch.tensor(R), normalize=normalize, **options).numpy()
        for normalize in (False, True)
    )
    moved = sensitivity_max(slope, X, neighbours, n_perturb_samples=len(near), target=target).detach().numpy()
    theirs = {"infidelity": plain, "scaled": scaled, "max_sensitivity": moved}
    settings: dict[str, Any] = {"change": "noise", "n": DRAWS, "level": LEVEL, "rng": SEED}
    ours = (
        infidelity(network, x, R, **settings),
        infidelity(network, x, R, scaled=True, **settings),
        max_sensitivity(network, x, "gradient", neighbours=near),
    )
    for mine, (name, value) in zip(ours, theirs.items(), strict=True):
        if not np.allclose(mine, value, rtol=AGREES, atol=AGREES):
            raise SystemExit(f"{name}: nnlite has {mine}, captum {value}.")
    PLACE.parent.mkdir(exist_ok=True)
    storage.write(PLACE, "golden", {"settings": settings}, {**weights, "x": x, "neighbours": near, **theirs})


if __name__ == "__main__":
    main()
