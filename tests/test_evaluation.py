"""Do the shares say what the network does? Flipping, infidelity, completeness: oracles, laws, bad input."""

from itertools import permutations

import numpy as np
import pytest

from nnlite import Network, datasets, models
from nnlite.decision_based import explain, gradient, integrated_gradients, occlusion
from nnlite.decision_based.registry import METHODS
from nnlite.evaluation import completeness, infidelity, pixel_flipping
from nnlite.layers import Conv2d, Dense, Dropout, Flatten, ReLU

RNG = np.random.default_rng(0)
NET = Network(
    [
        Conv2d(RNG.normal(size=(3, 2, 3, 3)), RNG.normal(size=3)),
        ReLU(),
        Flatten(),
        Dense(RNG.normal(size=(18, 4)), RNG.normal(size=4)),
    ]
)
X = RNG.random((3, 2, 4, 5))
LINEAR = Network([Flatten(), Dense(RNG.normal(size=(40, 4)))])
LENET = models.load("lenet")


def flipped_by_loops(x, R, counts, fill, mode, order, size):
    """The pictures x⁽ᵏ⁾ (L + 1, C, H, W) of one sample."""
    C, H, W = x.shape
    relevance = {}
    for i in range(H):
        for j in range(W):
            square = (i // size, j // size)
            relevance[square] = relevance.get(square, 0.0) + sum(R[c, i, j] for c in range(C))
    places = sorted(relevance)  # row-major, and Python's sort is stable
    places.sort(key=lambda square: relevance[square], reverse=order == "most")
    if order == "most":  # reverse=True keeps the order of equal ones
        assert places[0] == max(relevance, key=lambda square: (relevance[square], [-n for n in square]))
    pictures = []
    for n in counts:
        picture = x.copy() if mode == "deletion" else np.full_like(x, fill)
        for square in places[:n]:
            for i in range(H):
                for j in range(W):
                    if (i // size, j // size) == square:
                        for c in range(C):
                            picture[c, i, j] = fill if mode == "deletion" else x[c, i, j]
        pictures.append(picture)
    return np.stack(pictures)


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
@pytest.mark.parametrize("order", ["most", "least"])
@pytest.mark.parametrize("size", [1, 2])
def test_the_curve_is_that_of_the_pictures_made_one_by_one(mode, order, size):
    R = explain(NET, X, "integrated-gradients").round(1)  # rounded: some are equal
    found = pixel_flipping(NET, X, R, mode=mode, order=order, size=size, fill=0.25, steps=100)
    places = {1: 20, 2: 6}[size]
    assert np.allclose(found.share, np.arange(places + 1) / places)
    for n in range(len(X)):
        pictures = flipped_by_loops(X[n], R[n], range(places + 1), 0.25, mode, order, size)
        scores = NET.scores(pictures)[:, found.target[n]]
        np.testing.assert_allclose(found.scores[n], scores, rtol=0, atol=1e-12)
        aopc = sum(found.whole[n] - score for score in scores) / len(scores)
        assert found.aopc[n] == pytest.approx(aopc, abs=1e-12)
        area = sum((scores[k] + scores[k + 1]) / 2 / places for k in range(places))
        assert found.area[n] == pytest.approx(area, abs=1e-12)
    assert np.allclose(found.whole, NET.scores(X)[range(3), found.target])


def test_no_order_of_a_weighted_sum_has_a_larger_aopc_than_the_order_of_its_products():
    network = Network([Dense(np.array([[3.0], [-1.0], [2.0], [-2.0], [0.5]]))])
    x = np.array([[1.0, 2.0, 0.5, 1.0, 1.0]])
    aopc = {}
    for order in permutations(range(5)):
        R = np.empty((1, 5))
        R[0, list(order)] = np.arange(5, 0, -1)
        aopc[order] = pixel_flipping(network, x, R).aopc[0]
    products = x * network["dense1"].W.T
    best = pixel_flipping(network, x, products)
    worst = pixel_flipping(network, x, products, order="least")
    assert best.aopc[0] == pytest.approx(max(aopc.values()))
    assert worst.aopc[0] == pytest.approx(min(aopc.values()))
    assert best.aopc[0] > np.mean(list(aopc.values())) + 0.5 > worst.aopc[0] + 1


def test_a_true_order_beats_a_random_one_and_that_the_reversed_one_on_digits():
    x, _ = datasets.strokes(20, seed=1)
    R = explain(LENET, x, "lrp-gamma")
    true, reverse = (pixel_flipping(LENET, x, R, order=order, steps=14) for order in ("most", "least"))
    random = pixel_flipping(LENET, x, np.random.default_rng(0).random(x.shape), steps=14)
    assert true.aopc.mean() > random.aopc.mean() + 2 > reverse.aopc.mean() + 4
    assert true.scores.dtype == true.aopc.dtype == true.area.dtype == np.float32


def test_inserting_the_most_relevant_first_is_deleting_the_least_relevant_first_backwards():
    R = RNG.normal(size=X.shape)
    most = pixel_flipping(NET, X, R, mode="insertion", fill=0.5)
    least = pixel_flipping(NET, X, R, mode="deletion", order="least", fill=0.5)
    np.testing.assert_allclose(most.scores, least.scores[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(most.area, least.area, atol=1e-12)


def test_steps_until_and_a_batch_that_is_its_samples():
    R = RNG.normal(size=X.shape)
    every = pixel_flipping(NET, X, R)
    few = pixel_flipping(NET, X, R, steps=4, until=0.5)
    assert few.share.tolist() == [0, 0.1, 0.25, 0.4, 0.5]
    np.testing.assert_allclose(few.scores, every.scores[:, [0, 2, 5, 8, 10]], atol=1e-12)
    for n in range(3):
        alone = pixel_flipping(NET, X[n : n + 1], R[n : n + 1])
        np.testing.assert_allclose(alone.scores[0], every.scores[n], atol=1e-12)


def test_every_fill_of_occlusion_and_maps_without_channels():
    R = RNG.normal(size=(3, 4, 5))
    for fill in ("mean", "blur", "noise", "flip", 0.5, X):
        found = pixel_flipping(NET, X, R, fill=fill)
        assert found.scores.shape == (3, 21)
        np.testing.assert_allclose(found.scores[:, 0], found.whole, atol=1e-12)
    assert np.ptp(found.scores) > 0
    np.testing.assert_allclose(found.scores, np.repeat(found.whole[:, None], 21, axis=1), atol=1e-12)  # x over x
    whole = np.repeat(R[:, None], 2, axis=1)
    np.testing.assert_array_equal(pixel_flipping(NET, X, R).scores, pixel_flipping(NET, X, whole).scores)


def test_a_neuron_and_a_draw_of_a_dropout_with_a_mask_for_each_sample():
    R = RNG.normal(size=X.shape)
    found = pixel_flipping(NET, X, R, ("conv1", 1))
    np.testing.assert_allclose(found.whole, NET.forward(X)[1][:, 1].sum(axis=(1, 2)))
    draw = Network([Flatten(), Dropout(0.5), LINEAR["dense1"]]).sample(np.random.default_rng(0), X.shape)
    for n, scores in enumerate(pixel_flipping(draw, X, R, 2, steps=5).scores):
        assert scores[0] == pytest.approx(draw.scores(X)[n, 2])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "remove"}, "mode takes one of deletion, insertion, got 'remove'"),
        ({"order": "first"}, "order takes one of most, least"),
        ({"steps": 0}, "steps takes a positive integer"),
        ({"until": 0}, "until takes a share above 0"),
        ({"until": 1.5}, "until takes a share above 0"),
        ({"size": 9}, "size takes 1, or a square"),
        ({"fill": float("nan")}, "fill must be finite"),
        ({"fill": "black"}, "fill takes one of"),
        ({"R": np.ones((3, 3, 3))}, "R takes a map for each input"),
        ({"R": np.full(X.shape, np.nan)}, "R must be finite"),
        ({"target": 7}, "target takes classes from 0 to 3"),
    ],
)
def test_a_mistake_in_flipping_is_one_clear_error(options, words):
    arguments = {"R": np.ones(X.shape), **options}
    with pytest.raises(ValueError, match=words):
        pixel_flipping(NET, X, arguments.pop("R"), **arguments)


