"""Every function of the rooms, called with something odd: it answers, or it raises what its docstring names, in words
of nnlite's own: "expected A, got B", and not what NumPy or Python says of a line within.

Seeded: call i of a function is the same in every run. `pytest` makes the first, `pytest --long` more than 2,000 in all.
"""

import importlib
import inspect
import re
import signal
import traceback
import warnings
import zlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import nnlite
from nnlite import Network, models
from nnlite.datasets import Hand
from nnlite.decision_based import lrp
from nnlite.layers import Add, AvgPool2d, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool, ReLU, SelfAttention, Take
from nnlite.model_based import experts, generators
from nnlite.stepper import record
from nnlite.uncertainty import ExplanationDraws, dropout_draws
from nnlite.uncertainty import reliability as reliability_of
from nnlite.verify import Case

mpl.use("Agg")
import matplotlib.pyplot as plt

SHORT, LONG, SECONDS = 1, 16, 60
"""How many odd calls of each function, and how long one of them may take (on a machine with much else to do)."""

HERE = Path(nnlite.__file__).parent

ROOMS = (
    "decision_based",
    "decision_based.lrp",
    "evaluation",
    "uncertainty",
    "model_based",
    "model_based.experts",
    "model_based.generators",
    "datasets",
    "training",
    "pictures",
    "stepper",
    "layers",
    "models",
    "exercises",
    "verify",
    "interop.torch",
    "interop.onnx",
    "interop.sklearn",
)
"""Not the kernels: what calls them has checked what it gives them."""

RESULTS = {
    "Factors",
    "Occlusion",
    "Entry",
    "Group",
    "Box",
    "Branch",
    "Carried",
    "Change",
    "Input",
    "NonNegative",
    "minus",
    "where_negative",
    "where_positive",
    "Formula",
    "Ledger",
    "Part",
    "Step",
    "Term",
    "Rule",
    "Completeness",
    "Erased",
    "Flipping",
    "Randomization",
    "Reliability",
    "Ascent",
    "Dream",
    "Inversion",
    "Prototype",
    "Visualization",
    "Epoch",
    "Fit",
    "Books",
    "Frame",
    "Trace",
    "Recipe",
    "Networks",
    "Expert",
    "Optimizer",
    "Schedule",
    "Layer",
    "Exercise",
    "Verdict",
    "Case",
    "Comparison",
    "Report",
    "Row",
}
"""What functions give, what a rule is written in, and what a class of one's own is built on: not called odd."""

ELSEWHERE = {"fetch_mnist", "ensemble", "fitted", "squared_norm"}
"""From the network, fitted for minutes, or a formula that a lesson shows as it is: who calls it has checked."""

LENGTHS = {"steps", "n", "draws", "epochs", "iterations", "samples", "elements", "octaves", "memory", "batch_size"}
"""How long a call goes on: a large one is no mistake, only long."""


# ------------------------------------------------------------------------------------------------ what is right to give


@cache
def network():
    r = np.random.default_rng(0).standard_normal
    layers = [Conv2d(r((3, 1, 3, 3)), r(3)), ReLU(), AvgPool2d(2), Dropout(0.5), Flatten(), Dense(r((27, 10)), r(10))]
    return Network(layers, input_shape=(1, 8, 8), info={"dataset": "uci", "box": 8}).astype(np.float32)


@cache
def with_cam():
    r = np.random.default_rng(0).standard_normal
    layers = [Conv2d(r((3, 1, 3, 3)), r(3)), ReLU(), GlobalAvgPool(), Flatten(), Dense(r((3, 10)))]
    return Network(layers, input_shape=(1, 8, 8)).astype(np.float32)


@cache
def generator():
    return generators.load("vae")


@cache
def expert():
    r = np.random.default_rng(0).standard_normal
    return experts.PPCA(r(64), r((64, 3)), 0.5, (1, 8, 8))


@cache
def digits(count=2):
    x, labels = models.digits("uci", "test")
    return x[:count], labels[:count]


def random(*shape, dtype=np.float32):
    return np.random.default_rng(1).random(shape).astype(dtype)


def square(x):
    return np.sum(x.reshape(len(x), -1) ** 2, axis=1), 2 * x


def probabilities():
    p = random(6, 4, dtype=np.float64)
    return p / p.sum(axis=1, keepdims=True)


def module():
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))


def perceptron():
    network = pytest.importorskip("sklearn.neural_network")
    return network.MLPRegressor(hidden_layer_sizes=(3,), max_iter=1).fit(random(6, 4), random(6))


