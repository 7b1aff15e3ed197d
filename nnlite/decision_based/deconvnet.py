"""DeConvNet: what in the image has lit a feature map, by running the network backwards.

    signal at the top   the activations of the chosen feature maps, or 1 at the explained score
    local rule          the layer's exact backward pass; a ReLU passes max(0, R)

Convolutions and dense layers go back by their transposed weights without bias, max-pooling by its switches: where the
maximum came from on the way up, the signal goes on the way down. A ReLU rectifies the signal as it rectified the
activations, and forgets where it was on. So in a network of linear layers and ReLUs, without max-pooling, the way back
from one fixed score does not depend on x at all. (With target=None x chooses the class; and a tanh, a sigmoid or a
LeakyReLU passes the signal by its derivative at x.)
"""

from math import prod

import numpy as np

from ..layers import Layer, Mask
from ..layers.arguments import Shape, as_array, is_integer
from ..network import Network
from ..pictures import sheet
from ..walk import LocalRule
from .inputs import activations
from .method import method
from .relu_rules import with_relu_rule
from .target import Target, explanation
from .tokens import slopes

BLOCK = 2**24
"""How many activations `all_filters` holds at once (64 MB in float32), or those of one sample where that is more."""


def deconvnet_rule(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    """R_j = max(0, R_k): the rule of DeConvNet on a ReLU."""
    return np.maximum(R_k, 0)


@method
@slopes
def deconvnet(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    layer: str | None = None,
    filter: int | None = None,
    position: str | None = None,
) -> np.ndarray:
    """R_j = Σ_k w_jk R_k on linear layers, R_j = max(0, R_k) on ReLUs.

    Where it starts:

        layer="conv2"                                  max(0, a) of all maps of that layer: "with all filters"
        layer="conv2", filter=7                        max(0, a) of map 7, the others zero: "with a single filter"
        layer="conv2", filter=7, position="strongest"  only the strongest activation of map 7, as in the paper
        no layer                                       1 at f_c

    network: any network; where a score is explained, a Softmax at its end is left out.
    x: (N, ...) in the dtype of the network.
    target: without a layer, the class c: one for all samples, one for each (N,), or None for the predicted class. Or a
        neuron, ("conv2", 7), which starts with 1 and not with the activations: see `target.explained`.
    layer: the name of a layer: its activations are what is sent back, before or after its ReLU (it is the same).
    filter: one of its feature maps; of a layer (N, K) without maps, one unit.
    position: "strongest": the place of the map's largest activation, the first in row-major order where several tie.

    Returns (N, ...), the shape of x.
    Raises TypeError or ValueError: x does not fit the network; a target is given with a layer, a filter without one, a
    position without a filter; there is no such layer, filter, position or target; what is sent back is not finite.
    Source: Zeiler and Fergus 2013, "Visualizing and understanding convolutional networks", sec. 2.1; from a score, as
    captum and zennit: Simonyan et al. 2013, sec. 4.

    >>> from nnlite.layers import Conv2d, MaxPool2d
    >>> net = Network([Conv2d(np.array([[[[1.0, -1.0]]]])), MaxPool2d((1, 2))])
    >>> x = np.array([[[[0.0, 0.0, 3.0, 1.0, 0.0]]]])
    >>> net.forward(x)[1:]
    [array([[[[ 0., -3.,  2.,  1.]]]]), array([[[[0., 2.]]]])]
    >>> deconvnet(net, x, layer="pool1")
    array([[[[ 0.,  0.,  2., -2.,  0.]]]])
    """
    if layer is None:
        if filter is not None or position is not None:
            raise ValueError('filter and position choose within a layer; name it too, such as layer="conv1".')
        return explanation(network, x, target, _rules)
    if target is not None:
        raise ValueError(f"target chooses a score and layer a hidden layer; give one of them, not {target!r} too.")
    part, a = _up_to(network, x, layer)
    R = np.maximum(a[-1], 0)
    if filter is None:
        if position is not None:
            raise ValueError("position chooses within one feature map; name it too, such as filter=0.")
    else:
        _check_filter(filter, layer, R.shape)
        R = _single(R, np.full(len(R), filter), _checked_position(position, layer, R.shape))
    return _back(part, a, R)


@method
def all_filters(network: Network, x: np.ndarray, layer: str, *, position: str | None = None) -> np.ndarray:
    """Every filter of a layer by itself: [:, k] is deconvnet(network, x, layer=layer, filter=k).

    The (sample, filter) pairs are walked back together, as many at once as `BLOCK` activations hold.

    network, x: any network and a batch for it.
    layer: the name of a layer with K feature maps (N, K, H, W), or K units (N, K).
    position: none for whole maps, or "strongest" for the strongest activation of each.

    Returns (N, K, ...): for each sample K maps in its own shape; `filters_grid` makes one picture of them.
    Raises TypeError or ValueError: x does not fit the network, or there is no such layer or position.
    Source: as `deconvnet`; slides, all filters of the first convolution.

    >>> from nnlite.layers import Conv2d
    >>> net = Network([Conv2d(np.array([[[[1.0, -1.0]]], [[[0.0, 2.0]]]]))])
    >>> all_filters(net, np.array([[[[3.0, 1.0]]]]), "conv1")[0]
    array([[[[ 2., -2.]]],
           [[[ 0.,  4.]]]])
    """
    part, a = _up_to(network, x, layer)
    top = np.maximum(a[-1], 0)
    if top.ndim < 2:
        raise ValueError(f"Layer {layer} gives {top.shape}, in which there are no filters.")
    strongest = _checked_position(position, layer, top.shape)
    n, k = map(np.ravel, np.indices(top.shape[:2]))
    maps = np.empty((*top.shape[:2], *x.shape[1:]), x.dtype)
    in_one_row = maps.reshape(-1, *x.shape[1:])
    size = max(1, BLOCK // sum(prod(a_l.shape[1:]) for a_l in a))
    for start in range(0, len(n), size):
        block = slice(start, start + size)
        samples = n[block]
        R = _single(top[samples], k[block], strongest)
        in_one_row[block] = _back(_for_samples(part, samples), [a_l[samples] for a_l in a], R)
    return maps


def filters_grid(maps: np.ndarray, columns: int | None = None, gap: float = 0.0) -> np.ndarray:
    """The maps of one sample as one picture, row by row, each divided by its own largest magnitude.

    So every map uses the whole range from −1 to 1: the grid shows what each filter sees, not how strongly. A map of
    zeros stays zero.

    maps: (K, H, W) or (K, C, H, W), such as `all_filters(...)[0]`; channels are summed.
    columns: maps in a row; by default as many as make the grid about square, ⌈√K⌉.
    gap: what stands in the one-pixel gaps between the maps, and in the places after the last; 0 is white in a heatmap.

    Returns (rows · (H + 1) − 1, columns · (W + 1) − 1), in the dtype of the maps.
    Raises ValueError: the maps have another shape, there are no maps, or columns is not a positive integer.
    Source: Zeiler and Fergus 2013, fig. 2; slides, all filters of the first convolution.

    >>> filters_grid(np.array([[[1.0, 2.0]], [[-4.0, 0.0]], [[0.0, 0.0]]]), gap=9)
    array([[ 0.5,  1. ,  9. , -1. ,  0. ],
           [ 9. ,  9. ,  9. ,  9. ,  9. ],
           [ 0. ,  0. ,  9. ,  9. ,  9. ]])
    """
    maps = as_array("maps", maps)
    if maps.ndim not in (3, 4) or not maps.size or maps.dtype.kind != "f":
        raise ValueError(
            f"maps takes floats (K, H, W) or (K, C, H, W), the maps of one sample, got {maps.shape} {maps.dtype}."
        )
    if maps.ndim == 4:
        maps = maps.sum(axis=1)
    largest = np.abs(maps).max(axis=(1, 2), keepdims=True)
    return sheet((maps / np.where(largest > 0, largest, 1).astype(maps.dtype))[:, None], columns, gap)[0]


def _back(network: Network, a: list[np.ndarray], R: np.ndarray) -> np.ndarray:
    return network.walk_back(a, R, _rules(network))[0]


def _rules(network: Network) -> list[LocalRule]:
    return with_relu_rule(network, deconvnet_rule)


def _up_to(network: Network, x: np.ndarray, layer: str) -> tuple[Network, list[np.ndarray]]:
    """The layers up to this one, and their activations."""
    part = network.up_to(layer)
    return part, activations(part, x)


def _single(R: np.ndarray, filters: np.ndarray, strongest: bool) -> np.ndarray:
    """For each sample one map of R, or the strongest place of it, everything else zero."""
    each, one = np.arange(len(R)), np.zeros_like(R)
    chosen = R[each, filters]
    if strongest:
        flat = chosen.reshape(len(R), prod(chosen.shape[1:]))
        place = flat.argmax(axis=1)
        only = np.zeros_like(flat)
        only[each, place] = flat[each, place]
        chosen = only.reshape(chosen.shape)
    one[each, filters] = chosen
    return one


def _for_samples(network: Network, samples: np.ndarray) -> Network:
    """The network with the masks of these samples, where it is a draw that has one for each."""
    layers = [
        Mask(layer.m[samples]) if isinstance(layer, Mask) and len(layer.m) > 1 else layer for layer in network.layers
    ]
    return Network(layers, network.names, wires=network.wires)


def _check_filter(filter: int, layer: str, shape: Shape) -> None:
    if not is_integer(filter) or len(shape) < 2 or not 0 <= filter < shape[1]:
        filters = f"filters from 0 to {shape[1] - 1}" if len(shape) > 1 else "no filters"
        raise ValueError(f"Layer {layer} has {filters}, got {filter!r}.")


def _checked_position(position: str | None, layer: str, shape: Shape) -> bool:
    """Whether only the strongest place is meant."""
    if position not in (None, "strongest"):
        raise ValueError(f'position takes "strongest" or None, got {position!r}.')
    if position is not None and len(shape) != 4:
        raise ValueError(f"position chooses within a feature map, and layer {layer} has none: it gives {shape}.")
    return position is not None
