"""nnlite's sides of every row: its public functions, as a user calls them; by default, and on `network.compile()`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from nnlite.decision_based import lrp
from nnlite.decision_based.gradient import saliency as _saliency
from nnlite.decision_based.integrated_gradients import integrated_gradients as _integrated_gradients
from nnlite.decision_based.occlusion import occlusion as _occlusion
from nnlite.decision_based.smoothgrad import smoothgrad as _smoothgrad
from nnlite.kernels import free_rounding
from nnlite.layers import Conv2d, MaxPool2d, ReLU
from nnlite.model_based.activation_maximization import general
from nnlite.network import Network
from nnlite.training.fit import fit
from nnlite.training.optimizers import Adam
from nnlite.training.schedules import ConstantRate
from nnlite.verify.case import Case
from nnlite.walk import gradient_rule

from . import workloads as w
from .workloads import Work


def _case(case: Case, fast: bool) -> Case:
    """The case, on a compiled network where `fast`."""
    return replace(case, network=case.network.compile()) if fast else case


def inference(batch: int, fast: bool = False) -> Work:
    case = _case(w.lenet(batch), fast)
    return Work(lambda: case.network.scores(case.x))


def saliency(batch: int, fast: bool = False) -> Work:
    case = _case(w.lenet(batch), fast)
    return Work(lambda: _saliency(case.network, case.x, case.target))


def lrp_epsilon(batch: int, fast: bool = False) -> Work:
    return _epsilon(_case(w.lenet(batch), fast))


def lrp_epsilon_resnet(batch: int, fast: bool = False) -> Work:
    return _epsilon(_case(w.resnet(batch), fast))


def lrp_epsilon_of_image(size: int, fast: bool = False) -> Work:
    return _epsilon(_case(w.padded(size), fast))


def lrp_epsilon_of_depth(layers: int, fast: bool = False) -> Work:
    return _epsilon(_case(w.deep(layers), fast))


def _epsilon(case: Case) -> Work:
    rule = lrp.epsilon(w.EPSILON)
    return Work(lambda: lrp.relevance(case.network, case.x, case.target, rules=rule))


def lrp_epsilon_plus(batch: int, fast: bool = False) -> Work:
    case, rules = _case(w.lenet(batch), fast), lrp.EpsilonPlus()
    return Work(lambda: lrp.relevance(case.network, case.x, case.target, rules=rules, start="one"))


def integrated_gradients(steps: int, fast: bool = False) -> Work:
    case = _case(w.lenet(1), fast)
    given = case.network, case.x, case.target
    return Work(lambda: _integrated_gradients(*given, quadrature="gauss-legendre", steps=steps))


def smoothgrad(draws: int, fast: bool = False) -> Work:
    case = _case(w.lenet(1), fast)
    given, noise = (case.network, case.x, case.target), w.noises(case.x)
    return Work(lambda: _smoothgrad(*given, n=draws, level=w.LEVEL), check=lambda: _smoothgrad(*given, noise=noise))


def activation_maximization(images: int, steps: int, fast: bool = False) -> Work:
    network, classes, start = _case(w.lenet(1), fast).network, np.arange(images), w.start_images(images)

    def call(steps: int = steps) -> np.ndarray:
        return general(network, classes, start=start, weight=w.WEIGHT, steps=steps, rate=w.RATE).x

    return Work(call, check=lambda: call(w.COMPARED_STEPS))


def training(batch: int, steps: int, epochs: int = 1, fast: bool = False) -> Work:
    network, x, labels, _ = w.training(batch, steps, epochs)
    schedule = ConstantRate(w.TRAINING_RATE)

    def call() -> tuple[np.ndarray, ...]:
        trained = fit(
            network,
            x,
            labels,
            epochs=epochs,
            batch_size=batch,
            optimizer=Adam(),
            schedule=schedule,
            seed=0,
            progress=False,
            compile=fast,
        )
        return tuple(trained.network.parameters.values())

    return Work(call, steps * epochs)


def whole_training(epochs: int, fast: bool = False) -> Work:
    """Compared are the first steps: over thousands, differences in rounding grow."""
    return Work(training(*w.WHOLE, epochs, fast).call, check=training(w.WHOLE[0], 20, fast=fast).call)


def occlusion(stride: int, fast: bool = False) -> Work:
    case = _case(w.lenet(1), fast)
    given = case.network, case.x, case.target
    return Work(lambda: _occlusion(*given, size=w.WINDOW, stride=stride, progress=False).map)


def vgg16_occlusion(size: int, fast: bool = False) -> Work:
    """Windows side by side, every fourth of those at stride 8: which part of the image one can reach is the same."""
    case = _case(w.vgg16(), fast)
    rows, columns = zip(*w.VGG_PLACES, strict=True)

    def call() -> np.ndarray:
        found = _occlusion(case.network, case.x, case.target, size=w.VGG_WINDOW, stride=w.VGG_WINDOW, progress=False)
        return found.drops[:, rows, columns]

    return Work(call, units=(size // w.VGG_WINDOW) ** 2)


def convolution(channels: int, size: int) -> Work:
    layer, a = Conv2d(w.filters(channels), padding=1), w.feature_maps(channels, size)
    return Work(free_rounding()(lambda: layer.forward(a)))


def convolved(of: w.Convolution, down: bool, size: int) -> Work:
    """A convolution of a real network: its output, or the gradient in its input."""
    a, W, dz = of.arrays(size)
    layer = Conv2d(W, stride=of.stride, padding=of.padding, groups=of.groups)
    return Work((lambda: layer.backward(a, dz)) if down else (lambda: layer.forward(a)))


def relu_pool(batch: int) -> Work:
    network, x = Network([ReLU(), MaxPool2d(2)]), w.feature_maps(8, 24, batch)
    dz = w.feature_maps(8, 12, batch)

    def call() -> tuple[np.ndarray, np.ndarray]:
        a = network.forward(x)
        return a[-1], network.walk_back(a, dz, [gradient_rule] * 2)[0]

    return Work(call)


PLAIN: dict[str, Callable[..., Work]] = {
    "inference": inference,
    "saliency": saliency,
    "lrp-epsilon": lrp_epsilon,
    "lrp-epsilon-resnet": lrp_epsilon_resnet,
    "lrp-epsilon-of-image": lrp_epsilon_of_image,
    "lrp-epsilon-of-depth": lrp_epsilon_of_depth,
    "lrp-epsilon-plus": lrp_epsilon_plus,
    "integrated-gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "activation-maximization": activation_maximization,
    "training": training,
    "whole-training": whole_training,
    "occlusion": occlusion,
    "vgg16-occlusion": vgg16_occlusion,
    "convolution": convolution,
    "relu-pool": relu_pool,
    **w.convolutions(convolved),
}
"""By row."""

ALONE = ("convolution", "relu-pool", *w.convolutions(convolved))
"""Rows of single layers, which are the same in both."""

SIDES: dict[str, dict[str, Callable[..., Work]]] = {
    "nnlite": PLAIN,
    "nnlite compiled": {row: partial(side, fast=True) for row, side in PLAIN.items() if row not in ALONE},
}
"""By contestant and row."""
