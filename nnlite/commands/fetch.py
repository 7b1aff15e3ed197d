"""The four files of MNIST (12 MB) come from public mirrors; their SHA-256 is checked, and a download that was cut off
goes on where it stopped.

example:
  nnlite fetch mnist
"""

import argparse
from pathlib import Path

from .. import datasets
from .options import declare


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("dataset", choices=["mnist"], help="the data set")
    declare(parser, "--folder", help="where to keep it (default: $NNLITE_DATA, or ~/.cache/nnlite)")


def run(options: argparse.Namespace) -> None:
    """Download, and say where the files lie."""
    if options.folder is not None and Path(options.folder).is_file():
        raise ValueError(f"--folder takes a folder, and {options.folder} is a file.")
    folder = datasets.fetch_mnist(options.folder)
    print(f"{options.dataset} is in {folder}")
