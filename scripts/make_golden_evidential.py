"""Make tests/golden/evidential/loss.npz: the evidential loss and its gradient as PyTorch computes them, in float64.

    python scripts/make_golden_evidential.py

needs torch. Mean, variance and divergence are those of torch.distributions.Dirichlet, the gradient is autograd's.
"""

from pathlib import Path

import numpy as np

from nnlite import storage
from nnlite.uncertainty import evidential_loss

OUT = Path(__file__).parents[1] / "tests" / "golden" / "evidential" / "loss.npz"
SHAPES = ((1, 2), (7, 3), (5, 10))
WEIGHTS = (0.0, 0.3, 1.0)
SCALES = (0.1, 2.0, 50.0)
LOSS, GRADIENT = 1e-12, 1e-9
"""What the two may differ by. PyTorch's trigamma is right to 7e-10 only, and SciPy's to rounding."""


def theirs(scores: np.ndarray, labels: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    """Sensoy et al. 2018, eq. 5 and the divergence, written with PyTorch's distributions."""
    import torch
    from torch.distributions import Dirichlet, kl_divergence

    f = torch.tensor(scores, requires_grad=True)
    y = torch.nn.functional.one_hot(torch.tensor(labels), scores.shape[1]).double()
    alpha = torch.relu(f) + 1
    p = Dirichlet(alpha)
    error = ((y - p.mean) ** 2 + p.variance).sum(dim=1)
    removed = Dirichlet(y + (1 - y) * alpha)
    divergence = kl_divergence(removed, Dirichlet(torch.ones_like(alpha)))
    loss = (error + weight * divergence).mean()
    loss.backward()
    return loss.item(), f.grad.numpy()


def main() -> None:
    """Write the file, if nnlite agrees here and now."""
    import torch

    rng = np.random.default_rng(0)
    cases, arrays = [], {}
    for shape in SHAPES:
        for scale in SCALES:
            scores, labels = scale * rng.standard_normal(shape), rng.integers(0, shape[1], shape[0])
            for weight in WEIGHTS:
                loss, gradient = theirs(scores, labels, weight)
                ours, our_gradient = evidential_loss(scores, labels, weight)
                if abs(ours - loss) > LOSS * max(1, abs(loss)) or abs(our_gradient - gradient).max() > GRADIENT:
                    raise SystemExit(f"{shape}, scale {scale}, weight {weight}: nnlite and PyTorch differ.")
                name = str(len(cases))
                cases.append({"weight": weight, "loss": loss})
                arrays |= {f"{name}/scores": scores, f"{name}/labels": labels, f"{name}/gradient": gradient}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    header = {"cases": cases, "versions": {"torch": torch.__version__}, "script": "scripts/make_golden_evidential.py"}
    storage.write(OUT, "golden", header, arrays)
    print(f"{OUT.name}: {len(cases)} cases, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
