"""How the house is built: imports run one way, the engine can be taken out, and files stay small."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import nnlite
from nnlite.decision_based import lrp

pytestmark = pytest.mark.once  # see setup.cfg

HOUSE = Path(nnlite.__file__).parent
CHECKOUT = Path(__file__).parents[1]
FILES = sorted(path for path in HOUSE.rglob("*.py"))

LONGEST = 300
"""Lines of a file that gives no reason in its docstring: "One file, because ..."."""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every module that a file imports, wherever, by its full name."""
    package = path.relative_to(HOUSE.parent).with_suffix("").parts[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node) for alias in node.names)


def test_only_network_compile_imports_the_engine() -> None:
    found = {
        (path.relative_to(HOUSE).as_posix(), name)
        for path in FILES
        if HOUSE / "engine" not in path.parents
        for name, _ in imports(path)
        if name == "nnlite.engine" or name.startswith("nnlite.engine.")
    }
    assert found == {("network.py", "nnlite.engine.compiled")}
    (node,) = (node for name, node in imports(HOUSE / "network.py") if name == "nnlite.engine.compiled")
    compile_ = next(
        f for f in ast.walk(tree_of(HOUSE / "network.py")) if isinstance(f, ast.FunctionDef) and f.name == "compile"
    )
    assert any(isinstance(each, ast.ImportFrom) and each.lineno == node.lineno for each in ast.walk(compile_))


WITHOUT = """
import contextlib, io, os, sys
from itertools import islice
import numpy as np
import nnlite
from nnlite import cli, datasets, models, training
from nnlite.commands import tour
from nnlite.commands.digits import explained_digits
from nnlite.decision_based import lrp, occlusion, registry
network, x = models.load("lenet"), datasets.strokes(2, seed=1)[0]
network.scores(x)
lrp.relevance(network, x, rules=lrp.gamma())
lrp.ledger(network, x)
for name in ("saliency", "lrp-epsilon", "guided-backpropagation"):
    registry.explain(network, x, name)
os.chdir(sys.argv[1])
tour.explained_digits = lambda: islice(explained_digits(), 1)
with contextlib.redirect_stdout(io.StringIO()):
    for line in sys.argv[2:]:
        try:
            done = cli.main(line.split())
        except SystemExit as error:
            done = error.code
        assert not done, (line, done)
print(sorted(name for name in sys.modules if name.startswith("nnlite.engine")))
"""


IN_NUMPY = {"NNLITE_BACKEND": "numpy"}
"""A copy of the house would be compiled anew; who imports the engine does not depend on the backend."""


def python(code: str, house: Path, *given: str) -> str:
    environment = {**os.environ, **IN_NUMPY, "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *given], cwd=house, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


COMMANDS = ["explain strokes:3 --out map.png", "step lrp-epsilon"]


def test_explaining_and_stepping_do_not_load_the_engine(tmp_path: Path) -> None:
    assert python(WITHOUT, HOUSE.parent, str(tmp_path), *COMMANDS) == "[]"


REPRESENTATIVE = ["test_guided_backpropagation.py", "test_deconvnet.py", "test_smoothgrad.py"]


def test_without_the_engine_all_but_its_own_tests_pass(tmp_path: Path) -> None:
    """A handful of them; all run in the same way."""
    skip = shutil.ignore_patterns("__pycache__", "engine", ".git")
    shutil.copytree(HOUSE, tmp_path / "nnlite", ignore=skip)
    shutil.copytree(
        CHECKOUT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__", "golden", "fuzz")
    )
    shutil.copy(CHECKOUT / "setup.cfg", tmp_path)
    shutil.rmtree(tmp_path / "tests/engine", ignore_errors=True)
    for shared in ("data", "lessons"):
        (tmp_path / shared).symlink_to(CHECKOUT / shared)
    assert not (tmp_path / "nnlite/engine").exists()
    (tmp_path / "out").mkdir()
    assert python(WITHOUT, tmp_path, str(tmp_path / "out"), *COMMANDS, "tour --out tour") == "[]"
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(f"tests/{name}" for name in REPRESENTATIVE)], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, **IN_NUMPY, "PYTHONPATH": str(tmp_path)}, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def lines_of_code(path: Path) -> int:
    """The lines that hold code: no blank one, no comment, no docstring."""
    text = path.read_text(encoding="utf-8")
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            told.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in told
        for number, line in enumerate(text.splitlines(), 1)
    )


def test_network_py_has_fewer_than_150_lines_of_code() -> None:
    assert lines_of_code(HOUSE / "network.py") < 150


@pytest.mark.parametrize("path", [p for p in FILES if p.read_text(encoding="utf-8").count("\n") > LONGEST], ids=str)
def test_a_long_file_says_why_in_its_docstring(path: Path) -> None:
    told = ast.get_docstring(tree_of(path)) or ""
    assert "One file" in told, f"{path.name} has over {LONGEST} lines; split it, or say in its docstring: One file, ..."


# ----------------------------------------------------------------------------------------------------------- hops

MOST: dict[tuple[str, str], tuple[int, int]] = {
    ("plain", "relevance"): (265, 26),
    ("plain", "LRP"): (157, 22),
    ("compiled", "relevance"): (36, 16),
    ("compiled", "LRP"): (26, 14),
}
"""Calls of functions of nnlite, and the files that they lie in, from the call to its map. They should become fewer."""


@pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="counted with Numba")
@pytest.mark.parametrize(("how", "call"), MOST)
def test_from_the_call_to_the_map_there_are_few_hops(how: str, call: str) -> None:
    network, x = nnlite.models.load("lenet"), nnlite.datasets.strokes(1, seed=1)[0]
    network, rules = network.compile() if how == "compiled" else network, lrp.gamma(0.25)
    prepared = lrp.LRP(network, rules)
    compute = partial(prepared, x) if call == "LRP" else partial(lrp.relevance, network, x, rules=rules)
    compute()
    files: list[str] = []

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(HOUSE)):
            files.append(frame.f_code.co_filename)

    sys.setprofile(profile)
    try:
        compute()
    finally:
        sys.setprofile(None)
    most, in_files = MOST[how, call]
    assert len(files) <= most
    assert len(set(files)) <= in_files
