"""Every kind of layer: what it computes, its exact way back, its checks, and that nothing is shared by accident.

The definitions at the top are written in plain loops with every index, straight from the docstrings of the layers;
the layers must agree with them. The way back is tied to the way forward twice: by finite differences, and by
<J v, u> = <v, Jᵀ u>.
"""

import copy
import itertools
import math
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnlite import kernels
from nnlite.layers import (
    ELU,
    GELU,
    KINDS,
    AdaptiveAvgPool2d,
    AttentionMask,
    AvgPool2d,
    BatchNorm,
    BatchNormInTraining,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Hardsigmoid,
    Hardswish,
    Identity,
    InstanceNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Mask,
    MaxPool2d,
    MergeHeads,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    RepeatHeads,
    Reshape,
    RMSNorm,
    Rotary,
    Scale,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    SplitHeads,
    Take,
    Tanh,
    Upsample,
)

often = settings(max_examples=50, deadline=None, derandomize=True)

# ------------------------------------------------------------------------------------------- the definitions, slowly


def conv_by_loops(a, W, b, stride, padding, dilation, groups):
    """z[n, k, y, x] = Σ_{c i j} W[k, c, i, j] · a[n, c, y s − p + i d, x s − p + j d] + b[k]."""
    (N, _, H, width), (K, per_group, kh, kw) = a.shape, W.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    oh = (H + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    ow = (width + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    z = np.zeros((N, K, oh, ow))
    for n, k, y, x in np.ndindex(z.shape):
        first = k // (K // groups) * per_group  # the first channel of the group of filter k
        z[n, k, y, x] = 0.0 if b is None else b[k]
        for c, i, j in np.ndindex(per_group, kh, kw):
            row, col = y * sh - ph + i * dh, x * sw - pw + j * dw
            if 0 <= row < H and 0 <= col < width:
                z[n, k, y, x] += W[k, c, i, j] * a[n, first + c, row, col]
    return z


def transposed_by_loops(a, W, b, stride, padding, dilation, groups, output_padding):
    """z[n, k, y s − p + i d, x s − p + j d] += W[c, k, i, j] · a[n, c, y, x], then + b[k]."""
    (N, C, H, width), (_, per_group, kh, kw) = a.shape, W.shape
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    oh = (H - 1) * sh - 2 * ph + dh * (kh - 1) + output_padding[0] + 1
    ow = (width - 1) * sw - 2 * pw + dw * (kw - 1) + output_padding[1] + 1
    z = np.zeros((N, per_group * groups, oh, ow))
    for n, c, y, x in np.ndindex(a.shape):
        first = c // (C // groups) * per_group  # the first output channel of the group of channel c
        for k, i, j in np.ndindex(per_group, kh, kw):
            row, col = y * sh - ph + i * dh, x * sw - pw + j * dw
            if 0 <= row < oh and 0 <= col < ow:
                z[n, first + k, row, col] += W[c, k, i, j] * a[n, c, y, x]
    return z if b is None else z + b[:, None, None]


def pooled_by_loops(a, size, stride, padding, ceil_mode, summary):
    """z[n, c, y, x] = summary(what lies in the image, how many elements lie in image or padding)."""
    N, C, H, width = a.shape

    def starts(n, k, s, p):
        """Every s from −p on, if the window fits; with ceil_mode also if it starts inside and sticks out by less."""
        overhang = {start: start + k - (n + p) for start in range(-p, n + p, s)}
        return [start for start, out in overhang.items() if out <= 0 or (ceil_mode and out < s and start < n)]

    rows, cols = starts(H, size[0], stride[0], padding[0]), starts(width, size[1], stride[1], padding[1])
    z = np.zeros((N, C, len(rows), len(cols)))
    for n, c, y, x in np.ndindex(z.shape):
        everywhere = list(itertools.product(range(rows[y], rows[y] + size[0]), range(cols[x], cols[x] + size[1])))
        inside = [a[n, c, i, j] for i, j in everywhere if 0 <= i < H and 0 <= j < width]
        padded = [0 for i, j in everywhere if i < H + padding[0] and j < width + padding[1]]
        z[n, c, y, x] = summary(inside, len(padded))
    return z


# ---------------------------------------------------------------------------------------- random layers and inputs

small = st.integers(1, 3)
pairs = st.tuples(small, small)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def convolutions(draw):
    """A Conv2d with any options, an input for it, and the options by name."""
    groups, n = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    filters, per_group, (kh, kw) = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(pairs)
    stride, dilation = draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    reach = dilation[0] * (kh - 1) + 1, dilation[1] * (kw - 1) + 1
    H, W = (max(1, r - 2 * p + draw(st.integers(0, 4))) for r, p in zip(reach, padding, strict=True))
    rng = np.random.default_rng(draw(seeds))
    bias = rng.normal(size=filters) if draw(st.booleans()) else None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    layer = Conv2d(rng.normal(size=(filters, per_group, kh, kw)), bias, **options)
    return layer, rng.normal(size=(n, groups * per_group, H, W)), options


@st.composite
def transposed_convolutions(draw):
    """A ConvTranspose2d with any options, an input for it, and the options by name."""
    groups, n = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    channels, per_group, (kh, kw) = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(pairs)
    stride, dilation = draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    H, W = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    for n_in, k, s, p, d, o in zip((H, W), (kh, kw), stride, padding, dilation, extra, strict=True):
        assume((n_in - 1) * s - 2 * p + d * (k - 1) + o + 1 >= 1)
    rng = np.random.default_rng(draw(seeds))
    bias = rng.normal(size=per_group * groups) if draw(st.booleans()) else None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "output_padding": extra}
    layer = ConvTranspose2d(rng.normal(size=(channels, per_group, kh, kw)), bias, **options)
    return layer, rng.normal(size=(n, channels, H, W)), options


@st.composite
def poolings(draw, kind):
    """A pooling of this kind with any options, an input for it, and the options by name."""
    size, stride = draw(pairs), draw(pairs)
    padding = tuple(draw(st.integers(0, k // 2)) for k in size)
    ceil_mode = draw(st.booleans())
    H, W = (max(1, k - 2 * p + draw(st.integers(0, 5))) for k, p in zip(size, padding, strict=True))
    options = {"size": size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    rng = np.random.default_rng(draw(seeds))
    return kind(**options), distinct(rng, (draw(st.integers(1, 2)), draw(st.integers(1, 2)), H, W)), options


def distinct(rng, shape):
    """Numbers in [−2, 2], no two the same and none at 0, so that every kink lies between them."""
    n = int(np.prod(shape))
    return rng.permutation(np.linspace(-2, 2, n + n % 2)[:n]).reshape(shape)


def normal(a):
    return math.erf(a / math.sqrt(2)) / 2 + 1 / 2


def tanh_of_gelu(a):
    return math.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))


SMOOTH = {  # name -> (layer, f, its limits at -inf and inf: a number, or "a")
    "ReLU6": (ReLU6(), lambda a: min(max(0, a), 6), (0, 6)),
    "Hardsigmoid": (Hardsigmoid(), lambda a: min(max(0, a + 3), 6) / 6, (0, 1)),
    "Hardswish": (Hardswish(), lambda a: a * min(max(0, a + 3), 6) / 6, (0, "a")),
    "SiLU": (SiLU(), lambda a: a / (1 + math.exp(-a)), (0, "a")),
    "GELU": (GELU(), lambda a: a * normal(a), (0, "a")),
    "GELU by tanh": (GELU("tanh"), lambda a: a * (1 + tanh_of_gelu(a)) / 2, (0, "a")),
    "ELU": (ELU(1.5), lambda a: a if a > 0 else 1.5 * (math.exp(a) - 1), (-1.5, "a")),
    "Softplus": (Softplus(2.0), lambda a: math.log(1 + math.exp(2 * a)) / 2, (0, "a")),
    "Tanh": (Tanh(), math.tanh, (-1, 1)),
    "Sigmoid": (Sigmoid(), lambda a: 1 / (1 + math.exp(-a)), (0, 1)),
}
"""Nonlinearities of one number. At the inputs below none has a kink."""


def one_of_every_kind():
    """name -> (layer, shape of an input): every kind in float64, some in several forms."""
    r = np.random.default_rng(7).normal
    return {
        "Dense": (Dense(r(size=(5, 4)), r(size=4)), (3, 5)),
        "Dense without bias": (Dense(r(size=(5, 4))), (3, 5)),
        "Dense along the last axis": (Dense(r(size=(5, 4)), r(size=4)), (3, 2, 2, 5)),
        "Conv2d of signals": (Conv2d(r(size=(2, 3, 1, 3)), r(size=2), stride=(1, 2)), (2, 3, 1, 8)),
        "Conv2d": (Conv2d(r(size=(4, 2, 2, 3)), r(size=4), (2, 1), (1, 2), (1, 2), groups=2), (2, 4, 5, 4)),
        "Conv2d without bias": (Conv2d(r(size=(2, 3, 3, 3))), (2, 3, 5, 5)),
        "Conv2d, one channel a group": (Conv2d(r(size=(4, 1, 3, 2)), r(size=4), (2, 1), 1, groups=2), (2, 2, 5, 4)),
        "Conv2d of pixels": (Conv2d(r(size=(4, 3, 1, 1)), r(size=4), (2, 1)), (2, 3, 5, 4)),
        "ConvTranspose2d": (
            ConvTranspose2d(r(size=(4, 2, 3, 2)), r(size=4), (2, 3), 1, (1, 2), 2, output_padding=(1, 2)),
            (2, 4, 3, 2),
        ),
        "ConvTranspose2d without bias": (ConvTranspose2d(r(size=(1, 2, 2, 2)), stride=2), (1, 1, 3, 3)),
        "BatchNorm": (BatchNorm(r(size=3), r(size=3), r(size=3), r(size=3) ** 2 + 0.1), (2, 3, 2, 2)),
        "BatchNorm of vectors": (BatchNorm(r(size=3), r(size=3), r(size=3), r(size=3) ** 2 + 0.1, 1e-3), (4, 3)),
        "GroupNorm": (GroupNorm(2, r(size=6), r(size=6)), (2, 6, 2, 3)),
        "GroupNorm of vectors": (GroupNorm(2, r(size=6), r(size=6), 1e-3), (3, 6)),
        "InstanceNorm": (InstanceNorm(r(size=3), r(size=3)), (2, 3, 2, 3)),
        "InstanceNorm of sequences": (InstanceNorm(r(size=3), r(size=3), 0.1), (2, 3, 4)),
        "LayerNorm": (LayerNorm(r(size=4), r(size=4)), (2, 3, 4)),
        "LayerNorm of images": (LayerNorm(r(size=(2, 3)), r(size=(2, 3)), 0.1), (2, 2, 3)),
        "RMSNorm": (RMSNorm(r(size=4), 0.1), (2, 3, 4)),
        "Softmax of keys": (Softmax(-1), (2, 2, 3, 4)),
        "SplitHeads": (SplitHeads(2), (2, 3, 4)),
        "MergeHeads": (MergeHeads(), (2, 2, 3, 2)),
        "RepeatHeads": (RepeatHeads(3), (2, 2, 3, 2)),
        "Scale": (Scale(-0.5), (3, 4)),
        "AttentionMask": (AttentionMask(np.array([[1.0, 0, 1], [0, 1, 1], [1, 1, 1]]), causal=True), (2, 2, 3, 3)),
        "AttentionMask of padding": (AttentionMask(np.ones((2, 1, 1, 3))), (2, 2, 3, 3)),
        "Rotary": (Rotary(10.0), (2, 2, 3, 4)),
        "Rotary of halves": (Rotary(10.0, 4, halves=True), (2, 2, 3, 6)),
        "Take": (Take(-2), (2, 3, 4)),
        "BatchNormInTraining": (BatchNormInTraining(r(size=3), r(size=3)), (2, 3, 2, 2)),
        "BatchNormInTraining of vectors": (BatchNormInTraining(r(size=3), r(size=3), 1e-3), (4, 3)),
        "MaxPool2d": (MaxPool2d(2), (2, 2, 4, 4)),
        "MaxPool2d overlapping": (MaxPool2d((3, 2), 1, (1, 0), ceil_mode=True), (2, 2, 4, 5)),
        "AvgPool2d": (AvgPool2d(2), (2, 2, 4, 4)),
        "AvgPool2d overlapping": (AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 2, 4, 6)),
        "GlobalAvgPool": (GlobalAvgPool(), (2, 3, 4, 2)),
        "AdaptiveAvgPool2d": (AdaptiveAvgPool2d((3, 2)), (2, 2, 5, 4)),
        "AdaptiveAvgPool2d to more pixels": (AdaptiveAvgPool2d((3, 5)), (2, 2, 2, 3)),
        "Upsample": (Upsample((2, 3)), (2, 2, 3, 2)),
        "Upsample bilinear": (Upsample((3, 2), "bilinear"), (2, 2, 3, 2)),
        "Upsample bilinear to the corners": (Upsample((2, 3), "bilinear", align_corners=True), (2, 2, 3, 1)),
        "ReLU": (ReLU(), (2, 3, 2, 2)),
        "LeakyReLU": (LeakyReLU(0.2), (3, 4)),
        "PReLU": (PReLU(0.2), (3, 4)),
        "PReLU by channel": (PReLU(r(size=3)), (2, 3, 2, 2)),
        **{name: (layer, (3, 4)) for name, (layer, _, _) in SMOOTH.items()},
        "Softmax": (Softmax(), (3, 4)),
        "Softmax of images": (Softmax(), (2, 3, 2, 2)),
        "LogSoftmax": (LogSoftmax(), (3, 4)),
        "LogSoftmax of images": (LogSoftmax(), (2, 3, 2, 2)),
        "Flatten": (Flatten(), (2, 3, 2, 2)),
        "Reshape": (Reshape((3, 2, 2)), (2, 12)),
        "Permute": (Permute((3, 1, 2)), (2, 3, 2, 4)),
        "Slice": (Slice(2, -3, None, 2), (2, 3, 4)),
        "Slice of channels": (Slice(1, 1, 3), (2, 4, 2, 2)),
        "Pad": (Pad((1, 0, 2), (0, 1, 0)), (2, 2, 3, 2)),
        "Pad reflect": (Pad((0, 2, 1), (0, 1, 0), "reflect"), (2, 2, 3, 2)),
        "Pad replicate": (Pad((1, 2), mode="replicate"), (2, 2, 1)),
        "Identity": (Identity(), (2, 3, 2)),
        "Dropout": (Dropout(0.3), (2, 3)),
        "Dropout2d": (Dropout2d(0.3), (2, 3, 2, 2)),
        "Mask of channels": (Mask(np.array([[0.0, 2.0, 2.0]])[:, :, None, None]), (2, 3, 2, 2)),
        "Mask": (Mask(np.array([[0.0, 2.0, 2.0], [2.0, 0.0, 0.0]])), (2, 3)),
        "Mask of one draw": (Mask(np.array([[0.0, 2.0, 2.0]])), (4, 3)),
    }


EVERY = one_of_every_kind()
every_layer = pytest.mark.parametrize(("layer", "shape"), EVERY.values(), ids=EVERY.keys())
both_backends = pytest.mark.parametrize("backend", ["numpy", "numba"])


def input_and_signal(layer, shape, dtype=np.float64):
    rng = np.random.default_rng(3)
    a = distinct(rng, shape).astype(dtype)
    return a, rng.normal(size=layer.output_shape(shape)).astype(dtype)


def test_the_list_above_has_every_kind_of_layer_that_reads_one_activation():
    """Joins and constants are those of tests/test_branches.py, an Embedding of tests/test_attention.py."""
    kinds = {name for name, kind in KINDS.items() if kind.reads == 1 and name != "Embedding"}
    assert {type(layer).__name__ for layer, _ in EVERY.values()} == {*kinds, "BatchNormInTraining"}


# --------------------------------------------------------------------------------------------------- the way forward


@often
@given(convolutions())
def test_convolution_is_its_definition_in_loops(drawn):
    layer, a, options = drawn
    np.testing.assert_allclose(layer.forward(a), conv_by_loops(a, layer.W, layer.b, **options), rtol=0, atol=1e-12)


@often
@given(transposed_convolutions())
def test_transposed_convolution_is_its_definition_in_loops(drawn):
    layer, a, options = drawn
    expected = transposed_by_loops(a, layer.W, layer.b, **options)
    np.testing.assert_allclose(layer.forward(a), expected, rtol=0, atol=1e-12)


@often
@given(poolings(MaxPool2d))
def test_max_pooling_is_its_definition_in_loops(drawn):
    layer, a, options = drawn
    expected = pooled_by_loops(a, **options, summary=lambda inside, count: max(inside))
    np.testing.assert_array_equal(layer.forward(a), expected)


@often
@given(poolings(AvgPool2d), st.booleans())
def test_average_pooling_is_its_definition_in_loops(drawn, count_include_pad):
    layer, a, options = drawn
    expected = pooled_by_loops(
        a, **options, summary=lambda inside, count: sum(inside) / (count if count_include_pad else len(inside))
    )
    layer = replace(layer, count_include_pad=count_include_pad)
    np.testing.assert_allclose(layer.forward(a), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("layer", "f", "limits"), SMOOTH.values(), ids=SMOOTH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nonlinearity_is_its_definition_and_goes_to_its_limits_without_a_warning(layer, f, limits, dtype):
    a = np.array([-7.5, -2.9, -1, -0.25, 0.25, 1, 2.9, 5.9, 7.5], dtype)
    np.testing.assert_allclose(layer.forward(a), [f(float(x)) for x in a], rtol=0, atol=50 * np.finfo(dtype).eps)
    far = np.array([[-1e30, -1e3], [1e3, 1e30]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        z, slope = layer.forward(far), layer.backward(far, np.ones_like(far))
    for side, limit in enumerate(limits):
        np.testing.assert_allclose(z[side], far[side] if limit == "a" else limit, rtol=1e-6)
        np.testing.assert_allclose(slope[side], float(limit == "a"), atol=1e-12)


def normalized_by_loops(a, groups, gamma, beta, eps):
    """Each group of channels of each sample, less its mean, by its standard deviation."""
    z, size = np.zeros_like(a), a.shape[1] // groups
    for n, g in np.ndindex(len(a), groups):
        numbers = [a[(n, c, *place)] for c in range(g * size, (g + 1) * size) for place in np.ndindex(a.shape[2:])]
        mean = sum(numbers) / len(numbers)
        variance = sum((x - mean) ** 2 for x in numbers) / len(numbers)
        for c in range(g * size, (g + 1) * size):
            for place in np.ndindex(a.shape[2:]):
                z[(n, c, *place)] = gamma[c] * (a[(n, c, *place)] - mean) / math.sqrt(variance + eps) + beta[c]
    return z


@often
@given(st.integers(1, 3), st.integers(1, 3), st.lists(small, max_size=3), st.booleans(), seeds)
def test_a_norm_is_its_definition_in_loops(groups, size, places, of_instances, seed):
    rng = np.random.default_rng(seed)
    channels = groups * size
    a, gamma, beta = rng.normal(size=(2, channels, *places)), *rng.normal(size=(2, channels))
    layer = InstanceNorm(gamma, beta, 0.1) if of_instances else GroupNorm(groups, gamma, beta, 0.1)
    expected = normalized_by_loops(a, channels if of_instances else groups, gamma, beta, 0.1)
    np.testing.assert_allclose(layer.forward(a), expected, rtol=0, atol=1e-12)
    slope = slope_by_differences(layer.forward, a, expected)
    np.testing.assert_allclose(layer.backward(a, expected), slope, rtol=0, atol=1e-6)


def padded_by_loops(a, before, after, mode):
    z = np.zeros([n + b + e for n, b, e in zip(a.shape, (0, *before), (0, *after), strict=True)])
    for place in np.ndindex(z.shape):
        from_ = [i - b for i, b in zip(place, (0, *before), strict=True)]
        if mode == "reflect":
            from_ = [-i if i < 0 else 2 * (n - 1) - i if i >= n else i for i, n in zip(from_, a.shape, strict=True)]
        if mode == "replicate":
            from_ = [min(max(i, 0), n - 1) for i, n in zip(from_, a.shape, strict=True)]
        z[place] = a[tuple(from_)] if all(0 <= i < n for i, n in zip(from_, a.shape, strict=True)) else 0
    return z


def enlarged_by_loops(a, factor, mode, align_corners):
    (N, C, H, width), (f, g) = a.shape, factor
    z = np.zeros((N, C, f * H, g * width))

    def sources(i, n, f):
        """(input, share) of output i along an axis."""
        if mode == "nearest":
            return [(i // f, 1.0)]
        s = i * (n - 1) / (f * n - 1) if align_corners and f * n > 1 else max(0.0, (i + 0.5) / f - 0.5)
        low = min(int(s), n - 1)
        return [(low, 1 - (s - int(s))), (min(low + 1, n - 1), s - int(s))]

    for n, c, y, x in np.ndindex(z.shape):
        for (i, p), (j, q) in itertools.product(sources(y, H, f), sources(x, width, g)):
            z[n, c, y, x] += p * q * a[n, c, i, j]
    return z


def binned_by_loops(a, size):
    (N, C, H, width), (h, w) = a.shape, size
    z = np.zeros((N, C, h, w))
    for n, c, y, x in np.ndindex(z.shape):
        rows = range(math.floor(y * H / h), math.ceil((y + 1) * H / h))
        columns = range(math.floor(x * width / w), math.ceil((x + 1) * width / w))
        z[n, c, y, x] = sum(a[n, c, i, j] for i in rows for j in columns) / (len(rows) * len(columns))
    return z


@st.composite
def grids(draw):
    """A layer that lays images on another grid, an input for it, and what it should give."""
    sizes = st.integers(1, 6)
    a = np.random.default_rng(draw(seeds)).normal(size=(draw(small), draw(small), draw(sizes), draw(sizes)))
    kind = draw(st.sampled_from(["pad", "upsample", "bins"]))
    if kind == "pad":
        mode = draw(st.sampled_from(["zero", "reflect", "replicate"]))
        most = [n - 1 if mode == "reflect" else 3 for n in a.shape[1:]]
        before, after = (tuple(draw(st.integers(0, m)) for m in most) for _ in range(2))
        return Pad(before, after, mode), a, padded_by_loops(a, before, after, mode)
    if kind == "upsample":
        mode = draw(st.sampled_from(["nearest", "bilinear"]))
        corners, factor = mode == "bilinear" and draw(st.booleans()), draw(pairs)
        return Upsample(factor, mode, corners), a, enlarged_by_loops(a, factor, mode, corners)
    size = draw(st.tuples(sizes, sizes))
    return AdaptiveAvgPool2d(size), a, binned_by_loops(a, size)


@often
@given(grids())
def test_other_grids_are_their_definitions_in_loops_and_satisfy_the_adjoint_identity(drawn):
    layer, a, expected = drawn
    np.testing.assert_allclose(layer.forward(a), expected, rtol=0, atol=1e-12)
    assert_adjoint(layer, a)


@often
@given(st.lists(small, min_size=1, max_size=3), st.integers(1, 4), st.integers(1, 4), st.booleans(), seeds)
def test_dense_along_the_last_axis_is_itself_at_each_place(places, J, K, bias, seed):
    rng = np.random.default_rng(seed)
    layer = Dense(rng.normal(size=(J, K)), rng.normal(size=K) if bias else None)
    a, dz = rng.normal(size=(*places, 2, J)), rng.normal(size=(*places, 2, K))
    z, da, each = layer.forward(a), layer.backward(a, dz), []
    for place in np.ndindex(*places):
        close(z[place], layer.forward(a[place]), 1e-13)
        close(da[place], layer.backward(a[place], dz[place]), 1e-13)
        each.append(layer.gradients(a[place], dz[place]))
    for name, gradient in layer.gradients(a, dz).items():
        close(gradient, sum(one[name] for one in each), 1e-12)


IMAGE = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9

BY_HAND = {
    "Dense": (Dense([[1, 2], [3, 4]], [10, 20]), [[1.0, -1.0]], [[8.0, 18.0]]),
    "Conv2d of the corners": (Conv2d(np.array([[[[1.0, 0.0], [0.0, -1.0]]]])), IMAGE, [[[[-4.0, -4.0], [-4.0, -4.0]]]]),
    "Conv2d does not flip": (Conv2d(np.array([[[[1.0, 0.0]]]])), IMAGE[:, :, :1], [[[[1.0, 2.0]]]]),
    "Conv2d strided and padded": (Conv2d(np.ones((1, 1, 3, 3)), [1.0], 2, 1), IMAGE, [[[[13.0, 17.0], [25.0, 29.0]]]]),
    "Conv2d dilated": (Conv2d(np.ones((1, 1, 2, 2)), dilation=2), IMAGE, [[[[20.0]]]]),
    "ConvTranspose2d": (
        ConvTranspose2d(np.array([[[[1.0, 10.0]]]]), [0.5], (1, 2), output_padding=(0, 1)),
        [[[[1.0, 2.0]]]],
        [[[[1.5, 10.5, 2.5, 20.5, 0.5]]]],
    ),
    "BatchNorm": (BatchNorm([2.0], [1.0], [3.0], [3.0], eps=1.0), [[5.0]], [[3.0]]),
    "BatchNormInTraining": (BatchNormInTraining([2.0], [1.0], 3.0), [[1.0], [3.0]], [[0.0], [2.0]]),
    "MaxPool2d": (MaxPool2d(2, 1), IMAGE, [[[[5.0, 6.0], [8.0, 9.0]]]]),
    "MaxPool2d in ceil mode": (MaxPool2d(2, ceil_mode=True), IMAGE, [[[[5.0, 6.0], [8.0, 9.0]]]]),
    "MaxPool2d larger than the image": (MaxPool2d(4, 4, ceil_mode=True), IMAGE, [[[[9.0]]]]),
    "MaxPool2d of negatives ignores the padding": (MaxPool2d(2, 2, 1), -IMAGE, [[[[-1.0, -2.0], [-4.0, -5.0]]]]),
    "AvgPool2d": (AvgPool2d(2, 1), IMAGE, [[[[3.0, 4.0], [6.0, 7.0]]]]),
    "AvgPool2d with padding counted": (AvgPool2d(2, 2, 1), IMAGE, [[[[0.25, 1.25], [2.75, 7.0]]]]),
    "AvgPool2d without": (AvgPool2d(2, 2, 1, count_include_pad=False), IMAGE, [[[[1.0, 2.5], [5.5, 7.0]]]]),
    "AvgPool2d in ceil mode": (AvgPool2d(2, ceil_mode=True), IMAGE, [[[[3.0, 4.5], [7.5, 9.0]]]]),
    "GlobalAvgPool": (GlobalAvgPool(), IMAGE, [[[[5.0]]]]),
    "ReLU": (ReLU(), [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 2.0]]),
    "LeakyReLU": (LeakyReLU(0.25), [[-4.0, 0.0, 2.0]], [[-1.0, 0.0, 2.0]]),
    "Tanh": (Tanh(), [[np.log(2.0), -1e9]], [[0.6, -1.0]]),
    "Sigmoid": (Sigmoid(), [[np.log(3.0), 1e9, -1e9]], [[0.75, 1.0, 0.0]]),
    "PReLU": (PReLU([0.25, 2.0]), [[-4.0, -4.0], [3.0, 3.0]], [[-1.0, -8.0], [3.0, 3.0]]),
    "GELU": (GELU(), [[-1.0, 2.0]], [[-0.15865525393, 1.95449973610]]),
    "SiLU": (SiLU(), [[-1.0, 2.0]], [[-0.26894142137, 1.76159415596]]),
    "GroupNorm": (GroupNorm(1, [2.0, 2.0], [0.0, 1.0], eps=3.0), [[4.0, 6.0]], [[-1.0, 2.0]]),
    "InstanceNorm": (InstanceNorm([2.0], [1.0], eps=3.0), [[[4.0, 6.0]]], [[[0.0, 2.0]]]),
    "Pad": (Pad((1,), (2,)), [[1.0, 2.0]], [[0.0, 1.0, 2.0, 0.0, 0.0]]),
    "Pad reflect": (Pad((2,), (1,), "reflect"), [[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0, 2.0, 3.0, 2.0]]),
    "Upsample": (Upsample((1, 2), "bilinear", True), [[[[0.0, 3.0]]]], [[[[0.0, 1.0, 2.0, 3.0]]]]),
    "AdaptiveAvgPool2d": (AdaptiveAvgPool2d(2), IMAGE, [[[[3.0, 4.0], [6.0, 7.0]]]]),
    "Permute": (Permute((2, 1)), [[[1.0, 2.0]]], [[[1.0], [2.0]]]),
    "Slice": (Slice(1, 1, -1), [[1.0, 2.0, 3.0, 4.0]], [[2.0, 3.0]]),
    "Softmax": (Softmax(), [[1e9, 1e9 + np.log(3.0)]], [[0.25, 0.75]]),
    "LogSoftmax": (LogSoftmax(), [[1e9, 1e9 + np.log(3.0)]], [np.log([0.25, 0.75])]),
    "Flatten": (Flatten(), IMAGE, [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]]),
    "Reshape": (Reshape((2, 1)), [[1.0, 2.0]], [[[1.0], [2.0]]]),
    "Identity": (Identity(), [[1.0]], [[1.0]]),
    "Dropout": (Dropout(0.9), [[1.0]], [[1.0]]),
    "Dropout2d": (Dropout2d(0.9), [[[[1.0]]]], [[[[1.0]]]]),
    "Mask of channels": (Mask([[[[0.0]], [[2.0]]]]), [[[[3.0, 4.0]], [[5.0, 6.0]]]], [[[[0.0, 0.0]], [[10.0, 12.0]]]]),
    "Mask": (Mask([[0.0, 2.0]]), [[3.0, 4.0], [5.0, 6.0]], [[0.0, 8.0], [0.0, 12.0]]),
}


@pytest.mark.parametrize(("layer", "a", "expected"), BY_HAND.values(), ids=BY_HAND.keys())
def test_values_computed_by_hand(layer, a, expected):
    np.testing.assert_allclose(layer.forward(np.array(a)), expected, rtol=1e-7, atol=1e-12)


# ------------------------------------------------------------------------------------------------------ the way back


def slope_by_differences(f, x, dz, step=1e-5):
    """The gradient of Σ f(x) · dz in every element of x, by central differences."""
    slope = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        slope[at] = ((f(up) - f(down)) * dz).sum() / (2 * step)
    return slope


def close(got, expected, relative):
    np.testing.assert_allclose(got, expected, rtol=0, atol=relative * max(1e-300, np.abs(expected).max(initial=0)))


@every_layer
def test_backward_is_the_slope_of_forward(layer, shape):
    a, dz = input_and_signal(layer, shape)
    close(layer.backward(a, dz), slope_by_differences(layer.forward, a, dz), 1e-6)


@every_layer
def test_gradients_are_the_slopes_in_every_trained_parameter(layer, shape):
    a, dz = input_and_signal(layer, shape)
    gradients = layer.gradients(a, dz)
    assert set(gradients) == set(layer.parameters)
    for name, value in layer.parameters.items():
        slope = slope_by_differences(lambda w, name=name: replace(layer, **{name: w}).forward(a), value.copy(), dz)
        close(gradients[name], slope, 1e-6)


def assert_adjoint(layer, a, relative=1e-11, step=None):
    """<J v, u> = <v, Jᵀ u>, with J v from forward alone: exact for linear layers, a central difference for others."""
    rng = np.random.default_rng(a.size)
    v, u = rng.uniform(-1, 1, a.shape), rng.normal(size=layer.output_shape(a.shape))
    if step is None:
        Jv = layer.forward(v) - layer.forward(np.zeros_like(v))
    else:
        Jv = (layer.forward(a + step * v) - layer.forward(a - step * v)) / (2 * step)
    JTu = layer.backward(a, u)
    size = np.abs(Jv * u).sum() + np.abs(v * JTu).sum()
    assert abs((Jv * u).sum() - (v * JTu).sum()) <= relative * size


@often
@given(convolutions())
def test_convolution_satisfies_the_adjoint_identity(drawn):
    assert_adjoint(*drawn[:2])


@often
@given(transposed_convolutions())
def test_transposed_convolution_satisfies_the_adjoint_identity(drawn):
    assert_adjoint(*drawn[:2])


@often
@given(poolings(AvgPool2d), st.booleans())
def test_average_pooling_satisfies_the_adjoint_identity(drawn, count_include_pad):
    assert_adjoint(replace(drawn[0], count_include_pad=count_include_pad), drawn[1])


@often
@given(poolings(MaxPool2d))
def test_max_pooling_satisfies_the_adjoint_identity_between_its_kinks(drawn):
    assert_adjoint(*drawn[:2], relative=1e-9, step=1e-4)


@often
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), seeds)
def test_layers_of_vectors_satisfy_the_adjoint_identity(n, J, K, seed):
    rng = np.random.default_rng(seed)
    a = distinct(rng, (n, J))
    for layer in (
        Dense(rng.normal(size=(J, K)), rng.normal(size=K)),
        BatchNorm(*rng.normal(size=(3, J)), rng.uniform(0.1, 2, J)),
        Mask(rng.normal(size=(n, J))),
        Mask(rng.normal(size=(1, J))),
        Identity(),
        Dropout(),
        Reshape((J, 1)),
    ):
        assert_adjoint(layer, a)
    for layer in (ReLU(), LeakyReLU(0.3)):
        assert_adjoint(layer, a, relative=1e-9, step=1e-4)
    in_training = [BatchNormInTraining(*rng.normal(size=(2, J)), 0.5)] if n > 1 else []
    for layer in (Tanh(), Sigmoid(), Softmax(), LogSoftmax(), *in_training):
        assert_adjoint(layer, a, relative=1e-6, step=1e-5)


@often
@given(st.integers(1, 3), st.integers(1, 3), pairs, seeds)
def test_layers_of_images_satisfy_the_adjoint_identity(n, channels, size, seed):
    rng = np.random.default_rng(seed)
    a = distinct(rng, (n, channels, *size))
    for layer in (
        GlobalAvgPool(),
        Flatten(),
        Dropout2d(),
        Mask(rng.normal(size=(n, channels, 1, 1))),
        BatchNorm(*rng.normal(size=(3, channels)), rng.uniform(0.1, 2, channels)),
    ):
        assert_adjoint(layer, a)
    if n * size[0] * size[1] > 1:
        assert_adjoint(BatchNormInTraining(*rng.normal(size=(2, channels)), 0.5), a, relative=1e-6, step=1e-5)


# ------------------------------------------------------------------------------------------------------ max-pooling


@both_backends
def test_a_tie_goes_to_the_first_in_row_major_order(backend):
    a = np.array([[[[0.0, 7.0, 7.0], [7.0, 7.0, 0.0]]]])
    with kernels.use(backend):
        assert MaxPool2d((2, 2), 1).winners(a).tolist() == [[[[1, 1]]]]
        back = MaxPool2d((2, 3)).backward(a, np.array([[[[5.0]]]]))
        assert back.tolist() == [[[[0, 5, 0], [0, 0, 0]]]]
        assert MaxPool2d(2).winners(np.zeros((1, 1, 4, 4))).tolist() == [[[[0, 2], [8, 10]]]]


@both_backends
def test_the_first_nan_wins_its_window(backend):
    a = np.array([[[[np.inf, 1.0], [np.nan, np.nan]]]])
    with kernels.use(backend):
        assert MaxPool2d(2).winners(a).tolist() == [[[[2]]]]
        assert np.isnan(MaxPool2d(2).forward(a)).all()


@both_backends
def test_an_image_of_minus_infinity_keeps_its_winners_inside_the_image(backend):
    a = np.full((1, 1, 3, 3), -np.inf)
    with kernels.use(backend):
        assert MaxPool2d(2, 2, 1).winners(a).tolist() == [[[[0, 1], [3, 4]]]]
        assert np.all(MaxPool2d(2, 2, 1).forward(a) == -np.inf)


@both_backends
def test_what_reaches_overlapping_windows_adds_at_their_common_winner(backend):
    a = np.array([[[[0.0, 9.0, 0.0]]]])
    with kernels.use(backend):
        back = MaxPool2d((1, 2), 1).backward(a, np.array([[[[2.0, 3.0]]]]))
    assert back.tolist() == [[[[0.0, 5.0, 0.0]]]]


# -------------------------------------------------------------------------------------------------------- BatchNorm


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", [Dense, Conv2d, ConvTranspose2d])
def test_merge_equals_the_pair(kind, bias):
    rng = np.random.default_rng(5)
    W = rng.normal(size=(6, 4) if kind is Dense else (4, 2, 3, 3))
    a = rng.normal(size=(3, 6) if kind is Dense else (3, 4, 5, 5))
    before = kind(W, rng.normal(size=4) if bias else None, **({} if kind is Dense else {"groups": 2, "padding": 1}))
    norm = BatchNorm(*rng.normal(size=(3, 4)), rng.uniform(0.1, 2, 4))
    merged = norm.merge(before)
    assert type(merged) is kind
    close(merged.forward(a), norm.forward(before.forward(a)), 1e-12)


def test_merge_refuses_what_it_cannot_fold_into():
    norm = BatchNorm(*np.ones((4, 3)))
    with pytest.raises(TypeError, match=r"Dense, a Conv2d or a ConvTranspose2d directly before it, not into ReLU\(\)"):
        norm.merge(ReLU())
    with pytest.raises(ValueError, match="gives 6"):
        norm.merge(ConvTranspose2d(np.ones((2, 3, 2, 2)), groups=2))
    with pytest.raises(ValueError, match=r"has 3 channels, and Dense\(W\[5, 2\]\) gives 2"):
        norm.merge(Dense(np.ones((5, 2))))
    with pytest.raises(ValueError, match=r"float64 .* float32"):
        norm.merge(Dense(np.ones((5, 3), np.float32)))


# ---------------------------------------------------------------------------------------------------------- Dropout


def test_a_draw_drops_with_probability_p_and_scales_the_rest():
    m = Dropout(0.25).draw(np.random.default_rng(0), (1, 100_000)).m
    assert set(np.unique(m)) == {0.0, 4 / 3}
    assert abs((m == 0).mean() - 0.25) < 0.01


def test_a_draw_is_repeatable_and_its_places_do_not_depend_on_the_dtype():
    wide = Dropout(0.5).draw(np.random.default_rng(4), (3, 8), np.float64)
    narrow = Dropout(0.5).draw(np.random.default_rng(4), (3, 8), np.float32)
    assert narrow.m.dtype == np.float32
    np.testing.assert_array_equal(wide.m, narrow.m)


# --------------------------------------------------------------------------------------- dtypes, shapes, empty batches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_layer
def test_the_dtype_that_comes_in_goes_out_in_the_promised_shape(layer, shape, dtype):
    layer = layer.astype(dtype)
    a, dz = input_and_signal(layer, shape, dtype)
    z, da = layer.forward(a), layer.backward(a, dz)
    assert (z.dtype, z.shape) == (dtype, layer.output_shape(shape))
    assert (da.dtype, da.shape) == (dtype, a.shape)
    for name, gradient in layer.gradients(a, dz).items():
        assert (gradient.dtype, gradient.shape) == (dtype, layer.parameters[name].shape)


@both_backends
@every_layer
def test_an_empty_batch_goes_up_and_down(layer, shape, backend):
    if isinstance(layer, Mask):
        layer = Mask(layer.m[:1])
    if isinstance(layer, AttentionMask):
        layer = AttentionMask(causal=True)
    a = np.zeros((0, *shape[1:]))
    if isinstance(layer, BatchNormInTraining):  # which has no mean of nothing
        with pytest.raises(ValueError, match="two numbers or more in each channel"):
            layer.forward(a)
        return
    with kernels.use(backend):
        z = layer.forward(a)
        assert z.shape == (0, *layer.output_shape(shape)[1:])
        assert layer.backward(a, z).shape == a.shape
        for name, gradient in layer.gradients(a, z).items():
            np.testing.assert_array_equal(gradient, np.zeros_like(layer.parameters[name]))


# ------------------------------------------------------------------------------------------------ nothing is shared


@both_backends
@every_layer
def test_views_and_read_only_arrays_give_the_same_and_are_never_written(layer, shape, backend):
    a, dz = input_and_signal(layer, shape)

    def awkward(x):
        """The same numbers as a read-only view with strides of its own."""
        wide = np.full(tuple(2 * n for n in x.shape), np.nan)
        view = wide[tuple(slice(None, None, 2) for _ in x.shape)][::-1]
        view[...] = x
        view.flags.writeable = False
        return view

    before = a.copy(), dz.copy()
    with kernels.use(backend):
        expected = layer.forward(a), layer.backward(a, dz), layer.gradients(a, dz)
        got = (
            layer.forward(awkward(a)),
            layer.backward(awkward(a), awkward(dz)),
            layer.gradients(awkward(a), awkward(dz)),
        )
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(dz, before[1])
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-12, atol=1e-14)
    for name, gradient in expected[2].items():
        np.testing.assert_allclose(got[2][name], gradient, rtol=1e-12, atol=1e-14)


@every_layer
def test_nothing_that_is_returned_leads_into_the_layer_or_into_the_next_call(layer, shape):
    a, dz = input_and_signal(layer, shape)
    first = [layer.forward(a.copy()), layer.backward(a, dz.copy()), *layer.gradients(a, dz).values()]
    kept = [value.copy() for value in first]
    layer.forward(-a)
    layer.backward(-a, -dz)
    layer.gradients(-a, -dz)
    for value, before in zip(first, kept, strict=True):
        np.testing.assert_array_equal(value, before)
        assert not any(np.shares_memory(value, array) for array in layer.arrays.values())
        value[...] = np.nan
    np.testing.assert_array_equal(layer.forward(a), kept[0])
    np.testing.assert_array_equal(layer.backward(a, dz), kept[1])


@pytest.mark.parametrize("layer", [layer for layer, _ in EVERY.values() if layer.arrays])
def test_the_arrays_of_a_layer_cannot_be_written(layer):
    for name, array in layer.arrays.items():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(FrozenInstanceError):
            setattr(layer, name, array)


def test_a_layer_does_not_follow_the_array_it_was_made_from():
    W, b = np.ones((2, 2)), np.ones(2)
    window = W.view()
    window.flags.writeable = False
    layers = Dense(W, b), Dense(window, b), Mask(W), Conv2d(W[None, None], b[:1])
    W[...] = b[...] = 5
    assert all(np.all(array == 1) for layer in layers for array in layer.arrays.values())
    assert W.flags.writeable, "the caller's array stays as it was"


def test_a_read_only_array_is_taken_as_it_is():
    W = np.ones((2, 2))
    W.flags.writeable = False
    assert Dense(W).W is W
    assert replace(Dense(W), b=np.zeros(2)).W is W


def test_no_signal_is_no_signal_of_the_right_shape():
    for call in (Dense(np.ones((2, 3))).backward, ReLU().gradients):
        with pytest.raises(TypeError, match="the signal above must be a NumPy array, got NoneType"):
            call(np.ones((1, 2)), None)


def test_arrays_made_for_a_layer_take_the_place_of_its_own():
    layer, a, W = Dense(np.ones((2, 3)), np.ones(3)), np.ones((1, 2)), np.full((2, 3), 2.0)
    layer.forward(a)
    other = layer.with_arrays(W=W, b=None)
    assert other.W is W
    assert not W.flags.writeable
    assert np.array_equal(other.forward(a), replace(layer, W=W, b=None).forward(a))
    assert np.array_equal(pickle.loads(pickle.dumps(other)).forward(a), other.forward(a))
    assert layer.W.max() == 1
    for wrong in (np.ones((3, 2)), np.ones((2, 3), np.float32)):
        with pytest.raises(ValueError, match=r"W takes \(2, 3\) float64, got \("):
            layer.with_arrays(W=wrong)


def test_astype_gives_a_new_layer_and_leaves_the_old():
    layer = Dense(np.ones((2, 2)), np.ones(2))
    narrow = layer.astype(np.float32)
    assert (layer.dtype, narrow.dtype, narrow.b.dtype) == (np.float64, np.float32, np.float32)
    with pytest.raises(ValueError, match="float32 or float64, got float16"):
        layer.astype(np.float16)


def test_layers_compare_by_identity_and_can_be_keys():
    assert ReLU() != ReLU()
    assert len({ReLU(), ReLU()}) == 2


def test_the_repr_is_one_line_with_the_sizes_and_what_is_unusual():
    assert repr(Conv2d(np.ones((4, 2, 3, 3)), np.ones(4), 2)) == "Conv2d(W[4, 2, 3, 3], b[4], stride=2)"
    assert repr(Dense(np.ones((2, 3)))) == "Dense(W[2, 3])"
    assert repr(Reshape((8, 8))) == "Reshape([8, 8])"
    assert repr(ReLU()) == "ReLU()"


# --------------------------------------------------------------------------------------------------------- the errors


@every_layer
def test_an_input_of_another_dtype_is_refused(layer, shape):
    wrong = {
        np.int64: r"bring pixels to \[0, 1\]",
        np.float16: r"use x\.astype\(np\.float",
        ">f4": r"use x\.astype\(np\.float",
        np.complex128: "use real numbers",
        bool: r"use x\.astype\(np\.float",
    }
    for dtype, advice in {**wrong, **({np.float32: "convert the input"} if layer.dtype else {})}.items():
        with pytest.raises(ValueError, match=rf"takes float.* got {np.dtype(dtype)}; {advice}"):
            layer.forward(np.ones(shape, dtype))
    with pytest.raises(TypeError, match="takes a NumPy array, got list"):
        layer.forward(np.ones(shape).tolist())


@every_layer
def test_a_signal_of_another_shape_or_dtype_is_refused(layer, shape):
    a, dz = input_and_signal(layer, shape)
    for wrong in (dz[:1, ..., :-1], dz[None], dz.astype(np.float32), np.float64(1.0) * dz[0]):
        for method in (layer.backward, layer.gradients):
            with pytest.raises(ValueError, match=r"the signal above must be \(.*\) float64, got \(.*"):
                method(a, wrong)
    with pytest.raises(TypeError, match="the signal above must be a NumPy array, got list"):
        layer.backward(a, dz.tolist())


WRONG_INPUTS = {
    "Dense of other vectors": (Dense(np.ones((5, 2))), (1, 4), r"\(N, 5\), got \(1, 4\)"),
    "Dense of images": (Dense(np.ones((5, 2))), (1, 1, 5, 1), r"\(N, ..., 5\), got \(1, 1, 5, 1\). Put Flatten\(\)"),
    "Dense of other images": (Dense(np.ones((5, 2))), (1, 5, 5, 1), r"\(N, ..., 5\), got \(1, 5, 5, 1\).$"),
    "PReLU of other channels": (PReLU(np.ones(3)), (2, 4), r"\(N, 3, ...\), got \(2, 4\)"),
    "GroupNorm of other channels": (GroupNorm(1, np.ones(3), np.ones(3)), (2, 4), r"\(N, 3, ...\), got \(2, 4\)"),
    "InstanceNorm of no pixels": (InstanceNorm(np.ones(3), np.ones(3)), (2, 3, 0), "at least one number in each group"),
    "Permute of other axes": (Permute((2, 1)), (1, 2, 3, 4), r"with 2 axes behind N, got \(1, 2, 3, 4\)"),
    "Slice of an axis that is not there": (Slice(2), (1, 2), r"an axis 2, got \(1, 2\)"),
    "Slice of nothing": (Slice(1, 3), (1, 2), r"something is left, got \(1, 2\)"),
    "Pad of other axes": (Pad((1, 1)), (1, 2), r"with 2 axes behind N, got \(1, 2\)"),
    "Pad that reflects too much": (Pad((2,), mode="reflect"), (1, 2), "longer than what is reflected"),
    "Upsample of vectors": (Upsample(2), (3, 5), r"\(N, C, H, W\), got \(3, 5\)"),
    "AdaptiveAvgPool2d without batch": (AdaptiveAvgPool2d(2), (3, 5, 5), "Add the batch axis"),
    "Dense of one vector": (Dense(np.ones((5, 2))), (5,), r"\(N, 5\), got \(5,\)"),
    "Conv2d of other channels": (Conv2d(np.ones((2, 3, 2, 2))), (1, 4, 5, 5), r"\(N, 3, H, W\), got \(1, 4, 5, 5\)"),
    "Conv2d without batch": (Conv2d(np.ones((2, 3, 2, 2))), (3, 5, 5), r"got \(3, 5, 5\). Add the batch axis"),
    "Conv2d of tiny images": (
        Conv2d(np.ones((2, 3, 4, 4))),
        (1, 3, 3, 5),
        r"4 × 4 window fits into, got \(1, 3, 3, 5\)",
    ),
    "Conv2d of no pixels": (Conv2d(np.ones((2, 3, 2, 2)), padding=1), (1, 3, 0, 4), "at least one pixel"),
    "ConvTranspose2d of other channels": (ConvTranspose2d(np.ones((2, 3, 2, 2))), (1, 3, 5, 5), r"\(N, 2, H, W\)"),
    "ConvTranspose2d cut to nothing": (ConvTranspose2d(np.ones((1, 1, 2, 2)), padding=1), (1, 1, 1, 1), "at least one"),
    "ConvTranspose2d of no pixels": (ConvTranspose2d(np.ones((1, 1, 3, 3))), (1, 1, 0, 1), "at least one pixel"),
    "BatchNorm of other channels": (BatchNorm(*np.ones((4, 3))), (2, 4), r"\(N, 3\) or \(N, 3, H, W\), got \(2, 4\)"),
    "BatchNorm of sequences": (BatchNorm(*np.ones((4, 3))), (2, 3, 5), r"got \(2, 3, 5\)"),
    "BatchNormInTraining of other channels": (
        BatchNormInTraining(*np.ones((2, 3))),
        (2, 4),
        r"\(N, 3\) or .* got \(2, 4\)",
    ),
    "BatchNormInTraining of one vector": (
        BatchNormInTraining(*np.ones((2, 3))),
        (1, 3),
        r"takes two numbers or more in each channel, got \(1, 3\)\. One has no variance: choose a batch_size",
    ),
    "BatchNormInTraining of one pixel": (BatchNormInTraining(*np.ones((2, 3))), (1, 3, 1, 1), "One has no variance"),
    "MaxPool2d without batch": (MaxPool2d(2), (3, 5, 5), r"\(N, C, H, W\), got \(3, 5, 5\). Add the batch axis"),
    "MaxPool2d of tiny images": (MaxPool2d(3), (1, 1, 2, 5), r"window \(3, 3\) fits into, got \(1, 1, 2, 5\)"),
    "MaxPool2d of no pixels": (MaxPool2d(2, 2, 1), (1, 1, 0, 5), "fits into"),
    "AvgPool2d of vectors": (AvgPool2d(2), (3, 5), r"\(N, C, H, W\), got \(3, 5\)"),
    "GlobalAvgPool of vectors": (GlobalAvgPool(), (3, 5), r"\(N, C, H, W\), got \(3, 5\)"),
    "GlobalAvgPool of no pixels": (GlobalAvgPool(), (3, 5, 0, 2), r"\(3, 5, 0, 2\)"),
    "Softmax of one vector": (Softmax(), (5,), r"\(N, ...\) with an axis 1, got \(5,\)"),
    "Softmax of an axis that is not there": (Softmax(-2), (2, 5), r"\(N, ...\) with an axis -2, got \(2, 5\)"),
    "Flatten of one vector": (Flatten(), (5,), r"\(N, ...\), got \(5,\)"),
    "Reshape of other lengths": (Reshape((2, 2)), (1, 5), r"4 numbers a sample, got \(1, 5\)"),
    "Mask of another shape": (Mask(np.ones((1, 3))), (2, 4), r"\(N, 3\), got \(2, 4\)"),
    "Mask of another batch": (Mask(np.ones((2, 3))), (4, 3), r"\(2, 3\), got \(4, 3\)"),
    "Mask of a scalar": (Mask(np.ones(2)), (), r"\(2\), got \(\)"),
}


@pytest.mark.parametrize(("layer", "shape", "message"), WRONG_INPUTS.values(), ids=WRONG_INPUTS.keys())
def test_an_input_of_another_shape_is_refused_with_what_was_expected_and_what_came(layer, shape, message):
    for refusing in (
        lambda: layer.output_shape(shape),
        lambda: layer.forward(np.ones(shape)),
        lambda: layer.backward(np.ones(shape), np.ones(shape)),
    ):
        with pytest.raises(ValueError, match=message):
            refusing()


ones, narrow = np.ones, np.ones(3, np.float32)
W4 = np.ones((4, 2, 3, 3))

WRONG_LAYERS = {
    "Dense, W of 3 axes": (lambda: Dense(ones((1, 2, 3))), r"Dense: W takes 2 axes, got the shape \(1, 2, 3\)"),
    "Dense, b too long": (lambda: Dense(ones((2, 3)), ones(4)), r"b takes the shape \(3,\), got the shape \(4,\)"),
    "Dense, mixed": (lambda: Dense(ones((2, 3)), narrow), "W is float64 and b is float32"),
    "Dense, float16": (lambda: Dense(ones((2, 3), np.float16)), "W takes float32 or float64, got float16"),
    "Dense, complex": (lambda: Dense(ones((2, 3), complex)), "W takes float32 or float64, got complex128"),
    "Dense, objects": (lambda: Dense(np.array([[None]])), "W takes float32 or float64, got object"),
    "Dense, other byte order": (lambda: Dense(ones((2, 3), ">f4")), "W takes float32 or float64, got >f4"),
    "Conv2d, W of 2 axes": (lambda: Conv2d(ones((2, 3))), r"Conv2d: W takes 4 axes, got the shape \(2, 3\)"),
    "Conv2d, no filters": (lambda: Conv2d(ones((0, 1, 2, 2))), "at least one element"),
    "Conv2d, no window": (lambda: Conv2d(ones((1, 1, 0, 2))), "at least one element"),
    "Conv2d, b too short": (lambda: Conv2d(W4, ones(3)), r"b takes the shape \(4,\), got the shape \(3,\)"),
    "Conv2d, mixed": (lambda: Conv2d(W4[:3], narrow), "W is float64 and b is float32"),
    "Conv2d, groups do not divide": (lambda: Conv2d(W4, groups=3), r"groups=3 must divide .* \(4, 2, 3, 3\)"),
    "Conv2d, groups 0": (lambda: Conv2d(W4, groups=0), "groups takes an integer from 1, got 0"),
    "Conv2d, groups True": (lambda: Conv2d(W4, groups=True), "groups takes an integer from 1, got True"),
    "Conv2d, groups 2.0": (lambda: Conv2d(W4, groups=2.0), "groups takes an integer from 1, got 2.0"),
    "Conv2d, stride 0": (lambda: Conv2d(W4, stride=0), "stride must be at least 1, got 0"),
    "Conv2d, stride True": (lambda: Conv2d(W4, stride=True), "stride takes an integer .* got True"),
    "Conv2d, stride 1.5": (lambda: Conv2d(W4, stride=1.5), "stride takes an integer .* got 1.5"),
    "Conv2d, three strides": (lambda: Conv2d(W4, stride=(1, 1, 1)), r"pair of integers, got \(1, 1, 1\)"),
    "Conv2d, padding by name": (lambda: Conv2d(W4, padding="same"), "padding takes an integer .* got 'same'"),
    "Conv2d, padding negative": (lambda: Conv2d(W4, padding=(0, -1)), r"padding must be at least 0, got \(0, -1\)"),
    "Conv2d, dilation 0": (lambda: Conv2d(W4, dilation=0), "dilation must be at least 1, got 0"),
    "ConvTranspose2d, b too short": (lambda: ConvTranspose2d(W4, ones(2), groups=2), r"b takes the shape \(4,\)"),
    "ConvTranspose2d, output_padding": (
        lambda: ConvTranspose2d(W4, stride=2, output_padding=2),
        r"output_padding is \(2, 2\), stride \(2, 2\), dilation \(1, 1\)",
    ),
    "ConvTranspose2d, output_padding negative": (lambda: ConvTranspose2d(W4, output_padding=-1), "at least 0, got -1"),
    "BatchNorm, lengths": (lambda: BatchNorm(ones(2), ones(3), ones(2), ones(2)), r"beta takes the shape \(2,\)"),
    "BatchNorm, mixed": (lambda: BatchNorm(ones(3), narrow, ones(3), ones(3)), "gamma float64, beta float32"),
    "BatchNorm, negative var": (lambda: BatchNorm([1], [0], [0], [-1.0]), "var [+] eps must be positive, .* -1.0"),
    "BatchNorm, eps NaN": (lambda: BatchNorm([1], [0], [0], [1], np.nan), "eps must be a finite number, got nan"),
    "BatchNorm, eps True": (lambda: BatchNorm([1], [0], [0], [1], True), "eps must be a finite number, got True"),
    "BatchNorm, eps by name": (lambda: BatchNorm([1], [0], [0], [1], "small"), "eps .* got 'small'"),
    "BatchNorm, 2 axes": (lambda: BatchNorm(*ones((4, 1, 3))), r"gamma takes 1 axes, got the shape \(1, 3\)"),
    "BatchNormInTraining, mixed": (lambda: BatchNormInTraining(ones(3), narrow), "gamma float64, beta float32"),
    "BatchNormInTraining, lengths": (lambda: BatchNormInTraining(ones(2), ones(3)), r"beta takes the shape \(2,\)"),
    "BatchNormInTraining, eps NaN": (lambda: BatchNormInTraining([1], [0], np.nan), "eps must be a finite number"),
    "MaxPool2d, size 0": (lambda: MaxPool2d(0), "MaxPool2d: size must be at least 1, got 0"),
    "MaxPool2d, size True": (lambda: MaxPool2d(True), "size takes an integer or a pair of integers, got True"),
    "MaxPool2d, stride 0": (lambda: MaxPool2d(2, 0), "stride must be at least 1, got 0"),
    "MaxPool2d, padding": (
        lambda: MaxPool2d((4, 2), padding=2),
        r"half the window; size is \(4, 2\), padding \(2, 2\)",
    ),
    "MaxPool2d, padding negative": (lambda: MaxPool2d(2, padding=-1), "padding must be at least 0, got -1"),
    "MaxPool2d, ceil_mode": (lambda: MaxPool2d(2, ceil_mode="no"), "ceil_mode takes True or False, got 'no'"),
    "AvgPool2d, padding": (lambda: AvgPool2d(3, padding=2), "AvgPool2d: padding is at most half the window"),
    "AvgPool2d, count_include_pad": (lambda: AvgPool2d(2, count_include_pad=1), "True or False, got 1"),
    "LeakyReLU, infinite": (lambda: LeakyReLU(np.inf), "slope must be a finite number, got inf"),
    "LeakyReLU, by name": (lambda: LeakyReLU("0.1"), "slope must be a finite number, got '0.1'"),
    "PReLU, none": (lambda: PReLU([]), "one for each channel, got none"),
    "PReLU, 2 axes": (lambda: PReLU(ones((1, 3))), "slope takes 1 axes"),
    "GELU, approximate": (lambda: GELU("yes"), "approximate takes 'none' or 'tanh', got 'yes'"),
    "ELU, NaN": (lambda: ELU(np.nan), "alpha must be a finite number, got nan"),
    "Softplus, 0": (lambda: Softplus(0), "beta takes a number above 0, got 0"),
    "GroupNorm, groups do not divide": (lambda: GroupNorm(2, ones(3), ones(3)), "groups=2 must divide the 3 channels"),
    "GroupNorm, no groups": (lambda: GroupNorm(0, ones(3), ones(3)), "groups takes a positive integer, got 0"),
    "GroupNorm, eps 0": (lambda: GroupNorm(1, ones(3), ones(3), 0), "eps takes a number above 0, got 0"),
    "InstanceNorm, lengths": (lambda: InstanceNorm(ones(3), ones(2)), r"beta takes the shape \(3,\)"),
    "InstanceNorm, mixed": (lambda: InstanceNorm(ones(3), narrow), "gamma is float64 and beta is float32"),
    "Permute, with the batch": (lambda: Permute((0, 1)), "positive integers"),
    "Permute, twice": (lambda: Permute((1, 1)), r"each number from 1 to 2 once, got \(1, 1\)"),
    "Slice, the batch": (lambda: Slice(0), "axis takes a positive integer, got 0"),
    "Slice, backwards": (lambda: Slice(1, step=-1), "step takes a positive integer, got -1"),
    "Slice, start": (lambda: Slice(1, None), "start takes an integer, got None"),
    "Pad, one number": (lambda: Pad(1), "before takes an integer from 0 for each axis but the first, got 1"),
    "Pad, negative": (lambda: Pad((0, -1)), r"from 0 for each axis but the first, got \(0, -1\)"),
    "Pad, lengths": (lambda: Pad((0, 1), (1,)), r"as many integers as each other, got \(0, 1\) and \(1,\)"),
    "Pad, mode": (lambda: Pad((1,), mode="same"), "mode takes 'zero', 'reflect', 'replicate', got 'same'"),
    "Upsample, factor": (lambda: Upsample(1.5), "factor takes an integer or a pair of integers, got 1.5"),
    "Upsample, mode": (lambda: Upsample(2, "cubic"), "mode takes 'nearest' or 'bilinear', got 'cubic'"),
    "Upsample, corners": (lambda: Upsample(2, align_corners=True), "an option of mode='bilinear'"),
    "AdaptiveAvgPool2d, size": (lambda: AdaptiveAvgPool2d(0), "size must be at least 1, got 0"),
    "Reshape, empty": (lambda: Reshape(()), r"one or more positive integers, got \(\)"),
    "Reshape, -1": (lambda: Reshape((2, -1)), r"positive integers, got \(2, -1\)"),
    "Reshape, fractions": (lambda: Reshape((2.5,)), r"positive integers, got \(2.5,\)"),
    "Reshape, one number": (lambda: Reshape(4), "positive integers, got 4"),
    "Dropout, p = 1": (lambda: Dropout(1.0), "from 0 up to, but not, 1, got 1.0"),
    "Dropout, p negative": (lambda: Dropout(-0.1), "from 0 up to, but not, 1, got -0.1"),
    "Dropout, p NaN": (lambda: Dropout(np.nan), "p must be a finite number, got nan"),
    "Dropout, p by name": (lambda: Dropout("half"), "p must be a finite number, got 'half'"),
    "Mask, a number": (lambda: Mask(2.0), r"Mask: m takes 1 axes, got the shape \(\)"),
}


@pytest.mark.parametrize(("make", "message"), WRONG_LAYERS.values(), ids=WRONG_LAYERS.keys())
def test_a_layer_that_makes_no_sense_is_refused_with_what_was_expected_and_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_integers_and_lists_become_float64_parameters():
    layer = Dense([[1, 2]], [3, 4])
    assert layer.W.dtype == layer.b.dtype == np.float64
    assert layer.forward(np.array([[2.0]])).tolist() == [[5.0, 8.0]]


def test_a_bare_layer_says_that_it_computes_nothing():
    with pytest.raises(NotImplementedError):
        Layer().forward(np.ones(1))


@pytest.mark.parametrize("again", [lambda layer: pickle.loads(pickle.dumps(layer)), copy.copy, copy.deepcopy])
@every_layer
def test_copies_and_pickles_are_the_same_layer_and_read_only(layer, shape, again):
    a, dz = input_and_signal(layer, shape)
    z, da = layer.forward(a), layer.backward(a, dz)
    copied = again(layer)
    assert type(copied) is type(layer)
    assert np.array_equal(copied.forward(a), z)
    assert np.array_equal(copied.backward(a, dz), da)
    assert not any(values.flags.writeable for values in copied.arrays.values())
