"""LRP with occlusion: what is erased, what follows, and the search for the slides' "Label 1; predicted 6"."""

import numpy as np
import pytest

from nnlite import Network, datasets, models
from nnlite.decision_based import lrp
from nnlite.decision_based.masking import find_confusion, mask_by_relevance
from nnlite.layers import Conv2d, Dense, Flatten, ReLU

RNG = np.random.default_rng(0)
NET = Network(
    [Conv2d(RNG.normal(size=(3, 2, 3, 3)), RNG.normal(size=3)), ReLU(), Flatten(), Dense(RNG.normal(size=(12, 4)))]
)
X = RNG.random((5, 2, 4, 4))


@pytest.mark.parametrize("which", ["positive", "negative"])
def test_exactly_the_pixels_of_that_sign_are_erased(which):
    R = lrp.relevance(NET, X)
    after = mask_by_relevance(NET, X, R, which=which, fill=0.5)
    for index in np.ndindex(*X.shape):
        erased = R[index] > 0 if which == "positive" else R[index] < 0
        assert after.x[index] == (0.5 if erased else X[index])
        assert after.mask[index] == erased


@pytest.mark.parametrize(("percent", "count"), [(1, 1), (25, 8), (50, 16), (100, 32)])
def test_top_erases_the_most_relevant_pixels(percent, count):
    R = lrp.relevance(NET, X)
    after = mask_by_relevance(NET, X, R, which="top", percent=percent)
    for n in range(len(X)):
        assert after.mask[n].sum() == count
        if count < 32:
            assert R[n][after.mask[n]].min() >= R[n][~after.mask[n]].max()


def test_ties_go_to_the_first_in_row_major_order():
    after = mask_by_relevance(NET, X, np.ones(X.shape), which="top", percent=10)
    assert np.flatnonzero(after.mask[0]).tolist() == [0, 1, 2]


def test_scores_and_classes_are_those_of_the_network():
    target = np.array([0, 1, 2, 3, 0])
    after = mask_by_relevance(NET, X, lrp.relevance(NET, X, target), target)
    rows = np.arange(5)
    np.testing.assert_array_equal(after.score_before, NET.scores(X)[rows, target])
    np.testing.assert_array_equal(after.score, NET.scores(after.x)[rows, target])
    np.testing.assert_array_equal(after.predicted_before, NET.predict(X))
    np.testing.assert_array_equal(after.predicted, NET.predict(after.x))


def test_the_predicted_class_is_fixed_on_the_whole_input():
    after = mask_by_relevance(NET, X, lrp.relevance(NET, X))
    assert after.target.tolist() == NET.predict(X).tolist()


def test_a_map_without_channels_erases_all_channels():
    R = lrp.relevance(NET, X).sum(axis=1)
    after = mask_by_relevance(NET, X, R, which="positive")
    assert (after.mask[:, 0] == after.mask[:, 1]).all()
    assert (after.mask[:, 0] == (R > 0)).all()


def test_top_of_a_map_without_channels_erases_whole_pixels():
    network = Network([Flatten(), Dense(RNG.normal(size=(48, 3)))])
    x = RNG.random((5, 3, 4, 4))
    R = RNG.normal(size=(5, 4, 4))
    R[0] = 1  # ties: the first in row-major order
    after = mask_by_relevance(network, x, R, which="top", percent=25, fill=0.5)
    assert after.mask.shape == x.shape
    for n in range(5):
        erased = np.sort(np.argsort(-R[n].ravel(), kind="stable")[:4])
        for c in range(3):
            assert np.flatnonzero(after.mask[n, c]).tolist() == erased.tolist()
    assert (after.x[after.mask] == 0.5).all()
    assert (after.x[~after.mask] == x[~after.mask]).all()


def test_integer_maps_count_as_numbers():
    R = np.arange(X[:, 0].size, dtype=np.uint8).reshape(X[:, 0].shape)
    after = mask_by_relevance(NET, X, R, which="top", percent=6.25)
    assert after.mask[:, :, 3, 3].all()
    assert after.mask.sum() == 5 * 2


def test_a_batch_is_its_samples_one_at_a_time():
    R = lrp.relevance(NET, X)
    whole = mask_by_relevance(NET, X, R, which="top", percent=20)
    for n in range(len(X)):
        one = mask_by_relevance(NET, X[n : n + 1], R[n : n + 1], which="top", percent=20)
        np.testing.assert_array_equal(one.x[0], whole.x[n])
        np.testing.assert_allclose(one.score[0], whole.score[n], rtol=1e-10)


