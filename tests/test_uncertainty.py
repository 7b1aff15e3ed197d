"""A family of networks: the draws of a dropout, what they and an ensemble say, Monte Carlo dropout and its laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nnlite import Network, datasets, models
from nnlite.decision_based import deeplift, explain, lrp, occlusion, saliency
from nnlite.layers import Conv2d, Dense, Dropout, Dropout2d, Flatten, Mask, ReLU, Softmax
from nnlite.stepper import record
from nnlite.training import softmax
from nnlite.uncertainty import (
    Prediction,
    brier_score,
    dropout_draws,
    expected_calibration_error,
    mc_dropout,
    negative_log_likelihood,
    predict,
    temperature,
)


def small(p: float = 0.4) -> Network:
    """Six units dropped, 64 masks in all."""
    rng = np.random.default_rng(0)
    dense1, dense2 = Dense(rng.normal(size=(4, 6)), np.ones(6)), Dense(rng.normal(size=(6, 3)))
    return Network([dense1, ReLU(), Dropout(p), dense2], input_shape=(4,))


X = np.random.default_rng(1).normal(size=(5, 4))

# -------------------------------------------------------------------------------------------------------- the draws


def test_a_draw_is_a_plain_network_with_one_mask_for_all_samples() -> None:
    network = small()
    for draw in dropout_draws(network, 5):
        assert [type(layer) for layer in draw] == [Dense, ReLU, Mask, Dense]
        assert draw["dropout1"].m.shape == (1, 6)
        assert all(draw[i] is network[i] for i in (0, 1, 3))  # only the mask is new
        assert draw.scores(X) == pytest.approx(np.concatenate([draw.scores(x[None]) for x in X]))


def test_the_same_seed_gives_the_same_draws_and_more_of_them_begin_the_same() -> None:
    masks = [[draw["dropout1"].m for draw in dropout_draws(small(), n, rng=rng)]
             for n, rng in ((3, 7), (8, 7), (3, np.random.default_rng(7)), (3, 8))]  # fmt: skip
    assert np.array_equal(masks[0], masks[1][:3])
    assert np.array_equal(masks[0], masks[2])
    assert not np.array_equal(masks[0], masks[3])


def test_every_method_explains_a_draw() -> None:
    network = models.load("lenet_dropout")
    x = datasets.strokes(2, seed=1)[0]
    draw = dropout_draws(network, 1)[0]
    for method in ("gradient", "lrp-epsilon", "occlusion"):
        assert np.isfinite(explain(draw, x, method)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dropout_draws(Network([Dense(np.eye(2))], input_shape=(2,))), r"a Dropout\(p > 0\), and .* has none"),
        (lambda: dropout_draws(small(0.0)), "all its draws would be the same"),
        (lambda: mc_dropout(models.load("lenet"), np.zeros((1, 1, 28, 28), np.float32)), "lenet_dropout"),
        (lambda: dropout_draws(Network(small().layers)), "knows the shape of its input"),
        (lambda: dropout_draws(small(), 0), "draws takes a positive integer, got 0"),
        (lambda: mc_dropout(small(), X, 0), "draws takes a positive integer, got 0"),
        (lambda: mc_dropout(small(), X, 2.0), "draws takes a positive integer"),  # type: ignore[arg-type]
        (lambda: mc_dropout(small(), X, rng=-1), "rng takes a seed"),
        (lambda: mc_dropout(small(), X[:, :3]), r"x takes the shape \(N, 4\)"),
        (lambda: mc_dropout(small(), X[:0]), "one sample or more"),
        (lambda: predict([small()], np.full((1, 4), np.nan)), "x must be finite"),
        (lambda: predict([], X), "one network or more, such as dropout_draws.* got none"),
        (lambda: predict([small(), small().astype(np.float32)], X), "computes in float32, and x is float64"),
        (lambda: predict([Network([Dense(np.ones((4, k)))]) for k in (2, 3)], X), r"the same classes.*\[2, 3\]"),
        (lambda: predict([Network([Conv2d(np.ones((1, 1, 1, 1)))])], np.ones((1, 1, 2, 2))), r"\(N, K\)"),
        (lambda: Prediction(np.ones((2, 2, 2))), "rows from 0 to 1 with the sum 1"),
        (lambda: Prediction(np.full((2, 2), 0.5)), r"\(T, N, K\).*got \(2, 2\) float64"),
        (lambda: Prediction(np.full((0, 2, 2), 0.5)), r"none of them 0, got \(0, 2, 2\)"),
    ],
)  # fmt: skip
def test_bad_input(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("networks", [small(), 3, [small(), "lenet"]])
def test_what_is_no_family(networks) -> None:
    with pytest.raises(TypeError, match="networks takes a sequence of networks, such as dropout_draws"):
        predict(networks, X)


# --------------------------------------------------------------------------------------------------- what they say

probabilities = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)), elements=st.floats(0, 30)
).map(lambda z: softmax(z.reshape(-1, z.shape[2])).reshape(z.shape))


@given(p=probabilities)
@settings(max_examples=80, deadline=None)
def test_what_follows_is_its_formula_written_out(p: np.ndarray) -> None:
    found, (T, N, K) = Prediction(p), p.shape
    for n in range(N):
        mean = [sum(p[t, n, k] for t in range(T)) / T for k in range(K)]
        assert found.mean[n] == pytest.approx(mean)
        assert found.std[n] == pytest.approx([math.sqrt(sum((p[:, n, k] - mean[k]) ** 2) / T) for k in range(K)])
        assert found.entropy[n] == pytest.approx(stats.entropy(mean), abs=1e-12)
        expected = sum(stats.entropy(p[t, n]) for t in range(T)) / T
        assert found.expected_entropy[n] == pytest.approx(expected, abs=1e-12)
        divergence = sum(stats.entropy(p[t, n], mean) for t in range(T)) / T  # KL(p_t ‖ p̄)
        assert found.mutual_information[n] == pytest.approx(divergence, abs=1e-12)
        votes = [int(np.argmax(p[t, n])) for t in range(T)]
        assert found.variation_ratio[n] == pytest.approx(1 - max(map(votes.count, votes)) / T)
        assert mean[found.classes[n]] == pytest.approx(max(mean))


@given(p=probabilities)
@settings(max_examples=80, deadline=None)
def test_the_bounds(p: np.ndarray) -> None:
    """0 ≤ I ≤ H ≤ log K and I ≤ log T; the order of the networks does not matter; one network does not disagree."""
    found, (T, _, K) = Prediction(p), p.shape
    assert (found.mutual_information >= 0).all()
    assert (found.mutual_information <= found.entropy + 1e-12).all()
    assert (found.entropy <= np.log(K) + 1e-12).all()
    assert (found.mutual_information <= np.log(T) + 1e-12).all()
    assert Prediction(p[::-1].copy()).mutual_information == pytest.approx(found.mutual_information, abs=1e-12)
    alone = Prediction(p[:1])
    assert alone.std.max() == alone.variation_ratio.max() == 0
    assert alone.mutual_information.max() < 1e-12


def test_certain_networks_have_no_entropy_and_single_precision_stays() -> None:
    p = np.tile(np.array([1, 0, 0], np.float32), (4, 2, 1))
    found = Prediction(p)
    for value in (found.entropy, found.expected_entropy, found.mutual_information, found.variation_ratio):
        assert value.tolist() == [0, 0]
        assert value.dtype == np.float32
    assert found.mean.dtype == found.std.dtype == np.float32


def test_predict_is_the_softmax_of_each_network() -> None:
    """Whatever they share, in blocks or at once, with a Softmax or without."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1003, 4))  # more than a block
    draws = dropout_draws(small(), 4)
    others = [Network([*draws[0], Softmax()]), Network([Dense(rng.normal(size=(4, 3)))])]
    for family in (draws, [*draws, *others], others, draws[:1], iter(draws)):
        members = list(family)
        assert np.array_equal(predict(iter(members), x).probabilities, predict(members, x).probabilities)
        expected = [softmax(network.scores(x)) for network in members]
        assert predict(members, x).probabilities == pytest.approx(np.array(expected), abs=1e-14)


