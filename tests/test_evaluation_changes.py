"""Does the map follow the network, and not the noise? Randomization, rank correlation, continuity, max-sensitivity."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, datasets, models, storage
from nnlite.decision_based import explain, gradient, integrated_gradients, smoothgrad
from nnlite.evaluation import (
    continuity,
    infidelity,
    max_sensitivity,
    randomization,
    randomized,
    rank_correlation,
)
from nnlite.layers import BatchNorm, Conv2d, Dense, Flatten, GlobalAvgPool, ReLU, Tanh

RNG = np.random.default_rng(0)
NET = Network(
    [
        Dense(RNG.normal(size=(6, 5)), RNG.normal(size=5)),
        ReLU(),
        Dense(RNG.normal(size=(5, 4))),
        ReLU(),
        Dense(RNG.normal(size=(4, 3))),
    ]
)
LINEAR = Network([Dense(RNG.normal(size=(6, 3)), np.ones(3))])
X = RNG.random((4, 6))
LENET = models.load("lenet")
DIGITS = datasets.strokes(6, seed=1)[0]

# ---------------------------------------------------------------------------------------------------- rank correlation


def ranks_by_loops(values):
    """1 + how many are smaller + half of how many others are equal."""
    return [1 + sum(w < v for w in values) + (sum(w == v for w in values) - 1) / 2 for v in values]


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 30), absolute=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_rank_correlation_is_that_of_the_ranks(seed, n, absolute):
    rng = np.random.default_rng(seed)
    r, s = rng.integers(-3, 4, (2, n)).astype(float)
    a, b = (ranks_by_loops(abs(v) if absolute else v) for v in (r, s))
    da, db = np.array(a) - (n + 1) / 2, np.array(b) - (n + 1) / 2
    size = np.sqrt((da @ da) * (db @ db))
    expected = da @ db / size if size else 0.0
    assert rank_correlation(r[None], s[None], absolute=absolute)[0] == pytest.approx(expected, abs=1e-12)


def test_a_flat_map_has_no_order_and_where_chooses_the_pixels():
    R = RNG.normal(size=(2, 1, 3, 3))
    assert rank_correlation(R, np.ones_like(R)).tolist() == [0, 0]
    assert rank_correlation(R, np.exp(R)).tolist() == pytest.approx([1, 1])
    where = np.zeros(R.shape, bool)
    where[:, :, 0] = True
    S = np.where(where, R, -R)
    assert rank_correlation(R, S, where=where).tolist() == pytest.approx([1, 1])
    assert rank_correlation(R, S, where=~where).tolist() == pytest.approx([-1, -1])
    assert rank_correlation(R, S, where=np.zeros(R.shape, bool)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("R", "options", "words"),
    [
        (np.ones((2, 3)), {}, "two maps"),
        (np.full((2, 4), np.nan), {}, "must be finite"),
        (np.full((2, 4), 1j), {}, "takes maps of real numbers, got complex128 and float64"),
        (np.full((2, 4), "much"), {}, "takes maps of real numbers, got <U4 "),
        (np.ones((2, 4)), {"where": np.ones((2, 4))}, "booleans"),
        (np.ones((2, 4)), {"where": np.ones((2, 3), bool)}, "booleans"),
        (np.ones((2, 4)), {"absolute": "yes"}, "absolute takes True or False"),
    ],
)
def test_a_mistake_in_a_correlation_is_one_clear_error(R, options, words):
    with pytest.raises(ValueError, match=words):
        rank_correlation(R, np.ones((2, 4)), **options)


# ------------------------------------------------------------------------------------------------------- randomization


def test_new_weights_have_the_size_of_the_old_ones_and_the_others_stay():
    network = randomized(LENET, ["dense1", "conv2"])
    for name, value in LENET.parameters.items():
        new = network.parameters[name]
        if name.startswith(("dense1", "conv2")):
            assert new.dtype == value.dtype
            assert not np.array_equal(new, value)
            if name.endswith("W"):
                assert np.sqrt(np.mean(new**2)) == pytest.approx(np.sqrt(np.mean(value**2)), rel=0.05)
        else:
            assert new is value
    everything = randomized(LENET)
    np.testing.assert_array_equal(everything["dense1"].W, network["dense1"].W)  # whichever others are drawn
    np.testing.assert_array_equal(everything["dense1"].W, randomized(LENET, rng=0)["dense1"].W)
    assert not np.array_equal(everything["dense1"].W, randomized(LENET, rng=1)["dense1"].W)


def test_the_maps_are_those_of_the_networks_with_random_layers():
    c = NET.predict(X)
    top_down = randomization(NET, X, "gradient", rng=3)
    alone = randomization(NET, X, "gradient", cascade=False, rng=3)
    assert top_down.layers == alone.layers == ("dense3", "dense2", "dense1")
    assert top_down.target.tolist() == c.tolist()
    for i, layer in enumerate(top_down.layers):
        cascaded = randomized(NET, top_down.layers[: i + 1], rng=3)
        np.testing.assert_array_equal(top_down.maps[i + 1], gradient(cascaded, X, c))
        np.testing.assert_array_equal(alone.maps[i + 1], gradient(randomized(NET, [layer], rng=3), X, c))


def test_a_layer_by_its_name_alone():
    one, same = randomized(NET, "dense2"), randomized(NET, ["dense2"])
    np.testing.assert_array_equal(one["dense2"].W, same["dense2"].W)
    assert one["dense1"] is NET["dense1"]


def test_a_map_agrees_with_itself():
    for cascade in (True, False):
        found = randomization(LENET, DIGITS, "lrp-gamma", cascade=cascade)
        for absolute in (True, False):
            rho = found.correlation(absolute=absolute)
            assert rho.shape == (5, 6)
            np.testing.assert_allclose(rho[0], 1)
            assert rho[1:].max() < 1


def test_what_does_not_ask_the_network_does_not_change():
    found = randomization(LENET, DIGITS, lambda network, x, target: x)
    np.testing.assert_allclose(found.correlation(), 1)


def test_layers_above_a_neuron_do_not_matter_to_it():
    found = randomization(LENET, DIGITS, "gradient", ("conv1", 2))
    np.testing.assert_allclose(found.correlation()[:4], 1)
    assert found.correlation()[4].max() < 0.99


def test_the_gradient_passes_and_guided_backpropagation_does_not():
    ink = DIGITS > 0
    slopes, guided = (
        randomization(LENET, DIGITS, name).correlation(where=ink)[1:].mean(axis=1)
        for name in ("gradient", "guided-backpropagation")
    )
    assert np.abs(slopes).max() < 0.25
    assert guided[0] > 0.7
    assert guided.min() > 0.4


def test_batch_norm_has_parameters_too():
    network = Network([Dense(np.eye(3)), BatchNorm(np.ones(3), np.zeros(3), np.zeros(3), np.ones(3)), ReLU()])
    assert randomization(network, X[:, :3], "gradient", 1).layers == ("batchnorm1", "dense1")


def test_mistakes_in_randomization():
    for layers in (["relu1"], "relu1", 3):
        with pytest.raises(ValueError, match=r"layers takes some of dense1, dense2, dense3, .*got \[('relu1'|3)\]"):
            randomized(NET, layers)
    with pytest.raises(ValueError, match="There is no method 'lrp'"):
        randomization(NET, X, "lrp")
    with pytest.raises(ValueError, match="has none"):
        randomization(Network([ReLU()]), X, "gradient")
    with pytest.raises(ValueError, match="cascade takes True or False"):
        randomization(NET, X, "gradient", cascade="yes")
    with pytest.raises(ValueError, match="rng takes a seed"):
        randomization(NET, X, "gradient", rng="luck")
    with pytest.raises(ValueError, match="a map for each of 4 samples"):
        randomization(NET, X, lambda f, x, c: x[:2])
    with pytest.raises(ValueError, match="NaN or an infinity"):
        randomization(NET, X, lambda f, x, c: x if f is NET else np.full_like(x, np.nan))


# ----------------------------------------------------------------------------------------------------------- stability


def test_both_are_their_formulas_written_out():
    near = X + 0.1 * RNG.normal(size=(5, *X.shape))
    c = NET.predict(X)
    slope, moved = (
        continuity(NET, X, "lrp-epsilon", neighbours=near),
        max_sensitivity(NET, X, "lrp-epsilon", neighbours=near),
    )
    in_units = max_sensitivity(NET, X, "lrp-epsilon", neighbours=near, relative=False)
    for n in range(4):
        R = explain(NET, X[n : n + 1], "lrp-epsilon", c[n])[0]
        ratios, distances = [], []
        for k in range(5):
            R_k = explain(NET, near[k, n : n + 1], "lrp-epsilon", c[n])[0]
            step = sum((near[k, n, j] - X[n, j]) ** 2 for j in range(6)) ** 0.5
            ratios.append(sum(abs(R[j] - R_k[j]) for j in range(6)) / step)
            distances.append(sum((R[j] - R_k[j]) ** 2 for j in range(6)) ** 0.5)
        assert slope[n] == pytest.approx(max(ratios), rel=1e-10)
        assert in_units[n] == pytest.approx(max(distances), rel=1e-10)
        assert moved[n] == pytest.approx(max(distances) / sum(r**2 for r in R) ** 0.5, rel=1e-10)


def test_infidelity_and_max_sensitivity_are_captums():
    header, arrays = storage.read(Path(__file__).parent / "golden" / "evaluation" / "captum.npz", "golden")
    first, second = (Dense(arrays[f"{name}.W"], arrays[f"{name}.b"]) for name in ("dense1", "dense2"))
    network, x, options = Network([first, Tanh(), second]), arrays["x"], header["settings"]
    R = gradient(network, x)
    ours = {
        "infidelity": infidelity(network, x, R, **options),
        "scaled": infidelity(network, x, R, scaled=True, **options),
        "max_sensitivity": max_sensitivity(network, x, "gradient", neighbours=arrays["neighbours"]),
    }
    for name, value in ours.items():
        np.testing.assert_allclose(value, arrays[name], rtol=1e-12)


def test_a_linear_network_has_one_slope_everywhere_and_shares_that_move_with_x():
    assert continuity(LINEAR, X, "gradient").max() == max_sensitivity(LINEAR, X, "gradient").max() == 0
    found = continuity(LINEAR, X, "gradient-times-input", 1, n=50)
    size = np.linalg.norm(LINEAR["dense1"].W[:, 1])  # ‖w ⊙ d‖₁ ≤ ‖w‖₂ ‖d‖₂
    assert (found <= size + 1e-12).all()
    assert found.min() > 0.5 * size
    steepest = X + LINEAR["dense1"].W[None, :, 1] * 0.1
    np.testing.assert_allclose(continuity(LINEAR, X, "gradient-times-input", 1, neighbours=steepest[None]), size)


def test_neighbours_are_drawn_around_x_and_brought_back_where_inputs_have_bounds():
    seen = []

    def method(network, x, target):
        seen.append(x)
        return x

    for bounds in ({}, {"low": 0, "high": 1}, {"low": 0}):
        max_sensitivity(LENET, DIGITS, method, radius=0.2, n=3, **bounds)
        near = seen[-1].reshape(3, *DIGITS.shape)
        u = np.random.default_rng(0).uniform(-0.2, 0.2, (3, 1, *DIGITS.shape[1:])).astype(np.float32)
        assert np.array_equal(near, np.clip(DIGITS + u, bounds.get("low"), bounds.get("high", np.float32(np.inf))))
        assert near.dtype == np.float32
    found = max_sensitivity(LENET, DIGITS, "lrp-montavon2019", n=2, low=0, high=1)  # z^B takes pixels in [0, 1] alone
    assert (found > 0).all()


def test_an_image_of_one_grey_has_neighbours_as_any_other():
    """They were clipped to the image's own range, and so were the image itself: a sensitivity of 0 without a word."""
    rng = np.random.default_rng(0)
    network = Network([Flatten(), Dense(rng.normal(size=(16, 8))), Tanh(), Dense(rng.normal(size=(8, 3)))])
    grey = np.full((1, 1, 4, 4), 0.5)
    near = grey + np.random.default_rng(0).uniform(-0.05, 0.05, (10, 1, 1, 4, 4))
    for measure in (continuity, max_sensitivity):
        found = measure(network, grey, "gradient")
        assert found > 0.01
        assert found == measure(network, grey, "gradient", neighbours=near)


