"""What depends on the shape of the input, and what all files here share: torch itself, arrays, the one error."""

import importlib
from typing import Any

import numpy as np

from ..layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Embedding,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool2d,
    MergeHeads,
    Pad,
    Permute,
    RepeatHeads,
    Reshape,
    Softmax,
    SplitHeads,
    Take,
    Upsample,
)
from ..layers.arguments import DTYPES, Shape, frozen
from .row import Unsupported

INSTALL = "pip install torch==2.13.0"


class _Size:
    """A size that is no number here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


BATCH, UNKNOWN = _Size("x.size(0)"), _Size("an unknown size")


def import_torch() -> Any:
    """The module torch, or an ImportError that says how to install it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(f"PyTorch is needed here and cannot be imported ({error}); {INSTALL}.") from None


def array(tensor: Any) -> np.ndarray:
    """A parameter copied to a read-only array."""
    values = tensor.detach().cpu()
    if values.is_floating_point() and values.element_size() < 4:
        raise Unsupported(f"its weights are {str(values.dtype).removeprefix('torch.')}; convert it with module.float()")
    numbers = np.array(values.numpy(), order="C")
    if numbers.dtype not in DTYPES:
        raise Unsupported(f"its weights are {numbers.dtype}; convert it with module.float()")
    return frozen(numbers)


def adaptive(output: Any, shape: Shape | None) -> list[Layer]:
    """AdaptiveAvgPool2d to `output` pixels; where it is known to be a plainer layer, that one."""
    size = tuple(output) if isinstance(output, (tuple, list)) else (output, output)
    if size == (1, 1):
        return [GlobalAvgPool()]
    if shape is None or len(shape) != 4:
        if None in size:
            raise Unsupported(f"to {size} needs the size of the input; give input_shape")
        return [AdaptiveAvgPool2d(size)]
    size = tuple(n if o is None else o for o, n in zip(size, shape[2:], strict=True))
    if any(n % o for o, n in zip(size, shape[2:], strict=True)):
        return [AdaptiveAvgPool2d(size)]
    window = tuple(n // o for o, n in zip(size, shape[2:], strict=True))
    return [Identity()] if window == (1, 1) else [AvgPool2d(window)]


def upsample(m: Any, shape: Shape | None) -> list[Layer]:
    """By a whole number of times; a `size` needs the size of the input."""
    if m.mode not in ("nearest", "bilinear"):
        raise Unsupported(f"mode={m.mode!r} has no counterpart; 'nearest' and 'bilinear' have")
    factors = m.scale_factor
    if m.size is not None:
        if shape is None or len(shape) != 4:
            raise Unsupported("to a size needs the size of the input; give input_shape, or scale_factor")
        size = m.size if isinstance(m.size, (tuple, list)) else (m.size, m.size)
        factors = tuple(o / n for o, n in zip(size, shape[2:], strict=True))
    factors = factors if isinstance(factors, (tuple, list)) else (factors, factors)
    if any(f != int(f) for f in factors):
        raise Unsupported(f"by {factors} is no whole number of times, and has no counterpart")
    rows, columns = map(int, factors)
    return [Upsample((rows, columns), m.mode, bool(m.align_corners))]


def pad(widths: Any, mode: str, axes: int | None) -> list[Layer]:
    """F.pad of an input with this many axes: `widths` are (before, after) of the last axis, of the one before, ..."""
    before, after = tuple(widths[::2])[::-1], tuple(widths[1::2])[::-1]
    kept = (0,) * ((axes or 0) - 1 - len(before))
    if mode not in PADS or min(widths) < 0 or axes is None or len(kept) + len(before) != axes - 1:
        raise Unsupported(f"pad={tuple(widths)}, mode={mode!r} of {axes or 'unknown'} axes has no counterpart")
    return [Pad((*kept, *before), (*kept, *after), PADS[mode])]


PADS = {"constant": "zero", "reflect": "reflect", "replicate": "replicate"}
"""The modes of F.pad, and of Pad."""


def softmax(kind: type[Softmax], dim: Any, axes: int | None) -> list[Layer]:
    """Softmax or LogSoftmax over axis `dim` of an input with this many axes."""
    if dim is None or dim == 0 or (axes is not None and dim + axes == 0):
        raise Unsupported(f"dim={dim} has no counterpart; an axis behind that of the samples has, such as dim=1")
    return [kind(1 if axes is not None and dim + axes == 1 else dim)]


def reshaped(name: str, shape: Shape | None, *arguments: Any) -> list[Layer]:
    """The layer of view, flatten, squeeze and the like, by the shapes that they give for two and three samples."""
    if shape is None:
        first, *rest = arguments or (None,)
        if (arguments == (1, -1) and name == "flatten") or arguments in ((BATCH, -1), (BATCH, (-1,))):
            return [Flatten()]
        rest = list(rest[0]) if name == "unflatten" else rest
        starts = first == 1 if name == "unflatten" else name == "view" and first in (BATCH, -1)
        if starts and rest and all(isinstance(n, int) and n > 0 for n in rest):
            return [Reshape(tuple(rest))]
        raise Unsupported(
            f"{name}{arguments} has no counterpart while the size of the input is unknown; give input_shape"
        )
    torch = import_torch()
    above = []
    for n in (2, 3):
        tensor = torch.empty((n, *shape[1:]), device="meta")
        try:
            above.append(tuple(getattr(tensor, name)(*(n if each is BATCH else each for each in arguments)).shape))
        except Exception as error:  # sizes that do not fit, sizes that are not known
            raise Unsupported(f"{name}{arguments} of an input {shape}: {' '.join(str(error).split())}") from None
    if above[0] != (2, *above[1][1:]) or above[1][0] != 3:
        raise Unsupported(f"{name}{arguments} puts several samples into one row")
    return [Flatten()] if len(above[0]) == 2 else [Reshape(above[0][1:])]


def axes_above(layer: Layer, axes: int | None) -> int | None:
    """How many axes the output of `layer` has, where it is known."""
    if isinstance(layer, Dense):
        return axes or 2
    if isinstance(layer, Constant):
        return layer.value.ndim
    if isinstance(layer, (Conv2d, ConvTranspose2d, MaxPool2d, AvgPool2d, GlobalAvgPool, AdaptiveAvgPool2d, Upsample)):
        return 4
    if isinstance(layer, (Reshape, Permute)):
        return 1 + len(layer.shape if isinstance(layer, Reshape) else layer.axes)
    if isinstance(layer, (SplitHeads, RepeatHeads)):
        return 4
    if isinstance(layer, (MergeHeads, Embedding)):
        return 3
    if isinstance(layer, Take):
        return axes and axes - 1
    return 2 if isinstance(layer, Flatten) else axes
