"""The building blocks of a hidden layer: shares of channels and positions, non-negative factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlite import Network, models
from nnlite.decision_based import lrp
from nnlite.decision_based.building_blocks import (
    channel_shares,
    factors,
    layer_shares,
    multiplicative_updates,
    position_shares,
)
from nnlite.layers import BatchNorm, Conv2d, Dense, Flatten, MaxPool2d, ReLU, Tanh

rng = np.random.default_rng(7)


def w(*shape: int) -> np.ndarray:
    return rng.normal(size=shape) * 0.6


NETWORK = Network(
    [Conv2d(w(4, 2, 3, 3), w(4), padding=1), ReLU(), MaxPool2d(2), Conv2d(w(5, 4, 2, 2), w(5)), Tanh(), Flatten(),
     Dense(w(20, 6), w(6)), ReLU(), Dense(w(6, 3), w(3))]
)  # fmt: skip
WITHOUT_BIASES = Network(
    [Conv2d(w(3, 2, 3, 3)), ReLU(), MaxPool2d(2), Flatten(), Dense(w(12, 5)), ReLU(), Dense(w(5, 3))]
)
WITH_BATCHNORM = Network([Conv2d(w(3, 2, 3, 3)), BatchNorm(*rng.random((4, 3))), ReLU(), Flatten(), Dense(w(60, 2))])
SMOOTH_ABOVE = Network([NETWORK[0], ReLU(), Conv2d(w(3, 4, 3, 3)), Tanh(), Flatten(), Dense(w(60, 3))])
X = rng.normal(size=(4, 2, 7, 6))
TARGETS = [0, 2, 1, 1]
RULES = lrp.epsilon(0.01)


def near(values: np.ndarray, expected: np.ndarray) -> bool:
    return np.abs(values - expected).max() <= 1e-10 * max(1, np.abs(expected).max())


def quotients(network: Network, at: int, h: float = 1e-6) -> np.ndarray:
    """∂f_c / ∂A by difference quotients."""
    A, above = network.forward(X)[at], network[at:]
    gradient = np.zeros_like(A)
    for place in np.ndindex(*A.shape[1:]):
        up, down = A.copy(), A.copy()
        up[(slice(None), *place)] += h
        down[(slice(None), *place)] -= h
        gradient[(slice(None), *place)] = (above.scores(up) - above.scores(down))[range(4), TARGETS] / (2 * h)
    return gradient


class TestShares:
    @pytest.mark.parametrize("layer", ["relu1", "conv2", "tanh1", "relu2"])
    def test_gradient_times_activation_by_difference_quotients(self, layer: str) -> None:
        at = NETWORK.index(layer) + 1
        expected = NETWORK.forward(X)[at] * quotients(NETWORK, at)
        np.testing.assert_allclose(layer_shares(NETWORK, X, TARGETS, layer=layer), expected, rtol=0, atol=1e-7)

    @pytest.mark.parametrize("rules", [None, RULES, lrp.EpsilonPlus()])
    def test_sums_over_positions_and_over_channels(self, rules: Any) -> None:
        R = layer_shares(NETWORK, X, TARGETS, layer="relu1", rules=rules)
        channels = channel_shares(NETWORK, X, TARGETS, layer="relu1", rules=rules)
        positions = position_shares(NETWORK, X, TARGETS, layer="relu1", rules=rules)
        N, K, h, width = R.shape
        assert (channels.shape, positions.shape) == ((4, 4), (4, 7, 6))
        for n in range(N):
            for k in range(K):
                assert channels[n, k] == pytest.approx(sum(R[n, k, y, x] for y in range(h) for x in range(width)))
            for y, x in np.ndindex(h, width):
                assert positions[n, y, x] == pytest.approx(sum(R[n, k, y, x] for k in range(K)))

    def test_relevance_is_that_of_lrp_in_that_layer(self) -> None:
        everywhere = lrp.relevance(NETWORK, X, TARGETS, rules=RULES, all_layers=True)
        for i, name in enumerate(NETWORK.names):
            assert np.array_equal(layer_shares(NETWORK, X, TARGETS, layer=name, rules=RULES), everywhere[i + 1])

    def test_without_biases_the_shares_of_every_layer_sum_to_the_score(self) -> None:
        score = WITHOUT_BIASES.scores(X)[:, 1]
        for name in WITHOUT_BIASES.names:
            for rules in (None, lrp.zero()):
                R = layer_shares(WITHOUT_BIASES, X, 1, layer=name, rules=rules)
                assert near(R.reshape(4, -1).sum(axis=1), score)

    def test_the_neurons_of_a_dense_layer_are_channels(self) -> None:
        expected = layer_shares(NETWORK, X, layer="relu2")
        assert np.array_equal(channel_shares(NETWORK, X, layer="relu2"), expected)

    def test_a_batchnorm_keeps_its_place(self) -> None:
        R = channel_shares(WITH_BATCHNORM, X, 0, layer="relu1", rules=lrp.zero())
        assert near(R, channel_shares(WITH_BATCHNORM, X, 0, layer="relu1"))

    def test_a_neuron_is_explained_by_the_layers_below_it(self) -> None:
        part = NETWORK[:7]
        for rules in (None, RULES):
            shares = channel_shares(NETWORK, X, ("dense1", 4), layer="tanh1", rules=rules)
            assert near(shares, channel_shares(part, X, 4, layer="tanh1", rules=rules))

    @pytest.mark.parametrize("rules", [None, RULES])
    def test_dtype_batch_and_an_unchanged_input(self, rules: Any) -> None:
        x = X.copy()
        single = channel_shares(NETWORK.astype(np.float32), X.astype(np.float32), 1, layer="relu1", rules=rules)
        exact = channel_shares(NETWORK, x, 1, layer="relu1", rules=rules)
        assert single.dtype == np.float32
        assert np.abs(single - exact).max() < 1e-3 * np.abs(exact).max()
        for n in range(4):
            assert near(channel_shares(NETWORK, x[n : n + 1], 1, layer="relu1", rules=rules)[0], exact[n])
        assert np.array_equal(x, X)


class TestMultiplicativeUpdates:
    V = np.abs(rng.normal(size=(40, 12)))

    def test_the_error_never_rises_and_the_factors_stay_non_negative(self) -> None:
        for n in (1, 3, 12):
            S, D, errors = multiplicative_updates(self.V, n, np.random.default_rng(0), 150)
            assert np.all(np.diff(errors) <= 1e-15)
            assert errors[-1] < 0.9 * errors[0]
            assert min(S.min(), D.min()) >= 0
            assert ((self.V - S @ D) ** 2).sum() / (self.V**2).sum() == pytest.approx(errors[-1], rel=1e-12)

    def test_one_update_with_every_index_written_out(self) -> None:
        V, n = self.V[:5, :4], 2
        draws = np.random.default_rng(0)
        scale = np.sqrt(V.mean() / n)
        S, D = scale * (1 - draws.random((5, n))), scale * (1 - draws.random((n, 4)))
        for which in "SD":
            SD, old_S, old_D = S @ D, S.copy(), D.copy()
            for f in range(n):
                for i in range(5) if which == "S" else ():
                    above, below = (sum(M[i, k] * old_D[f, k] for k in range(4)) for M in (V, SD))
                    S[i, f] = old_S[i, f] * above / below
                for k in range(4) if which == "D" else ():
                    above, below = (sum(M[i, k] * old_S[i, f] for i in range(5)) for M in (V, SD))
                    D[f, k] = old_D[f, k] * above / below
        found_S, found_D, _ = multiplicative_updates(V, n, np.random.default_rng(0), 1)
        assert near(found_S @ found_D, S @ D)

    def test_non_negative_factors_are_found_again(self) -> None:
        numbers = np.random.default_rng(2)
        S, D = np.zeros((30, 2)), np.zeros((2, 6))
        S[:20, 0], S[15:, 1] = 1 + numbers.random(20), 3 + numbers.random(15)
        D[0, :3], D[1, 3:] = [1, 2, 2], [3, 0, 4]
        found_S, found_D, errors = multiplicative_updates(S @ D, 2, numbers, 2000)
        assert errors[-1] < 1e-7
        np.testing.assert_allclose(found_D, [[0, 0, 0, 0.6, 0, 0.8], [1 / 3, 2 / 3, 2 / 3, 0, 0, 0]], atol=2e-3)
        np.testing.assert_allclose(found_S, S[:, ::-1] * [5, 3], atol=2e-2)

    def test_rows_and_columns_of_zeros(self) -> None:
        V = self.V.copy()
        V[3], V[:, 4] = 0, 0
        S, D, errors = multiplicative_updates(V, 2, np.random.default_rng(0), 20)
        assert np.isfinite(errors).all()
        assert not S[3].any()
        assert not D[:, 4].any()
        S, D, errors = multiplicative_updates(np.zeros((4, 3)), 2, np.random.default_rng(0), 5)
        assert not S.any()
        assert not D.any()
        assert not errors.any()


class TestFactors:
    def test_what_they_consist_of(self) -> None:
        found = factors(NETWORK, X, TARGETS, layer="relu1", n=3, iterations=60)
        A = NETWORK.forward(X)[2]
        assert (found.maps.shape, found.directions.shape, found.shares.shape) == ((4, 3, 7, 6), (3, 4), (4, 3))
        np.testing.assert_allclose((found.directions**2).sum(axis=1), 1, rtol=1e-12)
        strength = (found.maps**2).sum(axis=(0, 2, 3))
        assert np.all(np.diff(strength) <= 0)
        parts = np.einsum("nfyx,fk->nfkyx", found.maps, found.directions)
        error = ((A - parts.sum(axis=1)) ** 2).sum() / (A**2).sum()
        assert error == pytest.approx(found.errors[-1], rel=1e-10)
        assert len(found.errors) == 61
        assert np.all(np.diff(found.errors) <= 1e-15)

    def test_shares_by_difference_quotients(self) -> None:
        found = factors(SMOOTH_ABOVE, X, TARGETS, layer="relu1", n=2, iterations=20)
        gradient = quotients(SMOOTH_ABOVE, 2)
        for n, f in np.ndindex(*found.shares.shape):
            part = found.maps[n, f] * found.directions[f][:, None, None]
            assert found.shares[n, f] == pytest.approx((gradient[n] * part).sum(), abs=1e-6)

    def test_as_many_factors_as_channels_share_what_the_channels_share(self) -> None:
        found = factors(NETWORK, X, TARGETS, layer="relu1", n=4, iterations=5000)
        assert found.errors[-1] < 1e-3
        expected = channel_shares(NETWORK, X, TARGETS, layer="relu1").sum(axis=1)
        np.testing.assert_allclose(found.shares.sum(axis=1), expected, atol=0.1 * np.abs(expected).max())

    def test_the_seed_decides(self) -> None:
        one, again, other = (factors(NETWORK, X, layer="relu1", n=2, seed=seed, iterations=5) for seed in (1, 1, 2))
        assert np.array_equal(one.maps, again.maps)
        assert not np.array_equal(one.maps, other.maps)
        drawn = factors(NETWORK, X, layer="relu1", n=2, seed=np.random.default_rng(1), iterations=5)
        assert np.array_equal(one.maps, drawn.maps)

    def test_float32_in_float32_out_on_a_shipped_network(self) -> None:
        network = models.load("cam_net")
        x = np.random.default_rng(0).random((2, 1, 28, 28), dtype=np.float32)
        found = factors(network, x, layer="relu3", n=3, iterations=20)
        assert {values.dtype for values in (found.maps, found.directions, found.shares)} == {np.dtype(np.float32)}
        assert found.maps.shape == (2, 3, 7, 7)

    def test_a_layer_that_is_silent(self) -> None:
        network = Network([Conv2d(-np.ones((2, 1, 1, 1))), ReLU(), Flatten(), Dense(np.ones((8, 1)))])
        found = factors(network, np.ones((1, 1, 2, 2)), layer="relu1", n=2)
        assert not found.maps.any()
        assert not found.shares.any()


@pytest.mark.parametrize("method", [layer_shares, channel_shares, position_shares, factors])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "conv9"}, r"There is no layer 'conv9'; the layers are conv1, relu1"),
        ({"layer": "relu2", "target": ("conv2", 0)}, r"There is no layer 'relu2'; the layers are conv1"),
        ({"target": 3}, r"classes from 0 to 2, got 3"),
        ({"x": X[0]}, r"takes \(N, 2, H, W\), got \(2, 7, 6\)"),
        ({"x": X * np.nan}, r"x must be finite"),
        ({"x": X.astype(np.float32)}, r"computes in float64, and x is float32"),
    ],
)
def test_bad_input_is_refused(method: Any, options: dict[str, Any], message: str) -> None:
    extra = {"n": 2} if method is factors else {}
    with pytest.raises(ValueError, match=message):
        method(NETWORK, **{"x": X, "layer": "relu1", **extra, **options})


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (position_shares, {"layer": "dense1"}, r"must have feature maps \(N, K, h, w\), and dense1 gives \(4, 6\)"),
        (factors, {"layer": "relu2", "n": 2}, r"must have feature maps \(N, K, h, w\), and relu2 gives \(4, 6\)"),
        (
            factors,
            {"layer": "tanh1", "n": 2},
            r"need activations ≥ 0, got -0\.\d+; choose the layer after",
        ),
        (factors, {"layer": "relu1", "n": 0}, r"n takes a positive integer, got 0"),
        (factors, {"layer": "relu1", "n": 2.0}, r"n takes a positive integer, got 2.0"),
        (factors, {"layer": "relu1", "n": 2, "iterations": 0}, r"iterations takes a positive integer, got 0"),
        (factors, {"layer": "relu1", "n": 2, "x": X[:0]}, r"need activations ≥ 0, got none"),
    ],
)
def test_a_layer_or_an_option_that_does_not_fit_is_refused(method: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        method(NETWORK, **{"x": X, **options})
