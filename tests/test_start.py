"""What an import brings with it: a room is there when it is asked for, and what is slow to import waits for its use."""

import importlib
import subprocess
import sys

import pytest

import nnlite

SLOW = {"numba", "scipy", "matplotlib", "tqdm", "torch", "http.client"}
"""What takes a while to import."""


def in_a_fresh_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("room", ["", "decision_based", "models", "datasets", "training", "uncertainty", "plots"])
def test_an_import_brings_nothing_that_is_slow(room):
    code = f"import sys, nnlite; nnlite.{room or 'load'}; print({SLOW} & set(sys.modules))"
    assert in_a_fresh_process(code) == "set()"


def test_importing_nnlite_imports_no_room():
    rooms = in_a_fresh_process("import sys, nnlite; print(sorted(m for m in sys.modules if m.startswith('nnlite.')))")
    assert not any(name in rooms for name in ("decision_based", "model_based", "models", "datasets", "uncertainty"))


@pytest.mark.parametrize("name", nnlite.__all__)
def test_every_name_is_there(name):
    assert name in dir(nnlite)
    code = f"import nnlite; first = nnlite.{name}; from nnlite import {name}; print({name} is first)"
    assert in_a_fresh_process(code) == "True"


def test_a_star_brings_every_name():
    names = in_a_fresh_process("from nnlite import *; print(sorted(globals()))")
    assert all(repr(name) in names for name in nnlite.__all__)


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(AttributeError, match="module 'nnlite' has no attribute 'model'"):
        nnlite.model  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("nnlite.model")
