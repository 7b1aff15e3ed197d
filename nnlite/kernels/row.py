"""Several layers as one: a row of small layers in one compiled call, up and down, one sample at a time.

    layer by layer   [all samples] conv → [all samples] ReLU → [all samples] pool → ...    each time through memory
    as a row         [sample 1] conv → ReLU → pool → ...   [sample 2] conv → ReLU → ...    stays in the cache

On small images the calls between the layers cost more than the layers do; a row costs one. Every number that a layer
would give is still there: `up` leaves all activations, `down` all signals. What a layer is stands in one line of a
table of integers (`Field`), its weights in one array; nnlite/rows.py writes both. The plain form of a row is the layers
themselves, one after the other, and the tests tie the two.

A convolution is that of flat.py where its shifts serve, else its windows are gathered; the products are BLAS's.
"""

from enum import IntEnum

import numpy as np

from . import division
from .dispatch import compiled, part


class Kind(IntEnum):
    """What a layer is."""

    SAME, DENSE, CONV, RELU, MAX, MEAN = range(6)


class Mode(IntEnum):
    """How a layer turns the signal above it into the signal below.

    EXACT     the backward pass
    PASS      R_j = R_k: a ReLU in LRP
    POSITIVE  R_j = max(0, R_k): a ReLU in DeConvNet
    GUIDED    R_j = max(0, R_k) where a_j > 0: a ReLU in guided backpropagation
    EPSILON   the four steps of LRP-ε: z, s = R / (z + ε sgn z), c, R_j = a_j c_j
    GROUPS    the four steps with κ R for R, by the same layer with other weights; summed over a few (κ, weights)
    """

    EXACT, PASS, POSITIVE, GUIDED, EPSILON, GROUPS = range(6)


class Field(IntEnum):
    """The columns of the table: sizes below (C, H, W) and above (K, OH, OW), the windows, and where things lie.

    IN and OUT count the numbers of one sample that lie before the activation; IN is -1 for the input itself.
    """

    KIND, IN, OUT, C, H, W, K, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW, WEIGHTS, BIAS, SHIFTS = range(20)


KIND, IN, OUT, C, H, W, K, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW, WEIGHTS, BIAS, SHIFTS = map(int, Field)
SAME, DENSE, CONV, RELU, MAX, MEAN = map(int, Kind)
EXACT, PASS, POSITIVE, GUIDED, EPSILON, GROUPS = map(int, Mode)
LARGEST = tuple(float(division.LARGEST[np.dtype(dtype)]) for dtype in (np.float32, np.float64))
"""The bound of division.py in float32 and float64, as the compiled loops take it."""


@compiled
def up(x, activations, out, table, weights, counts, work, keep):  # type: ignore[no-untyped-def]
    """All activations of x (N, size), layer after layer; with keep=False only the last, into `out`."""
    n_samples, first = x.shape
    own, zero = work[:first], x.dtype.type(0)
    stride = n_samples if keep else 1
    for n in range(n_samples):
        for i in range(first):
            own[i] = x[n, i]
        place = n if keep else 0
        a = own
        for l in range(len(table)):
            t = table[l]
            if t[KIND] == SAME:
                continue
            size = t[K] * t[OH] * t[OW]
            start = t[OUT] * stride + place * size
            z = activations[start : start + size]
            if t[KIND] == DENSE:
                _dense(a, t, weights, z)
            elif t[KIND] == CONV:
                _convolution(a, t, weights, z, work[first:])
            elif t[KIND] == RELU:
                for i in range(size):
                    z[i] = a[i] if (a[i] > 0) | (a[i] != a[i]) else zero  # a NaN stays one
            elif t[KIND] == MAX:
                _largest(a, t, z)
            else:
                _mean(a, t, counts, z)
            a = z
        if not keep:
            for i in range(a.size):
                out[n, i] = a[i]


