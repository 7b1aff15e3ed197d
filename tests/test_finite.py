"""Numbers that leave the finite range: the error names the method and the first layer; a share that is one is given."""

import re

import numpy as np
import pytest

from nnlite import Network, evaluation, kernels, model_based, models, stepper, uncertainty
from nnlite.decision_based import (
    building_blocks,
    deeplift,
    gradient,
    lrp,
    mask_by_relevance,
    registry,
    sensitivity,
    smoothgrad,
    target,
    taylor,
)
from nnlite.decision_based.attention_maps import has_attention
from nnlite.layers import AvgPool2d, Conv2d, Dense, Flatten, GlobalAvgPool, ReLU, Tanh
from nnlite.model_based import objectives, receptive_field
from nnlite.model_based.ascent import ascend

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])


def rng():
    return np.random.default_rng(0)


def steep(dtype, w=None):
    """Two convolutions and a dense layer whose scores are moderate and whose gradients overflow."""
    w = (1e25 if dtype == np.float32 else 1e200) if w is None else w
    layers = [
        Conv2d((w * rng().random((2, 1, 3, 3))).astype(dtype)), ReLU(),
        Conv2d((w * rng().random((2, 2, 2, 2))).astype(dtype)), ReLU(), GlobalAvgPool(), Flatten(),
        Dense(rng().standard_normal((2, 3)).astype(dtype)),
    ]  # fmt: skip
    return Network(layers, input_shape=(1, 6, 6)), (rng().random((2, 1, 6, 6)) / w).astype(dtype)


# ------------------------------------------------------------------------------------------------ named


@DTYPES
def test_a_square_that_overflows_is_named(dtype):
    w = 1e25 if dtype == np.float32 else 1e200
    net = Network([Dense(np.array([[w], [1.0]], dtype))])
    with pytest.raises(ValueError, match=f"^sensitivity: .*layer are finite.* {np.dtype(dtype)} overflows"):
        sensitivity(net, np.ones((1, 2), dtype))


@BACKENDS
@DTYPES
@pytest.mark.parametrize("name", [n for n, m in registry.METHODS.items() if m.fits is not has_attention])
def test_every_method_gives_finite_numbers_or_names_itself_and_a_layer(name, dtype, backend):
    kernels.use(backend)
    net, x = steep(dtype)
    net = net.with_parameters({"conv2.W": net.parameters["conv2.W"] * dtype(1e5)})
    assert np.isfinite(net.scores(x)).all()
    said = re.compile(
        r"\w+: the (signals below|activations of) layer conv\d .* overflows there|\w+: .* every layer are finite"
    )
    try:
        finite = np.isfinite(registry.explain(net, x, name)).all()
    except ValueError as error:
        finite = said.match(str(error))
    assert finite


@BACKENDS
@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("gradient", "gradient"), ("saliency", "saliency"), ("smoothgrad", "smoothgrad"), ("vargrad", "vargrad"),
        ("integrated-gradients", "integrated_gradients"), ("deconvnet", "deconvnet"), ("deeplift", "deeplift"),
        ("guided-backpropagation", "guided_backpropagation"), ("gradient-times-input", "gradient_times_input"),
    ],
)  # fmt: skip
def test_the_first_layer_on_the_way_down_is_named(name, who, backend):
    kernels.use(backend)
    net, x = steep(np.float32)
    with pytest.raises(ValueError, match=rf"^{who}: the signals below layer conv1 hold .* float32 overflows there"):
        registry.explain(net, x, name)


@BACKENDS
def test_the_first_layer_on_the_way_up_is_named(backend):
    kernels.use(backend)
    net, x = steep(np.float32)
    for method in (gradient, lrp.relevance, lrp.ledger):
        with pytest.raises(ValueError, match=rf"^{method.__name__}: the activations of layer conv2 hold"):
            method(net, x * np.float32(1e20))


def test_float64_is_the_advice_and_helps():
    net, x = steep(np.float32)
    with pytest.raises(ValueError, match=r'compute in float64 \(network.astype\("float64"\), x.astype\("float64"\)\)'):
        gradient(net, x)
    assert np.isfinite(gradient(net.astype("float64"), x.astype("float64"))).all()


