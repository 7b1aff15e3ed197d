"""Make tests/golden/ascent/log_probability.npz: a search for all ten classes, as PyTorch makes it, once.

    python scripts/make_golden_ascent.py

log p(ω_c | x) − λ ‖x‖², torch.optim.Adam, the box [0, 1] by clamping after each step; lenet in float64. It is written
only if nnlite agrees with it here and now; the difference is printed.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import nnlite.models
from nnlite import storage
from nnlite.interop.torch import to_torch
from nnlite.model_based.activation_maximization import general

PLACE = Path(__file__).parents[1] / "tests" / "golden" / "ascent" / "log_probability.npz"
STEPS, RATE, WEIGHT, EVERY, TOLERANCE = 50, 0.05, 0.01, 25, 1e-10


def searched(module: torch.nn.Module, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x (STEPS + 1, 10, 1, 28, 28) and what was climbed (STEPS + 1, 10)."""
    x = torch.tensor(start, requires_grad=True)
    adam = torch.optim.Adam([x], lr=RATE, maximize=True)
    path, values = [start], []
    for step in range(STEPS + 1):
        log_p = torch.log_softmax(module(x), dim=1)[torch.arange(10), torch.arange(10)]
        value = log_p - WEIGHT * (x * x).sum(dim=(1, 2, 3))
        values.append(value.detach().numpy().copy())
        if step < STEPS:
            adam.zero_grad()
            value.sum().backward()
            adam.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            path.append(x.detach().numpy().copy())
    return np.stack(path), np.stack(values)


def main() -> None:
    """Search with both, compare, write."""
    network = nnlite.models.load("lenet").astype(np.float64)
    start = np.random.default_rng(0).uniform(size=(10, 1, 28, 28))
    path, values = searched(to_torch(network), start)
    ours = general(network, "all", start=start, weight=WEIGHT, steps=STEPS, rate=RATE, keep=True)
    worst = [float(np.abs(a - b).max()) for a, b in ((ours.trajectory, path), (ours.values, values))]
    print(f"largest difference: x {worst[0]:.1e}, values {worst[1]:.1e}")
    if max(worst) > TOLERANCE:
        sys.exit(f"nnlite does not agree to {TOLERANCE}; nothing was written.")
    header = {"versions": {"torch": torch.__version__}, "script": "scripts/make_golden_ascent.py"}
    settings = {"steps": STEPS, "rate": RATE, "weight": WEIGHT, "every": EVERY}
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"path": path[::EVERY], "values": values}
    storage.write(PLACE, "golden", {**header, "settings": settings}, arrays)
    print(f"{PLACE.name}: {PLACE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
