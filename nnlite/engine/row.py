"""Several layers as one: a row of small layers in one compiled call, up and down, one sample at a time.

    layer by layer   [all samples] conv → [all samples] ReLU → [all samples] pool → ...    each time through memory
    as a row         [sample 1] conv → ReLU → pool → ...   [sample 2] conv → ReLU → ...    stays in the cache

On small images the calls between the layers cost more than the layers do; a row costs one. Every number that a layer
would give is still there: `up` leaves all activations, `down` all signals. What a layer is stands in one line of a
table of integers (`Field`), its weights in one array; rows.py writes both. The plain form of a row is the layers
themselves, one after the other, and the tests tie the two.

A convolution goes by strips. A strip holds the numbers that one column of the windows reads, and nothing else:

    image              strip 0     strip 1     windows of 2 × 2: element (i, j) of all of them
    0  1  2  3         0 1  2      1  2  3     is strip j from row i on
    4  5  6  7         4 5  6      5  6  7
    8  9 10 11         8 9 10      9 10 11     (1, 0):  4 5 6 8 9 10

So a column is one long copy, as in flat.py, but with no place that has to be cut off: the product writes straight to
where the activation lies. Padding and strides are done with in the strips (at stride 2, one strip for the even rows
and one for the odd). The way back adds the columns to the strips and the strips to the image. The products are BLAS's.
"""

from enum import IntEnum

import numpy as np

from ..kernels import division
from ..kernels.dispatch import compiled, part


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


class Start(IntEnum):
    """The signal at the top, where class c is chosen.

    ONE              1 at c, 0 elsewhere
    SCORE            z_c at c, 0 elsewhere
    LOG_PROBABILITY  [k = c] − p_k with p = softmax(z): the gradient of log p_c
    """

    ONE, SCORE, LOG_PROBABILITY = range(3)


class Field(IntEnum):
    """The columns of the table: sizes below (C, H, W) and above (K, OH, OW), the windows, and where things lie.

    IN and OUT count the numbers of one sample that lie before the activation; IN is -1 for the input itself. STRIPS is
    how many numbers the strips of a convolution hold.
    """

    KIND, IN, OUT, C, H, W, K, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW, WEIGHTS, BIAS, STRIPS = range(20)


KIND, IN, OUT, C, H, W, K, OH, OW, KH, KW, SH, SW, PH, PW, DH, DW, WEIGHTS, BIAS, STRIPS = map(int, Field)
SAME, DENSE, CONV, RELU, MAX, MEAN = map(int, Kind)
EXACT, PASS, POSITIVE, GUIDED, EPSILON, GROUPS = map(int, Mode)
ONE, SCORE, LOG_PROBABILITY = map(int, Start)
LARGEST = tuple(float(division.LARGEST[np.dtype(dtype)]) for dtype in (np.float32, np.float64))
"""The bound of division.py in float32 and float64, as the compiled loops take it."""


@compiled
def up(x, activations, out, table, weights, counts, work, keep):  # type: ignore[no-untyped-def]
    """All activations of x (N, size), layer after layer; with keep=False only the last, into `out`."""
    n_samples, stride = len(x), len(x) if keep else 1
    for n in range(n_samples):
        a = _rise(x[n], activations, stride, n if keep else 0, table, weights, counts, work)
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
    n_samples, stride = len(x), len(x) if keep else 1
    for n in range(n_samples):
        place = n if keep else 0
        dz = _top(signals, table, stride, place, R.shape[1], out[n])
        for i in range(R.shape[1]):
            dz[i] = R[n, i]
        _descend(
            x[n], activations, n_samples, n, dz, signals, stride, place, out[n],
            table, modes, epsilons, kappas, changed, weights, counts, work, keep,
        )  # fmt: skip


@compiled
def through(  # type: ignore[no-untyped-def]
    x, classes, begin, scores, activations, signals, out,
    table, modes, epsilons, kappas, changed, weights, counts, work,
):  # fmt: skip
    """Up and down in one: the scores (N, K), and the signal on x (N, size) into `out`, sample after sample.

    The class of sample n is classes[n] (-1: the one with the highest score, which is written there), and the signal at
    the top what `begin`, a Start, says. Of the activations and the signals between nothing is kept.
    """
    for n in range(len(x)):
        z = _rise(x[n], activations, 1, 0, table, weights, counts, work)
        chosen = classes[n]
        if chosen < 0:
            chosen = 0
            for k in range(z.size):
                chosen = k if z[k] > z[chosen] else chosen
            classes[n] = chosen
        for k in range(z.size):
            scores[n, k] = z[k]
        dz = _top(signals, table, 1, 0, z.size, out[n])
        _begin(z, chosen, begin, dz)
        _descend(
            x[n], activations, 1, 0, dz, signals, 1, 0, out[n],
            table, modes, epsilons, kappas, changed, weights, counts, work, False,
        )  # fmt: skip


