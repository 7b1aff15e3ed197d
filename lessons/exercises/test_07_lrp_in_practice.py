"""Exercises to lesson 07. Fill in, and run `pytest lessons/exercises/test_07_lrp_in_practice.py`."""

import numpy as np

from nnlite.exercises import check

# 7.1  A neuron looks at the pixels (1, 0, 0), which lie in [0, 1], with the weights (2, −1, 3). It has the relevance 6.
#      Which shares does z^B give the three pixels? Give them as a list.
z_bounds_by_hand = None


def z_bounds(x, W, R, low, high):
    """7.2  z^B for a dense layer. Shapes: x (J,), W (J, K), R (K,); low and high are numbers; gives R_j (J,)."""
    raise NotImplementedError


def alpha_beta(a, W, b, R, alpha, beta):
    """7.3  αβ for a dense layer. Shapes: a (J,), W (J, K), b (K,), R (K,); gives R_j (J,). Some a are negative."""
    raise NotImplementedError


def ledger_line(a, W, b, R, epsilon):
    """7.4  Under LRP-ε: what goes to the inputs, to the bias and to ε. Gives three numbers that add up to Σ R."""
    raise NotImplementedError


def lrp_residual(a, W, b, R, epsilon):
    """7.5  LRP for the residual block out = a + ReLU(a @ W + b) with a ≥ 0; W (J, J), the rest (J,).

    Divide R between the two terms of the sum in proportion to their values, and take the second part down through the
    dense layer by LRP-ε. Where out is 0, nothing is distributed.
    """
    raise NotImplementedError


def test_z_bounds_by_hand():
    verdict = check("z_bounds_by_hand", z_bounds_by_hand)
    assert verdict, verdict


def test_z_bounds():
    verdict = check("z_bounds", z_bounds)
    assert verdict, verdict


def test_alpha_beta():
    verdict = check("alpha_beta", alpha_beta)
    assert verdict, verdict


def test_ledger_line():
    verdict = check("ledger_line", ledger_line)
    assert verdict, verdict


def test_lrp_residual():
    verdict = check("lrp_residual", lrp_residual)
    assert verdict, verdict
