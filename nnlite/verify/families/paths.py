"""Integrated gradients along the same points, SmoothGrad and its kin with the same noise."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...decision_based.gradient import gradient
from ...decision_based.integrated_gradients import integrated_gradients
from ...decision_based.smoothgrad import smoothgrad, smoothgrad_squared, vargrad
from ..case import Case, array
from ..libraries import load
from ..table import BUG, CONVENTION, Comparison

STEPS, NOISES, LEVEL = 50, 8, 0.15


def comparisons(case: Case) -> list[Comparison]:
    """Four quadratures, three averages over noise."""
    return [*_integrated(case), *_noisy(case)]


# --------------------------------------------------------------------------------------- integrated gradients


def _integrated(case: Case) -> list[Comparison]:
    name, ours = "integrated-gradients", partial(integrated_gradients, case.network, case.x, case.target)
    legendre, middle, trapezoid = (
        Comparison(
            name, "captum", f"{theirs}, {STEPS} points",
            partial(case.captum, "IntegratedGradients", n_steps=STEPS, method=theirs),
            partial(ours, quadrature=quadrature, steps=steps),
        )
        for theirs, quadrature, steps in (
            ("gausslegendre", "gauss-legendre", STEPS),
            ("riemann_middle", "midpoint", STEPS),
            ("riemann_trapezoid", "trapezoid", STEPS - 1),
        )
    )  # fmt: skip
    right = Comparison(
        name, "zennit", f"IntegratedGradients, 20 points; nnlite midpoint, {STEPS} steps",
        lambda: _zennit(case, "IntegratedGradients", n_iter=20), middle.ours,
    )  # fmt: skip
    return [
        legendre,
        middle,
        _trapezoid(case, trapezoid),
        _to_1e6(
            right.otherwise(
                CONVENTION, "zennit takes the right end of each of 20 intervals.",
                "IntegratedGradients; nnlite's gradient at its points (they are rounded to float32: tolerance 1e-6)",
                lambda: _right_ends(case, 20),
            )
        ),
    ]  # fmt: skip


def _trapezoid(case: Case, row: Comparison) -> Comparison:
    """The row of captum's trapezoid, and how it is reproduced."""
    convention = f"{row.convention}; nnlite times {STEPS - 1} / {STEPS}"

    def shorter() -> np.ndarray:
        return row.ours() * case.x.dtype.type((STEPS - 1) / STEPS)

    def at_their_points() -> np.ndarray:
        weights, points = load("captum.attr._utils.approximation_methods").approximation_parameters("riemann_trapezoid")
        x = np.concatenate([t * case.x for t in points(STEPS)])
        stacked = replace(case, x=x, target=np.tile(case.target, STEPS))
        g = gradient(case.network, x, stacked.target).reshape(STEPS, *case.x.shape)
        g[0] = stacked.torch_gradient(case.module)[: len(case.x)]
        return case.x * np.tensordot(np.array(weights(STEPS), case.x.dtype), g, 1)

    known = row.otherwise(
        BUG, f"captum's {STEPS} trapezoid weights sum to {STEPS - 1} / {STEPS}, not to 1.", convention, shorter
    )
    if case.own is None or known.under is None:
        return known
    under = known.under.otherwise(
        CONVENTION,
        "captum rounds its points to float32, and a kink may lie between. At black pixels tie in max-pooling, and "
        "rounding says which of them wins.",
        f"{row.convention}; nnlite's gradient at its points, torch's at black", at_their_points,
    )  # fmt: skip
    return replace(known, under=under)


def _to_1e6(comparison: Comparison) -> Comparison:
    under = comparison.under
    return comparison if under is None else replace(comparison, under=replace(under, tolerance=1e-6))


def _right_ends(case: Case, n: int) -> np.ndarray:
    """x · mean of the gradient at t x, t = 1/n, 2/n, ..., 1."""
    ends = np.linspace(1 / n, 1, n, dtype=np.float32).astype(case.x.dtype)
    total: Any = sum(gradient(case.network, t * case.x, case.target) for t in ends)
    return case.x * total / case.x.dtype.type(n)


# ------------------------------------------------------------------------------------------- averages over noise


def noise_of(case: Case, copies: int = NOISES) -> np.ndarray:
    """The noise that both sides add: (copies, N, ...), σ = level · (max x − min x) of each sample."""
    axes = tuple(range(1, case.x.ndim))
    sigma = LEVEL * (case.x.max(axis=axes, keepdims=True) - case.x.min(axis=axes, keepdims=True))
    return (sigma * np.random.default_rng(0).standard_normal((copies, *case.x.shape))).astype(case.x.dtype)


def _noisy(case: Case) -> list[Comparison]:
    given, noise, silence = (case.network, case.x, case.target), noise_of(case), np.zeros_like(case.x)[None]
    squares = partial(smoothgrad_squared, *given, noise=noise)  # the variance is their mean, less a square
    rows = [
        Comparison(
            method, "captum", f"NoiseTunnel {kind}, the same {NOISES} noises",
            partial(_tunnel, case, kind), partial(compute, *given, noise=noise), subtracted=subtracted,
        )
        for method, kind, compute, subtracted in (
            ("smoothgrad", "smoothgrad", smoothgrad, None),
            ("smoothgrad-squared", "smoothgrad_sq", smoothgrad_squared, None),
            ("vargrad", "vargrad", vargrad, squares),
        )
    ]  # fmt: skip
    last_none = np.concatenate([noise_of(case, NOISES - 1), silence])
    return [
        *rows,
        Comparison(
            "smoothgrad", "zennit", f"SmoothGrad, the same {NOISES} noises, the last of them none",
            lambda: _zennit(case, "SmoothGrad", n_iter=NOISES, noise_level=LEVEL),
            partial(smoothgrad, *given, noise=last_none),
        ),
    ]  # fmt: skip


def _tunnel(case: Case, kind: str) -> np.ndarray:
    """captum's NoiseTunnel around the gradient, with our noise instead of what it would draw."""
    torch = load("torch")
    attr = load("captum.attr")

    def drawn(mean: float, sigma: Any) -> Any:
        noise = noise_of(case).swapaxes(0, 1)  # the copies of the first sample, then those of the second, ...
        return case.tensor(noise.reshape(math.prod(noise.shape[:2]), *noise.shape[2:])).reshape(sigma.shape)

    tunnel = attr.NoiseTunnel(attr.Saliency(case.module))
    options = {"nt_type": kind, "nt_samples": NOISES, "stdevs": 1.0, "abs": False}
    with _in_place_of(torch, "normal", drawn):
        return array(tunnel.attribute(case.tensor().requires_grad_(), target=case.labels, **options))


def _zennit(case: Case, name: str, **options: Any) -> np.ndarray:
    """An attributor of zennit; where it draws noise it gets ours, standardized."""
    torch = load("torch")
    x = case.tensor()
    axes = tuple(range(1, x.ndim))
    span = x.amax(axes, keepdim=True) - x.amin(axes, keepdim=True)
    noises = iter(noise_of(case, NOISES - 1))

    def drawn(like: Any) -> Any:
        sigma = LEVEL * span
        return torch.where(sigma > 0, case.tensor(next(noises)) / torch.where(sigma > 0, sigma, 1.0), 0.0)

    attributor = getattr(load("zennit.attribution"), name)(case.module, attr_output=case.chosen, **options)
    with _in_place_of(torch, "randn_like", drawn):
        _, R = attributor(x.requires_grad_())
    return array(R)


@contextmanager
def _in_place_of(module: Any, name: str, stand_in: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, stand_in)
    try:
        yield
    finally:
        setattr(module, name, original)
