"""Exercises to lesson 05. Fill in, and run `pytest lessons/exercises/test_05_occlusion.py`."""

import numpy as np

from nnlite.exercises import check

# 5.1  The image has the rows (1, 0, 1), (1, 1, 0), (0, 1, 1). Its score is the sum of the pixels, each times its
#      weight; the weights have the rows (2, 5, −1), (1, 3, 4), (0, 1, 2). A 2 × 2 window of zeros moves by 1.
#      Which drops does it find? Give the two rows, as a list of two lists.
drops_by_hand = None


def positions(length, size, stride):
    """5.2  The number of positions along an axis. The last window may stick out: every pixel is covered."""
    raise NotImplementedError


def occlusion_drops(f, x, size, stride):
    """5.3  The drops of f(x) for an image x (H, W), with fill 0; the last windows are clipped where they stick out."""
    raise NotImplementedError


def on_pixels(drops, shape, size, stride):
    """5.4  The map of that shape (H, W): each pixel the mean of the drops of the windows that cover it."""
    raise NotImplementedError


def why_not(scores, x, c, d):
    """5.5  Flip each single pixel of x (H, W), v to 1 − v: the drop of score c minus score d, in the shape of x.

    scores is a function from an image to the scores of all classes.
    """
    raise NotImplementedError


def test_drops_by_hand():
    verdict = check("drops_by_hand", drops_by_hand)
    assert verdict, verdict


def test_positions():
    verdict = check("positions", positions)
    assert verdict, verdict


def test_occlusion_drops():
    verdict = check("occlusion_drops", occlusion_drops)
    assert verdict, verdict


def test_on_pixels():
    verdict = check("on_pixels", on_pixels)
    assert verdict, verdict


def test_why_not():
    verdict = check("why_not", why_not)
    assert verdict, verdict
