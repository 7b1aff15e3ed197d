"""Lesson 08: Taylor, integrated gradients, SmoothGrad, DeepLIFT."""

from collections.abc import Callable

import numpy as np

from .exercise import Exercise, Mistake

Gradient = Callable[[np.ndarray], np.ndarray]


def taylor_by_hand() -> list[float]:
    return [(6 - 1.8) * 3.6, (8 - 2.4) * 4.8]


def neuron_root(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    t = (a @ w) / (a @ np.maximum(w, 0))
    return a - t * a * (w > 0)


def integrated_gradients(
    gradient: Callable[[np.ndarray], np.ndarray], x: np.ndarray, baseline: np.ndarray, n: int
) -> np.ndarray:
    total = np.zeros_like(x)
    for t in (np.arange(n) + 0.5) / n:
        total += gradient(baseline + t * (x - baseline))
    return (x - baseline) * total / n


def rescale(x: np.ndarray, reference: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    z, z_reference = x @ W1 + b1, reference @ W1 + b1
    chord = (np.maximum(z, 0) - np.maximum(z_reference, 0)) / (z - z_reference)
    return (x - reference) * (W1 @ (chord * w2))


def reveal_cancel(x: np.ndarray, reference: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    products = (x - reference) * w
    plus, minus = np.maximum(products, 0).sum(), np.minimum(products, 0).sum()
    neither = reference @ w + b
    outputs = [max(0.0, neither + delta) for delta in (0, plus, minus, plus + minus)]
    from_plus = (outputs[1] - outputs[0] + outputs[3] - outputs[2]) / 2
    from_minus = (outputs[2] - outputs[0] + outputs[3] - outputs[1]) / 2
    return products * np.where(products > 0, from_plus / plus, from_minus / minus)


def _neurons() -> list[tuple]:
    """Inputs ≥ 0, one of them 0; weights of both signs; the neuron is on."""
    return [
        (np.array([2.0, 1.0, 1.0]), np.array([1.0, -1.0, 2.0])),
        (np.array([0.5, 0.0, 3.0, 1.0]), np.array([-2.0, 1.0, 1.5, 0.5])),
    ]


def _slides(v: np.ndarray) -> np.ndarray:
    """The gradient of x² + y² − 9."""
    return 2 * v


def _bent(v: np.ndarray) -> np.ndarray:
    """The gradient of Σ v³ + the product of all v."""
    return 3 * v**2 + np.array([np.prod(np.delete(v, i)) for i in range(len(v))])


def _paths() -> list[tuple]:
    return [
        (_slides, np.array([3.0, 4.0]), np.zeros(2), 8),
        (_bent, np.array([1.0, 2.0, -1.0]), np.array([0.5, -0.5, 1.0]), 5),
    ]


def _networks() -> list[tuple]:
    """ReLUs that are on for both, off for both, and switched between the reference and x."""
    cases = []
    for seed, inputs in ((0, 3), (1, 4)):
        rng = np.random.default_rng(seed)
        x, reference, W1, b1 = (rng.normal(size=shape) for shape in (inputs, inputs, (inputs, 6), 6))
        cases.append((x, reference, W1, b1, rng.normal(size=6)))
    return cases


def _switched() -> list[tuple]:
    """The second neuron of min(5, 3); then neurons that Δ⁺ or Δ⁻ alone would switch."""
    return [
        (np.array([5.0, 3.0]), np.zeros(2), np.array([1.0, -1.0]), 0.0),
        (np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, 1.0]), np.array([1.5, -1.0, 2.0]), 0.5),
        (np.array([2.0, -1.0, 1.0]), np.array([0.5, 0.5, 0.0]), np.array([-1.0, -2.0, 1.0]), 1.0),
    ]


def _all_inputs(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Down to the origin: without a bias the only root on that way."""
    return 0 * a


def _along_weights(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    return a - (a @ w) / (w @ w) * w


def _all_off(a: np.ndarray, w: np.ndarray) -> np.ndarray:
    return a * (w <= 0)


def _left_ends(gradient: Gradient, x: np.ndarray, baseline: np.ndarray, n: int) -> np.ndarray:
    total = sum(gradient(baseline + t * (x - baseline)) for t in np.arange(n) / n)
    return (x - baseline) * total / n


def _both_ends(gradient: Gradient, x: np.ndarray, baseline: np.ndarray, n: int) -> np.ndarray:
    total = sum(gradient(baseline + t * (x - baseline)) for t in np.linspace(0, 1, n))
    return (x - baseline) * total / n


def _mean_gradient(gradient: Gradient, x: np.ndarray, baseline: np.ndarray, n: int) -> np.ndarray:
    return integrated_gradients(gradient, x, baseline, n) / (x - baseline)


def _times_x(gradient: Gradient, x: np.ndarray, baseline: np.ndarray, n: int) -> np.ndarray:
    return x * _mean_gradient(gradient, x, baseline, n)


def _not_divided(gradient: Gradient, x: np.ndarray, baseline: np.ndarray, n: int) -> np.ndarray:
    return n * integrated_gradients(gradient, x, baseline, n)


def _slope(x: np.ndarray, reference: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    return (x - reference) * (W1 @ ((x @ W1 + b1 > 0) * w2))


def _multipliers(x: np.ndarray, reference: np.ndarray, W1: np.ndarray, b1: np.ndarray, w2: np.ndarray) -> np.ndarray:
    return rescale(x, reference, W1, b1, w2) / (x - reference)


def _one_order(x: np.ndarray, reference: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    products = (x - reference) * w
    plus, minus = np.maximum(products, 0).sum(), np.minimum(products, 0).sum()
    neither, with_plus, both = (max(0.0, reference @ w + b + delta) for delta in (0, plus, plus + minus))
    return products * np.where(products > 0, (with_plus - neither) / plus, (both - with_plus) / minus)


def _alone(x: np.ndarray, reference: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    products = (x - reference) * w
    plus, minus = np.maximum(products, 0).sum(), np.minimum(products, 0).sum()
    neither, with_plus, with_minus = (max(0.0, reference @ w + b + delta) for delta in (0, plus, minus))
    return products * np.where(products > 0, (with_plus - neither) / plus, (with_minus - neither) / minus)


def _rescaled(x: np.ndarray, reference: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    return rescale(x, reference, w[:, None], np.array([b]), np.ones(1))


EXERCISES = (
    Exercise(
        name="taylor_by_hand",
        lesson=8,
        question="f(x, y) = x² + y² − 9 at the point (6, 8), with the root (1.8, 2.4). Which shares does simple Taylor "
        "give x and y? Give both, as a list.",
        answer=taylor_by_hand,
        value=True,
        hints=(
            "The gradient is taken at the root, not at the point: (2 · 1.8, 2 · 2.4).",
            "Multiply it with the difference, (6 − 1.8, 8 − 2.4).",
        ),
        mistakes=(
            Mistake(lambda: [4.2 * 12, 5.6 * 16], "You took the gradient at (6, 8). The expansion is at the root."),
            Mistake(lambda: [6 * 3.6, 8 * 4.8], "The difference is measured from the root: 6 − 1.8 and 8 − 2.4."),
            Mistake(lambda: [6 * 12.0, 8 * 16.0], "That is gradient × input. Taylor needs the root, in both factors."),
            Mistake(lambda: [3.6, 4.8], "That is the gradient at the root. Multiply it with x − root."),
        ),
    ),
    Exercise(
        name="neuron_root",
        lesson=8,
        question="The root that deep Taylor takes for one neuron max(0, a @ w) with a ≥ 0 and a @ w > 0: "
        "neuron_root(a, w) -> a point of the shape of a.",
        answer=neuron_root,
        cases=_neurons,
        hints=(
            "Only the inputs with w_j > 0 move. Each loses the same fraction t of itself.",
            "The neuron loses t Σ a_j w⁺_j, and that shall be all of a @ w.",
        ),
        mistakes=(
            Mistake(_all_inputs, "All inputs went down to 0. Those with a negative weight stay where they are."),
            Mistake(_along_weights, "You went along the weights: that search gives w², and it may leave a ≥ 0."),
            Mistake(_all_off, "You went too far: with t = 1 the neuron is below zero. Stop where a @ w is 0."),
        ),
    ),
    Exercise(
        name="integrated_gradients",
        lesson=8,
        question="Write integrated gradients with the midpoint rule: integrated_gradients(gradient, x, baseline, n) "
        "-> R. gradient(point) gives ∇f there; x and baseline have the same shape; n is the number of intervals.",
        answer=integrated_gradients,
        cases=_paths,
        hints=(
            "The points are baseline + t (x − baseline).",
            "The midpoints of n equal intervals are t = 0.5 / n, 1.5 / n, ...: (np.arange(n) + 0.5) / n.",
            "Take the mean of the gradients, and multiply it with x − baseline.",
        ),
        mistakes=(
            Mistake(_mean_gradient, "The factor x − baseline is missing: this is the mean gradient."),
            Mistake(_times_x, "Multiply with x − baseline, not with x."),
            Mistake(_left_ends, "You took the left ends, t = i / n. The midpoints are (i + ½) / n."),
            Mistake(_both_ends, "Your points begin at 0 and end at 1. Take the middle of each interval: (i + ½) / n."),
            Mistake(_not_divided, "This is the sum of the gradients. The integral is their mean: divide by n."),
        ),
    ),
    Exercise(
        name="rescale",
        lesson=8,
        question="Write DeepLIFT with Rescale for f(x) = max(0, x @ W1 + b1) @ w2: rescale(x, reference, W1, b1, w2) "
        "-> R. Shapes: x and reference (J,), W1 (J, K), b1 (K,), w2 (K,). No z is equal to its reference.",
        answer=rescale,
        cases=_networks,
        hints=(
            "Compute z and a = max(0, z) twice, for x and for the reference.",
            "At the ReLU the multiplier is Δa / Δz times the one above, w2.",
            "Back through W1, and at the end times x − reference. The sum must be f(x) − f(reference).",
        ),
        mistakes=(
            Mistake(_slope, "You took the slope at x, 0 or 1. Rescale takes that of the chord, Δa / Δz."),
            Mistake(_multipliers, "These are the multipliers. Multiply with x − reference."),
            Mistake(
                lambda x, reference, W1, b1, w2: rescale(x, 0 * x, W1, b1, w2),
                "You measured from zero. The differences are those to the reference.",
            ),
        ),
    ),
    Exercise(
        name="reveal_cancel",
        lesson=8,
        question="Write RevealCancel for one neuron max(0, x @ w + b): reveal_cancel(x, reference, w, b) -> the share "
        "of each input. In all cases some inputs raise the neuron and others lower it.",
        answer=reveal_cancel,
        cases=_switched,
        hints=(
            "Δ⁺ is the sum of the positive products (x − reference) · w, Δ⁻ that of the negative ones.",
            "Compute the output four times: at the reference, with Δ⁺ alone, with Δ⁻ alone, with both.",
            "Δ⁺ gets the mean of what it does when it comes first and when it comes last.",
            "Each positive product gets its part of that: product / Δ⁺. The negative ones likewise.",
        ),
        mistakes=(
            Mistake(_rescaled, "That is Rescale: one multiplier for both signs. RevealCancel has one for each."),
            Mistake(_one_order, "You added Δ⁺ first and Δ⁻ last. Take the mean of both orders."),
            Mistake(_alone, "Each part was only added to the reference. Then their sum is not f(x) − f(reference)."),
        ),
    ),
)
