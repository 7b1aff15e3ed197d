"""Copies and pickles of networks and of results: the same numbers, still read-only, whatever was computed before."""

import copy
import multiprocessing
import pickle
import sys

import numpy as np
import pytest

from nnlite import Network, datasets, evaluation, models, stepper, training, uncertainty
from nnlite.decision_based import find_confusion, lrp, mask_by_relevance, occlusion, saliency, simple_taylor
from nnlite.decision_based.building_blocks import factors
from nnlite.decision_based.registry import METHODS
from nnlite.decision_based.target import explained
from nnlite.layers import BatchNorm, Dense, Dropout, ReLU, Softmax
from nnlite.model_based.activation_maximization import general
from nnlite.model_based.objectives import LogProbability

HOW = {"pickle": lambda thing: pickle.loads(pickle.dumps(thing)), "copy": copy.copy, "deepcopy": copy.deepcopy}
every_way = pytest.mark.parametrize("again", HOW.values(), ids=HOW)

RULES = {"epsilon": lrp.epsilon(), "gamma": lrp.gamma(), "montavon2019": lrp.montavon2019()}


@pytest.fixture(scope="module")
def lenet():
    """A network that has explained, in every way that remembers something, and the digits."""
    network, x = models.load("lenet"), datasets.strokes(3, seed=1)[0]
    for rules in RULES.values():
        lrp.relevance(network, x, rules=rules)
    saliency(network, x, ("conv2", 3))
    network.predict(x)
    return network, x


@every_way
def test_a_network_that_has_explained_comes_back_the_same_and_read_only(lenet, again):
    network, x = lenet
    copied = again(network)
    assert (copied.names, copied.input_shape, copied.info) == (network.names, network.input_shape, network.info)
    assert np.array_equal(copied.scores(x), network.scores(x))
    for rules in RULES.values():
        assert np.array_equal(lrp.relevance(copied, x, rules=rules), lrp.relevance(network, x, rules=rules))
    for values in copied.parameters.values():
        with pytest.raises(ValueError, match="read-only"):
            values[...] = 0


def test_a_pickle_is_about_as_large_as_the_weights(lenet):
    normed = Network([Dense(np.ones((100, 100))), BatchNorm(*np.ones((4, 100)))])
    for network in (lenet[0], normed):
        network.merged()  # what is remembered does not go along
        assert len(pickle.dumps(network)) < 1.05 * sum(values.nbytes for values in network.parameters.values()) + 10_000


@every_way
def test_layers_that_a_network_shares_stay_shared(again):
    dense = Dense(np.eye(2))
    network = again(Network([dense, ReLU(), dense]))
    assert network[0] is network[2]


@every_way
def test_a_draw_keeps_its_mask(again):
    network = Network([Dense(np.eye(2)), Dropout(0.5), Softmax()], input_shape=(2,))
    draw, x = network.sample(np.random.default_rng(0), (2,)), np.ones((1, 2))
    assert np.array_equal(again(draw).scores(x), draw.scores(x))


def results(network, x):
    """name -> a result of nearly every method that gives more than an array."""
    labels = network.predict(x)
    digits = datasets.strokes(1000, seed=models.HELD_OUT_SEED)[:2]
    tiny = Network([Dense(np.array([[1.0, -1.0], [2.0, 1.0]])), ReLU()], input_shape=(2,))
    return {
        "explained": explained(network, x),
        "occlusion": occlusion(network, x, size=14, stride=7),
        "ledger": lrp.ledger(network, x),
        "masked": mask_by_relevance(network, x, x),
        "confusion": find_confusion(network, *digits),
        "expansion": simple_taylor(network, x),
        "factors": factors(network, x, layer="relu2", n=2),
        "flipping": evaluation.pixel_flipping(network, x, x),
        "prediction": uncertainty.predict([network, network], x),
        "maps": uncertainty.explanations([network, network], x),
        "trace": stepper.record("lrp-epsilon", tiny, np.ones((1, 2))),
        "prototype": general(network, [1], steps=2),
        "fit": training.fit(network, x, labels, epochs=1, progress=False),
        "objective": LogProbability(network, 1),
    }


