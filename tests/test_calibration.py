"""Calibration: the diagram and its errors against plain loops, the proper scores, the temperature."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from nnlite.training import cross_entropy, softmax
from nnlite.uncertainty import (
    brier_score,
    expected_calibration_error,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability,
    reliability_diagram,
    temperature,
)


def some(seed: int, n: int = 200, k: int = 4, scale: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels that follow them somewhat."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    return scale * (rng.standard_normal((n, k)) + np.eye(k)[labels]), labels


def calibrated(n: int, seed: int = 0, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels that were drawn from their softmax: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    scores = 2 * rng.standard_normal((n, k))
    labels = (softmax(scores).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return scores, np.minimum(labels, k - 1)


# ------------------------------------------------------------------------------------------- the diagram and its errors


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), k=st.integers(1, 5), bins=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_the_errors_are_their_formulas_written_out(seed: int, n: int, k: int, bins: int) -> None:
    scores, labels = some(seed, n, k)
    p = softmax(scores)
    if seed % 2:
        p = np.round(p * bins) / bins + 0.0  # on the edges of the bins
        p[:, 0] += 1 - p.sum(axis=1)
        p = np.abs(p) / np.abs(p).sum(axis=1, keepdims=True)
    ece, mce, nll, brier = 0.0, 0.0, 0.0, 0.0
    for m in range(1, bins + 1):
        confidences, hits = [], []
        for i in range(n):
            confidence = max(p[i])
            above, below = (m - 1) / bins if m > 1 else -1, m / bins if m < bins else 2
            if above < confidence <= below:
                confidences.append(confidence)
                hits.append(list(p[i]).index(confidence) == labels[i])
        if hits:
            gap = abs(sum(hits) / len(hits) - sum(confidences) / len(hits))
            ece += len(hits) / n * gap
            mce = max(mce, gap)
    for i in range(n):
        nll -= math.log(p[i, labels[i]]) / n if p[i, labels[i]] else -math.inf
        for c in range(k):
            brier += (p[i, c] - (c == labels[i])) ** 2 / n
    assert expected_calibration_error(p, labels, bins=bins) == pytest.approx(ece, abs=1e-12)
    assert maximum_calibration_error(p, labels, bins=bins) == pytest.approx(mce, abs=1e-12)
    assert brier_score(p, labels) == pytest.approx(brier, abs=1e-12)
    if math.isfinite(nll):
        assert negative_log_likelihood(p, labels) == pytest.approx(nll, abs=1e-12)
    found = reliability(p, labels, bins=bins)
    assert found.counts.sum() == n
    assert found.counts @ found.accuracy == pytest.approx(np.sum(p.argmax(axis=1) == labels))


def test_a_calibrated_network_has_an_error_that_goes_to_zero() -> None:
    """Labels drawn from the softmax itself: what is left is the noise of the bins, as 1/√N."""
    errors = [
        np.mean([expected_calibration_error(softmax(s), y) for s, y in (calibrated(n, seed) for seed in range(5))])
        for n in (500, 8_000, 128_000)
    ]
    assert errors[2] < 0.004
    for before, after in itertools.pairwise(errors):
        assert 2.5 < before / after < 6.5  # √16 = 4


def test_the_likelihood_is_that_of_training_and_proper() -> None:
    scores, labels = some(0)
    assert negative_log_likelihood(softmax(scores), labels) == pytest.approx(cross_entropy(scores, labels)[0])
    scores, labels = calibrated(20_000)
    for score in (negative_log_likelihood, brier_score):  # smallest for the probabilities that made the labels
        assert score(softmax(scores), labels) < min(score(softmax(scores * f), labels) for f in (0.8, 1.25))


def test_one_that_is_always_sure_and_half_wrong() -> None:
    p, labels = np.tile([1.0, 0.0], (10, 1)), np.arange(10) % 2
    found = reliability(p, labels)
    assert found.expected_error == found.maximum_error == found.gaps[-1] == 0.5
    assert found.counts.tolist() == [0] * 14 + [10]
    assert brier_score(p, labels) == 1
    with pytest.raises(ValueError, match=r"Class 1, the label of sample 1, has the probability 0.*cross_entropy"):
        negative_log_likelihood(p, labels)


def test_single_precision_rounds_to_the_last_bin() -> None:
    p = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]], np.float32)
    assert reliability(p, np.array([0])).counts[-1] == 1


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_a_confidence_on_an_edge_has_the_same_bin_in_both_precisions(bins: int) -> None:
    """0.6 in float32 is above 0.6 in float64, and not above the edge of its bin."""
    edges = np.arange(1, bins + 1) / bins
    confidence = edges[edges > 0.5]
    p, labels = np.stack([confidence, 1 - confidence], axis=1), np.arange(len(confidence)) % 2
    single, double = reliability(p.astype(np.float32), labels, bins=bins), reliability(p, labels, bins=bins)
    assert np.array_equal(single.counts, double.counts)
    assert single.expected_error == pytest.approx(double.expected_error, abs=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_right_six_tenths_and_a_wrong_seven_tenths_are_in_two_bins(dtype: str) -> None:
    p = np.array([[0.6, 0.4], [0.7, 0.3]], dtype)
    assert expected_calibration_error(p, np.array([0, 1]), bins=10) == pytest.approx(0.55, abs=1e-6)


@pytest.mark.parametrize(
    "measure",
    [reliability, expected_calibration_error, maximum_calibration_error, negative_log_likelihood, brier_score],
)
@pytest.mark.parametrize(
    ("p", "labels", "message"),
    [
        (np.ones((2, 2)), np.array([0, 1]), "rows from 0 to 1 with the sum 1; apply softmax"),
        (np.array([[1.5, -0.5]]), np.array([0]), "rows from 0 to 1"),
        (np.array([[np.nan, 1.0]]), np.array([0]), "rows from 0 to 1"),
        (np.ones((0, 2)), np.ones(0, int), r"\(N, K\), none of them 0, got \(0, 2\) float64"),
        (np.ones(3), np.ones(3, int), r"got \(3,\) float64"),
        ([[1.0]], np.array([0]), "got list"),
        (np.full((2, 2), 0.5), np.array([0, 2]), r"classes from 0 to 1.*labels\[1\] is 2"),
        (np.full((2, 2), 0.5), np.array([0]), "one integer for each of the 2 samples"),
        (np.full((2, 2), 0.5), np.array([0.0, 1.0]), "one integer for each"),
    ],
)
def test_bad_input(measure, p, labels, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(p, labels)


@pytest.mark.parametrize("bins", [0, -1, 2.0, True])
def test_bins_are_a_positive_integer(bins) -> None:
    with pytest.raises(ValueError, match="bins takes a positive integer"):
        reliability(np.array([[1.0]]), np.array([0]), bins=bins)


def test_the_diagram_is_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    p, labels = softmax(some(0)[0]), some(0)[1]
    found = reliability(p, labels, bins=10)
    ax = reliability_diagram(found, title="some")
    assert ax.get_title() == f"some\nECE {found.expected_error:.2%}"
    heights = [bar.get_height() for bar in ax.containers[0]]
    assert heights == found.accuracy[found.counts > 0].tolist()
    plt.close("all")


# -------------------------------------------------------------------------------------------------- the temperature


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 6), scale=st.sampled_from([1e-6, 0.5, 5.0, 1e6]))
@settings(max_examples=40, deadline=None)
def test_the_temperature_is_the_minimum(seed: int, k: int, scale: float) -> None:
    """A scalar search without the gradient finds the same; scores in other units give T in those units."""
    scores, labels = some(seed, 200, k, 1.0)

    def nll(log_T: float) -> float:
        return cross_entropy(scores / np.exp(log_T), labels)[0]

    T = temperature(scale * scores, labels) / scale
    found = minimize_scalar(nll, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
    assert nll(np.log(T)) <= nll(found.x) + 1e-12
    assert np.log(T) == pytest.approx(found.x, abs=1e-5)
    h = 1e-5  # the derivative at T is zero
    assert (nll(np.log(T) + h) - nll(np.log(T) - h)) / (2 * h) == pytest.approx(0, abs=1e-7)


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.3, 1.0, 10.0]), dtype=st.sampled_from(["f4", "f8"]))
@settings(max_examples=30, deadline=None)
def test_it_keeps_every_prediction_and_lowers_the_likelihood(seed: int, scale: float, dtype: str) -> None:
    scores, labels = some(seed, scale=scale)
    scores = scores.astype(dtype)
    T = temperature(scores, labels)
    assert type(T) is float
    assert T > 0
    scaled = softmax(scores / scores.dtype.type(T))
    assert np.array_equal(scaled.argmax(axis=1), scores.argmax(axis=1))
    assert cross_entropy(scores / scores.dtype.type(T), labels)[0] <= cross_entropy(scores, labels)[0] + 1e-6


def test_it_undoes_what_made_a_calibrated_network_too_sure() -> None:
    """Scores times 3 have the temperature 3, and their error goes; on other samples too."""
    scores, labels = calibrated(50_000, 0)
    T = temperature(3 * scores, labels)
    assert abs(T - 3) < 0.1
    others, their_labels = calibrated(50_000, 1)
    assert expected_calibration_error(softmax(3 * others), their_labels) > 0.15
    assert expected_calibration_error(softmax(3 * others / T), their_labels) < 0.01


def test_where_no_temperature_is_best() -> None:
    scores = np.array([[2.0, 1.0], [0.0, 3.0]])
    with pytest.raises(ValueError, match=r"Every one of the 2 labels has the highest score.*to T = 0"):
        temperature(scores, np.array([0, 1]))
    with pytest.raises(ValueError, match=r"not above those of the other classes.*T = ∞"):
        temperature(scores, np.array([1, 0]))
    with pytest.raises(ValueError, match="are all equal, so every T gives the same NLL"):
        temperature(np.zeros((3, 2)), np.array([0, 1, 1]))
    nearly = np.array([[5.0, 0.0]] * 99 + [[0.0, 1e-3]])  # one mistake, by a hair: 99 · 5 e^(−5/T) = 0.001 / 2
    assert temperature(nearly, np.zeros(100, int)) == pytest.approx(5 / np.log(99 * 5 / 0.0005), rel=1e-3)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-9])
def test_the_temperature_where_the_loss_is_flat(gap: float, scale: float) -> None:
    """Scores (1, 0) right and (d, 0) wrong: σ(−1/T) = d σ(d/T), which for d near 1 is T = (1 + d²) / (2 (1 − d))."""
    d = 1 - gap
    found = temperature(scale * np.array([[1.0, 0.0], [d, 0.0]]), np.array([0, 1])) / scale
    assert found == pytest.approx((1 + d * d) / (2 * (1 - d)), rel=1e-7 + gap**2)


def test_the_slope_at_the_temperature_is_zero_to_rounding() -> None:
    for seed, scale in ((0, 1e-6), (1, 1.0), (2, 1e6)):
        scores, labels = some(seed)
        u = scores * scale / temperature(scale * scores, labels)
        slope = (softmax(u) * u).sum(axis=1) - u[np.arange(len(u)), labels]
        assert abs(slope.mean()) < 1e-14 * np.abs(u).max()


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.ones(3), np.ones(3, int), r"scores takes .*\(N, K\)"),
        (np.ones((0, 3)), np.ones(0, int), r"N and K from 1, got \(0, 3\) float64"),
        (np.array([[1.0, np.nan]]), np.array([0]), "scores must be finite"),
        (np.array([[1.0, -np.inf]]), np.array([0]), "scores must be finite"),
        (np.ones((2, 2)), np.array([0, -1]), r"labels\[1\] is -1"),
    ],
)
def test_bad_scores(scores, labels, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        temperature(scores, labels)


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e307])
def test_the_temperature_of_scores_whose_squares_are_no_numbers(scale: float) -> None:
    scores, labels = np.array([[4.0, 0.0]] * 4), np.array([0, 0, 0, 1])
    assert np.isclose(temperature(scale * scores, labels) / scale, temperature(scores, labels), rtol=1e-6)
