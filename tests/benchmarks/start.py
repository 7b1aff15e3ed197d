"""Cold and warm: from the imports to a first LRP map, each time in a fresh process, and the memory of that process.

Cold: no compiled code is kept yet (Numba's and jax's caches are empty folders). Warm: the runs after that.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nnlite.datasets.folders import package_file

from .frameworks import TOP, Failed, environment, library, missing
from .timing import check

KEY = "start"
TOLERANCE = 1e-3
CONTESTANTS = ("nnlite", "nnlite compiled", "torch", "captum", "jax")

COMMANDS = {
    "explain": (("explain", "strokes:4", "--method", "lrp-epsilon", "--out", "map.png"), 3.0),
    "tour": (("tour", "--out", "tour"), 15.0),
}
"""What is run with empty caches, and the seconds of CPU time that it may take."""

Runs = dict[str, list[dict[str, float]]]
"""What first_map.py measured, by contestant; the first run is the cold one."""


def measure(rounds: int) -> Runs:
    """One cold run and `rounds` warm ones of everybody who is installed, interleaved.

    Raises
    ------
    Unequal
        The maps differ.
    Failed
        A process ended with an error.
    """
    who = [name for name in CONTESTANTS if library(name) not in missing()]
    runs: Runs = {name: [] for name in who}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "map.npy"
        caches = {
            "NUMBA_CACHE_DIR": f"{folder}/numba",
            "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        for i in range(rounds + 1):
            maps = {}
            for name in who:
                runs[name].append(run(name, place, caches))
                maps[name] = np.load(place)
            if i == 0:
                check("first map", maps, TOLERANCE)
    return runs


def run(who: str, place: Path, caches: Mapping[str, str]) -> dict[str, float]:
    """One fresh process."""
    files = [str(package_file("weights/lenet.npz")), str(place)]
    command = [sys.executable, "-m", f"{__package__}.first_map", who, *files]
    done = subprocess.run(command, capture_output=True, text=True, env={**environment(1), **caches}, cwd=TOP)
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or [f"{who} ended with {done.returncode}"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def commands() -> dict[str, float]:
    """The CPU seconds of each command in a fresh process, with nothing compiled before.

    Raises
    ------
    Failed
        It ended with an error.
    """
    found = {}
    for name, (arguments, _) in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            caches = {"NUMBA_CACHE_DIR": f"{folder}/numba", "PYTHONPATH": str(TOP)}
            before = _of_children()
            done = subprocess.run(
                [sys.executable, "-m", "nnlite", *arguments], capture_output=True, text=True, cwd=folder,
                env={**environment(1), **caches},
            )  # fmt: skip
            found[name] = _of_children() - before
        if done.returncode:
            raise Failed(done.stderr.strip().splitlines()[-1])
    return found


def _of_children() -> float:
    """CPU seconds of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system
