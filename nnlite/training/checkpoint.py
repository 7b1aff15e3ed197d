"""The checkpoint: what a training run needs to go on after it was stopped, in one file, written after every epoch.

It holds the parameters, what the optimizer remembers of each, the history, and the settings of the run. Random numbers
need no state: they are drawn anew from (seed, epoch, step). The file is replaced in one move, so a run killed at any
moment leaves the checkpoint of an epoch that was finished.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import storage
from ..layers.arguments import frozen
from .optimizers import Memories


@dataclass(frozen=True, eq=False)
class State:
    """Where a training run stands after some epochs: parameters and memories by name, and what each epoch measured."""

    parameters: Mapping[str, np.ndarray]
    memories: Memories
    history: tuple[dict[str, Any], ...] = ()


def check_place(path: Path) -> None:
    """ValueError unless a checkpoint can be written to `path` without destroying anything else."""
    if not path.parent.is_dir():
        raise ValueError(f"checkpoint: there is no folder {path.parent}; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"checkpoint: nothing can be written to the folder {path.parent}; choose another.")
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


def read(path: Path, settings: Mapping[str, Any]) -> State:
    """The state in a checkpoint, if it is one of a run with these settings.

    Raises
    ------
    ValueError
        The file is damaged, or it is of a run with other settings; each of them is listed.
    """
    header, arrays = storage.read(path, "checkpoint")
    try:
        found, history = dict(header["settings"]), tuple(map(dict, header["history"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint that nnlite wrote ({type(error).__name__}: {error}).") from None
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
        if what == "parameter":
            parameters[rest] = frozen(value)
        else:
            key, _, name = rest.partition("/")
            memories.setdefault(name, {})[key] = frozen(value)
    return State(parameters, memories, history)


def _short(value: Any) -> Any:
    """The first digits of a fingerprint are enough to tell two apart."""
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else value
