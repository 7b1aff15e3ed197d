"""Who takes part: contestants, the processes they run in, and how many threads each gets.

    contestant           such as "captum best": a library and how it is used
    family               the process it runs in: nnlite, torch (with captum and zennit) or jax

Each family has a process of its own, since two OpenMP run-times in one process slow each other down.
"""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nnlite import __version__
from nnlite.verify.libraries import version_of

FAMILIES = {
    "nnlite": ("nnlite", ".ours"),
    "torch": ("torch", ".in_torch"),
    "captum": ("torch", ".in_torch"),
    "zennit": ("torch", ".in_torch"),
    "jax": ("jax", ".in_jax"),
}
"""The family of each library, and the module that holds its sides."""

PLAIN, FAST = "nnlite", "nnlite compiled"
"""nnlite's two contestants: layer by layer, and on `network.compile()`."""

TOP = Path(__file__).parents[2]
"""The top of the repository: processes run there, so that they find this folder."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NNLITE_THREADS", "NPROC")


ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""Freed memory is kept (by glibc): else every new array of 128 KB or more costs page faults again."""


def library(contestant: str) -> str:
    """The library of a contestant.

    >>> library("captum best")
    'captum'
    """
    return contestant.partition(" ")[0]


def missing() -> list[str]:
    """The libraries that are not installed here (captum and zennit need torch too)."""
    needed = {"captum": ("torch", "captum"), "zennit": ("torch", "zennit")}
    every = {name: needed.get(name, (name,)) for name in FAMILIES}
    return [name for name, modules in every.items() if any(importlib.util.find_spec(m) is None for m in modules)]


def versions() -> dict[str, str]:
    """Of the libraries that are here, and of what they stand on."""
    names = ("torch", "captum", "zennit", "jax", "numpy", "scipy", "numba")
    return {"nnlite": __version__} | {name: found for name in names if (found := version_of(name))}


def sides(name: str) -> Mapping[str, Mapping[str, Callable[..., Any]]]:
    """The sides that the module of a library holds, by contestant and row; no framework is imported yet."""
    return importlib.import_module(FAMILIES[name][1], __package__).SIDES


def contestants(row: str) -> list[str]:
    """Who has a side of this row, nnlite first; those whose library is missing are left out."""
    absent, found = missing(), []
    for name in FAMILIES:
        if name not in absent:
            found += [who for who, has in sides(name).items() if library(who) == name and row in has]
    return found


def environment(threads: int) -> dict[str, str]:
    """The environment of a process with so many threads."""
    one = " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" if threads == 1 else ""
    flags = {"XLA_FLAGS": os.environ.get("XLA_FLAGS", "") + one, "JAX_PLATFORMS": "cpu"}
    return {**os.environ, **dict.fromkeys(THREADS, str(threads)), **flags, **ALLOCATOR}


class Failed(RuntimeError):
    """A framework raised an error; its last line."""


class Process:
    """A running worker.py; used as `with Process("torch", threads=1) as process`."""

    def __init__(self, family: str, threads: int) -> None:
        self.family = family
        self._worker: Any = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads), cwd=TOP,
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        """The worker's answer.

        Raises
        ------
        Failed
            It raised an error, or is gone.
        """
        self._worker.stdin.write(json.dumps(request) + "\n")
        self._worker.stdin.flush()
        line = self._worker.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the process of {self.family} ended"}
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.communicate()  # closes its standard input, and waits
