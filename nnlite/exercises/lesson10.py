"""Lesson 10: activation maximization."""

import numpy as np

from .exercise import Exercise, Mistake


def maximization_signal() -> list[float]:
    return [1 - 0.25, -0.5, -0.25]


def logp_gradient(x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    f = x @ W + b
    p = np.exp(f - f.max())
    p /= p.sum()
    return W @ (np.eye(len(p))[c] - p)


def climb(x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float, rate: float, steps: int) -> np.ndarray:
    for _ in range(steps):
        x = x + rate * (logp_gradient(x, W, b, c) - weight * 2 * x)
        x = np.clip(x, 0, 1)
    return x


def ppca_gradient(x: np.ndarray, mean: np.ndarray, W: np.ndarray, noise: float) -> np.ndarray:
    C = W @ W.T + noise * np.eye(len(mean))
    return -np.linalg.solve(C, x - mean)


def code_gradient(z: np.ndarray, G: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float) -> np.ndarray:
    x = 1 / (1 + np.exp(-(z @ G)))
    on_x = logp_gradient(x, W, b, c)
    on_z = G @ (x * (1 - x) * on_x)
    return on_z - weight * 2 * z


def _classifiers() -> list[tuple]:
    """x, W, b, c: of three classes and of five."""
    cases = []
    for seed, (pixels, classes) in enumerate([(2, 3), (6, 5)]):
        rng = np.random.default_rng(seed)
        W, b = rng.normal(size=(pixels, classes)), rng.normal(size=classes)
        cases.append((rng.random(pixels), W, b, seed))
    return cases


def _searches() -> list[tuple]:
    """Some pixels come to rest inside the box and some at its border."""
    return [(x, 3 * W, b, c, 0.1, 0.2, 30) for x, W, b, c in _classifiers()]


def _experts() -> list[tuple]:
    cases = []
    for seed, (pixels, directions) in enumerate([(2, 1), (5, 2)]):
        rng = np.random.default_rng(seed)
        W = rng.normal(size=(pixels, directions))
        cases.append((rng.normal(size=pixels), rng.normal(size=pixels), W, 0.5))
    return cases


def _generators() -> list[tuple]:
    cases = []
    for seed, (x, W, b, c) in enumerate(_classifiers()):
        rng = np.random.default_rng(seed)
        G = rng.normal(size=(3, len(x)))
        cases.append((rng.normal(size=3), G, W, b, c, 0.2))
    return cases


def _of_p(x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    p = np.exp(x @ W + b)
    return p[c] / p.sum() * logp_gradient(x, W, b, c)


def _boxed_at_the_end(
    x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float, rate: float, steps: int
) -> np.ndarray:
    return np.clip(_unboxed(x, W, b, c, weight, rate, steps), 0, 1)


def _unboxed(x: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float, rate: float, steps: int) -> np.ndarray:
    for _ in range(steps):
        x = x + rate * (logp_gradient(x, W, b, c) - weight * 2 * x)
    return x


def _without_the_sigmoid(
    z: np.ndarray, G: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float
) -> np.ndarray:
    x = 1 / (1 + np.exp(-(z @ G)))
    return G @ logp_gradient(x, W, b, c) - weight * 2 * z


def _penalty_on_the_image(
    z: np.ndarray, G: np.ndarray, W: np.ndarray, b: np.ndarray, c: int, weight: float
) -> np.ndarray:
    x = 1 / (1 + np.exp(-(z @ G)))
    return G @ (x * (1 - x) * (logp_gradient(x, W, b, c) - weight * 2 * x))


EXERCISES = (
    Exercise(
        name="maximization_signal",
        lesson=10,
        question="Three classes have the scores (0, log 2, 0). Class 0 is to be maximized. Which signal starts at the "
        "top: what is the derivative of log p(ω_0 | x) in each score? Give the three numbers, as a list.",
        answer=maximization_signal,
        value=True,
        hints=(
            "First the probabilities: e to the scores is (1, 2, 1).",
            "p = (0.25, 0.5, 0.25). The signal is [k = c] − p_k.",
        ),
        mistakes=(
            Mistake(
                lambda: [-0.75, 0.5, 0.25],
                "This goes down: it is the derivative of the loss. The signal of a "
                "search that climbs is [k = c] − p_k.",
            ),
            Mistake(
                lambda: [1.0, 0.0, 0.0],
                "This climbs the score alone. The logarithm of the sum pulls at every score: subtract p_k.",
            ),
            Mistake(lambda: [0.25, -0.5, -0.25], "The class itself has 1 − p, not p: 1 − 0.25."),
            Mistake(
                lambda: [0.1875, -0.125, -0.0625],
                "This is the derivative of p. That of log p is divided by p = 0.25 once more.",
            ),
        ),
    ),
    Exercise(
        name="logp_gradient",
        lesson=10,
        question="A network is one dense layer, f = x W + b. Write the gradient of log p(ω_c | x) in x: "
        "logp_gradient(x, W, b, c) -> (J,). Shapes: x (J,), W (J, K), b (K,).",
        answer=logp_gradient,
        cases=_classifiers,
        hints=(
            "Scores, softmax, the signal [k = c] − p_k, and one walk back through the layer.",
            "Back through a dense layer: W @ signal.",
            "np.eye(K)[c] is the vector [k = c].",
        ),
        mistakes=(
            Mistake(
                lambda x, W, b, c: W[:, c],
                "This is the gradient of the score f_c. The other classes pull too: the signal is [k = c] − p_k.",
            ),
            Mistake(
                lambda x, W, b, c: -logp_gradient(x, W, b, c),
                "The sign is turned: this is the gradient of the loss −log p. We climb log p.",
            ),
            Mistake(
                lambda x, W, b, c: logp_gradient(x, W, 0 * b, c),
                "The probabilities lack the bias: f = x W + b.",
            ),
            Mistake(_of_p, "This is the gradient of p. That of log p is the same divided by p_c."),
        ),
    ),
    Exercise(
        name="climb",
        lesson=10,
        question="Write the search of the general form for that network: climb(x, W, b, c, weight, rate, steps) -> x. "
        "Each step goes up the gradient of log p(ω_c | x) − weight · ‖x‖², times the rate, then back into [0, 1].",
        answer=climb,
        cases=_searches,
        hints=(
            "A loop of `steps` rounds: the gradient, x + rate · gradient, np.clip(x, 0, 1).",
            "The gradient of −weight · ‖x‖² is −weight · 2 x.",
            "logp_gradient of the exercise before gives the other part.",
        ),
        mistakes=(
            Mistake(
                _boxed_at_the_end,
                "You came back into the box once, at the end. Come back after every step: the "
                "next gradient is then that of an image.",
            ),
            Mistake(_unboxed, "Some pixels leave the box [0, 1]: np.clip(x, 0, 1) after every step."),
            Mistake(
                lambda x, W, b, c, weight, rate, steps: climb(x, W, b, c, -weight, rate, steps),
                "Your penalty pushes the pixels away from 0. It is subtracted: its gradient is −weight · 2 x.",
            ),
            Mistake(
                lambda x, W, b, c, weight, rate, steps: climb(x, W, b, c, weight / 2, rate, steps),
                "The derivative of x² is 2 x: the penalty pulls with weight · 2 x.",
            ),
            Mistake(
                lambda x, W, b, c, weight, rate, steps: climb(x, W, b, c, 0.0, rate, steps),
                "The penalty is missing: this climbs log p alone.",
            ),
        ),
    ),
    Exercise(
        name="ppca_gradient",
        lesson=10,
        question="Write the gradient of the log density of a PPCA: ppca_gradient(x, mean, W, noise) -> (D,). "
        "Shapes: x (D,), mean (D,), W (D, q); noise is σ².",
        answer=ppca_gradient,
        cases=_experts,
        hints=(
            "The density is normal, with the covariance C = W Wᵀ + σ² I.",
            "The gradient is −C⁻¹ (x − μ).",
            "np.linalg.solve(C, v) is C⁻¹ v.",
        ),
        mistakes=(
            Mistake(
                lambda x, mean, W, noise: -ppca_gradient(x, mean, W, noise),
                "The sign is turned: the density falls as x moves away from the mean, so the gradient leads back.",
            ),
            Mistake(
                lambda x, mean, W, noise: ppca_gradient(x, 0 * mean, W, noise),
                "The peak of the density is at the mean, and not at 0: x − μ.",
            ),
            Mistake(
                lambda x, mean, W, noise: ppca_gradient(x, mean, W, noise**2),
                "noise is σ² already; do not square it.",
            ),
            Mistake(
                lambda x, mean, W, noise: -(W @ W.T + noise * np.eye(len(mean))) @ (x - mean),
                "You multiplied by C. Directions in which the data vary much pull little: it is the inverse of C.",
            ),
        ),
    ),
    Exercise(
        name="code_gradient",
        lesson=10,
        question="A generator makes images x = sigmoid(z G), a network of one dense layer gives them scores, x W + b. "
        "Write the gradient of log p(ω_c | g(z)) − weight · ‖z‖² in z: code_gradient(z, G, W, b, c, weight) -> (d,). "
        "Shapes: z (d,), G (d, J), W (J, K), b (K,).",
        answer=code_gradient,
        cases=_generators,
        hints=(
            "First the image, then the gradient in the image: logp_gradient(x, W, b, c).",
            "Back through the sigmoid: times x (1 − x). Back through G: G @ signal.",
            "Last the penalty, −weight · 2 z.",
        ),
        mistakes=(
            Mistake(_without_the_sigmoid, "You walked past the sigmoid: its derivative is x (1 − x)."),
            Mistake(
                _penalty_on_the_image, "Your penalty is on the image. In code space it is on the code: −weight · 2 z."
            ),
            Mistake(
                lambda z, G, W, b, c, weight: code_gradient(z, G, W, b, c, 0.0),
                "The penalty is missing: −weight · 2 z.",
            ),
            Mistake(
                lambda z, G, W, b, c, weight: code_gradient(z, G, W, b, c, weight / 2),
                "The derivative of z² is 2 z: the penalty pulls with weight · 2 z.",
            ),
        ),
    ),
)