@compiled
def down(  # type: ignore[no-untyped-def]
    x, activations, R, signals, out, table, modes, epsilons, kappas, changed, weights, counts, work, keep
):
    """The signal on x (N, size) into `out`, from R (N, size) at the top; with keep=True all signals into `signals`.

    For Mode.GROUPS: kappas[l, g] is the κ of group g of layer l (0: there is none), changed[g] holds its weights.
    """
    n_samples, first = x.shape
    above = work[first : 2 * first]
    stride = n_samples if keep else 1
    for n in range(n_samples):
        for i in range(first):
            work[i] = x[n, i]
        place = n if keep else 0
        last = R.shape[1]
        start = table[len(table) - 1, OUT]
        if start < 0:
            for i in range(last):  # a slice assigned whole takes Numba seconds to compile
                out[n, i] = R[n, i]
            continue
        dz = signals[start * stride + place * last : start * stride + (place + 1) * last]
        for i in range(last):
            dz[i] = R[n, i]
        gated = False
        for l in range(len(table) - 1, -1, -1):
            t = table[l]
            if t[KIND] == SAME or (t[KIND] == RELU and not keep and (modes[l] == PASS or gated)):
                gated = False
                continue  # the signal passes as it is, in its place
            size, size_above = t[C] * t[H] * t[W], t[K] * t[OH] * t[OW]
            z = activations[t[OUT] * n_samples + n * size_above : t[OUT] * n_samples + (n + 1) * size_above]
            if t[IN] < 0:
                a, da = work[:first], above
            else:
                a = activations[t[IN] * n_samples + n * size : t[IN] * n_samples + (n + 1) * size]
                da = signals[t[IN] * stride + place * size : t[IN] * stride + (place + 1) * size]
            if t[KIND] == RELU:
                _gate(a, dz, da, modes[l])
            elif t[KIND] == MAX:  # and the ReLU below it in the same pass
                gated = l > 0 and table[l - 1, KIND] == RELU and modes[l - 1] == EXACT and not keep
                _to_the_largest(a, t, dz, da, gated)
            elif modes[l] == EPSILON:
                _share(a, z, dz, epsilons[l], t, weights, counts, work[2 * first :], da)
            elif modes[l] == GROUPS:
                _share_by_groups(a, dz, epsilons[l], kappas[l], t, changed, counts, work[2 * first :], da)
            else:
                _linear_back(dz, t, weights, counts, work[2 * first :], da)
            dz = da
        for i in range(first):
            out[n, i] = dz[i]


# ------------------------------------------------------------------------------------------------ one layer, one sample


@part
def _share(a, z, R, epsilon, t, weights, counts, work, R_j):  # type: ignore[no-untyped-def]
    """The four steps of LRP-ε; step 1, z, has been computed on the way up."""
    s = work[: R.size]
    _divide(R, z, epsilon, s)  # step 2
    _linear_back(s, t, weights, counts, work[R.size :], R_j)  # step 3: c
    for j in range(a.size):
        R_j[j] *= a[j]  # step 4


@part
def _share_by_groups(a, R, epsilon, kappas, t, changed, counts, work, R_j):  # type: ignore[no-untyped-def]
    """The four steps for each group of a rule: κ R, and a layer with other weights on the same input."""
    z, s, c = work[: R.size], work[R.size : 2 * R.size], work[2 * R.size : 2 * R.size + a.size]
    work = work[2 * R.size + a.size :]
    R_j[:] = 0
    for g in range(kappas.size):
        if kappas[g] != 0:
            if t[KIND] == DENSE:
                _dense(a, t, changed[g], z)  # step 1
            else:
                _convolution(a, t, changed[g], z, work)
            for k in range(R.size):
                s[k] = kappas[g] * R[k]
            _divide(s, z, epsilon, s)  # step 2
            _linear_back(s, t, changed[g], counts, work, c)  # step 3
            for j in range(a.size):
                R_j[j] += a[j] * c[j]  # step 4


@part
def _linear_back(dz, t, weights, counts, work, da):  # type: ignore[no-untyped-def]
    if t[KIND] == DENSE:
        _dense_back(dz, t, weights, da)
    elif t[KIND] == CONV:
        _convolution_back(dz, t, weights, da, work)
    else:
        _mean_back(dz, t, counts, da)


