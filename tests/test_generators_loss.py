"""The variational bound and the players' losses: against torch, finite differences, integrals and exact likelihoods."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nnlite import Network, storage
from nnlite.layers import Dense, ReLU, Sigmoid
from nnlite.model_based.generators import quality
from nnlite.model_based.generators.adversarial import discriminator_loss, generator_loss
from nnlite.model_based.generators.bound import Reparameterisation, divergence, reconstruction, vae_loss
from nnlite.model_based.generators.joined import join, taken
from nnlite.model_based.generators.vae import loss_gradients

GOLDEN = Path(__file__).parent / "golden" / "vae"
RNG = np.random.default_rng


def small(rng: np.random.Generator, d: int = 3, pixels: int = 9) -> dict[str, Network]:
    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(rng.standard_normal((inputs, outputs)), rng.standard_normal(outputs))

    return {
        "encoder": Network([dense(pixels, 7), ReLU(), dense(7, 2 * d)]),
        "decoder": Network([dense(d, 5), ReLU(), dense(5, pixels), Sigmoid()]),
    }


def derivative(f: Any, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """∂f/∂x by central differences."""
    found = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        there, back = x.copy(), x.copy()
        there[i] += step
        back[i] -= step
        found[i] = (f(there) - f(back)) / (2 * step)
    return found


# ------------------------------------------------------------------------------------------------- against torch


def test_the_loss_and_every_gradient_are_torchs() -> None:
    header, arrays = storage.read(GOLDEN / "loss.npz", "golden")
    weights = taken({key.replace("/", "."): value for key, value in arrays.items()}, "weight")
    networks = {name: net.with_parameters(taken(weights, name)) for name, net in small(RNG(0)).items()}
    noise = RNG(header["seed"]).standard_normal((len(arrays["x"]), 3))
    np.testing.assert_array_equal(noise, arrays["noise"])
    loss, gradients = loss_gradients(networks["encoder"], networks["decoder"], arrays["x"], RNG(header["seed"]))
    assert loss == pytest.approx(float(arrays["loss"]), abs=1e-12)
    assert set(gradients) == set(weights)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, arrays[f"gradient/{name}"], rtol=0, atol=1e-12)


def test_the_players_losses_and_gradients_are_torchs() -> None:
    _, arrays = storage.read(GOLDEN / "adversarial.npz", "golden")
    ours = discriminator_loss(arrays["real"], arrays["fake"]) + generator_loss(arrays["fake"])
    for value, name in zip(ours, ("discriminator", "dreal", "dfake", "generator", "dfooling"), strict=True):
        np.testing.assert_allclose(value, arrays[name], rtol=0, atol=1e-12)


# -------------------------------------------------------------------------------------------- finite differences


def test_gradients_of_the_pieces_are_finite_differences() -> None:
    rng = RNG(2)
    scores, x, code = 3 * rng.standard_normal((2, 5)), rng.random((2, 5)), rng.standard_normal((2, 6))
    np.testing.assert_allclose(
        reconstruction(scores, x)[1], derivative(lambda s: reconstruction(s, x)[0].sum(), scores), atol=1e-8
    )
    np.testing.assert_allclose(divergence(code)[1], derivative(lambda c: divergence(c)[0].sum(), code), atol=1e-8)
    _, dcode, dscores = vae_loss(code, scores, x)
    np.testing.assert_allclose(dcode, derivative(lambda c: vae_loss(c, scores, x)[0], code), atol=1e-8)
    np.testing.assert_allclose(dscores, derivative(lambda s: vae_loss(code, s, x)[0], scores), atol=1e-8)


def test_the_drawn_code_is_differentiated_with_its_noise_held_fixed() -> None:
    rng = RNG(3)
    code, dz = rng.standard_normal((2, 6)), rng.standard_normal((2, 3))
    draw = Reparameterisation(rng.standard_normal((2, 3)))
    np.testing.assert_allclose(
        draw.backward(code, dz), derivative(lambda c: (draw.forward(c) * dz).sum(), code), atol=1e-8
    )


def test_the_gradient_in_every_parameter_is_a_finite_difference() -> None:
    parts, x = small(RNG(4)), RNG(5).random((3, 9))
    _, gradients = loss_gradients(parts["encoder"], parts["decoder"], x, RNG(6))
    weights = join(**{name: net.parameters for name, net in parts.items()})
    for key in weights:

        def loss(w: np.ndarray, key: str = key) -> float:
            changed = {**weights, key: w}
            encoder, decoder = (parts[name].with_parameters(taken(changed, name)) for name in ("encoder", "decoder"))
            return loss_gradients(encoder, decoder, x, RNG(6))[0]

        np.testing.assert_allclose(gradients[key], derivative(loss, weights[key]), atol=1e-6)


def test_gradients_of_the_players_are_finite_differences() -> None:
    real, fake = RNG(7).standard_normal((4, 1)), RNG(8).standard_normal((3, 1))
    _, dreal, dfake = discriminator_loss(real, fake)
    np.testing.assert_allclose(dreal, derivative(lambda s: discriminator_loss(s, fake)[0], real), atol=1e-8)
    np.testing.assert_allclose(dfake, derivative(lambda s: discriminator_loss(real, s)[0], fake), atol=1e-8)
    np.testing.assert_allclose(generator_loss(fake)[1], derivative(lambda s: generator_loss(s)[0], fake), atol=1e-8)


# ------------------------------------------------------------------------------------------------------- theory


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.floats(-4, 2))
def test_the_divergence_is_the_integral(mean: float, log_variance: float) -> None:
    q, p = stats.norm(mean, np.exp(log_variance / 2)), stats.norm()
    low, high = mean - 12 * q.std(), mean + 12 * q.std()
    expected = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high)[0]
    assert divergence(np.array([[mean, log_variance]]))[0][0] == pytest.approx(expected, abs=1e-7)


def test_the_divergence_is_zero_at_the_prior_alone() -> None:
    value, gradient = divergence(np.zeros((1, 4)))
    assert value[0] == 0
    assert not gradient.any()
    assert (divergence(RNG(0).standard_normal((100, 4)))[0] > 0).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_no_digit_of_a_small_loss_cancels(dtype: str) -> None:
    """A pixel that is right to e⁻ˢ, and a code near the prior: differences of large numbers had left noise."""
    scores = np.array([[s, -s] for s in (1.0, 5.0, 10.0, 15.0, 30.0, 80.0)], dtype)
    bits, _ = reconstruction(scores, np.array([[1.0, 0.0]] * len(scores), dtype))
    np.testing.assert_allclose(bits, 2 * np.log1p(np.exp(-scores[:, 0].astype("f8"))), rtol=20 * np.finfo(dtype).eps)
    log_variance = np.array([[0.0, v] for v in (0.1, 1e-2, -1e-3)], dtype)
    v = log_variance[:, 1].astype("f8")
    exact = sum(v**k / math.factorial(k) for k in range(2, 14)) / 2  # e^v − 1 − v
    np.testing.assert_allclose(divergence(log_variance)[0], exact, rtol=4e3 * np.finfo(dtype).eps)


def test_the_reconstruction_is_the_log_likelihood_of_bernoulli_pixels() -> None:
    scores, x = 3 * RNG(1).standard_normal((4, 6)), RNG(2).integers(0, 2, (4, 6)).astype(float)
    expected = stats.bernoulli(1 / (1 + np.exp(-scores))).logpmf(x).sum(axis=1)
    np.testing.assert_allclose(reconstruction(scores, x)[0], -expected, rtol=1e-12)
    large = reconstruction(np.array([[1000.0, -1000.0]]), np.array([[1.0, 0.0]]))[0]
    assert large.tolist() == [0.0]  # no overflow


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_lies_below_the_exact_log_likelihood(seed: int) -> None:
    """A code of one number: p(x) by quadrature, the bound by Gauss-Hermite quadrature in place of draws."""
    parts = small(RNG(seed), d=1, pixels=4)
    encoder, decoder = parts["encoder"], parts["decoder"]
    x = RNG(seed + 10).integers(0, 2, (1, 4)).astype(float)

    def likelihood(z: float) -> float:
        return float(np.exp(-reconstruction(decoder[:-1].forward(np.array([[z]]))[-1], x)[0][0]))

    exact = np.log(integrate.quad(lambda z: stats.norm.pdf(z) * likelihood(z), -12, 12, limit=200)[0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    code = np.repeat(encoder.forward(x)[-1], len(nodes), axis=0)
    z = Reparameterisation(nodes[:, None]).forward(code)
    bits = reconstruction(decoder[:-1].forward(z)[-1], np.repeat(x, len(nodes), axis=0))[0]
    bound = -(weights / weights.sum() * bits).sum() - divergence(code[:1])[0][0]
    assert bound <= exact + 1e-6
    joint = stats.norm.logpdf(z[:, 0]) - bits  # log p(z) p(x|z)
    q = stats.norm.logpdf(nodes) - code[0, 1] / 2
    gap = (weights / weights.sum() * (q - (joint - exact))).sum()  # KL(q ‖ p(z|x)): what the bound gives away
    assert exact - bound == pytest.approx(gap, abs=1e-9)


def test_the_bound_is_reached_where_the_encoder_is_the_posterior() -> None:
    """A decoder that ignores z: the posterior is the prior, and the bound is log p(x) itself."""
    bias = np.array([1.0, -2.0, 0.5])
    decoder = Network([Dense(np.zeros((2, 3)), bias), Sigmoid()], input_shape=(2,))
    encoder = Network([Dense(np.zeros((3, 4)), np.zeros(4))], input_shape=(3,))
    x = np.array([[1.0, 0.0, 1.0]])
    exact = stats.bernoulli(1 / (1 + np.exp(-bias))).logpmf(x[0]).sum()
    assert quality.bound(encoder, decoder, x).bound == pytest.approx(exact, abs=1e-12)


def test_a_discriminator_that_cannot_tell_loses_log_four() -> None:
    assert discriminator_loss(np.zeros((3, 1)), np.zeros((2, 1)))[0] == pytest.approx(np.log(4))


def test_the_generators_loss_does_not_saturate() -> None:
    loss, gradient = generator_loss(np.array([[-1000.0]]))
    assert loss == 1000
    assert gradient.tolist() == [[-1.0]]


# ---------------------------------------------------------------------------------------------- dtypes and mistakes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(dtype: Any) -> None:
    scores, code, x = np.ones((2, 3), dtype), np.ones((2, 4), dtype), np.ones((2, 3), dtype)
    _, dcode, dscores = vae_loss(code, scores, x)
    assert dcode.dtype == dscores.dtype == divergence(code)[0].dtype == reconstruction(scores, x)[0].dtype == dtype
    assert discriminator_loss(scores[:, :1], scores[:, :1])[1].dtype == dtype


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reconstruction(np.zeros((1, 2)), np.array([[0.0, np.nan]])), "pixels from 0 to 1"),
        (lambda: reconstruction(np.zeros((1, 2)), np.array([[0.0, 255.0]])), "to 255.0; scale them"),
        (lambda: reconstruction(np.zeros((1, 2)), np.zeros((1, 3))), r"\(1, 2\) float64; got \(1, 3\) float64"),
        (lambda: reconstruction(np.zeros((1, 2)), np.zeros((1, 2), np.float32)), " float32"),
        (lambda: reconstruction(np.zeros((0, 2)), np.zeros((0, 2))), "one sample or more"),
        (lambda: divergence(np.zeros((1, 3))), r"\(N, 2d\)"),
        (lambda: divergence([[0.0, 1.0]]), "got list"),  # type: ignore[arg-type]
        (lambda: vae_loss(np.zeros((2, 4)), np.zeros((1, 3)), np.zeros((1, 3))), "same samples"),
        (lambda: Reparameterisation(np.zeros((2, 3))).forward(np.zeros((3, 6))), r"takes \(2, 6\), got \(3, 6\)"),
        (lambda: generator_loss(np.zeros((2, 2))), r"\(N, 1\), got \(2, 2\)"),
        (lambda: discriminator_loss(np.zeros((2, 1)), np.zeros((0, 1))), r"\(0, 1\)"),
    ],
)
def test_bad_input_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_a_loss_that_is_not_finite_names_the_layer() -> None:
    parts = small(RNG(0))
    huge = {name: 1e200 * value for name, value in parts["encoder"].parameters.items()}
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"epoch 1: .*layer encoder\.dense2"):
        loss_gradients(parts["encoder"].with_parameters(huge), parts["decoder"], np.ones((1, 9)), RNG(0), "epoch 1")
