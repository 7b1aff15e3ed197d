"""A network: layers in a row, up and down, cut, drawn from, merged, converted; and what it says of misfits."""

import numpy as np
import pytest

from nnlite import Network
from nnlite.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Mask,
    MaxPool2d,
    ReLU,
    ReLU6,
    Sigmoid,
    Softmax,
    Tanh,
)
from nnlite.walk import gradient_rule


def small_network(dtype=np.float64, **options):
    """Convolution, normalization, pooling, dropout, dense, softmax: 10 layers for images (2, 6, 6), 3 classes."""
    r = np.random.default_rng(1).normal
    layers = [
        Conv2d(r(size=(4, 2, 3, 3)), r(size=4), padding=1),
        BatchNorm(r(size=4), r(size=4), r(size=4), r(size=4) ** 2 + 0.2),
        ReLU(),
        MaxPool2d(2),
        Dropout(0.25),
        Flatten(),
        Dense(r(size=(36, 5)) / 10, r(size=5)),
        Tanh(),
        Dense(r(size=(5, 3)), r(size=3)),
        Softmax(),
    ]
    return Network([layer.astype(dtype) for layer in layers], **options)


NAMES = ("conv1", "batchnorm1", "relu1", "pool1", "dropout1", "flatten1", "dense1", "tanh1", "dense2", "softmax1")


def images(n=3, dtype=np.float64):
    return np.random.default_rng(2).normal(size=(n, 2, 6, 6)).astype(dtype)


# --------------------------------------------------------------------------------------------------- up and down


def test_forward_returns_every_activation_from_the_input_to_the_output():
    net, x = small_network(), images()
    a = net.forward(x)
    assert len(a) == len(net) + 1
    assert a[0] is x
    for layer, below, above in zip(net, a, a[1:], strict=False):
        np.testing.assert_allclose(layer.forward(below), above, rtol=1e-12, atol=1e-14)  # a row sums in another order
    assert a[-1].shape == net.output_shape(x.shape) == (3, 3)


def test_walking_back_with_the_gradient_rule_is_the_slope_of_the_network():
    net, x = small_network(), images(2)
    a = net.forward(x)
    dz = np.random.default_rng(3).normal(size=a[-1].shape)
    signals = net.walk_back(a, dz, [gradient_rule] * len(net))
    slope, step = np.zeros_like(x), 1e-6
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        slope[at] = ((net.forward(up)[-1] - net.forward(down)[-1]) * dz).sum() / (2 * step)
    np.testing.assert_allclose(signals[0], slope, rtol=0, atol=1e-6 * np.abs(slope).max())
    assert [signal.shape for signal in signals] == [activation.shape for activation in a]
    assert signals[-1] is dz


def test_each_rule_gets_its_layer_with_what_is_below_and_above_it():
    net, x = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 1)))]), np.array([[1.0, -2.0]])
    a, seen = net.forward(x), []

    def spy(number):
        def rule(layer, a_j, a_k, R):
            seen.append((number, layer, a_j, a_k, R))
            return f"signal {number}"

        return rule

    assert net.walk_back(a, "top", [spy(0), spy(1), spy(2)]) == ["signal 0", "signal 1", "signal 2", "top"]
    assert [(number, layer) for number, layer, *_ in seen] == [(2, net[2]), (1, net[1]), (0, net[0])]
    assert all(a_j is a[number] and a_k is a[number + 1] for number, _, a_j, a_k, _ in seen)
    assert [R for *_, R in seen] == ["top", "signal 2", "signal 1"]


def test_walking_back_refuses_another_number_of_activations_or_rules():
    net, x = small_network(), images()
    a, rules = net.forward(x), [gradient_rule] * len(net)
    for activations, chosen in (
        (a[:-1], rules),
        (a[1:], rules),
        (a, rules[1:]),
        (a, [*rules, gradient_rule]),
        ([], []),
    ):
        with pytest.raises(ValueError, match=r"expected 10 rules and 11 activations for 10 layers, got \d+ and \d+"):
            net.walk_back(activations, a[-1], chosen)


