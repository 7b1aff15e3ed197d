"""Lesson 11: feature visualization and DeepDream."""

import numpy as np

from .exercise import edited, exercise, seeded


@exercise()
def variation_by_hand() -> list[float]:
    """An image has the rows (0, 1, 0) and (0, 0, 1). What is its total variation with β = 2, and what is the gradient
    of that in the middle pixel of the first row? Give both, as a list.

    1. Four differences lie across, three lie down. Square them and add them up.
    2. A pixel has 2 (x_p − x_q) from each neighbour q.
    3. The pixel is 1; its neighbours left, right and below are 0.
    """
    across, down = [1, 1, 0, 1], [0, 1, 1]
    return [float(sum(across) + sum(down)), 2.0 * (1 - 0) + 2.0 * (1 - 0) + 2.0 * (1 - 0)]


variation_by_hand.mistakes = lambda answer: {
    "The sign of the gradient is turned: if this pixel rises, so do its differences.": [5.0, -6.0],
    "The derivative of a square has a factor 2: 2 (x_p − x_q) from each neighbour.": [5.0, 3.0],
    "You looked across only. The differences down count as well.": [3.0, 4.0],
    "You counted each pair of neighbours twice. Each difference stands in the sum once.": [10.0, 12.0],
}


@exercise(lambda rng: [(rng.normal(size=shape), b) for shape, b in (((2, 3), 0.5), ((5, 5), -1.0))])
def best_window(w: np.ndarray, b: float) -> tuple[np.ndarray, float]:
    """Write the image in the box from 0 to 1 that excites a neuron z = Σ_j x_j w_j + b most, and that z: best_window(w,
    b) -> (x, z). Shapes: w (H, W), x (H, W).

    1. Each pixel stands in one term alone: choose each pixel separately.
    2. Where w_j > 0, x_j = 1 is best; where w_j < 0, x_j = 0.
    """
    x = (w > 0).astype(float)
    return x, (x * w).sum() + b


best_window.mistakes = lambda answer, w, b: {
    "This is the best image of length 1. Here each pixel may be anything from 0 to 1.":
        (w / np.linalg.norm(w), np.linalg.norm(w) + b),
    "All white: where w_j is negative, light lowers z. Make such a pixel black.": (np.ones_like(w), w.sum() + b),
    "The image is right; z has a bias too.": (answer[0], answer[1] - b),
    "A pixel cannot be −1. The smallest that it can be is 0.": (np.sign(w), np.abs(w).sum() + b),
}  # fmt: skip


