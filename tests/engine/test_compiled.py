"""A compiled network is a network like any other: for threads, for what is the user's own, for what is made of it."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from nnlite import Network, datasets, files, models
from nnlite.decision_based import gradient, guided_backpropagation, lrp, occlusion, saliency
from nnlite.decision_based.attention_maps import has_attention
from nnlite.decision_based.registry import METHODS, explain
from nnlite.layers import (
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool2d,
    ReLU,
    Softmax,
    Tanh,
)
from nnlite.model_based.objectives import LogProbability
from nnlite.walk import activations_of, gradient_rule, walk

in_numba = pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="rows are of the Numba backend")
rng = np.random.default_rng(5)


def w(*shape: int) -> np.ndarray:
    return rng.normal(size=shape) * 0.6


def small(*between: Layer) -> Network:
    """Two convolutions, `between`, and a dense layer, on images of any size."""
    layers = [Conv2d(w(4, 2, 3, 3), w(4), padding=1), ReLU(), MaxPool2d(2), *between, Conv2d(w(5, 4, 3, 3), w(5))]
    return Network([*layers, ReLU(), GlobalAvgPool(), Flatten(), Dense(w(5, 3), w(3))])


def images(n: int = 3, size: int = 8) -> np.ndarray:
    return np.random.default_rng(n).random((n, 2, size, size))


def close(ours: np.ndarray, plain: np.ndarray) -> None:
    assert (ours.shape, ours.dtype) == (plain.shape, plain.dtype)
    tolerance = 1e-11 if plain.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(ours, plain, rtol=0, atol=tolerance * np.abs(plain).max(initial=0))


def alike(fast: Network, plain: Network, x: np.ndarray) -> None:
    """Scores, activations and maps of the two."""
    assert fast.program is not None
    assert plain.program is None
    close(fast.scores(x), plain.scores(x))
    for ours, theirs in zip(activations_of(fast, x), activations_of(plain, x), strict=True):
        close(ours, theirs)
    for method in (gradient, lrp.relevance, lambda n, x: occlusion(n, x, 1, size=2, stride=2).drops):
        close(method(fast, x), method(plain, x))


# ------------------------------------------------------------------------------------------------------- threads


def test_eight_threads_share_one_compiled_network() -> None:
    """Mixed methods, shapes and targets: the bits that one thread gets."""
    networks = [small(), small(Tanh())]
    batches = [images(n, size) for n, size in ((1, 8), (3, 8), (20, 9), (2, 13))]
    methods: dict[str, Callable[[Network, np.ndarray], Any]] = {
        "scores": lambda n, x: n.scores(x),
        "gradient": gradient,
        "of a class": lambda n, x: gradient(n, x, 2),
        "of a class each": lambda n, x: saliency(n, x, np.arange(len(x)) % 3),
        "of a neuron": lambda n, x: guided_backpropagation(n, x, ("conv2", 1)),
        "epsilon": lambda n, x: lrp.relevance(n, x, rules=lrp.epsilon(0.25)),
        "gamma, layer by layer": lambda n, x: lrp.relevance(n, x, rules=lrp.alpha_beta(2, 1), all_layers=True)[2],
        "occlusion": lambda n, x: occlusion(n, x[:2], 0, size=3, stride=3).drops,
        "log p": lambda n, x: LogProbability(n, 1)(x)[1],
        "a rule of the user's own": lambda n, x: walk(n, x, np.ones_like, [own_rule] * len(n))[1][0],
    }
    jobs = [(i, name, x) for x in batches for name in methods for i in range(len(networks))]
    expected = [methods[name](networks[i].compile(), x).tobytes() for i, name, x in jobs]
    for seed in range(3):
        shared = [network.compile() for network in networks]  # nothing is prepared yet: they race for it too
        order = np.random.default_rng(seed).permutation(len(jobs)).tolist()
        with ThreadPoolExecutor(8) as pool:
            running = {k: pool.submit(methods[jobs[k][1]], shared[jobs[k][0]], jobs[k][2]) for k in order}
            wrong = [jobs[k][:2] for k in order if running[k].result().tobytes() != expected[k]]
        assert not wrong


# ----------------------------------------------------------------------------------------- what is the user's own


def own_rule(layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
    return 0.5 * layer.backward(a, R)


class Doubling(ReLU):
    """A layer of the user's, though it is a ReLU."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        return 2 * super().forward(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return 2 * super().backward(a, dz)


