"""Is the relevance where it is known to belong? Accuracies, erased strokes, margins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, datasets, models
from nnlite.decision_based import explain
from nnlite.evaluation import erase_strokes, margin, mass_accuracy, rank_accuracy
from nnlite.layers import Dense, Flatten, ReLU, Softmax

LENET = models.load("lenet")
X, Y, PEN = datasets.strokes(30, seed=1, labels=4, with_strokes=True)


@given(seed=st.integers(0, 2**32 - 1), channels=st.sampled_from([0, 1, 3]))
@settings(max_examples=40, deadline=None)
def test_the_accuracies_are_their_formulas_written_out(seed, channels):
    rng = np.random.default_rng(seed)
    R = rng.integers(-3, 4, (2, channels, 3, 4) if channels else (2, 3, 4)).astype(float)
    truth = rng.random((2, 3, 4)) < 0.4
    truth[:, 0, 0] = True
    mass, rank = mass_accuracy(R, truth), rank_accuracy(R, truth)
    for n in range(2):
        pixels = {}
        for i in range(3):
            for j in range(4):
                pixels[i, j] = sum(R[n, c, i, j] for c in range(channels)) if channels else R[n, i, j]
        inside = [p for p in pixels if truth[n][p]]
        total = sum(max(0, v) for v in pixels.values())
        assert mass[n] == pytest.approx(sum(max(0, pixels[p]) for p in inside) / total if total else 0)
        best = sorted(pixels, key=lambda p: -pixels[p])[: len(inside)]
        assert rank[n] == pytest.approx(sum(p in inside for p in best) / len(inside))


def test_the_truth_itself_is_right_and_the_rest_is_wrong():
    truth = PEN == 0
    R = truth.astype(np.float32)
    assert mass_accuracy(R, truth).tolist() == rank_accuracy(R, truth).tolist() == [1] * 30
    assert mass_accuracy(-R, truth).tolist() == [0] * 30
    inside, outside = mass_accuracy(X, truth), mass_accuracy(X, ~truth)
    np.testing.assert_allclose(inside + outside, 1, rtol=1e-5)
    assert mass_accuracy(np.ones(X.shape), truth) == pytest.approx(truth.mean(axis=(1, 2)))
    assert mass_accuracy(X, truth).dtype == np.float32


@pytest.mark.parametrize("accuracy", [mass_accuracy, rank_accuracy])
@pytest.mark.parametrize(
    ("R", "truth", "words"),
    [
        (np.ones((2, 3, 3)), np.ones((2, 3, 4), bool), "for the same pixels"),
        (np.ones((2, 3, 3)), np.ones((2, 3, 3)), "booleans"),
        (np.full((2, 3, 3), "much"), np.ones((2, 3, 3), bool), "booleans"),
        (np.full((2, 3, 3), np.nan), np.ones((2, 3, 3), bool), "must be finite"),
        (np.ones((2, 3, 3)), np.arange(2)[:, None, None] * np.ones((2, 3, 3)) == 0, "sample 1 names no pixel"),
    ],
)
def test_a_mistake_is_one_clear_error(accuracy, R, truth, words):
    with pytest.raises(ValueError, match=words):
        accuracy(R, truth)


def test_erased_strokes_one_by_one():
    found = erase_strokes(LENET, X, PEN)
    assert found.predicted.shape == found.drops.shape == found.present.shape == (30, PEN.max() + 1)
    for n in range(30):
        assert found.target[n] == LENET.predict(X[n : n + 1])[0]
        for k in range(PEN.max() + 1):
            several = len(set(PEN[n].ravel()) - {-1}) > 1
            if not several or not (PEN[n] == k).any():
                assert (found.present[n, k], found.drops[n, k], found.predicted[n, k]) == (False, 0, -1)
                continue
            left = X[n : n + 1].copy()
            for i in range(28):
                for j in range(28):
                    if PEN[n, i, j] == k:
                        left[0, 0, i, j] = 0
            before, after = (LENET.scores(image)[0] for image in (X[n : n + 1], left))
            assert found.present[n, k]
            assert found.predicted[n, k] == after.argmax()
            assert found.drops[n, k] == pytest.approx(before[found.target[n]] - after[found.target[n]], abs=1e-4)


def test_a_4_without_its_angle_is_often_a_1_and_that_is_found_there():
    found = erase_strokes(LENET, X, PEN, 4)
    ones = found.predicted[:, 0] == 1
    assert ones.sum() >= 5
    network = margin(LENET, 4, 1)
    truth = PEN[ones] == 0
    by_gradient = mass_accuracy(explain(network, X[ones], "gradient-times-input"), truth).mean()
    assert by_gradient > mass_accuracy(X[ones], truth).mean() + 0.05  # more than the ink itself


def test_strokes_of_a_blank_page():
    blank = erase_strokes(LENET, 0 * X[:2], np.full((2, 28, 28), -1))
    assert blank.present.shape == (2, 0)


@pytest.mark.parametrize("pen", [PEN[:3], PEN.astype(float), PEN - 5])
def test_pens_that_do_not_fit(pen):
    with pytest.raises(ValueError, match="pen takes integers from -1, one a pixel"):
        erase_strokes(LENET, X, pen)


def test_a_margin_is_the_difference_of_two_scores_and_so_is_its_explanation():
    network = LENET.astype(np.float64)
    x = X[:3].astype(np.float64)
    why = margin(network, 4, 9)
    scores = network.scores(x)
    np.testing.assert_allclose(why.scores(x)[:, 0], scores[:, 4] - scores[:, 9])
    for name in ("gradient", "gradient-times-input", "integrated-gradients", "lrp-zero", "occlusion"):
        difference = explain(network, x, name, 4) - explain(network, x, name, 9)
        np.testing.assert_allclose(explain(why, x, name), difference, atol=1e-9)
    softmax = Network([*network, Softmax()])
    np.testing.assert_allclose(margin(softmax, 4, 9).scores(x), why.scores(x))
    assert why.input_shape == (1, 28, 28)


def test_margins_that_cannot_be():
    for c, d in ((4, 10), (-1, 2), ("four", 2), (1.0, 2)):
        with pytest.raises(ValueError, match="target takes"):
            margin(LENET, c, d)
    with pytest.raises(ValueError, match="ends with a Dense"):
        margin(Network([Flatten(), Dense(np.eye(3)), ReLU()]), 0, 1)
