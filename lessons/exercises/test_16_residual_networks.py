"""Exercises to lesson 16. Fill in, and run `pytest lessons/exercises/test_16_residual_networks.py`."""

from nnlite.exercises import check

# 16.1  A block adds x = 3 and F(x) = −1. The sum has the relevance 4. Which shares do the skip and the path get by
#       LRP-0? Give them as a list.
shares_of_a_join = None


def slope_of_blocks(slopes):
    """16.2  Block i gives x + F_i(x), and slopes holds F_i′ of each: the derivative of the output, a number."""
    raise NotImplementedError


def lrp_add(skip, path, R, epsilon):
    """16.3  LRP-ε for an addition of two branches, arrays of one shape. Gives R_skip, R_path.

    ε has the sign of z, and sgn 0 = +1. Where the denominator is 0, nothing is distributed.
    """
    raise NotImplementedError


def merge_batchnorm(W, b, gamma, beta, mean, var, eps):
    """16.4  W, b of one dense layer that gives γ (aW + b − μ) / √(v + eps) + β. W (J, K), everything else (K,)."""
    raise NotImplementedError


def shared_maximum(a, R):
    """16.5  The relevance of each input in a window a of a max-pooling, where those that tie share R."""
    raise NotImplementedError


def test_shares_of_a_join():
    verdict = check("shares_of_a_join", shares_of_a_join)
    assert verdict, verdict


def test_slope_of_blocks():
    verdict = check("slope_of_blocks", slope_of_blocks)
    assert verdict, verdict


def test_lrp_add():
    verdict = check("lrp_add", lrp_add)
    assert verdict, verdict


def test_merge_batchnorm():
    verdict = check("merge_batchnorm", merge_batchnorm)
    assert verdict, verdict


def test_shared_maximum():
    verdict = check("shared_maximum", shared_maximum)
    assert verdict, verdict