@dataclass(frozen=True, eq=False, repr=False)
class Squares(Layer):
    """A layer that the library does not know at all."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        return a * a

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return 2 * a * dz

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


class TestTheUsersOwn:
    @pytest.mark.parametrize("layer", [Doubling(), Squares()], ids=["subclass", "new"])
    def test_a_layer_runs_plainly_and_the_plan_says_so(self, layer: Layer) -> None:
        network = small(layer)
        fast, x = network.compile(), images()
        close(fast.scores(x), network.scores(x))
        close(gradient(fast, x), gradient(network, x))
        close(occlusion(fast, x, 1, size=2).drops, occlusion(network, x, 1, size=2).drops)
        rules = [*[gradient_rule] * 3, own_rule, *[gradient_rule] * 5]
        for ours, theirs in zip(*(walk(n, x, np.ones_like, rules, keep=True)[1] for n in (fast, network)), strict=True):
            close(ours, theirs)

    @in_numba
    def test_the_plan_says_which_layer_and_why(self) -> None:
        for layer in (Doubling(), Squares()):
            lines = small(layer).compile().plan((1, 2, 8, 8)).splitlines()
            assert f"({type(layer).__name__} is a layer of your own)" in lines[3]
            assert ["alone" in line for line in lines] == [l == 3 for l in range(len(lines))]

    @pytest.mark.parametrize("place", ["first", "every", "last"])
    def test_a_rule_function_is_called_on_the_whole_batch(self, place: str) -> None:
        network, x, seen = small(), images(20), []

        def rule(layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
            seen.append((layer, len(a)))
            return 0.5 * layer.backward(a, R)

        length = len(network)
        at = {"first": [0], "every": range(length), "last": [length - 1]}[place]
        rules = [rule if l in at else gradient_rule for l in range(length)]
        fast = network.compile()
        for keep in (False, True):
            seen.clear()
            ours = walk(fast, x, np.ones_like, rules, keep)[1]
            assert seen == [(network.layers[l], 20) for l in reversed(at)]
            theirs = walk(network, x, np.ones_like, rules, keep)[1]
            close(ours[0], theirs[0])
        for one, other in zip(ours, theirs, strict=True):
            close(one, other)
        close(lrp.relevance(fast, x, rules=rule), lrp.relevance(network, x, rules=rule))

    @pytest.mark.parametrize(
        "term",
        [
            lrp.Term(lrp.A, lrp.Change(np.abs, "|p|"), None),
            lrp.Term(lrp.Input("a²", np.square), lrp.SAME, lrp.SAME),
            lrp.Term(lrp.Input("a", lambda a: 0.5 * a + 1), lrp.POSITIVE, None),
            lrp.Term(lrp.minus(-0.5), lrp.SAME, None),
        ],
        ids=["change", "input", "input of a known name", "minus"],
    )
    def test_a_rule_with_functions_of_the_users_own_as_words(self, term: lrp.Term) -> None:
        rule = lrp.Rule("mine", [lrp.Group([term], 0.75)], stabilizer=0.1)
        network, x = small(), images()
        for rules in (rule, lrp.Composite(first=rule, convolution=lrp.gamma(), dense=lrp.epsilon(0.1))):
            ours, theirs = (lrp.relevance(n, x, rules=rules, all_layers=True) for n in (network.compile(), network))
            for one, other in zip(ours, theirs, strict=True):
                close(one, other)
            close(lrp.relevance(network.compile(), x, rules=rules), theirs[0])

    def test_a_group_that_is_fed_nothing_distributes_nothing(self) -> None:
        """a⁻ alone, where no activation is negative."""
        rule = lrp.Rule("mine", [lrp.Group([lrp.Term(lrp.A_MINUS, lrp.SAME, None)])], stabilizer=0.1)
        network, x = small(), images()
        fast = network.compile()
        lrp.relevance(fast, x)  # what it leaves in the workspace is not the rule's
        for n in (network, fast):
            assert not any(R.any() for R in lrp.relevance(n, x, rules=rule, all_layers=True)[:-1])

    def test_a_kappa_of_the_users_own(self) -> None:
        rule = lrp.Rule("mine", [lrp.Group([lrp.Term(lrp.A)], lambda z: np.tanh(z))], stabilizer=0.1)
        network, x = small(), images()
        close(lrp.relevance(network.compile(), x, rules=rule), lrp.relevance(network, x, rules=rule))

    @pytest.mark.parametrize("kind", [Conv2d, ReLU, MaxPool2d, GlobalAvgPool, Dense])
    @pytest.mark.parametrize("name", ["forward", "backward"])
    def test_a_method_replaced_before_compile_is_the_one_that_runs(
        self, kind: type[Layer], name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network, x = small(), images()
        before = gradient(network, x, 1), network.scores(x)
        usual = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda self, *given: 3 * usual(self, *given))
        fast = network.compile()
        if os.environ.get("NNLITE_BACKEND") != "numpy":
            lines = fast.plan(x.shape).splitlines()
            for line, layer in zip(lines, network, strict=True):
                assert (f"({kind.__name__}.{name} was replaced)" in line) == (type(layer) is kind)
        close(fast.scores(x), network.scores(x))
        close(gradient(fast, x, 1), gradient(network, x, 1))
        close(occlusion(fast, x, 1, size=2).drops, occlusion(network, x, 1, size=2).drops)
        changed = [not np.allclose(*pair) for pair in zip((gradient(fast, x, 1), fast.scores(x)), before, strict=True)]
        assert changed[name == "forward"]

    def test_a_library_function_in_the_place_of_another_is_a_replacement_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network, x = small(), images()
        monkeypatch.setattr(ReLU, "forward", Identity.forward)
        fast = network.compile()
        close(fast.scores(x), network.scores(x))

    def test_a_line_of_lrp_replaced_before_compile_is_the_one_that_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        network, x = small(), images()
        before, usual = lrp.relevance(network, x), lrp.form.four_steps

        def doubled(*given: Any) -> Any:
            z, s, R, *more = usual(*given)
            return z, s, 2 * R, *more

        monkeypatch.setattr(lrp.form, "four_steps", doubled)
        close(lrp.relevance(network.compile(), x), lrp.relevance(network, x))
        assert not np.allclose(lrp.relevance(network.compile(), x), before)

    def test_a_rule_replaced_before_compile_is_the_one_that_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        network, x = small(), images()
        before = gradient(network, x)
        for module in [m for name, m in sys.modules.items() if name.startswith("nnlite.decision_based")]:
            if hasattr(module, "gradient_rule"):
                monkeypatch.setattr(module, "gradient_rule", own_rule)
        close(gradient(network.compile(), x), gradient(network, x))
        assert not np.allclose(gradient(network.compile(), x), before)


# ---------------------------------------------------------------------------------- what is made of a compiled network


def twice(network: Network, x: np.ndarray) -> Network:
    """It compiled, and used, so that whatever it prepares is there."""
    fast = network.compile()
    fast.scores(x)
    gradient(fast, x)
    lrp.relevance(fast, x)
    return fast


class TestWhatIsMadeOfIt:
    def test_the_same_layers_names_and_words(self) -> None:
        network = models.load("lenet")
        fast = network.compile()
        assert fast.layers == network.layers
        assert list(fast) == list(network)
        assert (fast.names, fast.input_shape, fast.info, fast.dtype) == (
            network.names, network.input_shape, network.info, network.dtype
        )  # fmt: skip
        assert fast["conv1"] is network["conv1"] is fast[0]
        assert fast.summary() == network.summary()
        assert repr(fast) == repr(network)
        assert fast.compile() is fast
        assert network.program is None

    def test_a_file_holds_the_network_alone(self, tmp_path: Any) -> None:
        network, x = small(), images()
        fast = twice(network, x)
        fast.save(tmp_path / "fast.npz")
        network.save(tmp_path / "plain.npz")
        loaded = files.load(tmp_path / "fast.npz")
        assert loaded.program is None
        assert loaded.scores(x).tobytes() == files.load(tmp_path / "plain.npz").scores(x).tobytes()

    @pytest.mark.parametrize("part", [slice(3), slice(2, None), slice(1, 5), slice(0, 0)])
    def test_slices(self, part: slice) -> None:
        network, x = small(), images()
        fast, a = twice(network, x), network.forward(x)[part.start or 0]
        assert fast[part].program is not None
        assert (fast[part].layers, fast[part].names) == (network[part].layers, network[part].names)
        close(fast[part].output(a), network[part].output(a))

    def test_in_another_dtype(self) -> None:
        network, x = small(), images()
        alike(twice(network, x).astype("float32"), network.astype("float32"), x.astype(np.float32))
        alike(
            twice(network.astype("float32"), x.astype(np.float32)).astype("float64"),
            network.astype("float32").astype("float64"),
            x,
        )

    @pytest.mark.parametrize("shape", [(3, 2, 8, 8), (1, 2, 8, 8)], ids=["a mask each", "one mask"])
    def test_a_draw_has_its_masks(self, shape: tuple[int, ...]) -> None:
        network, x = small(Dropout(0.5)), images()
        fast = twice(network, x)
        ours, theirs = (n.sample(np.random.default_rng(1), shape) for n in (fast, network))
        alike(ours, theirs, x)
        assert not np.allclose(ours.scores(x), fast.scores(x))
        again = ours.sample(np.random.default_rng(2), shape)
        assert again.scores(x).tobytes() == ours.scores(x).tobytes()

    def test_other_parameters(self) -> None:
        network, x = small(), images()
        fast = twice(network, x)
        before = fast.scores(x)
        for values in (
            {name: 0.5 * value for name, value in network.parameters.items()},
            {"conv1.W": network["conv1"].W - 1},
            {"conv2.b": np.ones(5)},
            {"dense1.W": 1.0 / network["dense1"].W},
        ):
            alike(fast.with_parameters(values), network.with_parameters(values), x)
        assert fast.scores(x).tobytes() == before.tobytes()

    def test_merged_and_to_scores(self) -> None:
        norm = BatchNorm(w(4) + 1, w(4), w(4), rng.random(4) + 0.5)
        layers = [Conv2d(w(4, 2, 3, 3), w(4)), norm, ReLU(), Flatten(), Dense(w(144, 3)), Softmax()]
        network, x = Network(layers), images()
        fast = twice(network, x)
        alike(fast.merged(), network.merged(), x)
        alike(fast.to_scores(), network.to_scores(), x)
        close(fast.output(x), network.output(x))
        assert fast.to_scores().layers == network.to_scores().layers

    @pytest.mark.parametrize("again", [lambda n: pickle.loads(pickle.dumps(n)), copy.copy, copy.deepcopy])
    def test_copies_stay_compiled_and_give_the_same_bits(self, again: Callable[[Network], Network]) -> None:
        network, x = small(), images()
        fast = twice(network, x)
        copied = again(fast)
        assert copied.program is not None
        assert (copied.names, copied.info) == (fast.names, fast.info)
        assert copied.scores(x).tobytes() == fast.scores(x).tobytes()
        assert lrp.relevance(copied, x).tobytes() == lrp.relevance(fast, x).tobytes()
        assert len(pickle.dumps(fast)) < len(pickle.dumps(network)) + 1000  # the weights are there once

    def test_a_method_with_changed_layers_sees_them(self) -> None:
        """dataclasses.replace of a layer gives another network, compiled anew."""
        network, x = small(), images()
        layers = list(twice(network, x).layers)
        layers[0] = replace(layers[0], W=-layers[0].W)
        alike(Network(layers).compile(), Network(layers), x)


# ------------------------------------------------------------------------- no path is chosen by a sample's values


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return datasets.strokes(3, seed=1)[0]


@pytest.mark.parametrize("value", [-0.25, 1e6])
@pytest.mark.parametrize("how", ["plain", "compiled"])
@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].fits is not has_attention])
def test_the_values_of_one_sample_leave_the_bits_of_the_others(
    name: str, how: str, value: float, digits: np.ndarray
) -> None:
    network = models.load("cam_net" if name == "cam" else "lenet")
    network = network.compile() if how == "compiled" else network
    x = digits
    options = {"size": 7, "stride": 7} if name.startswith("occlusion") else {}
    target = np.array([1, 2, 3])
    other = x.copy()
    other[1, 0, 3, 4] = value
    before = explain(network, x, name, target, **options)
    try:
        after = explain(network, other, name, target, **options)
    except ValueError:  # pixels that the method does not take, whatever the path
        other[1, 0, 3, 4] = 0.75
        after = explain(network, other, name, target, **options)
    for n in (0, 2):
        assert after[n].tobytes() == before[n].tobytes()
