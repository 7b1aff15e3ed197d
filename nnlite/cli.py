"""The command line: `nnlite tour`, `nnlite explain`, and so on. A mistake is one line and exit code 2."""

import argparse
import importlib
import io
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Container, Sequence
from contextlib import redirect_stdout
from typing import Any, TextIO

from ._version import __version__
from .commands import compiling
from .printed import plain, plain_lines

COMMANDS = {
    "tour": "the main job: explain twenty digits with every method",
    "explain": "explain the network's decision on one digit",
    "step": "step through a method, one formula and one number at a time",
    "maximize": "search an image that the network is sure of, for one class or for all",
    "gallery": "ten classes, every form of activation maximization, one page",
    "visualize": "search images that excite a neuron, a channel, a layer or a class",
    "dream": "let a network dream into a picture: make strong what a layer faintly finds in it",
    "uncertainty": "how sure is the network of one digit, and how sure is the explanation?",
    "verify": "set nnlite beside PyTorch, captum, zennit and LXT, number by number",
    "train": "train one of the lessons' networks, a generator or an expert",
    "fetch": "download a data set that does not come with nnlite",
}
"""What each command does; the rest of its help is the docstring of its file."""


def parser(only: Container[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command, each subcommand from its own file; `only` these are imported."""
    top = _Parser(
        prog="nnlite",
        description="Neural-network interpretability in plain NumPy: why did the network decide so?",
        epilog="example:\n  nnlite tour --out tour        explain twenty digits with every method, as a page",
        formatter_class=_Help,
    )
    top.add_argument("--version", action="version", version=f"nnlite {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary, formatter_class=_Help)
        if name in only:
            command = importlib.import_module(f".commands.{name}", __package__)
            command.arguments(sub)
            sub.epilog = command.__doc__
            sub.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, or 2 where the user must change something, or 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if hasattr(sys.stdout, "reconfigure"):  # a terminal without Σ and ε shows ? in their place
        sys.stdout.reconfigure(errors="replace")
    try:
        with redirect_stdout(_Output(sys.stdout)) as out, warnings.catch_warnings():
            warnings.showwarning = _warned
            try:
                options = parser(arguments).parse_args(arguments)
                with compiling.told(options):
                    options.run(options)
            finally:
                out.flush()
    except KeyboardInterrupt:
        _tell("stopped.")
        return 130
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError) as error:
        _tell(_message(error))
        return 2
    return 0


class _Output:
    """A stream whose text is plain, and whose reader may go: `nnlite tour | head -1` writes its report all the same."""

    def __init__(self, to: TextIO | None) -> None:
        self.to: TextIO = io.StringIO() if to is None else to  # None where it was closed

    def write(self, text: str) -> int:
        """Write the text, if there is somebody to read it."""
        self._try(lambda: self.to.write(plain_lines(text)))
        return len(text)

    def flush(self) -> None:
        """Hand over what was written."""
        self._try(self.to.flush)

    def _try(self, do: Callable[[], Any]) -> None:
        try:
            do()
        except BrokenPipeError:  # from here on, nobody reads
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.to.fileno())


def _tell(text: str) -> None:
    """A line for the standard error."""
    _Output(sys.stderr).write(f"nnlite: {' '.join(text.split())}\n")


def _warned(message: Warning | str, *_place: Any, **_more: Any) -> None:
    """A warning in one line, too, without the place in the code that it comes from."""
    _tell(str(message))


def _message(error: Exception) -> str:
    """What an error says, in one line."""
    said = str(error)
    if isinstance(error, OSError) and error.strerror:  # from the system: without its number
        said = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return said.strip() or type(error).__name__


class _Help(argparse.RawDescriptionHelpFormatter):
    """The help as it is written; names such as lrp-epsilon are not broken at their hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, too."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        self.exit(2, plain(f"{self.prog}: {message}; see {self.prog} --help") + "\n")
