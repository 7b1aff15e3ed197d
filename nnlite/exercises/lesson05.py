"""Lesson 05: occlusion."""

from collections.abc import Callable

import numpy as np

from .exercise import edited, exercise


@exercise()
def drops_by_hand() -> list[list[float]]:
    """The image has the rows (1, 0, 1), (1, 1, 0), (0, 1, 1). Its score is the sum of the pixels, each times its
    weight; the weights have the rows (2, 5, −1), (1, 3, 4), (0, 1, 2). A 2 × 2 window of zeros moves by 1. Which drops
    does it find? Give the two rows.

    1. Multiply pixel by pixel first: the products are (2, 0, −1), (1, 3, 0), (0, 1, 2).
    2. A window takes away the four products under it: the first drop is 2 + 0 + 1 + 3.
    """
    return [[2 + 0 + 1 + 3, 0 - 1 + 3 + 0], [1 + 3 + 0 + 1, 3 + 0 + 1 + 2]]


drops_by_hand.mistakes = lambda answer: {
    "These are the scores that are left, 8 minus the drop. The drop is what is gone.": [[2, 6], [3, 2]],
    "You added the weights under the window. A weight counts times its pixel, and some pixels are 0.":
        [[11, 11], [5, 10]],
    "Your window sticks out of the image. It fits at two positions down and two across.":
        [[6, 2, -1], [5, 6, 2], [1, 3, 2]],
}  # fmt: skip


