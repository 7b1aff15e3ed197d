"""Lesson 04: DeConvNet and guided backpropagation."""

import numpy as np

from .exercise import edited, exercise, seeded


@exercise()
def three_rules() -> list[list[float]]:
    """Four ReLUs were fed (2, −1, 3, −2), and above them lie the signals (4, 5, −6, −1). What lies below, by the rules
    of the gradient, of DeConvNet and of guided backpropagation? Give three lists of four numbers.

    1. The gradient asks for the sign of what was fed in, DeConvNet for the sign of the signal.
    2. Guided backpropagation lets through what both let through.
    """
    return [[4, 0, -6, 0], [4, 5, 0, 0], [4, 0, 0, 0]]


three_rules.mistakes = lambda answer: {
    "The first two rows are exchanged: the gradient asks whether the ReLU was on, and passes any sign.":
        [[4, 5, 0, 0], [4, 0, -6, 0], [4, 0, 0, 0]],
    "Guided backpropagation needs both: the ReLU was on, and the signal is positive.":
        [[4, 0, -6, 0], [4, 5, 0, 0], [4, 5, -6, 0]],
    "You passed the activations on. What goes down is the signal; the activation only opens or closes.":
        [[2, 0, 3, 0], [4, 5, 0, 0], [2, 0, 0, 0]],
}  # fmt: skip


# Windows of 2 × 2 side by side, and windows that overlap, two of which have the same winner.
@exercise(
    [
        (np.array([[1.0, -2.0, 3.0]]), np.array([[6, 2, 5]]), (2, 6)),
        (np.array([[1.0, 2.0], [-4.0, 8.0]]), np.array([[4, 4], [3, 8]]), (3, 3)),
    ]
)
def unpool(R: np.ndarray, switches: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Write the unpooling of one map: unpool(R, switches, shape) -> R below, an array of that shape (H, W). R and
    switches have one entry a window; a switch is row · W + column of its winner. Windows may overlap.

    1. Start with zeros. A switch is the place in the flattened array: below.reshape(-1).
    2. Two windows that overlap can have the same winner: then their signals add up.
    3. np.add.at(array, places, numbers) adds where places repeat; array[places] += numbers does not.
    """
    below = np.zeros(shape)
    np.add.at(below.reshape(-1), switches.ravel(), R.ravel())
    return below


unpool.mistakes = lambda answer, R, switches, shape: {
    "Two windows have the same winner, and the second overwrote the first. Add them up.":
        edited(unpool, ("np.add.at(below.reshape(-1), switches.ravel(), R.ravel())", "below.flat[switches] = R"))(
            R, switches, shape
        ),
    "Rows and columns are exchanged: the row is switch // W, the column switch % W.":
        unpool(R, switches % shape[1] % shape[0] * shape[1] + switches // shape[1], shape),
    "You cut what is negative. A pooling passes any sign; the ReLU is a layer of its own.":
        unpool(np.maximum(0, R), switches, shape),
}  # fmt: skip


# ReLUs that are on and off, with signals of both signs above them.
@exercise(
    (rng.normal(size=J), W1, rng.normal(size=K), W2, rng.normal(size=L), W3, 1)
    for rng, (J, K, L) in seeded((2, 6, 5), (5, 8, 7))
    for W1, W2, W3 in [(rng.normal(size=(J, K)), rng.normal(size=(K, L)), rng.normal(size=(L, 3)))]
)
def guided(
    x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray, W3: np.ndarray, c: int
) -> np.ndarray:
    """A network is dense, ReLU, dense, ReLU, dense. Write guided backpropagation from score c: guided(x, W1, b1, W2,
    b2, W3, c) -> R (J,). Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, L), b2 (L,), W3 (L, C).

    1. On the way up keep z1 and z2. The signal above the second ReLU is column c of W3.
    2. At a ReLU: np.where(z > 0, np.maximum(0, R), 0).
    3. Then W2 @ signal, the same at the first ReLU, and W1 @ signal at the end.
    """
    z1 = x @ W1 + b1
    z2 = np.maximum(0, z1) @ W2 + b2
    R2 = np.where(z2 > 0, np.maximum(0, W3[:, c]), 0)
    R1 = np.where(z1 > 0, np.maximum(0, W2 @ R2), 0)
    return W1 @ R1


GRADIENT = edited(guided, ("np.maximum(0, W3[:, c])", "W3[:, c]"), ("np.maximum(0, W2 @ R2)", "W2 @ R2"))

guided.mistakes = lambda answer, x, W1, b1, W2, b2, W3, c: {
    "This is the gradient: nothing negative is cut.": GRADIENT(x, W1, b1, W2, b2, W3, c),
    "This is DeConvNet: you did not ask whether the ReLU was on, z > 0.":
        edited(guided, ("z1 > 0", "z1 < np.inf"), ("z2 > 0", "z2 < np.inf"))(x, W1, b1, W2, b2, W3, c),
    "This is the gradient, cut at the end. Cut at every ReLU on the way, before signals meet.":
        np.maximum(0, GRADIENT(x, W1, b1, W2, b2, W3, c)),
    "You cut at the input too. There is no ReLU there: the map may be negative.": np.maximum(0, answer),
}  # fmt: skip


# A map with a positive maximum, and one that is negative everywhere.
@exercise(lambda rng: [(rng.normal(size=(3, 3, 4)), 1), (rng.normal(size=(2, 2, 3)) - [[[9.0]], [[0.0]]], 0)])
def strongest(a: np.ndarray, k: int) -> np.ndarray:
    """Make the signal at the top as in the paper: strongest(a, k) -> R in the shape of a (K, H, W). Only the largest
    activation of map k is kept, cut at zero; everything else is 0.

    1. np.unravel_index(a[k].argmax(), a[k].shape) is its place.
    2. Start with zeros in the shape of a, and put one number in.
    3. The largest activation of a map can be negative, before its ReLU: then R is all zero.
    """
    R = np.zeros_like(a)
    v, u = np.unravel_index(a[k].argmax(), a[k].shape)
    R[k, v, u] = max(0, a[k, v, u])
    return R


strongest.mistakes = lambda answer, a, k: {
    "You kept the whole map of filter k. Keep only its largest place.":
        np.where(np.arange(len(a))[:, None, None] == k, np.maximum(0, a), 0),
    "You started with 1. The paper starts with the activation itself.": np.where(answer > 0, 1.0, 0.0),
    "You took the largest of all maps. Look in map k only.": np.where(a == a.max(), np.maximum(0, a), 0),
    "In one map even the largest activation is negative. Such a filter has seen nothing: cut at zero.":
        np.where((a == a[k].max()) & (np.arange(len(a)) == k)[:, None, None], a, 0),
}  # fmt: skip


def _maps_of_classes() -> list[tuple]:
    """Maps that have much in common, and maps that have a large mean."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(3, 4))
    return [(common + rng.normal(size=(4, 3, 4)),), (5 + rng.normal(size=(3, 2, 5)),)]


