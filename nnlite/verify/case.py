"""What is compared: a network, inputs for it and the classes explained; and the same network as PyTorch's modules."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..decision_based.cam import last_maps
from ..decision_based.target import explained
from ..decision_based.tokens import embedded
from ..layers import (
    KINDS,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool2d,
)
from ..network import Network
from .libraries import load, zennit_merges_exactly
from .modules import without_end

LINEAR = (Dense, Conv2d, ConvTranspose2d)
POOLING = (AvgPool2d, AdaptiveAvgPool2d, GlobalAvgPool)
ACTIVATIONS = tuple(kind for kind in KINDS.values() if kind.pointwise and not kind.linear)


@dataclass(frozen=True, eq=False)
class Case:
    """A network with inputs.

    name: how the network is called in the table.
    network: without a Softmax (LogSoftmax, Sigmoid) at its end: scores are explained.
    x: (N, ...) in the dtype of the network.
    target: the classes explained (N,).
    own: the user's own module, where the network came from one.
    end: the kind of the layer that was at its end, "" for none.
    whole: the network with it.
    """

    name: str
    network: Network
    x: np.ndarray
    target: np.ndarray
    own: Any = None
    end: str = ""
    whole: Network | None = None

    @classmethod
    def of(cls, name: str, network: Network, x: np.ndarray, target: Any = None, own: Any = None) -> "Case":
        """The case of a network and inputs; the target as everywhere, None for the predicted class.

        Where tokens go in, it is that of the layers above the Embedding, and of what this makes of them.

        Raises ValueError: there is no input, or it does not fit the network.
        """
        if x.shape[:1] == (0,):
            raise ValueError(f"Expected at least one input to compare on, got x of shape {x.shape}.")
        if network.takes_tokens:
            (network, x), own = embedded(network, x), None
        scores = network.to_scores()
        end = "" if scores is network else type(network.layers[-1]).__name__
        return cls(name, scores, x, explained(scores, x, target).target, own, end, network)

    # ------------------------------------------------------------------------------------- what there is

    @cached_property
    def a(self) -> list[np.ndarray]:
        """All activations."""
        return self.network.forward(self.x)

    @property
    def is_image(self) -> bool:
        """Whether the inputs are images (N, C, H, W)."""
        return self.x.ndim == 4

    @cached_property
    def nonnegative(self) -> bool:
        """Whether nothing negative comes to a layer with weights: what γ and z⁺ need."""
        return self.nonnegative_at(*LINEAR)

    def nonnegative_at(self, *kinds: type[Layer]) -> bool:
        """Whether nothing negative comes to a layer of these kinds, with BatchNorm merged."""
        merged = self.network.merged()
        a = merged.forward(self.x)
        return all(merged.read(l, a).min() >= 0 for l, layer in enumerate(merged) if isinstance(layer, kinds))

    def in_box(self, *kinds: type[Layer]) -> bool:
        """Whether [0, 1] holds what comes to the first layer of these kinds: z^B is for pixels in a box."""
        first = next((l for l, layer in enumerate(self.network) if isinstance(layer, kinds)), None)
        below = self.x if first is None else self.network.read(first, self.a)
        return first is None or bool(below.min() >= 0 and below.max() <= 1)

    def has(self, *kinds: type[Layer]) -> bool:
        """Whether the network has a layer of one of these kinds."""
        return any(isinstance(layer, kinds) for layer in self.network)

    @cached_property
    def overlapping(self) -> bool:
        """Whether windows of a max-pooling overlap."""
        pools: list[Any] = [layer for layer in self.network if isinstance(layer, MaxPool2d)]
        return any(s < k for pool in pools for s, k in zip(pool.stride, pool.size, strict=True))

    @cached_property
    def last_maps(self) -> str | None:
        """The name of the layer above which Grad-CAM looks."""
        at = last_maps(self.network)
        return None if at is None else self.network.names[at]

    @property
    def ends_in_global_pooling(self) -> bool:
        """Whether the network ends GlobalAvgPool, Flatten, Dense."""
        return [type(layer) for layer in self.network.layers[-3:]] == [GlobalAvgPool, Flatten, Dense]

    # ------------------------------------------------------------------------------- the network, made over

    def _rebuilt(self, of: Callable[[int], Sequence[Layer]]) -> Network:
        """The network with the layers of(l) in place of layer l, one after the other."""
        layers: list[Layer] = []
        wires, place = [], [0]
        for l, reads in enumerate(self.network.wires):
            entry = tuple(place[i] for i in reads)
            for layer in of(l):
                layers.append(layer)
                wires.append(entry)
                entry = (len(layers),)
            place.append(len(layers))
        return Network(layers, input_shape=self.network.input_shape, wires=tuple(wires))

    @cached_property
    def spaced(self) -> Network:
        """The same function, with an Identity before every BatchNorm, so that none is merged."""
        return self._rebuilt(lambda l: [Identity()] * isinstance(self.network[l], BatchNorm) + [self.network[l]])

    def merged_as_zennit(self, *, exactly: bool) -> Network:
        """The network with BatchNorm merged as zennit does: the first after a linear layer, and no second one.

        Unless `exactly`, what is left of it is no identity: it divides by √(1 + eps).
        """
        network = self.network

        def merges(l: int) -> bool:
            return (
                l < len(network) and isinstance(network[l], BatchNorm) and isinstance(network[l - 1], LINEAR) and l > 0
            )

        def of(l: int) -> list[Layer]:
            layer: Any = network[l]
            if merges(l + 1):
                norm: Any = network[l + 1]
                return [norm.merge(layer)]
            if not isinstance(layer, BatchNorm):
                return [layer]
            if not merges(l):
                return [Identity(), layer]
            one, nothing = np.ones_like(layer.gamma), np.zeros_like(layer.gamma)
            return [Identity()] + [BatchNorm(one, nothing, nothing, one, layer.eps)] * (not exactly)

        return self._rebuilt(of)

    @cached_property
    def as_zennit_merges(self) -> Network:
        """The same by the zennit that is installed."""
        return self.merged_as_zennit(exactly=self.has(BatchNorm) and zennit_merges_exactly())

    # ------------------------------------------------------------------------------------------- in PyTorch

    @cached_property
    def module(self) -> Any:
        """The network as a module of PyTorch."""
        from ..interop.torch import to_torch

        return to_torch(self.network)

    def submodule(self, name: str) -> Any:
        """The part of `module` that is the layer of this name."""
        from ..interop.torch_modules import keys

        return getattr(self.module, keys(self.network)[self.network.index(name)])

    @cached_property
    def own_scores(self) -> Any:
        """The user's own module without that end."""
        return without_end(self.own, self.end) if self.end else self.own

    def tensor(self, array: np.ndarray | None = None) -> Any:
        """x (or another array) copied to a tensor."""
        return load("torch").from_numpy(np.array(self.x if array is None else array))

    @property
    def labels(self) -> Any:
        """The classes explained, as a tensor."""
        return self.tensor(self.target)

    def chosen(self, scores: Any, start: str = "one") -> Any:
        """What autograd starts from: 1 at the explained scores, or the scores themselves there; 0 elsewhere."""
        torch = load("torch")
        ones = torch.zeros_like(scores)
        ones[torch.arange(len(scores)), self.labels] = 1
        return ones * scores.detach() if start == "score" else ones

    def torch_gradient(self, module: Any = None, start: str = "one") -> np.ndarray:
        """∂f_c / ∂x by autograd, or what the module's hooks make of it; from 1 or from the score."""
        x = self.tensor().requires_grad_()
        scores = (self.module if module is None else module)(x)
        return array(load("torch").autograd.grad(scores, x, self.chosen(scores, start))[0])

    def captum(self, name: str, *arguments: Any, module: Any = None, **options: Any) -> np.ndarray:
        """The map of x by captum's method of this name, made of the module and these arguments."""
        method = getattr(load("captum.attr"), name)(self.module if module is None else module, *arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it sets hooks
            return array(method.attribute(self.tensor().requires_grad_(), target=self.labels, **options))


def array(tensor: Any) -> np.ndarray:
    """A tensor as an array."""
    return tensor.detach().cpu().numpy()
