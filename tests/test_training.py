"""The parts of training: losses, optimizers, schedules, backpropagation, accuracy."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network
from nnlite.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU, Softmax
from nnlite.training import (
    SGD,
    Adam,
    AdamW,
    ConstantRate,
    Cosine,
    OneCycle,
    accuracy,
    cross_entropy,
    fit,
    log_softmax,
    parameter_gradients,
    softmax,
)
from nnlite.walk import gradient_rule

# ------------------------------------------------------------------------------------------------------- losses


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 5), k=st.integers(1, 6), scale=st.sampled_from([0.1, 1.0, 20.0])
)
@settings(max_examples=50, deadline=None)
def test_cross_entropy_gradient_is_the_derivative(seed: int, n: int, k: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = scale * rng.standard_normal((n, k)), rng.integers(0, k, n)
    _, dscores = cross_entropy(scores, labels)
    h = 1e-6
    for index in np.ndindex(n, k):
        step = np.zeros((n, k))
        step[index] = h
        numeric = (cross_entropy(scores + step, labels)[0] - cross_entropy(scores - step, labels)[0]) / (2 * h)
        assert dscores[index] == pytest.approx(numeric, abs=1e-7)


def test_losses_are_their_formulas_written_out() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    loss = 0.0
    for n in range(4):
        denominator = sum(math.exp(z) for z in scores[n])
        for k in range(3):
            assert softmax(scores)[n, k] == pytest.approx(math.exp(scores[n, k]) / denominator, rel=1e-12)
            assert log_softmax(scores)[n, k] == pytest.approx(scores[n, k] - math.log(denominator), rel=1e-12)
        loss -= math.log(math.exp(scores[n, labels[n]]) / denominator) / 4
    assert cross_entropy(scores, labels)[0] == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_are_stable_for_huge_scores(dtype: type) -> None:
    scores = np.array([[1000.0, -1000.0], [-1000.0, -1000.0]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert softmax(scores).tolist() == [[1, 0], [0.5, 0.5]]
        loss, dscores = cross_entropy(scores, np.array([1, 0]))
    assert loss == pytest.approx((2000 + math.log(2)) / 2)
    assert dscores.tolist() == [[0.5, -0.5], [-0.25, 0.25]]
    assert type(loss) is float
    assert dscores.dtype == softmax(scores).dtype == log_softmax(scores).dtype == dtype


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros(3), np.zeros(3, int), r"\(N, K\).*got \(3,\) float64"),
        (np.zeros((0, 3)), np.zeros(0, int), "N and K from 1"),
        (np.zeros((2, 3), int), np.zeros(2, int), "float32 or float64"),
        ([[0.0]], np.zeros(1, int), "got list"),
        (np.zeros((2, 3)), np.zeros(3, int), r"each of the 2 samples, got \(3,\) int64"),
        (np.zeros((2, 3)), np.zeros(2), " float64"),
        (np.zeros((2, 3)), np.zeros(2, bool), " bool"),
        (np.zeros((2, 3)), np.eye(3)[:2], "argmax"),
        (np.zeros((2, 3)), np.array([0, 3]), r"from 0 to 2.*labels\[1\] is 3"),
        (np.zeros((2, 3)), np.array([-1, 0]), r"labels\[0\] is -1"),
    ],
)
def test_cross_entropy_refuses(scores: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy(scores, labels)


# --------------------------------------------------------------------------------------------------- optimizers


def steps(optimizer: Any, w: np.ndarray, gradients: list[np.ndarray], rate: float) -> np.ndarray:
    memory: dict[str, np.ndarray] = {}
    for t, g in enumerate(gradients, 1):
        w, memory = optimizer.update(w, g, memory, rate, t)
    return w


def test_sgd_by_hand() -> None:
    g = [np.array([1.0]), np.array([-3.0])]
    assert steps(SGD(), np.array([1.0]), g, 0.5).tolist() == [1 - 0.5 + 1.5]
    # v: 1, 0.5 - 3 = -2.5
    assert steps(SGD(momentum=0.5), np.array([1.0]), g, 0.5).tolist() == [1 - 0.5 + 1.25]
    # g + v / 2: 1.5, -3 - 1.25 = -4.25
    assert steps(SGD(momentum=0.5, nesterov=True), np.array([1.0]), g, 0.5).tolist() == [1 - 0.75 + 2.125]
    # g: 1 + 1 = 2 (w = 0), then -3 + 0
    assert steps(SGD(weight_decay=1.0), np.array([1.0]), g, 0.5).tolist() == [1.5]


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (SGD(momentum=0.9), [0.334, -2.0408999999999997, 3.5699]),
        (SGD(momentum=0.9, weight_decay=0.1, nesterov=True), [0.3730813805, -1.918898823, 3.5646618230000002]),
        (Adam(weight_decay=0.1), [0.3239831424043702, -1.812167895109084, 3.0108296715039566]),
        (AdamW(weight_decay=0.1), [0.3154894204691752, -1.9469681694709653, 3.0420672293505246]),
    ],
    ids=str,
)
def test_optimizers_agree_with_torch(optimizer: Any, expected: list[float]) -> None:
    """The numbers are torch 2.13's, in float64."""
    gradients = [np.array(g) for g in ([1.0, -0.1, 0.0], [0.5, 0.2, -3.0], [-2.0, 0.3, 1e-3])]
    w = steps(optimizer, np.array([0.5, -2.0, 3.0]), gradients, 0.1)
    np.testing.assert_allclose(w, expected, rtol=1e-14)


