"""Exercises to lesson 00. Fill in, and run `pytest lessons/exercises/test_00_what_interpretability_is.py`."""

import numpy as np

from nnlite.exercises import check


def probabilities(scores):
    """0.1  The softmax, so that no score is too large for it. scores and the result: (K,)."""
    raise NotImplementedError


# 0.2  Which class comes second for x[7:8] of the lesson, and by how much does its score lie below the first?
#      Give [class, difference], computed in float64.
runner_up = None

# 0.3  Explain that second class with lrp.epsilon(0), in float64. What do its blue pixels sum to?
against_the_second = None


def test_probabilities():
    verdict = check("probabilities", probabilities)
    assert verdict, verdict


def test_runner_up():
    verdict = check("runner_up", runner_up)
    assert verdict, verdict


def test_against_the_second():
    verdict = check("against_the_second", against_the_second)
    assert verdict, verdict
