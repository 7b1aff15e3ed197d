"""Lesson 06: layer-wise relevance propagation."""

import numpy as np

from .exercise import Exercise, Mistake


def shares_by_hand() -> list[float]:
    return [8.0, -2.0]


def bias_share() -> float:
    return 1.0 / (1.0 + 5.0) * 6.0


def lrp_epsilon(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float) -> np.ndarray:
    z = a @ W + b
    s = R / (z + epsilon * np.where(z >= 0, 1, -1))
    return a * (W @ s)


def lrp_gamma(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, gamma: float) -> np.ndarray:
    W = W + gamma * np.maximum(W, 0)
    b = b + gamma * np.maximum(b, 0)
    return a * (W @ (R / (a @ W + b)))


def z_plus(a: np.ndarray, W: np.ndarray, R: np.ndarray) -> np.ndarray:
    W = np.maximum(W, 0)
    z = a @ W
    s = np.where(z > 0, R / np.where(z > 0, z, 1), 0)
    return a * (W @ s)


def _layers(*last: float) -> list[tuple]:
    """Two dense layers with biases; in both, some z are negative."""
    cases = []
    for seed, (inputs, outputs) in enumerate([(3, 2), (5, 4)]):
        rng = np.random.default_rng(seed)
        a, W, b = np.abs(rng.normal(size=inputs)), rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)
        cases.append((a, W, b, rng.normal(size=outputs), *last))
    return cases


def _layers_with_a_dead_neuron() -> list[tuple]:
    """Without biases; no positive weight leads to the last neuron of the second layer."""
    cases = [(a, W, R) for a, W, _, R in _layers()]
    cases[1][1][:, -1] = -np.abs(cases[1][1][:, -1])
    return cases


def _unsigned(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float) -> np.ndarray:
    return a * (W @ (R / (a @ W + b + epsilon)))


def _divided_by_zero(a: np.ndarray, W: np.ndarray, R: np.ndarray) -> np.ndarray:
    W = np.maximum(W, 0)
    with np.errstate(all="ignore"):
        return a * (W @ (R / (a @ W)))


