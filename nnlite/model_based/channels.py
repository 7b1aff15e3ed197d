"""All channels of a layer at once: a batch in which every image excites another channel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.method import takes_network
from ..layers.arguments import is_integer
from ..network import Network
from .feature_visualization import Visualization, visualize
from .objectives import Through
from .receptive_field import image_shape


@dataclass(frozen=True, eq=False)
class Channels:
    """f_n = Σ a[n, k_n] over the feature map; the signal at the top is 1 on channel k_n of sample n: k (N,) integers.

    Raises ValueError: when called: there is no such channel, or another number of samples.

    >>> Channels(np.array([1, 0]))(np.array([[2.0, 3.0], [4.0, 5.0]]))
    (array([3., 4.]), array([[0., 1.],
           [1., 0.]]))
    """

    k: np.ndarray

    def __call__(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = np.asarray(self.k)
        if k.shape != a.shape[:1] or k.dtype.kind not in "iu" or (k < 0).any() or (k >= a.shape[1]).any():
            raise ValueError(f"Channels takes {len(a)} channels from 0 to {a.shape[1] - 1}, got {self.k!r}.")
        each, top = np.arange(len(a)), np.zeros_like(a)
        top[each, k] = 1
        return a[each, k].reshape(len(a), -1).sum(axis=1), top


@takes_network
def all_channels(network: Network, layer: str, channels: Any = None, **options: Any) -> Visualization:
    """Sample i of the batch is visualize(network, (layer, channels[i])): by default every channel of the layer.

    The channels are one, or several; the options those of `visualize`.

    Raises TypeError or ValueError or FloatingPointError: as `visualize`; or there is no such layer or channel.

    >>> from nnlite import models
    >>> all_channels(models.load("lenet"), "conv1", steps=2).x.shape
    (8, 1, 28, 28)
    """
    part = network.up_to(layer)
    above = part.output_shape((1, *image_shape(network, options.get("shape"))))
    k = [*range(above[1])] if channels is None else [*channels] if np.iterable(channels) else [channels]
    if not k or not all(is_integer(i) and 0 <= i < above[1] for i in k):
        raise ValueError(f"Layer {layer} has channels from 0 to {above[1] - 1}, got {channels!r}.")
    return visualize(network, Through(part, Channels(np.array(k)), leak=True), n=len(k), **options)