@exercise(lambda rng: [(rng.random(shape),) for shape in ((2, 3), (6, 5))])
def total_variation(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Write the total variation with β = 2 of one image, and its gradient: total_variation(x) -> (value, gradient).
    Shapes: x (H, W), gradient (H, W). At the border there is no difference.

    1. np.diff(x, axis=1) holds the differences to the right, np.diff(x, axis=0) those downwards.
    2. A difference d = x_r − x_p adds 2 d to the gradient in r and −2 d to that in p.
    3. gradient[:, 1:] += 2 * right and gradient[:, :-1] -= 2 * right; the same with rows.
    """
    right, below = np.diff(x, axis=1), np.diff(x, axis=0)
    gradient = np.zeros_like(x)
    gradient[:, 1:] += 2 * right
    gradient[:, :-1] -= 2 * right
    gradient[1:] += 2 * below
    gradient[:-1] -= 2 * below
    return (right**2).sum() + (below**2).sum(), gradient


def _around_the_border(x: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = 0.0, np.zeros_like(x)
    for axis in (0, 1):
        difference = np.roll(x, -1, axis) - x
        value += (difference**2).sum()
        gradient += 2 * np.roll(difference, 1, axis) - 2 * difference
    return value, gradient


total_variation.mistakes = lambda answer, x: {
    "At the border the image does not begin again: take np.diff, not np.roll.": _around_the_border(x),
    "You push one pixel of each pair. The difference x_r − x_p depends on both.":
        edited(total_variation, ("gradient[:, 1:] += 2 * right", ""), ("gradient[1:] += 2 * below", ""))(x),
    "The value is right; the derivative of a square has a factor 2.": (answer[0], answer[1] / 2),
    "Square the differences, where you took their size: β is 2.":
        (np.abs(np.diff(x, axis=0)).sum() + np.abs(np.diff(x, axis=1)).sum(), answer[1]),
}  # fmt: skip


@exercise(
    lambda rng: [
        (rng.random(shape), rng.normal(size=shape), *move) for shape, move in (((4, 5), (1, 2)), ((5, 7), (-2, 3)))
    ]
)
def moved_gradient(x: np.ndarray, w: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """f(x) = Σ (w ⊙ x)². Before f sees it the image is moved down by `rows` and right by `columns`, around the border.
    Write the gradient in the image: moved_gradient(x, w, rows, columns) -> (H, W).

    1. np.roll(x, (rows, columns), axis=(0, 1)) moves the image.
    2. At the moved image y the gradient of f is 2 w² y.
    3. The way back of a move is the move back: −rows, −columns.
    """
    moved = np.roll(x, (rows, columns), axis=(0, 1))
    gradient = 2 * w * w * moved
    return np.roll(gradient, (-rows, -columns), axis=(0, 1))


moved_gradient.mistakes = lambda answer, x, w, rows, columns: {
    "This is the gradient in the moved image. Move it back.": 2 * w * w * np.roll(x, (rows, columns), axis=(0, 1)),
    "You moved the gradient the same way again. It goes back: −rows, −columns.":
        np.roll(2 * w * w * np.roll(x, (rows, columns), axis=(0, 1)), (rows, columns), axis=(0, 1)),
    "This is the gradient without the move.": 2 * w * w * x,
    "f sees the moved image: take its gradient there, and move that back.":
        np.roll(2 * w * w * x, (-rows, -columns), axis=(0, 1)),
}  # fmt: skip


# Some ReLUs are open and some closed; some pixels end at the border of the box.
@exercise((rng.random(J), rng.normal(size=(J, K)), 0.2) for rng, (J, K) in seeded((4, 3), (9, 6)))
def dream_step(x: np.ndarray, W: np.ndarray, rate: float) -> np.ndarray:
    """Write a step of DeepDream: dream_step(x, W, rate) -> x. The layer is a = ReLU(x W); climb ‖a‖², with the gradient
    divided by the mean of its absolute values, and come back into [0, 1]. Shapes: x (J,), W (J, K).

    1. The signal at the top is 2 a; where the ReLU is closed, a is 0.
    2. Back through the layer: W @ (2 * a). Divide by np.abs(g).mean().
    3. np.clip(x + rate * g / np.abs(g).mean(), 0, 1).
    """
    a = np.maximum(x @ W, 0)
    g = W @ (2 * a)
    return np.clip(x + rate * g / np.abs(g).mean(), 0, 1)


def _step(x: np.ndarray, g: np.ndarray, rate: float) -> np.ndarray:
    return np.clip(x + rate * g / np.abs(g).mean(), 0, 1)


dream_step.mistakes = lambda answer, x, W, rate: {
    "You pushed all open neurons alike: that climbs Σ a. For ‖a‖² the signal is 2 a.": _step(x, W @ (x @ W > 0), rate),
    "The ReLU is missing: closed neurons have a = 0 and push nothing.": _step(x, W @ (x @ W), rate),
    "Divide the gradient by the mean of its absolute values, so that the rate is the mean step of a pixel.":
        np.clip(x + rate * W @ (2 * np.maximum(x @ W, 0)), 0, 1),
    "Some pixels leave the box: np.clip(x, 0, 1).":
        x + rate * W @ np.maximum(x @ W, 0) / np.abs(W @ np.maximum(x @ W, 0)).mean(),
    "This goes down. A dream climbs: x + rate · g.": _step(x, -(W @ np.maximum(x @ W, 0)), rate),
}  # fmt: skip
