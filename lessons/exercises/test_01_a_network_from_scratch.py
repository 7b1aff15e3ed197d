"""Exercises to lesson 01. Fill in, and run `pytest lessons/exercises/test_01_a_network_from_scratch.py`."""

import numpy as np

from nnlite.exercises import check

# 1.1  A neuron has the weights (3, −1) and the bias −1. Its inputs are (2, 1). What is z?
z_of_one_neuron = None

# 1.2  The image has the rows (1, 0, 2), (3, 1, 0), (0, 2, 1). The filter has the rows (1, −1), (0, 2) and no bias.
#      What is the feature map? Give its two rows.
convolve_by_hand = None


def convolve(a, w, stride):
    """1.3  A convolution without bias: an image a (H, W), a filter w (h, w) of any size, and a stride; gives z."""
    raise NotImplementedError


def pool_backward(a, dz):
    """1.4  The way back through a max-pooling with windows of 2 × 2. In a tie the first takes all, row by row.

    Below are a and da (H, W), above is dz (H / 2, W / 2); gives da.
    """
    raise NotImplementedError


def score_gradient(x, W1, b1, W2, c):
    """1.5  The derivative of score c in the input of a network dense, ReLU, dense.

    Shapes: x (J,), W1 (J, K), b1 (K,), W2 (K, C); gives dx (J,).
    """
    raise NotImplementedError


def test_z_of_one_neuron():
    verdict = check("z_of_one_neuron", z_of_one_neuron)
    assert verdict, verdict


def test_convolve_by_hand():
    verdict = check("convolve_by_hand", convolve_by_hand)
    assert verdict, verdict


def test_convolve():
    verdict = check("convolve", convolve)
    assert verdict, verdict


def test_pool_backward():
    verdict = check("pool_backward", pool_backward)
    assert verdict, verdict


def test_score_gradient():
    verdict = check("score_gradient", score_gradient)
    assert verdict, verdict
