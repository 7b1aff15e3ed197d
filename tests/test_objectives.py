"""What a search climbs: every gradient against finite differences in float64, and the sums against their terms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network
from nnlite.layers import Conv2d, Dense, Flatten, LeakyReLU, MaxPool2d, ReLU, Reshape, Sigmoid, Softmax, Tanh
from nnlite.model_based.objectives import (
    LogProbability,
    Score,
    SquaredDistance,
    Through,
    drawn,
    squared_norm,
    weighted,
)
from nnlite.training.losses import softmax

numbers = np.random.default_rng(3)


def w(*shape):
    return numbers.normal(size=shape) * 0.7


NETWORK = Network(
    [
        Conv2d(w(3, 1, 3, 3), w(3)), LeakyReLU(0.1), MaxPool2d(2), Conv2d(w(2, 3, 2, 2), w(2)), Tanh(),
        Flatten(), Dense(w(2, 4), w(4)),
    ],
    input_shape=(1, 6, 6),
)  # fmt: skip
G = Network([Dense(w(3, 8), w(8)), ReLU(), Dense(w(8, 36)), Reshape((1, 6, 6)), Sigmoid()], input_shape=(3,))
X, Z = numbers.normal(size=(3, 1, 6, 6)), numbers.normal(size=(3, 3))
CENTRE = numbers.normal(size=(1, 6, 6))

OBJECTIVES = {
    "log probability": (LogProbability(NETWORK, 2), X),
    "log probability, a class each": (LogProbability(NETWORK, [3, 0, 1]), X),
    "log probability, after a softmax": (LogProbability(Network([*NETWORK, Softmax()]), 2), X),
    "score": (Score(NETWORK, [1, 2, 3]), X),
    "score, a map": (Score(NETWORK, ("conv1", 1)), X),
    "score, one place": (Score(NETWORK, ("conv2", (1, 0, 0))), X),
    "norm": (squared_norm, X),
    "distance": (SquaredDistance(CENTRE), X),
    "through g": (Through(G, LogProbability(NETWORK, 0)), Z),
    "through g, to a norm": (Through(G, squared_norm), Z),
    "general": (weighted((1, LogProbability(NETWORK, 1)), (-0.3, SquaredDistance(CENTRE))), X),
    "code space": (weighted((1, Through(G, Score(NETWORK, 2))), (-0.2, squared_norm)), Z),
    "a sum of sums": (weighted((2, weighted((1, squared_norm), (-1, Score(NETWORK, 0)))), (0.5, squared_norm)), X),
}


def difference_quotient(f, x, h=1e-6):
    g = np.zeros_like(x)
    for place in np.ndindex(*x.shape[1:]):
        up, down = x.copy(), x.copy()
        up[(slice(None), *place)] += h
        down[(slice(None), *place)] -= h
        g[(slice(None), *place)] = (f(up)[0] - f(down)[0]) / (2 * h)
    return g


@pytest.mark.parametrize(("f", "x"), OBJECTIVES.values(), ids=OBJECTIVES)
class TestEveryObjective:
    def test_its_gradient_is_the_difference_quotient(self, f, x):
        value, gradient = f(x)
        assert value.shape == (len(x),)
        assert gradient.shape == x.shape
        assert np.abs(gradient).max() > 1e-3
        np.testing.assert_allclose(gradient, difference_quotient(f, x), rtol=1e-6, atol=1e-7)

    def test_the_input_stays_as_it_was(self, f, x):
        kept = x.copy()
        f(x)
        assert np.array_equal(x, kept)

    def test_without_randomness_a_draw_is_the_objective_itself(self, f, x):
        again = drawn(f, np.random.default_rng(0))
        assert all(np.array_equal(one, other) for one, other in zip(again(x), f(x), strict=True))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), weights=st.lists(st.floats(-3, 3), min_size=3, max_size=3), c=st.integers(0, 3))
def test_a_weighted_sum_is_the_sum_of_its_weighted_terms(seed, weights, c):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(2, 3))
    terms = Through(G, LogProbability(NETWORK, c)), squared_norm, SquaredDistance(rng.normal(size=3))
    value, gradient = weighted(*zip(weights, terms, strict=True))(z)
    np.testing.assert_allclose(value, sum(a * f(z)[0] for a, f in zip(weights, terms, strict=True)), atol=1e-12)
    np.testing.assert_allclose(gradient, sum(a * f(z)[1] for a, f in zip(weights, terms, strict=True)), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 30), shift=st.floats(-100, 100))
def test_log_probability_is_the_logarithm_of_the_softmax_for_any_scores(seed, scale, shift):
    rng = np.random.default_rng(seed)
    net = Network([Dense(scale * rng.normal(size=(4, 5)), np.full(5, shift))])
    x = rng.normal(size=(3, 4))
    value, gradient = LogProbability(net, 2)(x)
    np.testing.assert_allclose(np.exp(value), softmax(net.scores(x))[:, 2], rtol=1e-9, atol=1e-300)
    assert np.isfinite(gradient).all()


def test_log_probability_neither_overflows_nor_saturates_to_an_infinity():
    net = Network([Dense(np.array([[1e4, -1e4]], np.float32))])
    value, gradient = LogProbability(net, 1)(np.ones((1, 1), np.float32))
    assert value.tolist() == [-2e4]
    assert gradient.tolist() == [[-2e4]]
    value, gradient = LogProbability(net, 0)(np.ones((1, 1), np.float32))
    assert (value.item(), gradient.item()) == (0, 0)  # p is 1: nothing is left to climb


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_the_input(dtype):
    net, g = NETWORK.astype(dtype), G.astype(dtype)
    f = weighted(
        (1, Through(g, LogProbability(net, 1))), (-0.1, squared_norm), (0.1, SquaredDistance(np.zeros(3, dtype)))
    )
    value, gradient = f(Z.astype(dtype))
    assert value.dtype == gradient.dtype == dtype


def test_a_term_of_weight_zero_is_not_computed():
    def never(_):
        raise AssertionError

    assert weighted((1, squared_norm), (0, never))(np.ones((1, 2)))[0].tolist() == [2]


def test_a_draw_reaches_through_sums_and_networks():
    class Random:
        """One that is another at each draw."""

        def __call__(self, x):
            raise AssertionError

        def draw(self, rng):
            shift = rng.normal()
            return lambda x: squared_norm(x - shift)

    f = weighted((1, Through(G, Random())), (1, squared_norm))
    one, same, other = (drawn(f, np.random.default_rng(seed))(Z)[0] for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("weight", [np.nan, np.inf, None, "1", True])
def test_a_weight_that_is_no_number_is_refused(weight):
    with pytest.raises(ValueError, match="weight must be a finite number"):
        weighted((weight, squared_norm))


@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        (LogProbability(NETWORK, 4), X, "classes from 0 to 3, got 4"),
        (LogProbability(NETWORK, [0, 1]), X, "a class for each sample"),
        (Score(NETWORK, ("conv9", 0)), X, "no layer 'conv9'"),
        (Score(NETWORK, ("conv1", 3)), X, "an index below 3"),
        (Through(G, squared_norm), X, r"x takes the shape \(N, 3\), got \(3, 1, 6, 6\)"),
        (LogProbability(NETWORK, 0), X[:, :, :5], r"\(N, 1, 6, 6\), got \(3, 1, 5, 6\)"),
        (LogProbability(NETWORK, 0), X.astype(np.float32), "computes in float64, and x is float32"),
        (LogProbability(NETWORK, 0), np.full_like(X, np.nan), "x must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(f, x, message):
    with pytest.raises(ValueError, match=message):
        f(x)


@pytest.mark.parametrize("term", [(1, "ppca"), (1, None), 2, (squared_norm,)])
def test_a_sum_takes_pairs_of_a_weight_and_an_objective(term):
    with pytest.raises(TypeError, match="weighted takes pairs of a weight and an objective"):
        weighted(term)


def test_a_centre_of_another_shape_is_refused():
    for shape in ((3,), (5, 2, 4)):  # the second would broadcast, to values for other samples
        with pytest.raises(ValueError, match="centre takes a number, an array of float64 that broadcasts"):
            SquaredDistance(np.zeros(shape))(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="centre must be finite"):
        SquaredDistance(np.full(4, np.nan))(np.zeros((2, 4)))
