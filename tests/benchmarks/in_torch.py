"""The side of torch, captum and zennit: the same settings, set up before the clock starts, each at its best.

Tensors and modules are made once. zennit's composite stays registered, captum's rules are set anew for every call
(captum takes them away at its end).
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from time import process_time
from typing import Any

import numpy as np

from nnlite.interop.torch import to_torch
from nnlite.verify.case import Case
from nnlite.verify.families.lrp_captum import _of_captum
from nnlite.verify.families.lrp_zennit import STABILIZER, _with_sums
from nnlite.verify.families.paths import _in_place_of
from nnlite.verify.libraries import load

from . import workloads as w
from .workloads import Work

# ---------------------------------------------------------------------------------------------------------- torch


def inference(batch: int) -> Work:
    case, torch = w.lenet(batch), load("torch")
    module, x = case.module, case.tensor()

    def call() -> Any:
        with torch.inference_mode():
            return module(x)

    return Work(call)


def saliency(batch: int) -> Work:
    case, torch = w.lenet(batch), load("torch")
    module, x, rows, labels = case.module, case.tensor().requires_grad_(), torch.arange(batch), case.labels
    return Work(lambda: torch.autograd.grad(module(x)[rows, labels].sum(), x)[0].abs().amax(1))


def activation_maximization(images: int, steps: int) -> Work:
    case, torch = w.lenet(1), load("torch")
    module, rows, start = case.module.requires_grad_(False), torch.arange(images), case.tensor(w.start_images(images))

    def call(steps: int = steps) -> Any:
        x = start.clone().requires_grad_()
        optimizer = torch.optim.Adam([x], lr=w.RATE, maximize=True)
        for _ in range(steps):
            optimizer.zero_grad()
            log_p = torch.log_softmax(module(x), 1)[rows, rows]
            (log_p - w.WEIGHT * (x * x).sum((1, 2, 3))).sum().backward()
            optimizer.step()
            with torch.no_grad():
                x.clamp_(0, 1)
        return x.detach()

    return Work(call, check=lambda: call(w.COMPARED_STEPS))


def training(batch: int, steps: int, epochs: int = 1) -> Work:
    torch = load("torch")
    network, images, classes, order = w.training(batch, steps, epochs)
    module, x, labels = to_torch(network), torch.from_numpy(images), torch.from_numpy(classes)
    begin = {name: value.clone() for name, value in module.state_dict().items()}

    def call() -> tuple[Any, ...]:
        module.load_state_dict(begin)
        optimizer = torch.optim.Adam(module.parameters(), lr=w.TRAINING_RATE)
        for rows in order:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x[rows]), labels[rows]).backward()
            optimizer.step()
        return tuple((p.T if p.ndim == 2 else p).detach() for p in module.parameters())

    return Work(call, steps * epochs)


def whole_training(epochs: int) -> Work:
    return Work(training(*w.WHOLE, epochs).call, check=training(w.WHOLE[0], 20).call)


def occlusion(stride: int) -> Work:
    """All positions as one batch."""
    case, torch = w.lenet(1), load("torch")
    module, x, label = case.module, case.tensor(), int(case.target[0])
    starts = range(0, 28 - w.WINDOW + stride, stride)
    places = [(slice(i, i + w.WINDOW), slice(j, j + w.WINDOW)) for i, j in product(starts, starts)]
    covers = torch.zeros(len(places), 1, 28, 28)
    for cover, (rows, columns) in zip(covers, places, strict=True):
        cover[:, rows, columns] = 1
    flat, times = covers.reshape(len(places), -1), covers.sum(0).reshape(-1)

    def call() -> Any:
        with torch.inference_mode():
            drops = module(x)[0, label] - module(x * (1 - covers))[:, label]
            return (drops @ flat / times).reshape(1, 28, 28)

    return Work(call)


def vgg16_occlusion(size: int) -> Work:
    """Eight positions, two at a time."""
    case, torch = w.vgg16(), load("torch")
    module, x, label = case.module, case.tensor(), int(case.target[0])
    copies = x.repeat(len(w.VGG_PLACES), 1, 1, 1)
    for copy, (row, column) in zip(copies, w.VGG_PLACES, strict=True):
        copy[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 0
    with torch.inference_mode():
        score = module(x)[0, label]

    def call() -> Any:
        with torch.inference_mode():
            return torch.cat([score - module(pair)[:, label] for pair in copies.split(2)])[None]

    return Work(call, len(w.VGG_PLACES))


def convolution(channels: int, size: int) -> Work:
    torch = load("torch")
    a, W = (torch.from_numpy(array) for array in (w.feature_maps(channels, size), w.filters(channels)))

    def call() -> Any:
        with torch.inference_mode():
            return torch.nn.functional.conv2d(a, W, padding=1)

    return Work(call)


def convolved(of: w.Convolution, down: bool, size: int) -> Work:
    torch = load("torch")
    a, W, dz = (torch.from_numpy(array) for array in of.arrays(size))
    options = {"stride": of.stride, "padding": of.padding, "groups": of.groups}

    def call() -> Any:
        with torch.inference_mode():
            if down:
                return torch.nn.grad.conv2d_input(a.shape, W, dz, **options)
            return torch.nn.functional.conv2d(a, W, **options)

    return Work(call)


def relu_pool(layout: str, batch: int) -> Work:
    torch = load("torch")
    x, dz = (
        torch.from_numpy(w.feature_maps(8, size, batch)).contiguous(memory_format=getattr(torch, layout))
        for size in (24, 12)
    )
    x.requires_grad_()

    def call() -> tuple[Any, Any]:
        z = torch.nn.functional.max_pool2d(torch.relu(x), 2)
        return z.detach(), torch.autograd.grad(z, x, dz)[0]

    return Work(call)


# --------------------------------------------------------------------------------------------------------- captum


def captum_saliency(batch: int) -> Work:
    case = w.lenet(batch)
    method, x, labels = load("captum.attr").Saliency(case.module), case.tensor().requires_grad_(), case.labels
    return Work(lambda: method.attribute(x, target=labels).detach())


def captum_lrp(case: Case) -> Work:
    attr, rule = load("captum.attr"), load("captum.attr._utils.lrp_rules").EpsilonRule
    module, _ = _of_captum(case)
    module.read = lambda a: a  # a row needs no copies
    sums = load("captum.attr._utils.custom_modules").Addition_Module
    stabilized = [layer for layer in module.children() if hasattr(layer, "weight") or isinstance(layer, sums)]
    method, x, labels = attr.LRP(module), case.tensor().requires_grad_(), case.labels

    def call() -> Any:
        for layer in stabilized:
            layer.rule = rule(w.EPSILON)
        return method.attribute(x, target=labels).detach()

    return Work(call)


def captum_integrated_gradients(steps: int) -> Work:
    case = w.lenet(1)
    method, x, labels = load("captum.attr").IntegratedGradients(case.module), case.tensor(), case.labels
    x.requires_grad_()
    return Work(lambda: method.attribute(x, target=labels, n_steps=steps, method="gausslegendre").detach())


def captum_smoothgrad(draws: int) -> Work:
    case, torch, attr = w.lenet(1), load("torch"), load("captum.attr")
    tunnel, x, labels = attr.NoiseTunnel(attr.Saliency(case.module)), case.tensor().requires_grad_(), case.labels
    options = {"nt_type": "smoothgrad", "nt_samples": draws, "abs": False}
    sigma, noise = w.LEVEL * float(np.ptp(case.x)), case.tensor(w.noises(case.x))

    def call() -> Any:
        return tunnel.attribute(x, target=labels, stdevs=sigma, **options).detach()

    def check() -> Any:
        """The same, with our noise in the place of what captum would draw."""
        with _in_place_of(torch, "normal", lambda mean, sigma: noise.reshape(sigma.shape)):
            return call()

    return Work(call, check=check)


def captum_occlusion(best: bool, stride: int) -> Work:
    """One position at a time as is its default, or as many as are fastest."""
    case = w.lenet(1)
    method, x, labels = load("captum.attr").Occlusion(case.module), case.tensor(), case.labels
    shape, strides = (1, w.WINDOW, w.WINDOW), (1, stride, stride)

    def call(at_once: int = 1) -> Any:
        with load("torch").no_grad():
            return method.attribute(x, shape, strides, target=labels, baselines=0, perturbations_per_eval=at_once)

    def seconds(at_once: int) -> float:
        began = process_time()
        call(at_once)
        return process_time() - began

    if not best:
        return Work(call)
    call(8)
    return Work(partial(call, min((8, 16, 32, 64, 128, 256), key=seconds)))


# --------------------------------------------------------------------------------------------------------- zennit


def zennit_lrp(case: Case, start: str) -> Work:
    """ε on every layer from the score, or EpsilonPlus from 1; the composite stays registered."""
    torch, types, rules, composites = map(load, ("torch", "zennit.types", "zennit.rules", "zennit.composites"))
    everywhere = [
        (types.Activation, rules.Pass()),
        ((types.AvgPool, load("zennit.layer").Sum), rules.Norm(STABILIZER)),
        (types.Linear, rules.Epsilon(w.EPSILON)),
    ]
    composite = composites.LayerMapComposite(everywhere) if start == "score" else composites.EpsilonPlus()
    module, x, rows, labels = _with_sums(case), case.tensor().requires_grad_(), torch.arange(len(case.x)), case.labels
    composite.register(module)

    def call() -> Any:
        scores = module(x)
        top = torch.zeros_like(scores)
        top[rows, labels] = scores.detach()[rows, labels] if start == "score" else 1.0
        return torch.autograd.grad(scores, x, top)[0]

    return Work(call)


SIDES: dict[str, dict[str, Callable[..., Work]]] = {
    "torch": {
        "inference": inference,
        "saliency": saliency,
        "activation-maximization": activation_maximization,
        "training": training,
        "whole-training": whole_training,
        "vgg16-occlusion": vgg16_occlusion,
        "convolution": convolution,
        **w.convolutions(convolved),
    },
    "torch by hand": {"occlusion": occlusion},
    "torch channels-last": {"relu-pool": partial(relu_pool, "channels_last")},
    "torch NCHW": {"relu-pool": partial(relu_pool, "contiguous_format")},
    "captum": {
        "saliency": captum_saliency,
        "lrp-epsilon": lambda batch: captum_lrp(w.lenet(batch)),
        "lrp-epsilon-resnet": lambda batch: captum_lrp(w.resnet(batch)),
        "lrp-epsilon-of-image": lambda size: captum_lrp(w.padded(size)),
        "lrp-epsilon-of-depth": lambda layers: captum_lrp(w.deep(layers)),
        "integrated-gradients": captum_integrated_gradients,
        "smoothgrad": captum_smoothgrad,
    },
    "captum default": {"occlusion": partial(captum_occlusion, False)},
    "captum best": {"occlusion": partial(captum_occlusion, True)},
    "zennit": {
        "lrp-epsilon": lambda batch: zennit_lrp(w.lenet(batch), "score"),
        "lrp-epsilon-resnet": lambda batch: zennit_lrp(w.resnet(batch), "score"),
        "lrp-epsilon-plus": lambda batch: zennit_lrp(w.lenet(batch), "one"),
    },
}
"""By contestant and row."""
