"""BatchNorm in training: by the batch in the steps, by what is measured over all samples in the trained network."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..kernels.blas import one_blas_thread
from ..layers import BatchNorm
from ..network import Network
from ..surgery import exchanged
from .divergence import ADVICE

Statistics = tuple[int, np.ndarray, np.ndarray]
"""How many numbers each channel has, their mean and their variance."""


def in_training(network: Network) -> Network:
    """The network with every BatchNorm normalizing by the batch: what the steps of a training run on."""
    return exchanged(network, {l: norm.in_training() for l, norm in _norms(network).items()})


def measured(network: Network, batches: Iterable[np.ndarray]) -> Network:
    """The network whose BatchNorms have the mean and variance of what they read in all batches.

    μ = Σ_B m_B μ_B / Σ_B m_B,   σ² = Σ_B m_B (σ²_B + (μ_B − μ)²) / Σ_B m_B

    with the mean μ_B, the variance σ²_B and the m_B = N · H · W numbers of a channel in batch B: the law of total
    variance, exact for a BatchNorm that stands first, however the data are cut into batches. One above others reads
    what they make of each batch, as in the steps of the training, so that one pass measures all. (With a pass for each,
    above those already measured, σ differs by a few percent, and the accuracy does not.)
    Nothing is averaged over steps: the statistics follow from the parameters and the batches alone. Dropouts pass
    everything, as in the network that is made here.

    Raises FloatingPointError: a mean or a variance is not finite.

    Source: Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", sec. 3 (PreciseBN).
    """
    norms = _norms(network)
    if not norms:
        return network
    found: dict[int, Statistics] = dict.fromkeys(norms, (0, np.zeros(()), np.zeros(())))
    with one_blas_thread(), np.errstate(all="ignore"):
        for x in batches:
            a = [x]
            for l in range(max(norms) + 1):
                layer, read = network[l], network.read(l, a)
                if l in norms:
                    layer = norms[l].in_training().of(read)
                    found[l] = _pooled(found[l], (read.size // len(layer.mean), layer.mean, layer.var))
                a.append(layer.forward(read))
    for l, (_, mean, var) in found.items():
        if not np.isfinite(mean + var).all():
            what = f"the mean and variance that layer {network.names[l]} reads are not finite"
            raise FloatingPointError(f"Training diverged: {what}. {ADVICE}")
        norms[l] = replace(norms[l], mean=mean.astype(network.dtype), var=var.astype(network.dtype))
    return exchanged(network, norms)


def _norms(network: Network) -> dict[int, BatchNorm]:
    return {l: layer for l, layer in enumerate(network) if isinstance(layer, BatchNorm)}


def _pooled(one: Statistics, other: Statistics) -> Statistics:
    """The statistics of both together: those of `one` are in float64, and stay so."""
    (n, mean, var), (m, other_mean, other_var) = one, other
    share, apart = m / (n + m), other_mean - mean
    return n + m, mean + share * apart, var + share * (other_var - var + (1 - share) * apart**2)