@part
def _dense(a, t, weights, z):  # type: ignore[no-untyped-def]
    J, n_out = t[C] * t[H] * t[W], t[K]
    W_jk = weights[t[WEIGHTS] : t[WEIGHTS] + J * n_out].reshape(J, n_out)
    np.dot(a.reshape(1, J), W_jk, z.reshape(1, n_out))
    for k in range(n_out):
        z[k] += weights[t[BIAS] + k]


@part
def _dense_back(dz, t, weights, da):  # type: ignore[no-untyped-def]
    J, n_out = t[C] * t[H] * t[W], t[K]
    W_jk = weights[t[WEIGHTS] : t[WEIGHTS] + J * n_out].reshape(J, n_out)
    np.dot(W_jk, dz.reshape(n_out, 1), da.reshape(J, 1))


@part
def _image(a, t, work):  # type: ignore[no-untyped-def]
    """The image with its padding, and the memory behind it."""
    if t[PH] == 0 and t[PW] == 0:
        return a, work
    height, width = t[H] + 2 * t[PH], t[W] + 2 * t[PW]
    image = work[: t[C] * height * width]
    image[:] = 0
    for c in range(t[C]):
        for y in range(t[H]):
            row = image[(c * height + y + t[PH]) * width + t[PW] :]
            source = a[(c * t[H] + y) * t[W] : (c * t[H] + y + 1) * t[W]]
            for x in range(t[W]):
                row[x] = source[x]
    return image, work[t[C] * height * width :]


@part
def _columns(image, t, columns):  # type: ignore[no-untyped-def]
    """The windows: shifted copies where they serve, else gathered."""
    height, width = t[H] + 2 * t[PH], t[W] + 2 * t[PW]
    f = columns.shape[1]
    r = 0
    for c in range(t[C]):
        for i in range(t[KH]):
            for j in range(t[KW]):
                first = (c * height + i * t[DH]) * width + j * t[DW]
                column = columns[r]
                if t[SHIFTS]:
                    source = image[first : first + f]
                    for q in range(f):
                        column[q] = source[q]
                else:
                    for y in range(t[OH]):
                        for x in range(t[OW]):
                            column[y * t[OW] + x] = image[first + y * t[SH] * width + x * t[SW]]
                r += 1


@part
def _convolution(a, t, weights, z, work):  # type: ignore[no-untyped-def]
    image, work = _image(a, t, work)
    width, n_filters, T = t[W] + 2 * t[PW], t[K], t[C] * t[KH] * t[KW]
    filters = weights[t[WEIGHTS] : t[WEIGHTS] + n_filters * T].reshape(n_filters, T)
    f = (t[OH] - 1) * width + t[OW] if t[SHIFTS] else t[OH] * t[OW]
    columns, full = work[: T * f].reshape(T, f), work[T * f : (T + n_filters) * f].reshape(n_filters, f)
    _columns(image, t, columns)
    np.dot(filters, columns, full)
    step = width if t[SHIFTS] else t[OW]
    for k in range(n_filters):
        b = weights[t[BIAS] + k]
        for y in range(t[OH]):
            row, source = z[(k * t[OH] + y) * t[OW] :], full[k, y * step : y * step + t[OW]]
            for x in range(t[OW]):
                row[x] = source[x] + b


