"""Matrix products by BLAS, which scipy brings: C = A B, row by row in memory.

BLAS counts column by column, and read so the same numbers are the transposes: Cᵀ = Bᵀ Aᵀ. A product with one row or
one column is one of a matrix and a vector. BLAS wants the address of each argument: they are the integers that the
program holds (on a little-endian machine the first half of a small one is the same number, in 32 bits).
"""

from typing import NamedTuple

import numpy as np

from ..driver import Part, Place, Program
from ..pointers import at, call
from .fill import zero


class Blas(NamedTuple):
    """A function of BLAS, without the letter of its dtype."""

    name: str

    def address(self, dtype: np.dtype) -> int:
        """Where it lies in this process."""
        from numba.extending import get_cython_function_address

        return get_cython_function_address("scipy.linalg.cython_blas", {4: "s", 8: "d"}[dtype.itemsize] + self.name)


GEMM, GEMV = Blas("gemm"), Blas("gemv")


@Part
def matrix_by_matrix(t, A, B, C, one):  # type: ignore[no-untyped-def]
    """t: gemm, its two "n" or "t", the sizes and the steps between columns; one: 1 and 0."""
    n, m, k = at(t, 3), at(t, 4), at(t, 5)
    call(t[0], (at(t, 1), at(t, 2), n, m, k, one, B, at(t, 6), A, at(t, 7), at(one, 1), C, at(t, 8)))


@Part
def matrix_by_vector(t, A, x, y, one):  # type: ignore[no-untyped-def]
    """t: gemv, "n" or "t", the sizes, the step between columns, and 1."""
    call(t[0], (at(t, 1), at(t, 2), at(t, 3), one, A, at(t, 4), x, at(t, 5), at(one, 1), y, at(t, 5)))


def product(program: Program, m: int, k: int, n: int, A: Place, B: Place, C: Place, transposed: bool = False) -> None:
    """C (m, n) = A (m, k) B (k, n), or with `transposed` Aᵀ B for A (k, m)."""
    if not m * k * n:
        program.add(zero, [m * n], C)
        return
    N, T = map(ord, "nt")
    one = program.numbers(1, 0)
    if n == 1:
        fields = [N, m, k, m, 1] if transposed else [T, k, m, k, 1]
        program.add(matrix_by_vector, [GEMV, *fields], A, B, C, one)
    elif m == 1:
        program.add(matrix_by_vector, [GEMV, N, n, k, n, 1], B, A, C, one)
    else:
        fields = [N, T, n, m, k, n, m, n] if transposed else [N, N, n, m, k, n, k, n]
        program.add(matrix_by_matrix, [GEMM, *fields], A, B, C, one)
