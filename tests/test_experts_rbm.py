"""Training a Gaussian-RBM: its gradient against the exact likelihood of a tiny model; stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from nnlite import storage
from nnlite.model_based.experts import GaussianRBM, load, rbm
from nnlite.model_based.experts.gaussian_rbm import gibbs

D, H = 4, 3
STATES = (np.arange(2**H)[:, None] >> np.arange(H)) & 1


def tiny(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "W": rng.normal(size=(D, H)),
        "bias": rng.normal(size=H),
        "mean": rng.normal(size=D),
        "log_noise": np.array([-0.5]),
    }


def expert(parameters: dict[str, np.ndarray]) -> GaussianRBM:
    noise = float(np.exp(parameters["log_noise"][0]))
    return GaussianRBM(parameters["mean"], parameters["W"], parameters["bias"], noise)


def masses(parameters: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """log ∫ p̃(x, h) dx for every h, x integrated by hand; and E[x | h]."""
    noise, mean = np.exp(parameters["log_noise"][0]), parameters["mean"]
    given_h = mean + noise * STATES @ parameters["W"].T
    exponent = ((given_h**2).sum(axis=1) - (mean**2).sum()) / (2 * noise)
    return STATES @ parameters["bias"] + exponent + D / 2 * np.log(2 * np.pi * noise), given_h


def likelihood(parameters: dict[str, np.ndarray], x: np.ndarray) -> float:
    """The mean of log p(x), its constant included."""
    return float(expert(parameters).log_density(x).mean() - logsumexp(masses(parameters)[0]))


def exact_samples(parameters: dict[str, np.ndarray], n: int, rng: np.random.Generator) -> np.ndarray:
    log_mass, given_h = masses(parameters)
    chosen = rng.choice(len(STATES), size=n, p=np.exp(log_mass - logsumexp(log_mass)))
    return given_h[chosen] + np.exp(parameters["log_noise"][0] / 2) * rng.standard_normal((n, D))


def test_gradient_is_that_of_the_likelihood() -> None:
    """Data minus model is the exact gradient, where the model's mean is over exact samples; errors are of 1/√n."""
    parameters, rng = tiny(), np.random.default_rng(1)
    x = rng.normal(size=(50, D))
    data, model = rbm.gradients(parameters, x), rbm.gradients(parameters, exact_samples(parameters, 400_000, rng))
    for name, value in parameters.items():
        for i in np.ndindex(value.shape):
            moved = [{**parameters, name: value.copy()} for _ in range(2)]
            moved[0][name][i] += 1e-5
            moved[1][name][i] -= 1e-5
            exact = (likelihood(moved[0], x) - likelihood(moved[1], x)) / 2e-5
            assert data[name][i] - model[name][i] == pytest.approx(exact, abs=0.02), name


def test_gradient_of_the_unnormalised_density_by_finite_differences() -> None:
    parameters, x = tiny(), np.random.default_rng(1).normal(size=(5, D))
    gradients = rbm.gradients(parameters, x)
    for name, value in parameters.items():
        for i in np.ndindex(value.shape):
            up, down = {**parameters, name: value.copy()}, {**parameters, name: value.copy()}
            up[name][i] += 1e-6
            down[name][i] -= 1e-6
            expected = (expert(up).log_density(x).mean() - expert(down).log_density(x).mean()) / 2e-6
            assert gradients[name][i] == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_gibbs_sampling_leaves_the_density_as_it_is() -> None:
    parameters, rng = tiny(), np.random.default_rng(2)
    law = expert(parameters)
    x = exact_samples(parameters, 200_000, rng)
    after = gibbs(x, law.mean, law.W, law.bias, law.noise, rng)
    assert np.abs(after.mean(axis=0) - x.mean(axis=0)).max() < 0.02
    assert np.abs(np.cov(after.T) - np.cov(x.T)).max() < 0.05


def patterns(n: int = 400) -> np.ndarray:
    """Each sample is one of four squares of 2 × 2 pixels, with noise."""
    rng = np.random.default_rng(0)
    x = np.zeros((n, 1, 4, 4), np.float32)
    for i, (row, column) in enumerate(rng.integers(0, 2, (n, 2)) * 2):
        x[i, 0, row : row + 2, column : column + 2] = 1
    return x + np.float32(0.1) * rng.standard_normal(x.shape, np.float32)


