"""Somebody else's map beside ours, without any framework: the convention is found, the layer where they part too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite.decision_based import lrp
from nnlite.decision_based.gradient import gradient
from nnlite.decision_based.integrated_gradients import integrated_gradients
from nnlite.decision_based.registry import METHODS
from nnlite.verify import Case
from nnlite.verify.conventions import without_bias
from nnlite.verify.examples import example
from nnlite.verify.theirs import examine


def case(name: str = "padding", samples: int = 2) -> Case:
    return Case.of(name, *example(name, samples))


def relevance(c: Case, rules: Any, start: str = "score") -> np.ndarray:
    return lrp.relevance(c.network, c.x, c.target, rules=rules, start=start)


@pytest.mark.parametrize("method", METHODS)
def test_our_own_map_agrees(method: str) -> None:
    c = case("global_pooling")
    if not METHODS[method].fits(c.network):
        pytest.skip("this network cannot have the method")
    if method in ("grad-cam", "occlusion", "occlusion-flip", "cam"):  # here on the layer's own grid, or as a map
        return
    assert examine(c, method, METHODS[method].compute(c.network, c.x, c.target)).agrees


CONVENTIONS: dict[str, tuple[str, Any, str]] = {
    "start": ("lrp-epsilon", lambda c: relevance(c, lrp.epsilon(), "one"), "start one"),
    "stabilizer": ("lrp-epsilon", lambda c: relevance(c, lrp.epsilon(1e-2)), "ε = 0.01, start score"),
    "bias": (
        "lrp-epsilon", lambda c: relevance(c, without_bias(lrp.epsilon())),
        "ε = 1e-06, bias left out, start score",
    ),
    "stabilizer of a rule": (
        "lrp-alpha2-beta1", lambda c: relevance(c, lrp.alpha_beta(2, 1, 1e-6)),
        "αβ(2, 1), stabilizer 1e-06, start score",
    ),
    "another γ": (
        "lrp-gamma", lambda c: relevance(c, lrp.gamma(0.5)), "simple γ = 0.5, stabilizer 0, start score",
    ),
    "z⁺ with b⁺": (
        "lrp-z-plus", lambda c: relevance(c, lrp.alpha_beta(1, 0)),
        "αβ(1, 0), that is z⁺ with b⁺, stabilizer 0, start score",
    ),
    "divided by its maximum": (
        "lrp-w-squared",
        lambda c: (R := relevance(c, lrp.w_squared())) / np.abs(R).max(axis=(1, 2, 3), keepdims=True),
        "nnlite's own, divided by its largest magnitude",
    ),
    "channels": ("lrp-epsilon", lambda c: relevance(c, lrp.epsilon()).sum(1), "nnlite's own, sum over channels"),
    "absolute values": (
        "gradient", lambda c: np.abs(gradient(c.network, c.x, c.target)), "nnlite's own, absolute values",
    ),
    "every channel": ("saliency", lambda c: np.abs(gradient(c.network, c.x, c.target)), "of every channel"),
    "quadrature": (
        "integrated-gradients",
        lambda c: integrated_gradients(c.network, c.x, c.target, quadrature="gauss-legendre", steps=20),
        "gauss-legendre, 20 steps",
    ),
    "another method": (
        "lrp-epsilon", lambda c: gradient(c.network, c.x, c.target), "another method: gradient",
    ),
}  # fmt: skip


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_convention_is_found(convention: str) -> None:
    method, make, expected = CONVENTIONS[convention]
    c = case()
    finding = examine(c, method, make(c))
    assert not finding.agrees
    assert finding.explanations[0][0] == expected
    assert expected in finding.text()


@pytest.mark.parametrize(
    ("rules", "words"), [(lrp.gamma(0.25), "simple"), (lrp.generalized_gamma(0.25), "generalized")]
)
def test_simple_and_generalized_gamma_are_told_apart_where_a_score_is_negative(rules: Any, words: str) -> None:
    network, x = example("padding", 2)
    scores = network.scores(x)
    c = Case.of("padding", network, x, scores.argmin(axis=1))
    assert scores.min(axis=1).max() < 0
    other = "lrp-generalized-gamma" if words == "simple" else "lrp-gamma"
    finding = examine(c, other, relevance(c, rules))
    assert finding.explanations[0][0].startswith(f"{words} γ = 0.25")


@pytest.mark.parametrize(("exactly", "words"), [(False, "still divides by √(1 + eps)"), (True, "not merged passes")])
def test_the_merge_of_batchnorm_by_zennit_is_found(exactly: bool, words: str) -> None:
    c = case("decoder")
    map_ = lrp.relevance(c.merged_as_zennit(exactly=exactly), c.x, c.target, rules=lrp.EpsilonPlus(), start="one")
    assert words in examine(c, "lrp-epsilon-plus", map_).explanations[0][0]


def test_in_float32_too() -> None:
    c = case()
    finding = examine(c, "lrp-epsilon", relevance(c, lrp.epsilon(), "one").astype(np.float32))
    assert finding.explanations[0][0].endswith("start one")
    assert examine(c, "lrp-epsilon", relevance(c, lrp.epsilon()).astype(np.float32)).agrees


def test_what_nothing_explains_says_so_and_names_the_nearest() -> None:
    c = case()
    finding = examine(c, "lrp-epsilon", np.random.default_rng(0).random(c.x.shape))
    assert not finding.explanations
    assert finding.nearest is not None
    assert "none of the conventions tried" in finding.text()


def test_one_sample_may_come_without_its_batch_axis() -> None:
    c = case(samples=1)
    assert examine(c, "lrp-epsilon", relevance(c, lrp.epsilon())[0]).agrees


def test_the_layer_at_which_they_part() -> None:
    c = case()
    rules = [lrp.epsilon(), lrp.generalized_gamma(0.25), lrp.epsilon()]
    signals = lrp.relevance(c.network, c.x, c.target, rules=rules, all_layers=True)
    layers = dict(zip(("input", *c.network.names), signals, strict=True))
    finding = examine(c, "lrp-epsilon", signals[0], layers)
    assert finding.parted.startswith("below conv2")
    del layers["conv2"]
    assert finding.layers[0][2]
    assert "more layers" in examine(c, "lrp-epsilon", signals[0], layers).parted
    top = {c.network.names[-1]: signals[-1] * 2}
    assert "another start" in examine(c, "lrp-epsilon", signals[0], top).parted


def test_the_layers_of_the_gradient() -> None:
    c = case()
    g = gradient(c.network, c.x, c.target)
    assert examine(c, "gradient", g, {"input": g}).layers == (("input", 0.0, True),)


def with_nan(R: np.ndarray) -> np.ndarray:
    R = R.copy()
    R[1, 0, 3, 2] = np.nan
    return R


REFUSED: dict[str, tuple[str, Any, Any, str]] = {
    "unknown method": ("magic", lambda R: R, None, "There is no method 'magic'; the methods are"),
    "shape": ("lrp-epsilon", lambda R: R[:, :, 1:], None, r"shape \(2, 2, 6, 6\); expected \(2, 2, 7, 6\)"),
    "batch": ("lrp-epsilon", lambda R: R[0], None, r"shape \(2, 7, 6\); expected"),
    "NaN": ("lrp-epsilon", with_nan, None, r"at \[1, 0, 3, 2\] it is nan"),
    "unknown layer": ("lrp-epsilon", lambda R: R, {"conv9": np.ones(1)}, "no layers conv9; the names are dense1"),
    "layer's shape": ("lrp-epsilon", lambda R: R, {"conv1": np.ones((2, 1))}, "map of conv1 has the shape"),
    "layer's NaN": ("lrp-epsilon", lambda R: R, {"dense1": np.full((2, 3), np.inf)}, "map of dense1 must be finite"),
    "no layers": ("occlusion", lambda R: R, {"conv1": np.ones(1)}, "occlusion has no maps of layers"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compared_is_refused(what: str) -> None:
    method, change, layers, expected = REFUSED[what]
    c = case() if what != "batch" else case(samples=3)
    with pytest.raises(ValueError, match=expected) as caught:
        examine(c, method, change(relevance(c, lrp.epsilon())), layers)
    assert "\n" not in str(caught.value)


def test_the_files_of_the_command(tmp_path: Path) -> None:
    """The same by the command: see test_verify_command.py for its errors."""
    c = case(samples=1)
    c.network.save(tmp_path / "net.npz")
    from nnlite import load

    again = Case.of("again", load(tmp_path / "net.npz"), c.x)
    assert examine(again, "lrp-epsilon", relevance(c, lrp.epsilon())).agrees
