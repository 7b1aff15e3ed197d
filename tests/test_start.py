"""What an import brings with it: a room is there when it is asked for, and what is slow to import waits for its use."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nnlite

pytestmark = pytest.mark.once  # see setup.cfg

SLOW = {"numba", "scipy", "matplotlib", "tqdm", "torch", "onnx", "sklearn", "http.client"}
"""What takes a while to import."""

ROOMS = set(nnlite.__all__) - {"Network", "__version__", "explain", "load"}


@pytest.fixture(scope="module")
def answers():
    """What each of the codes prints, in a process that has imported NumPy and nothing else yet: a copy of one process,
    which costs less than a new one."""
    codes = [*map(imported, QUICK), *map(named, nnlite.__all__), *map(answered, COMMANDS)]
    return dict(zip(codes, in_a_fresh_process(COPIES, *codes).splitlines(), strict=True))


COPIES = """
import os, sys, numpy
for code in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:
        sys.argv = [""]
        exec(code, {})
        sys.stdout.flush()
        os._exit(0)
    assert os.wait()[1] == 0, code
"""
QUICK = ["load", *sorted(ROOMS - {"model_based"})]


def imported(name):
    return f"import sys, nnlite; nnlite.{name}; print(sorted({SLOW} & set(sys.modules)))"


COMMANDS = ["--help", "explain 4 --method nope --out map.png", "step nope", "step lrp-epsilon"]


def answered(line):
    return f"""
import contextlib, io, os, sys
from nnlite import cli
os.environ.pop("NNLITE_BACKEND", None)
sys.stderr = io.StringIO()
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
    cli.main({line.split()})
print(sorted({SLOW | {"nnlite.model_based"}} & set(sys.modules)))
"""


def named(name):
    return f"import nnlite; first = nnlite.{name}; from nnlite import {name}; print({name} is first)"


def in_a_fresh_process(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("room", QUICK)
def test_an_import_brings_nothing_that_is_slow(room, answers):
    assert answers[imported(room)] == "[]"


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_brings_only_what_it_needs(line, answers):
    """Help and a mistake are answered at once, and one walk is done before Numba has been imported."""
    assert answers[answered(line)] == "[]"


def test_importing_nnlite_imports_no_room():
    rooms = in_a_fresh_process("import sys, nnlite; print(sorted(m for m in sys.modules if m.startswith('nnlite.')))")
    assert not any(f"'nnlite.{name}'" in rooms for name in ROOMS - {"layers"})


@pytest.mark.parametrize("name", nnlite.__all__)
def test_every_name_is_there(name, answers):
    assert name in dir(nnlite)
    assert answers[named(name)] == "True"


def test_dir_shows_every_room_and_the_few_names_that_a_session_begins_with():
    folders = {path.parent.name for path in Path(nnlite.__file__).parent.glob("*/__init__.py")}
    assert set(dir(nnlite)) == folders - {"commands", "engine", "kernels"} | set(nnlite.__all__) - ROOMS
    assert set(dir(nnlite)) - ROOMS == {"Network", "__version__", "explain", "load"}


def test_explain_is_the_one_entry_by_name():
    network, x = nnlite.models.load("tiny"), nnlite.datasets.uci(split="test")[0][:2]
    R = nnlite.decision_based.lrp.relevance(network, x, rules=nnlite.decision_based.lrp.epsilon(1e-6))
    assert np.array_equal(nnlite.explain(network, x, "lrp-epsilon"), R)


def test_a_star_brings_every_name():
    names = in_a_fresh_process("from nnlite import *; print(sorted(globals()))")
    assert all(repr(name) in names for name in nnlite.__all__)


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="module 'nnlite' has no attribute 'model'"):
        nnlite.model  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("nnlite.model")
