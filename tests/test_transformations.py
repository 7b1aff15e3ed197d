"""Transformations: the exact transpose, SciPy's interpolation, their laws of drawing, and f under them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from nnlite import Network
from nnlite.layers import Conv2d, Dense, Flatten, ReLU
from nnlite.model_based.ascent import ascend
from nnlite.model_based.objectives import Score, drawn, squared_norm
from nnlite.model_based.transformations import Jitter, Robust, Rotation, Scaling, Shift
from nnlite.model_based.warp import Warp

rng = np.random.default_rng(41)
LAYERS = [Shift(2, -1), Shift(-9, 4), Warp(17.3), Warp(factor=0.8), Warp(factor=1.7), Warp(-131.0, 1.21), Warp(90.0)]


def matrix(layer, shape):
    """J of a linear layer, column by column."""
    units = np.eye(np.prod(shape)).reshape(-1, *shape)
    return np.stack([layer.forward(unit[None]).ravel() for unit in units], axis=1)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("size", [(5, 4), (4, 4), (1, 3)])
def test_backward_is_the_transpose(layer, size):
    J = matrix(layer, (2, *size))
    u = rng.normal(size=(1, 2, *size))
    assert np.allclose(layer.backward(u, u).ravel(), J.T @ u.ravel(), rtol=0, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(st.floats(-180, 180), st.floats(0.2, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_adjoint_identity(degrees, factor, height, width, seed):
    v, u = np.random.default_rng(seed).normal(size=(2, 2, 3, height, width))
    layer = Warp(degrees, factor)
    assert np.isclose((layer.forward(v) * u).sum(), (v * layer.backward(v, u)).sum(), rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.floats(-180, 180), st.floats(0.3, 3), st.integers(1, 8), st.integers(1, 8))
def test_warp_is_scipys_interpolation(degrees, factor, height, width):
    a = np.random.default_rng(0).normal(size=(height, width))
    t = np.radians(degrees)
    back = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) / factor
    centre = (np.array(a.shape) - 1) / 2
    theirs = ndimage.affine_transform(a, back, centre - back @ centre, order=1, mode="grid-constant")
    assert np.allclose(Warp(degrees, factor).forward(a[None, None])[0, 0], theirs, atol=1e-9)


def test_warp_turns_counter_clockwise_and_enlarges():
    a = rng.normal(size=(2, 3, 5, 5))
    assert np.array_equal(Warp().forward(a), a)
    assert np.allclose(Warp(90).forward(a), np.rot90(a, axes=(2, 3)))
    assert np.allclose(Warp(180).forward(a), a[..., ::-1, ::-1])
    enlarged = Warp(factor=2).forward(a)
    assert np.allclose(enlarged[..., ::2, ::2], a[..., 1:4, 1:4])
    assert np.allclose(enlarged[..., 2, 1], (a[..., 2, 1] + a[..., 2, 2]) / 2)


def test_shift_by_its_definition():
    a = rng.normal(size=(1, 2, 4, 3))
    z = Shift(1, -2).forward(a)
    for y, x in np.ndindex(4, 3):
        assert np.array_equal(z[..., y, x], a[..., (y - 1) % 4, (x + 2) % 3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_dtype_is_kept(layer, dtype):
    a = rng.normal(size=(2, 1, 6, 6)).astype(dtype)
    assert layer.forward(a).dtype == layer.backward(a, a).dtype == dtype
    assert layer.output_shape(a.shape) == a.shape == layer.forward(a).shape


def test_draws_stay_within_their_bounds_and_reach_near_them():
    draws = [np.random.default_rng(seed) for seed in range(300)]
    shifts = [Jitter(2).draw(one, (1, 1, 8, 8)) for one in draws]
    assert {shift.rows for shift in shifts} == {shift.columns for shift in shifts} == {-2, -1, 0, 1, 2}
    degrees = [Rotation(10).draw(one, (1, 1, 8, 8)).degrees for one in draws]
    assert -10 <= min(degrees) < -9
    assert 9 < max(degrees) <= 10
    factors = [Scaling(0.2).draw(one, (1, 1, 8, 8)).factor for one in draws]
    assert 0.8 <= min(factors) < 0.82
    assert 1.18 < max(factors) <= 1.2


@pytest.mark.parametrize("nothing", [Jitter(0), Rotation(0), Scaling(0)], ids=repr)
def test_a_law_of_nothing_changes_nothing(nothing):
    a = rng.normal(size=(2, 1, 5, 6))
    assert np.array_equal(nothing.draw(np.random.default_rng(3), a.shape).forward(a), a)


# ------------------------------------------------------------------------------------------------------- f under them

NETWORK = Network(
    [Conv2d(rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)), ReLU(), Flatten(), Dense(rng.normal(size=(48, 4)))],
    input_shape=(2, 6, 6),
)
ALL = (Jitter(2), Scaling(0.2), Rotation(20), Jitter(1))


def test_a_draw_is_f_of_the_transformed_image():
    x = rng.normal(size=(2, 2, 6, 6))
    seen = []

    def f(z):
        seen.append(z)
        return squared_norm(z)

    one = Robust((Jitter(2), Rotation(20)), f).draw(np.random.default_rng(5))
    value, _ = one(x)
    again, _ = one(x)
    assert np.array_equal(value, again)
    assert np.array_equal(seen[0], seen[1])
    repeat = np.random.default_rng(int(np.random.default_rng(5).integers(2**63)))
    shift = Jitter(2).draw(repeat, x.shape)
    turned = Rotation(20).draw(repeat, x.shape).forward(shift.forward(x))
    assert np.array_equal(seen[0], turned)
    assert np.allclose(value, (turned**2).sum(axis=(1, 2, 3)))


def test_every_step_draws_anew_and_a_seed_repeats_them():
    f, x = Robust(ALL, Score(NETWORK, 2)), rng.normal(size=(1, 2, 6, 6))
    draws = np.random.default_rng(0)
    values = [drawn(f, draws)(x)[0][0] for _ in range(8)]
    assert len(set(values)) == 8
    first, second = (ascend(f, x, steps=6, rng=9) for _ in range(2))
    assert np.array_equal(first.x, second.x)
    assert not np.array_equal(first.x, ascend(f, x, steps=6, rng=10).x)
    assert np.array_equal(f(x)[0], Score(NETWORK, 2)(x)[0])  # without a draw: x as it is


def test_the_gradient_under_transformations_by_finite_differences():
    x = rng.normal(size=(2, 2, 6, 6))
    f = Robust(ALL, Score(NETWORK, 1)).draw(np.random.default_rng(2))
    g, h = f(x)[1], 1e-6
    for place in [(0, 0, 0, 0), (0, 1, 3, 2), (1, 0, 5, 5), (1, 1, 2, 4)]:
        step = np.zeros_like(x)
        step[place] = h
        slope = (f(x + step)[0] - f(x - step)[0]).sum() / (2 * h)
        assert np.isclose(g[place], slope, rtol=1e-6, atol=1e-8)


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("make", [
    lambda: Jitter(-1), lambda: Jitter(1.5), lambda: Jitter(True),
    lambda: Rotation(-1), lambda: Rotation(np.nan), lambda: Rotation(181), lambda: Rotation("10"),
    lambda: Scaling(-0.1), lambda: Scaling(1), lambda: Scaling(np.inf),
    lambda: Warp(factor=0), lambda: Warp(factor=-1), lambda: Warp(np.nan),
])  # fmt: skip
def test_bad_laws_are_refused(make):
    with pytest.raises(ValueError, match=r"takes|must be"):
        make()


@pytest.mark.parametrize("layer", [Shift(1, 1), Warp(10)], ids=repr)
def test_bad_images_are_refused(layer):
    with pytest.raises(ValueError, match="images"):
        layer.forward(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="signal above"):
        layer.backward(np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 4, 3)))
    with pytest.raises(ValueError, match="float32 or float64"):
        layer.forward(np.zeros((1, 1, 4, 4), int))
