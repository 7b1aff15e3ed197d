"""The coloured textures: each sample depends on its seed and number alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite.datasets import TEXTURE_NAMES, textures
from nnlite.datasets.texture_patterns import TEXTURES


@pytest.fixture(scope="module")
def three_hundred():
    return textures(300, seed=5)


def test_shapes_and_range(three_hundred):
    images, labels = three_hundred
    assert images.shape == (300, 3, 32, 32)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    assert images.min() >= 0
    assert images.max() <= 1
    assert np.array_equal(labels, np.arange(300) % 10)
    assert len(TEXTURE_NAMES) == len(set(TEXTURE_NAMES)) == 10


def test_256_levels(three_hundred):
    levels = three_hundred[0] * 255
    assert np.abs(levels - np.round(levels)).max() < 1e-4


@settings(max_examples=20, deadline=None)
@given(start=st.integers(0, 290), n=st.integers(1, 10))
def test_a_sample_depends_on_seed_and_number_alone(three_hundred, start, n):
    images, labels = textures(n, seed=5, start=start)
    assert np.array_equal(images, three_hundred[0][start : start + n])
    assert np.array_equal(labels, three_hundred[1][start : start + n])


def test_these_are_the_textures_that_colour_net_was_trained_on():
    """The mean of ten of each class: whoever changes a pattern must train the network again."""
    means = textures(100, seed=0)[0].reshape(10, 10, -1).mean(axis=(0, 2))
    expected = [0.4062, 0.4615, 0.4252, 0.4835, 0.45, 0.3641, 0.4072, 0.3826, 0.5286, 0.4739]
    assert means == pytest.approx(expected, abs=2e-4)


def test_another_label_changes_only_that_sample(three_hundred):
    labels = three_hundred[1][:20].copy()
    labels[7] = 2
    images, _ = textures(20, seed=5, labels=labels)
    same = [np.array_equal(one, other) for one, other in zip(images, three_hundred[0], strict=False)]
    assert same == [i != 7 for i in range(20)]


def test_another_seed_is_another_texture(three_hundred):
    assert not any(np.array_equal(*pair) for pair in zip(textures(20, seed=6)[0], three_hundred[0], strict=False))


@pytest.mark.parametrize("label", range(10))
def test_every_pattern_has_two_paints_at_least_and_the_edges_are_soft(label):
    """The paint goes from 0 to 1 or above; under one pixel a unit more it stays finite."""
    y, x = np.mgrid[0:64, 0:64][:, None].astype(np.float32) / 12
    u = np.full((1, 1, 1), 0.5, np.float32)
    waves = np.random.default_rng(0).random((1, 10, 2, 1, 1), dtype=np.float32)
    paint = TEXTURES[label].pattern(x, y, np.full((1, 1, 1), 12, np.float32), u, waves)
    assert paint.shape == (1, 64, 64)
    assert paint.min() >= 0
    assert paint.min() < 0.1
    assert 0.9 < paint.max() <= 3.5
    assert ((paint > 0.05) & (paint < 0.95)).any()


def test_no_texture_is_of_one_colour(three_hundred):
    assert three_hundred[0].std(axis=(2, 3)).max(axis=1).min() > 0.03


def test_a_larger_image_has_the_same_middle():
    """The light and the noise change with the size, the paint does not: the two are much alike."""
    large, small = textures(10, size=64)[0][:, :, 16:48, 16:48], textures(10, size=32)[0]
    for one, other in zip(large, small, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.7
    assert textures(1, size=1)[0].shape == (1, 3, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": -1}, ValueError, "n: expected 0 or more, got -1"),
        ({"n": 2.0}, TypeError, "n: expected an integer, got 2.0"),
        ({"n": 1, "seed": -1}, ValueError, "seed: expected 0 or more"),
        ({"n": 1, "start": True}, TypeError, "start: expected an integer"),
        ({"n": 1, "size": 0}, ValueError, "size: expected 1 or more, got 0"),
        ({"n": 1, "size": 3.5}, TypeError, "size: expected an integer"),
        ({"n": 2, "labels": [1, 10]}, ValueError, "expected a texture from 0 to 9, got values from 1 to 10"),
        ({"n": 2, "labels": [1, 2, 3]}, ValueError, r"one texture or the shape \(2,\), got the shape \(3,\)"),
        ({"n": 2, "labels": [1.0, 2.0]}, TypeError, "expected integers, got float64"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        textures(**arguments)


def test_none_at_all():
    images, labels = textures(0)
    assert images.shape == (0, 3, 32, 32)
    assert labels.shape == (0,)