@part
def _convolution_back(dz, t, weights, da, work):  # type: ignore[no-untyped-def]
    height, width = t[H] + 2 * t[PH], t[W] + 2 * t[PW]
    n_filters, T = t[K], t[C] * t[KH] * t[KW]
    filters = weights[t[WEIGHTS] : t[WEIGHTS] + n_filters * T].reshape(n_filters, T)
    f = (t[OH] - 1) * width + t[OW] if t[SHIFTS] else t[OH] * t[OW]
    step = width if t[SHIFTS] else t[OW]
    padded = t[PH] > 0 or t[PW] > 0
    image = work[: t[C] * height * width] if padded else da
    work = work[t[C] * height * width :]
    columns, full = work[: T * f].reshape(T, f), work[T * f : (T + n_filters) * f].reshape(n_filters, f)
    for k in range(n_filters):
        for y in range(t[OH]):
            row, source = full[k, y * step : min(f, (y + 1) * step)], dz[(k * t[OH] + y) * t[OW] :]
            for x in range(t[OW]):
                row[x] = source[x]
            for x in range(t[OW], row.size):
                row[x] = 0
    np.dot(filters.T, full, columns)
    image[:] = 0
    r = 0
    for c in range(t[C]):
        for i in range(t[KH]):
            for j in range(t[KW]):
                first = (c * height + i * t[DH]) * width + j * t[DW]
                column = columns[r]
                if t[SHIFTS]:
                    target = image[first : first + f]
                    for q in range(f):
                        target[q] += column[q]
                else:
                    for y in range(t[OH]):
                        for x in range(t[OW]):
                            image[first + y * t[SH] * width + x * t[SW]] += column[y * t[OW] + x]
                r += 1
    if padded:
        for c in range(t[C]):
            for y in range(t[H]):
                row = da[(c * t[H] + y) * t[W] :]
                source = image[(c * height + y + t[PH]) * width + t[PW] :]
                for x in range(t[W]):
                    row[x] = source[x]


@part
def _gate(a, dz, da, mode):  # type: ignore[no-untyped-def]
    zero = dz.dtype.type(0)
    if mode == EXACT:
        for i in range(a.size):
            da[i] = dz[i] if a[i] > 0 else zero
    elif mode == PASS:
        for i in range(a.size):
            da[i] = dz[i]
    elif mode == POSITIVE:
        for i in range(a.size):
            da[i] = dz[i] if (dz[i] > 0) | (dz[i] != dz[i]) else zero
    else:
        for i in range(a.size):
            da[i] = dz[i] if (a[i] > 0) & (dz[i] > 0) else zero


