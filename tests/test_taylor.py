"""Simple and deep Taylor decomposition: the search, the expansion, what the first order leaves out, conservation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import lrp
from nnlite.decision_based.lrp import elementwise
from nnlite.decision_based.taylor import deep_taylor, simple_taylor
from nnlite.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)

numbers = np.random.default_rng(43)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


NETWORKS: dict[str, Network] = {
    "stride, padding, groups, overlapping pools": Network(
        [Conv2d(w(4, 2, 3, 3), w(4), stride=2, padding=1), ReLU(), MaxPool2d(2, stride=1),
         Conv2d(w(6, 2, 2, 2), w(6), groups=2), ReLU(), MaxPool2d(2, stride=1, padding=1), Flatten(),
         Dense(w(54, 5), w(5)), ReLU(), Dense(w(5, 3), w(3))],
        input_shape=(2, 7, 7),
    ),
    "batchnorm, leaky, average": Network(
        [Conv2d(w(3, 2, 3, 3), dilation=2), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), LeakyReLU(0.1),
         AvgPool2d(2, stride=1), Conv2d(w(4, 3, 1, 1), w(4)), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(4, 3), w(3))],
        input_shape=(2, 7, 7),
    ),
    "smooth": Network(
        [Dense(w(5, 6), w(6)), Tanh(), Dense(w(6, 4), w(4)), Sigmoid(), Dense(w(4, 3))], input_shape=(5,)
    ),
    "no biases": Network(
        [Conv2d(w(3, 2, 3, 3)), ReLU(), MaxPool2d(2), Flatten(), Dense(w(12, 4)), ReLU(), Dense(w(4, 3))],
        input_shape=(2, 7, 7),
    ),
    "dense, through a single neuron": Network(
        [Dense(w(5, 4), w(4)), ReLU(), Dense(w(4, 1), w(1) + 1), ReLU(), Dense(w(1, 3), w(3))], input_shape=(5,)
    ),
    "one pixel": Network(
        [Conv2d(w(3, 1, 1, 1), w(3)), ReLU(), Flatten(), Dense(w(3, 3), w(3))], input_shape=(1, 1, 1)
    ),
}  # fmt: skip
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def inputs(network: Network, n: int = 4) -> np.ndarray:
    return np.random.default_rng(4).random((n, *(network.input_shape or ()))) + 0.1


def total(R: np.ndarray) -> np.ndarray:
    return R.reshape(len(R), -1).sum(axis=1)


# ---------------------------------------------------------------------------------------- simple, by plain loops


def slow(network: Network, x: np.ndarray, c: int, end: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """R, the root, and whether it is one, for one sample: the walk along the segment, and difference quotients."""

    def f(point: np.ndarray) -> float:
        return network.scores(point[None])[0, c]

    near, best, found = x, x, False
    for step in range(1, steps + 1):
        far = x + step / steps * (end - x)
        if f(far) * np.sign(f(x)) <= 0:
            found = True
            break
        near = far
        if abs(f(far)) < abs(f(best)):
            best = far
    if found:
        for _ in range(60):
            middle = (near + far) / 2
            if f(middle) * np.sign(f(x)) > 0:
                near = middle
            else:
                far = middle
        best = near
    R = np.zeros(x.shape)
    h = 1e-6
    for place in np.ndindex(*x.shape):
        up, down = best.copy(), best.copy()
        up[place] += h
        down[place] -= h
        R[place] = (x[place] - best[place]) * (f(up) - f(down)) / (2 * h)
    return R, best, found


@each_network
@pytest.mark.parametrize("brightness", [0.0, 1.5])
def test_simple_taylor_is_the_slow_form(network: Network, brightness: float) -> None:
    x = inputs(network, 2)
    # Not one grey: on it all places of a pool tie, and a difference quotient would straddle the kink.
    toward = brightness + 0.2 * np.random.default_rng(1).random(x.shape)
    for c in range(3):
        at = simple_taylor(network, x, c, toward=toward, steps=7)
        for n in range(2):
            R, root, found = slow(network, x[n], c, toward[n], 7)
            assert at.found[n] == found
            np.testing.assert_allclose(at.root[n], root, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(at.R[n], R, rtol=0, atol=1e-8 * max(1, np.abs(R).sum()))


@each_network
def test_the_expansion_holds_exactly(network: Network) -> None:
    x = inputs(network)
    f = network.scores(x)
    for c in range(3):
        at = simple_taylor(network, x, c)
        np.testing.assert_allclose(at.f_root + total(at.R) + at.remainder, f[:, c], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(network.scores(at.root)[:, c], at.f_root, rtol=1e-12, atol=1e-14)
        largest = np.abs(f[:, c]).max()
        assert (np.abs(at.f_root[at.found]) <= 1e-12 * largest).all()
        # and where nothing was found f keeps its sign at each of the 101 points
        for n in np.flatnonzero(~at.found):
            line = network.scores(np.linspace(0, 1, 101).reshape(-1, *(1,) * (x.ndim - 1)) * x[n])[:, c]
            assert (line * np.sign(f[n, c]) > 0).all()
            np.testing.assert_allclose(np.abs(line).min(), np.abs(at.f_root[n]), rtol=1e-12)
        for values in (at.R, at.root, at.f_root, at.remainder):
            assert np.isfinite(values).all()


def test_both_outcomes_occur_among_these_networks() -> None:
    found = [simple_taylor(network, inputs(network), c).found for network in NETWORKS.values() for c in range(3)]
    assert 10 < np.sum(found) < np.size(found) - 10


class TestTheLaw:
    """Σ R = f(x) where f is linear from x̃ to x."""

    def test_on_a_linear_network(self) -> None:
        network = Network([Flatten(), Dense(w(8, 4), w(4)), Dense(w(4, 2), w(2) - 3)])
        x = np.random.default_rng(0).random((5, 2, 2, 2))
        f = network.scores(x)
        for c in range(2):
            g = (network[1].W @ network[2].W)[:, c].reshape(2, 2, 2)
            toward = x - 3 * f[:, c, None, None, None] * g / (g**2).sum()  # the root lies a third of the way there
            at = simple_taylor(network, x, c, toward=toward)
            assert at.found.all()
            np.testing.assert_allclose(at.root, x + (toward - x) / 3, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(total(at.R), f[:, c], rtol=1e-10)
            np.testing.assert_allclose(at.remainder, 0, atol=1e-12 * np.abs(f).max())

    def test_without_biases_the_region_reaches_to_black(self) -> None:
        network = NETWORKS["no biases"]
        x = inputs(network)
        f = network.scores(x)
        for c in range(3):
            at = simple_taylor(network, x, c)
            assert at.found.all()
            np.testing.assert_allclose(total(at.R), f[:, c], rtol=1e-9)
            np.testing.assert_allclose(at.R, lrp.relevance(network, x, c, rules=lrp.zero()), rtol=1e-8, atol=1e-12)

    def test_in_a_shared_region_and_not_across_a_kink(self) -> None:
        # f = relu(x1) + relu(x1 - 2) - 1: from x1 = 3 the root x1 = 1 lies beyond the kink at 2, from 1.5 it does not.
        network = Network(
            [Dense(np.array([[1.0, 1.0]]), np.array([0.0, -2.0])), ReLU(), Dense(np.ones((2, 1)), np.array([-1.0]))]
        )
        at = simple_taylor(network, np.array([[1.5], [3.0]]))
        np.testing.assert_allclose(at.root, [[1], [1]], rtol=1e-12)
        np.testing.assert_allclose(at.R, [[0.5], [2.0]], rtol=1e-12)
        np.testing.assert_allclose(at.remainder, [0, 3 - 0 - 2], atol=1e-12)

    def test_at_a_kink_the_gradient_is_of_x_s_side(self) -> None:
        network = Network([Dense(np.array([[2.0]]), np.array([-1.0])), ReLU()])  # f = relu(2x - 1)
        at = simple_taylor(network, np.array([[1.5]]))
        np.testing.assert_allclose(at.root, [[0.5]], rtol=1e-12)
        np.testing.assert_allclose(at.R, [[2.0]], rtol=1e-12)


class TestTheSearch:
    PARABOLA_LIKE = Network([  # f = relu(x - 2) + relu(1 - x) - 1/4: roots at 3/4 and 9/4
        Dense(np.array([[1.0, -1.0]]), np.array([-2.0, 1.0])), ReLU(), Dense(np.ones((2, 1)), np.array([-0.25]))
    ])  # fmt: skip

    def test_the_nearest_of_several_roots(self) -> None:
        at = simple_taylor(self.PARABOLA_LIKE, np.array([[3.0]]))
        np.testing.assert_allclose(at.root, [[2.25]], rtol=1e-12)
        assert at.found.all()

    def test_a_root_within_one_step_is_not_seen(self) -> None:
        x = np.array([[3.0]])
        assert not simple_taylor(self.PARABOLA_LIKE, x, steps=1).found.any()

    def test_from_below_zero_too(self) -> None:
        at = simple_taylor(self.PARABOLA_LIKE, np.array([[1.5]]))
        assert self.PARABOLA_LIKE.scores(np.array([[1.5]])) < 0
        np.testing.assert_allclose(at.root, [[0.75]], rtol=1e-12)
        assert (at.f_root <= 0).all()

    def test_x_itself_where_it_is_a_root(self) -> None:
        network = Network([Dense(np.array([[1.0], [-1.0]]))])
        at = simple_taylor(network, np.array([[2.0, 2.0]]))
        assert at.found.tolist() == [True]
        assert at.root.tolist() == [[2, 2]]
        assert at.R.tolist() == [[0, 0]]
        assert at.remainder.tolist() == [0]

    def test_without_a_root_the_point_of_the_smallest_score(self) -> None:
        network = Network([  # f = |x - 1| + 1, the smallest at x = 1, just where no step of 7 lies
            Dense(np.array([[1.0, -1.0]]), np.array([-1.0, 1.0])), ReLU(), Dense(np.ones((2, 1)), np.array([1.0]))
        ])  # fmt: skip
        at = simple_taylor(network, np.array([[3.0]]), steps=7)
        assert at.found.tolist() == [False]
        np.testing.assert_allclose(at.root, [[3 * 2 / 7]], rtol=1e-14)
        np.testing.assert_allclose(at.f_root, [2 - 6 / 7], rtol=1e-14)
        np.testing.assert_allclose(at.R, [[-(3 - 6 / 7)]], rtol=1e-14)

    def test_the_class_predicted_at_x_is_explained_all_along(self) -> None:
        # f = (x - 1, 1.5 - x): class 0 at x = 3 and class 1 below 1.25, before f_0 comes to its root at 1.
        network = Network([Dense(np.array([[1.0, -1.0]]), np.array([-1.0, 1.5]))])
        at = simple_taylor(network, np.array([[3.0]]))
        np.testing.assert_allclose(at.root, [[1.0]], rtol=1e-12)
        np.testing.assert_allclose(at.R, [[2.0]], rtol=1e-12)

    def test_of_equal_ones_the_nearest(self) -> None:
        network = Network([Dense(np.zeros((1, 1)), np.array([2.0]))])
        at = simple_taylor(network, np.array([[3.0]]))
        assert at.root.tolist() == [[3]]
        assert not at.found.any()

    def test_toward_a_point_for_each_sample_for_all_or_a_number(self) -> None:
        network = NETWORKS["smooth"]
        x = inputs(network)
        ends = np.random.default_rng(9).normal(size=x.shape) * 3
        together = simple_taylor(network, x, 0, toward=ends)
        for n in range(len(x)):
            alone = simple_taylor(network, x[n : n + 1], 0, toward=ends[n])
            np.testing.assert_allclose(together.R[n], alone.R[0], rtol=1e-9, atol=1e-12)
        number = simple_taylor(network, x, 0, toward=2)
        assert np.array_equal(number.R, simple_taylor(network, x, 0, toward=np.full(5, 2.0)).R)


def test_the_steps_of_the_search_run_together():
    runs = []

    class Counted(Dense):
        def forward(self, a):
            runs.append(len(a))
            return super().forward(a)

    simple_taylor(Network([Counted(np.array([[3.0], [-1.0]]), np.array([-2.0]))]), np.array([[2.0, 1.0]]), steps=100)
    assert 101 in runs
    assert len(runs) < 60  # 52 of them are the bisection's


@each_network
class TestSimpleOnEveryNetwork:
    def test_a_batch_is_its_samples_one_at_a_time(self, network: Network) -> None:
        x, classes = inputs(network), [0, 1, 2, 0]
        kept = x.copy()
        together = simple_taylor(network, x, classes)
        assert np.array_equal(together.R, simple_taylor(network, x, classes).R)
        assert np.array_equal(x, kept)
        for n, c in enumerate(classes):
            alone = simple_taylor(network, x[n : n + 1], c)
            assert alone.found[0] == together.found[n]
            for name in ("R", "root", "f_root", "remainder"):
                expected = getattr(alone, name)[0]
                np.testing.assert_allclose(getattr(together, name)[n], expected, rtol=1e-10, atol=1e-10)

    def test_dtype_softmax_and_a_batch_of_none(self, network: Network) -> None:
        x = inputs(network)
        exact = simple_taylor(network, x)
        single = simple_taylor(network.astype(np.float32), x.astype(np.float32))
        for name in ("R", "root", "f_root", "remainder"):
            assert getattr(single, name).dtype == np.float32
            assert getattr(exact, name).dtype == np.float64
        assert np.array_equal(single.found, exact.found)
        np.testing.assert_allclose(single.root, exact.root, rtol=1e-3, atol=1e-4)
        assert np.array_equal(simple_taylor(Network([*network, Softmax()]), x).R, exact.R)
        assert simple_taylor(network, x[:0]).R.shape == x[:0].shape

    def test_toward_a_neuron(self, network: Network) -> None:
        x = inputs(network)
        part = network[:1]
        at = simple_taylor(network, x, (network.names[0], 0))
        score = part.forward(x)[-1][:, 0].reshape(len(x), -1).sum(axis=1)
        np.testing.assert_allclose(at.f_root + total(at.R), score, rtol=1e-10)  # one linear layer
        np.testing.assert_allclose(at.remainder, 0, atol=1e-12)


# ---------------------------------------------------------------------------------------- deep


DEEP: dict[str, Network] = {
    name: network for name, network in NETWORKS.items() if name not in ("smooth", "batchnorm, leaky, average")
} | {
    "batchnorm, average": Network(
        [Conv2d(w(3, 2, 3, 3)), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), ReLU(), AvgPool2d(2, stride=1),
         Conv2d(w(4, 3, 1, 1), w(4)), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(4, 3), w(3))],
        input_shape=(2, 7, 7),
    ),
    "one layer": Network([Flatten(), Dense(w(8, 3), w(3))], input_shape=(2, 2, 2)),
}  # fmt: skip
each_deep = pytest.mark.parametrize("network", DEEP.values(), ids=DEEP)
BOUNDS: list[dict[str, Any]] = [{}, {"low": -1.0, "high": 2.0}, {"low": None, "high": None}]


def slow_deep(network: Network, x: np.ndarray, c: int, low: Any = 0.0, high: Any = 1.0) -> np.ndarray:
    """Deep Taylor, layer by layer, every linear one by the plain loops of its rule."""
    network = network.merged()
    pixels = lrp.w_squared() if low is None else lrp.z_bounds(low, high)
    a = network.forward(x)
    R = a[-1] * np.eye(3)[c]
    first = min(i for i, layer in enumerate(network) if hasattr(layer, "W"))
    for i in range(len(network) - 1, -1, -1):
        layer = network[i]
        if hasattr(layer, "W"):
            R = elementwise.relevance(pixels if i == first else lrp.z_plus(), layer, a[i], R)
        elif isinstance(layer, (AvgPool2d, GlobalAvgPool)):
            R = elementwise.relevance(lrp.zero(), layer, a[i], R)
        elif isinstance(layer, MaxPool2d):
            R = layer.backward(a[i], R)
        else:
            R = R.reshape(a[i].shape)
    return R


def pixels(network: Network, n: int = 3) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 4, size=(n, *(network.input_shape or ()))) / 3.0


@each_deep
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
class TestDeep:
    def test_it_is_the_slow_form(self, network: Network, bounds: dict[str, Any]) -> None:
        x = pixels(network)
        for c in range(3):
            R, expected = deep_taylor(network, x, c, **bounds), slow_deep(network, x, c, **bounds)
            assert np.abs(R - expected).max() <= 1e-10 * max(np.abs(expected).sum(), 1e-300)

    def test_it_conserves_the_score_but_for_what_the_ledger_drops(
        self, network: Network, bounds: dict[str, Any]
    ) -> None:
        x = pixels(network)
        rule = lrp.w_squared() if "low" in bounds and bounds["low"] is None else lrp.z_bounds(*bounds.values())
        rules = lrp.Composite(first=rule, convolution=lrp.z_plus(), dense=lrp.z_plus())
        books = lrp.ledger(network, x, 0, rules=rules)
        R = deep_taylor(network, x, 0, **bounds)
        f = network.scores(x)[:, 0]
        np.testing.assert_allclose(total(R) + books.total("dropped"), f, rtol=1e-10)
        np.testing.assert_allclose(books.total("bias"), 0, atol=1e-12)

    def test_batch_dtype_and_unchanged_input(self, network: Network, bounds: dict[str, Any]) -> None:
        x = pixels(network)
        kept = x.copy()
        together = deep_taylor(network, x, [2, 0, 1], **bounds)
        assert np.array_equal(x, kept)
        for n, c in enumerate([2, 0, 1]):
            alone = deep_taylor(network, x[n : n + 1], c, **bounds)
            assert np.abs(together[n] - alone[0]).max() <= 1e-10 * max(np.abs(alone).sum(), 1e-300)
        single = deep_taylor(network.astype(np.float32), x.astype(np.float32), [2, 0, 1], **bounds)
        assert single.dtype == np.float32
        assert np.abs(single - together).max() <= 1e-4 * np.abs(together).sum()
        assert np.array_equal(deep_taylor(network, x, **bounds), deep_taylor(network, x, network.predict(x), **bounds))


def test_deep_taylor_sums_to_the_score_and_is_positive_where_every_neuron_is_reached() -> None:
    network = Network(
        [Conv2d(w(4, 2, 3, 3), np.full(4, 2.0)), ReLU(), AvgPool2d(5), Flatten(), Dense(w(4, 5), np.full(5, 2.0)),
         ReLU(), Dense(np.abs(w(5, 3)))]
    )  # fmt: skip
    x = np.random.default_rng(0).random((4, 2, 7, 7))
    for bounds in BOUNDS:
        R = deep_taylor(network, x, 1, **bounds)
        np.testing.assert_allclose(total(R), network.scores(x)[:, 1], rtol=1e-12)
        assert (R >= 0).all()


def test_deep_taylor_toward_a_neuron() -> None:
    network = DEEP["stride, padding, groups, overlapping pools"]
    x = pixels(network)
    R = deep_taylor(network, x, ("conv1", (2, 1, 1)))
    expected = elementwise.relevance(
        lrp.z_bounds(0, 1), network[0], x, network[:1].forward(x)[1] * np.eye(4)[2][:, None, None] * _at(1, 1)
    )
    np.testing.assert_allclose(R, expected, rtol=1e-10, atol=1e-12)


def _at(row: int, column: int) -> np.ndarray:
    only = np.zeros((4, 4))
    only[row, column] = 1
    return only


# ---------------------------------------------------------------------------------------- bad input

IMAGES = NETWORKS["stride, padding, groups, overlapping pools"]
LEAKY = Network([Conv2d(-np.ones((1, 2, 7, 7))), LeakyReLU(0.1), Flatten(), Dense(w(1, 3))])
GOOD = np.ones((2, 2, 7, 7))


@pytest.mark.parametrize("method", [simple_taylor, deep_taylor])
@pytest.mark.parametrize(
    ("x", "target", "kind", "message"),
    [
        (GOOD[0], None, ValueError, r"takes the shape \(N, 2, 7, 7\), .* Add the batch axis"),
        (GOOD.astype(int), None, ValueError, "x takes float64 values, got int64"),
        (GOOD.astype(np.float32), None, ValueError, "computes in float64, and x is float32"),
        (GOOD * np.nan, None, ValueError, r"x must be finite, and x\[0, 0, 0, 0\] is nan"),
        (GOOD.tolist(), None, TypeError, "NumPy array"),
        (GOOD, 3, ValueError, "classes from 0 to 2, got 3"),
        (GOOD, ("conv9", 0), ValueError, "There is no layer 'conv9'"),
    ],
)
def test_bad_input_is_refused(method: Any, x: Any, target: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        method(IMAGES, x, target)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps takes a positive integer, got 0"),
        ({"steps": 2.5}, r"steps takes a positive integer, got 2\.5"),
        ({"steps": True}, "steps takes a positive integer, got True"),
        ({"toward": np.nan}, "toward must be finite in float64, got nan"),
        ({"toward": "black"}, "toward takes a number, .* got 'black'"),
        ({"toward": np.zeros((2, 7, 7), np.float32)}, "toward takes an array of float64, as x is, got float32"),
        ({"toward": np.zeros((3, 7, 7))}, r"one input \(2, 7, 7\), .* got \(3, 7, 7\)"),
        ({"toward": np.zeros((5, 2, 7, 7))}, r"each sample \(2, 2, 7, 7\); got \(5, 2, 7, 7\)"),
    ],
)
def test_a_search_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simple_taylor(IMAGES, GOOD, **options)


@pytest.mark.parametrize(
    ("network", "x", "options", "message"),
    [
        (IMAGES, GOOD, {"low": None}, r"two bounds or none; got low = None and high = 1\.0"),
        (IMAGES, GOOD, {"high": None}, "two bounds or none"),
        (IMAGES, GOOD, {"low": 1.0, "high": 0.0}, "low < high"),
        (IMAGES, 2 * GOOD, {}, r"takes inputs in \[0\.0, 1\.0\], got 2\.0 to 2\.0"),
        (LEAKY, GOOD, {}, "z_plus needs inputs ≥ 0"),
    ],
)
def test_what_deep_taylor_cannot_divide_is_refused(
    network: Network, x: np.ndarray, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        deep_taylor(network, x, **options)
