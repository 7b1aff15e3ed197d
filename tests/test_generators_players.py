"""One step of the two players, on networks small enough for finite differences in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.layers import Dense, Dropout, LeakyReLU, Sigmoid
from nnlite.model_based.generators.adversarial import discriminator_loss, generator_loss
from nnlite.model_based.generators.bound import Reparameterisation, noise_for, reconstruction
from nnlite.model_based.generators.gan import GANTask
from nnlite.model_based.generators.joined import taken
from nnlite.training import SGD, Adam, ConstantRate
from nnlite.training.loop import Moment

RATE = 1e-3
ROWS = np.array([4, 1, 2])


def task(**changes: Any) -> GANTask:
    rng = np.random.default_rng(0)

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(rng.standard_normal((inputs, outputs)), rng.standard_normal(outputs))

    arguments: dict[str, Any] = {
        "encoder": Network([dense(6, 4)], input_shape=(6,)),
        "decoder": Network([dense(2, 3), LeakyReLU(0.2), dense(3, 6), Sigmoid()], input_shape=(2,)),
        "discriminator": Network([dense(6, 3), LeakyReLU(0.2), dense(3, 1)], input_shape=(6,)),
        "x": rng.random((5, 6)),
        "optimizer": SGD(),
        "warm_schedule": ConstantRate(RATE),
        "schedule": ConstantRate(RATE),
        "warmup": 0,
        "weight": 0.3,
        "recipe": {},
    }
    return GANTask(**{**arguments, **changes})


def moment(epoch: int = 0, step: int = 0) -> Moment:
    return Moment(seed=3, epoch=epoch, step=step, epochs=4, steps=2)


def losses(t: GANTask, parameters: Any, at: Moment) -> tuple[float, float, float]:
    """What the discriminator, the contest and the reconstruction cost with these parameters."""
    decoder = t.decoder.with_parameters(taken(parameters, "decoder"))
    judge = t.discriminator.with_parameters(taken(parameters, "discriminator"))
    x, rng = t.x[ROWS], at.rng()
    code = t.encoder.forward(x)[-1]
    z = Reparameterisation(noise_for(code, rng)).forward(code)
    generated = decoder.forward(noise_for(code, rng))[-1]
    fake = judge.forward(generated)[-1]
    kept = reconstruction(decoder[:-1].forward(z)[-1], x)[0].mean()
    return discriminator_loss(judge.forward(x)[-1], fake)[0], generator_loss(fake)[0], float(kept)


def slopes(loss: Any, parameters: Any, names: list[str]) -> dict[str, np.ndarray]:
    """∂loss/∂w by central differences."""
    found = {}
    for name in names:
        found[name] = np.zeros_like(parameters[name])
        for i in np.ndindex(found[name].shape):
            values = []
            for step in (1e-6, -1e-6):
                w = parameters[name].copy()
                w[i] += step
                values.append(loss({**parameters, name: w}))
            found[name][i] = (values[0] - values[1]) / 2e-6
    return found


def test_each_player_descends_its_own_loss() -> None:
    """The discriminator first; the decoder's loss is seen by the discriminator after its step."""
    t, at = task(), moment()
    before = t.start()
    after, _, measured = t.step(before, {}, ROWS, at)
    first = losses(t, before, at)
    assert measured["discriminator"] == pytest.approx(3 * first[0])
    assert measured["reconstruction"] == pytest.approx(3 * first[2])
    judge = [name for name in before if name.startswith("discriminator.")]
    for name, slope in slopes(lambda w: losses(t, w, at)[0], before, judge).items():
        np.testing.assert_allclose((before[name] - after[name]) / RATE, slope, atol=1e-7)
    between = {**before, **{name: after[name] for name in judge}}
    assert measured["generator"] == pytest.approx(3 * losses(t, between, at)[1])

    def decoders(w: Any) -> float:
        _, contest, kept = losses(t, w, at)
        return contest + 0.3 * kept

    decoder = [name for name in before if name.startswith("decoder.")]
    for name, slope in slopes(decoders, between, decoder).items():
        np.testing.assert_allclose((before[name] - after[name]) / RATE, slope, atol=1e-7)


def test_in_the_warmup_the_decoder_descends_the_reconstruction() -> None:
    t, at = task(warmup=2), moment(epoch=1)
    before = t.start()
    after, _, measured = t.step(before, {}, ROWS, at)
    assert list(measured) == ["reconstruction"]
    for name in before:
        if name.startswith("discriminator."):
            assert after[name] is before[name]
    decoder = [name for name in before if name.startswith("decoder.")]
    for name, slope in slopes(lambda w: losses(t, w, at)[2], before, decoder).items():
        np.testing.assert_allclose((before[name] - after[name]) / RATE, slope, atol=1e-7)


def test_each_phase_begins_its_optimizers_and_its_schedule_anew() -> None:
    rates: list[tuple[int, int]] = []

    def schedule(step: int, total: int) -> float:
        rates.append((step, total))
        return RATE

    t = task(warmup=1, optimizer=Adam(), warm_schedule=schedule, schedule=schedule)
    parameters, memories = t.start(), {}
    for epoch, step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        parameters, memories, _ = t.step(parameters, memories, ROWS, moment(epoch, step))
    assert rates == [(0, 2), (1, 2), (0, 6), (0, 6), (1, 6), (1, 6)]
    fresh, _, _ = t.step(t.start(), {}, ROWS, moment(1))
    stale, _, _ = t.step(t.start(), memories, ROWS, moment(1))
    for name, value in fresh.items():
        np.testing.assert_array_equal(value, stale[name])
    assert set(memories) == set(parameters)


def test_dropouts_are_drawn_from_the_moment() -> None:
    t = task()
    t = replace(t, discriminator=Network([*t.discriminator[:2], Dropout(0.5), t.discriminator[2]], input_shape=(6,)))
    one, again, other = (t.step(t.start(), {}, ROWS, moment(step=step))[0] for step in (0, 0, 1))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["discriminator.dense1.W"], other["discriminator.dense1.W"])
