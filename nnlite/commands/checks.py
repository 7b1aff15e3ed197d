"""What the subcommands share: where a digit and a network come from, and whether an output can be written."""

import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .. import Network, datasets, load, models, pictures
from ..disk import check_place

DIGITS = {"uci": "uci", "strokes": "strokes", "mnist-test": "mnist", "mnist-train": "mnist"}
"""The prefixes of NAME:NUMBER and their data sets; all but mnist-train are held-out digits."""


def figure_output(path: Path) -> None:
    """The same for a figure (.png, .pdf, .svg), which Matplotlib draws, or its numbers (.npy)."""
    output(path, {".png", ".pdf", ".svg", ".npy"})
    if path.suffix.lower() != ".npy" and find_spec("matplotlib") is None:
        raise ValueError(
            f"--out {path} is drawn by Matplotlib, which is not installed: pip install matplotlib, or write .npy."
        )


def output(path: Path, suffixes: set[str], option: str = "--out") -> None:
    """Refuse, before any work, a place that cannot be written or an ending that is not known."""
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} takes a name that ends in {', '.join(sorted(suffixes))}, got {path}.")
    try:
        check_place(path)
    except OSError as error:
        raise ValueError(f"{option}: {error}") from None


def folder(path: Path, name: str) -> Path:
    """The file of this name in the folder --out, which is made; refused, before any work, if it cannot be written."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"--out takes a folder, and {path} is a file; choose another name.")
    path.mkdir(parents=True, exist_ok=True)
    output(path / name, {(path / name).suffix})
    return path / name


def network(name: str, option: str = "--model") -> Network:
    """A network by name, or from a file that `Network.save` wrote."""
    known = dict.fromkeys(models.NAMES + models.MEMBERS)
    if name in known:
        return models.load(name)
    saved(name, option, known)
    return load(name)


def saved(name: str, option: str, known: Iterable[str], what: str = "network") -> None:
    """Refuse what is neither a known name nor a file."""
    if not Path(name).is_file():
        raise ValueError(
            f"{option} takes {', '.join(known)} or a saved {what} (.npz); there is no {name!r}, nor such a file."
        )


def neuron(text: str) -> tuple[str, tuple[int, ...]]:
    """conv2:7 or conv2:7,3,4 as a target."""
    match = re.fullmatch(r"(\w+):(\d+(?:,\d+)*)", text)
    if match is None:
        raise ValueError(f"--neuron takes LAYER:INDEX, such as conv2:7 or conv2:7,3,4, got {text}.")
    return match[1], tuple(map(int, match[2].split(",")))


def grey_digit(image: str, folder: str | None = None) -> tuple[np.ndarray, int | None]:
    """A digit as grey values (H, W) in [0, 1], and its label where it is known (then it is light on dark, cut out).

    `image` is a file (PNG, JPEG, .npy), or the number of a digit: uci:17, strokes:4, mnist-test:3, mnist-train:3.
    """
    match = re.fullmatch(r"([a-z-]+):([0-9]{1,18})", image)
    if match is None or match[1] not in DIGITS:
        if not Path(image).exists() and ":" in image:
            raise ValueError(
                f"IMAGE takes a file, or a number as in {', '.join(f'{n}:17' for n in DIGITS)}; got {image}."
            )
        return pictures.read(image), None
    name, number = match[1], int(match[2])
    if name == "strokes":
        _check_number(image, number, models.HELD_OUT_DIGITS)
        x, labels = datasets.strokes(1, seed=models.HELD_OUT_SEED, start=number)  # one is drawn, not all of them
        return x[0, 0].astype(np.float64), int(labels[0])
    x, labels = models.digits(DIGITS[name], "train" if name.endswith("train") else "test", folder)
    _check_number(image, number, len(x))
    return x[number, 0].astype(np.float64), int(labels[number])


def _check_number(image: str, number: int, count: int) -> None:
    if number >= count:
        raise ValueError(f"{image.partition(':')[0]} takes a number from 0 to {count - 1}, got {image}.")


def picture(
    image: str, net: Network, invert: bool | None = None, folder: str | None = None
) -> tuple[np.ndarray, int | None]:
    """A picture as a batch of one in the format of the network, (1, 1, H, W) or (1, 3, H, W); its label if known."""
    if net.input_shape is not None and len(net.input_shape) == 3 and net.input_shape[0] == 3:
        height, width = net.input_shape[1:]
        values, label = colours(image, folder, drawn=min(height, width), large=2 * max(height, width, 200))
        return pictures.filling(values, (height, width))[None].astype(net.dtype), label
    if re.match(r"textures:\d", image):
        raise ValueError(f"{image} is in colour, and the network takes {net.input_shape}; use --model colour_net.")
    grey, label = grey_digit(image, folder)
    return to_network(grey, net, invert, known=label is not None), label


def colours(image: str, folder: str | None = None, *, drawn: int, large: int) -> tuple[np.ndarray, int | None]:
    """A picture as red, green and blue (3, H, W) in [0, 1], and its label where it is known.

    `image` is as for `grey_digit`, or textures:3, which is drawn in `drawn` pixels. Of a file the longer side is made
    about `large` where it is longer.
    """
    match = re.fullmatch(r"textures:([0-9]{1,18})", image)
    if match is not None:
        x, labels = datasets.textures(1, models.HELD_OUT_SEED, start=int(match[1]), size=drawn)
        return x[0].astype(np.float64), int(labels[0])
    if re.match(rf"({'|'.join(DIGITS)}):", image):
        grey, label = grey_digit(image, folder)
        return np.stack([grey] * 3), label
    if ":" in image and not Path(image).exists():
        raise ValueError(f"IMAGE takes a file, or a number as in textures:3, strokes:4, uci:17; got {image}.")
    return pictures.read_colours(image, large).transpose(2, 0, 1), None


def grey_shape(net: Network) -> tuple[int, int]:
    """(H, W) of the grey pictures that a network takes; an error where it takes anything else."""
    if net.input_shape is None or len(net.input_shape) != 3 or net.input_shape[0] != 1:
        raise ValueError(
            f"the network takes {net.input_shape or 'inputs of a shape it does not state'}; expected one that was "
            "made with input_shape=(1, H, W), for grey pictures, or (3, H, W)."
        )
    return net.input_shape[1], net.input_shape[2]


def to_network(grey: np.ndarray, net: Network, invert: bool | None = None, *, known: bool = False) -> np.ndarray:
    """A picture as a batch of one in the format of the network: (1, 1, H, W) in its dtype.

    A digit from a data set (`known`) of the network's size stays as it is; of another size it is only scaled.
    """
    height, width = grey_shape(net)
    box = net.info.get("box")
    if not isinstance(box, int) or not 0 < box <= min(height, width):
        box = round(20 / 28 * min(height, width))  # in proportion to MNIST's where nothing is stated
    size = (height, width)
    if not known:
        grey = pictures.to_format(grey, size, box, invert)
    elif grey.shape != size:
        grey = pictures.in_box(grey, size, box)
    return grey[None, None].astype(net.dtype)