def case():
    pytest.importorskip("torch")
    return Case.of("small", network(), digits()[0])


GOOD = {
    "network": network,
    "networks": lambda: dropout_draws(network(), 2),
    "x": lambda: digits()[0],
    "R": lambda: random(2, 1, 8, 8),
    "S": lambda: random(2, 1, 8, 8),
    "truth": lambda: random(2, 8, 8) > 0.5,
    "images": lambda: digits(30)[0],
    "labels": lambda: np.array([0, 1, 2, 3, 0, 1]),
    "method": lambda: "saliency",
    "name": lambda: "saliency",
    "layer": lambda: "relu1",
    "layers": lambda: None,
    "n": lambda: 2,
    "steps": lambda: 2,
    "draws": lambda: 2,
    "epochs": lambda: 1,
    "iterations": lambda: 3,
    "maps": lambda: random(3, 8, 8),
    "L": lambda: random(2, 4, 4),
    "size": lambda: (8, 8),
    "rule": lambda: lrp.epsilon(),
    "factor": lambda: 0.25,
    "c": lambda: 1,
    "d": lambda: 2,
    "probabilities": probabilities,
    "scores": lambda: np.eye(4, dtype="f4")[[0, 1, 2, 3, 0, 2]],
    "usual": lambda: random(5),
    "strange": lambda: random(5),
    "x0": lambda: digits(1)[0],
    "x1": lambda: digits(2)[0][1:],
    "t": lambda: 0.5,
    "degrees": lambda: 30.0,
    "found": lambda: reliability_of(probabilities(), [0] * 6),
    "target": lambda: 1,
    "f": lambda: square,
    "start": lambda: random(2, 1, 8, 8),
    "classes": lambda: [3],
    "centre": lambda: random(1, 8, 8),
    "generator": generator,
    "expert": expert,
    "elements": lambda: 10,
    "a": lambda: random(2, 6, dtype=np.float64),
    "layer_or_network": lambda: Dense(random(6, 2, dtype=np.float64)),
    "grey": lambda: random(20, 20),
    "ink": lambda: random(20, 20),
    "colours": lambda: random(3, 20, 20),
    "box": lambda: 6,
    "ax": lambda: plt.subplots()[1],
    "trace": lambda: step("gradient"),
    "one": lambda: step("gradient"),
    "other": lambda: step("lrp-epsilon"),
    "W": lambda: random(2, 3, 3, 3),
    "gamma": lambda: random(3),
    "beta": lambda: random(3),
    "mean": lambda: random(3),
    "var": lambda: random(3),
    "m": lambda: random(1, 3),
    "shape": lambda: (2, 3),
    "rate": lambda: 0.1,
    "dataset": lambda: "uci",
    "split": lambda: "test",
    "module": module,
    "input_shape": lambda: (1, 8, 8),
    "path": lambda: "missing",
    "folder": lambda: None,
    "progress": lambda: False,
    "alpha": lambda: random(2, 4) + 1,
    "slope": lambda: random(3),
    "groups": lambda: 1,
    "axes": lambda: (2, 1),
    "axis": lambda: 1,
    "before": lambda: (0, 1),
}
"""By the name of the parameter."""


def attending():
    one = np.eye(2, dtype="f4")
    return Network([SelfAttention(one, one, one, one, heads=1), Take(-1)])


