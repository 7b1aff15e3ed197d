"""Feature visualization: targets, windows, examples, what the search reaches, and bad input."""

from dataclasses import replace

import numpy as np
import pytest

from nnlite import Network, datasets, models
from nnlite.layers import AvgPool2d, Conv2d, Dense, Flatten, GlobalAvgPool, Identity, MaxPool2d, ReLU
from nnlite.model_based.ascent import moved
from nnlite.model_based.channels import Channels, all_channels
from nnlite.model_based.dataset_examples import CHUNK, channel_examples, dataset_examples
from nnlite.model_based.feature_visualization import objective, visualize
from nnlite.model_based.fourier import MARGIN
from nnlite.model_based.objectives import LogProbability, Score, Through, squared_norm
from nnlite.model_based.penalties import TotalVariation, gram_similarity, high_frequency_share
from nnlite.model_based.receptive_field import receptive_field
from nnlite.model_based.transformations import Jitter
from nnlite.pictures import sheet

rng = np.random.default_rng(61)


def w(*shape):
    return rng.normal(size=shape) * 0.5


COLOUR = Network(
    [Conv2d(w(4, 3, 3, 3), w(4), padding=1), ReLU(), MaxPool2d(2), Conv2d(w(5, 4, 3, 3), w(5)), ReLU(), Flatten(),
     Dense(w(45, 3), w(3))],
    input_shape=(3, 10, 11),
)  # fmt: skip
LENET = models.load("lenet")


# ------------------------------------------------------------------------------------------- targets, windows, examples


def test_channels_are_the_scores_of_each_sample():
    x, k = rng.normal(size=(3, 3, 10, 11)), np.array([4, 0, 2])
    value, gradient = Through(COLOUR[:4], Channels(k))(x)
    for n in range(3):
        one, its_gradient = Score(COLOUR, ("conv2", int(k[n])))(x[n : n + 1])
        assert np.allclose(value[n], one[0])
        assert np.allclose(gradient[n], its_gradient[0])


def connected(layer):
    if isinstance(layer, (Dense, Conv2d)):
        return replace(layer, W=np.ones(layer.W.shape), b=None)
    if isinstance(layer, MaxPool2d):
        return AvgPool2d(layer.size, layer.stride, layer.padding)
    return Identity() if isinstance(layer, ReLU) else layer


WINDOWED = Network(
    [Conv2d(w(2, 1, 3, 2), stride=(2, 1), padding=1), ReLU(), MaxPool2d(2, stride=1), Conv2d(w(3, 2, 2, 2), dilation=2)]
)


