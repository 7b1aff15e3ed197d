"""DeepDream: exact gradients, tiles that change nothing, octaves as they are described, and what cannot be dreamt."""

import importlib

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nnlite import Network, models
from nnlite.decision_based import upsampled
from nnlite.layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Tanh,
)
from nnlite.model_based.ascent import ascend, box
from nnlite.model_based.deepdream import MeanStep, deepdream, resized
from nnlite.model_based.objectives import Through, squared_norm
from nnlite.model_based.tiles import Selected, Sight, Tiled, sight, without_padding

# The package's attribute of this name is the function, so its module is asked for by name.
module = importlib.import_module("nnlite.model_based.deepdream")

ALL = (slice(None),) * 4


def conv(rng, channels, filters, size, **options):
    return Conv2d(rng.normal(size=(filters, channels, size, size)), rng.normal(size=filters), **options)


@pytest.fixture
def small():
    """A network of two convolutions in float64 that takes colour images."""
    rng = np.random.default_rng(0)
    return Network([conv(rng, 3, 4, 3, padding=1), ReLU(), AvgPool2d(2), conv(rng, 4, 5, 3), Tanh()])


def image(*shape, seed=1):
    return np.random.default_rng(seed).random(shape)


def slope(f, x, direction, h=1e-6):
    return (f(x + h * direction)[0] - f(x - h * direction)[0]) / (2 * h)


# ------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("tile", [None, 4])
@pytest.mark.parametrize("channel", [None, 3])
def test_the_gradient_against_finite_differences(small, tile, channel):
    x = image(2, 3, 15, 12)
    f = module._objective(small, x, channel, tile)
    gradient = f(x)[1]
    for seed in range(5):
        direction = np.random.default_rng(seed).normal(size=x.shape)
        analytic = (gradient * direction).sum(axis=(1, 2, 3))
        assert np.allclose(analytic, slope(f, x, direction), rtol=1e-6, atol=1e-6)


def test_the_value_is_the_sum_of_the_squares(small):
    x = image(2, 3, 15, 12)
    a = small.forward(x)[-1][:, :, 1:, 1:-1]  # the first row, the first and the last column see padding
    assert a.shape == (2, 5, 4, 2)
    assert np.allclose(module._objective(small, x, None, None)(x)[0], (a**2).sum(axis=(1, 2, 3)))
    assert np.allclose(module._objective(small, x, 2, 4)(x)[0], (a[:, 2] ** 2).sum(axis=(1, 2)))


# ----------------------------------------------------------------------------------------------------------- tiles


@pytest.mark.parametrize("tile", [8, 20, 33, 64, 500])
@pytest.mark.parametrize("layers", [1, 4, 7, 11])
def test_tiles_are_the_whole_on_colour_net(tile, layers):
    network = models.build("colour_net").astype(np.float64)[:layers]
    network = Network(network.layers)
    x = image(1, 3, 77, 91)
    value, gradient = Through(network, squared_norm)(x)
    in_tiles, its_gradient = Tiled(network, squared_norm, tile, ALL)(x)
    assert np.abs(in_tiles / value - 1).max() < 1e-12
    assert np.abs(its_gradient - gradient).max() < 1e-12 * np.abs(gradient).max()