# --------------------------------------------------------------------------------------------- Monte Carlo dropout


def exact_mean(network: Network, x: np.ndarray) -> np.ndarray:
    """p̄ over all 2^6 masks, each with its probability."""
    p, mean = network["dropout1"].p, np.zeros((len(x), 3))
    for kept in itertools.product((0, 1), repeat=6):
        mask = Mask(np.array([kept]) / (1 - p))
        drawn = Network([mask if isinstance(layer, Dropout) else layer for layer in network])
        mean += p ** (6 - sum(kept)) * (1 - p) ** sum(kept) * softmax(drawn.scores(x))
    return mean


def errors_of(draws: np.ndarray, reference: np.ndarray, counts: list[int]) -> np.ndarray:
    """The root mean square error of a mean of T draws, for each T: over all groups of T that the draws give."""
    groups = (draws[: len(draws) // T * T].reshape(-1, T, *draws.shape[1:]).mean(axis=1) for T in counts)
    return np.array([np.sqrt(np.mean((group - reference) ** 2)) for group in groups])


def test_the_mean_comes_nearer_to_that_over_all_masks_as_one_over_root_T() -> None:
    network, counts = small(), [2, 4, 8, 16, 32, 64]
    found = mc_dropout(network, X, 4096)
    errors = errors_of(found.probabilities, exact_mean(network, X), counts)
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.05)
    spread = np.sqrt(np.mean(found.std**2))  # and the factor is the standard deviation of one draw
    assert errors * np.sqrt(counts) == pytest.approx(np.full(6, spread), rel=0.2)
    assert found.mean == pytest.approx(exact_mean(network, X), abs=5 * found.std.max() / np.sqrt(4096))


def test_it_does_on_the_shipped_network_too() -> None:
    network, counts = models.load("lenet_dropout"), [2, 8, 32]
    x = datasets.strokes(10, seed=models.HELD_OUT_SEED)[0]
    reference = mc_dropout(network, x, 1000, rng=1).probabilities.mean(axis=0, dtype=np.float64)
    errors = errors_of(mc_dropout(network, x, 640).probabilities.astype(np.float64), reference, counts)
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.1)


