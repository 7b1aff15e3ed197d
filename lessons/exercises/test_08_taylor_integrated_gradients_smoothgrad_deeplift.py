"""Exercises to lesson 08.

Fill in, and run `pytest lessons/exercises/test_08_taylor_integrated_gradients_smoothgrad_deeplift.py`.
"""

import numpy as np

from nnlite.exercises import check

# 8.1  f(x, y) = x² + y² − 9 at the point (6, 8), with the root (1.8, 2.4). Which shares does simple Taylor give x and
#      y? Give both, as a list.
taylor_by_hand = None


def neuron_root(a, w):
    """8.2  The root that deep Taylor takes for one neuron max(0, a @ w), with a ≥ 0 and a @ w > 0. a and w (J,)."""
    raise NotImplementedError


def integrated_gradients(gradient, x, baseline, n):
    """8.3  Integrated gradients with the midpoint rule in n intervals; gradient(point) gives ∇f there."""
    raise NotImplementedError


def rescale(x, reference, W1, b1, w2):
    """8.4  DeepLIFT with Rescale for max(0, x @ W1 + b1) @ w2. Shapes: x (J,), W1 (J, K), b1 (K,), w2 (K,)."""
    raise NotImplementedError


def reveal_cancel(x, reference, w, b):
    """8.5  RevealCancel for one neuron max(0, x @ w + b): the share of each input. x, reference and w (J,)."""
    raise NotImplementedError


def test_taylor_by_hand():
    verdict = check("taylor_by_hand", taylor_by_hand)
    assert verdict, verdict


def test_neuron_root():
    verdict = check("neuron_root", neuron_root)
    assert verdict, verdict


def test_integrated_gradients():
    verdict = check("integrated_gradients", integrated_gradients)
    assert verdict, verdict


def test_rescale():
    verdict = check("rescale", rescale)
    assert verdict, verdict


def test_reveal_cancel():
    verdict = check("reveal_cancel", reveal_cancel)
    assert verdict, verdict
