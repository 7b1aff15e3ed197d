"""The penalties: by plain loops and by finite differences; at their ends; bad input."""

import numpy as np
import pytest

from nnlite import Network
from nnlite.layers import Conv2d, MaxPool2d, ReLU
from nnlite.model_based.objectives import Through
from nnlite.model_based.penalties import (
    HighPass,
    TotalVariation,
    gram_similarity,
    high_frequencies,
    high_frequency_share,
)

rng = np.random.default_rng(71)
MAPS = Network([Conv2d(rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4)), ReLU(), MaxPool2d(2)])


def assert_gradient(f, x, h=1e-6):
    """∂ Σ_n f_n / ∂x along random directions."""
    for _ in range(4):
        v = rng.normal(size=x.shape)
        slope = (f(x + h * v)[0] - f(x - h * v)[0]).sum() / (2 * h)
        assert np.isclose((f(x)[1] * v).sum(), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("beta", [1, 1.5, 2, 3.0])
def test_total_variation_by_plain_loops(beta):
    x = rng.normal(size=(2, 3, 4, 5))
    expected = np.zeros(2)
    for n, c, i, j in np.ndindex(x.shape):
        right = x[n, c, i, j + 1] - x[n, c, i, j] if j < 4 else 0
        below = x[n, c, i + 1, j] - x[n, c, i, j] if i < 3 else 0
        expected[n] += (right**2 + below**2) ** (beta / 2)
    assert np.allclose(TotalVariation(beta)(x)[0], expected)
    assert_gradient(TotalVariation(beta), x)


def test_total_variation_of_one_grey_is_flat():
    value, gradient = TotalVariation(1)(np.full((1, 1, 3, 3), 0.4))
    assert not value.any()
    assert not gradient.any()


@pytest.mark.parametrize("size", [(6, 6), (5, 6), (6, 5), (1, 4)])
def test_high_pass_is_symmetric_and_by_its_definition(size):
    layer, (H, W) = HighPass(1.2), size
    units = np.eye(H * W).reshape(-1, 1, 1, H, W)
    J = np.stack([layer.forward(unit).ravel() for unit in units], axis=1)
    assert np.allclose(J, J.T, atol=1e-14)
    y, x = np.indices(size)
    for k, f in np.ndindex(H, W):
        angle = 2 * np.pi * (k * y / H + f * x / W)
        squares = np.fft.fftfreq(H)[k] ** 2 + np.fft.fftfreq(W)[f] ** 2
        passed = 1 - np.exp(-2 * np.pi**2 * 1.2**2 * squares)
        assert np.allclose(J @ np.cos(angle).ravel(), passed * np.cos(angle).ravel(), atol=1e-12)


def test_high_frequencies_are_what_a_blur_takes():
    x = rng.normal(size=(2, 2, 6, 7))
    assert_gradient(high_frequencies(0.8), x)
    assert np.allclose(high_frequencies(0.8)(x)[0], (HighPass(0.8).forward(x) ** 2).sum(axis=(1, 2, 3)))
    chessboard = np.indices((6, 6)).sum(axis=0)[None, None] % 2.0
    assert np.allclose(high_frequencies(2.0)(chessboard)[0], ((chessboard - 0.5) ** 2).sum())
    wide = np.cos(2 * np.pi * np.arange(8) / 8)[None, None, None] * np.ones((1, 1, 8, 1))
    assert high_frequency_share(np.concatenate([wide, wide * 0 + 3])).round(12).tolist() == [0, 0]


def test_gram_similarity_by_plain_loops():
    a = rng.normal(size=(4, 3, 2, 5))
    G = [np.einsum("ihw,jhw->ij", a[n], a[n]).ravel() for n in range(4)]
    cosine = [[g @ h / np.sqrt((g @ g) * (h @ h)) for h in G] for g in G]
    expected = [(sum(row) - row[n]) / 3 for n, row in enumerate(cosine)]
    assert np.allclose(gram_similarity(a)[0], expected)
    assert_gradient(gram_similarity, a)
    assert_gradient(gram_similarity, rng.normal(size=(3, 6)))
    assert_gradient(Through(MAPS, gram_similarity), rng.normal(size=(3, 2, 6, 7)))


def test_gram_similarity_at_its_ends():
    a = rng.normal(size=(1, 3, 2, 2))
    value, gradient = gram_similarity(np.concatenate([a, -7 * a]))
    assert np.allclose(value, 1)
    assert np.allclose(gradient, 0)
    value, gradient = gram_similarity(np.concatenate([a, a * 0]))
    assert value.tolist() == [0, 0]
    assert not gradient.any()
    assert gram_similarity(a)[0] == 0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="beta"):
        TotalVariation(0.5)
    with pytest.raises(ValueError, match="sigma"):
        HighPass(0)
    for takes_images in (TotalVariation(), high_frequencies()):
        with pytest.raises(ValueError, match="images"):
            takes_images(np.ones((2, 3)))


def test_what_is_no_batch_of_images_or_maps():
    with pytest.raises(ValueError, match=r"high_frequency_share takes images \(N, C, H, W\)"):
        high_frequency_share(np.zeros((4, 8, 8)))
    with pytest.raises(ValueError, match=r"gram_similarity takes activations \(N, K"):
        gram_similarity(np.zeros(3))