@pytest.mark.parametrize("measure", [continuity, max_sensitivity])
@pytest.mark.parametrize("options", [{"neighbours": X[None]}, {"radius": 1e-20}, {"low": 1, "high": 1}])
def test_a_neighbour_that_is_x_itself_is_refused(measure, options):
    with pytest.raises(ValueError, match="A neighbour is x itself"):
        measure(NET, np.ones_like(X) if "low" in options else X, "gradient", **options)


def test_a_map_that_was_zero_and_a_batch_that_is_its_samples():
    assert max_sensitivity(LINEAR, X, lambda f, x, c: np.zeros_like(x)).tolist() == [0] * 4
    ones = np.ones((1, 6))
    assert max_sensitivity(LINEAR, ones, lambda f, x, c: x - 1, neighbours=2 * ones[None]).tolist() == [np.inf]
    whole = continuity(NET, X, "gradient-times-input")
    alone = [continuity(NET, X[n : n + 1], "gradient-times-input")[0] for n in range(4)]
    np.testing.assert_allclose(alone, whole, rtol=1e-9)


def test_maps_of_another_shape_than_x():
    assert max_sensitivity(LENET, DIGITS[:2], "saliency", n=2).shape == (2,)
    network = Network([Flatten(), *NET.layers])
    assert continuity(network, X.reshape(4, 1, 2, 3), "saliency", n=2).shape == (4,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": 0}, "radius must be more than 0"),
        ({"radius": float("nan")}, "radius must be a finite number"),
        ({"n": 0}, "n takes a positive integer"),
        ({"n": 10**20}, "n takes a positive integer below 2⁶³; got 100000000000000000000"),
        ({"low": 0.5}, "x must lie between low and high, 0.5 and inf; got"),
        ({"high": "1"}, "high must be a finite number"),
        ({"rng": -1}, "rng takes a seed"),
        ({"neighbours": X}, "neighbours takes an array"),
        ({"neighbours": [X]}, "neighbours takes an array"),
        ({"neighbours": X[None].astype(np.float32)}, "neighbours takes an array"),
        ({"method": "lrp"}, "There is no method"),
        ({"method": lambda f, x, c: np.full_like(x, np.nan)}, "NaN or an infinity"),
        ({"target": 3}, "target takes classes from 0 to 2"),
    ],
)
def test_a_mistake_in_stability_is_one_clear_error(options, words):
    arguments = {"method": "gradient", **options}
    for measure in (continuity, max_sensitivity):
        with pytest.raises(ValueError, match=words):
            measure(NET, X, **arguments)


