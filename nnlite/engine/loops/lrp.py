"""LRP: the four steps, around the way up and the way back of a layer with the weights that a rule gives it."""

from collections.abc import Callable, Sequence

from ...kernels.division import LARGEST
from ..driver import WEIGHTS, Part, Place, Program
from ..pointers import number
from .fill import zero
from .sizes import Sizes

Linear = Callable[[Program, Sizes, Place, Place, Place, Place], None]
"""`forward` or `backward` of a layer."""

PlacedGroup = tuple[float, Sequence[tuple[int, Place]]]
"""κ, and for each term the sign of the inputs that it is fed (0: all) and where the weights of its layer lie."""


@Part
def divide(t, R, z, s, numbers):  # type: ignore[no-untyped-def]
    """s = κ R / (z + ε sgn z), sgn 0 = +1; 0 where z is, or where s would be too large to go on with; NaN stays NaN."""
    kappa, epsilon, largest = numbers[0], numbers[1], numbers[2]
    for k in range(t[0]):
        quotient = kappa * R[k] / (z[k] + (epsilon if z[k] >= 0 else -epsilon))
        nothing = (R[k] - R[k]) + (z[k] - z[k])  # 0; NaN where one of them is not finite
        s[k] = quotient if (abs(quotient) < largest) & (nothing == 0) else nothing


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


@Part
def rising(t, a, part, _, __):  # type: ignore[no-untyped-def]
    """a⁺ = max(a, 0)"""
    nothing = number(a, 0)
    for j in range(t[0]):
        part[j] = a[j] if (a[j] > 0) | (a[j] != a[j]) else nothing


@Part
def falling(t, a, part, _, __):  # type: ignore[no-untyped-def]
    """a⁻ = min(a, 0)"""
    nothing = number(a, 0)
    for j in range(t[0]):
        part[j] = a[j] if (a[j] < 0) | (a[j] != a[j]) else nothing


@Part
def add(t, a, z, _, __):  # type: ignore[no-untyped-def]
    """z_k += a_k"""
    for k in range(t[0]):
        z[k] += a[k]


SIGNS: dict[int, Part] = {1: rising, -1: falling}


def groups(
    program: Program, of: Sizes, up: Linear, back: Linear, eps: float, own: Sequence[PlacedGroup],
    a: Place, R: Place, R_j: Place, work: Place,
) -> None:  # fmt: skip
    """The four steps for each group of a rule, summed."""
    z, s, more = work, work.after(of.size_above), work.after(2 * of.size_above)
    c, part = work.after(3 * of.size_above), work.after(3 * of.size_above + of.size)
    work = part.after(of.size)

    def fed(sign: int) -> Place:
        """a, a⁺ or a⁻."""
        if sign:
            program.add(SIGNS[sign], [of.size], a, part)
        return part if sign else a

    gather = multiply
    for kappa, terms in own:
        for i, (sign, weights) in enumerate(terms):  # step 1
            up(program, of, fed(sign), weights, more if i else z, work)
            if i:
                program.add(add, [of.size_above], more, z)
        program.add(divide, [of.size_above], R, z, s, _numbers(program, kappa, eps))  # step 2
        for sign, weights in terms:
            back(program, of, s, weights, c, work)  # step 3
            program.add(gather, [of.size], fed(sign), c, R_j)  # step 4
            gather = add_multiplied
    if not own:
        program.add(zero, [of.size], R_j)


def _numbers(program: Program, kappa: float, eps: float) -> Place:
    return program.numbers(kappa, eps, LARGEST[program.dtype])
