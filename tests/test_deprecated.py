"""What version 0.1 called otherwise: it works until 0.3, gives the same, and says so to whoever called it."""

import importlib

import numpy as np
import pytest

import nnlite

NETWORK = nnlite.models.load("tiny")
X = nnlite.datasets.uci("test")[0][:2]


@pytest.fixture
def warned():
    """A DeprecationWarning that says when the old name goes, and names this file as the place of the call."""
    with pytest.warns(DeprecationWarning, match=r"version 0\.3") as caught:
        yield
    assert {w.filename for w in caught} == {__file__}


def test_explain_in_the_old_order(warned):
    old = nnlite.explain("gradient", NETWORK, X, 4)
    assert np.array_equal(old, nnlite.explain(NETWORK, X, "gradient", 4))


def test_uncertainty_explain_is_explanations(warned):
    assert nnlite.uncertainty.explain is nnlite.uncertainty.explanations


def test_a_schedule_is_no_layer_of_the_same_name(warned):
    assert nnlite.training.Constant is nnlite.training.ConstantRate


def test_plots_is_pictures(warned):
    from nnlite.plots import heatmap

    assert heatmap is nnlite.pictures.heatmap
    names = importlib.import_module("nnlite.plots").__all__
    assert all(getattr(nnlite.plots, name) is getattr(nnlite.pictures, name) for name in names)


def test_to_import_plots_is_no_warning_yet_and_another_name_is_an_error(recwarn):
    plots = importlib.reload(importlib.import_module("nnlite.plots"))
    with pytest.raises(AttributeError, match=r"'nnlite\.plots' has no attribute 'heat'"):
        plots.heat  # noqa: B018
    assert not recwarn
