"""Exercises to lesson 10. Fill in, and run `pytest lessons/exercises/test_10_activation_maximization.py`."""

import numpy as np

from nnlite.exercises import check

# 10.1  Three classes have the scores (0, log 2, 0). Class 0 is to be maximized. Which signal starts at the top: what is
#       the derivative of log p(ω_0 | x) in each score? Give the three numbers, as a list.
maximization_signal = None


def logp_gradient(x, W, b, c):
    """10.2  The gradient of log p(ω_c | x) in x, of a network of one dense layer: f = x W + b.

    Shapes: x (J,), W (J, K), b (K,); gives (J,).
    """
    raise NotImplementedError


def climb(x, W, b, c, weight, rate, steps):
    """10.3  The search of the general form for that network; gives x after the last step.

    Each step goes up the gradient of log p(ω_c | x) − weight · ‖x‖², times the rate, and back into the box [0, 1].
    """
    raise NotImplementedError


def ppca_gradient(x, mean, W, noise):
    """10.4  The gradient of the log density of a PPCA. Shapes: x (D,), mean (D,), W (D, q); noise is σ²; gives (D,)."""
    raise NotImplementedError


def code_gradient(z, G, W, b, c, weight):
    """10.5  The gradient of log p(ω_c | g(z)) − weight · ‖z‖² in z, for g(z) = sigmoid(z G) and scores x W + b.

    Shapes: z (d,), G (d, J), W (J, K), b (K,); gives (d,).
    """
    raise NotImplementedError


def test_maximization_signal():
    verdict = check("maximization_signal", maximization_signal)
    assert verdict, verdict


def test_logp_gradient():
    verdict = check("logp_gradient", logp_gradient)
    assert verdict, verdict


def test_climb():
    verdict = check("climb", climb)
    assert verdict, verdict


def test_ppca_gradient():
    verdict = check("ppca_gradient", ppca_gradient)
    assert verdict, verdict


def test_code_gradient():
    verdict = check("code_gradient", code_gradient)
    assert verdict, verdict
