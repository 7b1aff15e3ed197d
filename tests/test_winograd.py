"""Winograd's convolution is the convolution: both forms, there and back, also where a tile would spoil its numbers."""

import gc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, kernels
from nnlite.decision_based.occlusion import occlusion
from nnlite.kernels import winograd
from nnlite.layers import Conv2d, ConvTranspose2d, Dense, Flatten, ReLU

often = settings(max_examples=40, deadline=None, derandomize=True)
FORWARD = (winograd.forward_numpy, winograd.forward_numba)
BACKWARD = (winograd.backward_input_numpy, winograd.backward_input_numba)
ONE = (1, 1)


def directly(a, W, padding):
    """The convolution as NumPy's backend has it."""
    with kernels.use("numpy"), np.errstate(all="ignore"):
        return kernels.forward(a, W, None, ONE, padding, ONE, 1)


def back_directly(dz, W, padding):
    size = tuple(n + 2 - 2 * p for n, p in zip(dz.shape[2:], padding, strict=True))
    with kernels.use("numpy"), np.errstate(all="ignore"):
        return kernels.backward_input(dz, W, size, ONE, padding, ONE, 1)


def assert_close(found, expected, tolerance=None):
    """1e-12 of the largest finite number in float64, 1e-5 in float32; NaN and infinities in the same places."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.where(np.isfinite(found), 0, found), np.where(finite, 0, expected))
    tolerance = tolerance or (1e-12 if expected.dtype == np.float64 else 1e-5)
    largest = np.abs(expected[finite]).max(initial=0)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=0, atol=tolerance * largest)


@st.composite
def convolutions(draw, most_padding=4):
    """Images (both sides of where m changes, whole tiles or not), filters, padding."""
    padding = draw(st.tuples(st.integers(0, most_padding), st.integers(0, most_padding)))
    size = [draw(st.integers(max(1, 3 - 2 * p), 40)) for p in padding]
    n, c, k = (draw(st.integers(1, most)) for most in (3, 5, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return rng.normal(size=(n, c, *size)).astype(dtype), rng.normal(size=(k, c, 3, 3)).astype(dtype), padding


# ------------------------------------------------------------------------------------------------- it is the same


@pytest.mark.parametrize("m", [2, 4])
def test_the_matrices_give_the_filter_of_one_row(m):
    A, G, B = winograd.matrices(m, np.dtype(np.float64))
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=m + 2), rng.normal(size=3)
    np.testing.assert_allclose(A.T @ ((G @ g) * (B.T @ d)), np.correlate(d, g), rtol=0, atol=1e-14)
    assert all((x == x.astype(np.float16)).all() for x in (A, B))  # exact in few bits


@often
@given(convolutions())
def test_forward_is_the_convolution_in_both_forms(case):
    for form in FORWARD:
        assert_close(form(*case), directly(*case))


@often
@given(convolutions(most_padding=2))
def test_backward_is_its_transpose_in_both_forms(case):
    a, W, padding = case
    dz = np.random.default_rng(0).normal(size=directly(*case).shape).astype(a.dtype)
    for up, down in zip(FORWARD, BACKWARD, strict=True):
        da = down(dz, W, padding)
        assert_close(da, back_directly(dz, W, padding))
        if a.dtype == np.float64:
            products = up(*case) * dz
            assert abs(products.sum() - (a * da).sum()) <= 1e-12 * np.abs(products).sum()


@pytest.mark.parametrize(("channels", "size"), [(512, 14), (512, 28), (64, 57)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_channels_round_no_worse_than_promised(channels, size, dtype):
    rng = np.random.default_rng(1)
    a, W = rng.normal(size=(1, channels, size, size)), rng.normal(size=(64, channels, 3, 3))
    a, W = np.maximum(a, 0).astype(dtype), W.astype(dtype)
    exact = directly(a.astype(np.float64), W.astype(np.float64), ONE)
    found = winograd.forward_numba(a, W, ONE)
    assert found.dtype == dtype
    assert_close(found.astype(np.float64), exact, 5e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("size", [(3, 1024), (40, 1000), (1024, 5), (300, 70)])
def test_images_of_many_blocks(size):
    rng = np.random.default_rng(2)
    a, W = rng.normal(size=(1, 2, *size)), rng.normal(size=(3, 2, 3, 3))
    assert_close(winograd.forward_numba(a, W, ONE), directly(a, W, ONE))


@often
@given(convolutions(most_padding=2))
def test_a_batch_is_its_samples_bit_for_bit(case):
    a, W, padding = case
    for run in (winograd.forward_numba, winograd.backward_input_numba):
        images = a if run is winograd.forward_numba else np.resize(a, (len(a), len(W), 9, 9))
        whole = run(images, W, padding)
        assert whole.tobytes() == run(images, W, padding).tobytes()
        assert whole.tobytes() == b"".join(run(image[None], W, padding).tobytes() for image in images)


def test_arrays_in_another_order_of_memory():
    rng = np.random.default_rng(3)
    a, W = rng.normal(size=(2, 20, 20, 3)).transpose(0, 3, 1, 2), rng.normal(size=(3, 3, 4, 3)).transpose(2, 0, 3, 1)
    for form in FORWARD:
        assert_close(form(a, W, ONE), directly(a, W, ONE))


def test_no_images_at_all():
    for form in FORWARD:
        assert form(np.zeros((0, 3, 8, 8)), np.zeros((5, 3, 3, 3)), (0, 0)).shape == (0, 5, 6, 6)


# ----------------------------------------------------------------------------------- where a tile would spoil them


@often
@given(convolutions(), st.sampled_from([np.nan, np.inf, -np.inf]), st.booleans(), st.randoms(use_true_random=False))
def test_nan_and_infinity_stay_in_their_windows(case, value, in_weights, random):
    a, W, _padding = case
    where = W if in_weights else a
    where[tuple(random.randrange(n) for n in where.shape)] = value
    for form in FORWARD:
        with np.errstate(all="ignore"):
            assert_close(form(*case), directly(*case))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_stay_in_their_windows_on_the_way_back(value):
    rng = np.random.default_rng(4)
    dz, W = rng.normal(size=(2, 4, 21, 22)), rng.normal(size=(4, 3, 3, 3))
    dz[1, 2, 7, 7] = value
    for form in BACKWARD:
        with np.errstate(all="ignore"):
            assert_close(form(dz, W, ONE), back_directly(dz, W, ONE))


@pytest.mark.parametrize("size", [9, 30])
@pytest.mark.parametrize("of", ["a", "W"])
def test_numbers_that_overflow_only_on_the_way(size, of):
    a, W = np.full((1, 2, size, size), 1.0, np.float32), np.full((2, 2, 3, 3), 1e-3, np.float32)
    (a if of == "a" else W)[:] = 1.5e37 if of == "W" else 3e38
    a *= np.where(np.indices((size, size)).sum(axis=0) % 2, 1, -1).astype(np.float32)
    expected = directly(a, W, ONE)
    assert np.isfinite(expected).all()
    for form in FORWARD:
        assert_close(form(a, W, ONE), expected)


def test_a_sample_with_nan_leaves_the_bits_of_the_others():
    rng = np.random.default_rng(5)
    a, W = rng.normal(size=(3, 4, 20, 20)), rng.normal(size=(4, 4, 3, 3))
    clean = winograd.forward_numba(a, W, ONE)
    a[1, 0, 10, 10] = np.nan
    with np.errstate(all="ignore"):
        found = winograd.forward_numba(a, W, ONE)
    assert np.isnan(found[1]).sum() == 4 * 9
    assert found[[0, 2]].tobytes() == clean[[0, 2]].tobytes()


# -------------------------------------------------------------------------------------- the filters that are kept


def filters(writeable=False):
    W = np.random.default_rng(7).normal(size=(3, 2, 3, 3))
    W.flags.writeable = writeable
    return W


def test_filters_are_kept_as_long_as_their_array_lives():
    a, W = np.random.default_rng(8).normal(size=(1, 2, 20, 20)), filters()
    key, before = id(W), len(winograd._kept)
    first = winograd.forward_numba(a, W, ONE)
    kept = winograd._kept[key][4, False]
    assert winograd.forward_numba(a, W, ONE).tobytes() == first.tobytes()
    winograd.backward_input_numba(first, W, ONE)
    winograd.forward_numba(a[:, :, :9, :9], W, ONE)
    assert winograd._kept[key][4, False] is kept
    assert set(winograd._kept[key]) == {(4, False), (4, True), (2, False)}
    del W
    gc.collect()
    assert key not in winograd._kept
    assert len(winograd._kept) == before


def test_filters_that_can_be_changed_are_not_kept():
    a, W = np.random.default_rng(8).normal(size=(1, 2, 20, 20)), filters(writeable=True)
    view = W[:]
    view.flags.writeable = False  # but W, which it looks at, is not
    for array in (W, view):
        before = winograd.forward_numba(a, array, ONE)
        W *= 2
        np.testing.assert_array_equal(winograd.forward_numba(a, array, ONE), 2 * before)
    assert not {id(W), id(view)} & set(winograd._kept)


def test_where_the_memory_is_full_nothing_more_is_kept(monkeypatch):
    monkeypatch.setattr(winograd, "KEPT_BYTES", 0)
    a, W = np.ones((1, 2, 20, 20)), filters()
    assert_close(winograd.forward_numba(a, W, ONE), directly(a, W, ONE))
    assert id(W) not in winograd._kept


# ------------------------------------------------------------------------------------------------- who goes this way


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"padding": (0, 2)}, True),
        ({"stride": (1, 2)}, False),
        ({"dilation": (2, 1)}, False),
        ({"groups": 2}, False),
        ({"W": (16, 16, 3, 5)}, False),
        ({"W": (16, 3, 3, 3)}, False),
        ({"W": (3, 16, 3, 3)}, False),
        ({"shape": (1, 16, 11, 28)}, False),
        ({"shape": (1, 16, 28, 1024)}, True),
        ({"shape": (1, 16, 28, 1025)}, False),
    ],
)
def test_which_convolutions_go_this_way(change, fits):
    case = {"shape": (1, 16, 28, 28), "W": (16, 16, 3, 3), "stride": ONE, "padding": ONE, "dilation": ONE, "groups": 1}
    assert winograd.fits(*{**case, **change}.values()) is fits


def test_the_way_back_is_for_paddings_up_to_two():
    kernels.use("numba")
    shapes = (1, 16, 28, 28), (16, 16, 3, 3)
    found = [winograd.fits_back(*shapes, ONE, (p, 1), ONE, 1) for p in range(4)]
    assert found == [True, True, True, False]


def test_a_layer_goes_this_way_there_and_back(monkeypatch):
    rng = np.random.default_rng(9)
    W, b = rng.normal(size=(24, 16, 3, 3)), rng.normal(size=24)
    a, dz = rng.normal(size=(2, 16, 15, 30)), rng.normal(size=(2, 24, 15, 30))
    down, up = Conv2d(W, b, padding=1), ConvTranspose2d(W, padding=1)
    calls = (lambda: down.forward(a), lambda: down.backward(a, dz), lambda: up.forward(dz), lambda: up.backward(dz, a))
    kernels.use("numpy")
    expected = [call() for call in calls]
    kernels.use("numba")
    taken = []
    for name in ("forward", "backward_input"):
        real = getattr(winograd, f"{name}_numba")
        monkeypatch.setattr(winograd, f"{name}_numba", lambda *x, real=real, name=name: taken.append(name) or real(*x))
    for call, values in zip(calls, expected, strict=True):
        with winograd.free_rounding():
            assert_close(call(), values)
        assert_close(call(), values)  # outside nobody goes this way
    assert taken == ["forward", "backward_input", "backward_input", "forward"]


def test_outside_a_sum_of_zeros_is_zero():
    """LRP divides by z unless it is zero."""
    rng = np.random.default_rng(10)
    W, a = rng.normal(size=(16, 16, 3, 3)), rng.normal(size=(1, 16, 28, 28))
    W[0, 8:], a[:, :8, 14:] = 0, 0
    assert (Conv2d(W).forward(a)[0, 0, 14:] == 0).all()
    assert not (winograd.forward_numba(a, W, (0, 0))[0, 0, 14:] == 0).all()


def test_occlusion_goes_this_way_and_a_cover_that_changes_nothing_takes_nothing():
    rng = np.random.default_rng(11)
    W = rng.normal(size=(48, 48, 3, 3)) / 12
    network = Network([Conv2d(W, padding=1), ReLU(), Flatten(), Dense(rng.normal(size=(48 * 28 * 28, 3)))])
    x = rng.normal(size=(2, 48, 28, 28))
    x[:, :, :14, :14] = 0
    kernels.use("numpy")
    expected = occlusion(network, x, 1, size=14, stride=14).drops
    kernels.use("numba")
    with mock.patch.object(winograd, "forward_numba", wraps=winograd.forward_numba) as taken:
        found = occlusion(network, x, 1, size=14, stride=14).drops
    assert taken.called
    assert_close(found, expected, 1e-11)
    assert (found[:, 0, 0] == 0).all()
