"""Training as a whole: it learns, gives the same bits again, and says what is wrong."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nnlite import Network, kernels
from nnlite.layers import Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Softmax
from nnlite.training import SGD, Adam, AdamW, ConstantRate, OneCycle, cross_entropy, fit


def test_the_memory_of_a_step_is_that_of_the_next() -> None:
    """Not given back to the system and asked for again, page by page."""
    resource = pytest.importorskip("resource")
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another malloc")
    x = np.ones((256, 1024), np.float32)
    start = Network([*6 * [ReLU()], Dense(np.ones((1024, 2), np.float32))])
    faults, started = [], [0]

    def loss(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        now = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        faults.append(now - started[0])
        started[0] = now
        return cross_entropy(scores, labels)

    fit(start, np.tile(x, (12, 1)), np.arange(12 * 256) % 2, epochs=1, batch_size=256, loss=loss, progress=False)
    assert np.median(faults[2:]) < x.nbytes / 4096


def moons(n: int, seed: int, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Two half moons, one inside the other: no straight line parts them."""
    rng = np.random.default_rng(seed)
    labels, angle = np.arange(n) % 2, rng.uniform(0, np.pi, n)
    sign = 1 - 2 * labels
    x = np.stack([np.cos(angle) * sign + labels, np.sin(angle) * sign + labels / 2], axis=1)
    return (x + 0.1 * rng.standard_normal((n, 2))).astype(dtype), labels


