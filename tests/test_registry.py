"""Every method by its name, on every network that comes with nnlite."""

import numpy as np
import pytest

from nnlite import Network, datasets, models
from nnlite.decision_based import lrp, simple_taylor
from nnlite.decision_based.attention_maps import has_attention
from nnlite.decision_based.registry import MEANINGS, METHODS, divided, explain
from nnlite.layers import ELU, GELU, BatchNorm, Dense, Hardswish, PReLU, ReLU, ReLU6, Sigmoid, Softplus, Tanh

WITH_RULES = [name for name, method in METHODS.items() if method.rules is not None]


@pytest.fixture(scope="module", params=models.VERIFIED)
def loaded(request):
    return models.load(request.param)


@pytest.fixture
def network(loaded, form):
    return form(loaded)


@pytest.fixture(scope="module")
def x(loaded):
    """Two held-out digits, and an empty picture."""
    if loaded.info["dataset"] == "strokes":
        digits = datasets.strokes(2, seed=models.HELD_OUT_SEED)[0]
    else:
        digits = models.digits("uci", "test")[0][:2]
    return np.concatenate([digits, np.zeros_like(digits[:1])])


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def R(kept, network, x, name):
    """The maps of all samples at once, computed for the first test that asks."""
    key = network.info["model"], network.program is None, name
    if key not in kept:
        before = x.copy()
        kept[key] = explain(network, x, name)
        assert np.array_equal(x, before)
    return kept[key]


WITHOUT_CHANNELS = {"saliency", "occlusion", "occlusion-flip", "cam", "grad-cam"}


WITHOUT_ATTENTION = [name for name in METHODS if METHODS[name].fits is not has_attention]
"""The others have their networks in tests/test_attention.py and test_laws.py."""
EVERY = [(model, name) for model in models.VERIFIED for name in WITHOUT_ATTENTION]
FITTING = [(model, name) for model, name in EVERY if METHODS[name].fits(models.load(model))]
pytestmark = pytest.mark.filterwarnings("error")
every_fitting = pytest.mark.parametrize(("loaded", "name"), FITTING, indirect=["loaded"], scope="module")


def test_what_does_not_fit_says_what_it_needs():
    misfits = set(EVERY) - set(FITTING)
    dense = {(model, name) for name in ("cam", "grad-cam", "guided-grad-cam") for model in ("mlp", "tiny")}
    assert misfits == dense | {("lenet", "cam"), ("lenet_avg", "cam")}
    for model, name in misfits:
        network = models.load(model)
        with pytest.raises(ValueError, match=r"layers|feature maps|ends|convolution"):
            explain(network, np.ones((1, *network.input_shape), np.float32), name)


@pytest.mark.parametrize(
    ("layer", "fits"),
    [(ReLU(), True), (ReLU6(), True), (Softplus(), True), (Sigmoid(), True), (BatchNorm(*np.ones((4, 2))), True),
     (Tanh(), False), (GELU(), False), (PReLU(0.1), False), (Hardswish(), False), (ELU(), False)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_rule_for_activations_from_zero_on_asks_what_the_activation_functions_give(layer, fits):
    network = Network([Dense(np.eye(2)), layer, Dense(np.eye(2))])
    for name in ("lrp-z-plus", "lrp-gamma", "excitation", "deep-taylor"):
        assert METHODS[name].fits(network) == fits


@every_fitting
def test_every_method_explains_every_network(R, x, name):
    assert R.shape == ((len(x), *x.shape[2:]) if name in WITHOUT_CHANNELS else x.shape)
    assert R.dtype == np.float32
    assert np.isfinite(R).all()
    assert all(np.abs(R[n]).max() > 0 for n in range(2))


@every_fitting
def test_a_target_is_the_class_that_is_explained(R, network, x, name):
    predicted = network.predict(x)
    assert np.array_equal(explain(network, x, name, predicted), R)
    assert not np.allclose(explain(network, x[:1], name, (predicted[:1] + 1) % 10), R[:1])


@every_fitting
def test_a_batch_gives_what_its_samples_give_one_by_one(R, network, x, name):
    for n in (0, 2):  # a digit, and nothing
        assert np.abs(R[n] - explain(network, x[n : n + 1], name)[0]).max() <= 1e-4 * np.abs(R).max()


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
        explain(network, x, "lrp-gama")


@pytest.mark.parametrize("name", WITHOUT_ATTENTION)
def test_every_method_explains_a_hidden_layer_and_a_hidden_neuron(name, form):
    network = form(models.load("cam_net"))
    x = datasets.strokes(2, seed=models.HELD_OUT_SEED)[0]
    a = network.forward(x)
    if name == "occlusion-flip":  # 1 − v is for pixels: activations beyond 1 have no opposite
        with pytest.raises(ValueError, match=r"takes pixels in \[0, 1\]"):
            explain(network, x, name, at="relu1")
    else:
        at = explain(network, x, name, at="relu1")
        assert at.shape in (a[2].shape, (2, *a[2].shape[2:]))
    if name == "cam":  # it needs the pooling and the dense layer above
        return
    R = explain(network, x, name, ("conv2", (3, 7, 7)))
    assert R.shape in (x.shape, (2, *x.shape[2:]))
    assert np.isfinite(R).all()
    reach = np.zeros(x.shape[2:], bool)  # the pixels that this place of conv2 can see
    reach[2 * 6 - 1 : 2 * 9 + 1, 2 * 6 - 1 : 2 * 9 + 1] = True
    if not name.startswith(("occlusion", "grad-cam", "guided-grad-cam")):  # windows and upsampling reach further
        assert not R.reshape(2, *x.shape[2:])[:, ~reach].any()


def test_a_hidden_layer_of_lrp_is_that_of_the_whole_walk(form):
    network = form(models.load("lenet"))
    x = datasets.strokes(2, seed=models.HELD_OUT_SEED)[0]
    whole = lrp.relevance(network, x, rules=lrp.montavon2019(), all_layers=True)
    assert np.array_equal(explain(network, x, "lrp-montavon2019", at="pool1"), whole[network.index("pool1") + 1])


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.meaning == "difference"])
def test_what_divides_the_difference_to_black_does_so(network, x, name):
    R, whole = explain(network, x, name), divided("difference", network, x)
    gap = np.abs(R.reshape(len(x), -1).sum(axis=1) - whole)
    assert (gap <= (0.05 if name == "integrated-gradients" else 1e-4) * (1 + np.abs(whole))).all()


def test_a_taylor_map_without_a_root_says_so():
    network = models.load("lenet")
    x = datasets.strokes(10, seed=models.HELD_OUT_SEED)[0]
    t = simple_taylor(network, x)
    notes = METHODS["simple-taylor"].note(network, x, None)
    assert 0 < t.found.sum() < 10
    for found, note in zip(t.found, notes, strict=True):
        assert ("no root" in note) == (not found)
        assert "remainder" in note


def test_a_layer_that_is_not_there_or_above(network, x):
    with pytest.raises(ValueError, match="There is no layer 'conv9'"):
        explain(network, x, "gradient", at="conv9")
    with pytest.raises(ValueError, match="not below what is explained"):
        explain(network, x, "gradient", at=network.names[-1])
