"""How the commands declare their options, and those that several have."""

import argparse
from pathlib import Path
from typing import Any

from ..decision_based.registry import METHODS

SHARED: dict[str, dict[str, Any]] = {
    "--model": {"help": "a network by name, or a saved .npz"},
    "--method": {"metavar": "METHOD"},
    "--target": {"type": int, "help": "the class to explain (default: the predicted one)"},
    "--folder": {"help": "where MNIST lies (default: $NNLITE_DATA, or ~/.cache/nnlite)"},
    "--no-compile": {
        "dest": "compile", "action": "store_false", "help": "run the network layer by layer, for less at first"
    },
    "--out": {"type": Path},
}  # fmt: skip


def declare(parser: Any, name: str, *, default: Any = None, **more: Any) -> None:
    """Declare an option, perhaps one of SHARED; a default gives its type, and stands behind its help."""
    settings = {**SHARED.get(name, {}), **more}
    if default is not None:
        shown = f"{default:g}" if isinstance(default, float) else default
        settings |= {"default": default, "type": type(default), "help": f"{settings['help']} (default: {shown})"}
    parser.add_argument(name, **settings)


def given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of the options that have a value."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def check_method(name: str) -> None:
    """Refuse what is no method."""
    if name not in METHODS:
        raise ValueError(f"--method takes one of {', '.join(METHODS)}, got {name}.")
