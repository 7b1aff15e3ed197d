"""Lesson 15: fast, and still readable."""

import math

from .exercise import exercise

Pair = tuple[int, int]
Image = list[list[float]]


# The two of lenet, and one that is not square.
@exercise([((1, 28, 28), 8, (5, 5)), ((8, 12, 12), 16, (5, 5)), ((3, 6, 9), 4, (3, 2))])
def multiplications(image: tuple[int, int, int], filters: int, window: Pair) -> int:
    """How many multiplications does a convolution take, at stride 1 and without padding, by its definition?
    multiplications(image, filters, window) with image = (channels, height, width) and window = (rows, columns).

    1. Count for one output first: a product for each element of the window, in each channel.
    2. The window fits in height − rows + 1 places from top to bottom.
    """
    channels, height, width = image
    kh, kw = window
    places = (height - kh + 1) * (width - kw + 1)
    return filters * places * channels * kh * kw


multiplications.mistakes = lambda answer, image, filters, window: {
    "You let a window begin at every pixel. It must fit: height − rows + 1 places, not height.":
        math.prod(image) * filters * math.prod(window),
    "A window goes through all channels: times the number of channels.":
        multiplications((1, *image[1:]), filters, window),
    "One place is missing: a window as large as the image fits once, not zero times.":
        multiplications((image[0], image[1] - 1, image[2] - 1), filters, window),
}  # fmt: skip


# One row of windows, where nothing is cut off, too.
@exercise([((3, 4), (2, 2)), ((28, 28), (5, 5)), ((5, 9), (5, 3)), ((7, 6), (2, 4))])
def cut_off(image: Pair, window: Pair) -> int:
    """The shifted copies give a product for each place from the first window to the last. How many of these places
    belong to no window and are cut off? cut_off(image, window), both (rows, columns); stride 1, no padding.

    1. The first window begins at place 0. The last begins in row oh − 1 and column ow − 1.
    2. So (oh − 1) · width + ow places are computed, and oh · ow of them are windows.
    """
    (height, width), (kh, kw) = image, window
    oh, ow = height - kh + 1, width - kw + 1
    computed = (oh - 1) * width + ow
    return computed - oh * ow


cut_off.mistakes = lambda answer, image, window: {
    "You counted to the end of the image. The copies end with the last window; nothing behind it is computed.":
        math.prod(image) - (image[0] - window[0] + 1) * (image[1] - window[1] + 1),
    "Places are cut off between two rows of windows. Nothing is cut off behind the last row: oh − 1 times.":
        (image[0] - window[0] + 1) * (window[1] - 1),
    "This is how many places are computed. Subtract those that are windows, oh · ow.":
        (image[0] - window[0]) * image[1] + image[1] - window[1] + 1,
}  # fmt: skip


def _strips() -> list[tuple]:
    """The image of the lesson, a window as wide as the image, and one that is not square."""
    image = [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]
    return [(image, 2, 0), (image, 2, 1), (image, 3, 2), (image, 4, 3), ([row[:3] for row in image[:2]], 2, 1)]


@exercise(_strips())
def strip(image: Image, width: int, j: int) -> list[float]:
    """What does column j of a window read, over all windows, at stride 1? strip(image, width, j) -> a list of the
    pixels, image row after image row; image is a list of its rows, width that of the window.

    1. A window of this width stands in len(row) − width + 1 places of an image row.
    2. In the first place, column j of the window lies on pixel j.
    """
    places = len(image[0]) - width + 1
    return [pixel for row in image for pixel in row[j : j + places]]


strip.mistakes = lambda answer, image, width, j: {
    "You took each row to its end. The last window begins len(row) − width places from the left, and its column j "
    "reads no further than j behind that.": [pixel for row in image for pixel in row[j:]],
    "This is strip 0. Column j of the window begins at pixel j of each row.": strip(image, width, 0),
    "You took as many pixels as the window is wide. It is as many as it has places: len(row) − width + 1.":
        [pixel for row in image for pixel in row[j : j + width]],
}  # fmt: skip


# A convolution in the middle and at both edges, and poolings.
@exercise([(10, 14, 5, 1, 24), (0, 4, 5, 1, 24), (24, 27, 5, 1, 24), (7, 15, 2, 2, 12), (7, 14, 3, 2, 8)])
def reached(first: int, last: int, window: int, stride: int, outputs: int) -> list[int]:
    """The pixels from `first` to `last` of a row have changed. Which outputs of a layer can that reach? reached(first,
    last, window, stride, outputs) -> [the first output, the last]; output y reads the inputs from y · stride to y ·
    stride + window − 1, and there are `outputs` of them.

    1. Output y is reached if its last input is not before `first`, and its first not behind `last`.
    2. y · stride + window − 1 ≥ first gives the smallest y, rounded up; y · stride ≤ last the largest.
    3. Rounded up without fractions: −(−a // b). And there is no output before 0 or behind outputs − 1.
    """
    lowest = -(-(first - window + 1) // stride)
    highest = last // stride
    return [max(0, lowest), min(outputs - 1, highest)]


reached.mistakes = lambda answer, first, last, window, stride, outputs: {
    "Some of your outputs do not exist: keep them from 0 to outputs − 1.":
        [-(-(first - window + 1) // stride), last // stride],
    "You rounded the first one down. An output that ends before `first` sees no change: round up.":
        [max(0, (first - window + 1) // stride), min(outputs - 1, last // stride)],
    "An output that begins before `first` reaches into it too: go back by window − 1.":
        [max(0, first // stride), min(outputs - 1, last // stride)],
    "The other direction: an output reads inputs from its own place to the right, so a change reaches outputs to "
    "the left.": [max(0, first // stride), min(outputs - 1, (last + window - 1) // stride)],
}  # fmt: skip


# Outputs that the tiles cover exactly, and others that the last tiles stick out of.
@exercise([((4, 4), 2), ((4, 4), 4), ((56, 56), 4), ((13, 9), 4), ((13, 9), 2)])
def winograd_products(output: Pair, m: int) -> int:
    """How many multiplications does Winograd's filtering take for the products themselves, for one filter on one
    channel? winograd_products(output, m): an output of (rows, columns) is cut into tiles of m × m; a tile takes (m +
    2)² products, also where it sticks out.

    1. Count the tiles first. A tile that sticks out of the output is computed as a whole.
    2. ⌈rows / m⌉ is −(−rows // m) in Python.
    """
    tiles = -(-output[0] // m) * -(-output[1] // m)
    return tiles * (m + 2) ** 2


winograd_products.mistakes = lambda answer, output, m: {
    "You left out the tiles that stick out: round the number of tiles up.":
        (output[0] // m) * (output[1] // m) * (m + 2) ** 2,
    "A tile gives m² outputs, and takes (m + 2)² products.": -(-output[0] // m) * -(-output[1] // m) * m**2,
    "This is the direct way, 9 products an output.": output[0] * output[1] * 9,
}  # fmt: skip
