"""Inversion: exact gradients, the image found where it can be, and what cannot be inverted."""

import numpy as np
import pytest

from nnlite import Network, datasets, models
from nnlite.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from nnlite.model_based.inversion import PowerNorm, RelativeDistance, invert
from nnlite.model_based.objectives import Through, weighted
from nnlite.model_based.penalties import TotalVariation


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def small():
    layers = [Conv2d(numbers(4, 1, 3, 3), numbers(4)), ReLU(), MaxPool2d(2), Flatten(), Dense(numbers(64, 5))]
    return Network(layers, input_shape=(1, 10, 10))


@pytest.fixture(scope="module")
def fours():
    return datasets.strokes(2, seed=1, labels=[4, 7])[0]


# ------------------------------------------------------------------------------------------------------- gradients


def against_differences(f, x, tolerance=1e-6, h=1e-6):
    gradient = f(x)[1]
    assert gradient.shape == x.shape
    for seed in range(5):
        direction = numbers(*x.shape, seed=10 + seed)
        slope = (f(x + h * direction)[0] - f(x - h * direction)[0]) / (2 * h)
        analytic = (gradient * direction).reshape(len(x), -1).sum(axis=1)
        assert np.allclose(analytic, slope, rtol=tolerance, atol=tolerance)


def test_the_gradient_of_the_relative_distance():
    against_differences(RelativeDistance(numbers(3, 2, 4, 4)), numbers(3, 2, 4, 4, seed=1))


@pytest.mark.parametrize("alpha", [1.5, 2, 6, 10])
def test_the_gradient_of_the_power_norm(alpha):
    against_differences(PowerNorm(alpha), numbers(3, 1, 4, 4), 1e-5)


def test_the_gradient_of_all_of_it(small):
    x0, x = np.random.default_rng(0).random((2, 2, 1, 10, 10))
    a0 = small[:3].forward(x0)[-1]
    terms = (-1, Through(small[:3], RelativeDistance(a0))), (-0.1, PowerNorm(6)), (-0.01, TotalVariation(2))
    against_differences(weighted(*terms), x, 1e-5)


def test_the_values():
    a0 = np.array([[3.0, 4.0], [1.0, 0.0]])
    assert np.allclose(RelativeDistance(a0)(a0)[0], 0)
    assert np.allclose(RelativeDistance(a0)(np.zeros((2, 2)))[0], 1)  # of an image that says nothing
    assert np.allclose(RelativeDistance(a0)(3 * a0)[0], 4)
    assert PowerNorm(6)(np.array([[-1.0, 2.0]]))[0] == 65


# ---------------------------------------------------------------------------------------------------------- found


def test_an_invertible_layer_gives_the_image_back():
    """A convolution whose matrix is regular forgets nothing: without penalties the image itself is found."""
    W = np.zeros((1, 1, 3, 3))
    W[0, 0, 1, 1], W[0, 0, 0, 1] = 2, 0.5
    network = Network([Conv2d(W, padding=1)], input_shape=(1, 8, 8))
    x0 = np.random.default_rng(3).random((2, 1, 8, 8))
    found = invert(network, x0, "conv1", lambda_tv=0, steps=400, rate=0.02)
    assert found.error.max() < 1e-6
    assert np.abs(found.x - x0).max() < 2e-3


def test_it_matches_the_layer_and_says_how_well(fours):
    network = models.load("lenet")
    found = invert(network, fours, "pool1", lambda_tv=1e-4, steps=120, rate=0.05)
    a0, a = (network[: network.index("pool1") + 1].forward(x)[-1] for x in (fours, found.x))
    error = ((a - a0) ** 2).sum(axis=(1, 2, 3)) / (a0**2).sum(axis=(1, 2, 3))
    assert np.allclose(found.error, error, rtol=1e-4)
    assert found.error.max() < 0.01
    assert found.x.shape == found.start.shape == fours.shape
    assert found.x.dtype == np.float32
    assert 0 <= found.x.min() <= found.x.max() <= 1
    assert found.values.shape == (121, 2)
    assert (found.values[-1] < 0.05 * found.values[0]).all()
    assert (network.predict(found.x) == network.predict(fours)).all()


def test_the_last_value_is_the_sum_of_its_terms(small):
    x0 = np.random.default_rng(0).random((2, 1, 10, 10))
    found = invert(small, x0, "relu1", lambda_alpha=0.02, alpha=4, lambda_tv=0.003, beta=1.5, steps=20)
    terms = found.error + 0.02 * PowerNorm(4)(found.x)[0] + 0.003 * TotalVariation(1.5)(found.x)[0]
    assert np.allclose(found.values[-1], terms, rtol=1e-12)


