"""Lesson 09: CAM and Grad-CAM."""

import numpy as np

from .exercise import Exercise, Mistake


def cam_by_hand() -> list[list[float]]:
    return [[2 * 1 - 4, 2 * 0 - 0], [2 * 3 - 0, 2 * 2 - 2]]


def cam_and_score(A: np.ndarray, W: np.ndarray, b: np.ndarray, c: int) -> tuple[np.ndarray, float]:
    L = np.tensordot(W[:, c], A, axes=1)
    return L, L.mean() + b[c]


def enlarged(row: np.ndarray, n: int) -> np.ndarray:
    m = len(row)
    y = (np.arange(n) + 0.5) * m / n - 0.5
    return np.interp(y, np.arange(m), row)


def grad_cam_of(A: np.ndarray, g: np.ndarray) -> np.ndarray:
    alpha = g.mean(axis=(1, 2))
    return np.maximum(np.tensordot(alpha, A, axes=1), 0)


def shares_of_places(A: np.ndarray, W: np.ndarray, c: int) -> np.ndarray:
    w = W[:, c].reshape(A.shape)
    return (w * A).sum(axis=0)


def _pooled() -> list[tuple]:
    rng = np.random.default_rng(0)
    return [
        (rng.random((2, 2, 3)), rng.normal(size=(2, 3)), rng.normal(size=3), 1),
        (rng.random((5, 4, 3)), rng.normal(size=(5, 4)), rng.normal(size=4), 3),
    ]


def _rows() -> list[tuple]:
    """Twice as long, seven times, and no whole number of times."""
    rng = np.random.default_rng(0)
    return [(np.array([0.0, 4.0]), 4), (rng.normal(size=4), 28), (rng.normal(size=3), 8)]


def _maps() -> list[tuple]:
    """Maps and derivatives of both signs; the weighted sum is negative at some places."""
    rng = np.random.default_rng(1)
    return [(rng.random(shape), rng.normal(size=shape)) for shape in ((3, 2, 3), (4, 5, 4))]


def _flattened() -> list[tuple]:
    rng = np.random.default_rng(2)
    return [
        (rng.random(shape), rng.normal(size=(np.prod(shape), 4)), c) for shape, c in (((2, 2, 3), 1), ((3, 4, 4), 3))
    ]


