"""Pictures as files, as a network's input, and as what a map is shown by.

reading.py    PNG, JPEG or .npy as grey values or colours in [0, 1]
format.py     a picture of any size, brought to a network's format the way MNIST was
heatmaps.py   red raises the score, blue lowers it, white is zero
sheets.py     many small pictures as one
"""

from .format import as_ink, filling, in_box, paper, to_format
from .heatmaps import COLOURS, MISSING, axes, colormap, colours, heatmap, image, plane
from .reading import GREY, read, read_colours
from .sheets import sheet

__all__ = [
    "COLOURS", "GREY", "MISSING", "as_ink", "axes", "colormap", "colours", "filling", "heatmap", "image", "in_box",
    "paper", "plane", "read", "read_colours", "sheet", "to_format",
]  # fmt: skip
