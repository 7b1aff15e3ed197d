"""LRP: the four steps, around the way up and the way back of a layer with the weights that a rule gives it."""

from collections.abc import Callable, Sequence

from ...kernels.division import LARGEST
from ..driver import WEIGHTS, Part, Place, Program
from ..pointers import number
from .fill import zero
from .sizes import Sizes

Linear = Callable[[Program, Sizes, Place, Place, Place, Place], None]
"""`forward` or `backward` of a layer."""


@Part
def divide(t, R, z, s, numbers):  # type: ignore[no-untyped-def]
    """s = κ R / (z + ε sgn z), sgn 0 = +1; 0 where z is, or where s would be too large to go on with."""
    kappa, epsilon, largest, nothing = numbers[0], numbers[1], numbers[2], number(R, 0)
    for k in range(t[0]):
        quotient = kappa * R[k] / (z[k] + (epsilon if z[k] >= 0 else -epsilon))
        s[k] = quotient if abs(quotient) < largest else nothing


@Part
def multiply(t, a, c, R, _):  # type: ignore[no-untyped-def]
    """R_j = a_j c_j"""
    for j in range(t[0]):
        R[j] = a[j] * c[j]


@Part
def add_multiplied(t, a, c, R, _):  # type: ignore[no-untyped-def]
    """R_j += a_j c_j"""
    for j in range(t[0]):
        R[j] += a[j] * c[j]


def epsilon(
    program: Program, of: Sizes, back: Linear, eps: float, a: Place, z: Place, R: Place, R_j: Place, work: Place
) -> None:
    """LRP-ε: the layer as it is, whose z the way up has left."""
    program.add(divide, [of.size_above], R, z, work, _numbers(program, 1.0, eps))  # step 2
    back(program, of, work, Place(WEIGHTS), R_j, work.after(of.size_above))  # step 3: c
    program.add(multiply, [of.size], a, R_j, R_j)  # step 4


def groups(
    program: Program, of: Sizes, up: Linear, back: Linear, eps: float, own: Sequence[tuple[float, Place]],
    a: Place, R: Place, R_j: Place, work: Place,
) -> None:  # fmt: skip
    """The four steps for each group of a rule, summed: κ, and where the weights of its layer lie."""
    z, s, c = work, work.after(of.size_above), work.after(2 * of.size_above)
    work = c.after(of.size)
    for i, (kappa, weights) in enumerate(own):
        up(program, of, a, weights, z, work)  # step 1
        program.add(divide, [of.size_above], R, z, s, _numbers(program, kappa, eps))  # step 2
        back(program, of, s, weights, c, work)  # step 3
        program.add(add_multiplied if i else multiply, [of.size], a, c, R_j)  # step 4
    if not own:
        program.add(zero, [of.size], R_j)


def _numbers(program: Program, kappa: float, eps: float) -> Place:
    return program.numbers(kappa, eps, LARGEST[program.dtype])
