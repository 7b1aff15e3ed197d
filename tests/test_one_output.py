"""Networks with one output: before a Sigmoid it is the logit of two classes; else it is explained, without classes."""

import numpy as np
import pytest

from nnlite import Network, kernels
from nnlite.cli import main
from nnlite.decision_based import lrp
from nnlite.decision_based.gradient import gradient, gradient_times_input
from nnlite.decision_based.masking import mask_by_relevance
from nnlite.decision_based.occlusion import occlusion
from nnlite.layers import Conv2d, Dense, Dropout, Flatten, GlobalAvgPool, LogSoftmax, ReLU, Sigmoid, Softmax
from nnlite.model_based.activation_maximization import general
from nnlite.model_based.objectives import LogProbability
from nnlite.stepper import record
from nnlite.training import accuracy, fit, softmax
from nnlite.training.schedules import OneCycle
from nnlite.uncertainty import dropout_draws, explanations, mc_dropout, predict

W = np.array([[1.0], [-1.0]])
X = np.array([[0.0, 3.0], [2.0, 0.5], [1.0, 1.0]])
Z = np.array([-3.0, 1.5, 0.0])
BINARY = Network([Dense(W), Sigmoid()], input_shape=(2,))
PLAIN = Network([Dense(W)], input_shape=(2,))
both = pytest.mark.parametrize("network", [BINARY, PLAIN], ids=["sigmoid", "plain"])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def deep(seed=0):
    """Dense, ReLU, Dense, Sigmoid, for images (1, 2, 3)."""
    rng = np.random.default_rng(seed)
    layers = [Flatten(), Dense(rng.normal(size=(6, 5))), ReLU(), Dense(rng.normal(size=(5, 1)), [0.3]), Sigmoid()]
    return Network(layers, input_shape=(1, 2, 3)), rng.random((4, 1, 2, 3))


def test_the_class_is_whether_the_logit_is_above_zero():
    assert BINARY.predict(X).tolist() == [0, 1, 0]
    np.testing.assert_array_equal(BINARY.scores(X)[:, 0], Z)
    np.testing.assert_allclose(BINARY.output(X)[:, 0], sigmoid(Z), rtol=1e-15)


