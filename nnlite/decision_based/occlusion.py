"""Occlusion: cover a part of the image, and see how far the score drops.

    d_p   = f_c(x) − f_c(x with the window at position p filled)
    map_i = mean of d_p over the windows p that cover pixel i

No gradient is needed: any network is asked as it is. (A compiled one runs again only what a window can reach.) But a
covered image is a new image. It may look like another digit, and then the drop tells about the cover as much as about
x: `predicted` says at each position what the network takes the covered image for.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels import free_rounding
from ..layers import Sigmoid, Softmax
from ..layers.arguments import count, generator, is_one_of, number, pair
from ..network import Network
from ..walk import scores_of_covered
from .inputs import check_finite, like_input
from .method import method
from .target import Explained, Target, explained

DELAY = 2.0  # seconds before a progress bar appears


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What covering each part of the images did.

    drops: (N, rows, columns): d_p, one number a position, as the paper draws them.
    map: (N, H, W): the drops brought back to the pixels.
    predicted: (N, rows, columns): the class that is predicted with the window at each position; None for a neuron.
    target: what is explained: the class of each sample (N,), or the neuron.
    score: (N,): f_c(x), or the probability, of the image without a cover.
    size, stride: the window (rows, columns) and its steps.
    """

    drops: np.ndarray
    map: np.ndarray
    predicted: np.ndarray | None
    target: Any
    score: np.ndarray
    size: tuple[int, int]
    stride: tuple[int, int]


@free_rounding()  # it compares scores, and no walk back follows
@method
def occlusion(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    size: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] = 1,
    fill: float | str | np.ndarray = 0.0,
    sigma: float | None = None,
    score: str = "score",
    overlap: str = "mean",
    rng: np.random.Generator | int = 0,
    memory: int = 2**24,
    progress: bool | None = None,
) -> Occlusion:
    """d_p = f_c(x) − f_c(x with the window at p filled); map_i = mean of d_p over the windows that cover i.

    network: any network on images; a Softmax at its end is left out unless `score` asks for probabilities.
    x: (N, C, H, W) in the dtype of the network. A window covers all channels.
    target: the class c: one for all samples, one for each (N,), or None for the class predicted on x, which stays c
        however x is covered. Or a neuron, such as ("conv2", 7): see `target.explained`.
    size: the window: rows and columns, or one number for both. By default 5 of 28 pixels: max(1, ⌊5 H / 28 + 1/2⌋)
        rows, and columns in the same way from W.
    stride: from window to window, at most the window's size. There are ⌈(H − k) / s⌉ + 1 positions down and likewise
        across; the last window is clipped where it would stick out.
    fill: what a window is filled with: a number; an array in the dtype of x that broadcasts against one input, such as
        (C, 1, 1) or (C, H, W), or one for each sample (N, C, H, W); or "mean": the mean of the channel over the image;
        "blur": the image under a Gaussian of width `sigma`, mirrored at its edges; "noise": uniform between the image's
        least and greatest value. One pattern is drawn a call and serves all positions and samples, so that a batch
        gives what its samples give one at a time; "flip": 1 − x, for pixels in [0, 1]; others are refused. The only one
        of these that can show a stroke that is absent.
    sigma: for "blur", in pixels; by default half the window, down and across.
    score: "score": f_c is the score. "probability": f_c is the softmax of the scores, or the sigmoid of a network's
        one.
    overlap: "mean" or "sum" of the windows that cover a pixel.
    rng: for "noise": a Generator or a seed.
    memory: how many bytes the covered copies that run at once may take, with the activations that are computed of them;
        one copy runs in any case. The batch's own activations, and what a layer needs while it runs, come on top.
    progress: None: a bar on a terminal, for runs of more than two seconds. True: always. False: never.

    Returns an `Occlusion`. Nothing is computed for a window that changes no pixel: its drop is 0.
    Raises TypeError or ValueError: x does not fit the network or is no batch of images, a target is not a class, the
    window is larger than the image, the stride larger than the window, or an option is none of those above.
    Source: Zeiler and Fergus 2013, "Visualizing and understanding convolutional networks", sec. 4.2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, Flatten
    >>> net = Network([Flatten(), Dense(np.array([[1.0], [2.0], [-3.0]]))])
    >>> covered = occlusion(net, np.ones((1, 1, 1, 3)), size=(1, 2))
    >>> covered.drops, covered.map
    (array([[[ 3., -1.]]]), array([[[ 3.,  1., -1.]]]))
    """
    _check_choices(score=(score, ("score", "probability")), overlap=(overlap, ("mean", "sum")))
    f = explained(network, x, target)
    if x.ndim != 4:
        raise ValueError(f"occlusion takes images (N, C, H, W), got {x.shape}.")
    if score == "probability" and not isinstance(f.target, np.ndarray):
        raise ValueError(f'A neuron has no probability; use score="score" with the target {target!r}.')
    if score == "probability":
        network.class_scores(f.a[-1])  # without classes an error
    memory = count("occlusion", "memory", memory)
    window, step = _window(x.shape[2:], size, stride)
    rows, columns = (_slices(*sizes) for sizes in zip(x.shape[2:], window, step, strict=True))
    filled = filling(x, fill, sigma=sigma, window=window, rng=rng)
    at_x, class_of_x = _measure(f, f.a[-1], slice(None), score == "probability")
    places = len(rows) * len(columns)
    drops = np.zeros(places * len(x), x.dtype)  # position by position; a window that changes no pixel has the drop 0
    predicted = np.tile(class_of_x, places)
    from tqdm import tqdm  # here: it takes a while to import

    silent = None if progress is None else not progress
    with tqdm(total=drops.size, unit="copy", delay=0 if progress else DELAY, disable=silent) as bar:
        for copies, z in scores_of_covered(f.network, x, filled, rows, columns, memory):
            of = copies % len(x)
            covered, predicted[copies] = _measure(f, z, of, score == "probability")
            drops[copies] = at_x[of] - covered
            bar.update(len(copies))
        bar.update(drops.size - bar.n)
    shape = (len(rows), len(columns), len(x))
    d, classes = (np.ascontiguousarray(values.reshape(shape).transpose(2, 0, 1)) for values in (drops, predicted))
    on_pixels = _on_pixels(d, rows, columns, x.shape[2:], overlap)
    of_classes = classes if isinstance(f.target, np.ndarray) else None
    return Occlusion(d, on_pixels, of_classes, f.target, at_x, window, step)


