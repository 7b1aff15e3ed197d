"""The same mistakes with every method: each is one clear error that says what was expected and what was given."""

import numpy as np
import pytest

from nnlite import Network, models, pictures
from nnlite.decision_based import lrp, mask_by_relevance
from nnlite.decision_based.attention_maps import has_attention
from nnlite.decision_based.building_blocks import factors
from nnlite.decision_based.cam import upsampled
from nnlite.decision_based.deconvnet import all_filters, deconvnet
from nnlite.decision_based.inputs import like_input
from nnlite.decision_based.integrated_gradients import completeness_gap
from nnlite.decision_based.registry import METHODS, explain
from nnlite.decision_based.smoothgrad import smoothgrad, smoothgrad_squared, vargrad
from nnlite.decision_based.target import explained
from nnlite.decision_based.taylor import simple_taylor
from nnlite.evaluation import mass_accuracy, max_sensitivity, rank_correlation
from nnlite.layers import Conv2d, Dense, Flatten
from nnlite.layers.arguments import count, generator
from nnlite.model_based import ascend, deepdream, general
from nnlite.model_based.objectives import squared_norm
from nnlite.pictures import sheet
from nnlite.training import cross_entropy, fit
from nnlite.uncertainty import Evidence, Prediction

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
    "a masked array": ((np.ma.array(X, mask=X > 1),), TypeError, ["x: ", "got a masked one", "x.filled(0)"]),
    "a masked target": ((X, np.ma.array([1, 2])), TypeError, ["target: ", "got a masked one"]),
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

