"""Lesson 07: LRP in practice."""

import numpy as np

from .exercise import edited, exercise
from .lesson06 import lrp_epsilon


@exercise()
def z_bounds_by_hand() -> list[float]:
    """A neuron looks at the pixels (1, 0, 0), which lie in [0, 1], with the weights (2, −1, 3). It has the relevance 6.
    Which shares does z^B give the three pixels? Give them as a list.

    1. Where w > 0 the term is (x − 0) w; where w < 0 it is (x − 1) w.
    2. The terms are 1 · 2, (0 − 1) · (−1) and 0 · 3. Divide 6 in proportion to them.
    """
    return [4.0, 2.0, 0.0]


z_bounds_by_hand.mistakes = lambda answer: {
    "That is x_j w_j, LRP-0. A negative weight measures from the high bound.": [6.0, 0.0, 0.0],
    "These are the terms q_j. Divide by their sum, 3, and multiply by R = 6.": [2.0, 1.0, 0.0],
    "You exchanged the bounds: a positive weight measures from the low one.": [0.0, 0.0, 6.0],
    "That is the flat rule. z^B looks at the pixels and at the weights.": [2.0, 2.0, 2.0],
}


def _pixels() -> list[tuple]:
    """Pixels in [0, 1], some of them at a bound; then inputs in [−1, 2]."""
    cases = []
    for seed, (low, high) in enumerate([(0.0, 1.0), (-1.0, 2.0)]):
        rng = np.random.default_rng(seed)
        x = rng.uniform(low, high, 5)
        x[0], x[1] = low, high
        cases.append((x, rng.normal(size=(5, 3)), rng.normal(size=3), low, high))
    return cases


@exercise(_pixels())
def z_bounds(x: np.ndarray, W: np.ndarray, R: np.ndarray, low: float, high: float) -> np.ndarray:
    """Write z^B for a dense layer: z_bounds(x, W, R, low, high) -> R_j. Shapes: x (J,), W (J, K), R (K,); low and high
    are numbers.

    1. Cut the weights in two: np.maximum(W, 0) and np.minimum(W, 0).
    2. z is (x − low) through the first plus (x − high) through the second.
    3. Steps 3 and 4 have two terms as well: each goes back through its own weights and is multiplied by its own input,
       x − low or x − high.
    """
    plus, minus = np.maximum(W, 0), np.minimum(W, 0)
    z = (x - low) @ plus + (x - high) @ minus
    s = R / z
    return (x - low) * (plus @ s) + (x - high) * (minus @ s)


z_bounds.mistakes = lambda answer, x, W, R, low, high: {
    "You exchanged the bounds: x − low belongs to the positive weights.": z_bounds(x, W, R, high, low),
    "That is LRP-0: the bounds are missing.": x * (W @ (R / (x @ W))),
    "Step 4 multiplies by x. Multiply each term by what went in: x − low, and x − high.":
        x * (W @ (R / ((x - low) @ np.maximum(W, 0) + (x - high) @ np.minimum(W, 0)))),
}  # fmt: skip


def _layers(*last: float) -> list[tuple]:
    """Two dense layers with biases of both signs, inputs of both signs, and z of both signs."""
    cases = []
    for seed, (inputs, outputs) in enumerate([(5, 3), (6, 4)]):
        rng = np.random.default_rng(seed)
        a, W, b = rng.normal(size=inputs), rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)
        b[:2] = 0.5, -0.5
        cases.append((a, W, b, rng.normal(size=outputs), *last))
    return cases


