"""The two forms of every kernel are one function: NumPy's to read, Numba's to run.

Also: which form runs, what happens where Numba may not write its cache, and what `import nnlite` does not import.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from nnlite import kernels
from nnlite.kernels import convolution, division, filters, flat
from nnlite.kernels.blas import one_blas_thread
from nnlite.kernels.windows import Windows, output_size
from nnlite.layers import AvgPool2d, Conv2d, MaxPool2d

pytestmark = pytest.mark.once  # see setup.cfg

GATHER = convolution.gather_numpy, convolution.gather_numba
SCATTER = convolution.scatter_numpy, convolution.scatter_numba
often = settings(max_examples=40, deadline=None, derandomize=True)


def with_both(function):
    """What `function` gives under the NumPy and under the Numba backend."""
    results = []
    for name in ("numpy", "numba"):
        with kernels.use(name), np.errstate(all="ignore"):
            results.append(function())
    return results


def assert_same(plain, fast):
    """1e-12 of the largest finite number in float64, 1e-5 in float32; NaN and infinities in the same places."""
    assert (plain.dtype, plain.shape) == (fast.dtype, fast.shape)
    finite = np.isfinite(plain)
    np.testing.assert_array_equal(np.where(finite, 0, plain), np.where(np.isfinite(fast), 0, fast))
    largest = np.abs(plain[finite]).max(initial=0)
    tolerance = (1e-12 if plain.dtype == np.float64 else 1e-5) * largest
    np.testing.assert_allclose(fast[finite], plain[finite], rtol=0, atol=tolerance)


# ------------------------------------------------------------------------------------------------------- the drawing


def numbers(rng, shape, kind, dtype):
    """Random, tied (small integers), zero, or with NaN and infinities here and there."""
    x = rng.normal(size=shape)
    if kind == "tied":
        x = rng.integers(-1, 2, shape)
    elif kind == "zero":
        x = np.zeros(shape)
    elif kind == "special":
        x = np.where(rng.random(shape) < 0.15, rng.choice([np.nan, np.inf, -np.inf, -0.0], shape), x)
    return x.astype(dtype)


kinds = st.sampled_from(["random", "tied", "zero", "special"])
dtypes = st.sampled_from([np.float32, np.float64])
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def geometries(draw, pooling=False):
    """Windows over images, every option free; those of a pooling are padded by half a window at most."""
    size, stride = draw(pairs), draw(pairs)
    dilation = (1, 1) if pooling else draw(pairs)
    padding = tuple(draw(st.integers(0, k // 2 if pooling else 3)) for k in size)
    ceil_mode = pooling and draw(st.booleans())
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True)]
    image = tuple(max(1, r - 2 * p + draw(st.integers(0, 6))) for r, p in zip(reach, padding, strict=True))
    output = tuple(
        output_size(*axis, ceil_mode=ceil_mode) for axis in zip(image, size, stride, padding, dilation, strict=True)
    )
    return Windows(image, size, stride, padding, dilation, output)


@st.composite
def arrays(draw):
    """A function that makes an array of any shape, all of one kind and dtype, the same at every run."""
    rng, kind, dtype = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(kinds), draw(dtypes)
    return lambda *shape: numbers(rng, shape, kind, dtype)


counts = st.integers(1, 3)

# ------------------------------------------------------------------------------------------------ convolution


@often
@given(geometries(), arrays(), counts, counts)
def test_gather_is_the_same_in_both_forms(at, array, n, c):
    a = array(n, c, *at.input)
    np.testing.assert_array_equal(*[form(a, at) for form in GATHER])


@often
@given(geometries(), arrays(), counts, counts)
def test_scatter_is_the_same_in_both_forms(at, array, n, c):
    columns = array(n, c, *at.size, *at.output)
    assert_same(*[form(columns, at) for form in SCATTER])


@often
@given(geometries(), st.integers(0, 2**32 - 1))
def test_scatter_is_the_transpose_of_gather(at, seed):
    rng = np.random.default_rng(seed)
    a, columns = rng.normal(size=(2, 2, *at.input)), rng.normal(size=(2, 2, *at.size, *at.output))
    for up, down in zip([form(a, at) for form in GATHER], [form(columns, at) for form in SCATTER], strict=True):
        assert abs((up * columns).sum() - (a * down).sum()) <= 1e-12 * np.abs(up * columns).sum() + 1e-12


@often
@given(geometries(), arrays(), counts, counts, counts, st.integers(1, 3))
def test_the_three_products_of_a_convolution_are_the_same_in_both_forms(at, array, n, c, k, groups):
    a, W, dz = array(n, groups * c, *at.input), array(groups * k, c, *at.size), array(n, groups * k, *at.output)
    b = array(groups * k)
    options = at.stride, at.padding, at.dilation, groups
    assert_same(*with_both(lambda: kernels.forward(a, W, b, *options)))
    assert_same(*with_both(lambda: kernels.forward(a, W, None, *options)))
    assert_same(*with_both(lambda: kernels.backward_input(dz, W, at.input, *options)))
    assert_same(*with_both(lambda: kernels.backward_weights(a, dz, at.size, *options)))


@often
@given(arrays(), st.sampled_from([(1, 1), (3, 3), (2, 5)]), pairs, st.integers(0, 2), st.integers(1, 2), st.booleans())
def test_convolutions_of_one_channel_a_group_and_of_pixels(array, size, stride, padding, k, deep):
    """Wide enough for whole vectors; each pixel apart from its neighbours, NaN and infinities in their places."""
    groups, c, padding = (3, 1, (padding, 0)) if deep else (1, 3, (0, 0))
    size = size if deep else (1, 1)
    options = stride, padding, (1, 1), groups
    a, W, b = array(2, 3, 9, 43), array(3 * k, c, *size), array(3 * k)
    dz = array(2, 3 * k, *output_shape(a, size, stride, padding))
    assert_same(*with_both(lambda: kernels.forward(a, W, b, *options)))
    assert_same(*with_both(lambda: kernels.backward_input(dz, W, a.shape[2:], *options)))
    assert_same(*with_both(lambda: kernels.backward_weights(a, dz, size, *options)))


def output_shape(a, size, stride, padding):
    return [output_size(*axis) for axis in zip(a.shape[2:], size, stride, padding, strict=True)]


@pytest.mark.parametrize(
    ("channels", "window", "stride", "groups"), [(4, 3, 2, 4), (4, 1, 1, 1), (3, 7, 2, 1), (4, 3, 1, 2)]
)
def test_a_sample_that_is_not_finite_leaves_the_bits_of_its_neighbours(channels, window, stride, groups):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(8, channels // groups, window, window))
    options = (stride,) * 2, (window // 2,) * 2, (1, 1), groups
    a = rng.normal(size=(3, channels, 15, 18))
    spoiled, dz = a.copy(), rng.normal(size=kernels.forward(a, W, None, *options).shape)
    spoiled[0, :, ::3, 5], torn = np.inf, dz.copy()
    torn[0, :, 2] = np.nan
    with np.errstate(invalid="ignore"):
        up = [kernels.forward(x, W, None, *options) for x in (a, spoiled)]
        down = [kernels.backward_input(x, W, (15, 18), *options) for x in (dz, torn)]
    for clean, other in (up, down):
        assert not np.isfinite(other[0]).all()
        assert clean[1:].tobytes() == other[1:].tobytes()


def test_a_batch_in_many_blocks_is_the_batch_in_one(monkeypatch):
    rng = np.random.default_rng(0)
    a, W, dz = rng.normal(size=(7, 2, 6, 6)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=(7, 3, 4, 4))
    options = (1, 1), (0, 0), (1, 1), 1

    def products():
        return (
            kernels.forward(a, W, None, *options),
            kernels.backward_input(dz, W, (6, 6), *options),
            kernels.backward_weights(a, dz, (3, 3), *options),
        )

    whole = products()
    monkeypatch.setattr("nnlite.kernels.convolution.BLOCK_BYTES", 2 * 2 * 9 * 16 * 8)  # two samples a block
    for columns in (2 * 2 * 9 * 24 * 8, 2 * 9 * 6 * 8 * 2):  # of flat.py: two samples a block, and two rows of one
        flat._blocks.cache_clear()
        monkeypatch.setattr("nnlite.kernels.flat.BLOCK_BYTES", columns)
        monkeypatch.setattr("nnlite.kernels.flat.LEAST", 1)
        for one, many in zip(whole, products(), strict=True):
            np.testing.assert_allclose(many, one, rtol=1e-12, atol=1e-13)
    flat._blocks.cache_clear()


@often
@given(geometries(), arrays(), st.integers(1, 5), st.integers(1, 3), st.sampled_from([1, 2]))
def test_the_gradient_of_the_filters_a_few_channels_at_a_time(at, array, c, k, groups):
    a, dz = array(2, c * groups, *at.input), array(2, k * groups, *at.output)
    at_once = with_both(lambda: filters.backward_weights(a, dz, at, groups))[1]
    with mock.patch.multiple(filters, BLOCK_BYTES=1, LEAST=2):
        assert_same(at_once, with_both(lambda: filters.backward_weights(a, dz, at, groups))[1])


@often
@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (7,), (3, 5, 2)]), st.sampled_from([np.float32, np.float64]))
def test_a_step_of_adam_has_the_same_bits_in_both_forms(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    w, g, m, v = (np.asarray(numbers(rng, shape, "special", dtype)) for _ in range(4))
    steps = with_both(lambda: kernels.adam(w, g, m, np.abs(v), 0.9, 0.999, 1e-8, 1e-2, 0.3))
    for plain, fast in zip(*steps, strict=True):
        assert (plain.dtype, np.shape(plain)) == (fast.dtype, fast.shape)
        np.testing.assert_array_equal(plain, fast)


@pytest.mark.parametrize("shape", [(7, 3, 1), (4, 3, 49), (1, 2, 5), (3, 1, 64)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_the_sums_of_a_batchnorm_are_the_same_in_both_forms(shape, dtype, offset):
    """Far from 0 too, where a sum of squares from which another is taken would have lost the variance."""
    rng = np.random.default_rng(0)
    a, dz = (rng.normal(size=shape) + offset).astype(dtype), rng.normal(size=shape).astype(dtype)
    (mean, var), (other_mean, other_var) = with_both(lambda: kernels.moments(a))
    assert_same(mean, other_mean)
    np.testing.assert_allclose(other_var, a.astype(np.float64).var(axis=(0, 2)), rtol=1e-9)
    for one, other in zip(*with_both(lambda: kernels.products(a, dz, mean, 1 / np.sqrt(var))), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-9 * dz.size)
    assert_same(*with_both(lambda: kernels.blend(a, dz, mean, var, mean / 1e4, var)))


def test_an_infinite_weight_on_padding_is_nan_in_both_forms():
    a, W = np.ones((1, 1, 2, 2)), np.full((1, 1, 3, 3), np.inf)
    plain, fast = with_both(lambda: Conv2d(W, padding=1).forward(a))
    assert np.isnan(plain).all()
    assert np.isnan(fast).all()


# -------------------------------------------------------------------------------------------------------- pooling


@often
@given(geometries(pooling=True), arrays(), counts, counts)
def test_winners_and_their_routes_are_the_same_in_both_forms(at, array, n, c):
    a, dz = array(n, c, *at.input), array(n, c, *at.output)
    plain, fast = with_both(lambda: kernels.winners(a, at))
    assert plain.dtype == fast.dtype == np.int64
    np.testing.assert_array_equal(plain, fast)
    assert_same(*with_both(lambda: kernels.route(dz, plain, at)))
    np.testing.assert_array_equal(*with_both(lambda: kernels.max_forward(a, at)))
    assert_same(*with_both(lambda: kernels.max_backward(a, dz, at)))
    np.testing.assert_array_equal(*with_both(lambda: kernels.relu_backward(dz, kernels.max_forward(a, at))))


@often
@given(arrays(), counts, counts, st.integers(2, 9), st.integers(2, 9))
def test_pairs_side_by_side_have_the_winners_that_all_windows_have(array, n, c, h, w):
    a, at = array(n, c, h, w), MaxPool2d(2).windows((n, c, h, w))
    dz = array(n, c, *at.output)
    np.testing.assert_array_equal(*with_both(lambda: kernels.max_forward(a, at)))
    assert_same(*with_both(lambda: kernels.max_backward(a, dz, at)))


@often
@given(arrays(), counts, counts, st.sampled_from([0.0, 0.25]), st.booleans())
def test_the_division_of_lrp_is_the_same_in_both_forms(array, n, k, size, each_sample):
    R, z = array(n, k, 2), array(n, k, 2)
    size = np.full((n, 1, 1), size, z.dtype) if each_sample else z.dtype.type(size)
    (s, lost), fast = with_both(lambda: kernels.divide(R, z, size))
    np.testing.assert_array_equal(fast[0], s)
    np.testing.assert_array_equal(fast[1], lost)
    told = np.isfinite(R) & np.isfinite(z)
    assert np.isfinite(s[told]).all()
    assert np.isnan(s[~told]).all()
    assert not s[lost & told].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_denominator_that_is_zero_or_almost_divides_nothing(dtype):
    tiny = np.finfo(dtype).tiny
    R, z = np.array([[6, 6, 6, 0, -6]], dtype), np.array([[-3, 0, tiny, -0.0, np.nan]], dtype)
    for s, lost in with_both(lambda: kernels.divide(R, z, dtype(0))):
        np.testing.assert_array_equal(s, [[-2, 0, 0, 0, np.nan]])  # NaN stays, so that the end shows it
        assert lost.tolist() == [[False, True, True, True, True]]
    for s, _ in with_both(lambda: kernels.divide(R, z, dtype(2))):
        np.testing.assert_allclose(s, [[-1.2, 3, 3, 0, np.nan]], rtol=1e-6)


@often
@given(geometries(pooling=True), arrays(), counts, counts, st.booleans())
def test_means_are_the_same_in_both_forms(at, array, n, c, count_include_pad):
    a, dz = array(n, c, *at.input), array(n, c, *at.output)
    layer = AvgPool2d(at.size, at.stride, at.padding, count_include_pad=count_include_pad)
    divisors = layer.counts(at, a.dtype)
    assert_same(*with_both(lambda: kernels.mean_forward(a, divisors, at)))
    assert_same(*with_both(lambda: kernels.mean_backward(dz, divisors, at)))


# ----------------------------------------------------------------------------------------------- which form runs


@pytest.mark.parametrize(("value", "chosen"), [("numpy", "numpy"), ("numba", "numba"), ("", "numba"), (None, "numba")])
def test_the_variable_chooses_the_backend_when_nnlite_is_imported(monkeypatch, value, chosen):
    if value is None:
        monkeypatch.delenv("NNLITE_BACKEND", raising=False)
    else:
        monkeypatch.setenv("NNLITE_BACKEND", value)
    importlib.reload(kernels)
    assert kernels.backend() == chosen


@pytest.mark.parametrize("garbage", ["Numba", "cuda", "numpy ", "0"])
def test_another_backend_is_refused(monkeypatch, garbage):
    monkeypatch.setenv("NNLITE_BACKEND", garbage)
    importlib.reload(kernels)
    with pytest.raises(ValueError, match=f"The backend is numpy or numba, got {garbage!r}; set NNLITE_BACKEND to one"):
        MaxPool2d(2).forward(np.ones((1, 1, 2, 2)))


def test_without_numba_numpy_runs_and_asking_for_numba_is_an_error(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        kernels.use("")
        assert kernels.backend() == "numpy"
        assert MaxPool2d(2).forward(np.ones((1, 1, 2, 2))).tolist() == [[[[1.0]]]]
        with pytest.raises(ValueError, match="Numba is not installed; install it, or unset NNLITE_BACKEND"):
            kernels.use("numba")


def test_each_form_runs_under_its_own_backend():
    kernels.use("numpy")
    assert kernels.divide is division.divide_numpy
    with kernels.use("numba"):
        assert kernels.divide is division.divide_numba
        with pytest.raises(ValueError, match="got 'cuda'"):
            kernels.use("cuda")
        assert kernels.backend() == "numba"
    assert kernels.divide is division.divide_numpy


# ------------------------------------------------------------------------------------------------------ compilation


TWICE = """
import numpy as np
from nnlite import Network
from nnlite.layers import MaxPool2d
print(Network([MaxPool2d(2)]).forward(np.arange(16.0).reshape(1, 1, 4, 4))[-1].sum())
"""


def in_a_process(folder, before=""):
    """What a process prints that compiles one kernel, and the lines of its warnings."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "NNLITE_BACKEND": "numba", "PYTHONWARNINGS": "always"}
    done = subprocess.run(
        [sys.executable, "-c", before + TWICE], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "UserWarning" in line]