def test_squares_and_words_do_not_fit_inputs_that_are_no_images():
    network = Network([Dense(np.ones((4, 1)))])
    with pytest.raises(ValueError, match="a square that fits into images"):
        pixel_flipping(network, np.ones((1, 4)), np.ones((1, 4)), size=2)
    with pytest.raises(ValueError, match="fill takes a number"):
        pixel_flipping(network, np.ones((1, 4)), np.ones((1, 4)), fill="blur")


def test_no_samples_are_no_curves_no_infidelities_and_no_gaps():
    nothing = X[:0]
    assert pixel_flipping(NET, nothing, nothing).aopc.shape == (0,)
    assert infidelity(NET, nothing, nothing).shape == (0,)
    assert infidelity(NET, nothing, nothing, change="noise").shape == (0,)
    assert completeness(NET, nothing, "integrated-gradients").gap.shape == (0,)


# ---------------------------------------------------------------------------------------------------------- infidelity


def test_infidelity_of_squares_is_its_formula_written_out():
    R = explain(NET, X, "integrated-gradients", 1)
    found = infidelity(NET, X, R, 1, size=(2, 3))
    for n in range(3):
        squares = []
        for i in range(3):
            for j in range(3):
                left = X[n : n + 1].copy()
                left[:, :, i : i + 2, j : j + 3] = 0
                done = NET.scores(X[n : n + 1])[0, 1] - NET.scores(left)[0, 1]
                squares.append((R[n, :, i : i + 2, j : j + 3].sum() - done) ** 2)
        assert found[n] == pytest.approx(np.mean(squares), rel=1e-10)