@exercise(_layers(2.0, 1.0))
def alpha_beta(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """Write αβ for a dense layer: alpha_beta(a, W, b, R, alpha, beta) -> R_j. Shapes: a (J,), W (J, K), b (K,), R (K,).
    Some a are negative. No sum is zero.

    1. Make all products first: a[:, None] * W has the shape (J, K).
    2. Cut the products by their sign, and add each kind over j.
    3. The positive sum also holds max(b, 0), the negative one min(b, 0).
    """
    p = a[:, None] * W
    plus, minus = np.maximum(p, 0), np.minimum(p, 0)
    sum_plus, sum_minus = plus.sum(axis=0) + np.maximum(b, 0), minus.sum(axis=0) + np.minimum(b, 0)
    return (alpha * plus / sum_plus - beta * minus / sum_minus) @ R


alpha_beta.mistakes = lambda answer, a, W, b, R, alpha, beta: {
    "Both sums hold the whole bias. Its positive part belongs to Σ⁺, the other to Σ⁻.":
        edited(alpha_beta, ("np.maximum(b, 0)", "b"), ("np.minimum(b, 0)", "b"))(a, W, b, R, alpha, beta),
    "The bias is missing in the sums. It gets no input, but it takes its share.": alpha_beta(a, W, 0, R, alpha, beta),
    "The second part is subtracted: α − β = 1. (Bach's eq. 60 adds it, with a negative β.)":
        alpha_beta(a, W, b, R, alpha, -beta),
    "You cut the weights. A negative input times a negative weight is a positive product: cut those.":
        edited(
            alpha_beta, ("p = a[:, None] * W", "a = a[:, None]"),
            ("np.maximum(p, 0), np.minimum(p, 0)", "a * np.maximum(W, 0), a * np.minimum(W, 0)"),
        )(a, W, b, R, alpha, beta),
}  # fmt: skip


@exercise(_layers(0.25))
def ledger_line(
    a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float
) -> tuple[float, float, float]:
    """Write one line of the ledger for a dense layer under LRP-ε: ledger_line(a, W, b, R, epsilon) -> (to the inputs,
    to the bias, to ε), three numbers that add up to Σ R.

    1. Compute s as in LRP-ε. R = s · (z + ε sgn z), and z = Σ a_j w_jk + b.
    2. What a term of the denominator gets is that term times s.
    3. To the bias: (b * s).sum(). To ε: (ε sgn(z) * s).sum().
    """
    z = a @ W + b
    stabilizer = epsilon * np.where(z >= 0, 1, -1)
    s = R / (z + stabilizer)
    return (a * (W @ s)).sum(), (b * s).sum(), (stabilizer * s).sum()


ledger_line.mistakes = lambda answer, a, W, b, R, epsilon: {
    "ε takes a share as well: not all that the inputs lack went to the bias.":
        (answer[0], answer[1] + answer[2], 0.0),
    "ε stands in the denominator with the sign of z. So does its share.":
        edited(ledger_line, ("(stabilizer * s)", "(epsilon * s)"))(a, W, b, R, epsilon),
    "The share of the bias is b / (z + ε sgn z) · R: the denominator is that of step 2.":
        edited(ledger_line, ("(b * s)", "(b / z * R)"))(a, W, b, R, epsilon),
}  # fmt: skip


def _blocks() -> list[tuple]:
    """Residual blocks with ReLUs on and off; in the second nothing at all comes out of the first neuron."""
    cases = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        cases.append((np.abs(rng.normal(size=4)), rng.normal(size=(4, 4)), rng.normal(size=4), rng.normal(size=4), 0.1))
    a, W = cases[1][:2]
    a[0], W[:, 0], cases[1][2][0] = 0.0, -np.abs(W[:, 0]), -0.5
    return cases


@exercise(_blocks())
def lrp_residual(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float) -> np.ndarray:
    """Write LRP for a residual block, out = a + ReLU(a @ W + b): lrp_residual(a, W, b, R, epsilon) -> R_j. Divide R
    between the two terms of the sum in proportion to their values, and take the second part down through the dense
    layer by LRP-ε. a ≥ 0; where out is 0, nothing is distributed.

    1. The sum first: s = R / out. The first term gets a * s, the second ReLU(z) * s.
    2. The ReLU passes its relevance. Below it is LRP-ε, as in lesson 06, with ReLU(z) * s instead of R.
    3. Add what the two ways bring: a * s + a * (W @ s_branch). Guard the division where out is 0.
    """
    z = a @ W + b
    branch = np.maximum(z, 0)
    out = a + branch
    s = np.where(out > 0, R / np.where(out > 0, out, 1), 0)
    s_branch = branch * s / (z + epsilon * np.where(z >= 0, 1, -1))
    return a * s + a * (W @ s_branch)


def _branch(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float) -> np.ndarray:
    return lrp_epsilon(a, W, b, np.where(a @ W + b > 0, R, 0), epsilon)


lrp_residual.mistakes = lambda answer, a, W, b, R, epsilon: {
    "Both ways got all of R: the relevance doubles. Divide it between them.": R + _branch(a, W, b, R, epsilon),
    "You gave a half to each way. Each gets in proportion to what it brought: a and ReLU(z).":
        R / 2 + _branch(a, W, b, R / 2, epsilon),
    "The first way is missing: a itself is a part of out, and has a share.": _branch(a, W, b, R, epsilon),
    "You took the block for one dense layer with W + 1. Between them is a ReLU.":
        lrp_epsilon(a, W + np.eye(len(a)), b, R, epsilon),
    "Where out is 0 you divide by zero. Such a neuron distributes nothing.":
        edited(lrp_residual, ("np.where(out > 0, R / np.where(out > 0, out, 1), 0)", "R / out"))(a, W, b, R, epsilon),
}  # fmt: skip
