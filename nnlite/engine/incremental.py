"""What the network makes of a sample with a window covered: only what the window can reach is computed again.

    x              after a 3 × 3 convolution        after 2 × 2 pooling
    . . . . . .        . . . . . .                      . . .
    . . . . . .        . o o o . .                      o o .        # the window, o what it can reach,
    . . # . . .        . o o o . .                      o o .        . as it was without the window
    . . . . . .        . o o o . .                      . . .
    . . . . . .        . . . . . .

Layer by layer: which outputs can the patch of changed activations reach? Which inputs do these outputs need? Those
inputs are cut out of the uncovered sample's activations, the patch is laid over, and the layer itself, without its
padding, makes them the next patch. All windows run as one batch: their patches have one size and each its own place.
From the layer on where a patch fills the whole map, or that is not local (a Dense sees everything), whole copies run
through the network as they would have from the beginning.

A copy in which the window changes no pixel needs no work at all.

Source: Nakandala et al. 2019, "Incremental and approximate inference for faster occlusion-based deep CNN
explanations", SIGMOD, sec. 3.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..network import Network
from .patch_steps import LOCAL, Patches, everything, plan

NEAR = 2**22
"""How many bytes the patches of one small block may take: they stay near the processor."""


def of_covered(
    network: Network,
    a: Sequence[np.ndarray],
    filled: np.ndarray,
    rows: Sequence[slice],
    columns: Sequence[slice],
    memory: int,
    rest_of: Callable[[int], Network],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The output of the network for every copy of a sample with a window covered, some copies at a time.

    Parameters
    ----------
    network, a
        The network, and all its activations on the sample (1, C, H, W).
    filled
        What shows in a window, (1, C, H, W).
    rows, columns
        The windows; each row with each column. All have one size, except that the last may stick out.
    memory
        How many bytes the activations of the copies of one block may take; one copy runs in any case.
    rest_of
        The layers from a place on, as a compiled network.

    Yields
    ------
    copies, output
        (P,) positions in ascending order, and (P, ...) what comes out of them. A copy that is equal to the sample is
        left out.
    """
    x = a[0]
    copies, windows = _windows(x, filled, rows, columns)
    if not len(copies):
        return
    room = np.array(x.shape[2:])[:, None] - np.array(windows.size)[:, None]
    within = Patches(windows.sample, np.minimum(windows.corner, room), windows.size)  # the last ones stick out
    steps, ends, numbers = plan(network, a, within)
    reached, rest = a[len(steps)], rest_of(len(steps))
    whole = [z[0].size for z in a[len(steps) :]]
    most = max(below + above for below, above in zip([whole[0], *whole], whole))  # noqa: B905
    near = max(1, min(NEAR, memory // 2) // (numbers * x.itemsize))
    block = max(near, (memory // x.itemsize - near * numbers) // most)
    for first in range(0, len(copies), block):
        last = min(first + block, len(copies))
        parts = []
        for begin in range(first, last, near):
            now = slice(begin, min(begin + near, last))
            z = within[now].of_changed(x, windows[now].crop(filled), windows[now])
            for step in steps:
                z = step(z, now)
            parts.append(everything(ends[now], reached).of_changed(reached, z, ends[now]))
        z = np.concatenate(parts) if len(parts) > 1 else parts[0]
        yield copies[first:last], _above(rest, z)


def _above(rest: Network, z: np.ndarray) -> np.ndarray:
    """What the rest of the network makes of whole copies; where no layer has maps, by one product for all of them."""
    if any(type(layer) in LOCAL for layer in rest):
        return rest.output(z)
    a: list[Any] = [z]
    for l, layer in enumerate(rest):
        a.append(layer.forward(rest.read(l, a)))
        for i in rest.last_read[l]:
            a[i] = None
    return a[-1]


def _windows(
    x: np.ndarray, filled: np.ndarray, rows: Sequence[slice], columns: Sequence[slice]
) -> tuple[np.ndarray, Patches]:
    """The copies in which a window changes something, and where their windows lie."""
    top, left = (np.array([w.start for w in windows]) for windows in (rows, columns))
    size = rows[0].stop - rows[0].start, columns[0].stop - columns[0].start
    height, width = x.shape[2:]
    changed = np.zeros((height + 1, width + 1), np.int64)  # how many pixels above and to the left have changed
    changed[1:, 1:] = (filled[0] != x[0]).any(axis=0).cumsum(axis=0).cumsum(axis=1)
    bottom, right = np.minimum(top + size[0], height), np.minimum(left + size[1], width)
    down = changed[bottom] - changed[top]
    copies = np.flatnonzero(down[:, right] - down[:, left])
    row, column = np.divmod(copies, len(columns))
    return copies, Patches(np.zeros_like(copies), np.stack((top[row], left[column])), size)
