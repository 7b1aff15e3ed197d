"""The rules of joins written out, one number after the other: what the tests hold joins.py to.

Each takes x, the list of what the branches give at one place, and R, the relevance there, and returns the list R_b.
`size` is the stabilizer at that place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .elementwise import stabilized
from .rule import Relative, Rule


def proportional(x: list[float], R: float, size: float) -> list[float]:
    """R_b = x_b / (Σ_b x_b + stabilizer) · R."""
    return _divided(x, R, stabilized(sum(x), size))


def positive(x: list[float], R: float, size: float) -> list[float]:
    """R_b = x_b⁺ / Σ_b x_b⁺ · R."""
    rising = [max(x_b, 0.0) for x_b in x]
    return _divided(rising, R, stabilized(sum(rising), size))


def absolute(x: list[float], R: float, size: float) -> list[float]:
    """R_b = |x_b| / Σ_b |x_b| · R."""
    sizes = [abs(x_b) for x_b in x]
    return _divided(sizes, R, stabilized(sum(sizes), size))


def equal(x: list[float], R: float, size: float) -> list[float]:
    """R_b = R / B."""
    return [R / len(x) for _ in x]


def only(x: list[float], R: float, size: float, b: int) -> list[float]:
    """R_b = R, and 0 for the others."""
    return [R if i == b else 0.0 for i in range(len(x))]


def _divided(shares: list[float], R: float, denominator: float) -> list[float]:
    return [share / denominator * R if denominator != 0 else 0.0 for share in shares]


RULES: dict[str, Callable[..., list[float]]] = {
    rule.__name__: rule for rule in (proportional, positive, absolute, equal, only)
}


def relevance(rule: Rule, x: tuple[np.ndarray, ...], R: np.ndarray) -> tuple[np.ndarray, ...]:
    """R_b of every branch at an Add, place by place.

    >>> from .joins import proportional
    >>> relevance(proportional(), (np.array([[2.0]]), np.array([[-1.0]])), np.array([[1.0]]))
    (array([[2.]]), array([[-1.]]))
    """
    options: dict[str, Any] = {key: value for key, value in rule.options.items() if key != "stabilizer"}
    below = tuple(np.zeros(R.shape) for _ in x)
    for n in range(len(R)):
        size: Any = rule.stabilizer
        if isinstance(size, Relative):
            squares = [sum(x_b[n][place] for x_b in x) ** 2 for place in np.ndindex(*R.shape[1:])]
            size = size.factor * (sum(squares) / len(squares)) ** 0.5
        for place in np.ndindex(*R.shape[1:]):
            given = RULES[rule.name]([float(x_b[n][place]) for x_b in x], float(R[n][place]), size, **options)
            for b, R_b in enumerate(given):
                below[b][n][place] = R_b
    return below