ALSO = {
    "from_sklearn": {"model": perceptron},
    "cam": {"network": with_cam},
    "factors": {"n": lambda: 2},
    "sheet": {"images": lambda: random(3, 1, 4, 4)},
    "filters_grid": {"maps": lambda: random(3, 1, 8, 8)},
    "colours": {"R": lambda: random(8, 8)},
    "plane": {"R": lambda: random(8, 8)},
    "heatmap": {"R": lambda: random(8, 8)},
    "image": {"x": lambda: random(1, 8, 8)},
    "erase_strokes": {
        "network": lambda: models.load("lenet"),
        "x": lambda: random(1, 1, 28, 28),
        "pen": lambda: np.zeros((1, 28, 28), int),
    },
    "find_confusion": {"labels": lambda: digits(30)[1]},
    "completeness": {"method": lambda: "lrp-epsilon"},
    "picture": {"R": lambda: ExplanationDraws(random(3, 2, 1, 8, 8))},
    "build": {"name": lambda: "tiny"},
    "in_code_space": {"network": lambda: models.load("lenet"), "classes": lambda: [3], "start": lambda: "noise"},
    "general": {"start": lambda: "noise"},
    "with_expert": {"start": lambda: "noise"},
    "dataset_examples": {"f": lambda: square},
    "deepdream": {"x": lambda: random(1, 1, 16, 16), "octaves": lambda: 2},
    "visualize": {"start": lambda: None},
    "weighted": {},
    "fit": {"labels": lambda: digits()[1], "network": lambda: with_cam()},
    "accuracy": {"labels": lambda: digits()[1]},
    "parameter_gradients": {"a": lambda: network().forward(digits()[0]), "dz": lambda: random(2, 10)},
    "record": {"x": lambda: digits(1)[0], "method": lambda: "gradient"},
    "text": {},
    "Dense": {"W": lambda: random(4, 2)},
    "AvgPool2d": {"size": lambda: 2},
    "MaxPool2d": {"size": lambda: 2},
    "textures": {"size": lambda: 8, "start": lambda: 0},
    "letters": {"start": lambda: 0},
    "strokes": {"start": lambda: 0},
    "PPCA": {"mean": lambda: random(6), "W": lambda: random(6, 2), "noise": lambda: 0.5, "shape": lambda: ()},
    "Gaussian": {"mean": lambda: np.zeros(2), "covariance": lambda: np.eye(2), "shape": lambda: ()},
    "GaussianRBM": {
        "mean": lambda: random(6),
        "W": lambda: random(6, 2),
        "bias": lambda: random(2),
        "noise": lambda: 0.5,
        "shape": lambda: (),
    },
    "MixturePPCA": {
        "weights": lambda: np.array([0.5, 0.5]),
        "mean": lambda: random(2, 6, dtype=float),
        "W": lambda: random(2, 6, 2, dtype=float),
        "noise": lambda: np.ones(2),
        "shape": lambda: (),
    },
    "Generator": {
        "name": lambda: "mine",
        "decoder": lambda: generator().decoder,
        "encoder": lambda: None,
        "codes": lambda: generator().codes,
    },
    "Prediction": {"probabilities": lambda: np.stack([probabilities()] * 3)},
    "ExplanationDraws": {"maps": lambda: random(3, 2, 1, 8, 8), "target": lambda: None},
    "Constant": {"value": lambda: random(1, 3)},
    "favour": {"gamma": lambda: 0.25},
    "only": {"b": lambda: 0},
    "Branches": {"paths": lambda: [[ReLU()], []], "join": Add},
    "TransformerBlock": {"attention": lambda: [ReLU()], "mlp": lambda: [ReLU()], "norms": lambda: [ReLU(), ReLU()]},
    **{
        name: {"network": attending, "x": lambda: random(2, 3, 2), "target": lambda: 0}
        for name in ("attention", "attention_rollout", "chefer_lrp", "chefer_gradient")
    },
    "SplitHeads": {"heads": lambda: 2},
    "RepeatHeads": {"times": lambda: 2},
    "Take": {"position": lambda: 0},
    "Embedding": {"E": lambda: random(5, 2)},
    "SelfAttention": {**{f"W_{name}": lambda: np.eye(2) for name in "qkvo"}, "heads": lambda: 1},
    "Sequences": {name: lambda: np.arange(3) for name in ("tokens", "labels", "position")},
    "Conv2d": {},
    "Upsample": {"factor": lambda: 2},
    "AdaptiveAvgPool2d": {"size": lambda: 2},
    "noise": {"shape": lambda: (1, 8, 8)},
    "ConvTranspose2d": {},
    "Network": {"layers": lambda: [Flatten(), Dense(random(64, 10))], "names": lambda: None},
    "channel_examples": {},
    "Adam": {"beta1": lambda: 0.9},
    "AdamW": {"beta1": lambda: 0.9},
    "gamma": {"gamma": lambda: 0.25},
    "generalized_gamma": {"gamma": lambda: 0.25},
    "EpsilonGammaBox": {"gamma": lambda: 0.25},
    "alpha_beta": {"alpha": lambda: 2.0},
    "evidential_loss": {},
    "Composite": {},
    "check": {"name": lambda: "z_of_one_neuron", "mine": lambda: 5},
    "hint": {"name": lambda: "z_of_one_neuron"},
    "solution": {"name": lambda: "z_of_one_neuron"},
    "verify": {"case": case, "method": lambda: "gradient"},
    "comparisons": {"case": case},
    "compare": {"comparisons": list},
    "random": {},
    "invert": {},
    "infidelity": {},
    "all_channels": {"options": lambda: None},
}
"""Where a function means something else by it."""

