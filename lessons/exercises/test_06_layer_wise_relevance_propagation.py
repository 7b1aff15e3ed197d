"""Exercises to lesson 06. Fill in, and run `pytest lessons/exercises/test_06_layer_wise_relevance_propagation.py`."""

import numpy as np

from nnlite.exercises import check

# 6.1  A neuron has the inputs (2, 1), the weights (2, −1) and no bias. It has the relevance 6 to give away.
#      Which shares do its two inputs get? Give both, as a list.
shares_by_hand = None

# 6.2  The neuron of the lesson, inputs (2, 1) and weights (3, −1), gets the bias b = 1. Its relevance is R = z.
#      Which share of R does the bias take?
bias_share = None


def lrp_epsilon(a, W, b, R, epsilon):
    """6.3  LRP-ε for a dense layer. Shapes: a (J,), W (J, K), b (K,), R (K,); gives R_j (J,)."""
    raise NotImplementedError


def lrp_gamma(a, W, b, R, gamma):
    """6.4  LRP-γ for a dense layer, with the shapes of lrp_epsilon and a ≥ 0."""
    raise NotImplementedError


def z_plus(a, W, R):
    """6.5  z⁺ for a dense layer without bias. A neuron whose denominator is zero gives nothing to anybody."""
    raise NotImplementedError


def test_shares_by_hand():
    verdict = check("shares_by_hand", shares_by_hand)
    assert verdict, verdict


def test_bias_share():
    verdict = check("bias_share", bias_share)
    assert verdict, verdict


def test_lrp_epsilon():
    verdict = check("lrp_epsilon", lrp_epsilon)
    assert verdict, verdict


def test_lrp_gamma():
    verdict = check("lrp_gamma", lrp_gamma)
    assert verdict, verdict


def test_z_plus():
    verdict = check("z_plus", z_plus)
    assert verdict, verdict
