"""Exercises to lesson 15. Fill in, and run `pytest lessons/exercises/test_15_fast.py`."""

from nnlite.exercises import check


def multiplications(image, filters, window):
    """15.1  How many multiplications a convolution takes, at stride 1 and without padding.

    image = (channels, height, width), window = (rows, columns).
    """
    raise NotImplementedError


def cut_off(image, window):
    """15.2  How many places from the first window to the last belong to no window; both (rows, columns)."""
    raise NotImplementedError


def strip(image, width, j):
    """15.3  What column j of a window of this width reads, over all windows: a list; image is a list of its rows."""
    raise NotImplementedError


def reached(first, last, window, stride, outputs):
    """15.4  The outputs that a change of the inputs from first to last can reach: [the first, the last]."""
    raise NotImplementedError


def winograd_products(output, m):
    """15.5  The products of all tiles, (m + 2)² each, for an output (rows, columns) in tiles of m × m."""
    raise NotImplementedError


def test_multiplications():
    verdict = check("multiplications", multiplications)
    assert verdict, verdict


def test_cut_off():
    verdict = check("cut_off", cut_off)
    assert verdict, verdict


def test_strip():
    verdict = check("strip", strip)
    assert verdict, verdict


def test_reached():
    verdict = check("reached", reached)
    assert verdict, verdict


def test_winograd_products():
    verdict = check("winograd_products", winograd_products)
    assert verdict, verdict
