"""The uncertainty of explanations: its laws, the picture, and what it refuses."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from nnlite import Network, models
from nnlite.datasets import strokes
from nnlite.decision_based import lrp
from nnlite.decision_based.registry import METHODS, explain
from nnlite.layers import Dense, Dropout, Flatten, ReLU
from nnlite.uncertainty import dropout_draws, predict
from nnlite.uncertainty.explanations import ExplanationDraws, explanations
from nnlite.uncertainty.panels import certainty_colours, picture

mpl.use("Agg")
import matplotlib.pyplot as plt

X = strokes(2, seed=models.HELD_OUT_SEED, start=53)[0]
DROPOUT = models.load("lenet_dropout")


def dense_networks(n=4, bias=0.0, dtype=np.float64):
    """Small networks of other weights, 6 → 5 → 3."""
    rng = np.random.default_rng(7)
    return [
        Network(
            [
                Dense(rng.normal(size=(6, 5)).astype(dtype), np.full(5, bias, dtype)),
                ReLU(),
                Dense(rng.normal(size=(5, 3)).astype(dtype), np.full(3, bias, dtype)),
            ],
            input_shape=(6,),
        )
        for _ in range(n)
    ]


class TestLaws:
    x = np.random.default_rng(3).random((5, 6))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_same_network_many_times_has_no_spread(self, dtype):
        network = models.load("lenet").astype(dtype)
        x = X.astype(dtype)
        R = explanations([network] * 7, x, "lrp-epsilon")
        alone = explain(network, x, "lrp-epsilon")
        assert R.std.max() == 0
        assert np.array_equal(R.mean, alone)
        assert np.array_equal(R.quantile(0.3), alone)
        assert np.array_equal(np.isinf(R.signal_to_noise), alone != 0)
        assert np.array_equal(R.agreement, alone != 0)
        assert {M.dtype for M in (R.mean, R.std, R.quantile(0.1), R.signal_to_noise, R.agreement)} == {np.dtype(dtype)}

    def test_mean_and_std_are_numpys(self):
        R = explanations(dropout_draws(DROPOUT, 9), X)
        assert np.abs(R.mean - R.maps.mean(axis=0, dtype=np.float64)).max() < 1e-6
        assert np.abs(R.std - R.maps.std(axis=0, dtype=np.float64)).max() < 1e-6

    def test_the_mean_gradient_is_the_gradient_of_the_mean_score(self):
        networks, c, h = dense_networks(), 1, 1e-6
        mean = explanations(networks, self.x, "gradient", c).mean

        def score(x):
            return np.mean([network.scores(x)[:, c] for network in networks], axis=0)

        for j in range(6):
            step = h * np.eye(6)[j]
            slope = (score(self.x + step) - score(self.x - step)) / (2 * h)
            assert np.abs(mean[:, j] - slope).max() < 1e-8

    def test_the_mean_of_conserved_relevance_is_conserved(self):
        networks = dense_networks()
        R = explanations(networks, self.x, "lrp-zero")
        scores = np.mean([n.scores(self.x) for n in networks], axis=0)
        expected = scores[np.arange(5), R.target]
        assert np.abs(R.mean.sum(axis=1) - expected).max() < 1e-12

    def test_it_is_conserved_through_the_masks_of_a_dropout_too(self):
        layers = dense_networks(1)[0].layers
        draws = dropout_draws(Network([*layers[:2], Dropout(0.5), layers[2]], input_shape=(6,)), 20)
        R = explanations(draws, self.x, "lrp-zero", 2)
        score = np.mean([f.scores(self.x)[:, 2] for f in draws], axis=0)
        assert np.abs(R.mean.sum(axis=1) - score).max() < 1e-12

    def test_quantiles_go_from_least_to_largest(self):
        R = explanations(dropout_draws(DROPOUT, 11), X, "gradient")
        assert np.array_equal(R.quantile(0), R.maps.min(axis=0))
        assert np.array_equal(R.quantile(1), R.maps.max(axis=0))
        assert np.array_equal(R.quantile(0.5), np.median(R.maps, axis=0))
        steps = [R.quantile(q) for q in np.linspace(0, 1, 7)]
        assert all((low <= high).all() for low, high in pairwise(steps))
        assert np.array_equal(R.intersection(), R.quantile(0.05))
        assert np.array_equal(R.union(), R.quantile(0.95))

    def test_intersection_and_union_count_the_networks(self):
        R = explanations(dropout_draws(DROPOUT, 41), X)
        positive, negative = (R.maps > 0).mean(axis=0), (R.maps < 0).mean(axis=0)
        assert (positive[R.intersection() > 0] >= 0.95).all()
        assert (positive[R.union() > 0] > 0).all()
        assert (negative[R.union() < 0] >= 0.95).all()
        assert (R.intersection() > 0).any()
        assert (R.intersection() <= R.union()).all()

    def test_signs_and_signal_to_noise_by_hand(self):
        R = ExplanationDraws(np.array([[[1.0, -1, 0, 2, 0]], [[1.0, 1, 0, 2, 4]], [[1.0, -4, 0, -1, -4]]]))
        assert R.agreement.round(4).tolist() == [[1, 0.6667, 0, 0.6667, 0]]
        assert R.signal_to_noise[0, [0, 2, 4]].tolist() == [np.inf, 0, 0]
        assert R.signal_to_noise[0, 3] == pytest.approx(1 / np.sqrt(2))

    def test_more_draws_come_nearer_to_the_mean_of_very_many(self):
        def mean(n, seed):
            return explanations(dropout_draws(DROPOUT, n, rng=seed), X[:1], "gradient", 4).mean

        many = mean(500, 1)
        few, more = (np.mean([np.abs(mean(n, seed) - many).mean() for seed in (10, 11, 12)]) for n in (4, 64))
        assert 2.5 < few / more < 5.5  # √(64 / 4) = 4


class TestTheTarget:
    def test_it_is_the_class_of_the_mean_prediction_in_every_network(self):
        draws = dropout_draws(DROPOUT, 15)
        x = X[1:]  # nearly a 9: the draws do not all say the same class
        said = predict(draws, x)
        assert len(set(said.probabilities.argmax(axis=2).ravel())) > 1
        R = explanations(draws, x, "gradient")
        assert np.array_equal(R.target, said.classes)
        for f, R_t in zip(draws, R.maps, strict=True):
            assert np.array_equal(R_t, explain(f, x, "gradient", said.classes))

    def test_a_class_for_all_one_for_each_and_a_neuron(self):
        draws = dropout_draws(DROPOUT, 3)
        R = explanations(draws, X, "gradient", [4, 9])
        assert np.array_equal(R.maps[:, 1], explanations(draws, X, "gradient", 9).maps[:, 1])
        assert not explanations(
            draws, X, "gradient", ("conv2", 3)
        ).std.any()  # below the dropout all draws are one network

    @pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.fits(DROPOUT)])
    def test_every_method_that_fits(self, name):
        R = explanations(dropout_draws(DROPOUT, 2), X[:1], name)
        assert R.maps.shape[:2] == (2, 1)
        assert R.maps.shape[-2:] == (28, 28)
        assert R.maps.dtype == np.float32

    def test_any_function(self):
        draws = dropout_draws(DROPOUT, 3)
        by_hand = explanations(draws, X, lambda f, x, c: lrp.relevance(f, x, c, rules=lrp.epsilon(1e-6)))
        assert np.array_equal(by_hand.maps, explanations(draws, X, "lrp-epsilon").maps)

    def test_the_same_seed_gives_the_same_bits(self):
        a, b, c = (explanations(dropout_draws(DROPOUT, 4, rng=seed), X).maps for seed in (5, 5, 6))
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)


class TestBadInput:
    def test_networks(self):
        net = models.load("lenet")
        with pytest.raises(TypeError, match="got one network"):
            explanations(net, X)
        with pytest.raises(ValueError, match="got none"):
            explanations([], X)
        with pytest.raises(ValueError, match="positive integer, got 0"):
            explanations(dropout_draws(DROPOUT, 0), X)
        with pytest.raises(ValueError, match="has none"):
            explanations(dropout_draws(net), X)

    def test_networks_that_are_not_of_one_family(self):
        with pytest.raises(ValueError, match=r"\(N, 1, 8, 8\)"):
            explanations([models.load("lenet"), models.load("tiny")], X)
        nine = Network([Flatten(), Dense(np.zeros((784, 9), np.float32))], input_shape=(1, 28, 28))
        with pytest.raises(ValueError, match="same classes"):
            explanations([models.load("lenet"), nine], X, target=3)

    def test_methods(self):
        draws = dropout_draws(DROPOUT, 2)
        with pytest.raises(ValueError, match="no method 'lrp'; the methods are gradient"):
            explanations(draws, X, "lrp")
        with pytest.raises(ValueError, match=r"cam does not fit .* those that do: gradient"):
            explanations(draws, X, "cam")
        with pytest.raises(ValueError, match="a map for each of 2 samples"):
            explanations(draws, X, lambda f, x, c: x[:1])
        with pytest.raises(ValueError, match="one shape"):
            explanations(draws, X, lambda f, x, c: x if f is draws[0] else x[:, :, :2])
        with pytest.raises(ValueError, match="network 0 for sample 1 holds a NaN"):
            explanations(
                draws, X, lambda f, x, c: np.where(np.arange(2)[:, None, None, None] == 1, np.float32(np.nan), x)
            )

    @pytest.mark.parametrize("target", [10, -1, [4, 9, 9], 1.5, ("conv9", 1)])
    def test_targets(self, target):
        with pytest.raises(ValueError, match=r"target takes|no layer"):
            explanations(dropout_draws(DROPOUT, 2), X, target=target)

    @pytest.mark.parametrize("q", [-0.1, 1.1, np.nan, "half"])
    def test_quantiles(self, q):
        with pytest.raises(ValueError, match=r"q takes|q must be"):
            ExplanationDraws(np.ones((2, 1, 3))).quantile(q)

    @pytest.mark.parametrize("maps", [np.ones((2, 3)), np.ones((0, 1, 3)), np.ones((2, 1, 3), int), None])
    def test_maps(self, maps):
        with pytest.raises(ValueError, match="maps takes"):
            ExplanationDraws(maps)


class TestPicture:
    def test_agreement_makes_the_colour_and_its_want_the_grey(self):
        mean, std = np.array([[1.0, -1.0, 1.0, 0.0]]), np.zeros((1, 4))
        red, blue, grey, white = certainty_colours(mean, std, np.array([[1, 1, 0.5, 0]]), 1.0)[0].astype(int)
        assert red[0] > red[2] + 100
        assert blue[2] > blue[0] + 100
        assert len(set(grey)) == 1
        assert white.tolist() == [255, 255, 255]

    def test_what_cancels_in_the_mean_is_seen_all_the_same(self):
        nothing, quarrel = certainty_colours(np.zeros((1, 2)), np.array([[0.0, 1.0]]), np.full((1, 2), 0.5), 1.0)[0]
        assert nothing.tolist() == [255, 255, 255]
        mean = np.array([[1e-9]])
        assert certainty_colours(mean, np.ones((1, 1)), np.full((1, 1), 0.5), 1.0)[0, 0].max() < 100
        assert quarrel.max() < 100

    def test_stronger_than_the_limit_is_as_the_limit(self):
        one = np.ones((1, 1))
        assert np.array_equal(certainty_colours(9 * one, 0 * one, one, 1.0), certainty_colours(one, 0 * one, one, 1.0))

    def test_a_nan_is_grey_and_integers_are_numbers(self):
        one, undefined = np.ones((1, 1)), np.full((1, 1), np.nan)
        for maps in ((undefined, one, one), (one, undefined, one)):
            assert certainty_colours(*maps, 1.0)[0, 0].tolist() == [128, 128, 128]
        large = np.full((1, 1), -128, np.int8)
        assert np.array_equal(
            certainty_colours(large, 0 * large, one, 128.0), certainty_colours(-128 * one, 0 * one, one, 128.0)
        )

    def test_a_map_of_a_few_pixels_has_the_deepest_colour_at_the_largest(self):
        maps = np.zeros((2, 1, 28, 28))
        maps[:, 0, 3, 4] = 1e-3  # one of 784: above the 99 % quantile, which is 0
        figure = picture(ExplanationDraws(maps, np.array([0])), np.zeros((1, 1, 28, 28)))
        shown = figure.subfigs[0].axes[0].images[0].get_array()
        deepest = certainty_colours(np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), 1.0)
        assert np.array_equal(shown[3, 4], deepest[0, 0])
        plt.close(figure)

    def test_it_draws_one_sample_of_the_batch(self):
        R = explanations(dropout_draws(DROPOUT, 4), X)
        figure = picture(R, X, 1, title="why?")
        big = figure.subfigs[0].axes[0].images[0].get_array()
        assert big.shape == (28, 28, 3)
        assert np.array_equal(figure.subfigs[1].axes[1].images[0].get_array(), R.std[1, 0])
        plt.close(figure)

    def test_maps_without_channels_and_an_empty_picture(self):
        black = np.zeros_like(X)
        figure = picture(explanations(dropout_draws(DROPOUT, 3), black, "saliency"), black)
        assert figure.subfigs[0].axes[0].images[0].get_array().dtype == np.uint8
        plt.close(figure)

    def test_errors(self):
        R = explanations(dropout_draws(DROPOUT, 2), X)
        with pytest.raises(ValueError, match="sample takes an integer from 0 to 1"):
            picture(R, X, 2)
        with pytest.raises(ValueError, match="picture takes maps"):
            picture(R, X[:1])
        with pytest.raises(ValueError, match="picture takes maps"):
            picture(ExplanationDraws(np.ones((2, 1, 3))), X[:1])


def test_the_picture_of_what_is_no_sample():
    R = explanations(dropout_draws(DROPOUT, 2), X)
    for sample in (0.5, True, 2, -1):
        with pytest.raises(ValueError, match="sample takes an integer from 0 to 1"):
            picture(R, X, sample)
    with pytest.raises(ValueError, match="x must be finite"):
        picture(R, np.full_like(X, np.nan))
    with pytest.raises(TypeError, match="R takes ExplanationDraws"):
        picture(R.maps, X)
