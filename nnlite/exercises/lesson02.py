"""Lesson 02: training."""

from collections.abc import Callable

import numpy as np

from .exercise import Exercise, Mistake


def loss_by_hand() -> float:
    return -np.log(1 / (1 + 3))


def loss_gradient(z: np.ndarray, label: int) -> np.ndarray:
    e = np.exp(z - z.max())
    return e / e.sum() - (np.arange(len(z)) == label)


def weight_gradients(a: np.ndarray, dz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return a.T @ dz, dz.sum(axis=0)


def momentum(w: np.ndarray, gradient: Callable, rate: float, mu: float, steps: int) -> np.ndarray:
    v = np.zeros_like(w)
    for _ in range(steps):
        v = mu * v + gradient(w)
        w = w - rate * v
    return w


def descend(W: np.ndarray, b: np.ndarray, x: np.ndarray, labels: np.ndarray, rate: float) -> tuple:
    dz = np.array([loss_gradient(z, t) for z, t in zip(x @ W + b, labels, strict=True)])
    dW, db = weight_gradients(x, dz / len(x))
    return W - rate * dW, b - rate * db


def _scores() -> list[tuple]:
    """The last scores are too large for e^z."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=3), 1), (rng.normal(size=5), 4), (np.array([1000.0, 998.0, -1000.0]), 0)]


def _overflowing(z: np.ndarray, label: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.exp(z) / np.exp(z).sum() - (np.arange(len(z)) == label)


def _batches() -> list[tuple]:
    rng = np.random.default_rng(0)
    return [
        (rng.normal(size=(n, inputs)), rng.normal(size=(n, outputs))) for n, inputs, outputs in ((1, 3, 2), (4, 2, 3))
    ]


def _valleys() -> list[tuple]:
    """One step, and many."""

    def gradient(w: np.ndarray) -> np.ndarray:
        return np.array([1.0, 50.0]) * w

    return [(np.array([10.0, 1.0]), gradient, 0.02, 0.8, steps) for steps in (1, 12)]


def _with_inner_rate(w: np.ndarray, gradient: Callable, rate: float, mu: float, steps: int) -> np.ndarray:
    v = np.zeros_like(w)
    for _ in range(steps):
        v = mu * v + rate * gradient(w)
        w = w - rate * v
    return w


def _as_a_mean(w: np.ndarray, gradient: Callable, rate: float, mu: float, steps: int) -> np.ndarray:
    return momentum(w, lambda w: (1 - mu) * gradient(w), rate, mu, steps)


def _layers() -> list[tuple]:
    cases = []
    for seed, (n, inputs, classes) in enumerate([(3, 2, 2), (6, 4, 3)]):
        rng = np.random.default_rng(seed)
        W, b, x = rng.normal(size=(inputs, classes)), rng.normal(size=classes), rng.normal(size=(n, inputs))
        cases.append((W, b, x, np.arange(n) % classes, 0.5))
    return cases


EXERCISES = (
    Exercise(
        name="loss_by_hand",
        lesson=2,
        question="Two classes have the scores (0, log 3). The label is class 0. What is the loss, −log p of the label?",
        answer=loss_by_hand,
        value=True,
        hints=(
            "First the softmax: e to the power of each score, divided by their sum.",
            "The exponentials are 1 and 3, so p = (1/4, 3/4).",
        ),
        mistakes=(
            Mistake(lambda: -np.log(3 / 4), "This is −log p of class 1. The label is class 0."),
            Mistake(lambda: np.log(1 / 4), "The sign is missing: a loss is never negative."),
            Mistake(lambda: 1 / 4, "This is p of the label. The loss is −log of it."),
            Mistake(lambda: 2.0, "This is the logarithm to the base 2. The loss takes the natural one, np.log."),
        ),
    ),
    Exercise(
        name="loss_gradient",
        lesson=2,
        question="Write the gradient of the cross-entropy in the scores of one image: loss_gradient(z, label) -> dz, "
        "both (K,). It must also work for scores of 1000.",
        answer=loss_gradient,
        cases=_scores,
        hints=(
            "It is p − y: the softmax, minus 1 at the label.",
            "np.arange(len(z)) == label is y.",
            "e^1000 is too large for a float. Subtract z.max() from every score first: p stays as it is.",
        ),
        mistakes=(
            Mistake(
                _overflowing, "Right for small scores; e^1000 overflows. Subtract the largest score before np.exp."
            ),
            Mistake(
                lambda z, label: -loss_gradient(z, label),
                "The sign is turned: this is y − p. The gradient points uphill, away from the label.",
            ),
            Mistake(
                lambda z, label: loss_gradient(z, label) + (np.arange(len(z)) == label),
                "This is p. Subtract 1 at the label.",
            ),
            Mistake(
                lambda z, label: np.where(np.arange(len(z)) == label, loss_gradient(z, label), 0),
                "You kept the label's score alone. The others are in the softmax too: there it is p_k − 0.",
            ),
        ),
    ),
    Exercise(
        name="weight_gradients",
        lesson=2,
        question="Write the gradient of the loss in the weights and the bias of a dense layer: weight_gradients(a, dz) "
        "-> (dW, db). Shapes: a (N, J), dz (N, K), dW (J, K), db (K,).",
        answer=weight_gradients,
        cases=_batches,
        hints=(
            "For one image dW[j, k] = a[j] · dz[k]. Several images add up.",
            "The sum over images of a[n, j] · dz[n, k] is a product of two matrices.",
            "dW = a.T @ dz. The bias has the input 1 in every image: add up dz over the images.",
        ),
        mistakes=(
            Mistake(
                lambda a, dz: (a.T @ dz / len(a), dz.mean(axis=0)),
                "You divided by the number of images. The mean is in dz already, from the loss.",
            ),
            Mistake(
                lambda a, dz: ((a.T @ dz).T, dz.sum(axis=0)),
                "Your dW is transposed. W[j, k] leads from input j to neuron k: dW is (J, K).",
            ),
            Mistake(
                lambda a, dz: (a.T @ dz, dz.sum(axis=1)),
                "You added up dz over the neurons. Each neuron has its own bias: add up over the images, axis 0.",
            ),
            Mistake(
                lambda a, dz: (a.T @ dz, dz),
                "Your db has a row for each image. The layer has one bias for all of them: add the rows up.",
            ),
        ),
    ),
    Exercise(
        name="momentum",
        lesson=2,
        question="Write gradient descent with momentum: momentum(w, gradient, rate, mu, steps) -> the weights after so "
        "many steps. gradient(w) gives the gradient at w. The velocity starts at 0, and the rate stands outside it.",
        answer=momentum,
        cases=_valleys,
        hints=(
            "Two lines in a loop: first the velocity v, then the weights w.",
            "v = mu * v + gradient(w), and then w = w - rate * v.",
        ),
        mistakes=(
            Mistake(
                lambda w, gradient, rate, mu, steps: momentum(w, gradient, rate, 0.0, steps),
                "This is gradient descent without momentum: v forgets all that came before.",
            ),
            Mistake(_as_a_mean, "Your v is a running mean, as in Adam. Here the gradient is added whole: v = μ v + g."),
            Mistake(_with_inner_rate, "The rate is in there twice: once in v, and once where w moves."),
            Mistake(
                lambda w, gradient, rate, mu, steps: momentum(w, gradient, -rate, mu, steps),
                "You go uphill: subtract the velocity.",
            ),
        ),
    ),
    Exercise(
        name="descend",
        lesson=2,
        question="Write one step of gradient descent on a dense layer with the cross-entropy, a mean over the batch: "
        "descend(W, b, x, labels, rate) -> (W, b). Shapes: W (J, K), b (K,), x (N, J), labels (N,).",
        answer=descend,
        cases=_layers,
        hints=(
            "Up: z = x @ W + b, and the softmax of each row.",
            "Back: dz = (p − y) / N, with y = np.eye(K)[labels]. Then dW = x.T @ dz, and db its sum over the images.",
            "Downhill: W - rate * dW and b - rate * db.",
        ),
        mistakes=(
            Mistake(
                lambda W, b, x, labels, rate: descend(W, b, x, labels, rate * len(x)),
                "Your loss is a sum. The mean divides by the number of images.",
            ),
            Mistake(
                lambda W, b, x, labels, rate: descend(W, b, x, labels, -rate),
                "You go uphill: the gradient is subtracted.",
            ),
            Mistake(
                lambda W, b, x, labels, rate: (descend(W, b, x, labels, rate)[0], b),
                "The bias stays where it was. It learns too: its gradient is the sum of dz over the images.",
            ),
            Mistake(
                lambda W, b, x, labels, rate: (
                    W - descend(W, b, x, labels, rate)[0],
                    b - descend(W, b, x, labels, rate)[1],
                ),
                "These are rate · gradient, how far to go. Return where you arrive: W − rate · dW.",
            ),
        ),
    ),
)
