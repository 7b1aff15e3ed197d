"""The task of training a decoder against a discriminator, with an encoder's codes to keep every class alive."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ... import kernels
from ...network import Network
from ...training.backpropagation import parameter_gradients
from ...training.loop import Moment, Parameters, updated
from ...training.optimizers import Memories, Optimizer
from ...training.run import fingerprint
from ...training.schedules import Schedule
from ...walk import gradient_rule
from .adversarial import discriminator_loss, generator_loss
from .bound import Reparameterisation, noise_for, reconstruction
from .joined import join, taken

Update = tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]
"""What `training.loop.updated` gives: parameters and memories, by name."""


@dataclass(eq=False)
class GANTask:
    """Each step, the discriminator D learns to tell images x from g(z), z from N(0, 1); then the decoder g descends

        L = −log D(g(z)) − weight · log p(x | z_x),   z_x a draw of the code that the encoder gives to x.

    The encoder stays as it is. In the first `warmup` epochs g descends −log p(x | z_x) alone: it becomes the decoder of
    a variational autoencoder, for a decoder that begins with fresh weights.

    Encoder and decoder are as in `VAETask`; D takes images to one score (N, 1), and its Dropouts are drawn for each
    step. `warm_schedule` and `schedule` give the rates in the warmup, and after it, each from its first step to its
    last. The recipe is what else distinguishes this run from others, for its checkpoint.
    """

    encoder: Network
    decoder: Network
    discriminator: Network
    x: np.ndarray
    optimizer: Optimizer
    warm_schedule: Schedule
    schedule: Schedule
    warmup: int
    weight: float
    recipe: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.samples = len(self.x)

    def start(self) -> Parameters:
        return join(decoder=self.decoder.parameters, discriminator=self.discriminator.parameters)

    def settings(self) -> dict[str, Any]:
        return {
            **self.recipe,
            "backend": kernels.backend(),
            "start": fingerprint(*self.start().values(), *self.encoder.parameters.values()),
            "data": fingerprint(self.x),
        }

    def after_epoch(self, parameters: Parameters) -> dict[str, float | None]:
        return {}

    def step(
        self, parameters: Parameters, memories: Memories, rows: np.ndarray, at: Moment
    ) -> tuple[Parameters, Memories, dict[str, float]]:
        """One step of each player, or in the warmup of the decoder alone; measured before it."""
        warm = at.epoch < self.warmup
        within = self._phase(at)
        if within.t == 0:  # each phase begins its optimizers anew
            memories = {}
        scores = self.decoder.with_parameters(taken(parameters, "decoder"))[:-1]
        x, rng = self.x[rows], at.rng()
        code = self.encoder.forward(x)[-1]
        z, prior = Reparameterisation(noise_for(code, rng)).forward(code), noise_for(code, rng)
        b = scores.forward(z if warm else np.concatenate([z, prior]))
        kept, dkept = reconstruction(b[-1][: len(x)], x)
        top = dkept / len(x)
        judge: Update = {}, {}
        measured = {"reconstruction": float(kept.sum(dtype=np.float64))}
        if not warm:
            judge, against, losses = self._judge_step(parameters, memories, x, b[-1][len(x) :], rng, within)
            top = np.concatenate([top * top.dtype.type(self.weight), against])
            measured |= losses
        own, gradients = taken(parameters, "decoder"), parameter_gradients(scores, b, top)
        rate = within.rate(self.warm_schedule if warm else self.schedule)
        changed, remembered = updated(
            self.optimizer, join(decoder=own), join(decoder=gradients), memories, rate, within
        )
        return {**parameters, **judge[0], **changed}, {**judge[1], **remembered}, measured

    def _judge_step(
        self,
        parameters: Parameters,
        memories: Memories,
        x: np.ndarray,
        drawn: np.ndarray,
        rng: np.random.Generator,
        at: Moment,
    ) -> tuple[Update, np.ndarray, dict[str, float]]:
        """The discriminator after a step; ∂(−log D)/∂(the decoder's scores) in its new eyes; both players' losses."""
        sigmoid = self.decoder[-1]
        generated = sigmoid.forward(drawn)
        judge = self.discriminator.with_parameters(taken(parameters, "discriminator"))
        loss, gradients = judge_gradients(judge.sample(rng, x.shape), judge.sample(rng, x.shape), x, generated)
        own = join(discriminator=judge.parameters)
        update = updated(self.optimizer, own, join(discriminator=gradients), memories, at.rate(self.schedule), at)
        judge = judge.with_parameters(taken(update[0], "discriminator")).sample(rng, x.shape)
        a = judge.forward(generated)
        fooling, signal = generator_loss(a[-1])
        signal = judge.walk_back(a, signal, [gradient_rule] * len(judge))[0]
        losses = {"discriminator": loss * len(x), "generator": fooling * len(x)}
        return update, sigmoid.backward(drawn, signal), losses

    def _phase(self, at: Moment) -> Moment:
        """The moment as counted from the beginning of its phase, the warmup or the contest."""
        if at.epoch < self.warmup:
            return replace(at, epochs=self.warmup)
        return replace(at, epoch=at.epoch - self.warmup, epochs=at.epochs - self.warmup)


def judge_gradients(
    sees_real: Network, sees_generated: Network, x: np.ndarray, generated: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """The discriminator's loss on images and generated ones, and its gradient in every parameter.

    The discriminator comes twice: with the masks of its Dropouts for the images, and for the generated ones.
    """
    a, b = sees_real.forward(x), sees_generated.forward(generated)
    loss, dreal, dgenerated = discriminator_loss(a[-1], b[-1])
    real, other = parameter_gradients(sees_real, a, dreal), parameter_gradients(sees_generated, b, dgenerated)
    return loss, {name: real[name] + other[name] for name in real}
