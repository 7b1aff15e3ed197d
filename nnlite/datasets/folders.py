"""Where data lies: the files that come with nnlite, and the folder for those that are too large to."""

import os
from pathlib import Path

from ..disk import as_path

# The folder that is installed with the package; in a checkout it is a link to data/ at the top.
PACKAGE_DATA = Path(__file__).resolve().parents[1] / "data"


def package_file(name: str) -> Path:
    """The path of a data file that comes with nnlite.

    Raises FileNotFoundError: the file is not there; the message says where it was expected.

    >>> package_file("strokes.json").name
    'strokes.json'
    """
    path = PACKAGE_DATA / name
    if not path.is_file():
        raise FileNotFoundError(
            f"expected nnlite's own data file at {path}, found none: install nnlite again, "
            "or see data/README.md for the command that makes the file"
        )
    return path


def data_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder for downloaded data: the argument, else $NNLITE_DATA, else ~/.cache/nnlite.

    Returns the path; it need not exist yet.

    >>> data_folder("elsewhere").name
    'elsewhere'
    """
    chosen = folder if folder is not None else os.environ.get("NNLITE_DATA") or Path("~/.cache/nnlite")
    return as_path(chosen).expanduser()
