"""The rules where branches meet: an Add divides as a linear layer whose weights are 1, a Multiply by fixed shares.

    proportional, positive, absolute, equal, only     at an Add: x_b are the branches, z = Σ_b x_b
    signal, uniform                                   at a Multiply: z = x ⊙ g, and at a MatMul: z = x g

A Concat gives each branch back its slice. Where several layers read one activation, their relevances add: the exact way
back of a copy, which needs no rule.
"""

from typing import Any

from ...layers.arguments import is_integer
from .passing import Share
from .rule import A_PLUS, ABSOLUTE, ONE, A, Branch, Group, Relative, Rule, Term
from .rules import epsilon


def proportional(stabilizer: float | Relative = 0.0) -> Rule:
    """R_b = x_b / (z + stabilizer · sgn z) · R, z = Σ_b x_b: LRP-ε at an Add.

    Each branch gets the share that it brought. Where the branches cancel, z is near 0 and the shares explode with
    opposite signs; `relative(0.25)` tames them.

    Source: Bach et al. 2015, eq. 58, with weights 1.

    >>> import numpy as np
    >>> from nnlite.layers import Add
    >>> x, z = (np.array([[2.0, 1.0]]), np.array([[-1.0, 3.0]])), np.array([[1.0, 4.0]])
    >>> proportional()(Add(), x, z, np.array([[1.0, 4.0]]))
    (array([[2., 1.]]), array([[-1.,  3.]]))
    """
    return _of(A, "proportional", stabilizer)


def positive(stabilizer: float | Relative = 0.0) -> Rule:
    """R_b = x_b⁺ / Σ_b x_b⁺ · R: what is positive divides, as in αβ(1, 0): a branch that took away gets nothing.

    Where no branch is positive, R is dropped.

    Source: Bach et al. 2015, eq. 60 with α = 1, β = 0 and weights 1.

    >>> import numpy as np
    >>> from nnlite.layers import Add
    >>> x, z = (np.array([[2.0, 1.0]]), np.array([[-1.0, 3.0]])), np.array([[1.0, 4.0]])
    >>> positive()(Add(), x, z, np.array([[1.0, 4.0]]))
    (array([[1., 1.]]), array([[0., 3.]]))
    """
    return _of(A_PLUS, "positive", stabilizer)


def absolute(stabilizer: float | Relative = 0.0) -> Rule:
    """R_b = |x_b| / Σ_b |x_b| · R: by size, whatever the signs; no share exceeds R.

    Source: Otsuki et al. 2024, "Layer-wise relevance propagation with conservation property for ResNet", eq. 5.

    >>> import numpy as np
    >>> from nnlite.layers import Add
    >>> x, z = (np.array([[2.0, 1.0]]), np.array([[-1.0, 3.0]])), np.array([[1.0, 4.0]])
    >>> absolute()(Add(), x, z, np.array([[3.0, 4.0]]))
    (array([[2., 1.]]), array([[1., 3.]]))
    """
    return _of(ABSOLUTE, "absolute", stabilizer)


def equal() -> Rule:
    """R_b = R / B: each of the B branches gets the same.

    >>> import numpy as np
    >>> from nnlite.layers import Add
    >>> equal()(Add(), (np.array([[2.0]]), np.array([[-1.0]])), np.array([[1.0]]), np.array([[1.0]]))
    (array([[0.5]]), array([[0.5]]))
    """
    return _of(ONE, "equal", 0.0)


def only(b: int) -> Rule:
    """R_b = R for branch b, 0 for the others: what the skip alone, or the path alone, would carry.

    >>> import numpy as np
    >>> from nnlite.layers import Add
    >>> only(1)(Add(), (np.array([[2.0]]), np.array([[-1.0]])), np.array([[1.0]]), np.array([[1.0]]))
    (array([[0.]]), array([[1.]]))
    """
    return Rule("only", [Group([Term(Branch(_position("only", b)))])], options={"b": b})


def _of(input: Any, name: str, stabilizer: float | Relative) -> Rule:
    size = epsilon(stabilizer).stabilizer  # checked
    return Rule(name, [Group([Term(input)])], size, options={"stabilizer": stabilizer} if stabilizer else {})


# ---------------------------------------------------------------------------------------- at a Multiply or a MatMul


def signal(b: int = 0, stabilizer: float | Relative = 0.0) -> Share:
    """R_b = R for the signal, branch b of the two, and 0 for its gate: signal takes all.

    At a MatMul it is LRP-ε of a linear layer whose weights are the gate; the stabilizer has a part there alone.

    Source: Arras et al. 2019, "Explaining and interpreting LSTMs", sec. 11.4 (LRP-all); Ali et al. 2022, "XAI for
    transformers: better explanations through conservative propagation", sec. 4 (attention).

    >>> import numpy as np
    >>> from nnlite.layers import Multiply
    >>> signal()(Multiply(), (np.array([[2.0]]), np.array([[0.5]])), np.array([[1.0]]), np.array([[1.0]]))
    (array([[1.]]), array([[0.]]))
    """
    b = _position("signal", b)
    if b > 1:
        raise ValueError(f"signal: a product has the branches 0 and 1, got b = {b}.")
    return _share("signal", (1.0 - b, 0.0 + b), stabilizer, b=b)


def uniform(stabilizer: float | Relative = 0.0) -> Share:
    """R_x = R_g = R / 2: both factors alike; the stabilizer has a part at a MatMul alone.

    Source: Achtibat et al. 2024, "AttnLRP: attention-aware layer-wise relevance propagation for transformers",
    prop. 3.2 and 3.3.

    >>> import numpy as np
    >>> from nnlite.layers import MatMul, Multiply
    >>> uniform()(Multiply(), (np.array([[2.0]]), np.array([[0.5]])), np.array([[1.0]]), np.array([[1.0]]))
    (array([[0.5]]), array([[0.5]]))
    >>> P, V = np.array([[[0.75, 0.25]]]), np.array([[[4.0], [-8.0]]])
    >>> uniform()(MatMul(), (P, V), P @ V, np.array([[[1.0]]]))
    (array([[[ 1.5, -1. ]]]), array([[[ 1.5],
            [-1. ]]]))
    """
    return _share("uniform", (0.5, 0.5), stabilizer)


def by_gate(stabilizer: float | Relative = 0.0) -> Share:
    """`signal` where one branch was spread over the other, as a gate (N, C, 1, 1) is over its maps; else `uniform`.

    >>> by_gate()
    by_gate()
    """
    return _share("by_gate", None, stabilizer)


def _share(name: str, shares: Any, stabilizer: float | Relative, **options: Any) -> Share:
    size = epsilon(stabilizer).stabilizer  # checked
    return Share(name, shares, options | ({"stabilizer": stabilizer} if stabilizer else {}), size)


def _position(name: str, b: Any) -> int:
    if not is_integer(b) or b < 0:
        raise ValueError(f"{name}: expected the position of a branch, an integer from 0, got {b!r}.")
    return int(b)
