"""Lesson 02: training."""

from collections.abc import Callable

import numpy as np

from .exercise import exercise, seeded


@exercise()
def loss_by_hand() -> float:
    """Two classes have the scores (0, log 3). The label is class 0. What is the loss, −log p of the label?

    1. First the softmax: e to the power of each score, divided by their sum.
    2. The exponentials are 1 and 3, so p = (1/4, 3/4).
    """
    return -np.log(1 / (1 + 3))


loss_by_hand.mistakes = lambda answer: {
    "This is −log p of class 1. The label is class 0.": -np.log(3 / 4),
    "The sign is missing: a loss is never negative.": np.log(1 / 4),
    "This is p of the label. The loss is −log of it.": 1 / 4,
    "This is the logarithm to the base 2. The loss takes the natural one, np.log.": 2.0,
}


# The last scores are too large for e^z.
@exercise(lambda rng: [(rng.normal(size=3), 1), (rng.normal(size=5), 4), (np.array([1000.0, 998.0, -1000.0]), 0)])
def loss_gradient(z: np.ndarray, label: int) -> np.ndarray:
    """Write the gradient of the cross-entropy in the scores of one image: loss_gradient(z, label) -> dz, both (K,). It
    must also work for scores of 1000.

    1. It is p − y: the softmax, minus 1 at the label.
    2. np.arange(len(z)) == label is y.
    3. e^1000 is too large for a float. Subtract z.max() from every score first: p stays as it is.
    """
    e = np.exp(z - z.max())
    return e / e.sum() - (np.arange(len(z)) == label)


loss_gradient.mistakes = lambda answer, z, label: {
    "Right for small scores; e^1000 overflows. Subtract the largest score before np.exp.":
        np.exp(z) / np.exp(z).sum() - (np.arange(len(z)) == label),
    "The sign is turned: this is y − p. The gradient points uphill, away from the label.": -answer,
    "This is p. Subtract 1 at the label.": answer + (np.arange(len(z)) == label),
    "You kept the label's score alone. The others are in the softmax too: there it is p_k − 0.":
        np.where(np.arange(len(z)) == label, answer, 0),
}  # fmt: skip


@exercise(lambda rng: [(rng.normal(size=(N, J)), rng.normal(size=(N, K))) for N, J, K in ((1, 3, 2), (4, 2, 3))])
def weight_gradients(a: np.ndarray, dz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the gradient of the loss in the weights and the bias of a dense layer: weight_gradients(a, dz) -> (dW, db).
    Shapes: a (N, J), dz (N, K), dW (J, K), db (K,).

    1. For one image dW[j, k] = a[j] · dz[k]. Several images add up.
    2. The sum over images of a[n, j] · dz[n, k] is a product of two matrices.
    3. dW = a.T @ dz. The bias has the input 1 in every image: add up dz over the images.
    """
    return a.T @ dz, dz.sum(axis=0)


weight_gradients.mistakes = lambda answer, a, dz: {
    "You divided by the number of images. The mean is in dz already, from the loss.":
        (a.T @ dz / len(a), dz.mean(axis=0)),
    "Your dW is transposed. W[j, k] leads from input j to neuron k: dW is (J, K).": ((a.T @ dz).T, dz.sum(axis=0)),
    "You added up dz over the neurons. Each neuron has its own bias: add up over the images, axis 0.":
        (a.T @ dz, dz.sum(axis=1)),
    "Your db has a row for each image. The layer has one bias for all of them: add the rows up.": (a.T @ dz, dz),
}  # fmt: skip


def _valleys() -> list[tuple]:
    """One step, and many."""

    def gradient(w: np.ndarray) -> np.ndarray:
        return np.array([1.0, 50.0]) * w

    return [(np.array([10.0, 1.0]), gradient, 0.02, 0.8, steps) for steps in (1, 12)]


@exercise(_valleys())
def momentum(w: np.ndarray, gradient: Callable, rate: float, mu: float, steps: int) -> np.ndarray:
    """Write gradient descent with momentum: momentum(w, gradient, rate, mu, steps) -> the weights after so many steps.
    gradient(w) gives the gradient at w. The velocity starts at 0, and the rate stands outside it.

    1. Two lines in a loop: first the velocity v, then the weights w.
    2. v = mu * v + gradient(w), and then w = w - rate * v.
    """
    v = np.zeros_like(w)
    for _ in range(steps):
        v = mu * v + gradient(w)
        w = w - rate * v
    return w


momentum.mistakes = lambda answer, w, gradient, rate, mu, steps: {
    "This is gradient descent without momentum: v forgets all that came before.":
        momentum(w, gradient, rate, 0.0, steps),
    "Your v is a running mean, as in Adam. Here the gradient is added whole: v = μ v + g.":
        momentum(w, lambda w: (1 - mu) * gradient(w), rate, mu, steps),
    "The rate is in there twice: once in v, and once where w moves.": momentum(w, gradient, rate**2, mu, steps),
    "You go uphill: subtract the velocity.": momentum(w, gradient, -rate, mu, steps),
}  # fmt: skip


@exercise(
    (rng.normal(size=(J, K)), rng.normal(size=K), rng.normal(size=(N, J)), np.arange(N) % K, 0.5)
    for rng, (N, J, K) in seeded((3, 2, 2), (6, 4, 3))
)
def descend(W: np.ndarray, b: np.ndarray, x: np.ndarray, labels: np.ndarray, rate: float) -> tuple:
    """Write one step of gradient descent on a dense layer with the cross-entropy, a mean over the batch: descend(W, b,
    x, labels, rate) -> (W, b). Shapes: W (J, K), b (K,), x (N, J), labels (N,).

    1. Up: z = x @ W + b, and the softmax of each row.
    2. Back: dz = (p − y) / N, with y = np.eye(K)[labels]. Then dW = x.T @ dz, and db its sum over the images.
    3. Downhill: W - rate * dW and b - rate * db.
    """
    dz = np.array([loss_gradient(z, t) for z, t in zip(x @ W + b, labels, strict=True)])
    dW, db = weight_gradients(x, dz / len(x))
    return W - rate * dW, b - rate * db


descend.mistakes = lambda answer, W, b, x, labels, rate: {
    "Your loss is a sum. The mean divides by the number of images.": descend(W, b, x, labels, rate * len(x)),
    "You go uphill: the gradient is subtracted.": descend(W, b, x, labels, -rate),
    "The bias stays where it was. It learns too: its gradient is the sum of dz over the images.": (answer[0], b),
    "These are rate · gradient, how far to go. Return where you arrive: W − rate · dW.":
        (W - answer[0], b - answer[1]),
}  # fmt: skip
