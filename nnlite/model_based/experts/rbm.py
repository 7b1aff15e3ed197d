"""Training a Gaussian-RBM by persistent contrastive divergence."""

import os
from typing import Any

import numpy as np
from scipy.special import expit

from ...layers.arguments import Shape, count, integer
from ...training import loop
from ...training.loop import Moment, Parameters
from ...training.optimizers import Adam, Memories
from ...training.run import fingerprint
from ...training.schedules import Cosine
from .expert import above_zero, data
from .gaussian_rbm import GaussianRBM, gibbs

SHARES = {"W": 1.0, "bias": 0.3, "mean": 0.002, "log_noise": 0.1}
"""The part of the rate that each parameter is trained with: they live on different scales."""

OPTIMIZER = Adam(beta1=0.5)

LEAST_NOISE = 1e-4
"""Where σ² starts at least, for data with little spread."""


def train(
    x: np.ndarray,
    *,
    hidden: int = 256,
    epochs: int = 8,
    rate: float = 0.03,
    batch_size: int = 100,
    k: int = 5,
    seed: int = 0,
    held_out: np.ndarray | None = None,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
) -> tuple[GaussianRBM, tuple[dict[str, Any], ...]]:
    """Climb ∂(mean log p)/∂θ = ⟨∂log p̃(x)/∂θ⟩_data − ⟨∂log p̃(x)/∂θ⟩_model, for θ = W, c, μ and log σ².

    The second mean is over `batch_size` Markov chains that go on from step to step, k steps of Gibbs sampling each
    time. Adam with β₁ = 0.5, the rate falling as a cosine to 0; in float32. The same arguments give the same bits.

    epochs, batch_size, rate: how often to go through all samples, how many each step takes, and the first rate, that of
        W (see SHARES).
    k: the steps of Gibbs sampling between two updates.
    seed: an integer from 0: decides the start, the order of the samples and the chains.
    held_out: other samples, to be judged on after every epoch.
    checkpoint, resume, progress: as in `nnlite.training.fit`.

    Returned are the expert, and for each epoch a dict: `reconstruction`, the mean squared error a pixel of x (about in
    [0, 1]) seen through p(h | x) and back; with held_out `held_out_reconstruction`, and `held_out_margin`, by how much
    the mean log p of the held-out samples exceeds that of images whose every pixel comes from another one of them;
    `seconds`.

    Raises TypeError or ValueError: the data or the settings are not what is expected, or the checkpoint is damaged or
    of a run with others; FloatingPointError: a parameter is no longer finite.
    Source: Tieleman 2008, "Training restricted Boltzmann machines using approximations to the likelihood gradient";
    Hinton 2012, "A practical guide to training restricted Boltzmann machines".

    >>> x = np.tile(np.eye(4, dtype=np.float32), (50, 1))
    >>> expert, history = train(x, hidden=8, epochs=60, rate=0.1, batch_size=20, progress=False)
    >>> history[0]["reconstruction"] > 0.15, history[-1]["reconstruction"] < 0.01
    (True, True)
    """
    flat, shape = data("rbm.train", x)
    sizes = {"hidden": hidden, "epochs": epochs, "batch_size": batch_size, "k": k}
    sizes = {name: count("rbm.train", name, value) for name, value in sizes.items()}
    rate = above_zero("rbm.train", "rate", rate)
    seed = integer("rbm.train", "seed", seed)
    task = _Task(flat.astype(np.float32), _others(held_out, shape), {**sizes, "rate": rate, "seed": seed})
    state = loop.run(
        task,
        epochs=sizes["epochs"],
        batch_size=sizes["batch_size"],
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    return GaussianRBM(*_of(state.parameters), shape, state.memories["chains"]["x"]), state.history


def gradients(parameters: Parameters, x: np.ndarray) -> dict[str, np.ndarray]:
    """The mean of ∂log p̃(x)/∂θ over x (N, D), for θ = W, c, μ and log σ²; p̃ is p without its constant.

    ∂W = x p(h | x)ᵀ;  ∂c = p(h | x);  ∂μ = (x − μ) / σ²;  ∂log σ² = ‖x − μ‖² / 2σ²
    """
    away, noise = x - parameters["mean"], np.exp(parameters["log_noise"])
    h = expit(parameters["bias"] + x @ parameters["W"])
    return {
        "W": x.T @ h / len(x),
        "bias": h.mean(axis=0),
        "mean": away.mean(axis=0) / noise,
        "log_noise": (away * away).sum(axis=1).mean(keepdims=True) / (2 * noise),
    }


class _Task:
    """The task of `train`, for the loop: x and held_out (N, D) in float32."""

    def __init__(self, x: np.ndarray, held_out: np.ndarray | None, chosen: dict[str, Any]) -> None:
        self.x, self.held_out, self.chosen = x, held_out, chosen
        self.samples = len(x)

    def start(self) -> Parameters:
        """Small random weights; the mean and the mean variance of the data."""
        D, noise = self.x.shape[1], max(float(self.x.var(axis=0).mean()), LEAST_NOISE)
        W = np.random.default_rng(self.chosen["seed"]).standard_normal((D, self.chosen["hidden"]), np.float32)
        return {
            "W": np.float32(0.01 / noise**0.5) * W,
            "bias": np.full(self.chosen["hidden"], -1, np.float32),
            "mean": self.x.mean(axis=0),
            "log_noise": np.full(1, np.log(noise), np.float32),
        }

    def settings(self) -> dict[str, Any]:
        return {
            **self.chosen,
            "optimizer": repr(OPTIMIZER),
            "data": fingerprint(self.x),
            "held_out": None if self.held_out is None else fingerprint(self.held_out),
        }

    def step(
        self, parameters: Parameters, memories: Memories, rows: np.ndarray, at: Moment
    ) -> tuple[Parameters, Memories, dict[str, float]]:
        """One update. The chains, x (batch_size, D), are remembered beside the moments of the optimizer."""
        x, rng, rate = self.x[rows], at.rng(), at.rate(Cosine(self.chosen["rate"]))
        chains = memories["chains"]["x"] if memories else self.x[rng.integers(self.samples, size=len(rows))]
        reconstruction = _reconstruction(parameters, x) * len(x)
        for _ in range(self.chosen["k"]):
            chains = gibbs(chains, *_of(parameters), rng)
        toward, away = gradients(parameters, x), gradients(parameters, chains)
        changed: dict[str, np.ndarray] = {}
        remembered: dict[str, Any] = {"chains": {"x": chains}}
        for name, w in parameters.items():
            g = {name: away[name] - toward[name]}
            one, memory = loop.updated(OPTIMIZER, {name: w}, g, memories, rate * SHARES[name], at)
            changed, remembered = changed | one, remembered | memory
        return changed, remembered, {"reconstruction": reconstruction}

    def after_epoch(self, parameters: Parameters) -> dict[str, float | None]:
        if self.held_out is None:
            return {}
        x, expert = self.held_out, GaussianRBM(*_of(parameters))
        mixed = np.random.default_rng(0).permuted(x, axis=0)
        margin = expert.log_density(x).mean() - expert.log_density(mixed).mean()
        return {"held_out_reconstruction": _reconstruction(parameters, x), "held_out_margin": float(margin)}


def _reconstruction(parameters: Parameters, x: np.ndarray) -> float:
    """The mean over samples and pixels of (x − μ − σ² W p(h | x))²."""
    mean, W, bias, noise = _of(parameters)
    return float(np.square(x - mean - noise * (expit(bias + x @ W) @ W.T)).mean())


def _of(parameters: Parameters) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """μ, W, c and σ²."""
    return parameters["mean"], parameters["W"], parameters["bias"], float(np.exp(parameters["log_noise"][0]))


def _others(held_out: np.ndarray | None, shape: Shape) -> np.ndarray | None:
    """The held-out samples as (N, D) float32, if there are any; an error unless they are as those of x."""
    if held_out is None:
        return None
    flat, other = data("rbm.train: held_out", held_out)
    if other != shape:
        raise ValueError(f"rbm.train: held_out takes samples of the shape {shape}, as x has, got {other}.")
    return flat.astype(np.float32)
