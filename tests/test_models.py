"""The networks that come with nnlite: built the same again, and as good as they say."""

import numpy as np
import pytest

from nnlite import datasets, models
from nnlite.training import accuracy

SAMPLES = 1000
SHIPPED = (*models.NAMES, *models.MEMBERS[1:])


def held_out(network):
    """A fixed part of the digits that the network was not trained on."""
    if network.info["dataset"] in ("strokes", "textures"):
        return getattr(datasets, network.info["dataset"])(SAMPLES, seed=models.HELD_OUT_SEED)
    return models.digits(network.info["dataset"], "test")


def test_the_names():
    names = (*models.VERIFIED, "lenet_dropout", "lenet_evidential", "colour_net", "resnet", "colour_resnet")
    assert names == models.NAMES
    assert set(models.RECIPES) == set(models.NAMES)
    assert {*models.LOSSES, *models.HALF} <= set(models.NAMES)
    assert models.MEMBERS[0] == "lenet"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_loaded_network_is_as_good_as_it_says(name):
    network = models.load(name)
    x, labels = held_out(network)
    stated = network.info["held_out_accuracy"]
    measured = accuracy(network, x, labels)
    if len(x) == network.info["held_out"]:
        assert abs(measured - stated) <= 1.5 / len(x)  # one digit may tip over on another machine
    else:  # 1,000 of the 10,000: four standard deviations of such a part
        assert abs(measured - stated) <= 4 * np.sqrt(stated * (1 - stated) / len(x))
    assert stated > 0.9


@pytest.mark.parametrize("name", models.NAMES)
def test_a_loaded_network_is_the_one_that_its_recipe_makes(name):
    network, fresh = models.load(name), models.build(name)
    assert network.dtype == np.float32
    assert network.input_shape == fresh.input_shape == models.IMAGES[network.info["dataset"]]
    assert network.summary() == fresh.summary()
    assert network.output_shape((2, *network.input_shape)) == (2, 10)
    assert network.info["model"] == name
    for key, value in vars(models.RECIPES[name]).items():
        assert network.info[key] == value, key
    assert all(np.isfinite(value).all() for value in network.parameters.values())
    assert not any(np.array_equal(network.parameters[key], value) for key, value in fresh.parameters.items())


def test_the_members_of_the_ensemble_differ_in_their_seeds_alone():
    members = models.ensemble()
    assert len(members) == len(models.MEMBERS)
    for seed, (name, member) in enumerate(zip(models.MEMBERS, members, strict=True)):
        assert name == ("lenet" if seed == 0 else f"lenet-{seed}")
        assert member.summary() == models.build("lenet").summary()
        recipe = vars(models.RECIPES["lenet"]) | {"model": "lenet", "seed": seed}
        assert {key: member.info[key] for key in recipe} == recipe
    weights = [member.parameters["dense2.W"] for member in members]
    assert not any(np.array_equal(a, b) for i, a in enumerate(weights) for b in weights[:i])


@pytest.mark.parametrize("name", models.NAMES)
def test_the_same_seed_builds_the_same_network(name):
    one, again, other = models.build(name, 3), models.build(name, 3), models.build(name, 4)
    for key, value in one.parameters.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, again.parameters[key])
        assert key.endswith((".b", ".gamma", ".beta")) or not np.array_equal(value, other.parameters[key])
        assert not value.flags.writeable


@pytest.mark.parametrize("name", models.NAMES)
def test_fresh_weights_have_the_variance_of_he(name):
    """Var w = 2 / inputs, so that the activations keep their size from layer to layer; biases start at zero.

    A BatchNorm starts with γ = 1 and β = 0. The scores of an evidential network start at 2, nearly the same for every
    class and digit.
    """
    fresh = dict(models.build(name).parameters)
    if name == "lenet_evidential":
        usual = models.build("lenet").parameters
        assert (fresh.pop("dense2.b") == 2).all()
        assert np.allclose(10 * fresh.pop("dense2.W"), usual["dense2.W"])
        assert all(np.array_equal(value, usual[key]) for key, value in fresh.items())
    for key, value in fresh.items():
        if key.endswith((".b", ".gamma", ".beta")):
            assert (value == key.endswith(".gamma")).all()
        else:
            inputs = value.shape[0] if value.ndim == 2 else np.prod(value.shape[1:])
            spread = 5 * np.sqrt(2 / value.size)  # five standard deviations of a measured variance
            assert abs(value.var() * inputs / 2 - 1) < spread


@pytest.mark.parametrize("function", [models.load, models.build])
@pytest.mark.parametrize("name", ["resnet50", "", "Tiny", "../weights/tiny"])
def test_an_unknown_name(function, name):
    with pytest.raises(ValueError, match=r"There is no network .*; the names are mlp, lenet, lenet_avg, cam_net, tiny"):
        function(name)


def test_the_digits():
    for dataset in ("uci",):
        for split in ("train", "test"):
            x, labels = models.digits(dataset, split)
            assert x.shape[1:] == models.IMAGES[dataset]
            assert len(x) == len(labels)
    assert datasets.strokes(1)[0].shape[1:] == models.IMAGES["strokes"]
    with pytest.raises(
        ValueError, match="There is no data set 'cifar'; the names are strokes, textures, uci and mnist"
    ):
        models.digits("cifar", "train")
    with pytest.raises(ValueError, match='split takes "train" or "test"'):
        models.digits("uci", "all")
