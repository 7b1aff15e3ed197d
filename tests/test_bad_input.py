"""The same mistakes with every method: each is one clear error that says what was expected and what came."""

import numpy as np
import pytest

from nnlite import Network, models
from nnlite.decision_based.building_blocks import factors
from nnlite.decision_based.deconvnet import all_filters, deconvnet
from nnlite.decision_based.inputs import like_input
from nnlite.decision_based.registry import METHODS, explain
from nnlite.decision_based.smoothgrad import smoothgrad, smoothgrad_squared, vargrad
from nnlite.decision_based.target import explained
from nnlite.decision_based.taylor import simple_taylor
from nnlite.layers import Conv2d, Dense, Flatten
from nnlite.layers.arguments import count, generator

NET = models.load("cam_net")  # every method fits it
X = np.full((2, 1, 28, 28), 0.5, np.float32)


def changed(value):
    x = X.copy()
    x[1, 0, 3, 4] = value
    return x


MISTAKES = {
    "a wrong size": ((X[:, :, :20],), ValueError, ["1, 28, 28", "(2, 1, 20, 28)"]),
    "no batch axis": ((X[0],), ValueError, ["x[None]"]),
    "a NaN": ((changed(np.nan),), ValueError, ["finite", "x[1, 0, 3, 4]", "nan"]),
    "an infinity": ((changed(np.inf),), ValueError, ["finite", "inf"]),
    "an integer image": (((X * 255).astype(np.uint8),), ValueError, ["uint8", "[0, 1]", "/ 255"]),
    "another dtype": ((X.astype(np.float64),), ValueError, ["float32", "float64", "astype"]),
    "half precision": ((X.astype(np.float16),), ValueError, ["float16", "use x.astype(np.float32)"]),
    "another byte order": ((X.astype(">f4"),), ValueError, [">f4", "use x.astype(np.float32)"]),
    "a list": ((X.tolist(),), TypeError, ["NumPy array", "list"]),
    "a class out of range": ((X, 10), ValueError, ["0 to 9", "10"]),
    "a negative class": ((X, -1), ValueError, ["0 to 9", "-1"]),
    "a class that is no integer": ((X, 1.5), ValueError, ["target", "1.5"]),
    "classes for another batch": ((X, [1, 2, 3]), ValueError, ["target", "[1, 2, 3]"]),
    "ragged classes": ((X, [[1], [2, 3]]), ValueError, ["target", "[[1], [2, 3]]"]),
    "a class that is beyond all integers": ((X, 2**70), ValueError, ["target", str(2**70)]),
    "a layer that is not there": ((X, ("conv9", 0)), ValueError, ["conv9", "conv1, relu1"]),
    "a neuron that is not there": ((X, ("conv1", 16)), ValueError, ["conv1", "16"]),
    "a place that is not there": ((X, ("conv1", (0, 28, 0))), ValueError, ["conv1", "28"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", METHODS)
def test_a_mistake_is_one_clear_error(name, mistake):
    arguments, kind, words = MISTAKES[mistake]
    with pytest.raises(kind) as error:
        explain(name, NET, *arguments)
    assert type(error.value) is kind
    message = str(error.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("name", METHODS)
def test_a_layer_to_explain_at_that_is_not_there(name):
    with pytest.raises(ValueError, match=r"There is no layer 'conv9'; the layers are conv1, relu1"):
        explain(name, NET, X, at="conv9")


@pytest.mark.parametrize("name", METHODS)
def test_an_empty_batch_gives_an_empty_map(name):
    assert len(explain(name, NET, X[:0])) == 0


# ------------------------------------------------------------------------------------- what the methods share

NAN = NET.with_parameters({**NET.parameters, "conv1.b": np.full(16, np.nan, np.float32)})


@pytest.mark.parametrize("target", [None, 3, ("conv1", 0), ("relu1", (1, 2, 3)), ("conv2", 0)], ids=str)
@pytest.mark.parametrize("name", ["gradient", "deconvnet", "occlusion", "lrp-epsilon", "deeplift", "simple-taylor"])
def test_a_nan_in_what_is_explained_is_an_error_for_classes_and_neurons(name, target):
    with pytest.raises(ValueError, match=r"hold a NaN or an infinity; check the network's weights"):
        explain(name, NAN, X, target)


@pytest.mark.parametrize("method", [deconvnet, all_filters])
def test_a_nan_in_the_layer_that_is_sent_back_is_an_error_too(method):
    with pytest.raises(ValueError, match=r"hold a NaN or an infinity; check the network's weights"):
        method(NAN, X, layer="conv2")


def test_what_is_explained_compares_by_identity():
    one, other = explained(NET, X), explained(NET, X)
    assert one != other
    assert len({one, other}) == 2


PIXELS = Network([Conv2d(np.ones((1, 3, 1, 1))), Flatten(), Dense(np.ones((4, 2)))])
PICTURES = np.random.default_rng(0).random((2, 3, 2, 2))
LIKE_INPUT = {  # each of these options takes the same
    "fill": lambda value: explain_with("occlusion", fill=value, size=1),
    "baseline": lambda value: explain_with("integrated-gradients", baseline=value),
    "toward": lambda value: simple_taylor(PIXELS, PICTURES, 0, toward=value).R,
    "reference": lambda value: explain_with("deeplift", reference=value),
}


def explain_with(name, **options):
    return METHODS[name].compute(PIXELS, PICTURES, 0, **options)


@pytest.mark.parametrize("name", LIKE_INPUT)
@pytest.mark.parametrize(
    "value",
    [0.25, 1, np.float32(0.25), np.int64(1), np.array(1), np.full(1, 0.5), np.full((3, 1, 1), 0.25),
     np.full((3, 2, 2), 0.25), np.full((1, 3, 2, 2), 0.25), np.full((2, 3, 2, 2), 0.25),
     np.arange(3.0).reshape(3, 1, 1) / 4, np.arange(2.0)],
    ids=lambda value: f"{type(value).__name__} {np.shape(value)}",
)  # fmt: skip
def test_a_number_or_an_array_like_an_input_or_like_all(name, value):
    assert np.array_equal(LIKE_INPUT[name](value), LIKE_INPUT[name](np.full(PICTURES.shape, value, float)))


@pytest.mark.parametrize("name", LIKE_INPUT)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((3, 1, 1), np.float32), ["float64", "float32 came"]),
        (np.zeros((3, 2, 2), int), ["float64", "int64 came"]),
        (np.zeros((3, 1, 1), bool), ["number", "bool"]),
        (np.zeros((4, 1, 1)), ["(3, 2, 2)", "(2, 3, 2, 2)", "(4, 1, 1) came"]),
        (np.zeros((3, 3, 2, 2)), ["(3, 2, 2)", "(2, 3, 2, 2)", "(3, 3, 2, 2) came"]),
        (np.zeros((1, 2, 3, 2, 2)), ["(2, 3, 2, 2)", "(1, 2, 3, 2, 2) came"]),
        (np.full((3, 1, 1), np.nan), ["finite", "NaN"]),
        (np.nan, ["finite", "nan came"]),
        (-np.inf, ["finite", "-inf came"]),
        (10**400, ["finite", "float64"]),
        (True, ["number", "True came"]),
        ({}, ["number", "{} came"]),
        (1j, ["number", "1j came"]),
    ],
    ids=lambda value: f"{value}"[:20] if np.ndim(value) == 0 else None,
)
def test_what_is_neither(name, value, words):
    with pytest.raises(ValueError, match=rf"^{name} ") as error:
        LIKE_INPUT[name](value)
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_a_number_beyond_the_dtype_is_refused_without_a_warning():
    with pytest.raises(ValueError, match=r"toward must be finite in float32, and 1e\+300 came"):
        like_input(X, 1e300, "toward")


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(2)])
def test_a_count(value):
    assert type(count("owner", "n", value)) is int
    assert count("owner", "n", value) == value


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None, np.ones(1, int)])
def test_no_count(value):
    with pytest.raises(ValueError, match=r"owner: n takes a positive integer, and .* came"):
        count("owner", "n", value)


def test_a_generator_is_taken_as_it_is_and_a_seed_makes_one():
    rng = np.random.default_rng(3)
    assert generator("owner", "rng", rng) is rng
    for seed in (3, np.int64(3)):
        assert generator("owner", "rng", seed).random() == np.random.default_rng(3).random()


RANDOM = {
    "rng": [
        lambda rng: METHODS["occlusion"].compute(NET, X, fill="noise", rng=rng),
        lambda rng: smoothgrad(NET, X, n=1, rng=rng),
        lambda rng: smoothgrad_squared(NET, X, n=1, rng=rng),
        lambda rng: vargrad(NET, X, n=1, rng=rng),
    ],
    "seed": [lambda seed: factors(NET, X, layer="relu1", n=1, iterations=1, seed=seed)],
}


@pytest.mark.parametrize("value", ["a", -3, 1.5, True, None])
@pytest.mark.parametrize(("name", "use"), [(name, use) for name, uses in RANDOM.items() for use in uses])
def test_no_source_of_randomness_is_one_clear_error(name, use, value):
    with pytest.raises(ValueError, match=rf": {name} takes a seed \(an integer from 0\) or a Generator, and .* came"):
        use(value)
