"""The Fourier parameterisation: written out in cosines, its transpose, its inverse, its variance; grey and coloured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite.model_based.fourier import COLOURS, MARGIN, Fourier, coefficient_shape, fourier_image, image_coefficients
from nnlite.model_based.objectives import SquaredDistance, Through

rng = np.random.default_rng(51)
SIZES = [(4, 4), (4, 5), (5, 4), (5, 5), (1, 4), (4, 1), (3, 2), (1, 1)]


def matrix(layer, channels=1):
    """J, column by column."""
    shape = coefficient_shape((channels, *layer.size))
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    return np.stack([layer.forward(unit[None]).ravel() for unit in units], axis=1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
def test_backward_is_the_transpose(size, decay):
    layer = Fourier(size, decay)
    J, u = matrix(layer), rng.normal(size=(1, 1, *size))
    c = np.zeros((1, *coefficient_shape((1, *size))))
    assert np.allclose(layer.backward(c, u).ravel(), J.T @ u.ravel(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("size", SIZES)
def test_forward_is_a_sum_of_waves(size):
    H, W = size
    c = rng.normal(size=(1, 1, H, W // 2 + 1, 2))
    frequency = np.hypot(np.fft.fftfreq(H)[:, None], np.fft.fftfreq(W))
    decay = 1 / np.maximum(frequency, 1 / max(H, W))
    decay /= np.sqrt((decay**2).mean())
    z = np.zeros(size)
    for y, x in np.ndindex(H, W):
        for k, f in np.ndindex(H, W // 2 + 1):
            m = 1 if f == 0 or 2 * f == W else 2
            angle = 2 * np.pi * (k * y / H + f * x / W)
            wave = c[0, 0, k, f, 0] * np.cos(angle) - c[0, 0, k, f, 1] * np.sin(angle)
            z[y, x] += np.sqrt(m) * decay[k, f] * wave / np.sqrt(H * W)
    assert np.allclose(Fourier(size).forward(c)[0, 0], z, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_without_decay_the_transpose_inverts(size):
    J = matrix(Fourier(size, 0))
    assert np.allclose(J @ J.T, np.eye(size[0] * size[1]), atol=1e-13)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_coefficients_are_the_shortest_that_make_the_image(size, decay):
    layer, z = Fourier(size, decay), rng.normal(size=(1, 1, *size))
    c = layer.coefficients(z)
    assert np.allclose(layer.forward(c), z, atol=1e-12)
    assert np.allclose(c.ravel(), np.linalg.pinv(matrix(layer)) @ z.ravel(), atol=1e-10)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (28, 28)])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_coefficients_of_variance_one_make_pixels_of_variance_one(size, decay):
    layer = Fourier(size, decay)
    c = np.zeros((1, *coefficient_shape((1, *size))))
    trace = sum(np.square(layer.backward(c, unit)).sum() for unit in np.eye(size[0] * size[1]).reshape(-1, 1, 1, *size))
    assert np.isclose(trace / (size[0] * size[1]), 1)


def test_it_is_lucids_image_but_for_a_constant():
    c, (H, W) = rng.normal(size=(6, 4)) + 1j * rng.normal(size=(6, 4)), (6, 6)
    frequency = np.hypot(np.fft.fftfreq(H)[:, None], np.fft.fftfreq(W)[: W // 2 + 1])
    lucid = np.fft.irfft2(c / np.maximum(frequency, 1 / 6) * np.sqrt(H * W)) / 4
    m = np.array([1, 2, 2, 1])
    ours = Fourier((H, W)).forward(np.stack([(c * np.sqrt(m)).real, (c * np.sqrt(m)).imag], axis=-1)[None, None])[0, 0]
    assert np.allclose(ours / lucid, (ours / lucid)[0, 0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3]), st.floats(0, 2))
def test_an_image_comes_back_from_its_coefficients(height, width, channels, decay):
    network = fourier_image((channels, height, width), decay=decay, dtype=np.float64)
    x = np.random.default_rng(height).uniform(MARGIN, 1 - MARGIN, (2, channels, height, width))
    c = image_coefficients(network, x)
    assert c.shape == (2, *coefficient_shape((channels, height, width))) == (2, *network.input_shape)
    assert np.allclose(network.forward(c)[-1], x, atol=1e-9)


def test_black_and_white_come_back_a_margin_inside():
    network = fourier_image((1, 4, 4), dtype=np.float64)
    x = (np.indices((4, 4)).sum(axis=0) % 2.0)[None, None]
    assert np.allclose(network.forward(image_coefficients(network, x))[-1], np.clip(x, MARGIN, 1 - MARGIN))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_lie_in_the_box_in_the_wanted_dtype(channels, dtype):
    network = fourier_image((channels, 9, 8), dtype=dtype)
    x = network.forward((30 * rng.normal(size=(2, *network.input_shape))).astype(dtype))[-1]
    assert x.dtype == dtype
    assert 0 <= x.min() < 0.01
    assert 0.99 < x.max() <= 1


def test_the_colours_are_mixed_by_lucids_matrix():
    network = fourier_image((3, 4, 4), dtype=np.float64)
    c = rng.normal(size=(1, *network.input_shape))
    z, mixed, _ = network.forward(c)[1:]
    mixing = COLOURS / np.sqrt((COLOURS**2).sum(axis=0).max())
    for y, x in np.ndindex(4, 4):
        assert np.allclose(mixed[0, :, y, x], mixing @ z[0, :, y, x])
    assert mixing[:, 0].min() > 0.5  # the first colour is brightness


@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 4, 5)])
def test_the_gradient_through_the_image_by_finite_differences(shape):
    network = fourier_image(shape, dtype=np.float64)
    f = Through(network, SquaredDistance(rng.random(shape)))
    c = rng.normal(size=(2, *network.input_shape))
    v = rng.normal(size=c.shape)
    h = 1e-6
    slope = (f(c + h * v)[0] - f(c - h * v)[0]).sum() / (2 * h)
    assert np.isclose((f(c)[1] * v).sum(), slope, rtol=1e-7)


@pytest.mark.parametrize("make", [
    lambda: Fourier((0, 4)), lambda: Fourier("ab"), lambda: Fourier((4, 4), -1), lambda: Fourier((4, 4), np.nan),
    lambda: fourier_image((4, 4)), lambda: fourier_image((1, 4, 0)), lambda: fourier_image(None),
    lambda: Fourier((4, 4)).forward(np.zeros((1, 1, 4, 4))),
    lambda: Fourier((4, 4)).forward(np.zeros((1, 1, 4, 4, 2))),
])  # fmt: skip
def test_bad_input_is_refused(make):
    with pytest.raises(ValueError, match=r"takes|at least|must be"):
        make()


def test_a_decay_whose_gains_are_no_numbers_is_refused():
    with pytest.raises(ValueError, match=r"decay 1000\.0 is too large"):
        Fourier((8, 8), 1000)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((1, 1, 8, 8), np.nan, np.float32), "x must be finite"),
        (np.full((1, 1, 9, 8), 0.5, np.float32), r"x takes the shape \(N, 1, 8, 8\)"),
        (np.full((1, 3, 8, 8), 0.5, np.float32), r"x takes the shape \(N, 1, 8, 8\)"),
        (np.zeros((1, 1, 8, 8), int), "x takes float32 values"),
        ([[0.5]], "x takes a NumPy array"),
    ],
)
def test_coefficients_of_what_is_no_image(x, message):
    with pytest.raises((TypeError, ValueError), match=message):
        image_coefficients(fourier_image((1, 8, 8)), x)


def test_an_image_is_float32_or_float64():
    with pytest.raises(ValueError, match="fourier_image takes float32 or float64, got int64"):
        fourier_image((1, 8, 8), dtype=int)
