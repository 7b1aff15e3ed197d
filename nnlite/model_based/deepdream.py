"""DeepDream: what a layer faintly finds in an image is made strong, at every size.

octave       the image, and smaller copies of it: a feature of a few pixels finds large things in a small copy
step         x ← x + rate · g / mean |g|,   g = ∂‖a_l‖² / ∂x of the image moved at random
detail       what the steps added in one octave is enlarged and added to the next larger copy
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.cam import upsampled
from ..decision_based.inputs import check_input
from ..decision_based.method import takes_network
from ..layers.arguments import count, flag, generator, is_integer, number, unmasked
from ..network import Network
from ..training.optimizers import Memory
from .ascent import ascend, box
from .objectives import Objective, Through, squared_norm
from .tiles import Selected, Tiled, sight, without_padding
from .transformations import Jitter, Robust

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Dream:
    """The dream x, (N, C, H, W) in [0, 1], and the images `start` that it was dreamt from.

    activity: ‖a_l‖² of `start` and of x, (2, N).
    values: for each octave, from the smallest, ‖a_l‖² before every step and after the last, (steps + 1, N), each of
        another jitter.
    octaves: for each octave the image after its last step, where it was asked for; else None.
    """

    x: np.ndarray
    start: np.ndarray
    activity: np.ndarray
    values: tuple[np.ndarray, ...]
    octaves: tuple[np.ndarray, ...] | None


@dataclass(frozen=True)
class MeanStep:
    """w ← w − rate · g / mean |g|, each sample separately: a step moves a pixel by `rate` on average.

    Source: Mordvintsev et al. 2015, the notebook "Deep Dreams (with Caffe)", make_step.

    >>> MeanStep().update(np.zeros((1, 2)), np.array([[30.0, -10.0]]), {}, rate=0.1, t=1)[0]
    array([[-0.15,  0.05]])
    """

    def update(self, w: np.ndarray, g: np.ndarray, memory: Memory, rate: float, t: int) -> tuple[np.ndarray, dict]:
        mean = np.abs(g).mean(axis=tuple(range(1, g.ndim)), keepdims=True)
        return w - float(rate) * g / np.where(mean > 0, mean, 1), {}


@takes_network
def deepdream(
    network: Network,
    x: np.ndarray,
    layer: str,
    *,
    channel: int | None = None,
    octaves: int = 4,
    scale: float = 1.4,
    steps: int = 10,
    rate: float = 0.01,
    jitter: int = 8,
    tile: int | None = None,
    rng: np.random.Generator | int = 0,
    keep: bool = False,
    progress: bool = False,
) -> Dream:
    """Ascend ‖a_l‖² (of one channel ‖a_lk‖²) from an image, over octaves; its gradient is 2 a_l walked back.

    Octave i has H / scaleⁱ × W / scaleⁱ pixels; from the smallest, x = copy + detail, `steps` steps in the box [0, 1],
    then detail = (what came out − copy), enlarged. With octaves=1, jitter=0 it is plain ascent. Activations that see
    the padding around the image are left out of the norm: the edge that they find there is not in the picture.

    x: images (N, C, H, W) in [0, 1], of any size, in the channels and the dtype of the network.
    layer: the layer l whose activations grow, by name. A ReLU grows what speaks for a feature; a convolution also what
        speaks against it.
    channel: one channel k of it; by default all.
    octaves, scale: how many sizes, and how much each is smaller than the one before, above 1.
    steps, rate: steps an octave, and by how much one moves a pixel on the average.
    jitter: by up to how many pixels the image is moved before each gradient, and back after it.
    tile: compute the gradient in tiles of about this many pixels, for large images: the same up to rounding, in the
        memory of one tile.
    rng, keep, progress: as in `ascend`, for each octave; of its images the last is kept.

    Raises TypeError or ValueError: x is not an image for this network, or too small for the layer at some octave; there
    is no such layer or channel; a number is out of its range; FloatingPointError: the gradient is not finite.
    Source: Mordvintsev, Olah and Tyka 2015, "Inceptionism: going deeper into neural networks", and their notebook,
    whose objective is ½ ‖a_l‖²; as the gradient is divided by its mean, the steps are the same.

    >>> from nnlite.models import load
    >>> x = np.linspace(0, 1, 48 * 40, dtype=np.float32).reshape(1, 1, 48, 40) * np.ones((1, 3, 1, 1), np.float32)
    >>> dream = deepdream(load("colour_net"), x, "relu2", octaves=2, steps=5)
    >>> dream.x.shape, [value.shape for value in dream.values]
    ((1, 3, 48, 40), [(6, 1), (6, 1)])
    >>> bool(dream.values[-1][-1] > 10 * dream.values[0][0])
    True
    """
    part = up_to(network, layer)
    sizes = _sizes(x, octaves, scale)
    _check(network, part, x, sizes)
    f = _objective(part, x, channel, tile)
    rng, keep = generator("deepdream", "rng", rng), flag("deepdream", "keep", keep)
    copies = [x]
    for size in sizes[-2::-1]:
        copies.append(resized(copies[-1], size))
    detail, values, dreams = np.zeros_like(copies[-1]), [], []
    for copy in copies[::-1]:
        start = copy + resized(detail, copy.shape[2:])
        ascent = ascend(
            Robust([Jitter(jitter)], f),
            start,
            steps=steps,
            rate=rate,
            optimizer=MeanStep(),
            project=box(0, 1),
            rng=rng,
            progress=progress,
        )
        detail = ascent.x - copy
        values.append(ascent.values)
        dreams.append(ascent.x)
    activity = np.stack([f(x)[0], f(dreams[-1])[0]])
    return Dream(dreams[-1], x.copy(), activity, tuple(values), tuple(dreams) if keep else None)


@takes_network
def up_to(network: Network, layer: str) -> Network:
    """The layers up to the one of this name, for images of any size: without the network's input_shape."""
    part = network.up_to(layer)
    return Network(part.layers, part.names, wires=part.wires)


