"""Copies and pickles of networks and of results: the same numbers, still read-only, whatever was computed before."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

from nnlite import Network, datasets, evaluation, models, stepper, training, uncertainty
from nnlite.decision_based import find_confusion, lrp, mask_by_relevance, occlusion, saliency, simple_taylor
from nnlite.decision_based.building_blocks import factors
from nnlite.decision_based.target import explained
from nnlite.layers import Dense, Dropout, ReLU, Softmax
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
    network, _ = lenet
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
        "maps": uncertainty.explain([network, network], x),
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


def test_other_processes_take_a_network(lenet):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (R,) = pool.starmap(lrp.relevance, [lenet])
    np.testing.assert_array_equal(R, lrp.relevance(*lenet))
