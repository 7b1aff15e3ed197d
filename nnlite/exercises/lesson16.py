"""Lesson 16: residual networks."""

import numpy as np

from .exercise import exercise, seeded


@exercise()
def shares_of_a_join() -> list[float]:
    """A block adds x = 3 and F(x) = −1. The sum has the relevance 4. Which shares do the skip and the path get by
    LRP-0? Give them as a list.

    1. An addition is a neuron whose weights are 1: z = 3 − 1.
    2. Each branch gets what it brought, divided by z, times the relevance.
    """
    return [6.0, -2.0]


shares_of_a_join.mistakes = lambda answer: {
    "Both branches got all of R: the relevance doubles. Divide it between them.": [4.0, 4.0],
    "These are halves. LRP-0 divides in proportion to what each branch brought.": [2.0, 2.0],
    "That divides by |3| + |−1|, the rule `absolute`. LRP-0 divides by z = 3 − 1.": [3.0, 1.0],
    "You left out the relevance: these are the parts x_b / z. Multiply by R = 4.": [1.5, -0.5],
}


@exercise([([0.1] * 20,), ([0.5, -0.5, 2.0],), ([-1.0, 3.0],)])
def slope_of_blocks(slopes: list[float]) -> float:
    """A row of residual blocks on one number: block i gives x + F_i(x), and `slopes` holds F_i′ of each. What is the
    derivative of the output with respect to the input? slope_of_blocks(slopes) -> a number.

    1. The derivative of x + F(x) is 1 + F′(x).
    2. The chain rule multiplies the derivatives of the blocks.
    """
    return float(np.prod(1 + np.array(slopes)))


slope_of_blocks.mistakes = lambda answer, slopes: {
    "The skips are missing: that is the slope of the same layers without them. A block has 1 + F′.": np.prod(slopes),
    "One skip around everything gives 1 + Π F′. Each block has its own.": 1 + np.prod(slopes),
    "You added the blocks. They follow each other: the chain rule multiplies.": sum(1 + s for s in slopes),
}


def _branches() -> list[tuple]:
    """Two branches with sums of both signs, one that is 0, and without ε."""
    cases = []
    for epsilon, (rng, n) in zip((0.25, 0.0, 0.01), seeded(5, 4, 6), strict=True):
        skip, path = rng.normal(size=n), rng.normal(size=n)
        skip[0], path[0] = 1.0, -2.0
        if not epsilon:
            path[1] = -skip[1]
        cases.append((skip, path, rng.normal(size=n), epsilon))
    return cases


@exercise(_branches())
def lrp_add(skip: np.ndarray, path: np.ndarray, R: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Write LRP-ε for an addition of two branches: lrp_add(skip, path, R, epsilon) -> (R_skip, R_path). All arrays have
    one shape; ε has the sign of z, and sgn 0 = +1. Where the denominator is 0, nothing is distributed.

    1. z = skip + path, and s = R / (z + ε sgn z).
    2. Each branch gets its own value times s.
    3. Guard the division: np.where(d != 0, R / np.where(d != 0, d, 1), 0).
    """
    z = skip + path
    d = z + epsilon * np.where(z >= 0, 1, -1)
    s = np.where(d != 0, R / np.where(d != 0, d, 1), 0)
    return skip * s, path * s


def _without_sign(skip: np.ndarray, path: np.ndarray, R: np.ndarray, epsilon: float) -> tuple:
    s = R / (skip + path + epsilon)
    return skip * s, path * s


lrp_add.mistakes = lambda answer, skip, path, R, epsilon: {
    "Both branches got all of R: the relevance doubles. Divide it between them.": (R, R),
    "ε must move the denominator away from 0: where z < 0, subtract it.": _without_sign(skip, path, R, epsilon),
    "These are halves. Divide in proportion to what each branch brought.": (R / 2, R / 2),
    "You exchanged the branches: the first result is that of the skip.": answer[::-1],
}


def _norms() -> list[tuple]:
    """Dense layers, and the statistics and the scale of the BatchNorm above each."""
    return [
        (rng.normal(size=(J, K)), rng.normal(size=K), *rng.normal(size=(3, K)), rng.uniform(0.1, 2, K), 1e-2)
        for rng, (J, K) in seeded((4, 3), (2, 5))
    ]


@exercise(_norms())
def merge_batchnorm(
    W: np.ndarray, b: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fold a BatchNorm into the dense layer below it: merge_batchnorm(W, b, gamma, beta, mean, var, eps) -> (W, b) of
    one dense layer that gives γ (aW + b − μ) / √(v + eps) + β. Shapes: W (J, K), everything else (K,).

    1. Give the factor a name: g = gamma / np.sqrt(var + eps), one number for each output.
    2. a W g is a (W g): each column of W is multiplied by its g.
    3. What is left does not depend on a: (b − mean) g + beta.
    """
    g = gamma / np.sqrt(var + eps)
    return W * g, (b - mean) * g + beta


merge_batchnorm.mistakes = lambda answer, W, b, gamma, beta, mean, var, eps: {
    "The eps under the root is missing.": merge_batchnorm(W, b, gamma, beta, mean, var, 0.0),
    "Divide by the root of the variance, not by the variance.":
        merge_batchnorm(W, b, gamma, beta, mean, (var + eps) ** 2, 0.0),
    "The bias of the dense layer is scaled too: (b − mean) g + beta.":
        (answer[0], b - mean * gamma / np.sqrt(var + eps) + beta),
    "You left out the mean: the BatchNorm subtracts it first.": merge_batchnorm(W, b, gamma, beta, 0 * mean, var, eps),
}  # fmt: skip


@exercise([(np.array([3.0, 3.0, 1.0, 0.0]), 6.0), (np.array([1.0, 2.0, 0.5, 1.5]), -1.0), (np.zeros(4), 2.0)])
def shared_maximum(a: np.ndarray, R: float) -> np.ndarray:
    """A window of a max-pooling holds a, and its maximum has the relevance R. Winner takes all gives R to the first
    maximum. Let those that tie share it instead: shared_maximum(a, R) -> the relevance of each input.

    1. won = a == a.max() says who holds the maximum.
    2. Divide R by how many they are.
    """
    won = a == a.max()
    return won * R / won.sum()


shared_maximum.mistakes = lambda answer, a, R: {
    "The first winner took all. Where several hold the maximum, they share it.": R * (np.arange(len(a)) == a.argmax()),
    "Each winner got all of R: the relevance grows. Divide by their number.": R * (a == a.max()),
    "Everybody got the same, as in an average pooling. Those below the maximum get nothing.":
        np.full(len(a), R / len(a)),
    "That is in proportion to a. Those below the maximum get nothing.": a / max(a.sum(), 1) * R,
}  # fmt: skip
