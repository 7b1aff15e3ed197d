"""Exercises to lesson 11.

Fill in, and run `pytest lessons/exercises/test_11_feature_visualization_and_deepdream.py`.
"""

import numpy as np

from nnlite.exercises import check

# 11.1  An image has the rows (0, 1, 0) and (0, 0, 1). What is its total variation with β = 2, and what is the gradient
#       of that in the middle pixel of the first row? Give both, as a list.
variation_by_hand = None


def best_window(w, b):
    """11.2  The image in the box from 0 to 1 that excites a neuron z = Σ_j x_j w_j + b most, and the z that it causes.

    Shapes: w (H, W), x (H, W); gives (x, z).
    """
    raise NotImplementedError


def total_variation(x):
    """11.3  The total variation with β = 2 of one image (H, W), and its gradient; gives (value, gradient)."""
    raise NotImplementedError


def moved_gradient(x, w, rows, columns):
    """11.4  The gradient in the image (H, W) of f(x) = Σ (w ⊙ x)², where f sees the image moved.

    It is moved down by `rows` and right by `columns`, around the border.
    """
    raise NotImplementedError


def dream_step(x, W, rate):
    """11.5  A step of DeepDream for a = ReLU(x W): x after it.

    Climb ‖a‖², with the gradient divided by the mean of its absolute values, and come back into [0, 1].
    Shapes: x (J,), W (J, K).
    """
    raise NotImplementedError


def test_variation_by_hand():
    verdict = check("variation_by_hand", variation_by_hand)
    assert verdict, verdict


def test_best_window():
    verdict = check("best_window", best_window)
    assert verdict, verdict


def test_total_variation():
    verdict = check("total_variation", total_variation)
    assert verdict, verdict


def test_moved_gradient():
    verdict = check("moved_gradient", moved_gradient)
    assert verdict, verdict


def test_dream_step():
    verdict = check("dream_step", dream_step)
    assert verdict, verdict
