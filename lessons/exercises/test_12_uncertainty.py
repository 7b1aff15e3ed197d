"""Exercises to lesson 12. Fill in, and run `pytest lessons/exercises/test_12_uncertainty.py`."""

import numpy as np

from nnlite.exercises import check

# 12.1  Three networks say (1, 0, 0, 0), (¼, ¼, ¼, ¼) and (½, ½, 0, 0). Give the three entropies in nats, as a list.
entropies_by_hand = None


def mean_over_masks(a, W, b, p):
    """12.2  The exact mean of softmax(z) over all 2^J masks of a dropout with rate p below a dense layer: (K,).

    Shapes: a (J,), W (J, K), b (K,). p is the chance to be dropped; what is kept is divided by 1 − p.
    """
    raise NotImplementedError


def divide_entropy(p):
    """12.3  T networks say p (T, K). Give (predictive entropy, expected entropy, mutual information), in nats."""
    raise NotImplementedError


# 12.4  An evidential network for four classes has the scores (5, 1, −2, 0). Give (the list of its probabilities, its
#       uncertainty u).
evidential_by_hand = None


def calibration_error(confidence, right, bins):
    """12.5  The expected calibration error.

    confidence (N,) in (0, 1]; right (N,) is 1 where the prediction was right, else 0. Bin m holds the confidences above
    (m − 1) / bins and up to m / bins; an empty bin counts nothing.
    """
    raise NotImplementedError


def test_entropies_by_hand():
    verdict = check("entropies_by_hand", entropies_by_hand)
    assert verdict, verdict


def test_mean_over_masks():
    verdict = check("mean_over_masks", mean_over_masks)
    assert verdict, verdict


def test_divide_entropy():
    verdict = check("divide_entropy", divide_entropy)
    assert verdict, verdict


def test_evidential_by_hand():
    verdict = check("evidential_by_hand", evidential_by_hand)
    assert verdict, verdict


def test_calibration_error():
    verdict = check("calibration_error", calibration_error)
    assert verdict, verdict