def resized(x: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Images (N, C, h, w) at another size (N, C, H, W), bilinear."""
    return upsampled(x.reshape(-1, *x.shape[2:]), tuple(size)).reshape(*x.shape[:2], *size)


def _sizes(x: np.ndarray, octaves: int, scale: float) -> list[Size]:
    """The sizes of the octaves, from the smallest to that of x."""
    octaves, scale = count("deepdream", "octaves", octaves, each=2**7), number("deepdream", "scale", scale)
    if scale <= 1:
        raise ValueError(f"deepdream: scale must be above 1, such as 1.4, got {scale}.")
    if not isinstance(unmasked("x", x), np.ndarray):
        raise TypeError(f"x takes a NumPy array of images (N, C, H, W), got {type(x).__name__}; use np.asarray.")
    if x.ndim != 4 or 0 in x.shape:
        advice = " Add the batch axis: x[None]." if x.ndim == 3 else ""
        raise ValueError(f"x takes images (N, C, H, W), got {x.shape}.{advice}")
    shares = scale ** -np.arange(octaves, dtype=np.float64)[::-1]
    rows, columns = (np.maximum(1, np.round(n * shares)).astype(int).tolist() for n in x.shape[2:])
    return list(zip(rows, columns, strict=True))


def _check(network: Network, part: Network, x: np.ndarray, sizes: list[Size]) -> None:
    """Refuse images that are not in the box, of other channels, or that a layer cannot take at some octave."""
    shape = network.input_shape
    if shape is not None and len(shape) == 3 and x.shape[1] != shape[0]:
        raise ValueError(f"x takes images in the channels of the network, (N, {shape[0]}, H, W), got {x.shape}.")
    for i, size in enumerate(sizes):
        try:
            part.output_shape((*x.shape[:2], *size))
        except ValueError as error:
            raise ValueError(
                f"deepdream: octave {i + 1} of {len(sizes)} has {size[0]} × {size[1]} pixels, which the layers up to "
                f"{part.names[-1]} cannot take ({str(error).rstrip('.')}). Take fewer octaves or a larger image, or a "
                "layer with feature maps; a dense layer above them takes images of the network's own size alone."
            ) from None
    check_input(part, x)
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"x takes pixels from 0 to 1, got {x.min()} to {x.max()}; divide by the largest value.")


def _objective(part: Network, x: np.ndarray, channel: Any, tile: Any) -> Objective:
    """‖a_l‖² or ‖a_lk‖², without the activations that see padding; whole or in tiles."""
    channels = slice(None)
    if channel is not None:
        n = part.output_shape(x.shape)[1]
        if not is_integer(channel) or not 0 <= channel < n:
            raise ValueError(f"deepdream: {part.names[-1]} has the channels 0 to {n - 1}, got {channel!r}.")
        channels = slice(int(channel), int(channel) + 1)
    tile = None if tile is None else count("deepdream", "tile", tile)
    try:
        seen = sight(part)
    except ValueError:
        if tile is not None:
            raise
        seen = None

    def activity(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        where: tuple[slice, ...] = (slice(None), channels)
        if seen is not None:
            where += without_padding(seen, x.shape, part.output_shape(x.shape))
        if tile is None:
            return Through(part, Selected(where, squared_norm))(x)
        return Tiled(part, squared_norm, tile, where)(x)

    return activity