def adam_written_out(optimizer: Adam, w: float, gradients: list[float], rate: float) -> float:
    """Kingma and Ba's algorithm 1, one number at a time; Loshchilov and Hutter's line 12 for AdamW."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        decay = optimizer.weight_decay * w
        if not isinstance(optimizer, AdamW):
            g, decay = g + decay, 0.0
        m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1 - optimizer.beta2) * g**2
        m_hat, v_hat = m / (1 - optimizer.beta1**t), v / (1 - optimizer.beta2**t)
        w = w - rate * (m_hat / (math.sqrt(v_hat) + optimizer.eps) + decay)
    return w


def sgd_written_out(optimizer: SGD, w: float, gradients: list[float], rate: float) -> float:
    v = 0.0
    for t, g in enumerate(gradients, 1):
        g = g + optimizer.weight_decay * w
        v = g if t == 1 else optimizer.momentum * v + g
        w = w - rate * (g + optimizer.momentum * v if optimizer.nesterov else v)
    return w


@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([Adam, AdamW, SGD]),
    first=st.floats(0, 0.99),
    second=st.floats(0, 0.999),
    decay=st.floats(0, 1),
    nesterov=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_optimizers_are_their_formulas(
    seed: int, kind: Any, first: float, second: float, decay: float, nesterov: bool
) -> None:
    rng = np.random.default_rng(seed)
    w, gradients = rng.standard_normal((2, 3)), list(rng.standard_normal((6, 2, 3)) * 10.0 ** rng.integers(-3, 3))
    if kind is SGD:
        optimizer, written_out = SGD(first, decay, nesterov and first > 0), sgd_written_out
    else:
        optimizer, written_out = kind(first, second, 1e-6, decay), adam_written_out
    after = steps(optimizer, w, gradients, 0.05)
    for index in np.ndindex(w.shape):
        expected = written_out(optimizer, w[index], [g[index] for g in gradients], 0.05)
        assert after[index] == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "optimizer", [SGD(), SGD(0.9, 0.1), SGD(0.9, 0.1, True), Adam(), Adam(weight_decay=0.1), AdamW()], ids=str
)
def test_optimizers_keep_the_dtype_and_write_nothing(optimizer: Any, dtype: type) -> None:
    rng = np.random.default_rng(0)
    w: np.ndarray = rng.standard_normal(4).astype(dtype)
    memory: dict[str, np.ndarray] = {}
    for t in range(1, 4):
        g = rng.standard_normal(4).astype(dtype)
        for array in (w, g, *memory.values()):
            array.flags.writeable = False  # an update in place would raise
        w, memory = optimizer.update(w, g, memory, np.float64(0.1), t)
        assert all(array.dtype == dtype and array is not w for array in (w.view(), *memory.values()))
    assert not any(np.shares_memory(w, array) for array in memory.values())


def test_optimizers_are_frozen_and_say_what_they_are() -> None:
    assert repr(AdamW(weight_decay=0.05)) == "AdamW(beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.05)"
    assert AdamW() != Adam(weight_decay=0.01)
    with pytest.raises(FrozenInstanceError):
        Adam().beta1 = 0.5  # type: ignore[misc]


# ---------------------------------------------------------------------------------------------------- schedules


def test_one_cycle_agrees_with_torch() -> None:
    """The numbers are torch 2.13's OneCycleLR(max_lr=2e-3, total_steps=10)."""
    expected = [
        7.999999999999999e-05,
        0.0010400000000000001,
        0.002,
        0.0019009692640269472,
        0.001623491307899526,
        0.0012225240438725783,
        0.0007774839561274215,
        0.00037651669210047396,
        9.903873597305257e-05,
        8e-09,
    ]
    assert [OneCycle(2e-3)(step, 10) for step in range(10)] == pytest.approx(expected, rel=1e-12)


