"""Lesson 13: is the explanation right?"""

from collections.abc import Callable

import numpy as np

from .exercise import edited, exercise

Function = Callable[[np.ndarray], float]


@exercise()
def aopc_by_hand() -> float:
    """f = 2 x₁ − x₂ + 5 x₃, and x = (1, 1, 1). The pixels are set to 0 in the order 3, 1, 2. What is the AOPC?

    1. The curve has four points: the score of x, and the score after each step.
    2. It is 6, 1, −1, 0.
    """
    return (0 + 5 + 7 + 6) / 4


aopc_by_hand.mistakes = lambda answer: {
    "You divided by 3 steps. The point k = 0 counts too: L + 1 = 4 points.": 6.0,
    "This is the mean score. The AOPC is the mean fall, f(x) minus it.": 1.5,
    "This is the sum of the falls. Divide it by the number of points.": 18.0,
}


def _functions() -> list[tuple]:
    """A bent function of a few pixels, the pixels, and a map with both signs and no equal values."""
    cases = []
    for seed, size in enumerate([4, 6]):
        rng = np.random.default_rng(seed)
        w, x, R = rng.normal(size=size), rng.uniform(0.5, 1, size), rng.normal(size=size)
        cases.append((lambda x, w=w: float(np.tanh(w @ x) + x.max()), x, R))
    return cases


@exercise(_functions())
def deletion_curve(f: Function, x: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Write pixel flipping: deletion_curve(f, x, R) -> the scores (J + 1,). x and R are (J,), f(x) is a number. The
    most relevant pixel is set to 0 first, and stays 0; then the next.

    1. np.argsort(-R) is the order, from the largest R to the smallest.
    2. Work on a copy of x, and set one pixel more to 0 in each step.
    3. The first point is f(x) itself.
    """
    left = x.copy()
    scores = [f(left)]
    for pixel in np.argsort(-R):
        left[pixel] = 0
        scores.append(f(left))
    return np.array(scores)


deletion_curve.mistakes = lambda answer, f, x, R: {
    "You began with the least relevant pixel: np.argsort(-R).": deletion_curve(f, x, -R),
    "You sorted by |R|. A pixel that speaks against the class goes last, however loud it is.":
        deletion_curve(f, x, np.abs(R)),
    "The first point is missing: the score of x itself.": answer[1:],
    "You put each pixel back before the next one. What is flipped stays flipped.":
        np.array([f(x), *(f(np.where(r == R, 0, x)) for r in -np.sort(-R))]),
}  # fmt: skip


def _maps() -> list[tuple]:
    return [tuple(np.random.default_rng(seed).normal(size=(2, size)) ** 3) for seed, size in enumerate([5, 9])]


@exercise(_maps())
def rank_agreement(R: np.ndarray, S: np.ndarray) -> float:
    """Write the rank correlation of two maps (J,) without equal values: rank_agreement(R, S) -> ρ.

    1. First the ranks: the place of each value when all are sorted. Then their correlation.
    2. np.argsort gives the pixel at each place. The place of each pixel is the argsort of that.
    3. Subtract the mean of the ranks before you multiply.
    """
    r, s = (np.argsort(np.argsort(M)) for M in (R, S))
    r, s = r - r.mean(), s - s.mean()
    return r @ s / np.sqrt((r @ r) * (s @ s))


rank_agreement.mistakes = lambda answer, R, S: {
    "This is the correlation of the values. Rank them.": float(np.corrcoef(R, S)[0, 1]),
    "np.argsort(R) says which pixel is at each place, and not the place of each pixel. Sort that again.":
        float(np.corrcoef(np.argsort(R), np.argsort(S))[0, 1]),
    "Subtract the mean rank first: then the reverse order gives −1.":
        edited(rank_agreement, ("r - r.mean(), s - s.mean()", "1.0 * r, 1.0 * s"))(R, S),
}  # fmt: skip


@exercise((R.reshape(-1, 1), S.reshape(-1, 1) > -0.1) for R, S in _maps())
def mass_on(R: np.ndarray, T: np.ndarray) -> float:
    """Write the mass accuracy of one map: mass_on(R, T) -> a number. R is (H, W), T booleans (H, W), and some R is
    positive.

    1. Only positive relevance counts: np.maximum(R, 0).
    2. positive[T] are its values on T.
    """
    positive = np.maximum(R, 0)
    return positive[T].sum() / positive.sum()


mass_on.mistakes = lambda answer, R, T: {
    "You kept the negative relevance. Cut it off first.": R[T].sum() / R.sum(),
    "You took |R|: what speaks against the class is no evidence for it.": np.abs(R)[T].sum() / np.abs(R).sum(),
    "You counted pixels. Add up their relevance: a strong pixel weighs more.": (R[T] > 0).sum() / (R > 0).sum(),
}


@exercise((f, x, R, np.random.default_rng(7).normal(size=(3, len(x)))) for f, x, R in _functions())
def infidelity_of(f: Function, x: np.ndarray, R: np.ndarray, changes: np.ndarray) -> float:
    """Write the infidelity of a slope R: infidelity_of(f, x, R, changes) -> a number. x and R are (J,), changes (n, J)
    holds one change I a row, and f(x) is a number.

    1. For one change: what R says is I · R; what happens is f(x) − f(x − I).
    2. Square the difference of the two, and take the mean over the changes.
    """
    errors = [(I @ R - (f(x) - f(x - I))) ** 2 for I in changes]
    return np.mean(errors)


infidelity_of.mistakes = lambda answer, f, x, R, changes: {
    "The change is taken away: f(x) − f(x − I). With x + I the slope has the wrong sign.":
        np.mean([(I @ R - (f(x) - f(x + I))) ** 2 for I in changes]),
    "This is the mean of the absolute errors. Square them.": np.mean([abs(I @ R - (f(x) - f(x - I))) for I in changes]),
    "You multiplied R by x: that is a share. A slope times the change is what it predicts.":
        np.mean([(I @ (x * R) - (f(x) - f(x - I))) ** 2 for I in changes]),
}  # fmt: skip