def filling(
    x: np.ndarray,
    fill: float | str | np.ndarray,
    *,
    window: tuple[int, int],
    sigma: float | None = None,
    rng: np.random.Generator | int = 0,
) -> np.ndarray:
    """What covers the images, in the shape of x: a window at any place shows that place of it.

    Parameters, Raises: as `occlusion`; `window` (rows, columns) gives `sigma` its default.

    Source: Zeiler and Fergus 2013, sec. 4.2 (a grey square); Fong and Vedaldi 2017, "Interpretable explanations of
    black boxes by meaningful perturbation", sec. 4.1 (a constant, noise, blur).

    >>> filling(np.array([[[[0.25, 1.0]]]]), "flip", window=(1, 1))
    array([[[[0.75, 0.  ]]]])
    """
    if not isinstance(fill, str):
        return like_input(x, fill, "fill", also=', or "mean", "blur", "noise" or "flip"')
    _check_choices(fill=(fill, ("mean", "blur", "noise", "flip")))
    if fill == "mean":
        return np.broadcast_to(x.mean(axis=(2, 3), keepdims=True), x.shape)
    if fill == "flip":
        if x.size and (x.min() < 0 or x.max() > 1):
            raise ValueError(
                f'fill="flip" takes pixels in [0, 1], got {x.min()} to {x.max()}; bring them to [0, 1], or '
                "take another fill."
            )
        return 1 - x
    if fill == "blur":
        width = (window[0] / 2, window[1] / 2) if sigma is None else 2 * (number("occlusion", "sigma", sigma),)
        if min(width) <= 0:
            raise ValueError(f"occlusion: sigma must be more than 0, got {sigma!r}.")
        from scipy import ndimage  # here: it takes a while to import

        return ndimage.gaussian_filter(x, (0, 0, *width), mode="reflect")
    rng = generator("occlusion", "rng", rng)
    low, high = (extreme(axis=(1, 2, 3), keepdims=True) for extreme in (x.min, x.max))
    return low + (high - low) * rng.random(x.shape[1:]).astype(x.dtype)


def _check_choices(**options: tuple[Any, tuple[str, ...]]) -> None:
    for name, (value, choices) in options.items():
        if not is_one_of(value, choices):
            raise ValueError(f"{name} takes one of {', '.join(choices)}, got {value!r}.")


def _window(shape: tuple[int, ...], size: Any, stride: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """The window and its steps, (rows, columns) each."""
    usual = (max(1, (10 * shape[0] + 28) // 56), max(1, (10 * shape[1] + 28) // 56))  # ⌊5 H / 28 + 1/2⌋
    window = usual if size is None else pair("occlusion", "size", size, 1)
    step = pair("occlusion", "stride", stride, 1)
    if any(k > length for k, length in zip(window, shape, strict=True)):
        raise ValueError(f"A window of {window} does not fit into an image of {shape}; take a smaller size.")
    if any(s > k for s, k in zip(step, window, strict=True)):
        raise ValueError(f"A stride of {step} with a window of {window} leaves pixels out; take a smaller stride.")
    return window, step


def _slices(length: int, size: int, stride: int) -> list[slice]:
    """The ⌈(length − size) / stride⌉ + 1 windows along an axis; a slice clips the last one by itself."""
    count = -(-(length - size) // stride) + 1
    return [slice(i * stride, i * stride + size) for i in range(count)]


def _measure(f: Explained, z: np.ndarray, of: np.ndarray | slice, probability: bool) -> tuple[np.ndarray, np.ndarray]:
    """f_c of copies of some samples, `of`, from what the network makes of them, and the classes predicted: (P,)."""
    check_finite(f.network, z)
    if not isinstance(f.target, np.ndarray):
        return (f.ones[of] * z).sum(axis=tuple(range(1, z.ndim))), np.zeros(len(z), np.int64)
    score = (Sigmoid() if f.binary else Softmax()).forward(z) if probability else z
    return score[np.arange(len(z)), f.target[of]], f.predicted(z)


def _on_pixels(
    drops: np.ndarray, rows: list[slice], columns: list[slice], shape: tuple[int, ...], overlap: str
) -> np.ndarray:
    """Each pixel's mean (or sum) of the drops of the windows that cover it.

    A window covers a pixel if it covers its row and its column: the sum is a product with two tables of 0 and 1.
    """
    over_rows, over_columns = (
        _covers(windows, n, drops.dtype) for windows, n in zip((rows, columns), shape, strict=True)
    )
    total = over_rows.T @ drops @ over_columns
    return total if overlap == "sum" else total / np.outer(over_rows.sum(axis=0), over_columns.sum(axis=0))


def _covers(windows: list[slice], n: int, dtype: np.dtype) -> np.ndarray:
    """1 where a window covers a row (or a column), 0 elsewhere: (windows, n)."""
    start, stop = (np.array(ends)[:, None] for ends in zip(*((w.start, w.stop) for w in windows), strict=True))
    return ((start <= np.arange(n)) & (np.arange(n) < stop)).astype(dtype)
