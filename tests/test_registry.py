"""Every method by its name, on every network that comes with nnlite."""

import numpy as np
import pytest

from nnlite import datasets, models
from nnlite.decision_based import lrp
from nnlite.decision_based.registry import MEANINGS, METHODS, explain

WITH_RULES = [name for name, method in METHODS.items() if method.rules is not None]


@pytest.fixture(scope="module", params=models.NAMES)
def network(request):
    return models.load(request.param)


@pytest.fixture(scope="module")
def x(network):
    """Three held-out digits, and an empty picture."""
    if network.info["dataset"] == "strokes":
        digits = datasets.strokes(3, seed=models.HELD_OUT_SEED)[0]
    else:
        digits = models.digits("uci", "test")[0][:3]
    return np.concatenate([digits, np.zeros_like(digits[:1])])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("error")
def test_every_method_explains_every_network(network, x, name):
    before = x.copy()
    R = explain(name, network, x)
    assert R.shape == ((len(x), *x.shape[2:]) if name == "saliency" else x.shape)
    assert R.dtype == np.float32
    assert np.isfinite(R).all()
    assert np.array_equal(x, before)
    assert all(np.abs(R[n]).max() > 0 for n in range(3))


@pytest.mark.parametrize("name", METHODS)
def test_a_target_is_the_class_that_is_explained(network, x, name):
    predicted = network.predict(x[:3])
    assert np.array_equal(explain(name, network, x[:3], predicted), explain(name, network, x[:3]))
    assert not np.array_equal(explain(name, network, x[:3], (predicted + 1) % 10), explain(name, network, x[:3]))


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_gives_what_its_samples_give_one_by_one(network, x, name):
    R = explain(name, network, x)
    alone = np.concatenate([explain(name, network, x[n : n + 1]) for n in range(len(x))])
    assert np.abs(R - alone).max() <= 1e-4 * np.abs(R).max()


@pytest.mark.parametrize("name", WITH_RULES)
def test_the_relevance_is_the_one_in_the_books(network, x, name):
    ledger = lrp.ledger(network, x, rules=METHODS[name].rules)
    assert np.array_equal(METHODS[name].compute(network, x, None), ledger.relevances[0])
    assert ledger.error < 1e-3


def test_the_names():
    assert all(name == method.name for name, method in METHODS.items())
    assert all((name in WITH_RULES) == name.startswith(("lrp-", "deep-taylor")) for name in METHODS)
    assert {method.meaning for method in METHODS.values()} == set(MEANINGS)
    assert {"gradient", "saliency", "lrp-epsilon", "lrp-gamma", "lrp-montavon2019"} <= set(METHODS)
    assert all(method.formula and "\n" not in method.formula for method in METHODS.values())
    assert len({method.formula for method in METHODS.values()}) == len(METHODS)


def test_an_unknown_name(network, x):
    with pytest.raises(ValueError, match=r"There is no method 'lrp-gama'; the methods are gradient, .*lrp-gamma"):
        explain("lrp-gama", network, x)
