"""Commands that ask a network thousands of times compile it by themselves, and say how long that took; those that walk
it once run in NumPy."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .. import Network, kernels

WORTH_A_LINE = 1.0
"""Seconds."""


def prepared(network: Network, options: argparse.Namespace) -> Network:
    """The network, compiled unless --no-compile is given."""
    return network.compile() if options.compile else network


@contextmanager
def in_numpy(one_walk: bool = True) -> Iterator[None]:
    """Within, NumPy runs unless NNLITE_BACKEND is set: one walk is done before Numba has been imported."""
    if not one_walk or "NNLITE_BACKEND" in os.environ:
        yield
        return
    with kernels.use("numpy"):
        yield


@contextmanager
def told(options: argparse.Namespace) -> Iterator[None]:
    """A line on the standard error if compiling took over a second."""
    if not getattr(options, "compile", False) or kernels.backend() != "numba":
        yield
        return
    from numba.core import event  # here: it takes a while to import

    with event.install_timer("numba:run_pass", _tell):
        yield


def _tell(seconds: float) -> None:
    if seconds > WORTH_A_LINE:
        print(f"nnlite: compiled in {seconds:.1f} s", file=sys.stderr)
