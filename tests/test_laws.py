"""The laws that methods owe whatever the network: of batches, of functions, of sums, of symmetry; and how maps look."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from nnlite import Network, datasets, models
from nnlite.decision_based import (
    deconvnet,
    deeplift,
    gradient,
    gradient_times_input,
    guided_backpropagation,
    integrated_gradients,
    lrp,
    occlusion,
    smoothgrad,
)
from nnlite.decision_based.registry import METHODS
from nnlite.layers import (
    GELU,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    Branches,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    LeakyReLU,
    MaxPool2d,
    Pad,
    Permute,
    ReLU,
    ReLU6,
    Reshape,
    SelfAttention,
    Slice,
    Softmax,
    Softplus,
    Take,
    TransformerBlock,
    Upsample,
)

numbers = np.random.default_rng(23)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


def close(R: np.ndarray, expected: np.ndarray, size: float | None = None) -> None:
    """To 1e-10 of the largest magnitude, or of another size."""
    assert np.isfinite(R).all()
    size = np.abs(expected).max(initial=0.0) if size is None else size
    np.testing.assert_allclose(R, expected, rtol=0, atol=1e-10 * size)


# --------------------------------------------------------------------------- a batch, and its samples one at a time


def other_grids(r: Callable[..., np.ndarray]) -> Network:
    return Network(
        [Pad((1, 1, 0), (0, 2, 1)), Conv2d(r(size=(4, 3, 2, 2)), r(size=4)), ReLU6(), Upsample((1, 2), "bilinear"),
         AdaptiveAvgPool2d((3, 2)), Slice(1, 1), Permute((2, 3, 1)), Dense(r(size=(3, 4)), r(size=4)), Softplus(),
         Flatten(), Dense(r(size=(24, 3)), r(size=3))],
        input_shape=(2, 4, 4),
    )  # fmt: skip


def seeing(r: Callable[..., np.ndarray]) -> Network:
    """A transformer on patches of 2 × 2 and a class token."""
    return Network(
        [Conv2d(r(size=(4, 1, 2, 2)), r(size=4), stride=2), Reshape((4, 4)), Permute((2, 1)),
         Branches([[Constant(r(size=(1, 1, 4)))], []], Concat()), Branches([[], [Constant(r(size=(1, 5, 4)))]], Add()),
         TransformerBlock(SelfAttention(*r(size=(4, 4, 4)), heads=2),
                          [Dense(r(size=(4, 6))), GELU(), Dense(r(size=(6, 4)))]),
         LayerNorm(r(size=4), r(size=4)), Take(0), Dense(r(size=(4, 3)), r(size=3))],
        input_shape=(1, 4, 4),
    )  # fmt: skip


NETWORKS: dict[str, Network] = {
    "attention": seeing(np.random.default_rng(5).normal),
    "padding": Network(
        [Conv2d(w(3, 2, 3, 3), w(3), padding=2), ReLU(), MaxPool2d(3, stride=2, padding=1), Flatten(),
         Dense(w(48, 3), w(3))],
        input_shape=(2, 6, 6),
    ),
    "stride": Network(
        [Conv2d(w(4, 1, 3, 2), w(4), stride=(2, 3)), ReLU(), Conv2d(w(3, 4, 2, 2), w(3), stride=1), ReLU(), Flatten(),
         Dense(w(12, 3), w(3))],
        input_shape=(1, 7, 8),
    ),
    "dilation": Network(
        [Conv2d(w(4, 2, 2, 2), w(4), dilation=(2, 3)), ReLU(), MaxPool2d(2), Flatten(), Dense(w(8, 3), w(3))],
        input_shape=(2, 6, 6),
    ),
    "groups": Network(
        [Conv2d(w(4, 1, 3, 3), w(4), groups=2), ReLU(), Conv2d(w(4, 1, 1, 1), w(4), groups=4), ReLU(), Flatten(),
         Dense(w(36, 3), w(3))],
        input_shape=(2, 5, 5),
    ),
    "average pooling": Network(
        [Conv2d(w(4, 2, 3, 3), w(4), padding=1), ReLU(), AvgPool2d(3, stride=2, padding=1), Conv2d(w(5, 4, 1, 1)),
         ReLU(), GlobalAvgPool(), Flatten(), Dense(w(5, 3), w(3))],
        input_shape=(2, 6, 6),
    ),
    "batchnorm": Network(
        [Conv2d(w(4, 1, 3, 3), w(4)), BatchNorm(w(4) + 1, w(4), w(4), numbers.random(4) + 0.5), ReLU(),
         # on its own, and ≥ 0 as the activations below it
         MaxPool2d(2), BatchNorm(numbers.random(4) + 0.5, numbers.random(4), np.zeros(4), numbers.random(4) + 0.5),
         Flatten(), Dense(w(16, 5), w(5)), BatchNorm(w(5) + 1, w(5), w(5), numbers.random(5) + 0.5), ReLU(),
         Dense(w(5, 3), w(3))],
        input_shape=(1, 6, 6),
    ),
    "leaky relu": Network(
        [Conv2d(w(4, 1, 3, 3), w(4)), LeakyReLU(0.1), Conv2d(w(4, 4, 2, 2), w(4)), LeakyReLU(0.3),
         AvgPool2d(2, stride=1), Flatten(), Dense(w(16, 5), w(5)), LeakyReLU(), Dense(w(5, 3), w(3))],
        input_shape=(1, 6, 6),
    ),
    "transposed convolution": Network(
        [Dense(5 * w(4, 8), w(8)), ReLU(), Reshape((2, 2, 2)),
         ConvTranspose2d(w(2, 3, 3, 3), w(3), stride=2, padding=1, output_padding=1), ReLU(), Flatten(),
         Dense(w(48, 3), w(3))],
        input_shape=(4,),
    ),
    "transposed convolution on pixels": Network(
        [ConvTranspose2d(w(2, 3, 3, 3), w(3), stride=2, padding=1), ReLU(), GlobalAvgPool(), Flatten(),
         Dense(w(3, 3), w(3))],
        input_shape=(2, 3, 4),
    ),
    "other grids, and along the last axis": other_grids(np.random.default_rng(24).normal),
    "no biases": Network([Dense(w(5, 6)), ReLU(), Dense(w(6, 4)), ReLU(), Dense(w(4, 3))], input_shape=(5,)),
    "a single neuron": Network([Dense(np.array([[1.5], [-0.5], [0.25]]), np.array([0.1]))], input_shape=(3,)),
    "one pixel": Network(
        [Conv2d(w(3, 1, 3, 3), w(3), padding=1), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(3, 2), w(2))],
        input_shape=(1, 1, 1),
    ),
    "a softmax at the end": Network(
        [Conv2d(w(3, 1, 3, 3), w(3)), ReLU(), Flatten(), Dense(w(27, 3), w(3)), Softmax()], input_shape=(1, 5, 5)
    ),
}  # fmt: skip

REFUSED = {
    # there are feature maps, but the input is no image that they could be laid over
    ("transposed convolution", "grad-cam"): "size takes an integer or a pair",
    ("transposed convolution", "guided-grad-cam"): "takes images",
    # the first convolution, which gets z^B, does not see pixels in [0, 1] but activations
    ("transposed convolution", "lrp-epsilon-gamma-box"): r"takes inputs in \[0.0, 1.0\]",
}
"""What a method refuses although it may fit: the network, the method, and the reason that it gives."""

OF_ATTENTION = "lrp-attn", "lrp-cp"  # they fit where there is attention; elsewhere they are lrp-epsilon
EVERY = [(case, name) for case in NETWORKS for name in METHODS if name not in OF_ATTENTION or case == "attention"]
PAIRS = [(case, name) for case, name in EVERY if METHODS[name].fits(NETWORKS[case]) and (case, name) not in REFUSED]
REASONS = (
    r"≥ 0|takes images|needs a convolution|ends GlobalAvgPool|needs a layer with attention|quotient of differences"
)
"""What does not fit: activations below 0 where a rule divides by Σ a w⁺, and layers or images that are not there."""


def pixels(network: Network, n: int = 4, seed: int = 0) -> np.ndarray:
    """Pixels in [0, 1], some of them black; the last input is all black."""
    x = np.random.default_rng(seed).random((n, *(network.input_shape or ())))
    x[x < 0.2] = 0
    x[-1] = 0
    return x


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("case", "name"), PAIRS)
def test_a_batch_is_its_samples_one_at_a_time_and_every_number_is_finite(
    case: str, name: str, form: Callable[[Network], Network]
) -> None:
    network, compute = form(NETWORKS[case]), METHODS[name].compute
    x = pixels(network)
    together = compute(network, x, None)
    assert together.dtype == np.float64
    assert len(together) == len(x)
    for n in range(len(x)):
        close(compute(network, x[n : n + 1], None), together[n : n + 1], np.abs(together).max())


@pytest.mark.parametrize(("case", "name"), [pair for pair in EVERY if pair not in PAIRS])
def test_what_does_not_fit_is_refused_for_one_of_these_reasons(
    case: str, name: str, form: Callable[[Network], Network]
) -> None:
    with pytest.raises(ValueError, match=REFUSED.get((case, name), REASONS)):
        METHODS[name].compute(form(NETWORKS[case]), pixels(NETWORKS[case]), None)


@pytest.mark.parametrize("name", OF_ATTENTION)
def test_without_attention_the_rules_for_it_are_lrp_epsilon(name: str) -> None:
    network = NETWORKS["average pooling"]
    expected = METHODS["lrp-epsilon"].compute(network, pixels(network), None)
    np.testing.assert_allclose(METHODS[name].compute(network, pixels(network), None), expected, atol=1e-12)


def test_every_method_has_a_network() -> None:
    assert {name for _, name in PAIRS} == set(METHODS)


# ------------------------------------------------------------------------------------------ laws of the function

SHAPE = (1, 2, 3)
X = np.random.default_rng(1).normal(size=(3, *SHAPE))
NOISE = 0.3 * np.random.default_rng(2).normal(size=(6, *X.shape))
W1, b1, W2, b2 = w(6, 5), w(5), w(5, 3), w(3)


def network_of(*layers: Any) -> Network:
    return Network([Flatten(), *layers], input_shape=SHAPE)


ONE = network_of(Dense(W1, b1), ReLU(), Dense(W2, b2))


def occlusion_map(network: Network, x: np.ndarray, target: Any = None, size: Any = (1, 2)) -> np.ndarray:
    return occlusion(network, x, target, size=size).map[:, None]


Method = Callable[..., np.ndarray]
OF_THE_FUNCTION: dict[str, Method] = {  # all that these ask for are scores and gradients
    "gradient": gradient,
    "gradient times input": gradient_times_input,
    "integrated gradients": integrated_gradients,
    "smoothgrad": partial(smoothgrad, noise=NOISE),
    "occlusion": occlusion_map,
}
ON_DIFFERENCES: dict[str, Method] = {
    "deeplift rescale": partial(deeplift, reference=0.25),
    "deeplift reveal-cancel": partial(deeplift, reference=0.25, rule="reveal-cancel"),
}


def split() -> Network:
    A = w(6, 6)
    return network_of(Dense(A), Dense(np.linalg.solve(A, W1), b1), ReLU(), Dense(W2, b2))


def duplicated() -> Network:
    """Unit 0 twice, each with half of its weight above."""
    V = np.vstack([W2, W2[:1]])
    V[[0, -1]] /= 2
    return network_of(Dense(np.hstack([W1, W1[:, :1]]), np.append(b1, b1[0])), ReLU(), Dense(V, b2))


def permuted_and_scaled() -> Network:
    order, scale = np.array([3, 1, 4, 0, 2]), np.array([0.5, 2, 3, 1, 0.1])
    return network_of(Dense((W1 * scale)[:, order], (b1 * scale)[order]), ReLU(), Dense((W2.T / scale).T[order], b2))


def convolved() -> Network:
    W = np.ascontiguousarray(W1.T).reshape(5, *SHAPE)
    return Network([Conv2d(W, b1), ReLU(), ReLU(), Flatten(), Dense(W2, b2)], input_shape=SHAPE)


THE_SAME = {"split": split(), "duplicated": duplicated(), "scaled": permuted_and_scaled(), "convolved": convolved()}


class TestImplementationInvariance:
    """Two networks that compute the same function get the same map.

    A law of methods that see the function alone. The others see how it is built, and do not owe it: LRP, DeepLIFT,
    excitation backpropagation, DeConvNet and guided backpropagation (their rules act layer by layer), CAM and Grad-CAM
    (they show a layer).
    """

    @pytest.mark.parametrize("other", THE_SAME.values(), ids=THE_SAME)
    @pytest.mark.parametrize("method", OF_THE_FUNCTION.values(), ids=OF_THE_FUNCTION)
    def test_the_same_function_gets_the_same_map(
        self, method: Method, other: Network, form: Callable[[Network], Network]
    ) -> None:
        other, one = form(other), form(ONE)
        close(other.scores(X), one.scores(X))
        for target in (None, 0, [0, 1, 2]):
            close(method(other, X, target), method(one, X, target))

    def test_lrp_may_differ(self) -> None:
        rules = lrp.alpha_beta(2, 1)
        one, other = (lrp.relevance(network, X, 0, rules=rules) for network in (ONE, THE_SAME["split"]))
        assert np.abs(one - other).max() > 0.1 * np.abs(one).max()

    def test_guided_backpropagation_may_differ(self) -> None:
        a = Network([Dense(np.array([[-1.0]]))])  # −x
        b = Network([Dense(np.array([[1.0, -1.0]])), ReLU(), Dense(np.array([[-1.0], [1.0]]))])  # (−x)⁺ − x⁺
        x = np.array([[2.0], [-2.0]])
        assert np.array_equal(a.scores(x), b.scores(x))
        assert guided_backpropagation(a, x).ravel().tolist() == [-1, -1]
        assert guided_backpropagation(b, x).ravel().tolist() == [0, -1]


@pytest.mark.parametrize("method", [*OF_THE_FUNCTION.values(), *ON_DIFFERENCES.values()],
                         ids=[*OF_THE_FUNCTION, *ON_DIFFERENCES])  # fmt: skip
class TestOfEach:
    """DeepLIFT too is linear in the weights of the output, for there its multipliers begin."""

    def test_linearity_in_the_weights_of_the_output(self, method: Method) -> None:
        below = ONE.layers[:-1]
        (V1, c1), (V2, c2) = ((w(5, 1), w(1)) for _ in range(2))
        alpha, beta = 2.5, -0.75
        maps = [
            method(Network([*below, Dense(V, c)], input_shape=SHAPE), X, 0)
            for V, c in ((V1, c1), (V2, c2), (alpha * V1 + beta * V2, alpha * c1 + beta * c2))
        ]
        close(maps[2], alpha * maps[0] + beta * maps[1])
        assert not np.allclose(maps[0], maps[1])

    def test_symmetry_two_inputs_in_the_same_role_get_the_same_share(self, method: Method) -> None:
        swapped = np.array([1, 0, 2, 3, 4, 5])
        network = network_of(
            Dense(np.hstack([W1, W1[swapped]]), np.tile(b1, 2)), ReLU(), Dense(np.vstack([W2, W2]), b2)
        )
        x, mirrored = X.copy(), NOISE.copy()
        x[..., 0, 1] = x[..., 0, 0]
        mirrored[..., 0, 1] = mirrored[..., 0, 0]
        close(network.scores(X.reshape(3, -1)[:, swapped].reshape(X.shape)), network.scores(X))
        options = {"noise": mirrored} if isinstance(method, partial) and method.func is smoothgrad else {}
        options |= {"size": 1} if method is occlusion_map else {}
        R = method(network, x, [0, 1, 2], **options)
        close(R[..., 0, 1], R[..., 0, 0])
        assert np.abs(R[..., 0, 0] - R[..., 0, 2]).min() > 1e-3

    def test_sensitivity_what_the_function_ignores_gets_nothing(self, method: Method) -> None:
        """No weight at all; or weights that cancel, which RevealCancel does not owe: it keeps + and − apart."""
        A = W1.copy()
        A[2] = 0
        B = np.hstack([A, A])  # every unit with input 2 and without, and the difference cancels
        B[2] = np.concatenate([np.ones(5), -np.ones(5)])
        C = np.vstack([np.eye(5), np.eye(5)]) / 2
        options = {"size": 1} if method is occlusion_map else {}
        ways: list[list[Any]] = [[Dense(A, b1)], [Dense(B), Dense(C, b1)]]
        for below in ways[:1] if method is ON_DIFFERENCES["deeplift reveal-cancel"] else ways:
            R = method(network_of(*below, ReLU(), Dense(W2, b2)), X, **options).reshape(3, 6)
            assert np.abs(R[:, 2]).max() < 1e-13
            assert np.abs(R).max() > 0.1


SEES_EVERY_INPUT = {
    "lrp-flat",
    "lrp-epsilon-plus-flat",
    "lrp-epsilon-alpha2-beta1-flat",
}  # a share for each that exists


BLIND = Network([Dense(np.where(np.arange(6) == 2, 0, W1.T).T, b1), ReLU(), Dense(W2, b2)], input_shape=(6,))


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].fits(BLIND)])
def test_an_input_without_any_weight_gets_nothing(name: str, form: Callable[[Network], Network]) -> None:
    R = METHODS[name].compute(form(BLIND), np.random.default_rng(3).random((4, 6)), None)
    assert bool(R[:, 2].any()) == (name in SEES_EVERY_INPUT)
    assert R.any()


# ------------------------------------------------------------------------------------------------- how maps look


@pytest.fixture(scope="module")
def lenet() -> Network:
    return models.load("lenet")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return datasets.strokes(10, seed=1)[0]


class TestOnDigits:
    def test_a_guided_map_is_sharper_than_a_gradient(self, lenet: Network, digits: np.ndarray) -> None:
        """More of its squared mass lies within two pixels of the ink."""
        square = np.ones((5, 5), bool)
        near = np.array([binary_dilation(image[0] > 0.1, square) for image in digits])[:, None]
        guided, plain = (
            (R**2 * near).sum(axis=(1, 2, 3)) / (R**2).sum(axis=(1, 2, 3))
            for R in (guided_backpropagation(lenet, digits), gradient(lenet, digits))
        )
        assert (guided > plain).all()

    def test_an_occlusion_map_is_smoother_than_a_gradient(self, lenet: Network, digits: np.ndarray) -> None:
        """Less total variation for each unit of magnitude."""

        def variation(R: np.ndarray) -> np.ndarray:
            steps = sum(np.abs(np.diff(R, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
            return steps / np.abs(R).sum(axis=(1, 2))

        assert (variation(occlusion(lenet, digits).map) < 0.5 * variation(gradient(lenet, digits)[:, 0])).all()

    @pytest.mark.parametrize("layer", ["conv1", "conv2"])
    def test_a_single_filter_lights_what_its_unit_sees(self, lenet: Network, digits: np.ndarray, layer: str) -> None:
        a = lenet.forward(digits)[lenet.index(layer) + 1]
        for k in range(a.shape[1]):
            R = deconvnet(lenet, digits, layer=layer, filter=k, position="strongest")
            for n in range(len(digits)):
                place = np.unravel_index(a[n, k].argmax(), a.shape[2:])
                seen = np.zeros((28, 28), bool)
                seen[receptive_field(lenet, layer, place)] = True
                assert not R[n, 0, ~seen].any()
                assert R[n].any() == (a[n, k].max() > 0)


def receptive_field(network: Network, layer: str, place: tuple[Any, ...]) -> tuple[slice, slice]:
    """The pixels that a unit of this layer sees: from its place down, window by window."""
    ranges = [(int(i), int(i)) for i in place]
    for below in network.layers[network.index(layer) :: -1]:
        if isinstance(below, (Conv2d, MaxPool2d)):
            size = below.W.shape[2:] if isinstance(below, Conv2d) else below.size
            ranges = [
                (first * s - p, last * s - p + k - 1)
                for (first, last), s, p, k in zip(ranges, below.stride, below.padding, size, strict=True)
            ]
    return tuple(slice(max(0, first), last + 1) for first, last in ranges)  # type: ignore[return-value]