@both
@pytest.mark.parametrize("target", [None, 0, [0, 0, 0]])
def test_the_one_output_is_explained_before_the_sigmoid(network, target):
    np.testing.assert_allclose(lrp.relevance(network, X, target).sum(axis=1), Z, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(gradient(network, X, target), np.tile(W.T, (3, 1)))
    np.testing.assert_array_equal(gradient_times_input(network, X, target), X * W.T)


@both
def test_a_class_that_there_is_not_is_refused(network):
    with pytest.raises(ValueError, match="0 or None for a network with one output"):
        gradient(network, X, 1)


def test_one_output_without_a_sigmoid_has_no_classes():
    network = Network([*PLAIN, Dropout(0.5)], input_shape=(2,))
    for ask in (
        lambda: PLAIN.predict(X),
        lambda: accuracy(PLAIN, X, np.zeros(3, int)),
        lambda: fit(PLAIN, X, np.zeros(3, int), progress=False),
        lambda: mc_dropout(network, X),
        lambda: LogProbability(PLAIN, 0)(X),
        lambda: general(PLAIN, 0),
        lambda: occlusion(Network([Flatten(), *PLAIN]), X[:, None, None], score="probability"),
    ):
        with pytest.raises(ValueError, match="has no classes"):
            ask()
    assert occlusion(Network([Flatten(), *PLAIN]), X[:, None, None], size=1).map.shape == (3, 1, 2)
    assert mask_by_relevance(PLAIN, X, X).predicted.tolist() == [0, 0, 0]


def test_a_dense_says_that_there_is_one_output_where_the_input_shape_does_not():
    for layers in ([Dense(W), Sigmoid()], [Dense(W), Dropout(0.5), Sigmoid()]):
        network = Network(layers)
        assert network.predict(X).tolist() == [0, 1, 0]
        draw = network.sample(np.random.default_rng(1), (1, 2))
        assert draw.is_binary
    for layers in ([Dense(np.eye(2)), Sigmoid()], [Sigmoid()], []):
        assert not Network(layers).is_binary
        assert Network(layers).to_scores().names == Network(layers).names


def test_the_input_shape_says_that_there_is_one_output_where_no_dense_does():
    pooled = [Conv2d(np.array([2.0, -1.0]).reshape(1, 2, 1, 1)), GlobalAvgPool(), Flatten(), Sigmoid()]
    x = np.array([[1.0, 0.0], [0.0, 1.0]])[:, :, None, None]
    assert Network(pooled, input_shape=(2, 1, 1)).predict(x).tolist() == [1, 0]
    assert not Network(pooled).is_binary


def test_more_sigmoids_than_one_stay():
    network = Network([Dense(np.eye(2)), Sigmoid()], input_shape=(2,))
    np.testing.assert_allclose(network.scores(X), sigmoid(X))


@pytest.mark.parametrize("top", [Softmax(), LogSoftmax()], ids=repr)
def test_a_softmax_and_its_logarithm_are_left_out_at_the_end(top):
    network = Network([Dense(np.array([[1.0, -1.0], [0.5, 2.0]])), top])
    np.testing.assert_array_equal(network.scores(X), X @ network[0].W)
    assert network.to_scores().names == ("dense1",)
    assert len(Network([top, ReLU()]).to_scores()) == 2


def test_a_log_softmax_in_the_middle_has_no_rule():
    with pytest.raises(ValueError, match="no rule for layer"):
        lrp.relevance(Network([Dense(np.eye(2)), LogSoftmax(), ReLU()]), X)


def test_the_summary_says_what_is_explained_and_predicted():
    assert "logit z below sigmoid1" in BINARY.summary()
    assert "logit" not in PLAIN.summary()


def test_the_probabilities_are_those_of_the_sigmoid():
    np.testing.assert_allclose(softmax(BINARY.class_scores(BINARY.scores(X)))[:, 1], sigmoid(Z), rtol=1e-12)
    p = predict([BINARY, BINARY], X).mean
    np.testing.assert_allclose(p, np.stack((1 - sigmoid(Z), sigmoid(Z)), axis=1), rtol=1e-12)


def test_occlusion_and_masking_follow_the_class_and_the_probability():
    network, x = deep()
    z = network.scores(x)[:, 0]
    found = occlusion(network, x, size=1)
    covered = x.copy()
    covered[:, 0, 0, 1] = 0
    z_covered = network.scores(covered)[:, 0]
    np.testing.assert_allclose(found.drops[:, 0, 1], z - z_covered, atol=1e-12)
    np.testing.assert_array_equal(found.predicted[:, 0, 1], z_covered > 0)
    drops = occlusion(network, x, size=1, score="probability").drops[:, 0, 1]
    np.testing.assert_allclose(drops, sigmoid(z) - sigmoid(z_covered), atol=1e-12)
    masked = mask_by_relevance(BINARY, X, X * W.T, which="negative")
    assert (masked.predicted_before.tolist(), masked.predicted.tolist()) == ([0, 1, 0], [0, 1, 1])


def test_accuracy_and_training_take_both_classes():
    assert accuracy(BINARY, X, np.array([0, 1, 1])) == pytest.approx(2 / 3)
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    x = rng.normal(size=(200, 2)) + 4 * labels[:, None]  # two clouds
    start = Network([Dense(np.zeros((2, 1)), np.zeros(1)), Sigmoid()])
    found = fit(
        start, x, labels, held_out=(x, labels), schedule=OneCycle(0.1), epochs=40, batch_size=200, progress=False
    )
    assert found.history[0].loss == pytest.approx(np.log(2))  # σ = 1/2 everywhere
    assert found.history[-1].held_out_accuracy == accuracy(found.network, x, labels) > 0.95
    with pytest.raises(ValueError, match="classes from 0 to 1"):
        fit(start, x, labels + 1, progress=False)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_log_p_of_both_classes_and_its_gradient(backend):
    with kernels.use(backend):
        network, x = deep()
        z = network.scores(x)
        for c, p in ((0, 1 - sigmoid(z)), (1, sigmoid(z))):
            value, slope = LogProbability(network, c)(x)
            np.testing.assert_allclose(value, np.log(p)[:, 0], atol=1e-12)
            expected = (c - sigmoid(z))[:, :, None, None] * gradient(network, x)
            np.testing.assert_allclose(slope, expected, atol=1e-12)


def test_an_input_is_found_for_each_of_the_two_classes():
    network, _ = deep()
    found = general(network, "all", steps=50)
    assert network.predict(found.x).tolist() == [0, 1]
    assert (found.probability > found.start_probability).all()
    with pytest.raises(ValueError, match="log_probability"):
        general(network, 0, objective="score")


def test_the_uncertainty_of_the_one_output_is_explained():
    network = Network([Dropout(0.5), Dense(W), Sigmoid()], input_shape=(2,))
    draws = dropout_draws(network, 20)
    R = explanations(draws, X, "gradient-times-input")
    expected = [gradient_times_input(draw, X) for draw in draws]
    np.testing.assert_array_equal(R.maps, expected)
    p = np.mean([sigmoid(draw.scores(X)) for draw in draws], axis=0)
    np.testing.assert_allclose(mc_dropout(network, X, 20).mean[:, 1:], p, rtol=1e-12)
    assert explanations([PLAIN, PLAIN], X, "gradient-times-input").std.max() == 0


def test_the_stepper_says_the_class():
    trace = record("lrp-epsilon", BINARY, X[1:2])
    assert (trace.score, trace.predicted, trace.explained) == (1.5, 1, "the one score")
    assert record("lrp-epsilon", PLAIN, X[1:2]).predicted is None


@pytest.mark.parametrize("ends", [True, False], ids=["sigmoid", "plain"])
def test_the_command_explains_one_output(tmp_path, capsys, ends):
    path = tmp_path / "one.npz"
    layers = [Flatten(), Dense(np.full((784, 1), 0.01, np.float32)), *[Sigmoid()] * ends]
    Network(layers, input_shape=(1, 28, 28)).save(path)
    main(["explain", "uci:17", "--model", str(path), "--out", str(tmp_path / "heat.npy")])
    said = capsys.readouterr().out
    assert ("predicted  1, probability 0." in said) == ends
    assert "explained  score of the one output" in said
    assert np.load(tmp_path / "heat.npy").shape == (1, 1, 28, 28)
