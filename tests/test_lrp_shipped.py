"""LRP on the networks that come with nnlite: the ledger closes, and every layer equals the plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlite.models
from nnlite import Network
from nnlite.datasets import strokes, uci
from nnlite.decision_based import lrp
from nnlite.layers import AvgPool2d, Conv2d, Dense, GlobalAvgPool

RULES: dict[str, Any] = {
    "zero": lrp.zero(),
    "epsilon": lrp.epsilon(),
    "relative epsilon": lrp.epsilon(lrp.relative(0.25)),
    "gamma": lrp.gamma(0.25),
    "generalized gamma": lrp.generalized_gamma(0.25),
    "z plus": lrp.z_plus(),
    "alpha 2 beta 1": lrp.alpha_beta(2, 1),
    "alpha 1 beta 0": lrp.alpha_beta(1, 0),
    "w squared": lrp.w_squared(),
    "flat": lrp.flat(),
    "z bounds": lrp.z_bounds(0, 1e3),
    "montavon2019": lrp.montavon2019(),
    "EpsilonPlus": lrp.EpsilonPlus(),
    "EpsilonPlusFlat": lrp.EpsilonPlusFlat(),
    "EpsilonGammaBox": lrp.EpsilonGammaBox(),
    "EpsilonAlpha2Beta1": lrp.EpsilonAlpha2Beta1(),
    "EpsilonAlpha2Beta1Flat": lrp.EpsilonAlpha2Beta1Flat(),
}


def shipped(name: str) -> tuple[Network, np.ndarray]:
    """The network in float64, and four held-out digits for it."""
    digits = uci("test")[0][:4] if name == "tiny" else strokes(4, seed=1)[0]
    return nnlite.models.load(name).astype(np.float64), digits.astype(np.float64)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("name", [*nnlite.models.VERIFIED, "resnet"])
def test_the_ledger_closes_on_held_out_digits(name: str, rules: Any) -> None:
    network, x = shipped(name)
    books = lrp.ledger(network, x, rules=rules)
    assert books.error < 1e-9
    assert np.array_equal(books.relevances[0], lrp.relevance(network, x, rules=rules))


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_every_layer_of_tiny_equals_the_plain_loops(rules: Any) -> None:
    network, x = shipped("tiny")
    x = x[:1]
    network = network.to_scores().merged()
    a = network.forward(x)
    R = lrp.relevance(network, x, rules=rules, all_layers=True)
    composite = rules if isinstance(rules, lrp.Composite) else lrp.everywhere(rules)
    for i, (layer, rule) in enumerate(zip(network, composite.rules_for(network), strict=True)):
        if isinstance(layer, (Dense, Conv2d, AvgPool2d, GlobalAvgPool)):
            slow = lrp.elementwise.relevance(rule, layer, a[i], R[i + 1])
            assert np.abs(slow - R[i]).max() <= 1e-10 * max(np.abs(slow).sum(), np.abs(R[i + 1]).sum())
