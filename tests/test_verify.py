"""nnlite beside PyTorch, captum, zennit and LXT, live: every verdict on every network is as it should be."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import nnlite.models
from nnlite import Network
from nnlite.datasets import strokes, uci
from nnlite.decision_based import lrp
from nnlite.interop.torch import from_torch, to_torch
from nnlite.layers import (
    GELU,
    Add,
    AttentionMask,
    BatchNorm,
    Branches,
    Concat,
    Conv2d,
    Dense,
    Flatten,
    GroupNorm,
    MaxPool2d,
    Multiply,
    ReLU,
    RMSNorm,
    Rotary,
    SelfAttention,
    SiLU,
    Take,
    TransformerBlock,
)
from nnlite.verify import Case, Comparison, compare, comparisons, verify, vgg16
from nnlite.verify.architectures import ARCHITECTURES, architecture
from nnlite.verify.examples import EXAMPLES, example
from nnlite.verify.families import lrp_lxt
from nnlite.verify.libraries import INSTALL, load, missing
from nnlite.verify.table import AGREES, BUG, CONVENTION, FAILED, NOT_COMPARABLE, flattened

for library in INSTALL:
    if missing(library) is not None:
        pytest.skip(f"{library} is not installed: {INSTALL[library]}", allow_module_level=True)


def unexpected(rows: Any) -> list[str]:
    """The rows that are not as they should be, in words."""
    return [
        f"{r.method} | {r.library} | {r.convention}: {r.verdict} {r.relative} {r.because}"
        for r in rows
        if not r.expected
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example(name: str) -> None:
    rows = verify(Case.of(name, *example(name))).rows
    assert not unexpected(rows)
    assert sum(row.verdict == AGREES for row in rows) > 40


@pytest.mark.parametrize("name", nnlite.models.VERIFIED)
def test_every_shipped_network(name: str) -> None:
    x = (uci("test")[0][:2] if name == "tiny" else strokes(2, seed=1)[0]).astype(np.float64)
    rows = verify(Case.of(name, nnlite.models.load(name).astype(np.float64), x)).rows
    assert not unexpected(rows)
    assert {row.method for row in rows} >= {
        "gradient", "saliency", "gradient-times-input", "guided-backpropagation", "deconvnet", "integrated-gradients",
        "smoothgrad", "occlusion", "deeplift", "lrp-epsilon", "lrp-gamma", "lrp-generalized-gamma", "lrp-z-plus",
        "lrp-alpha1-beta0", "lrp-alpha2-beta1", "lrp-w-squared", "lrp-flat", "deep-taylor", "lrp-epsilon-plus",
        "lrp-epsilon-plus-flat", "lrp-epsilon-gamma-box", "lrp-epsilon-alpha2-beta1", "lrp-epsilon-alpha2-beta1-flat",
    }  # fmt: skip
    if name not in ("mlp", "tiny"):
        assert {"grad-cam", "guided-grad-cam"} <= {row.method for row in rows}


@pytest.mark.parametrize("name", ["padding", "average_pooling", "dense"])
def test_in_float32_by_the_norm(name: str) -> None:
    network, x = example(name)
    rows = verify(Case.of(name, network.astype(np.float32), x.astype(np.float32))).rows
    assert not unexpected(rows)


@pytest.mark.parametrize("target", [1, [0, 2, 1]])
def test_other_classes(target: Any) -> None:
    assert not unexpected(verify(Case.of("padding", *example("padding"), target)).rows)


@pytest.mark.parametrize("name", ["resnet1d", "mobilenet_v3"])  # the others: `nnlite verify --model`, by CI
def test_an_architecture_from_its_module(name: str) -> None:
    module, x = architecture(name, 1)
    case = Case.of(name, from_torch(module, x.shape[1:]), x, own=module)
    rows = compare(c for c in comparisons(case) if c.method not in ("integrated-gradients", "smoothgrad", "occlusion"))
    assert not unexpected(rows)
    assert {row.method for row in rows} >= {"gradient", "deeplift", "lrp-epsilon-plus", "lrp-epsilon-gamma-box"}
    assert any("ResNetCanonizer" in row.convention and row.expected for row in rows) == (name == "resnet1d")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_the_scores_of_its_module(name: str) -> None:
    if name != "resnet18":  # 224 × 224
        module, x = architecture(name, 1)
        network = from_torch(module, x.shape[1:])
        theirs = to_torch(network)(load("torch").from_numpy(x)).detach().numpy()
        assert np.abs(theirs - network.output(x)).max() <= 1e-12 * np.abs(theirs).max()


def test_captum_keeps_apart_what_a_concat_and_a_layer_read() -> None:
    rng = np.random.default_rng(0)
    branches = Branches([[], [Dense(rng.normal(size=(4, 3)))]], Concat())
    network = Network([Dense(rng.normal(size=(4, 4))), ReLU(), branches, Dense(rng.normal(size=(7, 2)))])
    rows = verify(Case.of("concat", network, rng.random((2, 4))), "lrp-epsilon").rows
    assert not unexpected(row for row in rows if row.library == "captum")


def test_zennit_merges_what_stands_before_a_batchnorm_whatever_it_reads() -> None:
    rng = np.random.default_rng(0)
    W = [rng.normal(size=(4, 4)) for _ in range(3)]
    norm = BatchNorm(np.ones(4), np.ones(4), np.ones(4), np.ones(4))
    network = Network(
        [Dense(W[0]), ReLU(), Dense(W[1]), norm, Add(), Dense(W[2])], input_shape=(4,),
        wires=((0,), (1,), (2,), (2,), (3, 4), (5,)),
    )  # fmt: skip
    shared = Network(network.layers, input_shape=(4,), wires=((0,), (1,), (2,), (3,), (3, 4), (5,)))
    rows = verify(Case.of("shared", shared, rng.random((2, 4)))).rows
    assert not unexpected(rows)
    assert any("the scores change" in row.because and row.verdict == BUG for row in rows)
    rows = verify(Case.of("apart", network, rng.random((2, 4)))).rows
    assert not unexpected(rows)
    assert [row.because for row in rows if row.verdict == NOT_COMPARABLE and row.library == "zennit"] == [
        "zennit merges a BatchNorm into the layer that stands before it, and here it reads another."
    ]


# -------------------------------------------------------------------------------- modules of one's own, as they come


def own(*layers: Any, shape: tuple[int, ...]) -> Case:
    """A seeded nn.Sequential with inputs, as `nnlite verify --torch` takes it."""
    torch = load("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(*(make() for make in layers)).double().eval()
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        if value.is_floating_point():
            torch.nn.init.uniform_(value, 0.5 if "var" in name else -0.5, 1)
    return Case.of("own", from_torch(module, shape), np.random.default_rng(1).random((3, *shape)), own=module)


def ends(nn: Any) -> dict[str, tuple[Any, str]]:
    """What stands at the end of a module, and how the rows call it."""

    class Function(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.softmax(1)

    class Again(nn.Module):
        def forward(self, x: Any) -> Any:
            return load("torch.nn.functional").log_softmax(x, dim=-1)

    return {
        "Softmax": (lambda: nn.Softmax(1), "without its Softmax"),
        "LogSoftmax": (lambda: nn.LogSoftmax(1), "without its LogSoftmax"),
        "x.softmax": (Function, "without its Softmax"),
        "F.log_softmax": (Again, "without its LogSoftmax"),
        "Tanh": (nn.Tanh, "as it is"),
    }


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "x.softmax", "F.log_softmax", "Tanh"])
@pytest.mark.parametrize("apart", [0, 200])
def test_a_module_is_compared_like_with_like_whatever_its_end(end: str, apart: float) -> None:
    nn = load("torch.nn")
    make, words = ends(nn)[end]
    case = own(lambda: nn.Linear(4, 6), nn.ReLU, lambda: nn.Linear(6, 3), make, shape=(4,))
    if apart and end != "Tanh":  # so sure that the gradient of p is 0
        case.own[2].bias.data[0] += apart
        case = Case.of("own", from_torch(case.own, (4,)), case.x, own=case.own)
    rows = verify(case).rows
    assert not unexpected(rows)
    mine = [row for row in rows if "your module" in row.convention]
    assert {row.method for row in mine} == {"scores", "gradient"} | ({"output"} if end != "Tanh" else set())
    assert all(words in row.convention for row in mine if row.method != "output")
    assert all(row.verdict == AGREES for row in mine)


def test_a_module_that_ends_in_one_sigmoid() -> None:
    nn = load("torch.nn")
    case = own(lambda: nn.Linear(4, 6), nn.Sigmoid, lambda: nn.Linear(6, 1), nn.Sigmoid, shape=(4,))
    rows = verify(case).rows
    assert not unexpected(rows)
    assert any("without its Sigmoid" in row.convention for row in rows)


def test_the_module_of_ones_own_may_be_wrong() -> None:
    nn = load("torch.nn")
    case = own(lambda: nn.Linear(4, 3), lambda: nn.Softmax(1), shape=(4,))
    case.own[0].weight.data[:, 0] *= 1 + 1e-6
    assert {row.split(" | ")[0] for row in unexpected(verify(case).rows)} == {"output", "scores", "gradient"}


def test_a_transposed_convolution_with_groups_is_no_case_for_zennits_merge() -> None:
    nn = load("torch.nn")
    case = own(
        lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), lambda: nn.BatchNorm2d(6), nn.ReLU, nn.Flatten,
        lambda: nn.Linear(150, 3), shape=(4, 3, 3),
    )  # fmt: skip
    rows = verify(case).rows
    assert not unexpected(rows)
    assert [row.because for row in rows if row.verdict == NOT_COMPARABLE and row.library == "zennit"] == [
        "zennit cannot merge a BatchNorm into a transposed convolution with groups."
    ]


def test_captums_lost_rule_is_named_wherever_two_such_layers_touch() -> None:
    nn = load("torch.nn")
    touching = own(lambda: nn.Linear(4, 6), nn.Tanh, nn.Dropout, nn.Sigmoid, lambda: nn.Linear(6, 3), shape=(4,))
    apart = own(lambda: nn.Linear(4, 6), nn.Tanh, lambda: nn.Linear(6, 3), shape=(4,))
    assert [row.verdict for row in verify(touching, "deeplift").rows] == [BUG, AGREES] * 2
    assert [row.verdict for row in verify(apart, "deeplift").rows] == [AGREES] * 2


def test_a_variance_of_equal_gradients_is_nothing_but_rounding() -> None:
    """The gradient of a linear network is the same under every noise; captum subtracts two equal squares."""
    nn = load("torch.nn")
    case = own(lambda: nn.Linear(30, 20), lambda: nn.Linear(20, 3), shape=(30,))
    assert [row.verdict for row in verify(case, "vargrad").rows] == [AGREES]


# ----------------------------------------------------------------------------- what this version of zennit does


@pytest.mark.parametrize(("name", "verdict"), [("batchnorm", AGREES), ("decoder", CONVENTION)])
def test_a_zennit_that_merges_exactly_is_not_blamed(monkeypatch: pytest.MonkeyPatch, name: str, verdict: str) -> None:
    canonizers = load("zennit.canonizers")

    class Exact(canonizers.SequentialMergeBatchNorm):  # type: ignore[misc,name-defined]
        """As from 1.0 on: what is left of a merged BatchNorm is an identity."""

        def register(self, linears: Any, norm: Any) -> None:
            self.eps = norm.eps
            super().register(linears, norm)
            norm.eps = 0.0

        def remove(self) -> None:
            super().remove()
            self.batch_norm.eps = self.eps

    monkeypatch.setattr(canonizers, "SequentialMergeBatchNorm", Exact)
    rows = verify(Case.of(name, *example(name)), "lrp-epsilon-plus").rows
    assert not unexpected(rows)
    assert rows[0].verdict == verdict


# ------------------------------------------------------------- the one-neuron cases that tell libraries apart

ONE_NEURON: dict[str, tuple[float, list[float]]] = {
    "lrp-epsilon | zennit | Epsilon(1e-6)": (-1.0, [1, -1]),
    "lrp-alpha1-beta0 | zennit": (-1.0, [-1, 0]),
    "lrp-alpha1-beta0 | captum": (-1.0, [-1e9, 0]),
    "lrp-generalized-gamma | zennit": (-1.0, [2 / 3, -5 / 6]),
    "lrp-gamma | captum": (-1.0, [5 / 3, -4 / 3]),
    "lrp-w-squared | zennit | WSquare()": (-1.0, [-1 / 3, -1 / 3]),
    "lrp-gamma | zennit": (1.0, [5 / 6, -2 / 3]),
    "lrp-gamma | captum | ": (1.0, [1, -0.8]),
    "lrp-z-plus | zennit | ZPlus()": (1.0, [0.5, 0]),
    "lrp-w-squared | zennit | WSquare() ": (1.0, [1 / 3, 1 / 3]),
}
"""The bias, and what the library gives for W = (1, −1), x = (1, 1), f = b."""


@pytest.mark.parametrize("key", ONE_NEURON)
def test_what_the_libraries_give_for_one_neuron(key: str) -> None:
    bias, expected = ONE_NEURON[key]
    network = Network([Dense(np.array([[1.0], [-1.0]]), np.array([bias]))])
    case = Case.of("one neuron", network, np.array([[1.0, 1.0]]))
    found = next(c for c in comparisons(case) if c.key.startswith(key.strip()))
    assert np.allclose(found.theirs()[0], expected, rtol=1e-5)
    assert not unexpected(compare([found]))


# ----------------------------------------------------------------------------- the table does not wave through


def test_a_wrong_number_is_not_as_expected() -> None:
    case = Case.of("padding", *example("padding"))
    right = next(c for c in comparisons(case) if c.key == "gradient | torch | autograd")
    wrong = Comparison(right.method, right.library, right.convention, right.theirs, lambda: right.ours() * (1 + 1e-9))
    assert unexpected(compare([wrong]))
    assert not unexpected(compare([right]))


def test_a_known_difference_needs_the_row_under_it() -> None:
    case = Case.of("padding", *example("padding"))
    known = next(c for c in comparisons(case) if c.differs == CONVENTION and c.library == "zennit" and c.under)
    rows = compare([known.otherwise(CONVENTION, "a reason", "otherwise", lambda: known.ours() * 2)])
    assert [row.expected for row in rows] == [False, False]


def test_a_library_that_fails_does_not_stop_the_rest() -> None:
    case = Case.of("padding", *example("padding"))
    right = next(c for c in comparisons(case) if c.key == "gradient | torch | autograd")

    def broken() -> np.ndarray:
        raise RuntimeError("no\nluck")

    rows = compare([Comparison("gradient", "torch", "broken", broken, right.ours), right])
    assert [row.verdict for row in rows] == [FAILED, AGREES]
    assert "no luck" in rows[0].because


def test_every_known_difference_has_a_reason_and_a_row_under_it() -> None:
    for name in EXAMPLES:
        for comparison in flattened(comparisons(Case.of(name, *example(name)))):
            assert (comparison.differs in (CONVENTION, BUG)) == (comparison.under is not None)
            assert bool(comparison.differs) == bool(comparison.because)


def test_what_cannot_be_compared_says_why() -> None:
    rows = verify(Case.of("overlapping_pools", *example("overlapping_pools"))).rows
    found = [row for row in rows if row.verdict == NOT_COMPARABLE]
    assert {row.method for row in found} == {"deeplift"}
    assert all("overlap" in row.because for row in found)


def test_keys_are_unique() -> None:
    for name in EXAMPLES:
        keys = [comparison.key for comparison in flattened(comparisons(Case.of(name, *example(name))))]
        assert len(keys) == len(set(keys))


def test_the_stand_in_for_torchvision_is_taken_away() -> None:
    load("zennit.rules")
    from importlib.util import find_spec

    if "torchvision" not in sys.modules:
        assert find_spec("torchvision") is None


def test_the_network_is_left_as_it_was() -> None:
    case = Case.of("batchnorm", *example("batchnorm"))
    before = {name: value.copy() for name, value in case.network.parameters.items()}
    theirs = {name: value.clone() for name, value in case.module.state_dict().items()}
    verify(case)
    assert all(np.array_equal(before[name], value) for name, value in case.network.parameters.items())
    assert all(np.array_equal(theirs[name], value) for name, value in case.module.state_dict().items())


# --------------------------------------------------------------------------------------------- VGG-16


def test_the_architecture_of_vgg16() -> None:
    shapes = [(W, "conv") for W in vgg16.WIDTHS]
    assert sum(width > 0 for width, _ in shapes) == 13
    assert sum(width == 0 for width, _ in shapes) == 5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_measurements_of_vgg16_on_a_small_network(dtype: str) -> None:
    rng = np.random.default_rng(0)
    layers = [
        Conv2d(rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4), padding=1), ReLU(), MaxPool2d(2),
        Conv2d(rng.normal(size=(6, 4, 3, 3)), rng.normal(size=6), padding=1), ReLU(), MaxPool2d(2),
        Flatten(), Dense(rng.normal(size=(96, 5)), rng.normal(size=5)),
    ]  # fmt: skip
    rows = list(vgg16.measure(dtype, network=Network(layers, input_shape=(3, 16, 16))))
    assert [row.method for row in rows] == [method for method, _, _ in vgg16.SHOWN]
    assert all(row.expected for row in rows)
    assert all("agrees" in str(row) for row in rows)


# ------------------------------------------------------------------- what the lessons say of the libraries


DEFAULTS = [
    ("captum.attr._utils.lrp_rules", "EpsilonRule.__init__", {"epsilon": 1e-9}),
    ("zennit.rules", "Epsilon.__init__", {"epsilon": 1e-6}),
    ("captum.attr", "IntegratedGradients.attribute", {"method": "gausslegendre", "n_steps": 50, "baselines": None}),
    ("zennit.attribution", "IntegratedGradients.__init__", {"n_iter": 20, "baseline_fn": None}),
    ("captum.attr", "NoiseTunnel.attribute", {"stdevs": 1.0}),
    ("captum.attr", "LayerGradCam.attribute", {"relu_attributions": False}),
    ("captum.attr", "GuidedGradCam.attribute", {"interpolate_mode": "nearest"}),
]


@pytest.mark.parametrize(("module", "name", "expected"), DEFAULTS, ids=[name for _, name, _ in DEFAULTS])
def test_the_defaults_that_the_lessons_name(module: str, name: str, expected: dict[str, Any]) -> None:
    load(module.partition(".")[0])
    where, _, function = name.partition(".")
    parameters = inspect.signature(getattr(getattr(import_module(module), where), function)).parameters
    assert {key: parameters[key].default for key in expected} == expected


def test_pytorch_takes_0_at_the_kink_and_two_conventions_of_enlarging() -> None:
    torch = load("torch")
    x = torch.zeros(1, requires_grad=True)
    torch.relu(x).sum().backward()
    assert x.grad.item() == 0  # lessons 01 and 14
    row, enlarged = torch.tensor([[[[0.0, 4.0]]]]), torch.nn.functional.interpolate
    for aligned, expected in ((False, [0, 1, 3, 4]), (True, [0, 4 / 3, 8 / 3, 4])):  # lesson 09
        up = enlarged(row, size=(1, 4), mode="bilinear", align_corners=aligned)
        assert np.allclose(up.ravel(), expected)


def test_a_new_transposed_layer_of_pytorch_draws_its_biases() -> None:
    torch = load("torch")
    torch.manual_seed(0)
    biases = np.stack([torch.nn.ConvTranspose2d(16, 8, 5).bias.detach().numpy() for _ in range(50)])  # lesson 04
    bound = 1 / np.sqrt(8 * 5 * 5)
    assert 0.95 * bound < np.abs(biases).max() <= bound


def test_captums_sensitivity_divides_by_the_size_of_the_map() -> None:
    torch, metrics = load("torch"), import_module("captum.metrics")  # lesson 13
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    found = metrics.sensitivity_max(lambda x: x, x, perturb_func=lambda x: x + 0.5, n_perturb_samples=1)
    assert np.isclose(found.item(), np.hypot(0.5, 0.5) / 5)


# ------------------------------------------------------------------------------------------------------ attention


def attending(*layers: Any, tokens: int = 3, **options: Any) -> Case:
    """One block of attention, and what else is given; x (2, T, 8)."""
    rng = np.random.default_rng(3)
    W = [rng.normal(size=(8, n)) for n in (8, options.pop("width", 8), 8, 8)]
    W[2] = W[2][:, : W[1].shape[1]]
    block = TransformerBlock(SelfAttention(*W, heads=2, **options), [Dense(W[0], W[0][1]), GELU(), Dense(W[3])])
    network = Network([*layers, block, Take(-1), Dense(rng.normal(size=(8, 3)), rng.normal(size=3))])
    return Case.of("attention", network, rng.normal(size=(2, tokens, 8)))


GATED = [Branches([[Dense(np.eye(8)[::-1] + 1)], [Dense(np.eye(8)), SiLU()]], Multiply()), RMSNorm(np.arange(1.0, 9))]
ATTENDING: dict[str, Any] = {
    "plain": lambda: attending(),
    "one token": lambda: attending(tokens=1),
    "causal, rotary, shared keys": lambda: attending(
        mask=AttentionMask(causal=True), rotary=Rotary(), width=4, key_heads=1
    ),
    "a gate and RMSNorm": lambda: attending(*GATED),
}


@pytest.mark.parametrize("name", ATTENDING)
def test_attnlrp_is_that_of_lxt(name: str) -> None:
    rows = verify(ATTENDING[name](), "lrp-attn").rows
    assert not unexpected(rows)
    assert [row.verdict for row in rows] == [AGREES, CONVENTION, AGREES, AGREES]
    assert all(row.tolerance == 1e-10 for row in rows[:3]) == ("RMSNorm" not in name)


@pytest.mark.parametrize("name", ["vit", "text"])
def test_a_transformer_from_its_module(name: str) -> None:
    module, x = architecture(name, 1)
    case = Case.of(name, from_torch(module, x.shape[1:]), x, own=module)
    rows = compare(c for c in comparisons(case) if c.method not in ("smoothgrad", "occlusion"))
    assert not unexpected(rows)
    because = {(row.method, row.library): row.because for row in rows if row.verdict == NOT_COMPARABLE}
    assert "zennit has no rule for a Softmax" in because["lrp", "zennit"]
    assert "captum's LRP has no rule for" in because["lrp", "captum"]
    assert [row.library for row in rows if row.method == "lrp-attn"] == ["lxt"] * 4


def test_what_lxt_has_no_rule_for_is_said_and_networks_without_attention_have_no_row() -> None:
    norm = GroupNorm(1, np.ones(3), np.zeros(3))
    (row,) = verify(attending(norm), "lrp-attn").rows
    assert row.verdict == NOT_COMPARABLE
    assert "LXT has no rule for a GroupNorm" in row.because
    assert "lxt" not in {c.library for c in comparisons(Case.of("dense", *example("dense")))}


def test_the_patches_of_lxt_give_the_probabilities_twice_ours_and_below_them_the_same() -> None:
    torch, F, divide = load("torch"), load("torch.nn.functional"), lrp_lxt.efficient_rules().divide_gradient
    rng = np.random.default_rng(0)
    W, x = rng.normal(size=(4, 4, 4)), rng.normal(size=(1, 3, 4))
    R = lrp.LRP(Network([SelfAttention(*W, heads=1), Take(0)]), lrp.attn_lrp(0), gradient_form=True)
    network, _, found, _ = R.steps(x, 1)
    t, T = torch.tensor(x, requires_grad=True), torch.tensor(W)
    q, k, v = divide(t @ T[0], 4), divide(t @ T[1], 4), divide(t @ T[2], 2)
    P = F.softmax(q @ k.mT / 2, -1)
    slopes = torch.autograd.grad((P @ v @ T[3])[:, 0, 1].sum(), (t, P))
    np.testing.assert_allclose((slopes[0] * t).detach().numpy(), found[0], rtol=1e-10)
    at = network.index("attention1.probabilities") + 1
    np.testing.assert_allclose((slopes[1] * P).detach().numpy(), 2 * found[at][:, 0], rtol=1e-10)
