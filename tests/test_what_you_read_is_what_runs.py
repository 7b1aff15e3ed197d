"""The lines that README and lessons point at are those that run: scale what one gives, and every method on it changes.

Each line is changed twice: replaced in the running program, and edited in a copy of the tree.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite
from nnlite import walk
from nnlite.decision_based import deconvnet as deconvnet_function
from nnlite.decision_based import (
    deeplift,
    grad_cam,
    gradient,
    gradient_times_input,
    guided_backpropagation,
    integrated_gradients,
    lrp,
    occlusion,
    saliency,
    smoothgrad,
)
from nnlite.layers import Conv2d, Dense, MaxPool2d, ReLU
from nnlite.model_based.objectives import LogProbability

pytestmark = pytest.mark.once  # see setup.cfg

ROOT = Path(__file__).parents[1]

METHODS: dict[str, Callable[..., Any]] = {
    "scores": lambda network, x: network.scores(x),
    "gradient": gradient,
    "saliency": saliency,
    "gradient × input": gradient_times_input,
    "smoothgrad": lambda network, x: smoothgrad(network, x, n=2),
    "integrated gradients": lambda network, x: integrated_gradients(network, x, steps=2),
    "grad-cam": lambda network, x: grad_cam(network, x, relu=False),
    "guided": guided_backpropagation,
    "deconvnet": deconvnet_function,
    "deeplift": deeplift,
    "occlusion": lambda network, x: occlusion(network, x, size=14, stride=14).drops,
    "log p": lambda network, x: LogProbability(network, 4)(x)[1],
    "lrp-zero": lambda network, x: lrp.relevance(network, x, rules=lrp.zero()),
    "lrp-epsilon": lambda network, x: lrp.relevance(network, x),
    "lrp-gamma": lambda network, x: lrp.relevance(network, x, rules=lrp.gamma()),
    "lrp-generalized-gamma": lambda network, x: lrp.relevance(network, x, rules=lrp.generalized_gamma()),
    "lrp-z-plus": lambda network, x: lrp.relevance(network, x, rules=lrp.z_plus()),
    "lrp-alpha-beta": lambda network, x: lrp.relevance(network, x, rules=lrp.alpha_beta()),
    "lrp-z-bounds": lambda network, x: lrp.relevance(network, x, rules=lrp.montavon2019(0, 2)),  # as twice x must fit
    "lrp-w-squared": lambda network, x: lrp.relevance(network, x, rules=lrp.w_squared()),
    "lrp-flat": lambda network, x: lrp.relevance(network, x, rules=lrp.flat()),
}
DECONVNETS = {"guided", "deconvnet"}
LRP = {name for name in METHODS if name.startswith("lrp")}
GRADIENTS = {"gradient", "saliency", "gradient × input", "smoothgrad", "integrated gradients", "grad-cam", "log p"}
WALKS = GRADIENTS | DECONVNETS | LRP | {"deeplift"}

# The line: (the file, what returns there, the methods that README and lessons tie to it).
LINES: dict[str, tuple[str, str, set[str]]] = {
    "gradient_rule": ("walk.py", "return layer.backward(a_j, R_k)", GRADIENTS | DECONVNETS),
    "guided_rule": (
        "decision_based/guided_backpropagation.py",
        "return np.where((a_j > 0) & (R_k > 0), R_k, R_k.dtype.type(0))",
        {"guided"},
    ),
    "deconvnet_rule": ("decision_based/deconvnet.py", "return np.maximum(R_k, 0)", {"deconvnet"}),
    "four_steps": ("decision_based/lrp/form.py", "R_j = total(", LRP),
    # (What divides by z, or by a difference of z, does not see its scale.)
    "Dense.forward": ("layers/dense.py", "z = a @ self.W", {"scores", "occlusion", "log p"}),
    "Conv2d.backward": ("layers/conv2d.py", "return kernels.backward_input(dz, self.W", WALKS - {"grad-cam"}),
    "ReLU.backward": ("layers/activations.py", "return kernels.relu_backward(a, dz)", GRADIENTS),
    "MaxPool2d.backward": ("layers/pooling.py", "return kernels.max_backward(a, dz", WALKS - {"grad-cam"}),
    "Network.forward": ("network.py", "a.append(layer.forward(read(a)))", LRP | {"deeplift", "grad-cam"}),
    "Network.walk_back": ("network.py", "below = rules[l](self.layers[l]", WALKS),
}
RULES = {
    "zero": "lrp-zero", "epsilon": "lrp-epsilon", "gamma": "lrp-gamma", "generalized_gamma": "lrp-generalized-gamma",
    "z_plus": "lrp-z-plus", "alpha_beta": "lrp-alpha-beta", "z_bounds": "lrp-z-bounds", "w_squared": "lrp-w-squared",
    "flat": "lrp-flat",
}  # fmt: skip


def maps() -> dict[str, Any]:
    network = nnlite.models.load("lenet")
    x = nnlite.datasets.strokes(2, seed=1)[0]
    return {name: np.asarray(method(network, x), np.float64).tolist() for name, method in METHODS.items()}


@pytest.fixture(scope="module")
def usual() -> dict[str, Any]:
    return maps()


def changed(now: dict[str, Any], before: dict[str, Any]) -> set[str]:
    return {name for name in before if not np.allclose(now[name], before[name], rtol=1e-3, atol=0)}


def scaled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with what it gives doubled."""

    def twice(*arguments: Any, **options: Any) -> Any:
        found = function(*arguments, **options)
        if isinstance(found, tuple):  # z, s, R_j, ... of the four steps
            return (*found[:2], 2 * found[2], *found[3:])
        if isinstance(found, list):  # the activations or the signals of all layers, each scaled as if by its own layer
            return [each if each is None else 2 ** (l + 1) * each for l, each in enumerate(found)]
        return 2 * found

    return twice


