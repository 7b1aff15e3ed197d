"""How alike two maps order the pixels: Spearman's rank correlation, map by map."""

from typing import Any

import numpy as np

from ..layers.arguments import as_array, flag


def rank_correlation(R: np.ndarray, S: np.ndarray, *, absolute: bool = False, where: Any = None) -> np.ndarray:
    """ρ = the correlation of the ranks of R_i and S_i, for each sample.

    1 is the same order, −1 the reverse, 0 no relation. Equal values share their mean rank. A map that is constant has
    no order: ρ is 0. It is the order alone that counts; a map and its cube agree.

    absolute: compare |R| and |S|: where the relevance is, whatever its sign.
    where: (N, ...) booleans in the shape of R: the pixels that count, such as x > 0. On digits most pixels are paper. A
        method that multiplies by x gives all of them the value 0, and so agrees there with itself on any network.

    Raises ValueError: the maps or `where` have different shapes, a map is not of real numbers or holds a NaN or an
    infinity, or `where` is not boolean.
    Source: Spearman 1904, "The proof and measurement of association between two things"; Adebayo et al. 2018, "Sanity
    checks for saliency maps", sec. 3 (of maps, with and without absolute values).

    >>> R = np.array([[1.0, 2.0, -3.0, 4.0]])
    >>> rank_correlation(R, R**3), rank_correlation(R, -R), rank_correlation(R, -R, absolute=True)
    (array([1.]), array([-1.]), array([1.]))
    """
    R, S = (as_array(name, map_) for name, map_ in (("R", R), ("S", S)))
    if R.dtype.kind not in "biuf" or S.dtype.kind not in "biuf":
        raise ValueError(f"rank_correlation takes maps of real numbers, got {R.dtype} and {S.dtype}.")
    R, S = R.astype(np.float64), S.astype(np.float64)
    where = np.ones(R.shape, bool) if where is None else as_array("where", where)
    if R.ndim < 2 or not R.shape == S.shape == where.shape or where.dtype != bool:
        raise ValueError(
            "rank_correlation takes two maps (N, ...) of one shape, and booleans of the same; "
            f"got {R.shape}, {S.shape} and {where.shape} {where.dtype}."
        )
    if not (np.isfinite(R).all() and np.isfinite(S).all()):
        raise ValueError("The maps must be finite, and one holds a NaN or an infinity.")
    if flag("rank_correlation", "absolute", absolute):
        R, S = np.abs(R), np.abs(S)
    return np.array([_spearman(r[w], s[w]) for r, s, w in zip(R, S, where, strict=True)])


def _spearman(r: np.ndarray, s: np.ndarray) -> float:
    from scipy.stats import spearmanr  # here: it takes half a second to import

    if not len(r) or (r == r[0]).all() or (s == s[0]).all():
        return 0.0
    return float(spearmanr(r, s).statistic)
