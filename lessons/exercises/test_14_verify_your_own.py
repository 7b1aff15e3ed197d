"""Exercises to lesson 14. Fill in, and run `pytest lessons/exercises/test_14_verify_your_own.py`."""

import numpy as np

from nnlite.exercises import check

# 14.1  A neuron has the inputs (1, 1), the weights (2, −1), the bias b = 1, and the relevance 20 to give away. Two
#       libraries compute LRP-γ with γ = 1: nnlite scales the bias too, b + γ b⁺; the other leaves it as it is. Give
#       both lists of shares, nnlite's first.
two_gammas = None


def finite_differences(f, x, h):
    """14.2  The gradient of f at x by central differences, an array like x; f gives a number."""
    raise NotImplementedError


def adjoint_gap(forward, backward, a, s):
    """14.3  ⟨forward(a), s⟩ − ⟨a, backward(s)⟩, without the bias that forward may add."""
    raise NotImplementedError


def first_to_part(ours, theirs, tolerance):
    """14.4  The name of the first layer at which max |ours − theirs| is above tolerance · max |theirs|, or "none".

    Both hold a map for each layer by its name, from the scores down.
    """
    raise NotImplementedError


def lrp_skip(a, W, b, R, epsilon):
    """14.5  LRP-ε for z_k = a_k + Σ_j a_j w_jk + b_k. Shapes: a (J,), W (J, J), b (J,), R (J,); gives R_j (J,)."""
    raise NotImplementedError


def test_two_gammas():
    verdict = check("two_gammas", two_gammas)
    assert verdict, verdict


def test_finite_differences():
    verdict = check("finite_differences", finite_differences)
    assert verdict, verdict


def test_adjoint_gap():
    verdict = check("adjoint_gap", adjoint_gap)
    assert verdict, verdict


def test_first_to_part():
    verdict = check("first_to_part", first_to_part)
    assert verdict, verdict


def test_lrp_skip():
    verdict = check("lrp_skip", lrp_skip)
    assert verdict, verdict
