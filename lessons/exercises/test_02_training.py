"""Exercises to lesson 02. Fill in, and run `pytest lessons/exercises/test_02_training.py`."""

import numpy as np

from nnlite.exercises import check

# 2.1  Two classes have the scores (0, log 3). The label is class 0. What is the loss, −log p of the label?
loss_by_hand = None


def loss_gradient(z, label):
    """2.2  The gradient of the cross-entropy in the scores z (K,) of one image; gives dz (K,).

    It must also work for scores of 1000.
    """
    raise NotImplementedError


def weight_gradients(a, dz):
    """2.3  The gradient of the loss in the weights and the bias of a dense layer.

    Shapes: a (N, J), dz (N, K); gives (dW, db) with dW (J, K), db (K,).
    """
    raise NotImplementedError


def momentum(w, gradient, rate, mu, steps):
    """2.4  Gradient descent with momentum; gives the weights after so many steps.

    gradient(w) gives the gradient at w. The velocity starts at 0, and the rate stands outside it.
    """
    raise NotImplementedError


def descend(W, b, x, labels, rate):
    """2.5  One step of gradient descent on a dense layer with the cross-entropy, a mean over the batch.

    Shapes: W (J, K), b (K,), x (N, J), labels (N,); gives the new (W, b).
    """
    raise NotImplementedError


def test_loss_by_hand():
    verdict = check("loss_by_hand", loss_by_hand)
    assert verdict, verdict


def test_loss_gradient():
    verdict = check("loss_gradient", loss_gradient)
    assert verdict, verdict


def test_weight_gradients():
    verdict = check("weight_gradients", weight_gradients)
    assert verdict, verdict


def test_momentum():
    verdict = check("momentum", momentum)
    assert verdict, verdict


def test_descend():
    verdict = check("descend", descend)
    assert verdict, verdict
