"""Dense: z = a W + b, and back W dz."""

from ..driver import Part, Place, Program
from .product import product
from .sizes import Sizes


@Part
def add(t, z, b, _, __):  # type: ignore[no-untyped-def]
    """z_k += b_k"""
    for k in range(t[0]):
        z[k] += b[k]


def forward(program: Program, of: Sizes, a: Place, weights: Place, z: Place, work: Place) -> None:
    """z_k = Σ_j a_j w_jk + b_k"""
    product(program, 1, of.size, of.size_above, a, weights.after(of.W), z)
    program.add(add, [of.size_above], z, weights.after(of.b))


def backward(program: Program, of: Sizes, dz: Place, weights: Place, da: Place, work: Place) -> None:
    """da_j = Σ_k w_jk dz_k"""
    product(program, of.size, of.size_above, 1, weights.after(of.W), dz, da)