GIVEN = {
    "steps",
    "n",
    "draws",
    "epochs",
    "iterations",
    "elements",
    "octaves",
    "progress",
    "start",
    "names",
    "box",
    "target",
}
"""Options that are given in every call, mostly so that it is short."""


@cache
def step(method):
    return record(method, network(), digits(1)[0])


@cache
def subjects():
    found = {}
    for room in ROOMS:
        module = importlib.import_module(f"nnlite.{room}")
        names = getattr(module, "__all__", None) or [
            name
            for name, one in vars(module).items()
            if getattr(one, "__module__", "") == module.__name__ and name[0] != "_"
        ]
        for name in names:
            one = getattr(module, name)
            odd = (
                callable(one) and name not in RESULTS | ELSEWHERE and (inspect.isfunction(one) or inspect.isclass(one))
            )
            if odd and one not in found.values():
                found[f"{room}.{name}"] = one
    return found


def good(function):
    """Arguments with which the call answers."""
    name, parameters = function.__name__, inspect.signature(function).parameters.values()
    right = {**GOOD, **ALSO.get(name, {})}
    return {
        p.name: right[p.name]()
        for p in parameters
        if p.name in right
        and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and (p.default is p.empty or (p.name in GIVEN and p.name in right) or p.name in ALSO.get(name, {}))
        and not (
            p.default is not p.empty
            and p.name in ("target", "start", "box", "names")
            and p.name not in ALSO.get(name, {})
        )
    }


# ------------------------------------------------------------------------------------------ what is odd

ODD = [
    lambda: None,
    lambda: True,
    lambda: "x",
    lambda: "",
    lambda: b"x",
    lambda: 0,
    lambda: -1,
    lambda: 3,
    lambda: 1.5,
    lambda: np.nan,
    lambda: np.inf,
    lambda: -np.inf,
    lambda: 1e308,
    lambda: 1e-320,
    lambda: 2**63,
    lambda: -(2**63),
    lambda: 10**30,
    lambda: 1j,
    lambda: [],
    lambda: (),
    dict,
    set,
    object,
    lambda: ...,
    lambda: slice(None),
    lambda: range(3),
    lambda: int,
    lambda: lambda *_: None,
    lambda: (i for i in range(3)),
    lambda: np.float16(1),
    lambda: np.int8(-1),
    lambda: np.uint8(255),
    lambda: np.bool_(True),
    lambda: np.datetime64("2020"),
    lambda: [[1], [2, 3]],
    lambda: [None],
    lambda: ["x"],
    lambda: [[]],
    lambda: [1.5, np.nan],
    lambda: ("relu1", 0),
    lambda: ("relu1", (0, 0, 0)),
    lambda: ("relu1", (0, 9, 9)),
    lambda: ("nothing", 0),
    lambda: (1, 2, 3, 4),
    lambda: np.array(1.0),
    lambda: np.array([]),
    lambda: np.array(None),
    lambda: np.array(["x"]),
    lambda: np.zeros((0, 1, 8, 8), "f4"),
    lambda: np.zeros(3),
    lambda: np.zeros((2, 3, 4, 5, 6), "f4"),
    lambda: np.arange(10),
    lambda: np.matrix(np.eye(8)),
    lambda: np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    lambda: random(2, 1, 8, 8, dtype=np.float64),
    lambda: network,
    lambda: network(),
    lambda: lrp.gamma(),
    lambda: Hand(),
    lambda: Dense,
]

TURNED = [
    lambda a: a[:0],
    lambda a: a[None],
    lambda a: a[0],
    lambda a: a.ravel(),
    lambda a: a.T,
    lambda a: a * np.nan,
    lambda a: a + np.inf,
    lambda a: a * np.float32(3e38),
    lambda a: a * 0,
    lambda a: ~a if a.dtype == bool else -a,
    lambda a: a.astype("f2"),
    lambda a: a.astype(">f4"),
    lambda a: a.astype("f8"),
    lambda a: a.astype(int),
    lambda a: a.astype(bool),
    lambda a: a.astype(complex),
    lambda a: a.astype(object),
    lambda a: a.astype(str),
    lambda a: np.ma.masked_array(a, a > 0.5),
    lambda a: np.matrix(a.reshape(len(a), -1)),
    lambda a: a.tolist(),
    lambda a: a[..., ::-1],
    lambda a: np.asfortranarray(a),
    lambda a: np.concatenate([a, a]),
    lambda a: np.repeat(a, 3, axis=-1),
    lambda a: a[..., :1],
    lambda a: np.broadcast_to(a, (2, *a.shape)),
    lambda a: memoryview(np.ascontiguousarray(a)),
]
"""Of an array, odd in one way."""