@exercise(_maps_of_classes())
def class_similarity(maps: np.ndarray) -> float:
    """maps (C, H, W) are the maps of one image for all classes. Write class_similarity(maps): the mean correlation over
    all pairs of two different classes, each pair once.

    1. np.corrcoef takes one row for each class: make each map a row.
    2. It gives a C × C table. Each pair stands in it twice, and on the diagonal each class with itself.
    3. np.triu_indices(C, 1) picks what lies above the diagonal.
    """
    correlations = np.corrcoef(maps.reshape(len(maps), -1))
    return correlations[np.triu_indices(len(maps), 1)].mean()


def _cosines(maps: np.ndarray) -> float:
    flat = maps.reshape(len(maps), -1)
    flat = flat / np.sqrt((flat**2).sum(axis=1, keepdims=True))
    return (flat @ flat.T)[np.triu_indices(len(maps), 1)].mean()


class_similarity.mistakes = lambda answer, maps: {
    "The diagonal is in your mean: every class with itself, always 1.": np.corrcoef(maps.reshape(len(maps), -1)).mean(),
    "This is the cosine. A correlation takes off the mean of each map first.": _cosines(maps),
    "You dropped the signs. Correlations of opposite maps are negative and count as such.":
        np.abs(np.corrcoef(maps.reshape(len(maps), -1))[np.triu_indices(len(maps), 1)]).mean(),
    "You correlated pixels with pixels. Each row that corrcoef sees must be the map of one class.":
        np.corrcoef(maps.reshape(len(maps), -1).T)[np.triu_indices(maps[0].size, 1)].mean(),
}  # fmt: skip
