"""The engine: no part touches what is not its own, on any thread, after any copy, whatever the cache holds."""

import copy
import gc
import os
import pickle
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlite
from nnlite import Network, models
from nnlite.decision_based import lrp
from nnlite.decision_based.gradient import saliency
from nnlite.engine import cache, driver
from nnlite.engine.driver import Base, Part, Place, Program
from nnlite.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from nnlite.network import gradient_rule

from .test_rows import RULES, close, layer_by_layer, networks

pytestmark = pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="the engine is Numba's")

# ------------------------------------------------------------------------------------------------------- guard zones

GUARD = 64
"""Numbers before and behind each array: NaNs, so that what is read there shows, with bits of their own."""

WRITTEN = {
    "up": {Base.ABOVE, Base.ACTIVATIONS, Base.WORK},
    "down": {Base.SIGNALS, Base.OUT, Base.WORK},
    "through": {Base.ABOVE, Base.ACTIVATIONS, Base.SIGNALS, Base.TOP, Base.OUT, Base.WORK, Base.CLASSES},
}


def guarded(array):
    """A copy of it between two guards."""
    room = np.full(array.size + 2 * GUARD, -12345) if array.dtype.kind == "i" else _nans(array)
    room[GUARD : GUARD + array.size] = array
    return room


def _nans(array):
    bits = {4: (np.uint32, 0x7FC12345), 8: (np.uint64, 0x7FF8123456789ABC)}[array.dtype.itemsize]
    return np.full(array.size + 2 * GUARD, bits[1], bits[0]).view(array.dtype)


def cut(arrays):
    """The arrays, each as far as the next one that begins inside it: what lies there is the other's."""
    begin = {b: a.__array_interface__["data"][0] for b, a in enumerate(arrays)}
    found = []
    for b, array in enumerate(arrays):
        inside = [at - begin[b] for at in begin.values() if 0 < at - begin[b] < array.nbytes]
        found.append(array[: min(inside, default=array.nbytes) // array.itemsize])
    return found


@pytest.fixture
def guards(monkeypatch):
    """Every run of the driver is on arrays between guards; says which were written. The arrays get their results."""
    real, runs = driver._driver(), []

    def run(lines, fields, n, many, *arrays):
        arrays = cut(arrays)
        rooms = [guarded(array) for array in arrays]
        before = [room.tobytes() for room in rooms]
        real(lines, fields, n, many, *(room[GUARD : len(room) - GUARD] for room in rooms))
        written = set()
        for base, (array, room, was) in enumerate(zip(arrays, rooms, before, strict=True)):
            now, edge = room.tobytes(), GUARD * room.itemsize
            assert now[:edge] == was[:edge], f"before base {base}"
            assert now[len(now) - edge :] == was[len(was) - edge :], f"behind base {base}"
            written |= {base} if now != was else set()
            array[:] = room[GUARD : len(room) - GUARD]
        runs.append(written)

    monkeypatch.setattr(driver, "_driver", lambda: run)
    return runs


def test_the_guards_see_a_number_behind_an_array(guards):
    def behind(t, a, z, _, __):
        z[t[0]] = a[0]

    program = Program(np.dtype(np.float32))
    program.add(Part(behind), [3], Place(Base.INPUT, 0, 3), Place(Base.OUT, 0, 3))
    x, out = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    with pytest.raises(AssertionError, match="behind base 5"):
        program.run(2, {Base.INPUT: x, Base.OUT: out}, {})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(networks(), st.sampled_from(["one", "score"]))
@pytest.mark.parametrize("method", sorted(RULES))
def test_nothing_is_written_or_read_beside_the_arrays(method, drawn, start):
    network, x = drawn
    with pytest.MonkeyPatch.context() as patch:
        runs = guards.__wrapped__(patch) if hasattr(guards, "__wrapped__") else None
        assert runs is not None
        rules = RULES[method](network)
        a = network.forward(x)
        close(network.output(x), layer_by_layer(lambda: network.output(x)), x.dtype)
        assert all(run <= WRITTEN["up"] for run in runs)
        runs.clear()
        R = a[-1] if start == "score" else np.ones_like(a[-1])
        signals = network.walk_back(a, R, rules)
        assert np.array_equal(network.to_input(a, R, rules), signals[0], equal_nan=True)
        assert all(run <= WRITTEN["down"] for run in runs)
        if x.dtype == np.float64:
            expected = layer_by_layer(lambda: network.walk_back(list(a), R, rules))
            for ours, theirs in zip(signals, expected, strict=True):
                close(ours, theirs, x.dtype)
        runs.clear()
        if method.startswith("lrp") and x.size:
            lrp.relevance(network, x, rules=lrp.epsilon(0.25), start=start)
            assert all(run <= WRITTEN["through"] for run in runs)