def odd(r, name, value):
    """Something odd for this parameter: often the right array turned odd."""
    if isinstance(value, np.ndarray) and value.ndim and r.random() < 0.7:
        return TURNED[r.integers(len(TURNED))](value)
    made = ODD[r.integers(len(ODD))]()
    while name in LENGTHS and isinstance(made, (int, float)) and not isinstance(made, bool) and made > 1000:
        made = ODD[r.integers(len(ODD))]()
    return made


def call(function, number):
    """The arguments of odd call `number`: one to three of them odd."""
    r = np.random.default_rng([zlib.crc32(function.__name__.encode()), number])
    arguments = good(function)
    names = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    chosen = r.choice(names, size=min(len(names), r.choice([1, 1, 1, 2, 3])), replace=False) if names else []
    for name in map(str, chosen):
        arguments[name] = odd(r, name, arguments.get(name))
    return arguments


# ------------------------------------------------------------------------------------------ what is right


def documented(function):
    """The errors that its docstring names, and the two that any function may raise."""
    import builtins

    named = re.findall(r"\b[A-Z]\w*Error\b", inspect.getdoc(function) or "")
    return (ValueError, TypeError, *(getattr(builtins, name) for name in named if hasattr(builtins, name)))


def in_words(error, arguments):
    """Whether nnlite itself raised it; what a function or a matrix of the caller's does is the caller's."""
    given = (value for value in arguments.values() if not isinstance(value, Network))
    if any(callable(value) or isinstance(value, np.matrix) for value in given):
        return True
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Path(last.filename).is_relative_to(HERE) and (last.line or "").startswith("raise ")


@contextmanager
def at_most(seconds):
    def late(*_):
        raise RuntimeError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late) if hasattr(signal, "SIGALRM") else None
    if before is not None:
        signal.alarm(seconds)
    try:
        yield
    finally:
        if before is not None:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)


def answered(function, arguments):
    with warnings.catch_warnings(), np.errstate(all="ignore"), at_most(SECONDS):
        warnings.simplefilter("ignore")
        try:
            return function(**arguments)
        finally:
            plt.close("all")


def brief(arguments):
    def one(value):
        if isinstance(value, np.ndarray):
            return f"{type(value).__name__} {value.shape} {value.dtype}"
        return " ".join(repr(value).split())[:40]

    return ", ".join(f"{name}={one(value)}" for name, value in arguments.items())


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    monkeypatch.setenv("NNLITE_MEMORY", "500M")


ANSWERLESS = {"mnist", "read", "read_colours", "load", "load_torch", "from_onnx", "digits"}
"""They need a file, which is not there."""


def test_the_long_run_makes_more_than_two_thousand_odd_calls():
    assert LONG * len(subjects()) > 2000


@pytest.mark.parametrize("name", list(subjects()))
def test_the_call_that_is_not_odd_answers(name, request):
    if not request.config.getoption("--long"):
        pytest.skip("for --long: that the odd calls begin at a right one")
    if name.rpartition(".")[2] not in ANSWERLESS:
        answered(subjects()[name], good(subjects()[name]))


@pytest.mark.filterwarnings("ignore:the matrix subclass")  # one of the odd values
@pytest.mark.parametrize("name", list(subjects()))
def test_an_odd_call_answers_or_raises_what_is_documented_in_words_of_nnlites(name, request):
    if name.startswith(("interop", "verify")) and not request.config.getoption("--long"):
        pytest.skip("for --long: to import PyTorch takes a while")
    function, failed = subjects()[name], []
    for number in range(LONG if request.config.getoption("--long") else SHORT):
        arguments = call(function, number)
        said = brief(arguments)
        try:
            answered(function, arguments)
        except Exception as error:
            if isinstance(error, documented(function)) and in_words(error, arguments):
                continue
            failed.append(f"{number}: {type(error).__name__}: {' '.join(str(error).split())[:120]}\n    from ({said})")
    assert not failed, "\n".join(failed)