def _placed(row: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.interp(y, np.arange(len(row)), row)


EXERCISES = (
    Exercise(
        name="cam_by_hand",
        lesson=9,
        question="A network ends in the mean of each feature map and one dense layer. Class c has the weights (2, −1). "
        "The two feature maps have the rows (1, 0), (3, 2) and (4, 0), (0, 2). What is the class activation map of c? "
        "Give its two rows.",
        answer=cam_by_hand,
        value=True,
        hints=(
            "L_c = Σ_k w_kc A_k: each map times its weight, added place by place.",
            "The upper left is 2 · 1 − 1 · 4.",
        ),
        mistakes=(
            Mistake(lambda: [[6, 0], [6, 6]], "The second weight is negative: the second map is subtracted."),
            Mistake(
                lambda: [[0, 0], [6, 2]], "You cut what is below zero. That is Grad-CAM's ReLU; CAM keeps both signs."
            ),
            Mistake(
                lambda: [[-0.5, 0], [1.5, 0.5]], "You divided by the number of places. The map is the sum over k alone."
            ),
            Mistake(lambda: 1.5, "This is the mean of the map, the score without its bias. The map has four places."),
        ),
    ),
    Exercise(
        name="cam_and_score",
        lesson=9,
        question="A network ends GlobalAvgPool, Flatten, Dense. Write cam_and_score(A, W, b, c) -> (L, score): the "
        "class activation map (h, w) and the score of class c read off it. Shapes: feature maps A (K, h, w), W (K, C), "
        "b (C,).",
        answer=cam_and_score,
        cases=_pooled,
        hints=(
            "The weights of class c are the column W[:, c], one for each map.",
            "np.tensordot(W[:, c], A, axes=1) is Σ_k w_kc A_k.",
            "The mean of the map is the score without its bias.",
        ),
        mistakes=(
            Mistake(
                lambda A, W, b, c: (cam_and_score(A, W, b, c)[0], cam_and_score(A, W, b, c)[0].mean()),
                "The bias is missing in the score. It belongs to no place, so it is not in the map either.",
            ),
            Mistake(
                lambda A, W, b, c: (cam_and_score(A, W, b, c)[0], cam_and_score(A, W, b, c)[0].sum() + b[c]),
                "You added the map up. Its mean, not its sum, is the score without the bias.",
            ),
            Mistake(
                lambda A, W, b, c: (cam_and_score(A, W, b, c)[0] + b[c], cam_and_score(A, W, b, c)[1]),
                "You put the bias into the map. It is added to the score, and belongs to no place.",
            ),
            Mistake(
                lambda A, W, b, c: (cam_and_score(A, W, b, c)[0] / A[0].size, cam_and_score(A, W, b, c)[1]),
                "Your map adds up to the score without the bias: that is Grad-CAM without the ReLU. CAM is h · w times "
                "as large.",
            ),
        ),
    ),
    Exercise(
        name="enlarged",
        lesson=9,
        question="Enlarge a row of m values to n pixels, bilinearly: enlarged(row, n) -> (n,). Both are laid over each "
        "other edge to edge; beyond the outermost centre the outermost value stays.",
        answer=enlarged,
        cases=_rows,
        hints=(
            "The centre of pixel i is at i + ½. Measured in places of the row: (i + ½) m / n.",
            "The centre of place j is at j + ½: subtract ½ to count from centre to centre.",
            "np.interp(y, np.arange(m), row) mixes the neighbours, and keeps the outermost value beyond the end.",
        ),
        mistakes=(
            Mistake(
                lambda row, n: _placed(row, np.linspace(0, len(row) - 1, n)),
                "You laid the outermost centres on each other (align_corners=True). Lay the edges on each other.",
            ),
            Mistake(
                lambda row, n: row[np.arange(n) * len(row) // n],
                "This is the nearest place: steps. Mix the two places around each centre.",
            ),
            Mistake(
                lambda row, n: _placed(row, np.arange(n) * len(row) / n),
                "The two halves are missing: a centre lies half a pixel behind the edge, here and there.",
            ),
            Mistake(
                lambda row, n: _placed(row, (np.arange(n) + 0.5) * len(row) / n),
                "You measured from the edge of the row. Place j has its centre at j + ½: subtract ½.",
            ),
        ),
    ),
    Exercise(
        name="grad_cam_of",
        lesson=9,
        question="Write Grad-CAM with its ReLU: grad_cam_of(A, g) -> (h, w). A are the feature maps, g the derivative "
        "of the score in them, both (K, h, w).",
        answer=grad_cam_of,
        cases=_maps,
        hints=(
            "One weight for each map: the mean of its derivative over rows and columns.",
            "np.tensordot(alpha, A, axes=1) is Σ_k α_k A_k.",
            "The ReLU comes last, after the sum over the maps.",
        ),
        mistakes=(
            Mistake(
                lambda A, g: np.tensordot(g.mean(axis=(1, 2)), A, axes=1),
                "The ReLU is missing: np.maximum of the sum and 0. (Captum leaves it out unless told.)",
            ),
            Mistake(
                lambda A, g: grad_cam_of(A, g * g[0].size),
                "You added the derivative up over the places. The weight is its mean.",
            ),
            Mistake(
                lambda A, g: np.maximum((g * A).sum(axis=0), 0),
                "You multiplied place by place: that is HiResCAM. Grad-CAM takes the mean of g over the places first.",
            ),
            Mistake(
                lambda A, g: grad_cam_of(A, np.maximum(g, 0)),
                "You cut the derivative before its mean. The ReLU comes last, after the sum over the maps.",
            ),
            Mistake(
                lambda A, g: np.maximum(g.mean(axis=(1, 2))[:, None, None] * A, 0).sum(axis=0),
                "You cut each map before the sum. Add the maps first: what speaks against the class counts too.",
            ),
        ),
    ),
    Exercise(
        name="shares_of_places",
        lesson=9,
        question="A network ends Flatten, Dense, without bias. Flatten runs through the maps, in each through the "
        "rows, in each through the columns. Write shares_of_places(A, W, c) -> (h, w), which add up to the score of "
        "class c: to each place what the dense layer takes from it. Shapes: A (K, h, w), W (K h w, C).",
        answer=shares_of_places,
        cases=_flattened,
        hints=(
            "The score is Σ w · A over maps and places. Leave the sum over the places undone.",
            "W[:, c].reshape(A.shape) is the weight of each map at each place.",
        ),
        mistakes=(
            Mistake(
                lambda A, W, c: np.tensordot(W[:, c].reshape(A.shape).mean(axis=(1, 2)), A, axes=1),
                "This is Grad-CAM: one weight for each map, the mean. It does not add up here; keep the weight of each "
                "place.",
            ),
            Mistake(
                lambda A, W, c: np.maximum(shares_of_places(A, W, c), 0),
                "You cut what is below zero: the rest does not add up to the score.",
            ),
            Mistake(
                lambda A, W, c: (W[:, c].reshape(*A.shape[1:], len(A)).transpose(2, 0, 1) * A).sum(axis=0),
                "Your weights have landed on the wrong places: the map is the first axis and changes slowest. Reshape "
                "to (K, h, w).",
            ),
            Mistake(
                lambda A, W, c: shares_of_places(A, W, c) / len(A),
                "You took the mean over the maps. Add them up: the dense layer does.",
            ),
        ),
    ),
)
