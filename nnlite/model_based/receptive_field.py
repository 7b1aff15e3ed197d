"""Which pixels a neuron sees."""

from typing import Any

from ..decision_based.method import takes_network
from ..decision_based.target import is_neuron, neuron
from ..layers.arguments import Shape, sizes
from ..network import Network
from .tiles import sight


@takes_network
def receptive_field(network: Network, target: Any, shape: Shape | None = None) -> tuple[slice, slice]:
    """The rows and columns that the target sees: of place p, p · stride + first to p · stride + first + size − 1.

    One place of a feature map that windows alone have made sees a window; everything else (a whole map, a class, a
    neuron behind a dense layer) is given the whole image.

    The shape (C, H, W) of one image is by default the network's own.

    Raises ValueError: there is no such layer or neuron, or the network does not take images.

    >>> from nnlite import models
    >>> receptive_field(models.load("lenet"), ("conv2", (7, 3, 4)))
    (slice(6, 20, None), slice(8, 22, None))
    """
    image = image_shape(network, shape)
    whole = slice(0, image[1]), slice(0, image[2])
    if not is_neuron(target):
        return whole
    part, index = network.up_to(target[0]), target[1]
    place = neuron(part.output_shape((1, *image))[1:], target[0], index)
    if len(place) != 3:
        return whole
    try:
        of = sight(part)
    except ValueError:  # a layer that sees everything
        return whole
    first = [p * s + f for p, s, f in zip(place[1:], of.stride, of.first, strict=True)]
    rows, columns = (slice(max(0, f), min(n, f + k)) for f, k, n in zip(first, of.size, image[1:], strict=True))
    return rows, columns


@takes_network
def image_shape(network: Network, shape: Shape | None = None) -> Shape:
    """(C, H, W) of the images that the network takes; ValueError where it takes others, or does not say."""
    found = network.input_shape if shape is None else sizes("image", "shape", shape)
    if found is None or len(found) != 3:
        raise ValueError(
            f"expected a network of images (C, H, W), and this one takes {found or 'a shape that it does not state'}; "
            "give shape=(C, H, W), or make the network with input_shape."
        )
    return found
