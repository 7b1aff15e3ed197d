"""Sequences with a known reason: "... a b ... a" is followed by b, and by nothing else that could be learned."""

from typing import NamedTuple

import numpy as np

from .samples import count


class Sequences(NamedTuple):
    """Tokens (n, length) int64, labels (n,) int64, and the position (n,) int64 of the token that decides."""

    tokens: np.ndarray
    labels: np.ndarray
    position: np.ndarray


def sequences(n: int, seed: int = 0, *, start: int = 0, length: int = 16, vocabulary: int = 20) -> Sequences:
    """Draw n sequences "... a b ... a", whose label is b, the token behind the first a.

    length − 1 different tokens in any order, then one of them again, a, which is not the last of them. So b stands once
    in the sequence, at `position`, and only the two a show that it is the answer: to copy it, a network must find the
    token that follows the first a (an induction head). Sample i depends on (seed, i), length and vocabulary alone.

    Parameters
    ----------
    n
        How many.
    seed
        Which; 0 or more. Use another seed, or another range of samples, to test on.
    start
        The index of the first sample.
    length
        Tokens of a sequence, 3 or more.
    vocabulary
        How many different tokens there are: length − 1 or more.

    Raises
    ------
    TypeError
        One of them is not an integer.
    ValueError
        n, seed or start is negative; length is below 3, or vocabulary below length − 1.

    Source: the task of Olsson et al. 2022, "In-context learning and induction heads", drawn for this project.

    >>> tokens, labels, position = sequences(2, length=5, vocabulary=9)
    >>> tokens[0], int(labels[0]), int(position[0])
    (array([3, 8, 7, 0, 7]), 0, 3)
    """
    seed, start, length, vocabulary = map(
        count, ("seed", "start", "length", "vocabulary"), (seed, start, length, vocabulary)
    )
    if length < 3 or vocabulary < length - 1:
        raise ValueError(
            f"Expected length ≥ 3 and vocabulary ≥ length − 1, got length={length} and vocabulary={vocabulary}."
        )
    n = count("n", n, each=8 * (length + 2))
    tokens, first = np.empty((n, length), np.int64), np.empty(n, np.int64)
    for i in range(n):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(start + i,)))
        tokens[i, :-1] = rng.permutation(vocabulary)[: length - 1]
        first[i] = rng.integers(length - 2)
    every = np.arange(n)
    tokens[:, -1] = tokens[every, first]
    return Sequences(tokens, tokens[every, first + 1], first + 1)
