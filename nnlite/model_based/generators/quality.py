"""What a generator is worth, in numbers."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ...batch import check_network
from ...decision_based.inputs import check_input
from ...decision_based.method import takes_network
from ...kernels.blas import one_blas_thread
from ...layers.arguments import count, generator, number
from ...network import Network
from ...training.losses import softmax
from . import recipes
from .bound import Reparameterisation, divergence, noise_for, reconstruction
from .generator import Generator


@dataclass(frozen=True)
class Bound:
    """log p(x) ≥ bound = −reconstruction − divergence: means over images, in nats."""

    bound: float
    reconstruction: float
    divergence: float


@takes_network
def bound(encoder: Network, decoder: Network, x: np.ndarray, rng: np.random.Generator | int = 0) -> Bound:
    """The variational bound of images x (N, 1, 28, 28), one draw of the code for each; the decoder ends in a Sigmoid.

    Raises TypeError or ValueError: the images do not fit the networks, or are not in [0, 1].
    Source: Kingma and Welling 2014, eq. 10 with one draw.
    """
    check_network(decoder, "bound")
    code = encoder.forward(check_input(encoder, x))[-1]
    draw = Reparameterisation(noise_for(code, generator("bound", "rng", rng)))
    scores = decoder[:-1].forward(draw.forward(code))[-1]
    bits = float(reconstruction(scores, x)[0].mean(dtype=np.float64))
    nats = float(divergence(code)[0].mean(dtype=np.float64))
    return Bound(-bits - nats, bits, nats)


def samples(
    g: Generator, classifier: Network, n: int = 1000, *, sure: float = 0.9, rng: np.random.Generator | int = 0
) -> dict[str, Any]:
    """What a classifier makes of n samples g(z).

    "sure" is the share of samples with max_c p(ω_c | x) > sure, and "sure_above" that number; "classes" how many
    samples fall into each class; "entropy" that of this histogram in bits, log₂ 10 = 3.32 where all ten are equally
    frequent.

    Raises ValueError: n is not a positive integer, sure not from 0 up to 1, or the images do not fit the classifier.
    """
    check_network(classifier, "samples")
    if not 0 <= number("samples", "sure", sure) < 1:
        raise ValueError(f"samples: sure takes a probability from 0 up to, but not, 1, got {sure}.")
    p = softmax(classifier.scores(g.sample(count("samples", "n", n), rng)))
    classes = np.bincount(p.argmax(axis=1), minlength=p.shape[1])
    share = classes[classes > 0] / n
    return {
        "sure_above": sure,
        "sure": float((p.max(axis=1) > sure).mean()),
        "classes": classes.tolist(),
        "entropy": float(-(share * np.log2(share)).sum()) + 0.0,
    }


def measured(g: Generator, classifier: Network) -> Generator:
    """The generator with its quality in its info: its samples, and its bound where it has an encoder.

    BLAS runs on one thread meanwhile, so that the figures are the same to the last digit.
    """
    check_network(classifier, "measured")
    with one_blas_thread():
        figures: dict[str, Any] = {"samples": samples(g, classifier)}
        if g.encoder is not None:
            held_out, _ = recipes.digits(recipes.HELD_OUT_DIGITS, held_out=True)
            figures["held_out"] = {"digits": len(held_out), **asdict(bound(g.encoder, g.decoder, held_out))}
    return replace(g, info={**g.info, **figures})