def dense(hidden: int = 24, dtype: Any = np.float64, drop: float | None = None, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    layers: list[Any] = [Dense(rng.standard_normal((2, hidden)), np.zeros(hidden)), ReLU()]
    layers += [] if drop is None else [Dropout(drop)]
    layers += [Dense(rng.standard_normal((hidden, 2)) / hidden**0.5, np.zeros(2))]
    return Network(layers).astype(dtype)


def images(n: int, dtype: Any) -> tuple[Network, np.ndarray, np.ndarray]:
    """A convolutional network, and images with a bright upper or lower half."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    x = rng.random((n, 1, 8, 8))
    x[np.arange(n), 0, 4 * labels] += 1
    layers = [Conv2d(rng.standard_normal((4, 1, 3, 3)) / 3, np.zeros(4)), ReLU(), MaxPool2d(2), Flatten()]
    layers += [Dense(rng.standard_normal((36, 2)) / 6, np.zeros(2)), Softmax()]
    return Network(layers, input_shape=(1, 8, 8)).astype(dtype), x.astype(dtype), labels


def same_bits(one: Network, other: Network) -> bool:
    pairs = zip(one.parameters.items(), other.parameters.items(), strict=True)
    return all(a == b and v.dtype == w.dtype and v.tobytes() == w.tobytes() for (a, v), (b, w) in pairs)


# ----------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [(SGD(), 0.5), (SGD(0.9, 1e-4, True), 0.1), (Adam(), 0.02), (AdamW(weight_decay=0.05), 0.02)],
    ids=str,
)
def test_it_learns_two_moons(optimizer: Any, rate: float, dtype: Any) -> None:
    x, labels = moons(600, 1, dtype)
    start = dense(dtype=dtype)
    before = {name: value.copy() for name, value in start.parameters.items()}
    result = fit(
        start,
        x,
        labels,
        held_out=moons(400, 2, dtype),
        epochs=80,
        optimizer=optimizer,
        schedule=OneCycle(rate),
        progress=False,
    )
    assert len(result.history) == 80
    last = result.history[-1]
    assert last.held_out_accuracy is not None
    assert min(last.held_out_accuracy, last.accuracy) > 0.95
    assert last.loss < 0.2 < result.history[0].loss
    assert all(epoch.seconds > 0 for epoch in result.history)
    assert result.network.dtype == dtype
    assert all((value == start.parameters[name]).all() for name, value in before.items())


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_it_learns_images_and_keeps_the_softmax(backend: str) -> None:
    kernels.use(backend)
    network, x, labels = images(200, np.float32)
    result = fit(network, x, labels, epochs=5, batch_size=32, schedule=OneCycle(0.02), progress=False)
    assert result.history[-1].accuracy > 0.95
    assert (result.network.names, result.network.input_shape) == (network.names, (1, 8, 8))
    assert isinstance(result.network[-1], Softmax)
    assert result.history[-1].held_out_accuracy is None


def test_the_loss_is_that_of_the_scores() -> None:
    """With or without a Softmax at the end: the same weights."""
    network, x, labels = images(50, np.float64)
    with_softmax, without = (fit(start, x, labels, epochs=2, progress=False) for start in (network, network[:-1]))
    assert same_bits(with_softmax.network, without.network)
    assert with_softmax.history[0].loss == without.history[0].loss


def test_the_backends_agree() -> None:
    trained = []
    for backend in ("numpy", "numba"):
        kernels.use(backend)
        trained.append(fit(*images(50, np.float64), epochs=2, progress=False).network.parameters)
    for name, value in trained[0].items():
        np.testing.assert_allclose(value, trained[1][name], rtol=1e-9, atol=1e-12)


def test_one_step_is_the_formula() -> None:
    """One batch, plain gradient descent: w − rate (p − y)ᵀ-weighted inputs; and the mean over an uneven epoch."""
    x, labels = moons(10, 0)
    W = np.random.default_rng(0).standard_normal((2, 2))
    result = fit(
        Network([Dense(W)]),
        x,
        labels,
        epochs=1,
        batch_size=16,
        optimizer=SGD(),
        schedule=ConstantRate(0.5),
        progress=False,
    )
    p = np.exp(x @ W) / np.exp(x @ W).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.network[0].W, W - 0.5 * x.T @ (p - np.eye(2)[labels]) / 10, rtol=1e-12)
    assert result.history[0].loss == pytest.approx(-np.log(p[np.arange(10), labels]).mean())
    assert result.history[0].accuracy == np.mean((x @ W).argmax(axis=1) == labels)


def test_every_sample_is_seen_once_an_epoch_in_an_order_of_its_own() -> None:
    seen: list[list[int]] = []

    def loss(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(labels.tolist())
        return cross_entropy(scores, labels)

    network = Network([Dense(np.zeros((1, 10)))])
    fit(network, np.ones((10, 1)), np.arange(10), epochs=2, batch_size=4, loss=loss, progress=False)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    orders = [[label for batch in epoch for label in batch] for epoch in (seen[:3], seen[3:])]
    assert [sorted(order) for order in orders] == [list(range(10))] * 2
    assert orders[0] != orders[1]


# ------------------------------------------------------------------------------------------------ randomness


def test_the_same_seed_gives_the_same_bits() -> None:
    x, labels = moons(200, 1, np.float32)
    start = dense(dtype=np.float32, drop=0.2)
    one, again, other = (fit(start, x, labels, epochs=2, seed=seed, progress=False).network for seed in (3, 3, 4))
    assert same_bits(one, again)
    assert not same_bits(one, other)


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    inside: set[int] = set()

    def loss(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        inside.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return cross_entropy(scores, labels)

    x, labels = moons(512, 1, np.float32)
    trained = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            trained.append(
                fit(dense(256, np.float32), x, labels, epochs=1, batch_size=256, loss=loss, progress=False).network
            )
            assert all(pool["num_threads"] <= threads for pool in threadpool_info() if pool["user_api"] == "blas")
    assert same_bits(*trained)
    assert inside <= {1}


def test_dropout_draws_anew_each_step_and_is_still_there_at_the_end() -> None:
    masks: list[np.ndarray] = []

    class Watched(Dropout):
        def draw(self, rng: np.random.Generator, shape: Any, dtype: Any = np.float64) -> Any:
            mask = super().draw(rng, shape, dtype)
            masks.append(mask.m)
            return mask

    x, labels = moons(300, 1)
    layers = list(dense(32))
    network = Network([*layers[:2], Watched(0.3), layers[2]])
    result = fit(
        network, x, labels, epochs=100, batch_size=100, schedule=OneCycle(0.1), held_out=moons(100, 2), progress=False
    )
    assert len(masks) == 300
    assert all(mask.shape == (100, 32) for mask in masks)  # one mask a sample
    assert len({mask.tobytes() for mask in masks}) == 300
    assert len({mask[i].tobytes() for mask in masks[:1] for i in range(100)}) > 50
    assert isinstance(result.network[2], Dropout)
    assert (result.history[-1].held_out_accuracy or 0) > 0.95


def test_the_order_and_the_first_draw_come_from_different_seeds() -> None:
    """NumPy takes [s, e] and [s, e, 0] for the same seed; the order and the draw of step 0 must not be correlated."""
    drawn: list[float] = []

    class Watched(Dropout):
        def draw(self, rng: np.random.Generator, shape: Any, dtype: Any = np.float64) -> Any:
            drawn.append(rng.random())
            return super().draw(rng, shape, dtype)

    layers = list(dense())
    fit(Network([*layers[:2], Watched(), layers[2]]), *moons(8, 0), epochs=2, batch_size=4, seed=5, progress=False)
    orders = [np.random.default_rng([5, epoch, 0]).random() for epoch in (0, 1)]
    assert len({*drawn, *orders}) == 6


# -------------------------------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_is_named_without_warnings(dtype: Any) -> None:
    x, labels = moons(200, 1, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FloatingPointError, match=r"epoch \d+, step \d of 4: .*dense.*Lower the rate"):
            fit(dense(dtype=dtype), x, labels, optimizer=SGD(), schedule=ConstantRate(1e30), epochs=50, progress=False)


def test_divergence_names_the_first_layer_whose_output_overflows() -> None:
    big = np.full((2, 2), 1e200)
    network = Network([Dense(np.eye(2)), Dense(big), Dense(big), Dense(np.eye(2))], ["one", "two", "three", "four"])
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 1 of 1: .*layer three is the first whose output"):
        fit(network, np.ones((3, 2)), [0, 1, 0], progress=False)


def test_divergence_names_the_first_layer_with_bad_parameters() -> None:
    network = Network([Dense(np.eye(2)), Dense(np.full((2, 2), np.nan))])
    with pytest.raises(FloatingPointError, match=r"layer dense2 is the first whose parameters .*\(dense2\.W\)"):
        fit(network, np.ones((3, 2)), [0, 1, 0], progress=False)


def test_an_update_that_is_not_finite_is_found_at_once() -> None:
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 1 of 1: its update of dense1\.W is not finite"):
        fit(dense(), *moons(10, 0), optimizer=SGD(), schedule=lambda step, total: np.inf, epochs=1, progress=False)


def test_a_loss_that_is_not_finite_by_itself() -> None:
    def loss(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        return np.nan, scores

    with pytest.raises(FloatingPointError, match="output of every layer is finite, so that it comes from the loss"):
        fit(dense(), *moons(10, 0), loss=loss, progress=False)


# ---------------------------------------------------------------------------------------------------- bad input

x10, labels10 = moons(10, 0)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"network": dense(dtype=np.float32)}, ValueError, "dtype float32, got float64; use x.astype"),
        ({"network": [Dense(np.eye(2))]}, TypeError, "fit: expected a Network"),
        ({"network": Network([ReLU()])}, ValueError, "nothing to train"),
        ({"network": Network([Dense(np.eye(3))])}, ValueError, r"layer dense1: .*got \(1, 2\)"),
        ({"x": x10.tolist()}, TypeError, "NumPy array, got list"),
        ({"x": x10[:0], "labels": labels10[:0]}, ValueError, r"one sample or more, got \(0, 2\)"),
        ({"x": np.ones(10)}, ValueError, r"\(N, ...\)"),
        ({"x": np.where(x10 == x10[3, 0], np.nan, x10)}, ValueError, "x must be finite"),
        ({"labels": labels10[:9]}, ValueError, r"each of the 10 samples, got \(9,\) int64"),
        ({"labels": labels10 * 1.0}, ValueError, " float64"),
        ({"labels": labels10 + 1}, ValueError, r"from 0 to 1, .*labels\[1\] is 2"),
        ({"held_out": x10}, TypeError, "held_out takes a pair"),
        ({"held_out": (x10, labels10 + 1)}, ValueError, r"held_out labels\[1\] is 2"),
        ({"held_out": (x10.astype(np.float32), labels10)}, ValueError, "held_out x must have the network's dtype"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 2.5}, TypeError, "epochs takes an integer, got 2.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": True}, TypeError, "seed takes an integer"),
        ({"optimizer": AdamW}, TypeError, r"such as AdamW\(\)"),
        ({"optimizer": 0.1}, TypeError, "optimizer: expected"),
        ({"schedule": 0.1}, TypeError, r"such as OneCycle\(2e-3\), got 0.1"),
        ({"schedule": OneCycle}, TypeError, "schedule takes"),
        ({"loss": "cross_entropy"}, TypeError, "loss takes a function"),
        ({"resume": True}, ValueError, "resume=True needs a checkpoint"),
    ],
)
def test_fit_refuses(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"network": dense(), "x": x10, "labels": labels10, "progress": False, **changes}
    with pytest.raises(error, match=message):
        fit(**arguments)


def test_a_network_without_scores_is_refused() -> None:
    network = Network([Conv2d(np.ones((2, 1, 3, 3)))])
    with pytest.raises(ValueError, match=r"scores \(N, K\), got one that gives \(1, 2, 2, 2\); put Flatten"):
        fit(network, np.ones((3, 1, 4, 4)), [0, 1, 0], progress=False)


# ----------------------------------------------------------------------------------------------------- progress


def test_the_bar_can_be_seen_and_silenced(capfd: pytest.CaptureFixture[str]) -> None:
    fit(dense(), x10, labels10, held_out=(x10, labels10), epochs=2, progress=False)
    assert capfd.readouterr() == ("", "")
    fit(dense(), x10, labels10, held_out=(x10, labels10), epochs=2)
    out, err = capfd.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "loss=" in err
    assert "held-out-accuracy=" in err


def test_training_without_numba_installed() -> None:
    """With NumPy's kernels nothing of Numba is imported."""
    code = (
        "import sys, numpy as np; from nnlite import Network; from nnlite.layers import Dense; "
        "from nnlite.training import fit; "
        "fit(Network([Dense(np.eye(2))]), np.eye(2), [0, 1], epochs=1, progress=False); "
        "sys.exit('numba' in sys.modules)"
    )
    environment = {**os.environ, "NNLITE_BACKEND": "numpy", "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0


# ----------------------------------------------------------------------------------------------------- compiled


@pytest.mark.parametrize("drop", [False, True])
def test_a_compiled_training_takes_the_same_steps(drop: bool) -> None:
    """With the masks of Dropouts too, which stand where the compiled program knew none."""
    network, x, labels = images(70, np.float64)
    layers = list(network)
    network = Network([*layers[:4], *([Dropout(0.5)] if drop else []), *layers[4:]], input_shape=(1, 8, 8))
    results = [
        fit(network, x, labels, held_out=(x, labels), epochs=3, batch_size=32, progress=False, compile=compile)
        for compile in (False, True)
    ]
    for one, other in zip(*[result.network.parameters.values() for result in results], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    for one, other in zip(*[result.history for result in results], strict=True):
        assert one.held_out_accuracy == other.held_out_accuracy
        assert one.loss == pytest.approx(other.loss)
