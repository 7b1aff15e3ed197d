"""Exercises to lesson 09. Fill in, and run `pytest lessons/exercises/test_09_cam_and_grad_cam.py`."""

import numpy as np

from nnlite.exercises import check

# 9.1  A network ends in the mean of each feature map and one dense layer. Class c has the weights (2, −1). The two
#      feature maps have the rows (1, 0), (3, 2) and (4, 0), (0, 2). What is the class activation map of c?
#      Give its two rows, as a list of two lists.
cam_by_hand = None


def cam_and_score(A, W, b, c):
    """9.2  The class activation map (h, w) and the score of class c read off it, as a pair.

    The network ends GlobalAvgPool, Flatten, Dense. Shapes: feature maps A (K, h, w), W (K, C), b (C,).
    """
    raise NotImplementedError


def enlarged(row, n):
    """9.3  A row of m values at n pixels, bilinearly, laid over each other edge to edge; gives (n,)."""
    raise NotImplementedError


def grad_cam_of(A, g):
    """9.4  Grad-CAM (h, w) with its ReLU, from the feature maps A and the score's derivative g, both (K, h, w)."""
    raise NotImplementedError


def shares_of_places(A, W, c):
    """9.5  What the dense layer takes from each place, (h, w), so that all places add up to the score of class c.

    The network ends Flatten, Dense, without bias. Flatten runs through the maps, in each through the rows, in each
    through the columns. Shapes: A (K, h, w), W (K h w, C).
    """
    raise NotImplementedError


def test_cam_by_hand():
    verdict = check("cam_by_hand", cam_by_hand)
    assert verdict, verdict


def test_cam_and_score():
    verdict = check("cam_and_score", cam_and_score)
    assert verdict, verdict


def test_enlarged():
    verdict = check("enlarged", enlarged)
    assert verdict, verdict


def test_grad_cam_of():
    verdict = check("grad_cam_of", grad_cam_of)
    assert verdict, verdict


def test_shares_of_places():
    verdict = check("shares_of_places", shares_of_places)
    assert verdict, verdict
