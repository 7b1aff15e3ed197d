"""DeepDream: the picture is climbed along the gradient of ‖a‖², the activations of one layer or channel, first in small
copies and then in larger ones, so that a feature of a few pixels also finds large things.

IMAGE is a PNG, JPEG or .npy, grey or in colour, of any size, or the number of a held-out one: textures:3, strokes:4,
uci:17. Layers called relu grow what speaks for a feature; others also what speaks against it.

examples:
  nnlite dream photo.jpg --layer relu3 --out dream.png
  nnlite dream photo.jpg --layer relu4 --channel 25 --octaves 5 --scale 1.5 --out flowers.png
  nnlite dream textures:9 --size 320 --layer relu4 --channel 7 --out zigzag.png
  nnlite dream large.png --size 1600 --tile 256 --layer relu2 --out dream.png
  nnlite dream strokes:4 --model lenet --layer relu1 --out four.png
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from .. import Network, pictures, storage
from ..model_based.ascent import moved
from ..model_based.deepdream import deepdream, resized
from . import checks, compiling
from .options import declare, given
from .page import png

SMALLEST, LARGEST = 256, 640
"""Pixels of the longer side, where --size does not say."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("image", metavar="IMAGE", help="a picture, or a number as in textures:3")
    parser.add_argument("--layer", required=True, help="the layer whose activations grow, such as relu3")
    parser.add_argument("--channel", type=int, help="one channel of it (default: all)")
    declare(parser, "--model", default="colour_net")
    declare(parser, "--octaves", default=4, help="in how many sizes")
    declare(parser, "--scale", default=1.4, help="from one size to the next")
    declare(parser, "--steps", default=10, help="steps for each size")
    declare(parser, "--rate", default=0.01, help="how far a step moves a pixel")
    declare(parser, "--jitter", default=8, help="moved by up to so many pixels")
    parser.add_argument("--tile", type=int, help="in tiles of about so many pixels, for less memory (default: whole)")
    declare(parser, "--seed", default=0, help="of the jitter")
    parser.add_argument(
        "--size", type=int, help=f"pixels of the longer side (default: its own, from {SMALLEST} to {LARGEST})"
    )
    declare(parser, "--no-compile")
    declare(parser, "--out", required=True, help="the dream (.png)")


def run(options: argparse.Namespace) -> None:
    """Dream, print by how much the layer grew, write the picture."""
    checks.output(options.out, {".png"})
    if options.size is not None and options.size < 1:
        raise ValueError(f"--size takes a positive integer, got {options.size}.")
    network = compiling.prepared(checks.network(options.model), options)
    x = _to_network(_colours(options.image, options.size), network)
    settings = given(options, "channel", "octaves", "scale", "steps", "rate", "jitter", "tile")
    dream = deepdream(network, x, options.layer, **settings, rng=options.seed, progress=sys.stderr.isatty())
    before, after = dream.activity[:, 0]
    what = options.layer if options.channel is None else f"channel {options.channel} of {options.layer}"
    print(f"image      {options.image}, {x.shape[2]} × {x.shape[3]} pixels")
    print(f"octaves    {options.octaves}, {options.steps} steps each")
    still = "" if moved(dream).all() else "; the picture did not move: closed ReLUs leave no gradient"
    print(f"grown      ‖a‖² of {what}: {before:.6g} to {after:.6g}{still}")
    _save(options.out, dream.x[0])
    print(f"written    {options.out}")


def _colours(image: str, size: int | None) -> np.ndarray:
    """The picture in red, green and blue, (1, 3, H, W) float64 in [0, 1]; its longer side as --size says."""
    x = checks.colours(image, drawn=size or SMALLEST, large=size or LARGEST)[0][None]
    longer = max(x.shape[2:])
    wanted = size or min(max(longer, SMALLEST), LARGEST)
    height, width = (max(1, round(n * wanted / longer)) for n in x.shape[2:])
    return resized(x, (height, width))


def _to_network(colours: np.ndarray, network: Network) -> np.ndarray:
    """In the channels and the dtype of the network."""
    shape = network.input_shape
    if shape is None or len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(
            f"the network takes {shape or 'inputs of a shape it does not state'}; expected one that was made with "
            "input_shape=(1, H, W) or (3, H, W), for pictures."
        )
    x = colours if shape[0] == 3 else np.tensordot(colours, pictures.GREY, (1, 0))[:, None]
    return np.clip(x, 0, 1).astype(network.dtype)


def _save(path: Path, x: np.ndarray) -> None:
    pixels = np.round(x * 255).astype(np.uint8).transpose(1, 2, 0)
    storage.write_bytes(path, png(pixels if len(x) == 3 else pixels[..., 0]))
