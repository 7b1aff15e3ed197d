"""The task of training a variational autoencoder: both networks descend the loss that bounds −log p(x) from above."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import kernels
from ...network import Network
from ...training.backpropagation import parameter_gradients
from ...training.divergence import diverged_loss
from ...training.loop import Moment, Parameters, updated
from ...training.optimizers import Memories, Optimizer
from ...training.run import fingerprint
from ...training.schedules import Schedule
from ...walk import gradient_rule
from .bound import Reparameterisation, noise_for, vae_loss
from .joined import join, taken
from .quality import bound


@dataclass(eq=False)
class VAETask:
    """Encoder and decoder learn together; the noise of a step is drawn from (seed, epoch, step).

    The encoder takes images to codes' means and log variances (N, 2d), the decoder codes (N, d) to images; it ends in a
    Sigmoid, which the loss takes in. After every epoch the bound is measured on the images held_out.
    """

    encoder: Network
    decoder: Network
    x: np.ndarray
    held_out: np.ndarray
    optimizer: Optimizer
    schedule: Schedule
    recipe: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.samples = len(self.x)

    def start(self) -> Parameters:
        return join(encoder=self.encoder.parameters, decoder=self.decoder.parameters)

    def networks(self, parameters: Parameters) -> tuple[Network, Network]:
        """The encoder and the decoder with these parameters."""
        return (
            self.encoder.with_parameters(taken(parameters, "encoder")),
            self.decoder.with_parameters(taken(parameters, "decoder")),
        )

    def step(
        self, parameters: Parameters, memories: Memories, rows: np.ndarray, at: Moment
    ) -> tuple[Parameters, Memories, dict[str, float]]:
        """One step down the loss of one draw; the loss is that before it."""
        encoder, decoder = self.networks(parameters)
        x = self.x[rows]
        loss, gradients = loss_gradients(encoder, decoder, x, at.rng(), str(at))
        changed, remembered = updated(self.optimizer, parameters, gradients, memories, at.rate(self.schedule), at)
        return changed, remembered, {"loss": loss * len(x)}

    def after_epoch(self, parameters: Parameters) -> dict[str, float | None]:
        return {"held_out_bound": bound(*self.networks(parameters), self.held_out).bound}

    def settings(self) -> dict[str, Any]:
        return {
            **self.recipe,
            "backend": kernels.backend(),
            "start": fingerprint(*self.start().values()),
            "data": fingerprint(self.x, self.held_out),
        }


def loss_gradients(
    encoder: Network, decoder: Network, x: np.ndarray, rng: np.random.Generator, where: str = "a step"
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of a batch for one draw of each code, and its gradient in every parameter of both networks.

    Raises FloatingPointError: the loss is not finite.
    """
    scores, a = decoder[:-1], encoder.forward(x)
    draw = Reparameterisation(noise_for(a[-1], rng))
    b = scores.forward(draw.forward(a[-1]))
    loss, dcode, dscores = vae_loss(a[-1], b[-1], x)
    if not math.isfinite(loss):
        names = [*join(encoder=dict.fromkeys(encoder.names)), *join(decoder=dict.fromkeys(scores.names))]
        joined = Network([*encoder, *scores], names)
        raise diverged_loss(joined, [*a, *b[1:]], loss, where)
    dz = scores.walk_back(b, dscores, [gradient_rule] * len(scores))[0]
    return loss, join(
        encoder=parameter_gradients(encoder, a, draw.backward(a[-1], dz) + dcode),
        decoder=parameter_gradients(scores, b, dscores),
    )
