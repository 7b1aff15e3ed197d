"""Lesson 09: CAM and Grad-CAM."""

import numpy as np

from .exercise import edited, exercise


@exercise()
def cam_by_hand() -> list[list[float]]:
    """A network ends in the mean of each feature map and one dense layer. Class c has the weights (2, −1). The two
    feature maps have the rows (1, 0), (3, 2) and (4, 0), (0, 2). What is the class activation map of c? Give its two
    rows.

    1. L_c = Σ_k w_kc A_k: each map times its weight, added place by place.
    2. The upper left is 2 · 1 − 1 · 4.
    """
    return [[2 * 1 - 4, 2 * 0 - 0], [2 * 3 - 0, 2 * 2 - 2]]


cam_by_hand.mistakes = lambda answer: {
    "The second weight is negative: the second map is subtracted.": [[6, 0], [6, 6]],
    "You cut what is below zero. That is Grad-CAM's ReLU; CAM keeps both signs.": [[0, 0], [6, 2]],
    "You divided by the number of places. The map is the sum over k alone.": [[-0.5, 0], [1.5, 0.5]],
    "This is the mean of the map, the score without its bias. The map has four places.": 1.5,
}


@exercise(
    lambda rng: [
        (rng.random(shape), rng.normal(size=(shape[0], C)), rng.normal(size=C), c)
        for shape, C, c in (((2, 2, 3), 3, 1), ((5, 4, 3), 4, 3))
    ]
)
def cam_and_score(A: np.ndarray, W: np.ndarray, b: np.ndarray, c: int) -> tuple[np.ndarray, float]:
    """A network ends GlobalAvgPool, Flatten, Dense. Write cam_and_score(A, W, b, c) -> (L, score): the class activation
    map (h, w) and the score of class c read off it. Shapes: feature maps A (K, h, w), W (K, C), b (C,).

    1. The weights of class c are the column W[:, c], one for each map.
    2. np.tensordot(W[:, c], A, axes=1) is Σ_k w_kc A_k.
    3. The mean of the map is the score without its bias.
    """
    L = np.tensordot(W[:, c], A, axes=1)
    return L, L.mean() + b[c]


cam_and_score.mistakes = lambda answer, A, W, b, c: {
    "The bias is missing in the score. It belongs to no place, so it is not in the map either.":
        (answer[0], answer[0].mean()),
    "You added the map up. Its mean, not its sum, is the score without the bias.": (answer[0], answer[0].sum() + b[c]),
    "You put the bias into the map. It is added to the score, and belongs to no place.": (answer[0] + b[c], answer[1]),
    "Your map adds up to the score without the bias: that is Grad-CAM without the ReLU. CAM is h · w times as large.":
        (answer[0] / A[0].size, answer[1]),
}  # fmt: skip


# Twice as long, seven times, and no whole number of times.
@exercise(lambda rng: [(np.array([0.0, 4.0]), 4), (rng.normal(size=4), 28), (rng.normal(size=3), 8)])
def enlarged(row: np.ndarray, n: int) -> np.ndarray:
    """Enlarge a row of m values to n pixels, bilinearly: enlarged(row, n) -> (n,). Both are laid over each other edge
    to edge; beyond the outermost centre the outermost value stays.

    1. The centre of pixel i is at i + ½. Measured in places of the row: (i + ½) m / n.
    2. The centre of place j is at j + ½: subtract ½ to count from centre to centre.
    3. np.interp(y, np.arange(m), row) mixes the neighbours, and keeps the outermost value beyond the end.
    """
    m = len(row)
    y = (np.arange(n) + 0.5) * m / n - 0.5
    return np.interp(y, np.arange(m), row)


enlarged.mistakes = lambda answer, row, n: {
    "You laid the outermost centres on each other (align_corners=True). Lay the edges on each other.":
        edited(enlarged, ("(np.arange(n) + 0.5) * m / n - 0.5", "np.linspace(0, m - 1, n)"))(row, n),
    "This is the nearest place: steps. Mix the two places around each centre.": row[np.arange(n) * len(row) // n],
    "The two halves are missing: a centre lies half a pixel behind the edge, here and there.":
        edited(enlarged, (" + 0.5", ""), (" - 0.5", ""))(row, n),
    "You measured from the edge of the row. Place j has its centre at j + ½: subtract ½.":
        edited(enlarged, (" - 0.5", ""))(row, n),
}  # fmt: skip


# Maps and derivatives of both signs; the weighted sum is negative at some places.
@exercise(
    (rng.random(shape), rng.normal(size=shape))
    for rng in [np.random.default_rng(1)]
    for shape in ((3, 2, 3), (4, 5, 4))
)
def grad_cam_of(A: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Write Grad-CAM with its ReLU: grad_cam_of(A, g) -> (h, w). A are the feature maps, g the derivative of the score
    in them, both (K, h, w).

    1. One weight for each map: the mean of its derivative over rows and columns.
    2. np.tensordot(alpha, A, axes=1) is Σ_k α_k A_k.
    3. The ReLU comes last, after the sum over the maps.
    """
    alpha = g.mean(axis=(1, 2))
    return np.maximum(np.tensordot(alpha, A, axes=1), 0)


grad_cam_of.mistakes = lambda answer, A, g: {
    "The ReLU is missing: np.maximum of the sum and 0. (Captum leaves it out unless told.)":
        np.tensordot(g.mean(axis=(1, 2)), A, axes=1),
    "You added the derivative up over the places. The weight is its mean.": grad_cam_of(A, g * g[0].size),
    "You multiplied place by place: that is HiResCAM. Grad-CAM takes the mean of g over the places first.":
        np.maximum((g * A).sum(axis=0), 0),
    "You cut the derivative before its mean. The ReLU comes last, after the sum over the maps.":
        grad_cam_of(A, np.maximum(g, 0)),
    "You cut each map before the sum. Add the maps first: what speaks against the class counts too.":
        np.maximum(g.mean(axis=(1, 2))[:, None, None] * A, 0).sum(axis=0),
}  # fmt: skip


@exercise(
    (rng.random(shape), rng.normal(size=(np.prod(shape), 4)), c)
    for rng in [np.random.default_rng(2)]
    for shape, c in (((2, 2, 3), 1), ((3, 4, 4), 3))
)
def shares_of_places(A: np.ndarray, W: np.ndarray, c: int) -> np.ndarray:
    """A network ends Flatten, Dense, without bias. Flatten runs through the maps, in each through the rows, in each
    through the columns. Write shares_of_places(A, W, c) -> (h, w), which add up to the score of class c: to each place
    what the dense layer takes from it. Shapes: A (K, h, w), W (K h w, C).

    1. The score is Σ w · A over maps and places. Leave the sum over the places undone.
    2. W[:, c].reshape(A.shape) is the weight of each map at each place.
    """
    w = W[:, c].reshape(A.shape)
    return (w * A).sum(axis=0)


shares_of_places.mistakes = lambda answer, A, W, c: {
    "This is Grad-CAM: one weight for each map, the mean. It does not add up here; keep the weight of each place.":
        np.tensordot(W[:, c].reshape(A.shape).mean(axis=(1, 2)), A, axes=1),
    "You cut what is below zero: the rest does not add up to the score.": np.maximum(answer, 0),
    "Your weights have landed on the wrong places: the map is the first axis and changes slowest. Reshape to (K, "
    "h, w).": ((W[:, c].reshape(*A.shape[1:], len(A)).transpose(2, 0, 1) * A).sum(axis=0)),
    "You took the mean over the maps. Add them up: the dense layer does.": answer / len(A),
}  # fmt: skip