@pytest.mark.parametrize("measure", [continuity, max_sensitivity])
def test_an_input_that_is_no_array_and_a_batch_of_none(measure):
    with pytest.raises((TypeError, ValueError), match="x"):
        measure(NET, [[1.0] * 6], "gradient")
    assert measure(NET, X[:0], "gradient").shape == (0,)


# --------------------------------------------------------------------------------------------------- given, and many


def test_the_infidelity_of_given_changes_is_the_mean_over_them():
    R, c = gradient(NET, X), NET.predict(X)
    noise = 0.3 * np.random.default_rng(1).normal(size=(7, *X.shape))
    expected = np.zeros(4)
    for n in range(4):
        for change in noise[:, n]:
            said = sum(change * R[n])
            done = NET.scores(X[n : n + 1])[0, c[n]] - NET.scores(X[n : n + 1] - change)[0, c[n]]
            expected[n] += (said - done) ** 2 / 7
    np.testing.assert_allclose(infidelity(NET, X, R, noise=noise), expected, rtol=1e-10)
    assert np.array_equal(
        infidelity(NET, X, R, noise=noise, change="noise", n=3, level=9.0), infidelity(NET, X, R, noise=noise)
    )
    one_for_all = np.broadcast_to(0.2 * np.random.default_rng(0).standard_normal((100, 1, 6)), (100, 4, 6))
    assert np.array_equal(infidelity(NET, X, R, noise=one_for_all), infidelity(NET, X, R, change="noise"))
    toward_zero = infidelity(LINEAR, X, gradient(LINEAR, X), noise=X[None])  # x − 0: what the slope says is what it is
    np.testing.assert_allclose(toward_zero, 0, atol=1e-20)


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (X, r"noise takes an array \(n, 4, 6\) of float64, as x is; got \(4, 6\) float64"),
        (X[None].astype(np.float32), "got .* float32"),
        ([X], "got list"),
        (np.full((1, 4, 6), np.nan), "x must be finite"),
    ],
)
def test_changes_that_do_not_fit_are_refused(noise, words):
    with pytest.raises(ValueError, match=words):
        infidelity(NET, X, gradient(NET, X), noise=noise)