@exercise([(28, 5, 1), (28, 5, 3), (28, 5, 5), (7, 3, 2), (9, 9, 4), (224, 40, 30)])
def positions(length: int, size: int, stride: int) -> int:
    """Write the number of positions of a window along an axis: positions(length, size, stride). The last window may
    stick out, so that every pixel is covered.

    1. Window i begins at i · stride and ends before i · stride + size. Which i is the first to reach the end?
    2. i ≥ (length − size) / stride: round up. Then count from 0.
    3. -(-a // s) is a / s rounded up, for integers.
    """
    return -(-(length - size) // stride) + 1


positions.mistakes = lambda answer, length, size, stride: {
    "You rounded down, as a convolution does. Then the last pixels may never be covered: round up.":
        (length - size) // stride + 1,
    "You counted the steps. There is one position more than steps: the first, at 0.": -(-(length - size) // stride),
    "You let windows begin as long as there are pixels. Stop at the first window that reaches the end.":
        -(-length // stride),
}  # fmt: skip


def _scored(seed: int, shape: tuple[int, int], classes: int) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """A small network with a hidden layer, as a function of an image, and an image."""
    rng = np.random.default_rng(seed)
    x, W1, W2 = rng.random(shape), rng.normal(size=(shape[0] * shape[1], 6)), rng.normal(size=(6, classes))
    bias = rng.normal(size=classes)
    return (lambda image: np.maximum(image.ravel() @ W1, 0) @ W2 + bias), x


def _covered() -> list[tuple]:
    """A window that fits, and one that is clipped at both edges."""
    cases = []
    for seed, (shape, size, stride) in enumerate([((4, 5), 2, 1), ((6, 7), 3, 2)]):
        scores, x = _scored(seed, shape, 1)
        cases.append((lambda image, scores=scores: float(scores(image)[0]), x, size, stride))
    return cases


@exercise(_covered())
def occlusion_drops(f: Callable[[np.ndarray], float], x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Write occlusion_drops(f, x, size, stride) -> drops: x is an image (H, W), f a function that gives its score, the
    fill is 0. The last window down and across is clipped where it sticks out.

    1. Two loops over the positions; in each a fresh copy of x.
    2. The window (r, q) begins at row r · stride, column q · stride. A slice that sticks out is clipped by itself.
    3. d[r, q] = f(x) − f(covered).
    """
    rows, columns = (positions(length, size, stride) for length in x.shape)
    d = np.zeros((rows, columns))
    for r, q in np.ndindex(rows, columns):
        covered = x.copy()
        covered[r * stride : r * stride + size, q * stride : q * stride + size] = 0
        d[r, q] = f(x) - f(covered)
    return d


occlusion_drops.mistakes = lambda answer, f, x, size, stride: {
    "Your sign is turned: a drop is f(x) − f(covered), positive where the score falls.": -answer,
    "These are the scores of the covered images. The drop is f(x) minus that.": f(x) - answer,
    "The clipped windows are missing: there are ⌈(H − k) / s⌉ + 1 positions, rounded up.":
        answer[tuple(slice((n - size) // stride + 1) for n in x.shape)],
    "You kept the window, blackened the rest and took the score. (Zennit does this, and adds these scores up.) "
    "Cover the window, and take the drop.": (f(0 * x) - occlusion_drops(lambda image: f(x - image), x, size, stride)),
}  # fmt: skip


# Windows that overlap, and windows of which the last is clipped.
@exercise(lambda rng: [(rng.normal(size=(3, 3)), (4, 4), 2, 1), (rng.normal(size=(3, 4)), (6, 8), 3, 2)])
def on_pixels(drops: np.ndarray, shape: tuple[int, int], size: int, stride: int) -> np.ndarray:
    """Bring the drops back to the pixels: on_pixels(drops, shape, size, stride) -> map of that shape (H, W), each pixel
    the mean of the drops of the windows that cover it.

    1. Keep two arrays: the sum of the drops, and how many windows were there.
    2. For each position, add the drop to a slice of the first and 1 to the same slice of the second.
    3. Divide at the end.
    """
    total, count = np.zeros(shape), np.zeros(shape)
    for r, q in np.ndindex(drops.shape):
        window = np.s_[r * stride : r * stride + size, q * stride : q * stride + size]
        total[window] += drops[r, q]
        count[window] += 1
    return total / count


on_pixels.mistakes = lambda answer, drops, shape, size, stride: {
    "You added the drops up (PAIR does). Divide each pixel by the number of windows that cover it.":
        edited(on_pixels, ("total / count", "total"))(drops, shape, size, stride),
    "You divided by the number of pixels in a window. Divide by the number of windows on the pixel: fewer lie on a "
    "corner.": (edited(on_pixels, ("/ count", "/ size**2"))(drops, shape, size, stride)),
    "You divided all pixels by the same number. Fewer windows lie on the edge than in the middle.":
        edited(on_pixels, ("/ count", "/ count.max()"))(drops, shape, size, stride),
}  # fmt: skip


@exercise([(*_scored(2, (3, 4), 3), 0, 2), (*_scored(3, (4, 3), 5), 4, 1)])
def why_not(scores: Callable[[np.ndarray], np.ndarray], x: np.ndarray, c: int, d: int) -> np.ndarray:
    """Why class c and not d? Write why_not(scores, x, c, d) -> drops in the shape of x (H, W): scores is a function
    from an image to the scores of all classes. Flip each single pixel, v to 1 − v, one after the other; give the drop
    of the margin, score c minus score d.

    1. Flip one pixel in a fresh copy of x, so that the pixel before is itself again.
    2. The margin is scores(image)[c] − scores(image)[d].
    3. The drop is the margin of x minus the margin of the flipped image.
    """
    drops = np.zeros_like(x)
    for i, j in np.ndindex(x.shape):
        flipped = x.copy()
        flipped[i, j] = 1 - x[i, j]
        before, after = scores(x), scores(flipped)
        drops[i, j] = (before[c] - before[d]) - (after[c] - after[d])
    return drops


why_not.mistakes = lambda answer, scores, x, c, d: {
    "You set the pixel to 0. Where no ink is, that changes nothing: flip it, 1 − v.":
        occlusion_drops(lambda image: scores(image)[c] - scores(image)[d], x, 1, 1),
    "This is the drop of class c alone. Subtract that of class d: the margin is asked for.":
        why_not(lambda image: scores(image) * (np.arange(len(scores(x))) == c), x, c, d),
    "Your sign is turned: positive where the flip takes something from the lead of c over d.": why_not(scores, x, d, c),
}  # fmt: skip
