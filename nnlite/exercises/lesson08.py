"""Lesson 08: Taylor, integrated gradients, SmoothGrad, DeepLIFT."""

from collections.abc import Callable

import numpy as np

from .exercise import edited, exercise, seeded


@exercise()
def taylor_by_hand() -> list[float]:
    """f(x, y) = x² + y² − 9 at the point (6, 8), with the root (1.8, 2.4). Which shares does simple Taylor give x and
    y? Give both, as a list.

    1. The gradient is taken at the root, not at the point: (2 · 1.8, 2 · 2.4).
    2. Multiply it with the difference, (6 − 1.8, 8 − 2.4).
    """
    return [(6 - 1.8) * 3.6, (8 - 2.4) * 4.8]


taylor_by_hand.mistakes = lambda answer: {
    "You took the gradient at (6, 8). The expansion is at the root.": [4.2 * 12, 5.6 * 16],
    "The difference is measured from the root: 6 − 1.8 and 8 − 2.4.": [6 * 3.6, 8 * 4.8],
    "That is gradient × input. Taylor needs the root, in both factors.": [6 * 12.0, 8 * 16.0],
    "That is the gradient at the root. Multiply it with x − root.": [3.6, 4.8],
}


# Inputs ≥ 0, one of them 0; weights of both signs; the neuron is on.
@exercise(
    [
        (np.array([2.0, 1.0, 1.0]), np.array([1.0, -1.0, 2.0])),
        (np.array([0.5, 0.0, 3.0, 1.0]), np.array([-2.0, 1.0, 1.5, 0.5])),
    ]
)
def neuron_root(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The root that deep Taylor takes for one neuron max(0, a @ w) with a ≥ 0 and a @ w > 0: neuron_root(a, w) -> a
    point of the shape of a.

    1. Only the inputs with w_j > 0 move. Each loses the same fraction t of itself.
    2. The neuron loses t Σ a_j w⁺_j, and that shall be all of a @ w.
    """
    t = (a @ w) / (a @ np.maximum(w, 0))
    return a - t * a * (w > 0)


neuron_root.mistakes = lambda answer, a, w: {
    "All inputs went down to 0. Those with a negative weight stay where they are.": 0 * a,
    "You went along the weights: that search gives w², and it may leave a ≥ 0.": a - (a @ w) / (w @ w) * w,
    "You went too far: with t = 1 the neuron is below zero. Stop where a @ w is 0.": a * (w <= 0),
}


def _bent(v: np.ndarray) -> np.ndarray:
    return 3 * v**2 + np.array([np.prod(np.delete(v, i)) for i in range(len(v))])


# The gradients of x² + y² − 9, and of Σ v³ + the product of all v.
@exercise(
    [
        (lambda v: 2 * v, np.array([3.0, 4.0]), np.zeros(2), 8),
        (_bent, np.array([1.0, 2.0, -1.0]), np.array([0.5, -0.5, 1.0]), 5),
    ]
)
def integrated_gradients(
    gradient: Callable[[np.ndarray], np.ndarray], x: np.ndarray, baseline: np.ndarray, n: int
) -> np.ndarray:
    """Write integrated gradients with the midpoint rule: integrated_gradients(gradient, x, baseline, n) -> R.
    gradient(point) gives ∇f there; x and baseline have the same shape; n is the number of intervals.

    1. The points are baseline + t (x − baseline).
    2. The midpoints of n equal intervals are t = 0.5 / n, 1.5 / n, ...: (np.arange(n) + 0.5) / n.
    3. Take the mean of the gradients, and multiply it with x − baseline.
    """
    total = np.zeros_like(x)
    for t in (np.arange(n) + 0.5) / n:
        total += gradient(baseline + t * (x - baseline))
    return (x - baseline) * total / n


integrated_gradients.mistakes = lambda answer, gradient, x, baseline, n: {
    "The factor x − baseline is missing: this is the mean gradient.": answer / (x - baseline),
    "Multiply with x − baseline, not with x.": answer / (x - baseline) * x,
    "You took the left ends, t = i / n. The midpoints are (i + ½) / n.":
        edited(integrated_gradients, (" + 0.5", ""))(gradient, x, baseline, n),
    "Your points begin at 0 and end at 1. Take the middle of each interval: (i + ½) / n.":
        edited(integrated_gradients, ("(np.arange(n) + 0.5) / n", "np.linspace(0, 1, n)"))(gradient, x, baseline, n),
    "This is the sum of the gradients. The integral is their mean: divide by n.": n * answer,
}  # fmt: skip


# ReLUs that are on for both, off for both, and switched between the reference and x.
@exercise((*(rng.normal(size=shape) for shape in (J, J, (J, 6), 6, 6)),) for rng, J in seeded(3, 4))
def rescale(x: np.ndarray, reference: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    """Write DeepLIFT with Rescale for f(x) = max(0, x @ W1 + b1) @ w2: rescale(x, reference, W1, b1, w2) -> R. Shapes:
    x and reference (J,), W1 (J, K), b1 (K,), w2 (K,). No z is equal to its reference.

    1. Compute z and a = max(0, z) twice, for x and for the reference.
    2. At the ReLU the multiplier is Δa / Δz times the one above, w2.
    3. Back through W1, and at the end times x − reference. The sum must be f(x) − f(reference).
    """
    z, z_reference = x @ W1 + b1, reference @ W1 + b1
    chord = (np.maximum(z, 0) - np.maximum(z_reference, 0)) / (z - z_reference)
    return (x - reference) * (W1 @ (chord * w2))


rescale.mistakes = lambda answer, x, reference, W1, b1, w2: {
    "You took the slope at x, 0 or 1. Rescale takes that of the chord, Δa / Δz.":
        (x - reference) * (W1 @ ((x @ W1 + b1 > 0) * w2)),
    "These are the multipliers. Multiply with x − reference.": answer / (x - reference),
    "You measured from zero. The differences are those to the reference.": rescale(x, 0 * x, W1, b1, w2),
}  # fmt: skip


# The second neuron of min(5, 3); then neurons that Δ⁺ or Δ⁻ alone would switch.
@exercise(
    [
        (np.array([5.0, 3.0]), np.zeros(2), np.array([1.0, -1.0]), 0.0),
        (np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, 1.0]), np.array([1.5, -1.0, 2.0]), 0.5),
        (np.array([2.0, -1.0, 1.0]), np.array([0.5, 0.5, 0.0]), np.array([-1.0, -2.0, 1.0]), 1.0),
    ]
)
def reveal_cancel(x: np.ndarray, reference: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    """Write RevealCancel for one neuron max(0, x @ w + b): reveal_cancel(x, reference, w, b) -> the share of each
    input. In all cases some inputs raise the neuron and others lower it.

    1. Δ⁺ is the sum of the positive products (x − reference) · w, Δ⁻ that of the negative ones.
    2. Compute the output four times: at the reference, with Δ⁺ alone, with Δ⁻ alone, with both.
    3. Δ⁺ gets the mean of what it does when it comes first and when it comes last.
    4. Each positive product gets its part of that: product / Δ⁺. The negative ones likewise.
    """
    products = (x - reference) * w
    plus, minus = np.maximum(products, 0).sum(), np.minimum(products, 0).sum()
    neither = reference @ w + b
    outputs = [max(0.0, neither + delta) for delta in (0, plus, minus, plus + minus)]
    from_plus = (outputs[1] - outputs[0] + outputs[3] - outputs[2]) / 2
    from_minus = (outputs[2] - outputs[0] + outputs[3] - outputs[1]) / 2
    return products * np.where(products > 0, from_plus / plus, from_minus / minus)


FROM_PLUS = "(outputs[1] - outputs[0] + outputs[3] - outputs[2]) / 2"
FROM_MINUS = "(outputs[2] - outputs[0] + outputs[3] - outputs[1]) / 2"

reveal_cancel.mistakes = lambda answer, x, reference, w, b: {
    "That is Rescale: one multiplier for both signs. RevealCancel has one for each.":
        rescale(x, reference, w[:, None], np.array([b]), np.ones(1)),
    "You added Δ⁺ first and Δ⁻ last. Take the mean of both orders.":
        edited(
            reveal_cancel, (FROM_PLUS, "outputs[1] - outputs[0]"), (FROM_MINUS, "outputs[3] - outputs[1]"),
        )(x, reference, w, b),
    "Each part was only added to the reference. Then their sum is not f(x) − f(reference).":
        edited(
            reveal_cancel, (FROM_PLUS, "outputs[1] - outputs[0]"), (FROM_MINUS, "outputs[2] - outputs[0]"),
        )(x, reference, w, b),
}  # fmt: skip
