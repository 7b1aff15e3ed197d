"""What attention is made of besides Dense, MatMul and Softmax: heads, scale, mask, positions, and one token taken out.

tokens (N, T, D)   heads (N, h, T, d)   scores and probabilities (N, h, T, T): a row for each query
"""

from dataclasses import dataclass

import numpy as np

from .arguments import Shape, as_array, count, is_integer, number, parameter
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class SplitHeads(Layer):
    """(N, T, h · d) to (N, h, T, d): the features of each token, cut into `heads` neighbouring pieces.

    Source: Vaswani et al. 2017, "Attention is all you need", sec. 3.2.2.

    >>> SplitHeads(2).forward(np.array([[[1.0, 2.0, 3.0, 4.0]]]))[0, :, 0]
    array([[1., 2.],
           [3., 4.]])
    """

    heads: int
    linear = moves = True

    def __post_init__(self) -> None:
        self._set(heads=count("SplitHeads", "heads", self.heads))

    def forward(self, a: np.ndarray) -> np.ndarray:
        n, h, t, d = self.check(a)
        return np.ascontiguousarray(a.reshape(n, t, h, d).swapaxes(1, 2))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz.swapaxes(1, 2).reshape(a.shape)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3 or shape[2] % self.heads:
            raise self.refuse(shape, f"(N, T, D), {self.heads} dividing D")
        return shape[0], self.heads, shape[1], shape[2] // self.heads


@dataclass(frozen=True, eq=False, repr=False)
class MergeHeads(Layer):
    """(N, h, T, d) to (N, T, h · d): for each token what all heads found, behind each other. It undoes `SplitHeads`.

    >>> MergeHeads().output_shape((1, 2, 5, 4))
    (1, 5, 8)
    """

    linear = moves = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        above = self.check(a)
        return a.swapaxes(1, 2).reshape(above)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        n, h, t, d = a.shape
        return np.ascontiguousarray(dz.reshape(n, t, h, d).swapaxes(1, 2))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4:
            raise self.refuse(shape, "(N, heads, T, d)")
        n, h, t, d = shape
        return n, t, h * d


@dataclass(frozen=True, eq=False, repr=False)
class RepeatHeads(Layer):
    """(N, h, T, d) to (N, h · times, T, d): each head `times` times in a row, for queries that share keys and values.

    da is the sum over the repetitions.

    Source: Ainslie et al. 2023, "GQA: training generalized multi-query transformer models", sec. 2.2.

    >>> RepeatHeads(2).forward(np.array([[[[1.0]], [[3.0]]]]))[0, :, 0, 0]
    array([1., 1., 3., 3.])
    """

    times: int
    linear = moves = True

    def __post_init__(self) -> None:
        self._set(times=count("RepeatHeads", "times", self.times))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a.repeat(self.times, axis=1)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        n, h, *rest = a.shape
        return dz.reshape(n, h, self.times, *rest).sum(axis=2)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4:
            raise self.refuse(shape, "(N, heads, T, d)")
        return shape[0], shape[1] * self.times, *shape[2:]