def train(**changes: Any) -> tuple[GaussianRBM, Any]:
    options = {"hidden": 8, "epochs": 6, "rate": 0.1, "batch_size": 30, "progress": False, **changes}
    return rbm.train(options.pop("x", patterns()[:300]), **options)


def test_it_learns_the_data() -> None:
    x = patterns()
    law, history = train(epochs=100, held_out=x[300:])
    first, last = history[0], history[-1]
    assert last["reconstruction"] < 0.02 < 0.1 < first["reconstruction"]
    assert last["held_out_reconstruction"] < 0.02
    assert last["held_out_margin"] > 10 > first["held_out_margin"]
    centres = np.kron(np.eye(4).reshape(4, 2, 2), np.ones((2, 2))).reshape(4, 16)
    distance = np.abs(law.sample(40).reshape(40, 1, 16) - centres).mean(axis=2)
    assert (distance.min(axis=1) < 0.25).mean() > 0.8


def test_samples_go_on_from_the_chains_of_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlite.model_based.experts.gaussian_rbm.GIBBS_STEPS", 1)
    law, _ = train()
    assert np.shape(law.chains) == (30, 16)
    law.save(tmp_path / "rbm.npz")
    assert load(tmp_path / "rbm.npz").sample(3).tobytes() == law.sample(3).tobytes()
    fresh = GaussianRBM(law.mean, law.W, law.bias, law.noise)
    assert fresh.sample(3).tobytes() != law.sample(3).reshape(3, 16).tobytes()
    with pytest.raises(ValueError, match="chains"):
        GaussianRBM(law.mean, law.W, law.bias, law.noise, chains=np.zeros((3, 5)))


def bits(result: tuple[GaussianRBM, Any]) -> Any:
    law, history = result
    arrays = [value.tobytes() for value in (law.mean, law.W, law.bias, law.chains)]
    return arrays, law.noise, [{**epoch, "seconds": 0} for epoch in history]


class Stopped(Exception):
    pass


@pytest.mark.parametrize("epochs", [1, 4])
def test_stopped_and_resumed_to_the_same_bits(epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, written, write = tmp_path / "run.npz", [], storage.write

    def stop(*arguments: Any) -> None:
        write(*arguments)
        written.append(1)
        if len(written) == epochs:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write", stop)
        with pytest.raises(Stopped):
            train(checkpoint=place, held_out=patterns()[300:])
    assert len(storage.read(place, "checkpoint")[0]["history"]) == epochs
    resumed = train(checkpoint=place, resume=True, held_out=patterns()[300:])
    assert bits(resumed) == bits(train(held_out=patterns()[300:]))
    assert bits(train()) != bits(train(seed=1))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 1}, "seed"),
        ({"rate": 0.2}, "rate"),
        ({"k": 2}, "k"),
        ({"hidden": 9}, "hidden"),
        ({"x": patterns()[1:301]}, "data"),
        ({"held_out": patterns()}, "held_out"),
    ],
)
def test_other_settings_are_refused(changes: dict[str, Any], name: str, tmp_path: Path) -> None:
    train(epochs=1, checkpoint=tmp_path / "run.npz")
    with pytest.raises(ValueError, match=f"  {name}: expected"):
        train(epochs=1, checkpoint=tmp_path / "run.npz", resume=True, **changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"hidden": 0}, ValueError, "hidden takes a positive integer"),
        ({"epochs": 1.5}, ValueError, "epochs takes a positive integer"),
        ({"k": 0}, ValueError, "k takes a positive integer"),
        ({"rate": 0}, ValueError, "rate takes a number above 0"),
        ({"seed": -1}, ValueError, "seed takes an integer from 0"),
        ({"x": patterns()[:1]}, ValueError, "two samples or more"),
        ({"x": np.full((3, 4), np.nan)}, ValueError, "NaN"),
        ({"held_out": np.zeros((3, 5))}, ValueError, r"held_out takes samples of the shape \(1, 4, 4\)"),
        ({"rate": 1e30}, FloatingPointError, "Training diverged in epoch 1"),
    ],
)
def test_bad_training(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        train(**changes)