@pytest.mark.parametrize(
    "measure", ["infidelity", "max_sensitivity", "continuity", "smoothgrad", "integrated_gradients"]
)
def test_four_times_the_draws_take_no_more_memory(measure):
    """On 96 × 96 pixels; the draws are made, used and forgotten a block at a time."""
    rng = np.random.default_rng(0)
    layers = [
        Conv2d(rng.normal(size=(4, 1, 3, 3)), rng.normal(size=4)),
        ReLU(),
        GlobalAvgPool(),
        Flatten(),
        Dense(np.ones((4, 2))),
    ]
    network, x = Network(layers).astype("float32"), rng.random((1, 1, 96, 96), np.float32)
    run = {
        "infidelity": lambda n: infidelity(network, x, x, change="noise", n=n),
        "max_sensitivity": lambda n: max_sensitivity(network, x, "gradient", n=n),
        "continuity": lambda n: continuity(network, x, "gradient", n=n),
        "smoothgrad": lambda n: smoothgrad(network, x, n=n),
        "integrated_gradients": lambda n: integrated_gradients(network, x, steps=n),
    }[measure]
    run(2)  # what is made once

    def peak(n):
        tracemalloc.start()
        run(n)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(400) < 1.1 * peak(100)


def test_more_draws_than_there_is_room_for_are_refused_at_once(monkeypatch):
    monkeypatch.setenv("NNLITE_MEMORY", "1M")
    with pytest.raises(
        ValueError, match=r"infidelity with n=20000 needs 1\.2M of memory, and NNLITE_MEMORY allows 1\.0M"
    ):
        infidelity(NET, X, gradient(NET, X), change="noise", n=20_000)
