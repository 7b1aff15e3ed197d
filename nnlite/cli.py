"""The command line: `nnlite tour`, `train`, `explain`, `fetch`. A user's mistake is one line and exit code 2."""

import argparse
import os
import sys
from collections.abc import Sequence

from ._version import __version__
from .commands import explain, fetch, tour, train

COMMANDS = (tour, explain, train, fetch)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command, each subcommand from its own file."""
    top = _Parser(
        prog="nnlite",
        description="Neural-network interpretability in plain NumPy: why did the network decide so?",
        epilog="example:\n  nnlite tour --out tour        explain twenty digits with every method, as a page",
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
        sub.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, or 2 where the user must change something, or 130 after Ctrl-C."""
    try:
        options = parser().parse_args(arguments)
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has gone, as in `nnlite tour | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.stderr.write("nnlite: stopped.\n")
        return 130
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"nnlite: {message}\n")
        return 2
    return 0


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, too."""

    def error(self, message: str) -> "None":  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")