@part
def _divide(R, z, epsilon, s):  # type: ignore[no-untyped-def]
    """s = R / (z + ε sgn z), sgn 0 = +1; 0 where z is, or where s would be too large to go on with."""
    zero, largest = R.dtype.type(0), R.dtype.type(LARGEST[R.itemsize // 8])
    for k in range(R.size):
        quotient = R[k] / (z[k] + (epsilon if z[k] >= 0 else -epsilon))
        s[k] = quotient if abs(quotient) < largest else zero


@part
def _largest(a, t, z):  # type: ignore[no-untyped-def]
    for c in range(t[K]):
        plane, out = a[c * t[H] * t[W] : (c + 1) * t[H] * t[W]], z[c * t[OH] * t[OW] : (c + 1) * t[OH] * t[OW]]
        if t[KH] == t[KW] == t[SH] == t[SW] == 2 and t[PH] == t[PW] == 0:  # whole windows: there is no ceil_mode here
            for y in range(t[OH]):
                top, bottom = plane[2 * y * t[W] : (2 * y + 1) * t[W]], plane[(2 * y + 1) * t[W] : (2 * y + 2) * t[W]]
                row = out[y * t[OW] : (y + 1) * t[OW]]
                for x in range(t[OW]):
                    p, q, r, s = top[2 * x], top[2 * x + 1], bottom[2 * x], bottom[2 * x + 1]
                    upper = p if (p >= q) | (p != p) else q
                    lower = r if (r >= s) | (r != r) else s
                    row[x] = upper if (upper >= lower) | (upper != upper) else lower
        else:
            for y in range(t[OH]):
                for x in range(t[OW]):
                    out[y * t[OW] + x] = plane[_winner(plane, t, y, x)]


@part
def _to_the_largest(a, t, dz, da, gated):  # type: ignore[no-untyped-def]
    """dz to the winner of each window; with `gated` only where the winner is above 0, as a ReLU below lets through."""
    da[:] = 0
    zero = dz.dtype.type(0)
    for c in range(t[K]):
        plane, given = a[c * t[H] * t[W] : (c + 1) * t[H] * t[W]], dz[c * t[OH] * t[OW] : (c + 1) * t[OH] * t[OW]]
        into = da[c * t[H] * t[W] : (c + 1) * t[H] * t[W]]
        if t[KH] == t[KW] == t[SH] == t[SW] == 2 and t[PH] == t[PW] == 0:
            for y in range(t[OH]):
                top, bottom = plane[2 * y * t[W] : (2 * y + 1) * t[W]], plane[(2 * y + 1) * t[W] : (2 * y + 2) * t[W]]
                into_top = into[2 * y * t[W] : (2 * y + 1) * t[W]]
                into_bottom = into[(2 * y + 1) * t[W] : (2 * y + 2) * t[W]]
                row = given[y * t[OW] : (y + 1) * t[OW]]
                for x in range(t[OW]):
                    p, q, r, s = top[2 * x], top[2 * x + 1], bottom[2 * x], bottom[2 * x + 1]
                    left, lower_left = (p >= q) | (p != p), (r >= s) | (r != r)
                    upper, lower = p if left else q, r if lower_left else s
                    above = (upper >= lower) | (upper != upper)
                    g = row[x] if (not gated) | ((upper if above else lower) > 0) else zero
                    into_top[2 * x] = g if above & left else zero
                    into_top[2 * x + 1] = g if above & (not left) else zero
                    into_bottom[2 * x] = g if lower_left & (not above) else zero
                    into_bottom[2 * x + 1] = g if not (above | lower_left) else zero
        else:
            for y in range(t[OH]):
                for x in range(t[OW]):
                    if given[y * t[OW] + x] != 0:
                        winner = _winner(plane, t, y, x)
                        if not gated or plane[winner] > 0:
                            into[winner] += given[y * t[OW] + x]


@part
def _winner(plane, t, y, x):  # type: ignore[no-untyped-def]
    """Where the largest of a window is, the first in row-major order; a NaN is larger than any number."""
    first_row, first_col = max(0, y * t[SH] - t[PH]), max(0, x * t[SW] - t[PW])
    at = first_row * t[W] + first_col
    for row in range(first_row, min(t[H], y * t[SH] - t[PH] + t[KH])):
        for col in range(first_col, min(t[W], x * t[SW] - t[PW] + t[KW])):
            value, best = plane[row * t[W] + col], plane[at]
            if value > best or (value != value and best == best):
                at = row * t[W] + col
    return at


@part
def _mean(a, t, counts, z):  # type: ignore[no-untyped-def]
    for c in range(t[K]):
        plane = a[c * t[H] * t[W] : (c + 1) * t[H] * t[W]]
        for y in range(t[OH]):
            for x in range(t[OW]):
                total = plane.dtype.type(0)
                for row in range(max(0, y * t[SH] - t[PH]), min(t[H], y * t[SH] - t[PH] + t[KH])):
                    for col in range(max(0, x * t[SW] - t[PW]), min(t[W], x * t[SW] - t[PW] + t[KW])):
                        total += plane[row * t[W] + col]
                z[(c * t[OH] + y) * t[OW] + x] = total / counts[t[BIAS] + y * t[OW] + x]


@part
def _mean_back(dz, t, counts, da):  # type: ignore[no-untyped-def]
    da[:] = 0
    for c in range(t[K]):
        into = da[c * t[H] * t[W] : (c + 1) * t[H] * t[W]]
        for y in range(t[OH]):
            for x in range(t[OW]):
                share = dz[(c * t[OH] + y) * t[OW] + x] / counts[t[BIAS] + y * t[OW] + x]
                for row in range(max(0, y * t[SH] - t[PH]), min(t[H], y * t[SH] - t[PH] + t[KH])):
                    for col in range(max(0, x * t[SW] - t[PW]), min(t[W], x * t[SW] - t[PW] + t[KW])):
                        into[row * t[W] + col] += share