# ----------------------------------------------------------------------------------------------- all layers, one sample


@part
def _rise(x, activations, stride, place, table, weights, counts, work):  # type: ignore[no-untyped-def]
    """The activation at the top; those of layer l lie at OUT · stride + place · (their number)."""
    a, zero = x, x.dtype.type(0)
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
            _convolution(a, t, weights, z, work)
        elif t[KIND] == RELU:
            for i in range(size):
                z[i] = a[i] if (a[i] > 0) | (a[i] != a[i]) else zero  # a NaN stays one
        elif t[KIND] == MAX:
            _largest(a, t, z, work)
        else:
            _mean(a, t, counts, z)
        a = z
    return a


@part
def _top(signals, table, stride, place, size, out):  # type: ignore[no-untyped-def]
    """Where the signal at the top lies; in `out` where it is that on the input."""
    start = table[len(table) - 1, OUT]
    return out if start < 0 else signals[start * stride + place * size :][:size]


@part
def _begin(z, chosen, begin, dz):  # type: ignore[no-untyped-def]
    dz[:] = 0
    if begin == LOG_PROBABILITY:
        largest, total = z[0], z.dtype.type(0)
        for k in range(1, z.size):
            largest = z[k] if z[k] > largest else largest
        for k in range(z.size):
            dz[k] = -np.exp(z[k] - largest)
            total -= dz[k]
        for k in range(z.size):
            dz[k] /= total
    dz[chosen] += z[chosen] if begin == SCORE else 1


@part
def _descend(  # type: ignore[no-untyped-def]
    x, activations, a_stride, a_place, dz, signals, stride, place, out,
    table, modes, epsilons, kappas, changed, weights, counts, work, keep,
):  # fmt: skip
    """The signal on the input into `out`, from dz at the top."""
    gated, arrived = False, table[len(table) - 1, OUT] < 0
    for l in range(len(table) - 1, -1, -1):
        t = table[l]
        if t[KIND] == SAME or (t[KIND] == RELU and not keep and (modes[l] == PASS or gated)):
            gated = False
            continue  # the signal passes as it is, in its place
        size, size_above = t[C] * t[H] * t[W], t[K] * t[OH] * t[OW]
        z = activations[t[OUT] * a_stride + a_place * size_above :][:size_above]
        if t[IN] < 0:
            a, da, arrived = x, out, True
        else:
            a = activations[t[IN] * a_stride + a_place * size :][:size]
            da = signals[t[IN] * stride + place * size :][:size]
        if t[KIND] == RELU:
            _gate(a, dz, da, modes[l])
        elif t[KIND] == MAX:  # and the ReLU below it in the same pass
            gated = l > 0 and table[l - 1, KIND] == RELU and modes[l - 1] == EXACT and not keep
            _to_the_largest(a, t, z, dz, da, gated)
        elif modes[l] == EPSILON:
            _share(a, z, dz, epsilons[l], t, weights, counts, work, da)
        elif modes[l] == GROUPS:
            _share_by_groups(a, dz, epsilons[l], kappas[l], t, changed, counts, work, da)
        else:
            _linear_back(dz, t, weights, counts, work, da)
        dz = da
    if not arrived:
        for i in range(out.size):
            out[i] = dz[i]


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
def _convolution(a, t, weights, z, work):  # type: ignore[no-untyped-def]
    n_filters, T, f = t[K], t[C] * t[KH] * t[KW], t[OH] * t[OW]
    filters = weights[t[WEIGHTS] : t[WEIGHTS] + n_filters * T].reshape(n_filters, T)
    columns, strips = work[: T * f].reshape(T, f), work[T * f : T * f + t[STRIPS]]
    _to_strips(a, t, strips)
    _to_columns(strips, t, columns)
    np.dot(filters, columns, z.reshape(n_filters, f))
    for k in range(n_filters):
        b, plane = weights[t[BIAS] + k], z[k * f : (k + 1) * f]
        for i in range(f):
            plane[i] += b