NO_FOLDER = """
from numba.core import caching
def nowhere(self, function):
    raise RuntimeError("cannot cache function: no locator available")
caching.CacheImpl.__init__ = nowhere
"""
FULL = """
import errno
from numba.core import caching
def full(self, path):
    raise OSError(errno.ENOSPC, "No space left on device")
caching.IndexDataCacheFile._open_for_write = full
"""


@pytest.mark.parametrize("trouble", [NO_FOLDER, FULL], ids=["no folder", "full disk"])
def test_where_no_cache_can_be_written_it_compiles_all_the_same_with_one_warning(tmp_path, trouble):
    printed, warned = in_a_process(tmp_path, trouble)
    assert printed == "40.0\n"
    assert len(warned) == 1
    assert "every process compiles again. Set NUMBA_CACHE_DIR" in warned[0]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache with what one process compiled."""
    folder = tmp_path_factory.mktemp("cache")
    in_a_process(folder)
    return folder


@pytest.mark.parametrize(("kind", "kept"), [("nbi", 0), ("nbi", 30), ("nbc", 0), ("nbc", -100)])
def test_a_damaged_file_in_the_cache_is_made_anew_with_one_warning(filled, tmp_path, kind, kept):
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    for file in tmp_path.rglob(f"*.{kind}"):
        file.write_bytes(file.read_bytes()[:kept])
    printed, warned = in_a_process(tmp_path)
    assert printed == "40.0\n"
    assert len(warned) == 1
    assert f"A file in {tmp_path}" in warned[0]
    assert in_a_process(tmp_path) == ("40.0\n", [])


def test_the_same_call_gives_the_same_bits():
    rng = np.random.default_rng(0)
    layer, a = Conv2d(rng.normal(size=(3, 2, 3, 3)).astype(np.float32)), rng.normal(size=(5, 2, 9, 9))
    first, second = (layer.forward(a.astype(np.float32)).tobytes() for _ in range(2))
    assert first == second


# --------------------------------------------------------------------------------------------------- how many windows


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "floor", "ceil"),
    [
        (28, 5, 1, 0, 24, 24),
        (5, 2, 2, 0, 2, 3),  # one window sticks out
        (4, 2, 2, 0, 2, 2),
        (3, 2, 2, 1, 2, 2),  # a third would start in the padding
        (5, 2, 3, 0, 2, 2),
        (6, 2, 3, 0, 2, 2),  # a third would start outside
        (1, 2, 2, 0, 0, 1),  # a window larger than the image sticks out
        (1, 4, 2, 0, 0, 0),  # by more than a stride: none
    ],
)
def test_how_many_windows_fit(size, window, stride, padding, floor, ceil):
    assert output_size(size, window, stride, padding) == floor
    assert output_size(size, window, stride, padding, ceil_mode=True) == ceil


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_after_overlapping_calls_blas_has_as_many_threads_as_before(backend):
    """Who comes first leaves first; whoever leaves last restores what the first one found."""
    kernels.use(backend)

    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with one_blas_thread():  # the libraries are loaded
        pass
    with threadpool_limits(2, user_api="blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}
