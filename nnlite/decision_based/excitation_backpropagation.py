"""Excitation backpropagation: a walk from the class down to the pixels, each step to a neuron that excited the last.

    signal at the top   1 at the explained class: there the walk begins
    local rule          z⁺ without bias: P(a_j) = Σ_k P(a_j | a_k) P(a_k), with P(a_j | a_k) = a_j w⁺_jk / Σ_j a_j w⁺_jk

P(a_j) is the probability that the walk comes through neuron j (the paper's marginal winning probability). Max-pooling
is a step to its winner, average pooling one in proportion to the activations. It is LRP with z⁺ from 1 instead of the
score: it says where the evidence lies, not how much there is.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ..layers import Layer
from ..layers.arguments import frozen
from ..network import Network
from . import lrp
from .lrp.composites import without_weights
from .lrp.passing import passes, winner_takes_all
from .method import method
from .target import Explained, Target, explained

RULES = lrp.Composite(convolution=lrp.z_plus(), dense=lrp.z_plus(), batchnorm=passes, add=lrp.positive())
"""As in LRP, but a BatchNorm on its own passes (its neurons have one input each, which gets all), and an Add is
a neuron with the weights 1."""


@method
def excitation_backpropagation(
    network: Network, x: np.ndarray, target: Target = None, *, contrastive: bool = False
) -> np.ndarray:
    """P(a_j) = Σ_k (a_j w⁺_jk / Σ_j a_j w⁺_jk) P(a_k), from P = 1 at the class c. Σ P = 1.

    The sum is less than 1 by what reaches a neuron without any excitation (Σ_j a_j w⁺_jk = 0): there the walk ends.

    With `contrastive`, the top layer also has a dual unit of c, whose weights are −w_jc: "not c". What is computed is
    the difference of the two maps, from c and from its dual. Since everything below is linear in P, it is one walk from

        a_j w⁺_jc / Σ_j a_j w⁺_jc − a_j (−w_jc)⁺ / Σ_j a_j (−w_jc)⁺

    at the neurons below the top layer. Positive is what speaks for c rather than against it. It sums to 0 (where both
    have some excitation), and is returned with its signs; the pictures in the paper show its positive part.

    Parameters
    ----------
    network
        Any network that LRP has rules for; a Softmax at its end is left out, and a BatchNorm directly after a
        linear layer merged into it. Every layer with weights and every average pooling needs inputs ≥ 0.
    x
        (N, ...) in the dtype of the network, ≥ 0. The map of a hidden layer l, as the paper mostly shows it, is that of
        the network above it: excitation_backpropagation(network[l:], network.forward(x)[l]). Then x may be anything.
    target
        The class c: one for all samples, one for each (N,), or None for the predicted class. Or a neuron, such as
        ("conv2", 7): see `target.explained`. A walk from a whole feature map begins at any place of it with the same
        probability.
    contrastive
        Subtract the map of the dual unit.

    Returns
    -------
    P (N, ...), the shape of x.

    Raises TypeError or ValueError: x does not fit the network, a target is not a class or a neuron, an activation below
    a layer with weights or an average pooling is negative, or (contrastive) the explained unit has no weights of its
    own.

    Source: Zhang et al. 2016, "Top-down neural attention by excitation backprop", eq. 1 and 2; sec. 3.3 (contrastive).

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [1.0], [-1.0]]))])
    >>> x = np.array([[1.0, 1.0, 2.0]])
    >>> excitation_backpropagation(net, x)
    array([[0.75, 0.25, 0.  ]])
    >>> excitation_backpropagation(net, x, contrastive=True)
    array([[ 0.75,  0.25, -1.  ]])
    """
    part, a, P, rules = excitation_walk(explained(network, x, target))
    if contrastive:
        top = _top(part, rules)
        P, read = part.walk_back(a, P, rules, down_to=top + 1)[top + 1], part.read(top, a)
        P = rules[top](part[top], read, a[top + 1], P) - rules[top](_dual(part[top]), read, -a[top + 1], P)
        below = part.wires[top][0]
        lower = part.up_to(part.names[below - 1]) if below else part[:0]
        places = {name: l for l, name in enumerate(part.names)}
        kept = [places[name] for name in lower.names]
        part, a, rules = lower, [x, *(a[l + 1] for l in kept)], [rules[l] for l in kept]
    return part.walk_back(a, P, rules)[0]


def excitation_walk(f: Explained) -> tuple[Network, list[np.ndarray], np.ndarray, list[Any]]:
    """The network that is walked, its activations, P at the top, and a rule for each layer.

    Raises ValueError: an activation below a layer with weights or an average pooling is negative, or there is no rule
    for a layer.
    """
    part = f.network.merged()
    a = f.a if part is f.network else part.forward(f.a[0])
    _need_nonnegative(part, a)
    P = f.ones / f.ones.sum(axis=tuple(range(1, f.ones.ndim)), keepdims=True)
    return part, a, P, RULES.rules_for(part)


def _dual(layer: Any) -> Layer:
    """The layer of the dual units: its weights negated."""
    return replace(layer, W=frozen(-layer.W), b=None if layer.b is None else frozen(-layer.b))


def _top(network: Network, rules: list[Any]) -> int:
    """The topmost layer with weights, where only layers that pass lie above it."""
    top = max((i for i, layer in enumerate(network) if layer.weighted), default=-1)
    between = [i for i in range(top + 1, len(network)) if not _only_passes(network[i], rules[i])]
    if top < 0 or between:
        reason = "there are none" if top < 0 else f"layer {network.names[between[0]]} lies between"
        raise ValueError(
            f"contrastive=True negates the weights of the explained unit, and {reason}. Choose a class or a neuron of "
            "a layer with weights."
        )
    return top


def _only_passes(layer: Layer, rule: Any) -> bool:
    return layer.reads == 1 and without_weights(layer) is not None and rule is not winner_takes_all


def _need_nonnegative(network: Network, a: list[np.ndarray]) -> None:
    for l, (name, layer) in enumerate(zip(network.names, network, strict=True)):
        if not layer.sums:
            continue
        a_j = network.read(l, a)
        if a_j.size and a_j.min() < 0:
            raise ValueError(
                f"Excitation backpropagation divides by activations ≥ 0, got {a_j.min()} at layer {name}. Use "
                "pixels ≥ 0 and ReLUs, or begin above such layers: network[l:] at its input network.forward(x)[l]."
            )