def test_a_slice_walked_with_the_activations_of_its_neighbour_fails():
    net, x = small_network(), images()
    a = net.forward(x)
    head = net[:4]
    with pytest.raises(ValueError, match="got"):
        head.walk_back(a[1:6], a[5], [gradient_rule] * 4)


def test_scores_lie_below_the_softmax_and_predict_finds_the_highest():
    net, x = small_network(), images()
    a = net.forward(x)
    np.testing.assert_array_equal(net.scores(x), a[-2])
    np.testing.assert_array_equal(net.predict(x), a[-1].argmax(axis=1))
    np.testing.assert_array_equal(net.to_scores().scores(x), net.scores(x))


def test_an_empty_batch_goes_up_and_down():
    net = small_network()
    a = net.forward(images()[:0])
    assert a[-1].shape == (0, 3)
    assert net.walk_back(a, a[-1], [gradient_rule] * len(net))[0].shape == (0, 2, 6, 6)


def test_a_network_without_layers_gives_back_what_it_got():
    x = images()
    assert Network([]).forward(x)[-1] is x
    assert len(small_network()[:0]) == 0


# ---------------------------------------------------------------------------------------------- names, index, slices


def test_the_names_are_kind_and_number():
    assert small_network().names == NAMES
    W = np.ones((1, 1, 1, 1))
    assert Network([Conv2d(W), ConvTranspose2d(W), MaxPool2d(1), AvgPool2d(1), Conv2d(W), LeakyReLU()]).names == (
        "conv1",
        "convtranspose1",
        "pool1",
        "pool2",
        "conv2",
        "leakyrelu1",
    )


def test_layers_are_found_by_position_and_by_name():
    net = small_network()
    assert net[0] is net["conv1"] is net.layers[0]
    assert net[-2] is net["dense2"]
    assert net[np.int64(1)] is net["batchnorm1"]
    assert net.index("dense1") == 6
    assert list(net) == list(net.layers)
    with pytest.raises(ValueError, match="no layer 'conv9'; the layers are conv1, batchnorm1"):
        net["conv9"]
    with pytest.raises(IndexError):
        net[10]


def test_a_slice_is_a_network_of_the_same_layers_with_their_names():
    net = small_network(input_shape=(2, 6, 6))
    head, tail = net[:3], net[3:]
    assert (head.names, head.layers, head.input_shape) == (NAMES[:3], net.layers[:3], (2, 6, 6))
    assert (tail.names, tail.layers, tail.input_shape) == (NAMES[3:], net.layers[3:], None)
    assert net[-2:].names == NAMES[-2:]
    assert net[:-1].names == NAMES[:-1]
    x = images()
    np.testing.assert_array_equal(tail.forward(head.forward(x)[-1])[-1], net.forward(x)[-1])
    with pytest.raises(ValueError, match="neighbouring layers"):
        net[::2]
    with pytest.raises(ValueError, match="neighbouring layers"):
        net[::-1]


def test_networks_among_the_layers_are_taken_apart():
    first, second = Network([Dense(np.eye(2)), ReLU()]), Network([Dense(np.eye(2)), Network([Tanh()])])
    net = Network([first, Sigmoid(), second])
    assert [type(layer).__name__ for layer in net] == ["Dense", "ReLU", "Sigmoid", "Dense", "Tanh"]
    assert net.names == ("dense1", "relu1", "sigmoid1", "dense2", "tanh1")
    assert net[0] is first[0]


def test_to_scores_takes_only_a_softmax_at_the_end():
    net = small_network(input_shape=(2, 6, 6), info={"epochs": 3})
    scores = net.to_scores()
    assert (scores.names, scores.input_shape, scores.info) == (NAMES[:-1], (2, 6, 6), {"epochs": 3})
    assert scores.to_scores() is scores
    below = Network([Softmax(), ReLU()])
    assert below.to_scores() is below


def test_the_repr_is_one_line():
    assert repr(small_network()[:3]) == "Network(3 layers: conv1, batchnorm1, relu1)"


