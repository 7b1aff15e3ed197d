"""Lesson 10: activation maximization."""

import numpy as np

from .exercise import edited, exercise, seeded


@exercise()
def maximization_signal() -> list[float]:
    """Three classes have the scores (0, log 2, 0). Class 0 is to be maximized. Which signal starts at the top: what is
    the derivative of log p(ω_0 | x) in each score? Give the three numbers, as a list.

    1. First the probabilities: e to the scores is (1, 2, 1).
    2. p = (0.25, 0.5, 0.25). The signal is [k = c] − p_k.
    """
    return [1 - 0.25, -0.5, -0.25]


maximization_signal.mistakes = lambda answer: {
    "This goes down: it is the derivative of the loss. The signal of a search that climbs is [k = c] − p_k.":
        [-0.75, 0.5, 0.25],
    "This climbs the score alone. The logarithm of the sum pulls at every score: subtract p_k.": [1.0, 0.0, 0.0],
    "The class itself has 1 − p, not p: 1 − 0.25.": [0.25, -0.5, -0.25],
    "This is the derivative of p. That of log p is divided by p = 0.25 once more.": [0.1875, -0.125, -0.0625],
}  # fmt: skip


def _classifiers() -> list[tuple]:
    """x, W, b, c: of three classes and of five."""
    return [
        (rng.random(J), W, b, c)
        for rng, (J, K, c) in seeded((2, 3, 0), (6, 5, 1))
        for W, b in [(rng.normal(size=(J, K)), rng.normal(size=K))]
    ]


