"""Lesson 01: a network from scratch."""

import numpy as np

from .exercise import exercise, seeded


@exercise()
def z_of_one_neuron() -> float:
    """A neuron has the weights (3, −1) and the bias −1. Its inputs are (2, 1). What is z?

    1. z = Σ_j a_j w_j + b: multiply each input with its weight, add up, add the bias.
    2. The two products are 6 and −1.
    """
    return 2.0 * 3.0 + 1.0 * -1.0 + -1.0


z_of_one_neuron.mistakes = lambda answer: {
    "You left out the bias: z is the weighted sum plus b.": 5.0,
    "The second weight is negative: its product is −1, not 0 or 1.": 6.0,
    "The bias is added once, not once for each input.": 3.0,
}


@exercise()
def convolve_by_hand() -> np.ndarray:
    """The image has the rows (1, 0, 2), (3, 1, 0), (0, 2, 1). The filter has the rows (1, −1), (0, 2) and no bias. What
    is the feature map? Give its two rows.

    1. The filter fits in four places: two down, two across.
    2. In the first it lies on (1, 0) and (3, 1): 1 · 1 − 1 · 0 + 0 · 3 + 2 · 1.
    3. The first row of the map is (3, −2).
    """
    return np.array([[1 - 0 + 2 * 1, 0 - 2 + 2 * 0], [3 - 1 + 2 * 2, 1 - 0 + 2 * 1]])


convolve_by_hand.mistakes = lambda answer: {
    "You turned the filter upside down and left to right. A network lays it on as it is.": [[0, -1], [8, 1]],
    "You cut what is below zero. The ReLU is a layer of its own.": [[3, 0], [6, 3]],
    "Rows and columns are swapped: the first row of the map is the two places across.": [[3, 6], [-2, 3]],
}


# Stride 1 and stride 2; neither the images nor the filters are square.
@exercise(
    lambda rng: [
        (rng.normal(size=(4, 5)), rng.normal(size=(3, 2)), 1),
        (rng.normal(size=(6, 7)), rng.normal(size=(2, 3)), 2),
    ]
)
def convolve(a: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """Write a convolution, convolve(a, w, stride) -> z: the image a (H, W) and the filter w (h, w) of any size, without
    bias. From one place to the next the filter moves by the stride, and it stays inside the image.

    1. Two loops, over the places u down and v across; one sum for each.
    2. The upper left corner of the window is at row u · stride, column v · stride.
    3. There are (H − h) // stride + 1 places down, and as many across with W and w.
    """
    rows, columns = ((n - m) // stride + 1 for n, m in zip(a.shape, w.shape, strict=True))
    z = np.zeros((rows, columns))
    for u in range(rows):
        for v in range(columns):
            top, left = u * stride, v * stride
            z[u, v] = (a[top : top + w.shape[0], left : left + w.shape[1]] * w).sum()
    return z


convolve.mistakes = lambda answer, a, w, stride: {
    "You turned the filter upside down and left to right. A network lays it on as it is.":
        convolve(a, w[::-1, ::-1], stride),
    "Your filter moves by 1 always: the window of place (u, v) begins at (u · stride, v · stride).": convolve(a, w, 1),
    "The last place is missing, down and across: there are (H − h) // stride + 1 of them.": answer[:-1, :-1],
    "You took the mean of the products. A neuron adds them up.": answer / w.size,
}  # fmt: skip


# A map without ties, and one with many.
@exercise(
    lambda rng: [
        (rng.normal(size=(4, 4)), rng.normal(size=(2, 2))),
        (rng.integers(0, 2, size=(4, 6)).astype(float), rng.normal(size=(2, 3))),
    ]
)
def pool_backward(a: np.ndarray, dz: np.ndarray) -> np.ndarray:
    """Write the way back through a max-pooling with windows of 2 × 2: pool_backward(a, dz) -> da. Below are a and da
    (H, W), above is dz (H / 2, W / 2). In a tie the first takes all, row by row.

    1. Start with zeros in the shape of a. For each window, find who won it.
    2. The window (u, v) is a[2 * u : 2 * u + 2, 2 * v : 2 * v + 2].
    3. np.unravel_index(window.argmax(), (2, 2)) is the place of the first largest number in it.
    """
    da = np.zeros_like(a)
    for u, v in np.ndindex(dz.shape):
        window = a[2 * u : 2 * u + 2, 2 * v : 2 * v + 2]
        m, n = np.unravel_index(window.argmax(), (2, 2))
        da[2 * u + m, 2 * v + n] = dz[u, v]
    return da


def _to_every_winner(a: np.ndarray, dz: np.ndarray) -> np.ndarray:
    best = a.reshape(len(dz), 2, -1, 2).max(axis=(1, 3))
    return np.where(a == _enlarged(best), _enlarged(dz), 0)


def _enlarged(z: np.ndarray) -> np.ndarray:
    return z.repeat(2, axis=0).repeat(2, axis=1)


pool_backward.mistakes = lambda answer, a, dz: {
    "You gave each of the four a quarter: that is average pooling. Here the winner takes all.": _enlarged(dz) / 4,
    "In a tie you gave the signal to every winner: more came out than went in. Only the first has it.":
        _to_every_winner(a, dz),
    "In a tie you gave the signal to the last winner. It goes to the first, row by row.":
        pool_backward(a[::-1, ::-1], dz[::-1, ::-1])[::-1, ::-1],
    "You multiplied the signal by the winner's number. The winner moves the output one to one: the factor is 1.":
        answer * a,
}  # fmt: skip


# Some ReLUs are open and some are closed.
@exercise(
    (rng.normal(size=J), W1, rng.normal(size=K), W2, 1)
    for rng, (J, K, C) in seeded((2, 3, 2), (6, 5, 4))
    for W1, W2 in [(rng.normal(size=(J, K)), rng.normal(size=(K, C)))]
)
def score_gradient(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, c: int) -> np.ndarray:
    """A network is dense, ReLU, dense. Write the derivative of the score of class c in its input: score_gradient(x, W1,
    b1, W2, c) -> dx. Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, C), dx (J,).

    1. Start at the top: which derivative has score c in the output of the ReLU?
    2. It is column c of W2. The ReLU lets it through where z = x @ W1 + b1 is above zero.
    3. Then down through the first layer: W1 @ signal.
    """
    z = x @ W1 + b1
    return W1 @ np.where(z > 0, W2[:, c], 0)


score_gradient.mistakes = lambda answer, x, W1, b1, W2, c: {
    "You left out the ReLU: where z is below zero it stops the signal.": W1 @ W2[:, c],
    "Your ReLU asks for the sign of the signal. It must ask for the sign of z, on the way up.":
        W1 @ np.maximum(W2[:, c], 0),
    "You computed z without its bias: some ReLUs are open that should be closed, or the other way round.":
        score_gradient(x, W1, 0, W2, c),
    "You added up all classes. Only score c is explained: begin with column c of W2.":
        score_gradient(x, W1, b1, W2.sum(axis=1, keepdims=True), 0),
    "You multiplied by the input at the end. The derivative stops before that.": x * answer,
}  # fmt: skip
