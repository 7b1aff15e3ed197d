"""Lesson 06: layer-wise relevance propagation."""

import numpy as np

from .exercise import exercise, seeded


@exercise()
def shares_by_hand() -> list[float]:
    """A neuron has the inputs (2, 1), the weights (2, −1) and no bias. It has the relevance 6 to give away. Which
    shares do its two inputs get? Give both, as a list.

    1. What did each input bring in? The products are 4 and −1.
    2. z = 3, and each product gets 6 / 3 of itself.
    """
    return [8.0, -2.0]


shares_by_hand.mistakes = lambda answer: {
    "These are the products a_j w_j. Divide them by z = 3 and multiply by R = 6.": [4.0, -1.0],
    "You divided by |4| + |−1| = 5. The denominator is z itself, 4 − 1 = 3.": [4.8, 1.2],
    "You divided in proportion to the inputs. The weights count too: use a_j w_j.": [4.0, 2.0],
}


@exercise()
def bias_share() -> float:
    """The neuron of the lesson, inputs (2, 1) and weights (3, −1), gets the bias b = 1. Its relevance is R = z. Which
    share of R does the bias take?

    1. The bias is an input that is always 1, with the weight b.
    2. z is now 5 + 1 = 6, and R = z.
    """
    return 1.0 / (1.0 + 5.0) * 6.0


bias_share.mistakes = lambda answer: {
    "The bias is part of z, so it gets a part of R: b / z · R.": 0.0,
    "This is the part, b / z. Multiply by R.": 1 / 6,
    "The denominator holds the bias too: z = 5 + 1.": 1 / 5 * 6,
}


def _layers(*last: float) -> list[tuple]:
    """Two dense layers with biases; in both, some z are negative."""
    return [
        (np.abs(rng.normal(size=J)), rng.normal(size=(J, K)), rng.normal(size=K), rng.normal(size=K), *last)
        for rng, (J, K) in seeded((3, 2), (5, 4))
    ]


@exercise(_layers(0.25))
def lrp_epsilon(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float) -> np.ndarray:
    """Write LRP-ε for a dense layer: lrp_epsilon(a, W, b, R, epsilon) -> R_j. Shapes: a (J,), W (J, K), b (K,), R (K,).

    1. The four steps: z = a @ W + b, then s, c and R_j.
    2. Only step 2 has the ε: R / (z + ε · sign of z).
    3. np.where(z >= 0, 1, -1) is the sign of z, and 1 at zero.
    """
    z = a @ W + b
    s = R / (z + epsilon * np.where(z >= 0, 1, -1))
    return a * (W @ s)


lrp_epsilon.mistakes = lambda answer, a, W, b, R, epsilon: {
    "Your ε has no sign. Where z is negative it is subtracted: ε moves z away from zero.":
        a * (W @ (R / (a @ W + b + epsilon))),
    "The bias is missing in z. It gets no pixel, but it takes its share.": lrp_epsilon(a, W, 0, R, epsilon),
    "You stopped after step 3: this is c. Step 4 multiplies it by a.":
        W @ (R / (a @ W + b + epsilon * np.where(a @ W + b >= 0, 1, -1))),
    "This is LRP-0: ε does not occur.": lrp_epsilon(a, W, b, R, 0.0),
}  # fmt: skip


@exercise(_layers(0.25))
def lrp_gamma(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, gamma: float) -> np.ndarray:
    """Write LRP-γ for a dense layer: lrp_gamma(a, W, b, R, gamma) -> R_j, with the shapes of lrp_epsilon and a ≥ 0.

    1. Make a new matrix first: w_jk + γ max(w_jk, 0). Then the four steps with it.
    2. Both steps that use W use the new one: step 1 and step 3.
    3. The bias is treated like a weight: b_k + γ max(b_k, 0).
    """
    W = W + gamma * np.maximum(W, 0)
    b = b + gamma * np.maximum(b, 0)
    return a * (W @ (R / (a @ W + b)))


lrp_gamma.mistakes = lambda answer, a, W, b, R, gamma: {
    "Your bias is not scaled. It is treated like a weight: b + γ b⁺. (Captum leaves it unscaled.)":
        a * ((W + gamma * np.maximum(W, 0)) @ (R / (a @ (W + gamma * np.maximum(W, 0)) + b))),
    "Step 3 goes back through the old W. The same changed layer serves in both directions.":
        a * (W @ (R / (a @ (W + gamma * np.maximum(W, 0)) + b + gamma * np.maximum(b, 0)))),
    "You kept the positive weights alone: that is the limit γ → ∞. The rule adds γ w⁺ to w.":
        lrp_gamma(a, np.maximum(W, 0), np.maximum(b, 0), R, 0.0),
}  # fmt: skip


def _layers_with_a_dead_neuron() -> list[tuple]:
    """Without biases; no positive weight leads to the last neuron of the second layer."""
    cases = [(a, W, R) for a, W, _, R in _layers()]
    cases[1][1][:, -1] = -np.abs(cases[1][1][:, -1])
    return cases


@exercise(_layers_with_a_dead_neuron())
def z_plus(a: np.ndarray, W: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Write the z⁺ rule for a dense layer without bias: z_plus(a, W, R) -> R_j. A neuron whose denominator is zero
    gives nothing to anybody.

    1. Four steps with np.maximum(W, 0).
    2. Where no positive weight leads to k, z_k = 0: then s_k is 0, and not R_k / 0.
    3. np.where(z > 0, R / np.where(z > 0, z, 1), 0) never divides by zero.
    """
    W = np.maximum(W, 0)
    z = a @ W
    s = np.where(z > 0, R / np.where(z > 0, z, 1), 0)
    return a * (W @ s)


z_plus.mistakes = lambda answer, a, W, R: {
    "One z_k is zero: R_k / 0 spoils every share. Such a neuron distributes nothing.":
        a * (np.maximum(W, 0) @ (R / (a @ np.maximum(W, 0)))),
    "These are all weights: that is LRP-0. z⁺ takes max(w_jk, 0), in step 1 and in step 3.": a * (W @ (R / (a @ W))),
    "You cut the shares. The rule cuts the weights, before anything is divided.":
        np.maximum(a * (W @ (R / (a @ W))), 0),
}  # fmt: skip