def test_a_temperature_from_other_digits_mends_its_modesty() -> None:
    """The predicted classes stay, bit for bit, and NLL and ECE fall on digits that T was not found on."""
    network = models.load("lenet_dropout")
    (other, other_labels), (x, labels) = (datasets.strokes(1000, seed=seed) for seed in (2, models.HELD_OUT_SEED))
    T = temperature(np.log(mc_dropout(network, other, 20).mean), other_labels)
    before = mc_dropout(network, x, 20).mean
    after = softmax(np.log(before) / np.float32(T))
    assert 0.4 < T < 0.8
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert negative_log_likelihood(after, labels) < 0.9 * negative_log_likelihood(before, labels)
    assert expected_calibration_error(after, labels) < 0.5 * expected_calibration_error(before, labels)


def test_the_same_bits_again_and_what_one_draw_says() -> None:
    network = small()
    one, again = mc_dropout(network, X, 7), mc_dropout(network, X, 7)
    assert np.array_equal(one.probabilities, again.probabilities)
    draws = dropout_draws(network, 7)
    for p, draw in zip(one.probabilities, draws, strict=True):
        assert p == pytest.approx(softmax(draw.scores(X)), abs=1e-15)


# ------------------------------------------------------------------------------------------------ the deep ensemble


@pytest.fixture(scope="module")
def digits():
    return datasets.strokes(2000, seed=models.HELD_OUT_SEED)


def test_the_ensemble_is_better_than_each_member_by_the_proper_scores(digits) -> None:
    x, labels = digits
    found = predict(models.ensemble(), x)
    for score in (negative_log_likelihood, brier_score):
        assert score(found.mean, labels) < 0.95 * min(score(p, labels) for p in found.probabilities)


def test_it_is_less_wrong_about_itself_on_rotated_digits(digits) -> None:
    """ECE at 45 degrees, where every member is far too sure. On upright digits they are not, and this does not hold."""
    from scipy.ndimage import rotate

    x, labels = digits
    turned = np.clip(rotate(x, 45, axes=(3, 2), reshape=False, order=1), 0, 1)
    found = predict(models.ensemble(), turned)
    ensemble = expected_calibration_error(found.mean, labels)
    assert ensemble < 0.8 * min(expected_calibration_error(p, labels) for p in found.probabilities)


def test_noise_is_more_uncertain_than_digits(digits) -> None:
    """To both families; the members of the ensemble disagree on it more, the draws of the dropout do not."""
    noise = np.random.default_rng(0).random((300, 1, 28, 28), np.float32)
    dropped, ensemble = dropout_draws(models.load("lenet_dropout"), 20), models.ensemble()
    for networks in (ensemble, dropped):
        assert predict(networks, noise).entropy.mean() > 3 * predict(networks, digits[0][:300]).entropy.mean()
    seen, unseen = (predict(ensemble, x).mutual_information.mean() for x in (digits[0][:300], noise))
    assert unseen > 3 * seen