def test_infidelity_of_noise_is_its_formula_written_out():
    R, c = gradient(NET, X), NET.predict(X)
    found = infidelity(NET, X, R, change="noise", n=7, level=0.3, rng=5)
    draws = 0.3 * np.random.default_rng(5).standard_normal((7, 1, 2, 4, 5))
    for n in range(3):
        squares = []
        for (change,) in draws:
            done = NET.scores(X[n : n + 1])[0, c[n]] - NET.scores(X[n : n + 1] - change)[0, c[n]]
            squares.append(((change * R[n]).sum() - done) ** 2)
        assert found[n] == pytest.approx(np.mean(squares), rel=1e-10)


def test_a_weighted_sum_has_no_infidelity():
    slope = gradient(LINEAR, X)
    assert infidelity(LINEAR, X, slope, change="noise").max() < 1e-24
    assert infidelity(LINEAR, X, slope * X).max() < 1e-24
    assert infidelity(LINEAR, X, slope, change="squares").min() > 1e-3  # a slope is no share


def test_scaling_is_the_best_factor_and_undoes_any_other():
    R = explain(NET, X, "lrp-z-plus")
    best = infidelity(NET, X, R, scaled=True)
    np.testing.assert_allclose(infidelity(NET, X, -7.5 * R, scaled=True), best, rtol=1e-9)
    assert (best <= infidelity(NET, X, R) + 1e-12).all()
    drops = occlusion(NET, X).drops.reshape(3, -1)
    assert infidelity(NET, X, 0 * R, scaled=True) == pytest.approx((drops**2).mean(axis=1))
    assert infidelity(LENET, *2 * [np.zeros((1, 1, 28, 28), np.float32)], scaled=True).dtype == np.float32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"change": "blur"}, "change takes one of squares, noise"),
        ({"size": 9}, "does not fit into an image"),
        ({"change": "noise", "n": 0}, "n takes a positive integer"),
        ({"change": "noise", "level": "much"}, "level must be a finite number"),
        ({"change": "noise", "level": 0}, "level must be more than 0, got 0"),
        ({"change": "noise", "R": np.ones((3, 4, 5))}, "takes a slope for every input"),
        ({"scaled": 1}, "scaled takes True or False"),
        ({"R": np.full(X.shape, np.inf)}, "R must be finite"),
    ],
)
def test_a_mistake_in_infidelity_is_one_clear_error(options, words):
    arguments = {"R": np.ones(X.shape), **options}
    with pytest.raises(ValueError, match=words):
        infidelity(NET, X, arguments.pop("R"), **arguments)


# -------------------------------------------------------------------------------------------------------- completeness


def test_integrated_gradients_are_complete_on_a_linear_network():
    biased = Network([Flatten(), Dense(LINEAR["dense1"].W, np.ones(4))])
    for network in (LINEAR, biased):
        found = completeness(network, X, "integrated-gradients", [0, 3, 1])
        assert np.abs(found.gap).max() < 1e-13
        np.testing.assert_allclose(found.total, integrated_gradients(network, X, [0, 3, 1]).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(completeness(biased, X, "gradient-times-input", 2).gap, 1)  # the bias


def test_deeplift_is_complete_on_any_network_and_the_gap_is_the_difference():
    found = completeness(NET, X, "deeplift")
    assert found.relative.max() < 1e-12
    c = NET.predict(X)
    at_black = NET.scores(np.zeros_like(X))[range(3), c]
    np.testing.assert_allclose(found.divided, NET.scores(X)[range(3), c] - at_black)
    zero = completeness(NET, X, "lrp-zero")
    np.testing.assert_allclose(zero.divided, NET.scores(X)[range(3), c])
    np.testing.assert_allclose(zero.gap, zero.divided - explain(NET, X, "lrp-zero").sum(axis=(1, 2, 3)))


def test_nothing_divided_into_nothing_is_complete():
    black = np.zeros_like(X)
    assert completeness(LINEAR, black, "integrated-gradients").relative.tolist() == [0, 0, 0]
    biased = Network([Flatten(), Dense(LINEAR["dense1"].W, np.ones(4))])
    assert completeness(biased, black, "gradient-times-input").relative.tolist() == [1, 1, 1]


def test_what_divides_nothing_is_refused_and_what_divides_is_named():
    for name, method in METHODS.items():
        if method.meaning not in ("score", "difference", "expansion"):
            with pytest.raises(ValueError, match=r"divide nothing; those of gradient-times-input, .* do"):
                completeness(NET, X, name)
    for name in ("lrp", ["gradient"], None):
        with pytest.raises(ValueError, match="There is no method "):
            completeness(NET, X, name)
    with pytest.raises(ValueError, match="divide nothing"):
        completeness(NET, X, gradient)