@st.composite
def rows_of_layers(draw):
    """Any row of convolutions and poolings with windows, strides, paddings and gaps of all kinds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    layers, channels = [], 2
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "max", "avg", "relu", "norm"]))
        k, s = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        if kind == "conv":
            d = draw(st.integers(1, 2))
            p = draw(st.integers(0, d * (k - 1)))
            layers.append(conv(rng, channels, 3, k, stride=s, padding=p, dilation=d))
            channels = 3
        elif kind in ("max", "avg"):
            pool = MaxPool2d if kind == "max" else AvgPool2d
            layers.append(pool(k, s, padding=draw(st.integers(0, k // 2)), ceil_mode=draw(st.booleans())))
        elif kind == "relu":
            layers.append(draw(st.sampled_from([LeakyReLU(0.1), GELU()])))
        else:
            layers.append(BatchNorm(*rng.random((4, channels)) + 0.5))
    return Network(layers)


def outputs_of(network, x):
    try:
        return network.output_shape(x.shape)
    except ValueError:
        return assume(False)  # an image smaller than a window


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
shapes = st.tuples(st.integers(12, 30), st.integers(12, 30))


@many
@given(network=rows_of_layers(), tile=st.integers(1, 12), shape=shapes, inner=st.booleans())
def test_tiles_are_the_whole_on_any_row_of_windows(network, tile, shape, inner):
    x = image(2, 2, *shape)
    outputs = outputs_of(network, x)
    where = (*np.s_[:, 1:2], *without_padding(sight(network), x.shape, outputs)) if inner else ALL
    value, gradient = Through(network, Selected(where, squared_norm))(x)
    in_tiles, its_gradient = Tiled(network, squared_norm, tile, where)(x)
    assert np.allclose(in_tiles, value, rtol=1e-12, atol=0)
    assert np.abs(its_gradient - gradient).max() <= 1e-12 * np.abs(gradient).max()


@many
@given(network=rows_of_layers(), shape=shapes)
def test_what_is_left_out_sees_padding_and_nothing_else_does(network, shape):
    """Every activation asked one by one; where all of them see padding, all are kept."""
    x = image(1, 2, *shape)
    outputs, of = outputs_of(network, x), sight(network)
    rows, columns = without_padding(of, x.shape, outputs)
    for axis, kept in enumerate((rows, columns)):
        first = np.arange(outputs[2 + axis]) * of.stride[axis] + of.first[axis]
        inside = (first >= 0) & (first + of.size[axis] <= shape[axis])
        expected = np.flatnonzero(inside) if inside.any() else np.arange(outputs[2 + axis])
        assert np.array_equal(np.arange(outputs[2 + axis])[kept], expected)


def test_what_an_activation_sees(small):
    """Only these pixels have a gradient: found by the walk back from one activation."""
    of = sight(small)
    assert of == Sight(size=(8, 8), stride=(2, 2), first=(-1, -1))
    x = image(1, 3, 40, 40)
    own = Selected(np.s_[:, :, 5:6, 3:4], squared_norm)
    seen = Through(small, own)(x)[1][0].any(axis=0)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert (rows[0], rows[-1]) == (5 * 2 - 1, 5 * 2 - 1 + 7)
    assert (columns[0], columns[-1]) == (3 * 2 - 1, 3 * 2 - 1 + 7)


def test_no_tile_is_larger_than_it_and_what_it_sees(monkeypatch):
    """What bounds the memory on a large image: the sizes that the network is given."""
    network = Network(models.build("colour_net").layers[:7])
    sizes = []
    whole = Network.forward

    def forward(self, x):
        sizes.append(x.shape[2:])
        return whole(self, x)

    monkeypatch.setattr(Network, "forward", forward)
    x = image(1, 3, 500, 700).astype(np.float32)
    Tiled(network, squared_norm, 128, ALL)(x)
    of = sight(network)
    assert len(sizes) == 4 * 6
    assert max(max(size) for size in sizes) <= 128 + of.size[0] + of.stride[0]


def test_a_dream_in_tiles_is_the_dream(small):
    x = image(1, 3, 40, 33)
    one, other = (deepdream(small, x, "tanh1", octaves=2, steps=3, jitter=3, tile=tile) for tile in (None, 9))
    assert np.abs(one.x - other.x).max() < 1e-10
    assert np.allclose(one.activity, other.activity, rtol=1e-12)


# -------------------------------------------------------------------------------------------------------- the dream


def test_one_octave_without_jitter_is_plain_ascent(small):
    x = image(2, 3, 20, 16)
    dream = deepdream(small, x, "conv2", octaves=1, steps=4, rate=0.01, jitter=0)
    part = Network(small.layers[:4])
    inner = Selected(np.s_[:, :, 1:-1, 1:-1], squared_norm)
    plain = ascend(Through(part, inner), x, steps=4, rate=0.01, optimizer=MeanStep(), project=box(0, 1))
    assert np.array_equal(dream.x, plain.x)
    assert np.array_equal(dream.values[0], plain.values)


def test_the_octaves_written_out(small):
    """Three sizes, each from the copy and the enlarged detail, in plain words."""
    x = image(1, 3, 32, 28)
    dream = deepdream(small, x, "relu1", octaves=3, scale=1.5, steps=2, rate=0.01, jitter=0, keep=True)
    f = Through(Network(small.layers[:2]), Selected(np.s_[:, :, 1:-1, 1:-1], squared_norm))
    middle = upsampled(x[0], (21, 19))[None]
    small_one = upsampled(middle[0], (14, 12))[None]
    detail = np.zeros_like(small_one)
    for i, copy in enumerate((small_one, middle, x)):
        y = np.clip(copy + upsampled(detail[0], copy.shape[2:])[None], 0, 1)
        for _ in range(2):
            g = f(y)[1]
            y = np.clip(y + 0.01 * g / np.abs(g).mean(), 0, 1)
        detail = y - copy
        assert np.abs(dream.octaves[i] - y).max() < 1e-12
    assert np.array_equal(dream.x, dream.octaves[-1])


@pytest.mark.parametrize("layer", ["relu1", "relu2", "relu3", "relu4", "dense1"])
def test_the_layer_grows_in_colour(layer):
    x = resized(image(1, 3, 6, 6), (64, 80)).astype(np.float32)
    dream = deepdream(models.load("colour_net"), x, layer, octaves=2, steps=4)
    assert dream.x.dtype == np.float32
    assert dream.x.shape == x.shape
    assert dream.activity[1] > 1.5 * dream.activity[0]
    assert dream.x.min() >= 0
    assert dream.x.max() <= 1
    assert np.array_equal(dream.start, x)


def test_one_channel_grows_in_grey():
    x = resized(image(2, 1, 6, 6), (60, 50)).astype(np.float32)
    dream = deepdream(models.load("lenet"), x, "relu2", channel=3, octaves=2, steps=5)
    assert (dream.activity[1] > 2 * dream.activity[0]).all()


def test_the_same_seed_gives_the_same_bits(small):
    x = image(1, 3, 24, 24)
    one, again, other = (deepdream(small, x, "conv2", octaves=2, steps=3, rng=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.x, again.x)
    assert not np.array_equal(one.x, other.x)


def test_each_image_of_a_batch_dreams_for_itself(small):
    x = image(2, 3, 24, 24)
    both = deepdream(small, x, "conv2", octaves=2, steps=3)
    assert np.allclose(both.x[1:], deepdream(small, x[1:], "conv2", octaves=2, steps=3).x, atol=1e-12)


def test_a_step_moves_a_pixel_by_the_rate_on_the_average():
    w, g = image(3, 2, 4, 4), image(3, 2, 4, 4, seed=2) - 0.5
    g[2] = 0
    moved, memory = MeanStep().update(w, g, {}, rate=0.1, t=1)
    assert memory == {}
    assert np.allclose(np.abs(moved - w).mean(axis=(1, 2, 3)), [0.1, 0.1, 0])
    assert np.allclose((w - moved)[0] / 0.1, g[0] / np.abs(g[0]).mean())


def test_a_silent_layer_leaves_the_image_alone():
    network = Network([Conv2d(-np.ones((2, 1, 3, 3))), ReLU()])
    x = image(1, 1, 16, 16)
    dream = deepdream(network, x, "relu1", octaves=2, steps=2)
    assert np.allclose(dream.x, x)
    assert (dream.activity == 0).all()


# -------------------------------------------------------------------------------------------------------- bad input


def test_an_image_smaller_than_the_window():
    with pytest.raises(ValueError, match="octave 1 of 4 has 7 × 7 pixels, which the layers up to conv2 cannot take"):
        deepdream(models.load("lenet"), image(1, 1, 20, 20).astype(np.float32), "conv2")


def test_a_dense_layer_needs_the_networks_own_size():
    x = image(1, 1, 60, 60).astype(np.float32)
    with pytest.raises(ValueError, match="a dense layer above them takes images of the network's own size alone"):
        deepdream(models.load("lenet"), x, "dense1")
    own = deepdream(models.load("lenet"), x[..., :28, :28], "dense1", octaves=1, steps=2)
    assert own.activity[1] > own.activity[0]


def test_so_many_octaves_that_nothing_is_left():
    with pytest.raises(ValueError, match="octave 1 of 5000 has 1 × 1 pixels"):
        deepdream(models.load("lenet"), image(1, 1, 60, 60).astype(np.float32), "conv1", octaves=5000)


@pytest.mark.parametrize("layer", [GlobalAvgPool(), Flatten(), ConvTranspose2d(np.ones((1, 1, 2, 2)))])
def test_tiles_need_windows(layer):
    network = Network([Conv2d(np.ones((1, 1, 3, 3))), layer])
    with pytest.raises(ValueError, match="does not see one window at each place"):
        deepdream(network, image(1, 1, 16, 16), network.names[-1], octaves=1, tile=8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "relu9"}, "There is no layer 'relu9'; the layers are conv1, relu1"),
        ({"channel": 4}, "relu1 has the channels 0 to 3, got 4"),
        ({"channel": -1}, "relu1 has the channels 0 to 3, got -1"),
        ({"channel": True}, "got True"),
        ({"octaves": 0}, "octaves takes a positive integer"),
        ({"scale": 1}, "scale must be above 1"),
        ({"scale": float("nan")}, "scale must be a finite number"),
        ({"steps": 0}, "steps takes a positive integer"),
        ({"rate": 0}, "rate must be above 0"),
        ({"rate": float("nan")}, "rate must be a finite number"),
        ({"jitter": -1}, "pixels takes an integer from 0"),
        ({"tile": 0}, "tile takes a positive integer"),
        ({"tile": 2.5}, "tile takes a positive integer"),
        ({"rng": "seed"}, "rng takes a seed"),
        ({"keep": 1}, "keep takes True or False"),
        ({"x": np.zeros((3, 24, 24))}, r"images \(N, C, H, W\), got \(3, 24, 24\). Add the batch axis"),
        ({"x": np.zeros((0, 3, 24, 24))}, r"images \(N, C, H, W\)"),
        ({"x": np.zeros((1, 1, 24, 24))}, r"takes \(N, 3, H, W\), got \(1, 1, "),
        ({"x": np.zeros((1, 3, 24, 24), np.float32)}, "x is float32"),
        ({"x": np.full((1, 3, 24, 24), np.nan)}, "x must be finite"),
        ({"x": np.full((1, 3, 24, 24), 1.5)}, "pixels from 0 to 1, got 1.5 to 1.5"),
        ({"x": np.full((1, 3, 24, 24), 200, np.uint8)}, " uint8"),
    ],
)
def test_bad_input(small, options, message):
    arguments = {"x": image(1, 3, 24, 24), "layer": "relu1", "octaves": 2} | options
    with pytest.raises(ValueError, match=message):
        deepdream(small, **arguments)


def test_the_channels_of_the_image_are_those_of_the_network():
    with pytest.raises(
        ValueError, match=r"^x takes images in the channels of the network, \(N, 3, H, W\), got \(1, 1, "
    ):
        deepdream(models.load("colour_net"), image(1, 1, 40, 40).astype(np.float32), "relu1")


def test_not_an_array(small):
    with pytest.raises(TypeError, match="x takes a NumPy array of images"):
        deepdream(small, [[0.0]], "relu1")


def test_a_network_that_overflows(small):
    network = Network([Conv2d(np.full((1, 1, 3, 3), 1e200)), Conv2d(np.full((1, 1, 3, 3), 1e200))])
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="The search diverged"):
        deepdream(network, image(1, 1, 24, 24), "conv2", octaves=1)


def test_dense_layers_are_dreamt_through_global_pooling():
    """Class scores of a network that pools globally take any size: a dream of one class."""
    rng = np.random.default_rng(0)
    network = Network([conv(rng, 1, 4, 3), ReLU(), GlobalAvgPool(), Flatten(), Dense(rng.normal(size=(4, 3)))])
    dream = deepdream(network, image(1, 1, 30, 20), "dense1", channel=2, octaves=2, steps=3)
    assert dream.activity[1] > dream.activity[0]
