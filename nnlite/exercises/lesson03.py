"""Lesson 03: saliency maps."""

import numpy as np

from .exercise import exercise, seeded


@exercise()
def toy_map() -> list[float]:
    """f(x, y) = x² + y² − 9. At (2, −1): what is f, what are the two entries of its gradient, and what is the sum of
    its sensitivity map? Give the four numbers as a list.

    1. The gradient is (2x, 2y).
    2. The sensitivity map is the gradient squared, entry by entry.
    """
    x, y = 2.0, -1.0
    return [x**2 + y**2 - 9, 2 * x, 2 * y, (2 * x) ** 2 + (2 * y) ** 2]


toy_map.mistakes = lambda answer: {
    "The gradient has signs: at y = −1 the second entry is 2 · (−1).": [-4, 4, 2, 20],
    "You added up the gradient. Sensitivity squares it first.": [-4, 4, -2, 2],
    "The sum is not f. Square 4 and −2, and add.": [-4, 4, -2, -4],
    "The derivative of x² is 2x: a factor 2 is missing.": [-4, 2, -1, 5],
}


@exercise()
def line_by_hand() -> list[float]:
    """f = 3 max(0, x + 2y − 1) − max(0, x − y) + 1. Near (2, 1) it is a line w₁ x + w₂ y + b. Give w₁, w₂ and b as a
    list.

    1. Which neurons are on at (2, 1)? The first gets 3, the second 1.
    2. Leave out both max and sort the terms: those with x, those with y, the rest.
    """
    return [3.0 - 1.0, 6.0 + 1.0, -3.0 + 1.0]


line_by_hand.mistakes = lambda answer: {
    "Your last number is f at (2, 1). Take w · (2, 1) off.": [2.0, 7.0, 9.0],
    "Only the last bias is in your b. The first neuron has one too.": [2.0, 7.0, 1.0],
    "That is the line of the network without its biases.": [2.0, 7.0, 0.0],
    "−(x − y) is −x + y: the second neuron raises the slope in y.": [2.0, 5.0, -2.0],
}


# Of colour images, and of a batch whose channels are not three.
@exercise(lambda rng: [(rng.normal(size=(1, 3, 2, 4)),), (rng.normal(size=(3, 2, 3, 2)),)])
def channel_maximum(g: np.ndarray) -> np.ndarray:
    """Write the saliency map of a gradient: channel_maximum(g) -> M, from (N, C, H, W) to (N, H, W).

    1. Two steps: the magnitude of every number, then one number for each pixel.
    2. The channels are axis 1.
    """
    return np.abs(g).max(axis=1)


channel_maximum.mistakes = lambda answer, g: {
    "You added the channels up, as PAIR does. Take the maximum.": np.abs(g).sum(axis=1),
    "Take |g| first: the strongest channel may be negative.": np.abs(g.max(axis=1)),
    "You left out the magnitude: a saliency map has no signs.": g.max(axis=1),
    "You kept every channel, as Captum does. One number a pixel is left.": np.abs(g),
    "Axis 0 counts the images. The channels are axis 1.": np.abs(g).max(axis=0),
}


# Some ReLUs are open and some are closed.
@exercise(
    (rng.normal(size=J), W1, rng.normal(size=K), W2, rng.normal(size=C), 2)
    for rng, (J, K, C) in seeded((2, 4, 3), (6, 5, 4))
    for W1, W2 in [(rng.normal(size=(J, K)), rng.normal(size=(K, C)))]
)
def line(
    x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray, c: int
) -> tuple[np.ndarray, float]:
    """A network is dense, ReLU, dense. Write the line of its score c at x: line(x, W1, b1, W2, b2, c) -> (w, b).
    Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, C), b2 (C,); w (J,) and b a number.

    1. w is the gradient: column c of W2, through the ReLUs that are on, back through W1.
    2. The line meets the network at x: score = w @ x + b.
    3. So compute the score on the way up, and subtract w @ x from it.
    """
    z = x @ W1 + b1
    score = np.maximum(0, z) @ W2[:, c] + b2[c]
    w = W1 @ np.where(z > 0, W2[:, c], 0)
    return w, score - w @ x


line.mistakes = lambda answer, x, W1, b1, W2, b2, c: {
    "Your b is the last bias alone. The biases of the first layer are in it too, through their ReLUs.":
        (answer[0], b2[c]),
    "You left out the ReLU. Where z = x @ W1 + b1 is below zero, neither input nor bias gets through.":
        (W1 @ W2[:, c], (b1 @ W2 + b2)[c]),
    "Your b is the score itself. Take w @ x off.": (answer[0], (np.maximum(0, x @ W1 + b1) @ W2 + b2)[c]),
    "Your w is multiplied by x already. That is gradient × input; w is the gradient.": (x * answer[0], answer[1]),
}  # fmt: skip


# Of three classes, and of four whose scores are too large for exp.
@exercise(
    lambda rng: [
        (rng.normal(size=3), rng.normal(size=(3, 5)), 1),
        (1000 + rng.normal(size=4), rng.normal(size=(4, 2)), 0),
    ]
)
def probability_gradient(scores: np.ndarray, G: np.ndarray, c: int) -> np.ndarray:
    """Given the scores (K,) and the gradients of all scores, G (K, J), write the gradient of the softmax probability of
    class c: probability_gradient(scores, G, c) -> (J,).

    1. Chain rule: the sum over k of (derivative of p_c in score k) times G[k].
    2. That derivative is p_c (1 − p_c) for k = c, and −p_c p_k for the others.
    3. Together: p_c (G[c] − Σ_k p_k G[k]). And take the largest score off before exp.
    """
    p = np.exp(scores - scores.max())
    p = p / p.sum()
    return p[c] * (G[c] - p @ G)


def _probability(scores: np.ndarray, shift: float | None = None) -> np.ndarray:
    e = np.exp(scores - (scores.max() if shift is None else shift))
    return e / e.sum()


probability_gradient.mistakes = lambda answer, scores, G, c: {
    "Only score c moves in your answer. The probability also falls when another score rises.":
        _probability(scores)[c] * G[c],
    "These are the terms with k = c. The other scores move p_c too, each by −p_c p_k G[k].":
        _probability(scores)[c] * (1 - _probability(scores)[c]) * G[c],
    "This is the gradient of log p_c. Multiply it by p_c.": G[c] - _probability(scores) @ G,
    "exp of a large score is infinite. Take the largest score off first: the probabilities stay the same.":
        _probability(scores, 0)[c] * (G[c] - _probability(scores, 0) @ G),
}  # fmt: skip