def test_erasing_what_is_relevant_costs_more_than_erasing_at_random():
    network = models.load("lenet")
    x, _ = datasets.strokes(50, seed=1)
    by_relevance = mask_by_relevance(network, x, lrp.relevance(network, x), which="top", percent=5)
    at_random = mask_by_relevance(network, x, np.random.default_rng(0).random(x.shape), which="top", percent=5)
    assert (by_relevance.score_before - by_relevance.score).mean() > 3 * (
        at_random.score_before - at_random.score
    ).mean()


def test_a_one_is_found_that_becomes_a_six():
    network = models.load("lenet")
    images, labels = datasets.strokes(3000, seed=models.HELD_OUT_SEED)
    case = find_confusion(network, images, labels)
    assert case is not None
    assert labels[case.number] == 1
    assert network.predict(images[case.number][None])[0] == 1
    assert network.predict(case.masked.x)[0] == 6
    assert case.pixels == case.masked.mask.sum() <= 0.05 * 784
    changed = images[case.number][None] != case.masked.x
    assert not (changed & ~case.masked.mask).any()


def test_what_is_found_is_one_sample_of_the_whole_search():
    images, labels = X, NET.predict(X)
    label = int(labels[0])
    for becomes in {0, 1, 2, 3} - {label}:
        case = find_confusion(NET, images, labels, label, becomes, rules=lrp.epsilon(), percents=(10, 40, 70))
        if case is None:
            continue
        assert all(len(part) == 1 for part in (case.R, case.R_after, *vars(case.masked).values()))
        alone = images[case.number][None]
        assert np.array_equal(case.masked.whole, alone)
        assert np.array_equal(case.masked.x, np.where(case.masked.mask, 0, alone))
        np.testing.assert_allclose(case.masked.score, NET.scores(case.masked.x)[:, label], rtol=1e-12)
        np.testing.assert_allclose(case.masked.score_before, NET.scores(alone)[:, label], rtol=1e-12)
        assert case.masked.predicted.tolist() == [becomes]
        assert case.masked.target.tolist() == case.masked.predicted_before.tolist() == [label]
        return
    pytest.fail("No case was found to look at.")


def test_results_compare_by_identity():
    one, other = (mask_by_relevance(NET, X, np.ones(X.shape)) for _ in range(2))
    assert one != other
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("labels", [np.ones(4, int), np.ones((5, 1), int), 1, np.full(5, 1.5), ["1"] * 5])
def test_labels_that_do_not_fit_the_images_are_one_clear_error(labels):
    with pytest.raises(ValueError, match=r"labels takes 5 integers, one for each image, got .*"):
        find_confusion(NET, X, labels)


def test_a_search_without_success_says_so():
    network = models.load("lenet")
    images, labels = datasets.strokes(20, seed=models.HELD_OUT_SEED)
    assert find_confusion(network, images, labels, 1, 0, percents=(0.2,)) is None
    assert find_confusion(network, images[:1], labels[:1], 1, 6) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"R": np.ones((5, 3, 3))}, ["(5, 2, 4, 4)", "(5, 3, 3)"]),
        ({"which": "all"}, ["positive, negative, top", "'all'"]),
        ({"which": "top", "percent": 0}, ["percent", "0"]),
        ({"which": "top", "percent": float("nan")}, ["percent", "nan"]),
        ({"which": "top", "percent": "10"}, ["percent", "'10'"]),
        ({"which": "top", "percent": True}, ["percent", "True"]),
        ({"percent": 101}, ["percent", "101"]),
        ({"fill": float("nan")}, ["fill", "finite", "nan"]),
        ({"fill": float("inf")}, ["fill", "finite", "inf"]),
        ({"fill": "black"}, ["fill", "number", "'black'"]),
        ({"fill": None}, ["fill", "number", "None"]),
        ({"fill": np.zeros(3)}, ["fill", "number"]),
        ({"R": np.where(X > 0.5, np.nan, X)}, ["R must be finite"]),
        ({"R": np.full(X.shape, "much")}, ["R takes", "numbers"]),
        ({"target": 9}, ["0 to 3", "9"]),
        ({"x": X[0]}, ["(N, 2, H, W)", "x[None]"]),
    ],
)
def test_a_mistake_is_one_clear_error(options, words):
    arguments = {"x": X, "R": np.ones(X.shape), **options}
    with pytest.raises(ValueError, match=r".") as error:
        mask_by_relevance(NET, arguments.pop("x"), arguments.pop("R"), **arguments)
    assert all(word in str(error.value) for word in words), str(error.value)