@pytest.mark.parametrize(("network", "layer", "shape"), [
    (LENET, "conv1", (1, 28, 28)), (LENET, "pool2", (1, 28, 28)), (COLOUR, "conv2", (3, 10, 11)),
    (WINDOWED, "conv2", (1, 15, 9)),
])  # fmt: skip
def test_the_window_holds_just_the_connected_pixels(network, layer, shape):
    ones = Network([connected(one) for one in network], network.names)
    _, _, H, W = network[: network.index(layer) + 1].output_shape((1, *shape))
    for y, x in [(0, 0), (H - 1, W - 1), (H // 2, W // 3), (0, W - 1)]:
        reached = Score(ones, (layer, (1, y, x)))(np.ones((1, *shape)))[1][0].any(axis=0)
        rows, columns = receptive_field(network, (layer, (1, y, x)), shape)
        expected = np.zeros(shape[1:], bool)
        expected[rows, columns] = True
        assert np.array_equal(reached.any(axis=1), expected.any(axis=1))
        assert np.array_equal(reached.any(axis=0), expected.any(axis=0))


@pytest.mark.parametrize("target", [3, ("conv2", 7), ("conv2", (7,)), ("dense1", 5), "conv2", squared_norm])
def test_what_is_no_single_place_sees_the_whole_image(target):
    assert receptive_field(LENET, target) == (slice(0, 28), slice(0, 28))


def test_examples_are_the_best_images():
    images = rng.normal(size=(CHUNK + 20, 3, 10, 11))
    scores = COLOUR.scores(images)[:, 1]
    best = dataset_examples(Score(COLOUR, 1), images, n=4)
    assert best.index.tolist() == np.argsort(-scores)[:4].tolist()
    assert np.allclose(best.value, scores[best.index])
    each = channel_examples(COLOUR, images, "conv2", n=2)
    for k in range(5):
        one = dataset_examples(Score(COLOUR, ("conv2", k)), images, n=2)
        assert np.array_equal(each.index[k], one.index)
        assert np.allclose(each.value[k], one.value)
    same = dataset_examples(squared_norm, np.ones((5, 2)), n=2)
    assert same.index.tolist() == [0, 1]
    with pytest.raises(ValueError, match="6 examples need as many images, got 5"):
        dataset_examples(squared_norm, np.ones((5, 2)), n=6)


def test_a_sheet_of_colours():
    x = rng.random((5, 3, 2, 4))
    whole = sheet(x, columns=3, gap=0.5)
    assert whole.shape == (3, 5, 14)
    for k in range(5):
        row, column = divmod(k, 3)
        assert np.array_equal(whole[:, 3 * row : 3 * row + 2, 5 * column : 5 * column + 4], x[k])
    assert np.isclose(whole.sum(), x.sum() + 0.5 * (3 * 5 * 14 - x.size))
    with pytest.raises(ValueError, match="one or more"):
        sheet(x[:0])
    with pytest.raises(ValueError, match="positive integer"):
        sheet(x, columns=0)
    grey = np.full((3, 1, 2, 2), 7, np.uint8)
    assert sheet(grey, gap=255)[0, 2, 0] == 255
    for gap in (0.5, -1, 256):
        with pytest.raises(ValueError, match=f"gap takes a number of the kind of the images, uint8; got {gap}"):
            sheet(grey, gap=gap)


# ---------------------------------------------------------------------------------------------------------- the search


def test_a_channel_is_excited_beyond_every_digit():
    strokes = datasets.strokes(200, seed=models.HELD_OUT_SEED)[0]
    f = Score(LENET, ("conv2", 7))
    v = visualize(LENET, ("conv2", 7), steps=60)
    assert v.x.shape == (1, 1, 28, 28)
    assert v.x.dtype == np.float32
    assert 0 <= v.x.min() <= v.x.max() <= 1
    assert np.array_equal(v.activation, f(v.x)[0])
    assert v.activation[0] > 2 * dataset_examples(f, strokes).value[0] > f(v.start)[0][0]


def test_fourier_and_transformations_take_out_the_noise():
    def share(**options):
        return high_frequency_share(all_channels(LENET, "conv2", [1, 4, 9], steps=60, **options).x).mean()

    naive = share(parameterization="pixels", transformations=())
    assert share(transformations=()) < 0.8 * naive
    assert share(parameterization="pixels") < 0.8 * naive
    assert share() < 0.5 * naive
    assert share(penalties=[(0.5, TotalVariation(2))]) < 0.5 * share()


@pytest.mark.parametrize("parameterization", ["pixels", "fourier"])
def test_all_channels_are_the_searches_of_each(parameterization):
    start = np.random.default_rng(3).uniform(0.2, 0.8, (1, 3, 10, 11))
    options = {"parameterization": parameterization, "transformations": (), "steps": 15, "start": start}
    together = all_channels(COLOUR, "conv2", [3, 1], **options)
    for i, k in enumerate((3, 1)):
        alone = visualize(COLOUR, ("conv2", k), **options)
        assert np.allclose(together.x[i], alone.x[0], atol=1e-9)
        assert np.isclose(together.activation[i], alone.activation[0])
        assert alone.activation[0] > alone.values[0, 0]


@pytest.mark.parametrize("target", [
    2, np.array([0, 2]), ("conv2", (1, 2, 2)), ("conv2", 1), ("dense1", 1), "conv1", LogProbability(COLOUR, 2),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_target_rises_on_coloured_images(target, dtype):
    network = COLOUR.astype(dtype)
    target = replace(target, network=network) if isinstance(target, LogProbability) else target
    v = visualize(network, target, n=2, steps=30, transformations=(Jitter(1),))
    assert v.x.shape == (2, 3, 10, 11)
    assert v.x.dtype == v.activation.dtype == dtype
    assert np.isfinite(v.x).all()
    assert (v.activation > objective(network, target)(v.start)[0]).all()


def test_diversity_pushes_the_images_apart():
    likeness = Through(LENET[:4], gram_similarity)
    alike = visualize(LENET, ("conv2", 7), n=3, steps=60)
    apart = visualize(LENET, ("conv2", 7), n=3, steps=60, diversity=50)
    assert likeness(apart.x)[0].mean() < likeness(alike.x)[0].mean() - 0.2
    assert (apart.activation > 0).all()
    of_class = visualize(LENET, 3, n=2, steps=3, diversity=1)  # compared at the last feature maps
    assert np.array_equal(of_class.x, visualize(LENET, 3, n=2, steps=3, diversity=1, diversity_layer="pool2").x)


def test_the_same_seed_gives_the_same_bits():
    first, second = (visualize(COLOUR, 1, n=2, steps=8, rng=4) for _ in range(2))
    assert np.array_equal(first.x, second.x)
    assert not np.array_equal(first.x, visualize(COLOUR, 1, n=2, steps=8, rng=5).x)
    assert not np.array_equal(first.x[0], first.x[1])


def test_the_way_is_kept_as_images():
    v = visualize(COLOUR, 1, steps=5, keep=True)
    assert v.trajectory.shape == (6, 1, 3, 10, 11)
    assert np.array_equal(v.trajectory[0], v.start)
    assert np.array_equal(v.trajectory[-1], v.x)
    assert v.values.shape == (6, 1)
    assert visualize(COLOUR, 1, steps=5).trajectory is None


@pytest.mark.parametrize("parameterization", ["pixels", "fourier"])
def test_a_search_begins_where_it_is_told(parameterization):
    start = datasets.strokes(2, seed=5)[0]
    v = visualize(LENET, 3, n=2, start=start, steps=1, parameterization=parameterization)
    assert np.abs(v.start - start).max() <= (MARGIN + 1e-6) * (parameterization == "fourier")


def test_without_transformations_and_penalties_the_values_are_f():
    v = visualize(COLOUR, 1, steps=20, transformations=(), keep=True)
    expected = np.stack([Score(COLOUR, 1)(x)[0] for x in v.trajectory])
    assert np.allclose(v.values, expected)
    fine = visualize(COLOUR, 1, steps=20, transformations=(), penalties=[(0.2, TotalVariation())], keep=True)
    expected = [Score(COLOUR, 1)(x)[0] - 0.2 * TotalVariation()(x)[0] for x in fine.trajectory]
    assert np.allclose(fine.values, expected)


# ---------------------------------------------------------------------------------------------------------- bad input

VECTORS = Network([Dense(w(6, 2))], input_shape=(6,))
BAD = {
    "unknown layer": (LENET, ("conv9", 1), {}, "no layer 'conv9'"),
    "unknown layer to dream": (LENET, "conv9", {}, "no layer 'conv9'"),
    "channel": (LENET, ("conv2", 16), {}, "an index below 16"),
    "class": (LENET, 10, {}, "classes from 0 to 9"),
    "no target": (LENET, None, {}, "got None"),
    "penalty": (LENET, 1, {"penalties": [(-0.1, TotalVariation())]}, "a number from 0, got -0.1"),
    "penalty NaN": (LENET, 1, {"penalties": [(np.nan, TotalVariation())]}, "finite"),
    "diversity below 0": (LENET, 1, {"diversity": -1, "n": 2}, "a number from 0"),
    "diversity of one": (LENET, 1, {"diversity": 1}, "n is 1"),
    "diversity without maps": (models.load("tiny"), 1, {"diversity": 1, "n": 2}, "diversity_layer"),
    "diversity nowhere": (LENET, 1, {"diversity": 1, "n": 2, "diversity_layer": "x"}, "no layer 'x'"),
    "no images": (VECTORS, 1, {}, r"a network of images \(C, H, W\)"),
    "no shape": (WINDOWED, ("conv2", 1), {}, "give shape"),
    "other shape": (LENET, 1, {"shape": (1, 20, 20)}, "takes the shape"),
    "parameterization": (LENET, 1, {"parameterization": "wavelets"}, '"fourier" or "pixels"'),
    "start NaN": (LENET, 1, {"start": np.full((1, 28, 28), np.nan, np.float32)}, "finite"),
    "start beyond": (LENET, 1, {"start": 2.0}, r"images in \[0, 1\]"),
    "start of another size": (LENET, 1, {"start": np.zeros((1, 1, 8, 8), np.float32)}, "start takes"),
    "n": (LENET, 1, {"n": 0}, "positive integer"),
    "steps": (LENET, 1, {"steps": 0}, "positive integer"),
    "rate": (LENET, 1, {"rate": 0}, "above 0"),
    "seed": (LENET, 1, {"rng": -1}, "a seed"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case):
    network, target, options, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        visualize(network, target, **{"steps": 2} | options)


def test_what_is_of_another_type_is_refused():
    with pytest.raises(TypeError, match="pairs"):
        visualize(LENET, 1, penalties=[TotalVariation()])
    with pytest.raises(TypeError, match="transformations takes"):
        visualize(LENET, 1, transformations=(3,))
    with pytest.raises(ValueError, match="channels from 0 to 7"):
        all_channels(LENET, "conv1", [8])
    with pytest.raises(ValueError, match="Channels takes 2 channels"):
        Channels(np.array([0]))(np.ones((2, 3)))


def test_a_search_that_diverges_is_reported():
    def explosive(x):
        return (x**3).sum(axis=(1, 2, 3)), np.full_like(x, np.inf)

    with pytest.raises(FloatingPointError, match="step 1 of 9"):
        visualize(COLOUR, explosive, steps=9)


@pytest.mark.parametrize("index", [(1, 99, 0), (99, 0, 0), (1, 2), None, "abc", -1, 1.5])
def test_the_field_of_a_neuron_that_is_not_there(index):
    with pytest.raises(ValueError, match="target takes a neuron of layer conv2"):
        receptive_field(LENET, ("conv2", index))


def test_one_thing_in_the_place_of_several():
    one = all_channels(LENET, "conv1", 3, steps=1)
    assert one.x.shape == (1, 1, 28, 28)
    with pytest.raises(TypeError, match="transformations takes a sequence of them, such as"):
        visualize(LENET, 1, transformations=Jitter(2))
    with pytest.raises(TypeError, match="penalties takes pairs"):
        visualize(LENET, 1, penalties=TotalVariation())
    with pytest.raises(ValueError, match="shape takes one or more positive integers, got 28"):
        visualize(LENET, 1, shape=28)
    with pytest.raises(TypeError, match="images takes a NumPy array"):
        dataset_examples(squared_norm, [[1.0, 2.0]])


# ---------------------------------------------------------------------------------------------------- closed ReLUs

SHUT = Network(  # at middle grey all is closed; bright pixels open channel 0, nothing opens 1, and 2 sees nothing
    [
        Conv2d(np.array([1.0, -1.0, 0.0]).reshape(3, 1, 1, 1) * np.ones((3, 1, 3, 3)), np.array([-6.0, -0.5, -1.0])),
        ReLU(), GlobalAvgPool(), Flatten(), Dense(np.eye(3)),
    ],
    input_shape=(1, 8, 8),
)  # fmt: skip


@pytest.mark.parametrize("parameterization", ["fourier", "pixels"])
def test_a_closed_relu_leaks_until_it_opens_and_what_has_no_way_up_does_not_move(parameterization):
    found = all_channels(SHUT, "relu1", steps=64, parameterization=parameterization)
    assert Score(SHUT, ("relu1", 0))(found.start)[0].tolist() == [0, 0, 0]
    assert found.activation[0] > 10
    assert found.activation[1:].tolist() == [0, 0]
    assert moved(found).tolist() == [True, True, False]
    assert np.array_equal(found.x[2], found.start[2])
    for target in (0, ("relu1", 0), LogProbability(SHUT, 0, leak=True)):
        assert moved(visualize(SHUT, target, steps=4)).all()
    assert not moved(visualize(SHUT, "relu1", steps=4)).any()  # the signal 2 a at its top is 0


def test_a_leak_changes_no_gradient_that_is_there():
    """One image of a batch is lost, the others keep their bits; and what would lower a closed neuron does not leak."""
    x = np.stack([np.full((1, 8, 8), 0.5), np.ones((1, 8, 8)), np.linspace(0, 1, 64).reshape(1, 8, 8)])
    for f in (
        Score(SHUT, 0),
        Score(SHUT, ("relu1", (0, 2, 2))),
        LogProbability(SHUT, 0),
        Through(SHUT[:2], Channels(np.zeros(3, int))),
    ):
        exact, leaked = f(x)[1], replace(f, leak=True)(x)[1]
        there = exact.any(axis=(1, 2, 3))
        assert there.tolist() in ([False, True, True], [False, True, False])
        assert np.array_equal(exact[there], leaked[there])
        assert leaked[~there].any(axis=(1, 2, 3)).all()
    lowered = Score(Network([*SHUT.layers, Dense(-np.eye(3))], input_shape=(1, 8, 8)), 0, leak=True)
    assert not lowered(x[:1])[1].any()


def test_the_search_for_a_silent_channel_of_lenet_begins():
    found = all_channels(LENET, "relu2", [0, 7], steps=60)
    assert Score(LENET, ("relu2", 0))(found.start)[0][0] == 0
    assert (found.activation > 20).all()
