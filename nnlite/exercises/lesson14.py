"""Lesson 14: verify your own."""

from collections.abc import Callable

import numpy as np

from .exercise import edited, exercise, seeded
from .lesson06 import lrp_epsilon

Function = Callable[[np.ndarray], np.ndarray]


@exercise()
def two_gammas() -> list[list[float]]:
    """A neuron has the inputs (1, 1), the weights (2, −1), the bias b = 1, and the relevance 20 to give away. Two
    libraries compute LRP-γ with γ = 1: nnlite scales the bias too, b + γ b⁺; the other leaves it as it is. Give both
    lists of shares, nnlite's first.

    1. The products are 2 and −1. With γ = 1 the positive one becomes 4, and the negative one stays.
    2. nnlite divides by 4 − 1 + 2, the other by 4 − 1 + 1.
    """
    return [[16.0, -4.0], [20.0, -5.0]]


two_gammas.mistakes = lambda answer: {
    "The other way round: the larger denominator is nnlite's, 5.": [[20.0, -5.0], [16.0, -4.0]],
    "This is LRP-0: γ does not occur.": [[20.0, -10.0], [20.0, -10.0]],
    "You strengthened the negative weight too. γ is added to w⁺ alone.": [[20.0, -10.0], [80 / 3, -40 / 3]],
    "The bias is missing in your denominators. It gets no pixel, but it takes its share.":
        [[80 / 3, -20 / 3], [80 / 3, -20 / 3]],
}  # fmt: skip


def _smooth(x: np.ndarray) -> float:
    return float((x**3).sum() + np.prod(np.sin(x)))


# Of one axis and of two, with a step that is large enough to be seen.
@exercise(lambda rng: [(_smooth, rng.normal(size=3), 0.1), (_smooth, rng.normal(size=(2, 2)), 0.01)])
def finite_differences(f: Callable[[np.ndarray], float], x: np.ndarray, h: float) -> np.ndarray:
    """The gradient of f at x by central differences: finite_differences(f, x, h) -> an array like x. f takes an array
    like x, of any number of axes, and gives a number.

    1. For each element: (f(x + nudge) − f(x − nudge)) / (2 h), where the nudge is h there and 0 elsewhere.
    2. np.ndindex(x.shape) goes through all indices, whatever the number of axes.
    """
    gradient = np.zeros_like(x)
    for j in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[j] = h
        gradient[j] = (f(x + nudge) - f(x - nudge)) / (2 * h)
    return gradient


finite_differences.mistakes = lambda answer, f, x, h: {
    "You went one way only. Its error shrinks like h, that of both ways like h².":
        edited(finite_differences, ("f(x - nudge)", "f(x)"), ("(2 * h)", "h"))(f, x, h),
    "From x − h to x + h it is 2 h: divide by 2 h, not h.": 2 * answer,
    "The sign: f(x + h) comes first, then less f(x − h).": -answer,
}  # fmt: skip


def _dense(W: np.ndarray, b: np.ndarray | float, back: np.ndarray) -> tuple[Function, Function]:
    return lambda a: a @ W + b, lambda s: back @ s


def _layers() -> list[tuple]:
    """A layer with a bias and its backward pass, and one whose backward pass is wrong."""
    rng = np.random.default_rng(1)
    W, b, a, s = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3), rng.normal(size=3)
    return [(*_dense(W, b, W), a, s), (*_dense(W, b, W.T), a, s)]


@exercise(_layers())
def adjoint_gap(forward: Function, backward: Function, a: np.ndarray, s: np.ndarray) -> float:
    """The test of a linear layer: adjoint_gap(forward, backward, a, s) -> ⟨forward(a), s⟩ − ⟨a, backward(s)⟩, which is
    0 if the two belong together. forward may add a bias; leave it out of the test.

    1. ⟨u, v⟩ is (u * v).sum().
    2. The bias is what forward gives to zeros: forward(np.zeros_like(a)).
    """
    linear = forward(a) - forward(np.zeros_like(a))
    return (linear * s).sum() - (a * backward(s)).sum()


