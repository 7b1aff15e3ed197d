"""Lesson 13: is the explanation right?"""

from collections.abc import Callable

import numpy as np

from .exercise import Exercise, Mistake

Function = Callable[[np.ndarray], float]


def aopc_by_hand() -> float:
    return (0 + 5 + 7 + 6) / 4


def deletion_curve(f: Function, x: np.ndarray, R: np.ndarray) -> np.ndarray:
    left = x.copy()
    scores = [f(left)]
    for pixel in np.argsort(-R):
        left[pixel] = 0
        scores.append(f(left))
    return np.array(scores)


def rank_agreement(R: np.ndarray, S: np.ndarray) -> float:
    r, s = (np.argsort(np.argsort(M)) for M in (R, S))
    r, s = r - r.mean(), s - s.mean()
    return r @ s / np.sqrt((r @ r) * (s @ s))


def mass_on(R: np.ndarray, T: np.ndarray) -> float:
    positive = np.maximum(R, 0)
    return positive[T].sum() / positive.sum()


def infidelity_of(f: Function, x: np.ndarray, R: np.ndarray, changes: np.ndarray) -> float:
    errors = [(I @ R - (f(x) - f(x - I))) ** 2 for I in changes]
    return np.mean(errors)


def _functions() -> list[tuple]:
    """A bent function of a few pixels, the pixels, and a map with both signs and no equal values."""
    cases = []
    for seed, size in enumerate([4, 6]):
        rng = np.random.default_rng(seed)
        w, x, R = rng.normal(size=size), rng.uniform(0.5, 1, size), rng.normal(size=size)
        cases.append((lambda x, w=w: float(np.tanh(w @ x) + x.max()), x, R))
    return cases


def _maps() -> list[tuple]:
    return [tuple(np.random.default_rng(seed).normal(size=(2, size)) ** 3) for seed, size in enumerate([5, 9])]


def _maps_with_truth() -> list[tuple]:
    return [(R.reshape(-1, 1), S.reshape(-1, 1) > -0.1) for R, S in _maps()]


def _changes() -> list[tuple]:
    return [(f, x, R, np.random.default_rng(7).normal(size=(3, len(x)))) for f, x, R in _functions()]


def _one_at_a_time(f: Function, x: np.ndarray, R: np.ndarray) -> np.ndarray:
    pixels = np.arange(len(x))
    return np.array([f(x), *(f(np.where(pixels == pixel, 0, x)) for pixel in np.argsort(-R))])


def _sorted_twice_forgotten(R: np.ndarray, S: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(R), np.argsort(S))[0, 1])


def _not_centred(R: np.ndarray, S: np.ndarray) -> float:
    r, s = (np.argsort(np.argsort(M)) for M in (R, S))
    return float(r @ s / np.sqrt((r @ r) * (s @ s)))


EXERCISES = (
    Exercise(
        name="aopc_by_hand",
        lesson=13,
        question="f = 2 x₁ − x₂ + 5 x₃, and x = (1, 1, 1). The pixels are set to 0 in the order 3, 1, 2. What is the "
        "AOPC?",
        answer=aopc_by_hand,
        value=True,
        hints=("The curve has four points: the score of x, and the score after each step.", "It is 6, 1, −1, 0."),
        mistakes=(
            Mistake(lambda: 6.0, "You divided by 3 steps. The point k = 0 counts too: L + 1 = 4 points."),
            Mistake(lambda: 1.5, "This is the mean score. The AOPC is the mean fall, f(x) minus it."),
            Mistake(lambda: 18.0, "This is the sum of the falls. Divide it by the number of points."),
        ),
    ),
    Exercise(
        name="deletion_curve",
        lesson=13,
        question="Write pixel flipping: deletion_curve(f, x, R) -> the scores (J + 1,). x and R are (J,), f(x) is a "
        "number. The most relevant pixel is set to 0 first, and stays 0; then the next.",
        answer=deletion_curve,
        cases=_functions,
        hints=(
            "np.argsort(-R) is the order, from the largest R to the smallest.",
            "Work on a copy of x, and set one pixel more to 0 in each step.",
            "The first point is f(x) itself.",
        ),
        mistakes=(
            Mistake(
                lambda f, x, R: deletion_curve(f, x, -R), "You began with the least relevant pixel: np.argsort(-R)."
            ),
            Mistake(
                lambda f, x, R: deletion_curve(f, x, np.abs(R)),
                "You sorted by |R|. A pixel that speaks against the class goes last, however loud it is.",
            ),
            Mistake(lambda f, x, R: deletion_curve(f, x, R)[1:], "The first point is missing: the score of x itself."),
            Mistake(_one_at_a_time, "You put each pixel back before the next one. What is flipped stays flipped."),
        ),
    ),
    Exercise(
        name="rank_agreement",
        lesson=13,
        question="Write the rank correlation of two maps (J,) without equal values: rank_agreement(R, S) -> ρ.",
        answer=rank_agreement,
        cases=_maps,
        hints=(
            "First the ranks: the place of each value when all are sorted. Then their correlation.",
            "np.argsort gives the pixel at each place. The place of each pixel is the argsort of that.",
            "Subtract the mean of the ranks before you multiply.",
        ),
        mistakes=(
            Mistake(lambda R, S: float(np.corrcoef(R, S)[0, 1]), "This is the correlation of the values. Rank them."),
            Mistake(
                _sorted_twice_forgotten,
                "np.argsort(R) says which pixel is at each place, and not the place of each pixel. Sort that again.",
            ),
            Mistake(_not_centred, "Subtract the mean rank first: then the reverse order gives −1."),
        ),
    ),
    Exercise(
        name="mass_on",
        lesson=13,
        question="Write the mass accuracy of one map: mass_on(R, T) -> a number. R is (H, W), T booleans (H, W), and "
        "some R is positive.",
        answer=mass_on,
        cases=_maps_with_truth,
        hints=("Only positive relevance counts: np.maximum(R, 0).", "positive[T] are its values on T."),
        mistakes=(
            Mistake(lambda R, T: R[T].sum() / R.sum(), "You kept the negative relevance. Cut it off first."),
            Mistake(
                lambda R, T: np.abs(R)[T].sum() / np.abs(R).sum(),
                "You took |R|: what speaks against the class is no evidence for it.",
            ),
            Mistake(
                lambda R, T: (R[T] > 0).sum() / (R > 0).sum(),
                "You counted pixels. Add up their relevance: a strong pixel weighs more.",
            ),
        ),
    ),
    Exercise(
        name="infidelity_of",
        lesson=13,
        question="Write the infidelity of a slope R: infidelity_of(f, x, R, changes) -> a number. x and R are (J,), "
        "changes (n, J) holds one change I a row, and f(x) is a number.",
        answer=infidelity_of,
        cases=_changes,
        hints=(
            "For one change: what R says is I · R; what happens is f(x) − f(x − I).",
            "Square the difference of the two, and take the mean over the changes.",
        ),
        mistakes=(
            Mistake(
                lambda f, x, R, changes: np.mean([(I @ R - (f(x) - f(x + I))) ** 2 for I in changes]),
                "The change is taken away: f(x) − f(x − I). With x + I the slope has the wrong sign.",
            ),
            Mistake(
                lambda f, x, R, changes: np.mean([abs(I @ R - (f(x) - f(x - I))) for I in changes]),
                "This is the mean of the absolute errors. Square them.",
            ),
            Mistake(
                lambda f, x, R, changes: np.mean([(I @ (x * R) - (f(x) - f(x - I))) ** 2 for I in changes]),
                "You multiplied R by x: that is a share. A slope times the change is what it predicts.",
            ),
        ),
    ),
)
