"""The gradient check passes what is right, and fails what is wrong in any way that people get it wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnlite import Network, kernels
from nnlite.layers import (
    BatchNorm,
    BatchNormInTraining,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from nnlite.layers.layer import Layer
from nnlite.training import gradient_check

rng = np.random.default_rng(7)
W, b, x = rng.standard_normal((4, 4)), rng.standard_normal(4), rng.standard_normal((5, 4))


@pytest.mark.parametrize(
    "layer",
    [
        Dense(W, b),
        Dense(W),
        ReLU(),
        LeakyReLU(0.1),
        Tanh(),
        Sigmoid(),
        Softmax(),
        Dropout(0.5),
        BatchNorm(b, b, b, b**2),
        BatchNormInTraining(b, b),
        Conv2d(W.reshape(4, 1, 2, 2), b, stride=2, padding=1),
    ],
    ids=repr,
)
def test_right_layers_pass(layer: Layer) -> None:
    a = x if not isinstance(layer, Conv2d) else rng.standard_normal((2, 1, 5, 5))
    assert gradient_check(layer, a) < 1e-7


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_whole_network_passes(backend: str) -> None:
    kernels.use(backend)
    draw = np.random.default_rng(0)
    network = Network(
        [
            Conv2d(draw.standard_normal((3, 1, 3, 3)), draw.standard_normal(3)),
            BatchNorm(*draw.random((4, 3))),
            ReLU(),
            MaxPool2d(2),
            Flatten(),
            Dropout(0.3),
            Dense(draw.standard_normal((27, 4)), draw.standard_normal(4)),
            Softmax(),
        ]
    )
    a = draw.standard_normal((3, 1, 8, 8))
    assert gradient_check(network, a) < 1e-7
    assert gradient_check(network.sample(draw, a.shape), a) < 1e-7


class WrongSign(Dense):
    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return -super().backward(a, dz)


class NotTransposed(Dense):
    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return dz @ self.W


class OneElementWrong(Dense):
    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        da = super().backward(a, dz)
        da[-1, -1] *= 1 + 1e-4
        return da


class NotANumber(Dense):
    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return np.full_like(a, np.nan)


class Gradients(Dense):
    """A Dense whose `gradients` is changed by `change`."""

    change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        return type(self).change(super().gradients(a, dz))


def changed(change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> type[Gradients]:
    return type("Changed", (Gradients,), {"change": staticmethod(change)})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (WrongSign, "gradient in the input is wrong"),
        (NotTransposed, "gradient in the input is wrong"),
        (OneElementWrong, r"gradient in the input is wrong at index \(4, 3\)"),
        (NotANumber, "gives nan"),
        (changed(lambda g: {**g, "b": g["b"] / 5}), r"in changed1.b is wrong at index \(\d,\)"),
        (changed(lambda g: {**g, "b": np.zeros(4)}), "in changed1.b is wrong.*gives 0, differences"),
        (changed(lambda g: {**g, "b": g["b"][::-1]}), "in changed1.b is wrong"),
        (changed(lambda g: {**g, "b": g["b"][None]}), r"in changed1.b must have its shape \(4,\), got \(1, 4\)"),
        (changed(lambda g: {**g, "W": g["W"].T}), r"in changed1.W is wrong at index \(\d, \d\)"),
        (changed(lambda g: {**g, "W": -g["W"]}), "in changed1.W is wrong"),
        (changed(lambda g: {**g, "W": g["W"] * (1 + 1e-5)}), "in changed1.W is wrong"),
        (changed(lambda g: {"W": g["W"]}), "no gradient in changed1.b"),
    ],
)
def test_wrong_layers_fail(kind: type[Dense], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradient_check(kind(W, b), x)
    with pytest.raises(ValueError, match=message):
        gradient_check(Network([kind(W, b), Tanh()]), x)


def test_a_forward_that_disagrees_fails() -> None:
    class Forgetful(Dense):
        def forward(self, a: np.ndarray) -> np.ndarray:
            return np.tanh(a @ self.W)

    with pytest.raises(ValueError, match="the input is wrong"):
        gradient_check(Forgetful(W, b), x)


def test_a_wrong_layer_within_a_network_is_found_by_name() -> None:
    wrong = changed(lambda g: {**g, "b": 2 * g["b"]})
    network = Network([Dense(W, b), Tanh(), wrong(W, b), Tanh(), Dense(W, b)], ["a", "b", "c", "d", "e"])
    with pytest.raises(ValueError, match=r"in c\.b is wrong"):
        gradient_check(network, x)


def test_at_a_kink_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="the input is wrong"):
        gradient_check(ReLU(), np.zeros((2, 2)))


def test_elements_bounds_the_work_and_rng_chooses() -> None:
    calls = 0

    class Counting(Dense):
        def forward(self, a: np.ndarray) -> np.ndarray:
            nonlocal calls
            calls += 1
            return super().forward(a)

    gradient_check(Counting(W, b), x, elements=3)
    assert calls == 1 + 2 * 3 * 3  # two differences for three elements of input, W and b
    everything = gradient_check(Dense(W, b), x, rng=np.random.default_rng(1))
    assert everything == gradient_check(Dense(W, b), x, rng=np.random.default_rng(1))
    assert everything != gradient_check(Dense(W, b), x, rng=np.random.default_rng(2))


def test_the_input_is_left_alone() -> None:
    before, a = x.copy(), x.copy()
    a.flags.writeable = False
    gradient_check(Dense(W, b), a)
    assert (a == before).all()


@pytest.mark.parametrize(
    ("layer", "a", "message"),
    [
        (Dense(W.astype(np.float32)), x.astype(np.float32), r"dense1 is float32.*astype\(np.float64\)"),
        (ReLU(), x.astype(np.float32), "the input is float32"),
        (Network([ReLU(), Dense(W.astype(np.float32))], ["r", "top"]), x, "top is float32"),
        (ReLU(), [[1.0]], "the input is list"),
    ],
)
def test_float32_is_refused(layer: Any, a: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradient_check(layer, a)


@pytest.mark.parametrize("numbers", [{"step": 0.0}, {"step": np.nan}, {"elements": 0}])
def test_a_check_that_checks_nothing_is_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"gradient_check: (step|elements)"):
        gradient_check(Dense(W, b), x, **numbers)
