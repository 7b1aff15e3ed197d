"""What a layer of a row is, in numbers."""

from math import prod
from typing import NamedTuple

from ...kernels.windows import Windows


class Sizes(NamedTuple):
    """Of one layer, for one sample: the shapes below (C, H, W) and above (K, OH, OW), its windows, its weights.

    `at` says where the windows of a convolution or a pooling lie. `W` and `b` say where its weights lie, in an array
    that holds those of the whole row: counted from a first place, for a rule may bring other weights. `counts` are what
    a mean pooling divides by.
    """

    below: tuple[int, int, int]
    above: tuple[int, int, int]
    at: Windows | None = None
    W: int = 0
    b: int = 0
    counts: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers lie below."""
        return prod(self.below)

    @property
    def size_above(self) -> int:
        """How many lie above."""
        return prod(self.above)

    def spans(self, axis: int) -> list[int]:
        """The first row (axis 0) or column (axis 1) of each window inside the image, and the one behind its last."""
        at, length = self.at, self.below[1 + axis]
        assert at is not None
        starts = [i * at.stride[axis] - at.padding[axis] for i in range(self.above[1 + axis])]
        return [edge for first in starts for edge in (max(0, first), min(length, first + at.size[axis]))]
