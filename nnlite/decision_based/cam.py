"""Class activation maps: the feature maps of a late layer, weighted by what they do for the explained class.

    cam               Σ_k w_kc A_k        w_kc: the weights, where the mean of each map goes into one dense layer
    grad_cam          (Σ_k α_kc A_k)⁺     α_kc: the mean over the positions of ∂f_c / ∂A_k; on any feature maps
    guided_grad_cam   grad_cam at the resolution of the input, times guided backpropagation

The maps are as coarse as the layer; `upsampled` brings them to the size of the input.
"""

from typing import Any

import numpy as np

from .. import wiring
from ..layers import (
    Add,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Identity,
    InstanceNorm,
    Mask,
    Multiply,
)
from ..layers.arguments import DTYPES, is_one_of, pair, unmasked
from ..memory import claim
from ..network import Network
from .guided_backpropagation import guided_backpropagation
from .method import method
from .target import Explained, Target, explained

INTERPOLATIONS = ("bilinear", "nearest")


@method
def cam(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    """L_c = Σ_k w_kc A_k: A_k the feature maps that the global average pooling takes, w_kc the weights of class c.

    The mean of the map is the score up to the bias of the class: f_c = mean(L_c) + b_c.

    network: a network that ends GlobalAvgPool, Flatten, Dense (with Dropout or Identity anywhere among them; a Softmax
        at the end is left out).
    x: (N, C, H, W) in the dtype of the network.
    target: the class c: one for all samples, one for each (N,), or None for the predicted class.

    Returns (N, h, w), of the size of the feature maps and not normalized.
    Raises TypeError or ValueError: the network ends otherwise, x does not fit it, or a target is not a class.
    Source: Zhou et al. 2016, "Learning deep features for discriminative localization", eq. 2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten, GlobalAvgPool
    >>> net = Network([Conv2d(np.ones((1, 1, 1, 1))), GlobalAvgPool(), Flatten(), Dense(np.array([[2.0, -1.0]]))])
    >>> cam(net, np.array([[[[0.0, 1.0], [3.0, 0.0]]]]))
    array([[[0., 2.],
            [6., 0.]]])
    """
    f = explained(network, x, target)
    pool = _pooling_below_one_dense(f.network)
    w = f.gradient(pool + 1)  # what lies above is linear: these are the weights, (N, K, 1, 1)
    return (w * f.a[pool]).sum(axis=1)


@method
def grad_cam(
    network: Network, x: np.ndarray, target: Target = None, *, layer: str | None = None, relu: bool = True
) -> np.ndarray:
    """L_c = (Σ_k α_kc A_k)⁺ with α_kc = 1/(h w) Σ_positions ∂f_c / ∂A_k.

    Where `cam` is defined, it is h w times the sum before ( )⁺.

    network, x, target: as for `gradient`, with feature maps.
    layer: the layer above which A lies, by name; by default the activation function (or the BatchNorm) that follows the
        last convolution, or that convolution itself.
    relu: whether to keep only what speaks for the class; False keeps Σ_k α_kc A_k.

    Returns (N, h, w), of the size of the layer's feature maps and not normalized. Where nothing in the maps of that
    layer speaks for the class it is 0 everywhere; `why_zero` says so, and names a layer where it is not.
    Raises TypeError or ValueError: there is no such layer below the target, or it has no feature maps; x does not fit
    the network; a target is not a class.
    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization",
    eq. 1 and 2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten, ReLU
    >>> net = Network([Conv2d(np.ones((1, 1, 1, 1))), ReLU(), Flatten(), Dense(np.array([[1.0], [3.0]]))])
    >>> grad_cam(net, np.array([[[[5.0, 1.0]]]]))     # α = (1 + 3) / 2
    array([[[10.,  2.]]])
    """
    f = explained(network, x, target)
    at = _feature_maps(f, layer)
    alpha = f.gradient(at).mean(axis=(2, 3), keepdims=True)
    L = (alpha * f.a[at]).sum(axis=1)
    return np.maximum(L, 0) if relu else L


def why_zero(network: Network, x: np.ndarray, target: Any = None) -> list[str]:
    """A sentence for each sample whose Grad-CAM is 0 everywhere, with the highest layer where it is not; else "".

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten
    >>> net = Network([Conv2d(np.ones((1, 1, 1, 1))), Flatten(), Dense(np.array([[-1.0], [-3.0]]))])
    >>> why_zero(net, np.array([[[[5.0, 1.0]]]]))
    ['0 everywhere: nothing at conv1 speaks for it; nor at any other layer']
    """
    f = explained(network, x, target)

    def found(layer: str | None = None) -> np.ndarray:
        return np.asarray(grad_cam(network, x, f.target, layer=layer).any(axis=(1, 2)))

    sentences, empty = [""] * len(x), np.flatnonzero(~found())
    if len(empty):
        names = [name for name, maps in zip(f.network.names[::-1], f.a[:0:-1], strict=True) if _has_places(maps)]
        others = {name: found(name) for name in names}
        here = f.network.names[_feature_maps(f, None) - 1]
        for n in empty:
            other = next((name for name in names if others[name][n]), None)
            instead = f"layer={other!r} gives a map" if other else "nor at any other layer"
            sentences[n] = f"0 everywhere: nothing at {here} speaks for it; {instead}"
    return sentences


@method
def guided_grad_cam(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    layer: str | None = None,
    interpolation: str = "bilinear",
) -> np.ndarray:
    """R = (guided backpropagation) ⊙ (Grad-CAM at the resolution of the input).

    network, target, layer: as in `grad_cam`.
    x: images (N, C, H, W) in the dtype of the network.
    interpolation: how Grad-CAM is brought to (H, W): see `upsampled`.

    Returns (N, C, H, W), the shape of x.
    Raises TypeError or ValueError: as `grad_cam`; or x are not images.
    Source: Selvaraju et al. 2017, sec. 3.2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten, ReLU
    >>> net = Network([Conv2d(np.ones((1, 1, 1, 1))), ReLU(), Flatten(), Dense(np.array([[1.0], [3.0]]))])
    >>> guided_grad_cam(net, np.array([[[[5.0, 1.0]]]]))
    array([[[[10.,  6.]]]])
    """
    L = grad_cam(network, x, target, layer=layer)
    if x.ndim != 4:
        raise ValueError(f"Guided Grad-CAM takes images (N, C, H, W), got {x.shape}.")
    return guided_backpropagation(network, x, target) * upsampled(L, x.shape[2:], interpolation)[:, None]


def upsampled(L: np.ndarray, size: int | tuple[int, ...], interpolation: str = "bilinear") -> np.ndarray:
    """The map L (N, h, w) at another size (N, H, W), the two laid over each other edge to edge.

    The centre of pixel i of H lies at y = (i + ½) h / H − ½ of the map. "bilinear" mixes the two pixels around y (at
    the border, the last one) in each direction; "nearest" takes pixel ⌊i h / H⌋. PyTorch's `interpolate` with
    align_corners=False, scipy's `zoom` with order=1, grid_mode=True, mode="nearest".

    L: (N, h, w), float32 or float64.
    size: (H, W), or one number for both.
    interpolation: "bilinear" or "nearest".

    Raises TypeError or ValueError: L are not maps, not an array, or not floats; or a size is not positive.

    >>> upsampled(np.array([[[0.0, 4.0]]]), (1, 4))
    array([[[0., 1., 3., 4.]]])
    >>> upsampled(np.array([[[0.0, 4.0]]]), (1, 4), "nearest")
    array([[[0., 0., 4., 4.]]])
    """
    if not is_one_of(interpolation, INTERPOLATIONS):
        raise ValueError(f"interpolation takes {' or '.join(map(repr, INTERPOLATIONS))}, got {interpolation!r}.")
    if not isinstance(unmasked("L", L), np.ndarray):
        raise TypeError(f"upsampled takes a NumPy array of maps (N, h, w), got {type(L).__name__}.")
    if L.dtype not in DTYPES:
        raise ValueError(f"upsampled takes float32 or float64 maps, got {L.dtype}; use L.astype(np.float64).")
    if L.ndim != 3 or 0 in L.shape[1:]:
        raise ValueError(f"upsampled takes maps (N, h, w) of at least one pixel, got {L.shape}.")
    height, width = pair("upsampled", "size", size, 1)
    most = max(height * L.shape[1], width * L.shape[2], len(L) * height * max(width, L.shape[2]))
    claim(3 * 8 * most, f"upsampled, to maps of {height} × {width},")
    rows, columns = (
        _mixing(n, m, interpolation).astype(L.dtype) for n, m in zip((height, width), L.shape[1:], strict=True)
    )
    return rows @ L @ columns.T


def _mixing(n: int, m: int, interpolation: str) -> np.ndarray:
    """Row i: how much each of m pixels has in pixel i of n; (n, m)."""
    i = np.arange(n)
    if interpolation == "nearest":
        return np.eye(m)[i * m // n]
    y = np.clip((i + 0.5) * m / n - 0.5, 0, m - 1)
    return np.maximum(0, 1 - np.abs(y[:, None] - np.arange(m)))


def _pooling_below_one_dense(network: Network) -> int:
    """The position of the global average pooling that ends the network, with nothing but one dense layer above."""
    kinds = [(i, layer) for i, layer in enumerate(network) if not isinstance(layer, (Identity, Mask))]
    if [type(layer) for _, layer in kinds[-3:]] != [GlobalAvgPool, Flatten, Dense]:
        has_maps = any(isinstance(layer, (Conv2d, ConvTranspose2d)) for layer in network)
        advice = "take grad_cam" if has_maps else "it has no convolution, so take a method that needs no feature maps"
        raise ValueError(
            "CAM is defined on a network that ends GlobalAvgPool, Flatten, Dense, and this one ends "
            f"{', '.join(type(layer).__name__ for layer in network.layers[-3:])}; {advice}."
        )
    return kinds[-3][0]


def _feature_maps(f: Explained, layer: str | None) -> int:
    """The position in f.a of the feature maps above the layer of that name, or above the last convolution."""
    at = last_maps(f.network) if layer is None else f.network.index(layer)
    if at is None:
        raise ValueError(
            f"Grad-CAM needs a convolution, and the layers are {', '.join(f.network.names)}; name a layer."
        )
    maps = f.a[at + 1]
    if maps.ndim != 4:
        raise ValueError(
            f"Grad-CAM takes a layer with feature maps (N, K, h, w), and {f.network.names[at]} gives {maps.shape}."
        )
    return at + 1


def _has_places(maps: np.ndarray) -> bool:
    """Whether these are feature maps of more than one pixel."""
    return maps.ndim == 4 and maps.shape[2:] != (1, 1)


def last_maps(network: Network) -> int | None:
    """The last convolution, or the layer up to which only norms, dropout, joins and activation functions follow it.

    None without a convolution. A pooling ends the row, and an activation function behind it is not reached: there the
    maps are coarser, and the means α_k more often speak against all of what is left.
    """
    at = next((i for i in range(len(network) - 1, -1, -1) if isinstance(network[i], (Conv2d, ConvTranspose2d))), None)
    if at is None:
        return None
    following = (GroupNorm, InstanceNorm, Add, Concat, Multiply)
    readers = wiring.readers(network.wires)
    while len(readers[at + 1]) == 1:
        above = readers[at + 1][0]
        if not network[above].pointwise and not isinstance(network[above], following):
            break
        at = above
    return at