# ------------------------------------------------------------------------------------------------------------ draws


def dropping(p=0.5):
    return Network([Dropout(p), Dense(np.ones((8, 2))), Dropout(p)], input_shape=(8,))


def test_the_same_rng_draws_the_same_network():
    first, second, other = (dropping().sample(np.random.default_rng(seed), (5, 8)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0].m, second[0].m)
    np.testing.assert_array_equal(first[2].m, second[2].m)
    assert (first[0].m != other[0].m).any()


def test_with_a_batch_shape_every_sample_gets_a_mask_of_its_own():
    drawn = dropping().sample(np.random.default_rng(0), (5, 8))
    assert drawn[0].m.shape == (5, 8)
    assert drawn[2].m.shape == (5, 2)
    assert len(np.unique(drawn[0].m, axis=0)) > 1
    with pytest.raises(ValueError, match=r"layer dropout1: .*A draw serves the shape that it was drawn for"):
        drawn.forward(np.ones((4, 8)))


@pytest.mark.parametrize("shape", [(8,), [8], (1, 8)])
def test_with_the_input_shape_one_mask_serves_every_sample(shape):
    drawn = dropping().sample(np.random.default_rng(0), shape)
    assert drawn[0].m.shape == (1, 8)
    z = drawn.forward(np.ones((4, 8)))[-1]
    assert (z == z[:1]).all()


def test_a_drawn_network_is_a_plain_network_that_gives_the_same_twice():
    net = small_network(input_shape=(2, 6, 6), info={"epochs": 3})
    drawn, x = net.sample(np.random.default_rng(0), (3, 2, 6, 6)), images()
    assert isinstance(drawn["dropout1"], Mask)
    assert not any(isinstance(layer, Dropout) for layer in drawn)
    assert (drawn.names, drawn.input_shape, drawn.info) == (net.names, net.input_shape, net.info)
    np.testing.assert_array_equal(drawn.scores(x), drawn.scores(x))
    assert (drawn.scores(x) != net.scores(x)).any()
    assert "Mask(m[3, 4, 3, 3])" in drawn.summary()
    assert drawn[:6].output_shape(x.shape) == (3, 36)
    assert isinstance(net["dropout1"], Dropout), "the network itself stays as it was"


def test_the_expectation_over_draws_is_the_network_without_dropout():
    net, x = Network([Dropout(0.3)]).astype(np.float64), np.ones((20_000, 4), np.float32)
    mean = net.sample(np.random.default_rng(0), x.shape).forward(x)[-1].mean(axis=0)
    np.testing.assert_allclose(mean, 1, atol=5 * np.sqrt(0.3 / 0.7 / 20_000))


def test_dropout_does_nothing_in_the_network_itself():
    x = np.ones((2, 8))
    np.testing.assert_array_equal(dropping().forward(x)[1], x)


def test_a_draw_keeps_the_dtype_of_the_network():
    drawn = small_network(np.float32).sample(np.random.default_rng(0), (3, 2, 6, 6))
    assert drawn["dropout1"].m.dtype == np.float32
    assert drawn.scores(images(dtype=np.float32)).dtype == np.float32
    assert drawn.astype(np.float64).scores(images()).dtype == np.float64


# ------------------------------------------------------------------------------------- merged, astype, parameters


def test_merged_gives_the_same_scores_and_keeps_every_place_and_name():
    r = np.random.default_rng(5).normal

    def norm(n):
        return BatchNorm(*r(size=(3, n)), r(size=n) ** 2 + 0.1)

    net = Network(
        [
            norm(2),
            Conv2d(r(size=(4, 1, 3, 3)), groups=2),
            norm(4),
            norm(4),
            ReLU(),
            norm(4),
            ConvTranspose2d(r(size=(4, 2, 2, 2)), r(size=4), stride=2, groups=2),
            norm(4),
            Flatten(),
            Dense(r(size=(256, 5)), r(size=5)),
            norm(5),
        ],
        input_shape=(2, 6, 6),
        info={"epochs": 3},
    )
    merged, x = net.merged(), images()
    kinds = ["BatchNorm", "Conv2d", "Identity", "Identity", "ReLU", "BatchNorm", "ConvTranspose2d", "Identity"]
    kinds += ["Flatten", "Dense", "Identity"]
    assert [type(layer).__name__ for layer in merged] == kinds
    assert (merged.names, merged.input_shape, merged.info) == (net.names, net.input_shape, net.info)
    scores = net.scores(x)
    np.testing.assert_allclose(merged.scores(x), scores, rtol=0, atol=1e-12 * np.abs(scores).max())


