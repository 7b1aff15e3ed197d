"""Lesson 03: saliency maps."""

import numpy as np

from .exercise import Exercise, Mistake


def toy_map() -> list[float]:
    x, y = 2.0, -1.0
    return [x**2 + y**2 - 9, 2 * x, 2 * y, (2 * x) ** 2 + (2 * y) ** 2]


def line_by_hand() -> list[float]:
    return [3.0 - 1.0, 6.0 + 1.0, -3.0 + 1.0]


def channel_maximum(g: np.ndarray) -> np.ndarray:
    return np.abs(g).max(axis=1)


def line(
    x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray, c: int
) -> tuple[np.ndarray, float]:
    z = x @ W1 + b1
    score = np.maximum(0, z) @ W2[:, c] + b2[c]
    w = W1 @ np.where(z > 0, W2[:, c], 0)
    return w, score - w @ x


def probability_gradient(scores: np.ndarray, G: np.ndarray, c: int) -> np.ndarray:
    p = np.exp(scores - scores.max())
    p = p / p.sum()
    return p[c] * (G[c] - p @ G)


def _gradients() -> list[tuple]:
    """Of colour images, and of a batch whose channels are not three."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(1, 3, 2, 4)),), (rng.normal(size=(3, 2, 3, 2)),)]


def _networks() -> list[tuple]:
    """Some ReLUs are open and some are closed."""
    cases = []
    for seed, (inputs, hidden, classes) in enumerate([(2, 4, 3), (6, 5, 4)]):
        rng = np.random.default_rng(seed)
        W1, W2 = rng.normal(size=(inputs, hidden)), rng.normal(size=(hidden, classes))
        cases.append((rng.normal(size=inputs), W1, rng.normal(size=hidden), W2, rng.normal(size=classes), 2))
    return cases


def _scores() -> list[tuple]:
    """Of three classes, and of four whose scores are too large for exp."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=3), rng.normal(size=(3, 5)), 1), (1000 + rng.normal(size=4), rng.normal(size=(4, 2)), 0)]