@pytest.fixture
def by_channel() -> tuple[Network, np.ndarray]:
    """A network that drops channels, and images for it."""
    rng = np.random.default_rng(0)
    of_channels = Dense(np.repeat(rng.normal(size=(4, 3)) / 9, 36, axis=0))
    layers = [Conv2d(rng.normal(size=(4, 1, 3, 3))), ReLU(), Dropout2d(0.5), Flatten(), of_channels]
    return Network(layers, input_shape=(1, 8, 8)), rng.random((5, 1, 8, 8))


def test_a_draw_of_channels_drops_whole_channels(by_channel: tuple[Network, np.ndarray]) -> None:
    network, x = by_channel
    below = network.forward(x)[2]
    for n in (1, len(x)):
        draw = network.sample(np.random.default_rng(1), (n, 1, 8, 8))
        factor = draw.forward(x)[3] / np.where(below > 0, below, 1)
        for of_channel, positive in zip(factor.reshape(-1, 36), (below > 0).reshape(-1, 36), strict=True):
            assert len(set(of_channel[positive].round(12))) <= 1
            assert set(of_channel[positive].round(12)) <= {0.0, 2.0}
    assert np.array_equal(draw.scores(x), draw.scores(x))
    ones = np.ones((500, 4, 2, 2))
    shares = (Dropout2d(0.3).draw(np.random.default_rng(0), ones.shape).forward(ones) > 0).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(shares, 0.7, atol=0.08)  # four standard deviations of 500 draws


def test_mc_dropout_of_channels_is_that_of_torch(by_channel: tuple[Network, np.ndarray]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
    from nnlite.interop.torch import from_torch, to_torch

    network, x = by_channel
    module = to_torch(network)
    assert [type(layer) for layer in from_torch(module, (1, 8, 8))] == [type(layer) for layer in network]
    torch.manual_seed(0)
    module.train()
    with torch.no_grad():
        scores = module(torch.from_numpy(np.tile(x, (4000, 1, 1, 1))))  # a mask for each sample
    p = torch.softmax(scores, 1).numpy().reshape(4000, *scores[: len(x)].shape)
    theirs, ours = Prediction(p), mc_dropout(network, x, 500)
    np.testing.assert_allclose(ours.mean, theirs.mean, atol=0.09)  # four standard deviations of 500 draws
    np.testing.assert_allclose(ours.entropy, theirs.entropy, atol=0.08)
    np.testing.assert_allclose(ours.mutual_information, theirs.mutual_information, atol=0.08)
    by_pixel = Network([Dropout(0.5) if isinstance(m, Dropout2d) else m for m in network], input_shape=(1, 8, 8))
    pixels = mc_dropout(by_pixel, x, 500).mutual_information
    assert pixels.mean() < 0.5 * theirs.mutual_information.mean()  # what a mask for each pixel would have given


def test_mc_dropout_of_channels_by_hand(by_channel: tuple[Network, np.ndarray]) -> None:
    """The same masks in PyTorch's functions: the same entropy and mutual information."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
    network, x = by_channel
    draws = dropout_draws(network, 20)
    found = predict(draws, x)
    conv, dense = network[0], network[4]
    a = torch.relu(torch.conv2d(torch.tensor(x), torch.tensor(conv.W)))
    masks = [torch.tensor(draw[2].m) for draw in draws]
    p = torch.stack([torch.softmax((a * m).flatten(1) @ torch.tensor(dense.W), 1) for m in masks])
    entropy = torch.special.entr(p.mean(0)).sum(1)
    information = entropy - torch.special.entr(p).sum(2).mean(0)
    np.testing.assert_allclose(found.entropy, entropy.numpy(), atol=1e-12)
    np.testing.assert_allclose(found.mutual_information, information.numpy(), atol=1e-12)


def test_what_drops_channels_is_explained(by_channel: tuple[Network, np.ndarray]) -> None:
    network, x = by_channel
    draw = dropout_draws(network, 1)[0]
    for f in (network, draw):
        R = lrp.relevance(f, x, rules=lrp.epsilon(1e-9))
        np.testing.assert_allclose(R.sum(axis=(1, 2, 3)), f.scores(x).max(axis=1), rtol=1e-6)
        for method in (saliency, deeplift, lambda *given: occlusion(*given, size=3).map):
            assert np.isfinite(method(f, x)).all()
        assert record("lrp-epsilon", f, x[:1]).R.shape == (1, 1, 8, 8)
