"""Exercises to lesson 13. Fill in, and run `pytest lessons/exercises/test_13_is_the_explanation_right.py`."""

import numpy as np

from nnlite.exercises import check

# 13.1  f = 2 x₁ − x₂ + 5 x₃, and x = (1, 1, 1). The pixels are set to 0 in the order 3, 1, 2. What is the AOPC?
aopc_by_hand = None


def deletion_curve(f, x, R):
    """13.2  Pixel flipping with 0, the most relevant first. x and R (J,), f(x) a number; gives scores (J + 1,)."""
    raise NotImplementedError


def rank_agreement(R, S):
    """13.3  The rank correlation ρ of two maps (J,) without equal values."""
    raise NotImplementedError


def mass_on(R, T):
    """13.4  The mass accuracy of one map. R (H, W), T booleans (H, W); gives a number."""
    raise NotImplementedError


def infidelity_of(f, x, R, changes):
    """13.5  The infidelity of a slope R. x and R (J,), changes (n, J), f(x) a number; gives a number."""
    raise NotImplementedError


def test_aopc_by_hand():
    verdict = check("aopc_by_hand", aopc_by_hand)
    assert verdict, verdict


def test_deletion_curve():
    verdict = check("deletion_curve", deletion_curve)
    assert verdict, verdict


def test_rank_agreement():
    verdict = check("rank_agreement", rank_agreement)
    assert verdict, verdict


def test_mass_on():
    verdict = check("mass_on", mass_on)
    assert verdict, verdict


def test_infidelity_of():
    verdict = check("infidelity_of", infidelity_of)
    assert verdict, verdict
