"""What every method calls: one walk up the network and down again, and the way up alone.

    up     a[0] = x,  a[l + 1] = layer_l(a[l])
    top    R[L] = top(a[L]): what is explained, and with how much the walk begins
    down   R[l] = rule_l(layer_l, a[l], a[l + 1], R[l + 1])

A layer reads what its wires say: by default the activation before it; a join reads several, as a tuple, and gives a
signal for each. Where several layers read one activation, their signals add.

These are the lines that run: `Network.forward` and `Network.walk_back`, layer by layer. A compiled network
(`network.compile()`) is asked first: it does the same with whole rows of layers as one program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from . import finite
from .layers import Layer

if TYPE_CHECKING:
    from .network import Network

LARGE = 2**24
"""Bytes: a larger batch goes up by halves where nothing is kept."""

Signal = Callable[[np.ndarray], np.ndarray]
"""top(a[L]) -> R[L]."""

LocalRule = Callable[[Layer, np.ndarray, np.ndarray, Any], Any]
"""rule(layer, a_j, a_k, R_k) -> R_j: how one layer turns the signal above it into the signal below."""


def gradient_rule(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    """R_j = Σ_k (∂a_k / ∂a_j) R_k: the layer's exact backward pass, as a rule."""
    return layer.backward(a_j, R_k)


def walk(
    network: Network, x: np.ndarray, top: Signal, rules: Sequence[LocalRule], keep: bool = False
) -> tuple[list[np.ndarray], list[Any]]:
    """Every activation and every signal: up from x, and down from top(a[-1]) by one rule for each layer.

    Parameters
    ----------
    network
        Any network.
    x
        A batch (N, ...) that it can take.
    top
        The signal at the top, made of the output.
    rules
        One for each layer, bottom to top.
    keep
        False: only the output, a[-1], and the signal on the input, R[0], are needed.

    Returns
    -------
    a, R
        a[0] = x to a[-1], and R[0] to R[-1]; with keep=False perhaps only their ends.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> network = Network([Dense(np.array([[1.0, -2.0]])), ReLU(), Dense(np.array([[1.0], [1.0]]))])
    >>> a, R = walk(network, np.array([[3.0]]), np.ones_like, [gradient_rule] * 3)
    >>> a[-1], R[0]
    (array([[3.]]), array([[1.]]))
    """
    if network.program is not None:  # only after network.compile()
        return network.program.run(x, top, rules, keep)
    a = network.forward(x)
    return a, network.walk_back(a, top(a[-1]), rules)


def activations_of(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """Every activation, from a[0] = x to the output."""
    return network.forward(x) if network.program is None else network.program.up(x)


def layer_forward(network: Network, l: int, a: Any) -> np.ndarray:
    """What layer l makes of the activations `a` that it reads; an error names the layer."""
    try:
        above = network.layers[l].forward(a)
    except ValueError as error:
        raise ValueError(f"layer {network.names[l]}: {error}") from None
    if finite.WATCHED.get():
        finite.check(above, f"activations of layer {network.names[l]}", network.layers[l])
    return above


def scores_of(network: Network, x: np.ndarray) -> np.ndarray:
    """The last activation alone, without keeping the others."""
    if network.program is not None:
        return network.program.output(x)
    if x.nbytes > LARGE and len(x) > 1 and network.batch == 1:
        return np.concatenate([scores_of(network, half) for half in np.array_split(x, 2)])
    a: list[Any] = [x]
    for l in range(len(network)):
        a.append(layer_forward(network, l, network.reads[l](a)))
        for i in network.last_read[l]:
            a[i] = None
    return a[-1]


def scores_of_covered(
    network: Network, x: np.ndarray, filled: np.ndarray, rows: Sequence[slice], columns: Sequence[slice], memory: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The output for every copy of the batch with a window covered, some copies of one sample at a time.

    Parameters
    ----------
    network, x
        The network, and the batch (N, C, H, W). (Masks that were drawn for a batch take it whole, window by window.)
    filled
        What shows in a window, (N, C, H, W).
    rows, columns
        The windows; each row with each column. All have one size, except that the last may stick out.
    memory
        How many bytes the copies of one block and their activations may take; one copy runs in any case.

    Yields
    ------
    copies, output
        (P,) integers in ascending order, position · N + sample, and (P, ...) what comes out of them. A copy that is
        equal to its sample is left out.
    """
    if len(x) > 1 and network.batch == 1:
        for i in range(len(x)):  # how many windows change one sample plays no part in the bits of another
            of_one = scores_of_covered(network, x[i : i + 1], filled[i : i + 1], rows, columns, memory)
            yield from ((copies * len(x) + i, output) for copies, output in of_one)
        return
    if network.program is not None and network.batch == 1:
        yield from network.program.covered(x, filled, rows, columns, memory)
        return
    windows, n = list(product(rows, columns)), max(1, len(x))
    drawn = network.batch > 1  # its masks were drawn for this batch: all samples run, one window at a time
    one = sum(map(prod, network.shapes((network.batch, *x.shape[1:])))) // network.batch * x.itemsize
    block = 1 if drawn else max(1, memory // (n * one))
    for first in range(0, len(windows), block):
        now = windows[first : first + block]
        covered = np.repeat(x[None], len(now), axis=0)
        for copy, (row, column) in zip(covered, now, strict=True):
            copy[:, :, row, column] = filled[:, :, row, column]
        changed = np.flatnonzero((covered != x).any(axis=(2, 3, 4)) | drawn)
        if len(changed):
            yield first * n + changed, scores_of(network, covered.reshape(-1, *x.shape[1:])[changed])
