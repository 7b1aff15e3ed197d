"""Exercises to lesson 04.

Fill in, and run `pytest lessons/exercises/test_04_deconvnet_and_guided_backpropagation.py`.
"""

import numpy as np

from nnlite.exercises import check

# 4.1  Four ReLUs were fed (2, −1, 3, −2), and above them lie the signals (4, 5, −6, −1). What lies below, by the rules
#      of the gradient, of DeConvNet and of guided backpropagation? Give three lists of four numbers.
three_rules = None


def unpool(R, switches, shape):
    """4.2  The unpooling of one map: an array of that shape (H, W).

    A switch is row · W + column of the winner; windows may overlap.
    """
    raise NotImplementedError


def guided(x, W1, b1, W2, b2, W3, c):
    """4.3  Guided backpropagation from score c, for a network that is dense, ReLU, dense, ReLU, dense.

    Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, L), b2 (L,), W3 (L, C); gives (J,).
    """
    raise NotImplementedError


def strongest(a, k):
    """4.4  The start of the paper: of a (K, H, W) only the largest activation of map k, cut at zero."""
    raise NotImplementedError


def class_similarity(maps):
    """4.5  The mean correlation over all pairs of two classes, from the maps (C, H, W) of one image."""
    raise NotImplementedError


def test_three_rules():
    verdict = check("three_rules", three_rules)
    assert verdict, verdict


def test_unpool():
    verdict = check("unpool", unpool)
    assert verdict, verdict


def test_guided():
    verdict = check("guided", guided)
    assert verdict, verdict


def test_strongest():
    verdict = check("strongest", strongest)
    assert verdict, verdict


def test_class_similarity():
    verdict = check("class_similarity", class_similarity)
    assert verdict, verdict