adjoint_gap.mistakes = lambda answer, forward, backward, a, s: {
    "The bias is still in it, and the gap is not 0 for a layer that is right. Subtract forward(0).":
        (forward(a) * s).sum() - (a * backward(s)).sum(),
    "forward takes a, which comes from below, and backward takes s, from above.":
        (forward(s) * a).sum() - (a * backward(s)).sum(),
    "The difference itself is asked for, with its sign.": np.abs(answer),
}  # fmt: skip


def _walks() -> list[tuple]:
    """Maps from the scores down: one parts in the middle and below, one by rounding alone, one is small."""
    rng = np.random.default_rng(2)
    ours = {name: rng.normal(size=4) for name in ("dense3", "relu2", "relu1", "input")}
    apart = {**ours, "relu1": ours["relu1"] * 1.01, "input": ours["input"] * 2}
    rounded = {name: R * (1 + 1e-15) for name, R in ours.items()}
    small = {name: 1e-6 * R for name, R in ours.items()}
    return [(ours, apart, 1e-9), (ours, rounded, 1e-9), (small, {**small, "relu2": 1.1 * small["relu2"]}, 1e-3)]


@exercise(_walks())
def first_to_part(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], tolerance: float) -> str:
    """ours and theirs hold a map for each layer by its name, in the order of the walk: from the scores down.
    first_to_part(ours, theirs, tolerance) -> the name of the first at which max |ours − theirs| is above tolerance ·
    max |theirs|, or "none" where they agree.

    1. for name in ours: compare, and return the name as soon as they differ.
    2. The tolerance is relative: times the largest |theirs| of that layer.
    """
    for name in ours:
        if np.abs(ours[name] - theirs[name]).max() > tolerance * np.abs(theirs[name]).max():
            return name
    return "none"


first_to_part.mistakes = lambda answer, ours, theirs, tolerance: {
    "You came from the input. All below the first error differ; walk from the scores.":
        first_to_part(dict(reversed(ours.items())), theirs, tolerance),
    "Your tolerance is absolute. A map of small numbers always passes it.":
        next((name for name in ours if np.abs(ours[name] - theirs[name]).max() > tolerance), "none"),
    "You asked for the same bits. Another order of summation changes the last digit.":
        next((name for name in ours if not np.array_equal(ours[name], theirs[name])), "none"),
}  # fmt: skip


# Some z are negative.
@exercise(
    (rng.random(J), rng.normal(size=(J, J)), rng.normal(size=J), rng.normal(size=J), 0.1) for rng, J in seeded(2, 4)
)
def lrp_skip(a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float) -> np.ndarray:
    """A layer that nnlite does not have: z_k = a_k + Σ_j a_j w_jk + b_k, a dense layer with a connection past it. Write
    LRP-ε for it: lrp_skip(a, W, b, R, epsilon) -> R_j. Shapes: a (J,), W (J, J), b (J,), R (J,).

    1. It is linear: a dense layer with the weights W + 1, 1 the identity matrix. All four steps stay.
    2. z = a + a @ W + b, and s = R / (z + ε · sign of z).
    3. Step 3 is the backward pass of this layer: c = s + W @ s.
    """
    z = a + a @ W + b
    s = R / (z + epsilon * np.where(z >= 0, 1, -1))
    return a * (s + W @ s)


lrp_skip.mistakes = lambda answer, a, W, b, R, epsilon: {
    "The way past the layer is missing in step 3: each input also feeds its own output, c = s + W @ s.":
        edited(lrp_skip, ("s + W @ s", "W @ s"))(a, W, b, R, epsilon),
    "Step 3 goes only past the layer. It goes through the weights as well: c = s + W @ s.":
        edited(lrp_skip, ("s + W @ s", "s"))(a, W, b, R, epsilon),
    "This is the dense layer alone. z has a_k in it too, and so has step 3.": lrp_epsilon(a, W, b, R, epsilon),
    "You gave R away twice, once past the layer and once through it. Both ways share one denominator.":
        R + lrp_epsilon(a, W, b, R, epsilon),
}  # fmt: skip