@part
def _convolution_back(dz, t, weights, da, work):  # type: ignore[no-untyped-def]
    n_filters, T, f = t[K], t[C] * t[KH] * t[KW], t[OH] * t[OW]
    filters = weights[t[WEIGHTS] : t[WEIGHTS] + n_filters * T].reshape(n_filters, T)
    columns, strips = work[: T * f].reshape(T, f), work[T * f : T * f + t[STRIPS]]
    np.dot(filters.T, dz.reshape(n_filters, f), columns)
    _from_columns(columns, t, strips)
    _from_strips(strips, t, da)


@part
def _to_strips(a, t, strips):  # type: ignore[no-untyped-def]
    """strips[c, phase, j, q, x] = a[c, q s + phase − p, x s − p + j d], zero outside the image."""
    one = a.dtype.type(min(1, t[OW]))  # the compiler cannot know it: it would call memcpy for every few numbers
    if t[PH] > 0 or t[PW] > 0:
        strips[:] = 0
    for phase in range(t[SH]):
        for j in range(t[KW]):
            start, corner, rows, n, ow, down, right = _inside(t, phase, j)
            for c in range(t[C]):
                at, first = start + c * (t[STRIPS] // t[C]), corner + c * t[H] * t[W]
                for _ in range(rows):
                    strip = strips[at : at + n]
                    if right == 1:
                        row = a[first : first + n]
                        for x in range(n):
                            strip[x] = row[x] * one
                    else:
                        for x in range(n):
                            strip[x] = a[first + x * right]
                    at += ow
                    first += down


@part
def _from_strips(strips, t, da):  # type: ignore[no-untyped-def]
    """The transpose of `_to_strips`: every number is added where it was read."""
    da[:] = 0
    for phase in range(t[SH]):
        for j in range(t[KW]):
            start, corner, rows, n, ow, down, right = _inside(t, phase, j)
            for c in range(t[C]):
                at, first = start + c * (t[STRIPS] // t[C]), corner + c * t[H] * t[W]
                for _ in range(rows):
                    strip = strips[at : at + n]
                    if right == 1:
                        row = da[first : first + n]
                        for x in range(n):
                            row[x] += strip[x]
                    else:
                        for x in range(n):
                            da[first + x * right] += strip[x]
                    at += ow
                    first += down


@part
def _inside(t, phase, j):  # type: ignore[no-untyped-def]
    """The part of a strip that lies inside the image, for channel 0.

    Where it begins in the strips and in the image, its rows and their length, and the steps: to the next row in the
    strips, in the image, and from number to number in it.
    """
    height, width, sh, sw, ph, ow = t[H], t[W], t[SH], t[SW], t[PH], t[OW]
    above, shift = ph - phase, j * t[DW] - t[PW]
    q, x = max(0, -(-above // sh)), max(0, -(shift // sw))
    rows, n = (height + above + sh - 1) // sh - q, max(0, min(ow, (width - 1 - shift) // sw + 1) - x)
    at = ((phase * t[KW] + j) * _rows(t) + q) * ow + x
    return at, (q * sh - above) * width + shift + x * sw, rows, n, ow, sh * width, sw


@part
def _rows(t):  # type: ignore[no-untyped-def]
    """The rows of a strip."""
    return (t[H] + 2 * t[PH] + t[SH] - 1) // t[SH]


@part
def _to_columns(strips, t, columns):  # type: ignore[no-untyped-def]
    """columns[c, i, j] is the strip of (c, j) from row i on, OH rows long."""
    f, size, r = t[OH] * t[OW], _rows(t) * t[OW], 0
    for c in range(t[C]):
        for i in range(t[KH]):
            first = _first(t, c, i)
            for _ in range(t[KW]):
                column, strip = columns[r], strips[first : first + f]
                for x in range(f):
                    column[x] = strip[x]
                first += size
                r += 1


@part
def _from_columns(columns, t, strips):  # type: ignore[no-untyped-def]
    """The transpose of `_to_columns`."""
    f, size, r = t[OH] * t[OW], _rows(t) * t[OW], 0
    strips[:] = 0
    for c in range(t[C]):
        for i in range(t[KH]):
            first = _first(t, c, i)
            for _ in range(t[KW]):
                column, strip = columns[r], strips[first : first + f]
                for x in range(f):
                    strip[x] += column[x]
                first += size
                r += 1


@part
def _first(t, c, i):  # type: ignore[no-untyped-def]
    """Where the column of element (c, i, 0) begins in the strips."""
    down = i * t[DH]
    return ((c * t[SH] + down % t[SH]) * t[KW] * _rows(t) + down // t[SH]) * t[OW]


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
    """s = R / (z + ε sgn z), sgn 0 = +1; 0 where z is, or where s would be too large to go on with; NaN stays NaN."""
    largest = R.dtype.type(LARGEST[R.itemsize // 8])
    for k in range(R.size):
        quotient = R[k] / (z[k] + (epsilon if z[k] >= 0 else -epsilon))
        nothing = (R[k] - R[k]) + (z[k] - z[k])  # 0; NaN where one of them is not finite
        s[k] = quotient if (abs(quotient) < largest) & (nothing == 0) else nothing


@part
def _largest(a, t, z, work):  # type: ignore[no-untyped-def]
    if _are_pairs(t):
        _largest_of_pairs(a, t, z, work)
        return
    for c in range(t[K]):
        plane, out = a[c * t[H] * t[W] : (c + 1) * t[H] * t[W]], z[c * t[OH] * t[OW] : (c + 1) * t[OH] * t[OW]]
        for y in range(t[OH]):
            for x in range(t[OW]):
                out[y * t[OW] + x] = plane[_winner(plane, t, y, x)]


@part
def _are_pairs(t):  # type: ignore[no-untyped-def]
    """Whether the windows are 2 × 2, side by side; they are whole: a row of layers has no ceil_mode."""
    return t[KH] == t[KW] == t[SH] == t[SW] == 2 and t[PH] == t[PW] == 0


@part
def _largest_of_pairs(a, t, z, work):  # type: ignore[no-untyped-def]
    """Of two rows the larger numbers, then of all neighbours among these: long loops, which become SIMD."""
    width, both = t[W], 2 * t[OW]
    larger = work[: 2 * z.size]
    at = 0
    for c in range(t[K]):
        first = c * t[H] * width
        for _ in range(t[OH]):
            top, bottom, of_both = a[first : first + both], a[first + width :][:both], larger[at : at + both]
            for x in range(both):
                of_both[x] = top[x] if (top[x] >= bottom[x]) | (top[x] != top[x]) else bottom[x]  # a NaN wins
            at += both
            first += 2 * width
    for i in range(z.size):
        p, q = larger[2 * i], larger[2 * i + 1]
        z[i] = p if (p >= q) | (p != p) else q


@part
def _to_the_largest(a, t, z, dz, da, gated):  # type: ignore[no-untyped-def]
    """dz to the winner of each window; with `gated` only where the winner is above 0, as a ReLU below lets through."""
    if _are_pairs(t) and not _has_nan(z):
        _to_the_largest_of_pairs(a, t, z, dz, da, gated)
        return
    da[:] = 0
    for c in range(t[K]):
        plane, given = a[c * t[H] * t[W] : (c + 1) * t[H] * t[W]], dz[c * t[OH] * t[OW] : (c + 1) * t[OH] * t[OW]]
        into = da[c * t[H] * t[W] : (c + 1) * t[H] * t[W]]
        for y in range(t[OH]):
            for x in range(t[OW]):
                if given[y * t[OW] + x] != 0:
                    winner = _winner(plane, t, y, x)
                    if not gated or plane[winner] > 0:
                        into[winner] += given[y * t[OW] + x]


@part
def _to_the_largest_of_pairs(a, t, z, dz, da, gated):  # type: ignore[no-untyped-def]
    """The first that equals the largest takes g, and leaves zero for the others: no branch, so it becomes SIMD."""
    width, ow, zero = t[W], t[OW], dz.dtype.type(0)
    if t[H] > 2 * t[OH] or width > 2 * ow:
        da[:] = 0
    at = 0
    for c in range(t[K]):
        first = c * t[H] * width
        for _ in range(t[OH]):
            top, bottom = a[first : first + 2 * ow], a[first + width :][: 2 * ow]
            into_top, into_bottom = da[first : first + 2 * ow], da[first + width :][: 2 * ow]
            largest, given = z[at : at + ow], dz[at : at + ow]
            for x in range(ow):
                m = largest[x]
                g = given[x] if (not gated) | (m > 0) else zero
                into_top[2 * x] = g if top[2 * x] == m else zero
                g = zero if top[2 * x] == m else g
                into_top[2 * x + 1] = g if top[2 * x + 1] == m else zero
                g = zero if top[2 * x + 1] == m else g
                into_bottom[2 * x] = g if bottom[2 * x] == m else zero
                into_bottom[2 * x + 1] = zero if bottom[2 * x] == m else g
            at += ow
            first += 2 * width


@part
def _has_nan(z):  # type: ignore[no-untyped-def]
    """(A NaN is not equal to itself.)"""
    found = 0
    for i in range(z.size):
        found += z[i] != z[i]
    return found > 0


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