OWNERS: dict[str, tuple[Any, ...]] = {
    "gradient_rule": (walk,),
    "Dense.forward": (Dense,),
    "Conv2d.backward": (Conv2d,),
    "ReLU.backward": (ReLU,),
    "MaxPool2d.backward": (MaxPool2d,),
    "Network.forward": (nnlite.Network,),
    "Network.walk_back": (nnlite.Network,),
    "four_steps": (lrp.form,),
}


@pytest.mark.parametrize("line", LINES)
def test_a_replaced_line_changes_every_method_on_it(line: str, usual: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = line.rpartition(".")[2]
    original = getattr(OWNERS[line][0], name) if line in OWNERS else None
    for module in [*OWNERS.get(line, ()), *(m for n, m in sys.modules.items() if n.startswith("nnlite"))]:
        held = vars(module).get(name)
        if callable(held) and (original is None or held is original):
            original = held
            monkeypatch.setattr(module, name, scaled(held))
    expected = LINES[line][2]
    assert expected <= changed(maps(), usual), expected - changed(maps(), usual)


@pytest.mark.parametrize("rule", RULES)
def test_a_replaced_rule_changes_its_method(rule: str, usual: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = getattr(lrp, rule)

    def other(*arguments: Any, **options: Any) -> lrp.Rule:
        rule = made(*arguments, **options)
        groups = [lrp.Group(group.terms, 0.5) for group in rule.groups]
        return lrp.Rule(rule.name, groups, rule.stabilizer, rule.needs, rule.options)

    for module in (lrp, lrp.presets, lrp.composites):
        if hasattr(module, rule):
            monkeypatch.setattr(module, rule, other)
    own = {"lrp-epsilon": lambda network, x: lrp.relevance(network, x, rules=lrp.epsilon())}
    monkeypatch.setitem(METHODS, "lrp-epsilon", own["lrp-epsilon"])
    assert RULES[rule] in changed(maps(), usual)


EDITS = {line: (file, code, methods) for line, (file, code, methods) in LINES.items()} | {
    f"rule {name}": ("decision_based/lrp/rules.py", f"def {name}(", {method}) for name, method in RULES.items()
}


def edited(text: str, code: str) -> str:
    """The file with what that line gives doubled (of a rule: its groups divide half)."""
    start = text.index(code)
    if code.startswith("def "):
        at = text.index("return Rule(", start) + len("return ")
        end = at + re.search(r"\n\n\n|\n*\Z", text[at:]).start()  # of the function
        return f"{text[:at]}_half({text[at:end]}){text[end:]}{HALF}"
    line = text[start : text.index("\n", start)]
    if line.startswith("return "):
        return text[:start] + f"return 2 * ({line[7:]})" + text[start + len(line) :]
    if line.startswith("a.append("):
        return text[:start] + f"a.append(2 * ({line[9:-1]}))" + text[start + len(line) :]
    left, _, right = line.partition(" = ")
    right, _, comment = right.partition("  #")
    return text[:start] + f"{left} = 2 * ({right})  #{comment}" + text[start + len(line) :]


HALF = """

def _half(rule: Rule) -> Rule:
    return replace(rule, groups=[Group(group.terms, 0.5) for group in rule.groups])
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package to edit."""
    place = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "nnlite", place / "nnlite", ignore=shutil.ignore_patterns("__pycache__"), symlinks=False)
    shutil.copy(__file__, place / "maps.py")
    return place


def test_an_edited_line_changes_every_method_on_it(tree: Path, usual: Any) -> None:
    edits = [
        (file, edited((tree / "nnlite" / file).read_text(encoding="utf-8"), code)) for file, code, _ in EDITS.values()
    ]
    environment = os.environ | {"PYTHONPATH": str(tree), "NNLITE_BACKEND": "numpy"}
    done = subprocess.run(
        [sys.executable, "-B", "-c", EACH_EDIT], cwd=tree, env=environment, input=json.dumps(edits), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(zip(EDITS, map(json.loads, done.stdout.splitlines()), strict=True))
    missed = {line: methods - changed(found[line], usual) for line, (_, _, methods) in EDITS.items()}
    assert not any(missed.values()), missed


EACH_EDIT = """
import compileall, json, os, py_compile, sys
from pathlib import Path
compileall.compile_dir("nnlite", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
import maps
maps.maps()  # what nnlite imports is imported once; each process below imports nnlite alone
for name in [name for name in sys.modules if name.split(".")[0] in ("nnlite", "maps")]:
    del sys.modules[name]
for file, text in json.load(sys.stdin):
    path = Path("nnlite", file)
    before = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    if os.fork() == 0:
        import maps
        print(json.dumps(maps.maps()), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, file
    path.write_text(before, encoding="utf-8")
"""


def test_readme_and_lessons_tie_these_lines_to_methods() -> None:
    """Every line of the list is shown in a lesson, or linked in the README or its table of formulas."""
    shown = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "lessons").glob("*.md")])
    for line in LINES:
        assert re.search(rf"\b{line.rpartition('.')[2]}\b", shown), line
