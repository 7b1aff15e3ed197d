"""What all layers share: their parameters, the checks of what they are given, their one-line repr."""

from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache, partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..memory import claim
from .arguments import DTYPES, Shape, conversion, float_dtype, frozen, kind_of, unmasked

LARGE = 2**24
"""Numbers: a layer that makes more asks for memory first."""


@lru_cache(maxsize=256)
def _fields(kind: type) -> tuple[str, ...]:
    """The names of the fields of this kind of layer."""
    return tuple(field.name for field in fields(kind))


@dataclass(frozen=True, eq=False, repr=False)
class Layer:
    """A pure function of its parameters and its input; the base of every kind of layer.

    Layers are frozen and compare by identity. Their arrays are read-only: an array that can be written is copied when
    the layer is made, a read-only one is taken as it is. `dataclasses.replace(layer, W=...)` gives a new layer.
    """

    trained: ClassVar[tuple[str, ...]] = ()
    """The names of the arrays that training changes."""

    weighted: ClassVar[bool] = False
    """It has weights W and a bias b: z = W a + b in some form."""

    linear: ClassVar[bool] = False
    """z is affine in a."""

    pointwise: ClassVar[bool] = False
    """Each z_k is made of the one a_k in its place."""

    reshapes: ClassVar[bool] = False
    """The same numbers in another shape."""

    moves: ClassVar[bool] = False
    """Each z_k is one of the a_j, or 0 where none was put."""

    nonnegative: ClassVar[bool] = False
    """No z_k is negative, whatever a is."""

    reads: ClassVar[int | None] = 1
    """How many activations it reads: 1, and `a` is an array; 0, and `a` is the number of samples; more, or None for
    any number, and `a` is a tuple of arrays."""

    _last: ClassVar[tuple[Any, Shape]] = None, ()
    """What `check` saw last, and the shape above it: a walk comes by several times, with the same shapes."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        """The activations above, from the activations `a` below."""
        raise NotImplementedError

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        """The vector-Jacobian product: da_j = Σ_k (∂z_k / ∂a_j) dz_k, exactly."""
        raise NotImplementedError

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        """The gradient of Σ z · dz in every trained parameter, by name."""
        self.check(a, dz)
        return {}

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        """What `forward` adds to the weighted inputs, in a shape that broadcasts over z; 0 without a bias."""
        return 0.0

    def held(self, a: np.ndarray) -> "Layer":
        """This layer with what makes it non-linear held at `a`, such as the σ of a normalization; else itself."""
        return self

    def output_shape(self, shape: Shape) -> Shape:
        """The shape above (N, ...) for a shape below (N, ...); ValueError where the layer cannot take it."""
        return shape

    @property
    def batch(self) -> int:
        """How many samples it takes, or needs, at once; 1 where it treats each separately."""
        return 1

    @property
    def sums(self) -> bool:
        """Whether each z_k is a sum of several inputs with their weights: what LRP divides."""
        return self.linear and self.reads == 1 and not (self.pointwise or self.reshapes or self.moves)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The layer's arrays by name; a bias that is None is left out."""
        return self._arrays(_fields(type(self)))  # type: ignore[arg-type]  # a class can be hashed

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The arrays that training changes, by name."""
        return self._arrays(self.trained)

    def _arrays(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    @property
    def options(self) -> dict[str, Any]:
        """Everything else that defines the layer, by name: stride, padding, ..."""
        arrays = self.arrays
        return {name: getattr(self, name) for name in _fields(type(self)) if name not in arrays}  # type: ignore[arg-type]

    @cached_property
    def dtype(self) -> np.dtype | None:
        """The dtype of the layer's arrays, None for a layer without."""
        for name in _fields(type(self)):  # type: ignore[arg-type]
            if isinstance(value := getattr(self, name), np.ndarray):
                return value.dtype
        return None

    def astype(self, dtype: Any) -> "Layer":
        """The same layer with its arrays in `dtype` (float32 or float64)."""
        dtype = float_dtype(dtype, "astype")
        arrays = {name: frozen(value.astype(dtype)) for name, value in self.arrays.items()}
        return replace(self, **arrays) if arrays else self

    def with_arrays(self, **arrays: np.ndarray | None) -> "Layer":
        """The same layer with arrays that were made for it, or None: `dataclasses.replace` without checks and copies.

        Raises ValueError: an array has another shape or dtype.
        """
        for name, array in arrays.items():
            if array is not None:
                own = getattr(self, name)
                if (array.shape, array.dtype) != (own.shape, own.dtype):
                    raise ValueError(f"{self!r}: {name} takes {kind_of(own)}, got {kind_of(array)}.")
                array.flags.writeable = False
        other = object.__new__(type(self))
        for name in (*_fields(type(self)), "_last", "dtype"):  # type: ignore[arg-type]  # a class can be hashed
            if name in self.__dict__:
                other.__dict__[name] = arrays.get(name, self.__dict__[name])
        return other

    def check(self, a: Any, *signals: np.ndarray) -> Shape:
        """The shape above `a`.

        Raises TypeError or ValueError: the layer cannot take `a`, or a signal is not in the shape and the dtype above.
        """
        seen, above = self._last
        if type(a) is not np.ndarray or seen != (a.shape, a.dtype):
            above = self._above(a)
        for dz in signals:
            if type(dz) is not np.ndarray and not isinstance(unmasked("dz", dz), np.ndarray):
                raise TypeError(f"{self!r}: the signal above must be a NumPy array, got {type(dz).__name__}.")
            dtype = self.dtype or (a[0] if isinstance(a, tuple) else a).dtype
            if dz.shape != above or dz.dtype != dtype:
                below = tuple(x.shape for x in a) if isinstance(a, tuple) else getattr(a, "shape", f"{a} samples")
                raise ValueError(
                    f"{self!r} turns {below} into {above}: the signal above must be {above} {dtype}, "
                    f"got {dz.shape} {dz.dtype}."
                )
        return above

    def _above(self, a: np.ndarray) -> Shape:
        """The shape above `a`, which is looked at."""
        if not isinstance(unmasked("a", a), np.ndarray):
            raise TypeError(f"{self!r} takes a NumPy array, got {type(a).__name__}; use np.asarray.")
        if a.dtype not in DTYPES or a.dtype != (self.dtype or a.dtype):
            expected = self.dtype or "float32 or float64"
            advice = "convert the input with x.astype(...) or the network with network.astype(...)"
            if a.dtype not in DTYPES:
                advice = conversion(a.dtype, self.dtype or "float32")
            raise ValueError(f"{self!r} takes {expected}, got {a.dtype}; {advice}.")
        above = self.with_room(self.output_shape(a.shape), a.dtype)
        if prod(above) <= LARGE:  # more is asked for each time
            self.__dict__["_last"] = (a.shape, a.dtype), above
        return above

    def with_room(self, above: Shape, dtype: np.dtype) -> Shape:
        """The shape above; ValueError where an output of that shape needs more memory than there is."""
        if prod(above) > LARGE:
            claim(prod(above) * dtype.itemsize, f"The output {above} of {self!r}")
        return above

    def refuse(self, shape: Shape, expected: str, advice: str = "") -> ValueError:
        """The error for a shape that this layer cannot take, to be raised."""
        return ValueError(f"{self!r} takes {expected}, got {shape}.{' ' + advice if advice else ''}")

    def __repr__(self) -> str:
        sizes = [f"{name}{list(value.shape)}" for name, value in self.arrays.items()]
        options = [
            f"{field.name}={_short(self.options[field.name])}"
            for field in fields(self)
            if field.name in self.options and _short(self.options[field.name]) != field.default
        ]
        return f"{type(self).__name__}({', '.join(sizes + options)})"

    def __reduce__(self) -> Any:
        """Copies and pickles are made anew from the fields: arrays are read-only, and nothing remembered goes along."""
        made = {field.name: getattr(self, field.name) for field in fields(self) if field.init}
        return partial(type(self), **made), ()

    def _set(self, **values: Any) -> None:
        """Set fields of the frozen layer while it is being made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _short(value: Any) -> Any:
    """(2, 2) as 2."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1] else value