@exercise(_classifiers())
def logp_gradient(x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    """A network is one dense layer, f = x W + b. Write the gradient of log p(ω_c | x) in x: logp_gradient(x, W, b, c)
    -> (J,). Shapes: x (J,), W (J, K), b (K,).

    1. Scores, softmax, the signal [k = c] − p_k, and one walk back through the layer.
    2. Back through a dense layer: W @ signal.
    3. np.eye(K)[c] is the vector [k = c].
    """
    f = x @ W + b
    p = np.exp(f - f.max())
    p /= p.sum()
    return W @ (np.eye(len(p))[c] - p)


logp_gradient.mistakes = lambda answer, x, W, b, c: {
    "This is the gradient of the score f_c. The other classes pull too: the signal is [k = c] − p_k.": W[:, c],
    "The sign is turned: this is the gradient of the loss −log p. We climb log p.": -answer,
    "The probabilities lack the bias: f = x W + b.": logp_gradient(x, W, 0, c),
    "This is the gradient of p. That of log p is the same divided by p_c.":
        answer * np.exp(x @ W + b)[c] / np.exp(x @ W + b).sum(),
}  # fmt: skip


# Some pixels come to rest inside the box and some at its border.
@exercise((x, 3 * W, b, c, 0.1, 0.2, 30) for x, W, b, c in _classifiers())
def climb(x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float, rate: float, steps: int) -> np.ndarray:
    """Write the search of the general form for that network: climb(x, W, b, c, weight, rate, steps) -> x. Each step
    goes up the gradient of log p(ω_c | x) − weight · ‖x‖², times the rate, then back into [0, 1].

    1. A loop of `steps` rounds: the gradient, x + rate · gradient, np.clip(x, 0, 1).
    2. The gradient of −weight · ‖x‖² is −weight · 2 x.
    3. logp_gradient of the exercise before gives the other part.
    """
    for _ in range(steps):
        x = x + rate * (logp_gradient(x, W, b, c) - weight * 2 * x)
        x = np.clip(x, 0, 1)
    return x


UNBOXED = edited(climb, ("np.clip(x, 0, 1)", "x"))

climb.mistakes = lambda answer, x, W, b, c, weight, rate, steps: {
    "You came back into the box once, at the end. Come back after every step: the next gradient is then that of an "
    "image.": (np.clip(UNBOXED(x, W, b, c, weight, rate, steps), 0, 1)),
    "Some pixels leave the box [0, 1]: np.clip(x, 0, 1) after every step.": UNBOXED(x, W, b, c, weight, rate, steps),
    "Your penalty pushes the pixels away from 0. It is subtracted: its gradient is −weight · 2 x.":
        climb(x, W, b, c, -weight, rate, steps),
    "The derivative of x² is 2 x: the penalty pulls with weight · 2 x.": climb(x, W, b, c, weight / 2, rate, steps),
    "The penalty is missing: this climbs log p alone.": climb(x, W, b, c, 0.0, rate, steps),
}  # fmt: skip


@exercise(
    (rng.normal(size=D), rng.normal(size=D), W, 0.5)
    for rng, (D, q) in seeded((2, 1), (5, 2))
    for W in [rng.normal(size=(D, q))]
)
def ppca_gradient(x: np.ndarray, mean: np.ndarray, W: np.ndarray, noise: float) -> np.ndarray:
    """Write the gradient of the log density of a PPCA: ppca_gradient(x, mean, W, noise) -> (D,). Shapes: x (D,), mean
    (D,), W (D, q); noise is σ².

    1. The density is normal, with the covariance C = W Wᵀ + σ² I.
    2. The gradient is −C⁻¹ (x − μ).
    3. np.linalg.solve(C, v) is C⁻¹ v.
    """
    C = W @ W.T + noise * np.eye(len(mean))
    return -np.linalg.solve(C, x - mean)


ppca_gradient.mistakes = lambda answer, x, mean, W, noise: {
    "The sign is turned: the density falls as x moves away from the mean, so the gradient leads back.": -answer,
    "The peak of the density is at the mean, and not at 0: x − μ.": ppca_gradient(x, 0 * mean, W, noise),
    "noise is σ² already; do not square it.": ppca_gradient(x, mean, W, noise**2),
    "You multiplied by C. Directions in which the data vary much pull little: it is the inverse of C.":
        -(W @ W.T + noise * np.eye(len(mean))) @ (x - mean),
}  # fmt: skip


@exercise(
    (rng.normal(size=3), G, W, b, c, 0.2)
    for rng, (x, W, b, c) in seeded(*_classifiers())
    for G in [rng.normal(size=(3, len(x)))]
)
def code_gradient(z: np.ndarray, G: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float) -> np.ndarray:
    """A generator makes images x = sigmoid(z G), a network of one dense layer gives them scores, x W + b. Write the
    gradient of log p(ω_c | g(z)) − weight · ‖z‖² in z: code_gradient(z, G, W, b, c, weight) -> (d,). Shapes: z (d,), G
    (d, J), W (J, K), b (K,).

    1. First the image, then the gradient in the image: logp_gradient(x, W, b, c).
    2. Back through the sigmoid: times x (1 − x). Back through G: G @ signal.
    3. Last the penalty, −weight · 2 z.
    """
    x = 1 / (1 + np.exp(-(z @ G)))
    on_x = logp_gradient(x, W, b, c)
    on_z = G @ (x * (1 - x) * on_x)
    return on_z - weight * 2 * z


code_gradient.mistakes = lambda answer, z, G, W, b, c, weight: {
    "You walked past the sigmoid: its derivative is x (1 − x).":
        edited(code_gradient, ("x * (1 - x) * on_x", "on_x"))(z, G, W, b, c, weight),
    "Your penalty is on the image. In code space it is on the code: −weight · 2 z.":
        edited(
            code_gradient, ("* on_x)", "* (on_x - weight * 2 * x))"), (" - weight * 2 * z", "")
        )(z, G, W, b, c, weight),
    "The penalty is missing: −weight · 2 z.": code_gradient(z, G, W, b, c, 0.0),
    "The derivative of z² is 2 z: the penalty pulls with weight · 2 z.": code_gradient(z, G, W, b, c, weight / 2),
}  # fmt: skip