def test_total_variation_smooths_and_the_norm_darkens(small):
    x0 = np.random.default_rng(0).random((1, 1, 10, 10))
    plain, smooth, dark = (
        invert(small, x0, "dense1", steps=150, rate=0.05, **o)
        for o in ({"lambda_tv": 0}, {"lambda_tv": 0.1}, {"lambda_alpha": 1})
    )
    assert TotalVariation()(smooth.x)[0] < 0.3 * TotalVariation()(plain.x)[0]
    assert np.abs(dark.x).max() < np.abs(plain.x).max()


def test_activations_can_be_given_in_the_place_of_an_image(small):
    x0 = np.random.default_rng(0).random((2, 1, 10, 10))
    a0 = small[:2].forward(x0)[-1]
    one, other = invert(small, x0, "relu1", steps=5), invert(small, a0, "relu1", given="activations", steps=5)
    assert np.array_equal(one.x, other.x)


def test_the_same_seed_gives_the_same_bits(small):
    x0 = np.random.default_rng(0).random((1, 1, 10, 10))
    one, again, other = (invert(small, x0, "relu1", steps=5, rng=seed).x for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


# -------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "relu7"}, "There is no layer 'relu7'"),
        ({"lambda_alpha": -1}, r"take numbers from 0, got \[-1.0, 0.001\]"),
        ({"lambda_tv": -0.1}, "take numbers from 0"),
        ({"lambda_tv": float("nan")}, "lambda_tv must be a finite number"),
        ({"alpha": 1}, "alpha must be above 1"),
        ({"beta": 0.5}, "beta takes a number from 1"),
        ({"steps": 0}, "steps takes a positive integer"),
        ({"rate": -1}, "rate must be above 0"),
        ({"rng": -1}, "rng takes a seed"),
        ({"given": "pixels"}, "given takes one of 'image', 'activations', got 'pixels'"),
        ({"x0": np.full((1, 1, 10, 10), np.nan)}, "x must be finite"),
        ({"x0": np.zeros((1, 1, 9, 10))}, r"x takes the shape \(N, 1, 10, 10\)"),
        ({"x0": np.zeros((1, 1, 10, 10), np.float32)}, "x is float32"),
        ({"given": "activations"}, r"x takes the shape \(N, 4, 8, 8\), got \(1, 1, 10, 10\)"),
        ({"given": "activations", "x0": np.full((1, 4, 8, 8), np.inf)}, "x must be finite"),
        ({"given": "activations", "x0": np.zeros((1, 4, 8, 8), np.float32)}, "x0 is float32"),
        ({"given": "activations", "x0": np.zeros((1, 4, 8, 8))}, "sample 0 has no activation that differs from 0"),
    ],
)
def test_bad_input(small, options, message):
    arguments = {"x0": np.random.default_rng(0).random((1, 1, 10, 10)), "layer": "relu1"} | options
    with pytest.raises(ValueError, match=message):
        invert(small, **arguments)


def test_activations_need_a_network_that_knows_its_input():
    network = Network([Conv2d(numbers(4, 1, 3, 3))])
    with pytest.raises(ValueError, match="needs a network that was made with input_shape"):
        invert(network, numbers(1, 4, 8, 8), "conv1", given="activations")


def test_a_search_that_diverges():
    network = Network([Conv2d(np.full((1, 1, 3, 3), 1e160))], input_shape=(1, 6, 6))
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="diverged"):
        invert(network, np.full((1, 1, 6, 6), 0.5), "conv1")


def test_an_empty_batch_is_refused():
    network = models.load("lenet")
    with pytest.raises(ValueError, match="x0 takes one sample or more"):
        invert(network, np.zeros((0, 1, 28, 28), np.float32), "relu1")


def test_an_inversion_begins_behind_closed_relus():
    """From noise about middle grey nothing passes the ReLU; only bright pixels open it."""
    layers = [Conv2d(np.ones((1, 1, 3, 3)), np.array([-8.0])), ReLU()]
    network, white = Network(layers, input_shape=(1, 8, 8)), np.ones((1, 1, 8, 8))
    found = invert(network, white, "relu1", lambda_tv=0, steps=200)
    assert not network.forward(found.start)[-1].any()
    assert found.error[0] < 0.01
