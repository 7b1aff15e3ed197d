"""The process in which a family runs: it prepares work and times it, as timing.py asks; a line of JSON each way.

    {"do": "prepare", "who": "captum", "row": "lrp-epsilon", "size": {"batch": 1}, "save": FILE}  ->  {"seconds": ...}
    {"do": "time", "who": "captum", "calls": 20}  ->  {"cpu": ..., "wall": ...}, seconds a unit
    {"do": "forget"}  ->  {}

An error comes back as {"error": what it says}.
"""

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any, TextIO

import numpy as np

from .frameworks import library, sides
from .workloads import Work


class Desk:
    """The work that is prepared, by contestant."""

    def __init__(self) -> None:
        self.work: dict[str, Work] = {}

    def prepare(self, who: str, row: str, size: dict[str, int], save: str) -> dict[str, Any]:
        """Set up, save what is compared, and run once more, everything compiled: the seconds of a call."""
        work = self.work[who] = sides(library(who))[who][row](**size)
        np.save(save, work.result())
        if work.check is not None:
            work.call()
        began = perf_counter()
        work.call()
        return {"seconds": perf_counter() - began}

    def time(self, who: str, calls: int) -> dict[str, Any]:
        """The mean of so many calls."""
        work = self.work[who]
        gc.collect()
        gc.disable()
        cpu, wall = process_time(), perf_counter()
        for _ in range(calls):
            work.call()
        cpu, wall = process_time() - cpu, perf_counter() - wall
        gc.enable()
        return {"cpu": cpu / calls / work.units, "wall": wall / calls / work.units}

    def forget(self) -> dict[str, Any]:
        """Let go of all work."""
        self.work.clear()
        return {}


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""
    desk = Desk()
    for line in requests:
        request = json.loads(line)
        do = getattr(desk, request.pop("do"))
        try:
            answer = do(**request)
        except Exception as error:  # whatever a framework raises goes into the report
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


@contextmanager
def _own_output() -> Iterator[TextIO]:
    """The standard output, for the answers alone: what a framework prints goes to the standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        yield answers


if __name__ == "__main__":
    with _own_output() as output:
        serve(sys.stdin, output)