def _exponentials_alone(scores: np.ndarray, G: np.ndarray, c: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        p = np.exp(scores) / np.exp(scores).sum()
        return p[c] * (G[c] - p @ G)


def _probability(scores: np.ndarray) -> np.ndarray:
    return np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()


EXERCISES = (
    Exercise(
        name="toy_map",
        lesson=3,
        question="f(x, y) = x² + y² − 9. At (2, −1): what is f, what are the two entries of its gradient, and what is "
        "the sum of its sensitivity map? Give the four numbers as a list.",
        answer=toy_map,
        value=True,
        hints=(
            "The gradient is (2x, 2y).",
            "The sensitivity map is the gradient squared, entry by entry.",
        ),
        mistakes=(
            Mistake(lambda: [-4, 4, 2, 20], "The gradient has signs: at y = −1 the second entry is 2 · (−1)."),
            Mistake(lambda: [-4, 4, -2, 2], "You added up the gradient. Sensitivity squares it first."),
            Mistake(lambda: [-4, 4, -2, -4], "The sum is not f. Square 4 and −2, and add."),
            Mistake(lambda: [-4, 2, -1, 5], "The derivative of x² is 2x: a factor 2 is missing."),
        ),
    ),
    Exercise(
        name="line_by_hand",
        lesson=3,
        question="f = 3 max(0, x + 2y − 1) − max(0, x − y) + 1. Near (2, 1) it is a line w₁ x + w₂ y + b. "
        "Give w₁, w₂ and b as a list.",
        answer=line_by_hand,
        value=True,
        hints=(
            "Which neurons are on at (2, 1)? The first gets 3, the second 1.",
            "Leave out both max and sort the terms: those with x, those with y, the rest.",
        ),
        mistakes=(
            Mistake(lambda: [2.0, 7.0, 9.0], "Your last number is f at (2, 1). Take w · (2, 1) off."),
            Mistake(lambda: [2.0, 7.0, 1.0], "Only the last bias is in your b. The first neuron has one too."),
            Mistake(lambda: [2.0, 7.0, 0.0], "That is the line of the network without its biases."),
            Mistake(lambda: [2.0, 5.0, -2.0], "−(x − y) is −x + y: the second neuron raises the slope in y."),
        ),
    ),
    Exercise(
        name="channel_maximum",
        lesson=3,
        question="Write the saliency map of a gradient: channel_maximum(g) -> M, from (N, C, H, W) to (N, H, W).",
        answer=channel_maximum,
        cases=_gradients,
        hints=(
            "Two steps: the magnitude of every number, then one number for each pixel.",
            "The channels are axis 1.",
        ),
        mistakes=(
            Mistake(lambda g: np.abs(g).sum(axis=1), "You added the channels up, as PAIR does. Take the maximum."),
            Mistake(lambda g: np.abs(g.max(axis=1)), "Take |g| first: the strongest channel may be negative."),
            Mistake(lambda g: g.max(axis=1), "You left out the magnitude: a saliency map has no signs."),
            Mistake(lambda g: np.abs(g), "You kept every channel, as Captum does. One number a pixel is left."),
            Mistake(lambda g: np.abs(g).max(axis=0), "Axis 0 counts the images. The channels are axis 1."),
        ),
    ),
    Exercise(
        name="line",
        lesson=3,
        question="A network is dense, ReLU, dense. Write the line of its score c at x: line(x, W1, b1, W2, b2, c) -> "
        "(w, b). Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, C), b2 (C,); w (J,) and b a number.",
        answer=line,
        cases=_networks,
        hints=(
            "w is the gradient: column c of W2, through the ReLUs that are on, back through W1.",
            "The line meets the network at x: score = w @ x + b.",
            "So compute the score on the way up, and subtract w @ x from it.",
        ),
        mistakes=(
            Mistake(
                lambda x, W1, b1, W2, b2, c: (line(x, W1, b1, W2, b2, c)[0], b2[c]),
                "Your b is the last bias alone. The biases of the first layer are in it too, through their ReLUs.",
            ),
            Mistake(
                lambda x, W1, b1, W2, b2, c: (W1 @ W2[:, c], (b1 @ W2 + b2)[c]),
                "You left out the ReLU. Where z = x @ W1 + b1 is below zero, neither input nor bias gets through.",
            ),
            Mistake(
                lambda x, W1, b1, W2, b2, c: (
                    line(x, W1, b1, W2, b2, c)[0],
                    (np.maximum(0, x @ W1 + b1) @ W2 + b2)[c],
                ),
                "Your b is the score itself. Take w @ x off.",
            ),
            Mistake(
                lambda x, W1, b1, W2, b2, c: (x * line(x, W1, b1, W2, b2, c)[0], line(x, W1, b1, W2, b2, c)[1]),
                "Your w is multiplied by x already. That is gradient × input; w is the gradient.",
            ),
        ),
    ),
    Exercise(
        name="probability_gradient",
        lesson=3,
        question="Given the scores (K,) and the gradients of all scores, G (K, J), write the gradient of the softmax "
        "probability of class c: probability_gradient(scores, G, c) -> (J,).",
        answer=probability_gradient,
        cases=_scores,
        hints=(
            "Chain rule: the sum over k of (derivative of p_c in score k) times G[k].",
            "That derivative is p_c (1 − p_c) for k = c, and −p_c p_k for the others.",
            "Together: p_c (G[c] − Σ_k p_k G[k]). And take the largest score off before exp.",
        ),
        mistakes=(
            Mistake(
                lambda scores, G, c: _probability(scores)[c] * G[c],
                "Only score c moves in your answer. The probability also falls when another score rises.",
            ),
            Mistake(
                lambda scores, G, c: _probability(scores)[c] * (1 - _probability(scores)[c]) * G[c],
                "These are the terms with k = c. The other scores move p_c too, each by −p_c p_k G[k].",
            ),
            Mistake(
                lambda scores, G, c: G[c] - _probability(scores) @ G,
                "This is the gradient of log p_c. Multiply it by p_c.",
            ),
            Mistake(
                _exponentials_alone,
                "exp of a large score is infinite. Take the largest score off first: the probabilities stay the same.",
            ),
        ),
    ),
)
