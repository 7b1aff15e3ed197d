"""BatchNorm in training: by the batch in the steps, by what is measured over all samples in the trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, load, storage
from nnlite.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool, MaxPool2d, ReLU, Residual
from nnlite.training import SGD, AdamW, ConstantRate, Fit, OneCycle, accuracy, fit, gradient_check
from nnlite.training.batchnorm import in_training

numbers = np.random.default_rng(0)


def fresh(channels: int) -> BatchNorm:
    return BatchNorm(np.ones(channels), np.zeros(channels), np.zeros(channels), np.ones(channels))


def network(dtype: Any = np.float64, drop: bool = False) -> Network:
    """Two convolutions and a dense layer, each with a BatchNorm behind it."""
    rng = np.random.default_rng(0)
    layers = [Conv2d(rng.normal(size=(4, 1, 3, 3))), fresh(4), ReLU(), Conv2d(rng.normal(size=(6, 4, 3, 3))), fresh(6)]
    layers += [ReLU(), MaxPool2d(2), *([Dropout(0.5)] if drop else []), Flatten(), Dense(rng.normal(size=(24, 5)))]
    return Network([*layers, fresh(5), ReLU(), Dense(rng.normal(size=(5, 3)))]).astype(dtype)


def digits(n: int = 70, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, n)
    return (rng.random((n, 1, 8, 8)) + np.eye(8)[2 * labels][:, None, :, None]).astype(dtype), labels


def train(start: Network, x: np.ndarray, labels: np.ndarray, **changes: Any) -> Fit:
    return fit(start, x, labels, **{"epochs": 3, "batch_size": 32, "seed": 2, "progress": False, **changes})


def bits(result: Fit) -> list[bytes]:
    """All arrays: the measured ones too."""
    return [value.tobytes() for layer in result.network for value in layer.arrays.values()]


@pytest.mark.parametrize("optimizer", [SGD(), SGD(momentum=0.9)], ids=str)
def test_the_steps_are_those_of_torch(optimizer: SGD) -> None:
    """Three epochs of one batch; then mean and variance of what each BatchNorm reads (torch divides by one less)."""
    torch = pytest.importorskip("torch")
    from nnlite.interop.torch import to_torch

    x, labels = digits()
    start = Network(network().layers, input_shape=(1, 8, 8))
    module = to_torch(start).double().train()
    descent = torch.optim.SGD(module.parameters(), lr=0.1, momentum=optimizer.momentum)
    for _ in range(3):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(labels)).backward()
        descent.step()
    result = train(start, x, labels, optimizer=optimizer, schedule=ConstantRate(0.1), batch_size=70)
    theirs = [p.detach().numpy() for p in module.parameters()]
    ours = [layer.arrays[name] for layer in result.network for name in layer.parameters]
    assert len(theirs) == len(ours)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other.T if other.ndim == 2 else other, rtol=1e-10, atol=1e-10)
    measured = [norm for norm in result.network if isinstance(norm, BatchNorm)]
    running = [norm for norm in module if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in running:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over what follows: one pass with the last parameters
    module(torch.from_numpy(x))
    for one, other, count in zip(measured, running, (70 * 36, 70 * 16, 70), strict=True):
        np.testing.assert_allclose(one.mean, other.running_mean.numpy(), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(one.var, other.running_var.numpy() * (count - 1) / count, rtol=1e-10)


def test_a_residual_network_trains() -> None:
    """The gradients of the steps, and mean and variance of what the BatchNorms within the branch read in one batch."""
    rng, (x, labels) = np.random.default_rng(3), digits()
    convolutions = [Conv2d(rng.normal(size=(4, c, 3, 3)), padding=1) for c in (1, 4, 4)]
    branch = Residual([convolutions[1], fresh(4), ReLU(), convolutions[2], fresh(4)])
    start = Network([convolutions[0], branch, ReLU(), GlobalAvgPool(), Flatten(), Dense(rng.normal(size=(4, 3)))])
    assert gradient_check(in_training(start), x[:5]) < 1e-6
    trained = train(start, x, labels, batch_size=70).network
    a = in_training(trained).forward(x)
    for l, norm in enumerate(trained):
        if isinstance(norm, BatchNorm):
            np.testing.assert_allclose(norm.mean, trained.read(l, a).mean(axis=(0, 2, 3)), rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(norm.var, trained.read(l, a).var(axis=(0, 2, 3)), rtol=1e-10)
    assert (trained.wires, trained.names) == (start.wires, start.names)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 6)], ids=["vectors", "images"])
@pytest.mark.parametrize("batch_size", [71, 32, 3])
def test_a_first_batchnorm_gets_the_mean_and_variance_of_the_data(shape: tuple[int, ...], batch_size: int) -> None:
    """Whatever the batches, the last of which is smaller."""
    x = 100 + numbers.normal(size=(71, *shape)) * np.arange(1, 5).reshape(4, *(1 for _ in shape[1:]))
    start = Network([fresh(4), Flatten(), Dense(numbers.normal(size=(x[0].size, 2)))])
    norm = train(start, x, np.arange(71) % 2, batch_size=batch_size).network[0]
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    np.testing.assert_allclose(norm.mean, x.mean(axis=axes), rtol=1e-13)
    np.testing.assert_allclose(norm.var, x.var(axis=axes), rtol=1e-12)
    assert (start[0].mean == 0).all()  # a network never changes


def test_what_stands_above_the_last_batchnorm_does_not_run_when_it_is_measured() -> None:
    seen = []

    class Top(Dense):
        def forward(self, a: np.ndarray) -> np.ndarray:
            seen.append(len(a))
            return super().forward(a)

    train(Network([fresh(4), ReLU(), Top(np.eye(4, 2))]), numbers.normal(size=(70, 4)), np.arange(70) % 2, epochs=2)
    assert seen == 2 * [32, 32, 6]  # the steps alone


def test_it_learns_and_what_is_returned_is_what_was_held_against_the_held_out_samples(tmp_path: Path) -> None:
    x, labels = digits(600, np.float32)
    held_out = (x[400:], labels[400:])
    settings: dict[str, Any] = {"held_out": held_out, "epochs": 4, "schedule": OneCycle(0.02)}
    result = train(network(np.float32, drop=True), x[:400], labels[:400], **settings)
    assert result.history[-1].held_out_accuracy == accuracy(result.network, *held_out) > 0.95
    assert [type(layer) for layer in result.network] == [type(layer) for layer in network(drop=True)]
    result.network.save(tmp_path / "network.npz")
    back = load(tmp_path / "network.npz")
    assert back.output(held_out[0]).tobytes() == result.network.output(held_out[0]).tobytes()


@pytest.mark.parametrize("compile", [False, True])
def test_the_bits_do_not_depend_on_the_number_of_threads(compile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = digits(150, np.float32)
    trained = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("NNLITE_THREADS", threads)
        start = network(np.float32, drop=True)
        trained.append(bits(train(start, x, labels, batch_size=64, held_out=(x, labels), compile=compile)))
    assert trained[0] == trained[1] == trained[2]


def test_a_compiled_training_takes_the_same_steps() -> None:
    x, labels = digits()
    plain, compiled = (train(network(drop=True), x, labels, compile=compile) for compile in (False, True))
    assert compiled.network.plan(x.shape) == plain.network.plan(x.shape)  # only the steps were compiled
    for one, other in zip(plain.network, compiled.network, strict=True):
        for name, value in one.arrays.items():
            np.testing.assert_allclose(other.arrays[name], value, rtol=1e-8, atol=1e-10)


def test_a_large_batch_is_not_cut(form: Any) -> None:
    """Where samples are separate, a large batch runs in parts; a BatchNorm in training sees all of it."""
    x = np.linspace(0, 1, 2**16 * 36).reshape(-1, 36)
    norm = BatchNorm(np.ones(36), np.zeros(36), np.zeros(36), np.ones(36)).in_training()
    out = form(Network([norm, ReLU(), Dense(np.eye(36))])).output(x)
    np.testing.assert_allclose(out, np.maximum(0, norm.forward(x)), rtol=0, atol=1e-12)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    x, labels = digits()
    settings: dict[str, Any] = {"held_out": (x[:20], labels[:20]), "optimizer": AdamW(), "epochs": 4}
    place, write = tmp_path / "run.npz", storage.write

    def stopping(*arguments: Any) -> None:
        write(*arguments)
        if len(storage.read(place, "checkpoint")[0]["history"]) == 2:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write", stopping)
        with pytest.raises(Stopped):
            train(network(drop=True), x, labels, checkpoint=place, **settings)
    whole = train(network(drop=True), x, labels, **settings)
    for _ in range(2):  # it goes on; and then it is only read
        again = train(network(drop=True), x, labels, checkpoint=place, resume=True, **settings)
        assert bits(again) == bits(whole)
        assert [e.held_out_accuracy for e in again.history] == [e.held_out_accuracy for e in whole.history]


@pytest.mark.parametrize("batch_size", [1, 23])
def test_a_batch_of_one_vector_is_refused_before_the_first_step(batch_size: int) -> None:
    def no_step(scores: np.ndarray, labels: np.ndarray) -> Any:
        raise AssertionError

    x, labels = digits()
    with pytest.raises(ValueError, match=r"layer batchnorm3: .* got \(1, 5\)\. .*choose a batch_size"):
        train(network(), x, labels, batch_size=batch_size, loss=no_step)


def test_statistics_that_are_not_finite_are_named() -> None:
    x = np.where(np.arange(8)[:, None] == 0, np.float32(1e30), np.float32(0))
    with pytest.raises(FloatingPointError, match="mean and variance that layer batchnorm1 reads are not finite"):
        train(Network([fresh(1), Dense(np.eye(1, 2))]).astype(np.float32), x, np.arange(8) % 2)