def test_astype_converts_every_array_and_leaves_the_old_network():
    net = small_network(input_shape=(2, 6, 6), info={"epochs": 3})
    narrow = net.astype(np.float32)
    assert (net.dtype, narrow.dtype) == (np.float64, np.float32)
    assert all(array.dtype == np.float32 for layer in narrow for array in layer.arrays.values())
    assert (narrow.names, narrow.input_shape, narrow.info) == (net.names, net.input_shape, net.info)
    np.testing.assert_allclose(narrow.scores(images(dtype=np.float32)), net.scores(images()), atol=1e-3)
    back = narrow.astype("float64").astype(np.float32)
    for name, value in narrow.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], value)
    with pytest.raises(ValueError, match="astype takes float32 or float64, got float16"):
        net.astype(np.float16)


def test_the_dtype_of_a_network_without_weights_is_float32():
    assert Network([ReLU()]).dtype == np.float32


def test_parameters_are_what_training_changes_by_layer_and_name():
    parameters = small_network().parameters
    assert list(parameters) == [
        *("conv1.W", "conv1.b", "batchnorm1.gamma", "batchnorm1.beta"),
        *("dense1.W", "dense1.b", "dense2.W", "dense2.b"),
    ]
    assert not any(value.flags.writeable for value in parameters.values())


def test_with_parameters_changes_only_what_is_named():
    net = small_network(input_shape=(2, 6, 6), info={"epochs": 3})
    changed = net.with_parameters({"dense2.W": np.zeros((5, 3))})
    assert (changed.names, changed.input_shape, changed.info) == (net.names, net.input_shape, net.info)
    assert not changed["dense2"].W.any()
    assert changed["dense2"].b is net["dense2"].b
    assert changed["conv1"] is net["conv1"]
    assert net["dense2"].W.any(), "the network itself stays as it was"
    same = net.with_parameters(net.parameters)
    np.testing.assert_array_equal(same.scores(images()), net.scores(images()))


def test_with_parameters_refuses_other_names_and_shapes():
    net = small_network()
    with pytest.raises(ValueError, match=r"no parameters \['dense9.W'\]; the parameters are \['conv1.W'"):
        net.with_parameters({"dense9.W": np.zeros((5, 3))})
    with pytest.raises(ValueError, match=r"dense2.W: expected the shape \(5, 3\), got \(5, 4\)"):
        net.with_parameters({"dense2.W": np.zeros((5, 4))})


# ---------------------------------------------------------------------------------------------------------- summary


def test_the_summary_is_a_table_with_the_shapes_and_the_right_totals():
    net = small_network(input_shape=(2, 6, 6))
    assert net.summary().splitlines() == [
        "name        layer                                             output  parameters",
        "conv1       Conv2d(W[4, 2, 3, 3], b[4], padding=1)         4 × 6 × 6          76",
        "batchnorm1  BatchNorm(gamma[4], beta[4], mean[4], var[4])  4 × 6 × 6           8",
        "relu1       ReLU()                                         4 × 6 × 6           0",
        "pool1       MaxPool2d(size=2, stride=2)                    4 × 3 × 3           0",
        "dropout1    Dropout(p=0.25)                                4 × 3 × 3           0",
        "flatten1    Flatten()                                             36           0",
        "dense1      Dense(W[36, 5], b[5])                                  5         185",
        "tanh1       Tanh()                                                 5           0",
        "dense2      Dense(W[5, 3], b[3])                                   3          18",
        "softmax1    Softmax()                                              3           0",
        "                                                                             287",
    ]