@dataclass(frozen=True, eq=False, repr=False)
class Scale(Layer):
    """z = factor · a: attention's 1 / √d, for instance.

    Source: Vaswani et al. 2017, eq. 1.

    >>> Scale(0.5).forward(np.array([2.0, -4.0]))
    array([ 1., -2.])
    """

    factor: float
    linear = pointwise = True

    def __post_init__(self) -> None:
        self._set(factor=number("Scale", "factor", self.factor))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a * a.dtype.type(self.factor)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz * dz.dtype.type(self.factor)


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMask(Layer):
    """z = a where a query may look at a key; elsewhere z is so low that the softmax gives exactly 0, and da is 0.

    (−½ of the largest number of the dtype: −∞ would make NaNs of sums and products.)

    Parameters
    ----------
    allowed
        1 where a query (row) may look at a key (column), 0 where not: (T, T), or (N, 1, 1, T) for padding that differs
        from sample to sample. None: all.
    causal
        No query looks at a key behind it.

    Shapes: a and z (N, h, T, T).

    Source: Vaswani et al. 2017, sec. 3.2.3.

    >>> from nnlite.layers import Softmax
    >>> Softmax(-1).forward(AttentionMask(causal=True).forward(np.zeros((1, 1, 2, 2))))[0, 0]
    array([[1. , 0. ],
           [0.5, 0.5]])
    """

    allowed: np.ndarray | None = None
    causal: bool = False
    linear = pointwise = True

    def __post_init__(self) -> None:
        if not isinstance(self.causal, (bool, np.bool_)):
            raise ValueError(f"AttentionMask: causal takes True or False, got {self.causal!r}.")
        if self.allowed is not None:
            allowed = as_array("AttentionMask: allowed", self.allowed)
            allowed = parameter("AttentionMask", "allowed", allowed, 4 if allowed.ndim == 4 else 2)
            if not np.isin(allowed, (0, 1)).all() or not allowed.any(axis=-1).all():
                raise ValueError("AttentionMask: allowed takes 0 and 1, with a 1 at least in each row.")
            self._set(allowed=allowed)

    @property
    def batch(self) -> int:
        return len(self.allowed) if self.allowed is not None and self.allowed.ndim == 4 else 1

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.where(self._where(a.shape), a, a.dtype.type(-np.finfo(a.dtype).max / 2))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return np.where(self._where(a.shape), dz, dz.dtype.type(0))

    def _where(self, shape: Shape) -> np.ndarray:
        where = np.array(True) if self.allowed is None else self.allowed != 0
        return where & np.tri(shape[-2], shape[-1], shape[-1] - shape[-2], bool) if self.causal else where

    def output_shape(self, shape: Shape) -> Shape:
        fits = self.allowed is None or all(
            n in (1, m) for n, m in zip(self.allowed.shape[::-1], shape[::-1], strict=False)
        )
        if len(shape) != 4 or not fits:
            of = "" if self.allowed is None else f" that {list(self.allowed.shape)} fits"
            raise self.refuse(shape, f"scores (N, heads, T, T){of}")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class Rotary(Layer):
    """Positions as rotations: the features 2i and 2i + 1 of token t, turned as a point by the angle t · base^(−2i / d).

    With `halves` the pairs are i and i + d / 2, as most models store them. A product of queries and keys that were
    turned so depends on the distance of their tokens alone. da turns dz back.

    Shapes: a and z (N, h, T, d), d even; `width`, an even number, turns the first features alone.

    Source: Su et al. 2021, "RoFormer: enhanced transformer with rotary position embedding", eq. 15 and 34.

    >>> Rotary().forward(np.array([[[[1.0, 0.0], [1.0, 0.0]]]]))[0, 0].round(4)
    array([[1.    , 0.    ],
           [0.5403, 0.8415]])
    """

    base: float = 10000.0
    width: int | None = None
    halves: bool = False
    linear = True

    def __post_init__(self) -> None:
        base = number("Rotary", "base", self.base)
        if base <= 0 or (self.width is not None and (not is_integer(self.width) or self.width < 2 or self.width % 2)):
            raise ValueError(
                f"Rotary: expected a base above 0 and an even width or None, got {self.base!r} and {self.width!r}."
            )
        self._set(base=base, halves=bool(self.halves))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return self._turned(a, 1)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return self._turned(dz, -1)

    def _turned(self, a: np.ndarray, sign: int) -> np.ndarray:
        d = self.width or a.shape[-1]
        first, second = (slice(0, d // 2), slice(d // 2, d)) if self.halves else (slice(0, d, 2), slice(1, d, 2))
        angles = np.arange(a.shape[-2])[:, None] * self.base ** (-np.arange(0, d, 2) / d)
        cos, sin = np.cos(angles).astype(a.dtype), sign * np.sin(angles).astype(a.dtype)
        z = a.copy()
        z[..., first] = a[..., first] * cos - a[..., second] * sin
        z[..., second] = a[..., first] * sin + a[..., second] * cos
        return z

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4 or shape[-1] % 2 or (self.width or 0) > shape[-1]:
            raise self.refuse(shape, f"(N, heads, T, d) with an even d{f' ≥ {self.width}' if self.width else ''}")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class Take(Layer):
    """z = a[:, position]: one token, such as the class token (0) or the last one (−1); da is 0 at the others.

    Shapes: a (N, T, ...), z (N, ...).

    >>> Take(-1).forward(np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    array([[3., 4.]])
    """

    position: int
    linear = moves = True

    def __post_init__(self) -> None:
        if not is_integer(self.position):
            raise ValueError(f"Take: position takes an integer, got {self.position!r}.")
        self._set(position=int(self.position))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a[:, self.position].copy()

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        da = np.zeros_like(a)
        da[:, self.position] = dz
        return da

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 3 or not -shape[1] <= self.position < shape[1]:
            raise self.refuse(shape, f"(N, T, ...) with a token {self.position}")
        return shape[0], *shape[2:]