def test_weights_that_are_not_finite_are_named_as_such():
    net, x = steep(np.float32)
    W = net.parameters["conv2.W"].copy()
    W[0, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match=r"^gradient: the activations of layer conv2 .*; check the network's weights"):
        gradient(net.with_parameters({"conv2.W": W}), x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_x_that_is_not_finite_is_still_named_first(bad):
    net, x = steep(np.float32)
    x[1, 0, 2, 3] = bad
    for name in ("gradient", "sensitivity", "lrp-epsilon", "occlusion", "deeplift", "grad-cam"):
        with pytest.raises(ValueError, match=rf"^x must be finite, and x\[1, 0, 2, 3\] is {bad}"):
            registry.explain(net, x, name)


def test_the_drawn_numbers_of_a_generator_are_those_that_overflowed():
    net, x = steep(np.float32)
    generator = np.random.default_rng(5)
    with pytest.raises(ValueError, match=r"^smoothgrad: the signals below layer conv1"):
        smoothgrad(net, x, rng=generator, n=3)
    once = np.random.default_rng(5)
    smoothgrad(steep(np.float32, w=1.0)[0], x, rng=once, n=3)
    assert generator.bit_generator.state == once.bit_generator.state


def test_evaluation_uncertainty_and_parts_of_explanations_name_the_place_too():
    net, x = steep(np.float32)
    near = x[None] * np.float32(2)
    for compute in (
        lambda: evaluation.continuity(net, x, "gradient", neighbours=near),
        lambda: evaluation.max_sensitivity(net, x, "gradient", neighbours=near),
        lambda: evaluation.randomization(net, x, "gradient"),
        lambda: uncertainty.explanations([net, net], x, "gradient"),
        lambda: taylor.simple_taylor(net, x),
    ):
        with pytest.raises(ValueError, match=r"the (signals below|activations of) layer conv"):
            compute()


def test_an_objective_and_its_search_name_the_layer():
    net, x = steep(np.float32)
    with pytest.raises(ValueError, match="the signals below layer conv1 hold"):
        objectives.Score(net, 0)(x)
    with pytest.raises(FloatingPointError, match=r"diverged at step 1 of 3: .*signals below layer conv1 hold"):
        ascend(objectives.Score(net, 0), x, steps=3)


# ------------------------------------------------------------------------------------------------ LRP's numbers


@BACKENDS
def test_w_squared_gives_the_share_where_the_square_overflows(backend):
    kernels.use(backend)
    net = Network([Dense(np.array([[2e20], [2e20]], np.float32))])
    R = lrp.relevance(net, np.array([[1.0, 0.0]], np.float32), rules=lrp.w_squared())
    assert R.dtype == np.float32
    np.testing.assert_allclose(R, [[1e20, 1e20]], rtol=1e-6)


def test_w_squared_gives_the_share_where_the_square_vanishes():
    net = Network([Dense(np.array([[1e-25], [2e-25]], np.float32))])
    R = lrp.relevance(net, np.ones((1, 2), np.float32), rules=lrp.w_squared(), start="one")
    np.testing.assert_allclose(R, [[0.2, 0.8]], rtol=1e-6)


@BACKENDS
@pytest.mark.parametrize(
    "rule",
    [lrp.gamma(1e30), lrp.gamma(3e38), lrp.generalized_gamma(1e38), lrp.gamma(1e38, stabilizer=0.5)],
    ids=repr,
)
def test_a_large_gamma_gives_in_float32_what_it_gives_in_float64(rule, backend):
    kernels.use(backend)
    net, x = models.load("tiny"), rng().random((2, 1, 8, 8)).astype(np.float32)
    R = lrp.relevance(net, x, rules=rule)
    expected = lrp.relevance(net.astype("float64"), x.astype("float64"), rules=rule)
    assert R.dtype == np.float32
    np.testing.assert_allclose(R, expected, atol=1e-5 * np.abs(expected).max())
    assert lrp.ledger(net, x, rules=rule).error < 1e-5


def test_options_that_float32_cannot_hold_are_errors_that_name_the_overflow():
    net, x = models.load("lenet"), rng().random((1, 1, 28, 28)).astype(np.float32)
    for rules in (lrp.gamma(1e39), lrp.generalized_gamma(1e39), lrp.EpsilonGammaBox(high=1e300)):
        with pytest.raises(ValueError, match="overflows"):
            lrp.relevance(net, x, rules=rules)
    narrow = Network([Dense(np.full((2, 2), 10, np.float32)), ReLU(), Dense(np.ones((2, 1), np.float32))])
    with pytest.raises(ValueError, match=r"^deeplift: the activations of layer dense1 hold .*overflows"):
        deeplift(narrow, np.ones((1, 2), np.float32), reference=1e38)


@BACKENDS
def test_a_relevance_that_overflowed_above_is_not_dropped_below(backend):
    """The z of dense1 is infinite; tanh makes 1 of it, and nothing above shows it."""
    kernels.use(backend)
    one = np.full((1, 1), 1e30, np.float32)
    net = Network([Dense(one), Dense(one), Tanh(), Dense(np.ones((1, 1), np.float32))])
    with pytest.raises(ValueError, match=r"^relevance: the activations of layer dense2 hold"):
        lrp.relevance(net, np.ones((1, 1), np.float32))


# ------------------------------------------------------------------------------------------------ the ledger


def cancelling():
    """A pooling window whose mean is far smaller than its rounding, with the relevance 1 above it."""
    a = np.array([[[[0.346, 0.822, 0.33, -1.498001217842102]]]], np.float32)
    return Network([AvgPool2d((1, 4)), Flatten()]), a


def test_a_ledger_that_does_not_close_says_so_where_it_is_printed():
    net, x = cancelling()
    books = lrp.ledger(net, x, 0, rules=lrp.zero(), start="one")
    assert books.error == 0.0625
    assert "pool1 is open by 6.2 % of its Σ |R above|: its inputs cancel, and float32 rounds them" in str(books)
    assert "pool1 is open" not in str(lrp.ledger(net, x, 0, rules=lrp.zero(stabilizer=0.1), start="one"))


def test_a_ledger_that_closes_says_nothing_more():
    x = rng().random((1, 1, 8, 8)).astype(np.float32)
    books = lrp.ledger(models.load("tiny"), x)
    assert books.open() == ""
    assert str(books).splitlines()[-1].startswith("score")


# ------------------------------------------------------------------------------------------------ what goes in

TINY = models.load("tiny")
X = rng().random((1, 1, 8, 8)).astype(np.float32)
TAKE_A_NETWORK = {
    **{name: lambda n, name=name: registry.explain(n, X, name) for name in registry.METHODS},
    "ledger": lambda n: lrp.ledger(n, X),
    "explained": lambda n: target.explained(n, X),
    "explained neuron": lambda n: target.explained(n, X, ("relu1", 0)),
    "deconvnet": lambda n: registry.deconvnet(n, X, layer="relu1"),
    "layer_shares": lambda n: building_blocks.layer_shares(n, X, layer="relu1"),
    "mask_by_relevance": lambda n: mask_by_relevance(n, X, X),
    "explain at": lambda n: registry.explain(n, X, "gradient", at="relu1"),
    "completeness": lambda n: evaluation.completeness(n, X, "gradient"),
    "continuity": lambda n: evaluation.continuity(n, X, "gradient"),
    "infidelity": lambda n: evaluation.infidelity(n, X, X),
    "max_sensitivity": lambda n: evaluation.max_sensitivity(n, X, "gradient"),
    "pixel_flipping": lambda n: evaluation.pixel_flipping(n, X, X),
    "randomization": lambda n: evaluation.randomization(n, X, "gradient"),
    "randomized": lambda n: evaluation.randomized(n),
    "dropout_draws": lambda n: uncertainty.dropout_draws(n),
    "mc_dropout": lambda n: uncertainty.mc_dropout(n, X),
    "evidence": lambda n: uncertainty.evidence(n, X),
    "predict": lambda n: uncertainty.predict([n], X),
    "visualize": lambda n: model_based.visualize(n, ("relu1", 0)),
    "deepdream": lambda n: model_based.deepdream(n, X, "relu1"),
    "invert": lambda n: model_based.invert(n, X, "relu1"),
    "receptive_field": lambda n: receptive_field.receptive_field(n, "relu1"),
    "Score": lambda n: objectives.Score(n, 0)(X),
    "LogProbability": lambda n: objectives.LogProbability(n, 0)(X),
    "Through": lambda n: objectives.Through(n, objectives.squared_norm)(X),
    "record": lambda n: stepper.record("gradient", n, X),
}


@pytest.mark.parametrize("name", TAKE_A_NETWORK)
@pytest.mark.parametrize(
    "other", [None, {}, "tiny", Network, list(TINY.layers)], ids=["None", "dict", "str", "class", "list"]
)
def test_anything_but_a_network_is_a_type_error_in_words(name, other):
    with pytest.raises(TypeError, match=r"[Nn]etwork"):
        TAKE_A_NETWORK[name](other)


def test_to_torch_takes_a_network_alone():
    torch = pytest.importorskip("nnlite.interop.torch")
    with pytest.raises(TypeError, match=r"^to_torch: expected a Network, got a dict; build one with"):
        torch.to_torch({})


@BACKENDS
@pytest.mark.parametrize("run", ["forward", "output", "scores", "predict"])
def test_a_network_checks_the_batch_as_the_methods_do(run, backend):
    kernels.use(backend)
    run = getattr(TINY.astype("float64"), run)
    for x, error, match in (
        (X, ValueError, "computes in float64, and x is float32"),
        (X[0].astype("float64"), ValueError, r"Add the batch axis: x\[None\]"),
        (X.astype(int), ValueError, "x takes float64 values, got int64; bring pixels to"),
        (np.zeros((1, 1, 7, 8)), ValueError, r"x takes the shape \(N, 1, 8, 8\), got \(1, 1, 7, 8\)"),
        (X.tolist(), TypeError, "x takes a NumPy array of shape .*, got list"),
        (np.ma.masked_array(X.astype("float64")), TypeError, "got a masked one"),
    ):
        with pytest.raises(error, match=match):
            run(x)


def test_a_draw_takes_a_seed():
    net = models.load("lenet_dropout")
    one, other = (net.sample(seed, net.input_shape) for seed in (0, np.random.default_rng(0)))
    x = rng().random((1, *net.input_shape)).astype(np.float32)
    assert (one.scores(x) == other.scores(x)).all()
    assert TINY.sample(0, TINY.input_shape) is TINY
    for bad in (None, -1, "0", 1.5):
        with pytest.raises(ValueError, match="sample: rng takes a seed"):
            TINY.sample(bad, TINY.input_shape)


def test_the_stepper_takes_small_numpy_integers():
    trace = stepper.record("lrp-gamma", models.load("lenet"), rng().random((1, 1, 28, 28)))
    at = {"layer": "conv1", "k": 100}
    assert stepper.text(trace, **{**at, "k": np.int8(100)}) == stepper.text(trace, **at)
    assert stepper.text(trace, width=np.int8(100)) == stepper.text(trace, width=100)
    assert stepper.page(trace, **{**at, "k": np.int8(100)}) == stepper.page(trace, **at)


def test_infinite_weights_are_said_once_and_without_a_warning(recwarn):
    kernels.use("numpy")
    broken = Network([Dense(np.full((3, 4), np.inf)), Dense(np.ones((4, 2)))])
    x = np.zeros((1, 3))
    for explain in (
        lambda: target.explained(broken, x),
        lambda: gradient(broken, x),
        lambda: lrp.relevance(broken, x),
        lambda: objectives.Score(broken, 0)(x),
    ):
        with pytest.raises(ValueError, match="check the network's weights"):
            explain()
    assert not recwarn.list