def test_the_summary_takes_an_input_shape_or_does_without():
    net = small_network()
    assert "?" in net.summary()
    assert "287" in net.summary()
    assert net[:5].summary((2, 8, 6)).splitlines()[-2].endswith("4 × 4 × 3           0")
    with pytest.raises(ValueError, match="layer dense1"):
        net.summary((2, 8, 8))


# ---------------------------------------------------------------------------------------------------------- errors


def test_layers_of_two_dtypes_are_refused():
    with pytest.raises(
        ValueError, match=r"expected layers of one dtype, got \['float32', 'float64'\]; bring them to one with astype"
    ):
        Network([Dense(np.eye(2)), Dense(np.eye(2, dtype=np.float32))])


def test_layers_that_do_not_fit_the_input_shape_are_refused_by_name():
    layers = [Dense(np.ones((4, 3))), ReLU(), Dense(np.ones((2, 2)))]
    with pytest.raises(ValueError, match=r"layer dense2: Dense\(W\[2, 2\]\) takes \(N, 2\), got \(1, 3\)"):
        Network(layers, input_shape=(4,))


@pytest.mark.parametrize("shape", [(), (0,), (-4,), (4.0,), (True,), "4", 4])
def test_an_input_shape_that_is_none_is_refused(shape):
    with pytest.raises(ValueError, match=r"input_shape takes one or more positive integers, got .*"):
        Network([ReLU()], input_shape=shape)


def test_an_input_shape_of_numpy_integers_is_kept_as_plain_ones():
    shape = Network([ReLU()], input_shape=tuple(np.array([2, 3]))).input_shape
    assert [type(n) for n in shape] == [int, int]


def test_a_wrong_input_names_the_layer_that_refuses_it():
    net = small_network()
    with pytest.raises(ValueError, match=r"layer conv1: .*takes \(N, 2, H, W\), got \(3, 1, 6, 6\)"):
        net.forward(np.ones((3, 1, 6, 6)))
    with pytest.raises(ValueError, match=r"layer dense1: .*takes \(N, 36\), got \(3, 64\)"):
        net.forward(np.ones((3, 2, 8, 8)))
    with pytest.raises(ValueError, match=r"computes in float64, and x is float32; use x\.astype"):
        net.forward(images(dtype=np.float32))
    with pytest.raises(ValueError, match=r"layer dense1: .*takes \(N, 36\), got \(3, 64\)"):
        net.output_shape((3, 2, 8, 8))
    with pytest.raises(TypeError, match=r"takes a NumPy array of shape \(N, \.\.\.\), got list"):
        net.forward([[1.0]])


@pytest.mark.parametrize("names", [("a",), ("a", "a"), ("a", "b", "c")])
def test_as_many_different_names_as_layers_are_needed(names):
    with pytest.raises(ValueError, match=r"expected 2 different names, one for each layer, got \('a'"):
        Network([ReLU(), ReLU()], names)


@pytest.mark.parametrize("name", [1, None, "", "a\0b", "a\nb", "\x1b[31m", "\ud800", "\u2028", "a" * 256])
def test_names_are_text_that_can_be_printed(name):
    with pytest.raises(ValueError, match="names of 1 to 255 characters that can be printed, got") as caught:
        Network([ReLU(), ReLU()], ("relu", name))
    assert str(caught.value).isprintable()


def test_what_is_no_layer_is_refused():
    with pytest.raises(TypeError, match=r"consists of nnlite.layers, blocks and networks, got .*"):
        Network([ReLU(), np.tanh])
    with pytest.raises(TypeError, match=r"got <class .*ReLU'>"):
        Network([ReLU])


def test_default_names_of_two_kinds_never_meet():
    names = Network([*[ReLU()] * 61, ReLU6()]).names
    assert names[-2:] == ("relu61", "relu6_1")
