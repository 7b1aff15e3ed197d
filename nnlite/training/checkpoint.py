"""The checkpoint: what a training run needs to go on after it was stopped, in one file, written after every epoch.

It holds the parameters, what the optimizer remembers of each, the history, and the settings of the run. Random numbers
need no state: they are drawn anew from (seed, epoch, step). The file is replaced in one move, so a run killed at any
moment leaves the checkpoint of an epoch that was finished.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import storage
from ..disk import check_place
from ..layers.arguments import frozen
from .optimizers import Memories


@dataclass(frozen=True, eq=False)
class State:
    """Where a training run stands after some epochs: parameters and memories by name, and what each epoch measured."""

    parameters: Mapping[str, np.ndarray]
    memories: Memories
    history: tuple[dict[str, Any], ...] = ()


def check(path: Path) -> None:
    """ValueError unless a checkpoint can be written to `path` without destroying anything else."""
    try:
        check_place(path)
    except OSError as error:
        raise ValueError(f"checkpoint: {error}") from None
    if path.exists():
        try:
            storage.read(path, "checkpoint")
        except ValueError as error:
            raise ValueError(f"checkpoint: {error} Remove the file, or choose another path.") from None


def write(path: Path, state: State, settings: Mapping[str, Any]) -> None:
    """Write the state and the settings of a run, all at once or not at all."""
    arrays = {f"parameter/{name}": value for name, value in state.parameters.items()}
    for name, memory in state.memories.items():
        arrays |= {f"memory/{key}/{name}": value for key, value in memory.items()}
    header = {"settings": dict(settings), "history": list(state.history)}
    storage.write(path, "checkpoint", header, arrays)


def read(path: Path, settings: Mapping[str, Any], start: Mapping[str, np.ndarray]) -> State:
    """The state in a checkpoint, if it is one of a run with these settings and parameters like those of the `start`.

    Raises ValueError: the file is damaged, or it is of a run with other settings; each of them is listed.
    """
    header, arrays = storage.read(path, "checkpoint")
    found, history = header.get("settings"), header.get("history")
    if not (isinstance(found, dict) and isinstance(history, list) and all(isinstance(one, dict) for one in history)):
        raise _damaged(path, "the settings and the history of a run")
    found = {"compiled": settings.get("compiled"), **found}  # version 0.1 did not say
    if isinstance(found.get("schedule"), str):  # which it called Constant
        found["schedule"] = re.sub(r"^Constant\(", "ConstantRate(", found["schedule"])
    different = [
        f"  {name}: expected {_short(settings.get(name))}, found {_short(found.get(name))}"
        for name in sorted({*settings, *found})
        if settings.get(name) != found.get(name)
    ]
    if different:
        listing = "\n".join(different)
        raise ValueError(
            f"{path}: this checkpoint is of a run with other settings:\n{listing}\n"
            "Give the settings that were found, or start anew with resume=False."
        )
    parameters: dict[str, np.ndarray] = {}
    memories: dict[str, dict[str, np.ndarray]] = {}
    for place, value in arrays.items():
        what, _, rest = place.partition("/")
        key, _, name = ("", "", rest) if what == "parameter" else rest.partition("/")
        if name in start and (value.shape, value.dtype) != (start[name].shape, start[name].dtype):
            raise _damaged(path, f"{start[name].shape} {start[name].dtype} for {place}")
        if what == "parameter":
            parameters[name] = frozen(value)
        else:
            memories.setdefault(name, {})[key] = frozen(value)
    if parameters.keys() != start.keys():
        raise _damaged(path, f"the parameters {', '.join(start)}")
    return State(parameters, memories, tuple(history))


def _damaged(path: Path, expected: str) -> ValueError:
    return ValueError(f"{path}: expected a checkpoint with {expected}, and it has none. Remove the file to start anew.")


def _short(value: Any) -> Any:
    """The first digits of a fingerprint are enough to tell two apart."""
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else value
