"""The command line: `nnlite tour`, `nnlite explain`, and so on. A mistake is one line and exit code 2."""

import argparse
import os
import sys
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

from ._version import __version__
from .commands import dream, explain, fetch, gallery, maximize, step, tour, train, uncertainty, verify, visualize

COMMANDS = (tour, explain, step, maximize, gallery, visualize, dream, uncertainty, verify, train, fetch)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command, each subcommand from its own file."""
    top = _Parser(
        prog="nnlite",
        description="Neural-network interpretability in plain NumPy: why did the network decide so?",
        epilog="example:\n  nnlite tour --out tour        explain twenty digits with every method, as a page",
        formatter_class=_Help,
    )
    top.add_argument("--version", action="version", version=f"nnlite {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        summary, _, details = (command.__doc__ or "").partition("\n")
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=details.strip("\n"),
            formatter_class=_Help,
        )
        command.arguments(sub)
        sub.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, or 2 where the user must change something, or 130 after Ctrl-C."""
    if hasattr(sys.stdout, "reconfigure"):  # a terminal without Σ and ε shows ? in their place
        sys.stdout.reconfigure(errors="replace")
    try:
        options = parser().parse_args(arguments)
        with warnings.catch_warnings():
            warnings.showwarning = _warned
            options.run(options)
        print(end="", flush=True)
    except BrokenPipeError:  # the reader of our output has gone, as in `nnlite tour | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.stderr.write("nnlite: stopped.\n")
        return 130
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError) as error:
        sys.stderr.write(f"nnlite: {_message(error)}\n")
        return 2
    return 0


def _warned(message: Warning | str, *_place: Any, **_more: Any) -> None:
    """A warning in one line, too, without the place in the code that it comes from."""
    sys.stderr.write(f"nnlite: {' '.join(str(message).split())}\n")


def _message(error: Exception) -> str:
    """What an error says, in one line."""
    said = str(error)
    if isinstance(error, OSError) and error.strerror:  # from the system: without its number
        said = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return " ".join(said.split()) or type(error).__name__


class _Help(argparse.RawDescriptionHelpFormatter):
    """The help as it is written; names such as lrp-epsilon are not broken at their hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, too."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")