WITHOUT_ATTENTION = [name for name in METHODS if METHODS[name].fits is not has_attention]


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", WITHOUT_ATTENTION)
def test_a_mistake_is_one_clear_error(name, mistake):
    arguments, kind, words = MISTAKES[mistake]
    with pytest.raises(kind) as error:
        explain(NET, arguments[0], name, *arguments[1:])
    assert type(error.value) is kind
    message = str(error.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("name", WITHOUT_ATTENTION)
def test_a_layer_to_explain_at_that_is_not_there(name):
    with pytest.raises(ValueError, match=r"There is no layer 'conv9'; the layers are conv1, relu1"):
        explain(NET, X, name, at="conv9")


@pytest.mark.parametrize("name", WITHOUT_ATTENTION)
def test_an_empty_batch_gives_an_empty_map(name):
    assert len(explain(NET, X[:0], name)) == 0


# ------------------------------------------------------------------------------------- what the methods share

NAN = NET.with_parameters({**NET.parameters, "conv1.b": np.full(16, np.nan, np.float32)})


@pytest.mark.parametrize("target", [None, 3, ("conv1", 0), ("relu1", (1, 2, 3)), ("conv2", 0)], ids=str)
@pytest.mark.parametrize("name", ["gradient", "deconvnet", "occlusion", "lrp-epsilon", "deeplift", "simple-taylor"])
def test_a_nan_in_what_is_explained_is_an_error_for_classes_and_neurons(name, target):
    with pytest.raises(ValueError, match=r"hold a NaN or an infinity; check the network's weights"):
        explain(NAN, X, name, target)


@pytest.mark.parametrize("method", [deconvnet, all_filters])
def test_a_nan_in_the_layer_that_is_sent_back_is_an_error_too(method):
    with pytest.raises(ValueError, match=r"hold a NaN or an infinity; check the network's weights"):
        method(NAN, X, layer="conv2")


def test_what_is_explained_compares_by_identity():
    one, other = explained(NET, X), explained(NET, X)
    assert one != other
    assert len({one, other}) == 2


def masked(values):
    return np.ma.array(values, mask=np.zeros(np.shape(values), bool))


MAPS = np.ones((2, 28, 28))
LABELS = np.array([1, 2])
PROBABILITIES = np.full((1, 2, 10), 0.1)
MASKED = {  # what else takes an array
    "forward": ("x", lambda: NET.forward(masked(X))),
    "output": ("x", lambda: NET.output(masked(X))),
    "predict": ("x", lambda: NET.predict(masked(X))),
    "a layer": ("a", lambda: NET[0].forward(masked(X))),
    "the signal above a layer": ("dz", lambda: NET[0].backward(X, masked(NET[0].forward(X)))),
    "weights": ("W", lambda: Dense(masked(np.eye(2)))),
    "parameters": ("b", lambda: NET.with_parameters({**NET.parameters, "conv1.b": masked(np.zeros(16, np.float32))})),
    "fit": ("x", lambda: fit(NET, masked(X), LABELS, epochs=1)),
    "labels": ("labels", lambda: fit(NET, X, masked(LABELS), epochs=1)),
    "cross-entropy": ("scores", lambda: cross_entropy(masked(np.zeros((2, 10))), LABELS)),
    "erasing": ("R", lambda: mask_by_relevance(NET, X, masked(MAPS))),
    "a fill": ("fill", lambda: explain_with("occlusion", fill=masked(np.zeros((3, 2, 2))))),
    "a reference": ("reference", lambda: explain_with("deeplift", reference=[0, masked(np.zeros((3, 2, 2)))])),
    "bounds": ("high", lambda: lrp.z_bounds(0, masked([1.0, 2.0]))),
    "noise": ("noise", lambda: smoothgrad(NET, X, noise=masked(np.zeros((1, *X.shape), np.float32)))),
    "enlarging": ("L", lambda: upsampled(masked(MAPS), 56)),
    "completeness": ("R", lambda: completeness_gap(NET, X, masked(X))),
    "correlation": ("S", lambda: rank_correlation(MAPS, masked(MAPS))),
    "ground truth": ("truth", lambda: mass_accuracy(MAPS, masked(MAPS > 0))),
    "a map by a method": ("R", lambda: max_sensitivity(NET, X, lambda network, x, target: masked(x), n=1)),
    "averages": ("p", lambda: Prediction(masked(PROBABILITIES))),
    "evidence": ("alpha", lambda: Evidence(masked(np.ones((2, 3))))),
    "ascent": ("start", lambda: ascend(squared_norm, masked(X))),
    "a start": ("start", lambda: general(NET, [1, 2], start=masked(X))),
    "dreaming": ("x", lambda: deepdream(NET, masked(X), "relu1")),
    "a heatmap": ("R", lambda: pictures.plane(masked(MAPS[0]))),
    "a sheet": ("images", lambda: sheet(masked(MAPS))),
}


@pytest.mark.parametrize("where", MASKED)
def test_a_masked_array_is_refused_wherever_an_array_is_taken(where):
    name, call = MASKED[where]
    with pytest.raises(
        TypeError, match=rf"^(layer \w+: )?{name}: expected a plain array, got a masked one; .*filled\(0\)"
    ):
        call()


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
        (np.zeros((3, 1, 1), np.float32), ["float64", " float32"]),
        (np.zeros((3, 2, 2), int), ["float64", " int64"]),
        (np.zeros((3, 1, 1), bool), ["number", "bool"]),
        (np.zeros((4, 1, 1)), ["(3, 2, 2)", "(2, 3, 2, 2)", "got (4, 1, 1)"]),
        (np.zeros((3, 3, 2, 2)), ["(3, 2, 2)", "(2, 3, 2, 2)", "got (3, 3, 2, 2)"]),
        (np.zeros((1, 2, 3, 2, 2)), ["(2, 3, 2, 2)", "got (1, 2, 3, 2, 2)"]),
        (np.full((3, 1, 1), np.nan), ["finite", "NaN"]),
        (np.nan, ["finite", "got nan"]),
        (-np.inf, ["finite", "got -inf"]),
        (10**400, ["finite", "float64"]),
        (True, ["number", "got True"]),
        ({}, ["number", "got {}"]),
        (1j, ["number", "got 1j"]),
    ],
    ids=lambda value: f"{value}"[:20] if np.ndim(value) == 0 else None,
)
def test_what_is_neither(name, value, words):
    with pytest.raises(ValueError, match=rf"^{name} ") as error:
        LIKE_INPUT[name](value)
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)


def test_a_number_beyond_the_dtype_is_refused_without_a_warning():
    with pytest.raises(ValueError, match=r"toward must be finite in float32, got 1e\+300"):
        like_input(X, 1e300, "toward")


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(2)])
def test_a_count(value):
    assert type(count("owner", "n", value)) is int
    assert count("owner", "n", value) == value


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None, np.ones(1, int)])
def test_no_count(value):
    with pytest.raises(ValueError, match=r"owner: n takes a positive integer, got .*"):
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
    with pytest.raises(ValueError, match=rf": {name} takes a seed \(an integer from 0\) or a Generator, got .*"):
        use(value)
