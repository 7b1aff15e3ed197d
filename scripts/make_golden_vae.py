"""Make tests/golden/vae/*.npz: what PyTorch computes for the losses of the generators, in float64, once.

    python scripts/make_golden_vae.py

loss.npz: the loss of a small variational autoencoder with fixed noise, as `binary_cross_entropy_with_logits` + KL of
torch.distributions, and autograd's gradient in every parameter. adversarial.npz: both players' losses and gradients.
A file is written only if nnlite agrees with it here and now.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from nnlite import Network, storage
from nnlite.layers import Dense, ReLU, Sigmoid
from nnlite.model_based.generators.adversarial import discriminator_loss, generator_loss
from nnlite.model_based.generators.joined import join
from nnlite.model_based.generators.vae import loss_gradients

FOLDER = Path(__file__).parents[1] / "tests" / "golden" / "vae"
AGREES = 1e-12


def networks(rng: np.random.Generator) -> dict[str, Network]:
    """An encoder 9-7-(3 + 3) and a decoder 3-5-9."""

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(rng.standard_normal((inputs, outputs)), rng.standard_normal(outputs))

    return {
        "encoder": Network([dense(9, 7), ReLU(), dense(7, 6)]),
        "decoder": Network([dense(3, 5), ReLU(), dense(5, 9), Sigmoid()]),
    }


def vae() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The file of the bound."""
    rng = np.random.default_rng(0)
    parts, seed = networks(rng), 7
    x = np.concatenate([rng.random((4, 9)), rng.integers(0, 2, (2, 9)).astype(float)])
    weights = join(**{name: network.parameters for name, network in parts.items()})
    noise = np.random.default_rng(seed).standard_normal((len(x), 3))
    w = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    t = torch.tensor(x)

    def dense(name: str, a: Any) -> Any:
        return a @ w[f"{name}.W"] + w[f"{name}.b"]

    code = dense("encoder.dense2", torch.relu(dense("encoder.dense1", t)))
    mean, sigma = code[:, :3], torch.exp(code[:, 3:] / 2)
    scores = dense("decoder.dense2", torch.relu(dense("decoder.dense1", mean + sigma * torch.tensor(noise))))
    bits = torch.nn.functional.binary_cross_entropy_with_logits(scores, t, reduction="sum")
    normal = torch.distributions.Normal
    nats = torch.distributions.kl_divergence(normal(mean, sigma), normal(0.0, 1.0)).sum()
    loss = (bits + nats) / len(x)
    loss.backward()
    expected = {name: value.grad.numpy() for name, value in w.items()}
    ours, gradients = loss_gradients(parts["encoder"], parts["decoder"], x, np.random.default_rng(seed))
    check([(ours, loss.item()), *((gradients[name], expected[name]) for name in weights)])
    arrays = {"x": x, "noise": noise, "loss": np.array(loss.item())}
    arrays |= {f"weight/{name}": value for name, value in weights.items()}
    return {"seed": seed}, arrays | {f"gradient/{name}": value for name, value in expected.items()}


def adversarial() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The file of the two players."""
    rng = np.random.default_rng(1)
    real, fake = 4 * rng.standard_normal((5, 1)), 4 * rng.standard_normal((7, 1))
    a, b, c = (torch.tensor(value, requires_grad=True) for value in (real, fake, fake))
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    judging = bce(a, torch.ones_like(a)) + bce(b, torch.zeros_like(b))
    fooling = bce(c, torch.ones_like(c))
    judging.backward()
    fooling.backward()
    arrays = {
        "real": real,
        "fake": fake,
        "discriminator": np.array(judging.item()),
        "generator": np.array(fooling.item()),
    }
    arrays |= {"dreal": a.grad.numpy(), "dfake": b.grad.numpy(), "dfooling": c.grad.numpy()}
    loss, dreal, dfake = discriminator_loss(real, fake)
    other, dfooling = generator_loss(fake)
    ours = {"discriminator": loss, "generator": other, "dreal": dreal, "dfake": dfake, "dfooling": dfooling}
    check([(value, arrays[name]) for name, value in ours.items()])
    return {}, arrays


def check(pairs: list[tuple[Any, Any]]) -> None:
    """An error where nnlite differs."""
    worst = max(float(np.abs(np.asarray(ours) - theirs).max()) for ours, theirs in pairs)
    if worst > AGREES:
        raise SystemExit(f"nnlite differs from torch {torch.__version__} by {worst}.")
    print(f"differs from torch {torch.__version__} by {worst:.1e}")


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    for name, (header, arrays) in {"loss": vae(), "adversarial": adversarial()}.items():
        versions = {"numpy": np.__version__, "torch": torch.__version__}
        storage.write(FOLDER / f"{name}.npz", "golden", {"versions": versions, **header}, arrays)


if __name__ == "__main__":
    main()