def test_results_can_be_pickled_and_copied(lenet):
    for name, result in results(*lenet).items():
        for way, again in HOW.items():
            copied = again(result)
            assert type(copied) is type(result), (name, way)
            for field, value in vars(result).items():
                if isinstance(value, np.ndarray):
                    np.testing.assert_array_equal(getattr(copied, field), value, err_msg=f"{name} {way} {field}")


# ------------------------------------------------------------------------------------------------------- rules

BOX = np.linspace(0.0, 0.5, 784).reshape(1, 28, 28)
EVERY_RULE = {name: method.rules for name, method in METHODS.items() if method.rules is not None} | {
    "gamma": lrp.gamma(0.5, 1e-3),
    "relative": lrp.epsilon(lrp.relative(0.5)),
    "an array as a bound": lrp.z_bounds(-BOX, 1 + BOX),
    "the user's words": lrp.Rule(
        "mine", [lrp.Group([lrp.Term(lrp.A_PLUS, lrp.favour(0.5)), lrp.Term(lrp.minus(BOX))], lrp.where_positive)], 0.1
    ),
    "the user's function": lrp.Composite(first=np.multiply, convolution=lrp.zero(), dense=lrp.epsilon(0.1)),
}


@every_way
@pytest.mark.parametrize("name", EVERY_RULE)
def test_a_rule_or_a_composite_comes_back_equal(again, name):
    rules = EVERY_RULE[name]
    copied = again(rules)
    assert copied == rules
    assert type(copied) is type(rules)
    assert repr(copied) == repr(rules)
    assert hash(copied) == hash(rules)
    for other in EVERY_RULE.values():
        assert (copied == other) == (rules is other)


@every_way
@pytest.mark.parametrize("name", sorted(set(EVERY_RULE) - {"the user's function", "the user's words"}))
def test_its_copy_gives_the_same_bits(again, name, lenet):
    network, x = lenet
    network, x, rules = network.astype(np.float64), x.astype(np.float64), EVERY_RULE[name]
    if isinstance(rules, lrp.Rule):  # its bounds are those of pixels
        rules = lrp.Composite(first=rules, dense=lrp.zero(), convolution=lrp.zero())
    prepared = lrp.LRP(network, rules)
    R = prepared(x)
    assert again(prepared)(x).tobytes() == lrp.relevance(network, x, rules=again(rules)).tobytes() == R.tobytes()


def test_rules_differ_by_their_contents():
    assert lrp.gamma(0.5) == lrp.gamma(0.5)
    assert lrp.gamma(0.5) != lrp.gamma(0.25)
    assert lrp.z_bounds(-BOX, 1.0) == lrp.z_bounds(-BOX.copy(), 1.0)
    assert lrp.z_bounds(-BOX, 1.0) != lrp.z_bounds(-2 * BOX, 1.0)
    assert lrp.montavon2019() == lrp.montavon2019()
    assert lrp.EpsilonPlus() != lrp.EpsilonPlusFlat()
    assert len({lrp.gamma(0.5), lrp.gamma(0.5), lrp.gamma(1.0), lrp.zero()}) == 3


def total(rules):
    """What another process makes of a rule."""
    network = Network([Dense(np.array([[3.0], [-1.0]]))])
    return float(lrp.relevance(network, np.array([[2.0, 1.0]]), rules=rules).sum())


def test_other_processes_take_rules():
    rules = [lrp.zero(), lrp.epsilon(0.25), lrp.Composite(dense=lrp.gamma()), lrp.w_squared()]
    with multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn").Pool(2) as pool:
        assert pool.map(total, rules) == [total(each) for each in rules]


def test_other_processes_take_a_network(lenet):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (R,) = pool.starmap(lrp.relevance, [lenet])
    np.testing.assert_array_equal(R, lrp.relevance(*lenet))
