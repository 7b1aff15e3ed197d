"""Exercises to lesson 03. Fill in, and run `pytest lessons/exercises/test_03_saliency_maps.py`."""

import numpy as np

from nnlite.exercises import check

# 3.1  f(x, y) = x² + y² − 9. At (2, −1): what is f, what are the two entries of its gradient, and what is the sum of
#      its sensitivity map? Give the four numbers as a list.
toy_map = None

# 3.2  f = 3 max(0, x + 2y − 1) − max(0, x − y) + 1. Near (2, 1) it is a line w₁ x + w₂ y + b.
#      Give w₁, w₂ and b as a list.
line_by_hand = None


def channel_maximum(g):
    """3.3  The saliency map of a gradient: from (N, C, H, W) to (N, H, W)."""
    raise NotImplementedError


def line(x, W1, b1, W2, b2, c):
    """3.4  (w, b) of the line of score c at x, for a network that is dense, ReLU, dense.

    Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, C), b2 (C,); w (J,) and b a number.
    """
    raise NotImplementedError


def probability_gradient(scores, G, c):
    """3.5  The gradient of the softmax probability of class c, from the gradients of all scores.

    Shapes: scores (K,), G (K, J); gives (J,).
    """
    raise NotImplementedError


def test_toy_map():
    verdict = check("toy_map", toy_map)
    assert verdict, verdict


def test_line_by_hand():
    verdict = check("line_by_hand", line_by_hand)
    assert verdict, verdict


def test_channel_maximum():
    verdict = check("channel_maximum", channel_maximum)
    assert verdict, verdict


def test_line():
    verdict = check("line", line)
    assert verdict, verdict


def test_probability_gradient():
    verdict = check("probability_gradient", probability_gradient)
    assert verdict, verdict