def test_cosine_agrees_with_torch() -> None:
    """The numbers are torch 2.13's CosineAnnealingLR(T_max=5, eta_min=0.1)."""
    expected = [0.5, 0.46180339887498956, 0.3618033988749896, 0.2381966011250106, 0.13819660112501056]
    assert [Cosine(0.5, final=0.1)(step, 5) for step in range(5)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 3, 10, 100])
def test_one_cycle_stays_between_its_ends(warmup: float, total: int) -> None:
    rates = [OneCycle(1.0, warmup=warmup)(step, total) for step in range(total)]
    assert all(0.04 * 1e-4 <= rate <= 1 for rate in rates)
    top = int(np.argmax(rates))
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    if 0.1 <= warmup < 1 and total == 100:
        assert rates[round(100 * warmup) - 1] == 1.0
        assert (rates[0], rates[-1]) == pytest.approx((0.04, 0.04 * 1e-4))


def test_a_schedule_refuses_a_step_that_is_not_one() -> None:
    for schedule in (ConstantRate(0.1), Cosine(0.1), OneCycle(0.1)):
        for step in (-1, 10):
            with pytest.raises(ValueError, match=f"got step {step}"):
                schedule(step, 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(momentum=1.0), "SGD: momentum takes a number from 0 up to, but not, 1, got 1.0"),
        (lambda: SGD(momentum=-0.1), "momentum"),
        (lambda: SGD(weight_decay=-1.0), "weight_decay takes a finite number from 0"),
        (lambda: SGD(nesterov=True), "needs a momentum"),
        (lambda: Adam(beta1=1.0), "Adam: beta1"),
        (lambda: AdamW(beta2=math.nan), "AdamW: beta2"),
        (lambda: Adam(eps=-1e-8), "eps"),
        (lambda: AdamW(weight_decay=math.inf), "weight_decay"),
        (lambda: ConstantRate(0.0), "above 0, got 0.0"),
        (lambda: ConstantRate(math.nan), "rate"),
        (lambda: Cosine(-1.0), "Cosine: rate"),
        (lambda: Cosine(1.0, final=-1.0), "final"),
        (lambda: OneCycle(math.inf), "OneCycle: rate"),
        (lambda: OneCycle(1.0, warmup=1.1), "0 to 1, got 1.1"),
        (lambda: OneCycle(1.0, start=0.0), "start"),
        (lambda: OneCycle(1.0, final=0.0), "final"),
    ],
)
def test_numbers_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------------------- backpropagation and accuracy


class Untouched(Dense):
    """A layer whose backward must not be called."""

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        raise AssertionError("nobody needs this signal")


