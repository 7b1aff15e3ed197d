"""How a hand writes: the spread of everything that differs between two drawings of the same digit."""

import math
from dataclasses import dataclass, fields
from numbers import Real

BOX = 20  # pixels: the larger side of a digit, as in MNIST
WIDER_ONE = 1.3  # a 1 has room for a wider pen


@dataclass(frozen=True)
class Hand:
    """The writer of the stroke digits, as the spread of each thing that varies.

    Lengths are parts of the digit's own height, unless they are said to be in pixels of the 28 × 28 image.
    "Spread" is the standard deviation of a normal distribution.

    Raises TypeError: a field is not a number (smoothing: not an integer); ValueError: a field is negative (slant_mean
    may be) or not finite; a jitter_shape, pen or pen_max of 0; a size that is not two numbers, the smaller first; or a
    digit too small for its widest pen.

    >>> Hand().jitter, CLEAN_HAND.jitter
    (0.05, 0.03)
    >>> Hand(jitter=-1)
    Traceback (most recent call last):
        ...
    ValueError: Hand(jitter=-1): expected a finite number that is not negative
    """

    jitter: float = 0.05  # how far a control point strays from its place (spread, for an average writer)
    jitter_shape: float = 4.0  # shape of the gamma law of the writers' care: small means some are very careless
    smoothing: int = 3  # passes of a [1 2 1]/4 average along the path: takes off the look of a polygon
    warp: float = 0.05  # height of the three slow waves that bend the plane (spread)
    slant: float = 0.24  # shear to the right: x is moved by slant times height (spread)
    slant_mean: float = 0.15  # most people lean to the right
    rotation: float = 7.0  # degrees (spread)
    aspect: float = 0.15  # log of the stretch in width, with the opposite stretch in height (spread)
    pen: float = 1.25  # median half width of the pen, in pixels
    pen_spread: float = 0.3  # spread of the log of the half width
    pen_max: float = 2.4  # no pen has a larger half width, in pixels; for a 1, three tenths more
    pressure: float = 0.12  # how much the width swells and thins along the path (spread)
    blur: float = 0.35  # softness of the ink's edge, in pixels to either side of one pixel's own softness
    shift: float = 0.5  # the centre of mass lies within this many pixels of the image's centre, in x and in y
    size: tuple[float, float] = (0.9, 1.03)  # range of the digit's larger side, in parts of 20 pixels

    def __post_init__(self) -> None:
        if not isinstance(self.smoothing, int):
            raise TypeError(f"Hand(smoothing={self.smoothing!r}): expected an integer, the number of passes")
        if not isinstance(self.size, (tuple, list)) or len(self.size) != 2:
            raise ValueError(f"Hand(size={self.size}): expected two numbers, the smaller first")
        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if field.name == "size" else (value,):
                least = -math.inf if field.name == "slant_mean" else 0
                if not isinstance(number, Real) or not math.isfinite(number) or number < least:
                    raise ValueError(f"Hand({field.name}={value}): expected a finite number that is not negative")
        if self.size[0] > self.size[1]:
            raise ValueError(f"Hand(size={self.size}): expected two numbers, the smaller first")
        for name in ("jitter_shape", "pen", "pen_max"):
            if getattr(self, name) == 0:
                raise ValueError(f"Hand({name}=0): expected a number above 0")
        if BOX * self.size[0] <= 2 * WIDER_ONE * self.pen_max:
            raise ValueError(
                f"Hand(size={self.size}, pen_max={self.pen_max}): expected {BOX} x the smaller size to be more than "
                f"{2 * WIDER_ONE} x pen_max: a digit must be larger than its line is wide"
            )


# A cleaner hand, for generators and experts: prototypes of a class come out sharper when its examples are alike.
CLEAN_HAND = Hand(jitter=0.03, slant=0.18, rotation=5.0, pen=1.3, pen_spread=0.22)