EXERCISES = (
    Exercise(
        name="shares_by_hand",
        lesson=6,
        question="A neuron has the inputs (2, 1), the weights (2, −1) and no bias. It has the relevance 6 to give "
        "away. Which shares do its two inputs get? Give both, as a list.",
        answer=shares_by_hand,
        value=True,
        hints=(
            "What did each input bring in? The products are 4 and −1.",
            "z = 3, and each product gets 6 / 3 of itself.",
        ),
        mistakes=(
            Mistake(lambda: [4.0, -1.0], "These are the products a_j w_j. Divide them by z = 3 and multiply by R = 6."),
            Mistake(lambda: [4.8, 1.2], "You divided by |4| + |−1| = 5. The denominator is z itself, 4 − 1 = 3."),
            Mistake(lambda: [4.0, 2.0], "You divided in proportion to the inputs. The weights count too: use a_j w_j."),
        ),
    ),
    Exercise(
        name="bias_share",
        lesson=6,
        question="The neuron of the lesson, inputs (2, 1) and weights (3, −1), gets the bias b = 1. Its relevance is "
        "R = z. Which share of R does the bias take?",
        answer=bias_share,
        value=True,
        hints=("The bias is an input that is always 1, with the weight b.", "z is now 5 + 1 = 6, and R = z."),
        mistakes=(
            Mistake(lambda: 0.0, "The bias is part of z, so it gets a part of R: b / z · R."),
            Mistake(lambda: 1 / 6, "This is the part, b / z. Multiply by R."),
            Mistake(lambda: 1 / 5 * 6, "The denominator holds the bias too: z = 5 + 1."),
        ),
    ),
    Exercise(
        name="lrp_epsilon",
        lesson=6,
        question="Write LRP-ε for a dense layer: lrp_epsilon(a, W, b, R, epsilon) -> R_j. Shapes: a (J,), W (J, K), "
        "b (K,), R (K,).",
        answer=lrp_epsilon,
        cases=lambda: _layers(0.25),
        hints=(
            "The four steps: z = a @ W + b, then s, c and R_j.",
            "Only step 2 has the ε: R / (z + ε · sign of z).",
            "np.where(z >= 0, 1, -1) is the sign of z, and 1 at zero.",
        ),
        mistakes=(
            Mistake(_unsigned, "Your ε has no sign. Where z is negative it is subtracted: ε moves z away from zero."),
            Mistake(
                lambda a, W, b, R, epsilon: lrp_epsilon(a, W, 0 * b, R, epsilon),
                "The bias is missing in z. It gets no pixel, but it takes its share.",
            ),
            Mistake(
                lambda a, W, b, R, epsilon: W @ (R / (a @ W + b + epsilon * np.where(a @ W + b >= 0, 1, -1))),
                "You stopped after step 3: this is c. Step 4 multiplies it by a.",
            ),
            Mistake(lambda a, W, b, R, epsilon: lrp_epsilon(a, W, b, R, 0.0), "This is LRP-0: ε does not occur."),
        ),
    ),
    Exercise(
        name="lrp_gamma",
        lesson=6,
        question="Write LRP-γ for a dense layer: lrp_gamma(a, W, b, R, gamma) -> R_j, with the shapes of lrp_epsilon "
        "and a ≥ 0.",
        answer=lrp_gamma,
        cases=lambda: _layers(0.25),
        hints=(
            "Make a new matrix first: w_jk + γ max(w_jk, 0). Then the four steps with it.",
            "Both steps that use W use the new one: step 1 and step 3.",
            "The bias is treated like a weight: b_k + γ max(b_k, 0).",
        ),
        mistakes=(
            Mistake(
                lambda a, W, b, R, gamma: (
                    a * ((W + gamma * np.maximum(W, 0)) @ (R / (a @ (W + gamma * np.maximum(W, 0)) + b)))
                ),
                "Your bias is not scaled. It is treated like a weight: b + γ b⁺. (Captum leaves it unscaled.)",
            ),
            Mistake(
                lambda a, W, b, R, gamma: (
                    a * (W @ (R / (a @ (W + gamma * np.maximum(W, 0)) + b + gamma * np.maximum(b, 0))))
                ),
                "Step 3 goes back through the old W. The same changed layer serves in both directions.",
            ),
            Mistake(
                lambda a, W, b, R, gamma: lrp_gamma(a, np.maximum(W, 0), np.maximum(b, 0), R, 0.0),
                "You kept the positive weights alone: that is the limit γ → ∞. The rule adds γ w⁺ to w.",
            ),
        ),
    ),
    Exercise(
        name="z_plus",
        lesson=6,
        question="Write the z⁺ rule for a dense layer without bias: z_plus(a, W, R) -> R_j. A neuron whose denominator "
        "is zero gives nothing to anybody.",
        answer=z_plus,
        cases=_layers_with_a_dead_neuron,
        hints=(
            "Four steps with np.maximum(W, 0).",
            "Where no positive weight leads to k, z_k = 0: then s_k is 0, and not R_k / 0.",
            "np.where(z > 0, R / np.where(z > 0, z, 1), 0) never divides by zero.",
        ),
        mistakes=(
            Mistake(
                _divided_by_zero, "One z_k is zero: R_k / 0 spoils every share. Such a neuron distributes nothing."
            ),
            Mistake(
                lambda a, W, R: a * (W @ (R / (a @ W))),
                "These are all weights: that is LRP-0. z⁺ takes max(w_jk, 0), in step 1 and in step 3.",
            ),
            Mistake(
                lambda a, W, R: np.maximum(a * (W @ (R / (a @ W))), 0),
                "You cut the shares. The rule cuts the weights, before anything is divided.",
            ),
        ),
    ),
)