def test_parameter_gradients_of_two_layers_by_hand() -> None:
    """L = Σ v · (W₂ᵀ max(0, W₁ᵀ x)): the two products of the chain rule, written out."""
    rng = np.random.default_rng(0)
    W1, W2, x, v = (rng.standard_normal(shape) for shape in ((3, 4), (4, 2), (5, 3), (5, 2)))
    network = Network([Dense(W1, np.zeros(4)), ReLU(), Dense(W2)])
    gradients = parameter_gradients(network, network.forward(x), v)
    hidden = x @ W1
    above = (v @ W2.T) * (hidden > 0)
    assert list(gradients) == ["dense1.W", "dense1.b", "dense2.W"]
    np.testing.assert_allclose(gradients["dense2.W"], np.maximum(hidden, 0).T @ v, rtol=1e-12)
    np.testing.assert_allclose(gradients["dense1.W"], x.T @ above, rtol=1e-12)
    np.testing.assert_allclose(gradients["dense1.b"], above.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("pool", [MaxPool2d(2), MaxPool2d(3, stride=2, padding=1)])
def test_the_gate_above_a_max_pooling_changes_no_bit(pool: MaxPool2d) -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((3, 2, 3, 3))
    network = Network([Conv2d(W, rng.standard_normal(3)), ReLU(), pool, Flatten()])
    x = rng.integers(-1, 2, (4, 2, 8, 8)).astype(float)  # with ties
    a = network.forward(x)
    dz = rng.standard_normal(a[-1].shape)
    signals = network[1:].walk_back(a[1:], dz, [gradient_rule] * 3)
    expected = network[0].gradients(x, signals[0])
    found = parameter_gradients(network, a, dz)
    assert np.array_equal(found["conv1.W"], expected["W"])
    assert np.array_equal(found["conv1.b"], expected["b"])
    with pytest.raises(ValueError, match="the signal above must be"):
        parameter_gradients(network[:3], a[:4], dz)


def test_no_signal_goes_below_the_lowest_parameters() -> None:
    network = Network([Flatten(), Untouched(np.eye(4)), ReLU()])
    a = network.forward(np.ones((1, 2, 2)))
    assert list(parameter_gradients(network, a, a[-1])) == ["untouched1.W"]


def test_without_parameters_there_are_no_gradients() -> None:
    assert parameter_gradients(Network([ReLU()]), [np.ones((1, 2))] * 2, np.ones((1, 2))) == {}


def test_parameter_gradients_needs_all_activations() -> None:
    with pytest.raises(ValueError, match=re.escape("2 activations, got 1; give forward(x)")):
        parameter_gradients(Network([Dense(np.eye(2))]), [np.ones((1, 2))], np.ones((1, 2)))


def test_accuracy_over_several_blocks() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((2500, 3)), rng.integers(0, 3, 2500)
    network = Network([Dense(np.eye(3)), Softmax()])
    assert accuracy(network, x, labels) == np.mean(x.argmax(axis=1) == labels)


def test_accuracy_refuses() -> None:
    network = Network([Dense(np.eye(2))])
    with pytest.raises(ValueError, match="one sample or more"):
        accuracy(network, np.zeros((0, 2)), np.zeros(0, int))
    with pytest.raises(ValueError, match="one integer for each of the 2 samples"):
        accuracy(network, np.zeros((2, 2)), np.zeros(3, int))
    with pytest.raises(FloatingPointError, match="sample 1001"):
        accuracy(network, np.vstack([np.zeros((1001, 2)), [[0, np.nan]]]), np.zeros(1002, int))


@pytest.mark.parametrize("given", [None, Network, [Dense(np.eye(2))]])
def test_what_trains_and_measures_takes_a_network(given) -> None:
    x, labels = np.eye(2), np.array([0, 1])
    for call in (
        lambda: accuracy(given, x, labels),
        lambda: fit(given, x, labels, progress=False),
        lambda: parameter_gradients(given, [x, x], x),
    ):
        with pytest.raises(TypeError, match="expected a Network, got"):
            call()
