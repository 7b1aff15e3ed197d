"""Files: only a regular one that fits into memory is read; one is written whole or not at all.

An array is never unpickled, and its header is read before there is room made for its numbers: what a file claims to
hold is compared with what it has, and with NNLITE_MEMORY.

A file is written beside its place and moved there in one step, so a process killed at any moment leaves the old file
or the new one, never a half. What it leaves beside them is removed when the place is next written to.
"""

import os
import secrets
import stat
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from .memory import TooLarge, claim

HEADERS: dict[Any, Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def as_path(path: Any) -> Path:
    """The path; TypeError for anything but a str or a Path."""
    try:
        return Path(path)
    except TypeError:
        raise TypeError(f"path: expected a str or a pathlib.Path, got {type(path).__name__}.") from None


def regular(path: str | os.PathLike, expected: str) -> Path:
    """The path of a file that can be read at once: no folder, pipe or device, and within the budget of memory.

    Parameters
    ----------
    path
        The file.
    expected
        What it should be, for the error: "a picture".

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not a regular file, or larger than NNLITE_MEMORY allows.
    """
    path = as_path(path)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise ValueError(f"{path}: expected {expected}; this is {what}. Give a file.")
    claim(found.st_size, str(path))
    return path


def read_npy(path: str | os.PathLike, *, more: int = 0) -> np.ndarray:
    """The array in an .npy.

    Parameters
    ----------
    path
        The file.
    more
        How many bytes the caller is going to need for each number, beside those of the array.

    Raises FileNotFoundError or ValueError: as `regular`; or the file is no whole .npy, or holds Python objects.
    """
    expected = "an array of numbers, written with np.save"
    path = regular(path, expected)
    with _read(path, expected), path.open("rb") as file:
        return _array(file, path.stat().st_size, more)


def read_npz(path: str | os.PathLike, expected: str = "an .npz of arrays", *, stored: bool = False) -> dict[str, Any]:
    """The arrays in an .npz by name.

    Parameters
    ----------
    path
        The file.
    expected
        What it should be, for the errors.
    stored
        Refuse compressed arrays: then the arrays are no larger than the file.

    Raises FileNotFoundError or ValueError: as `read_npy`.
    """
    path = regular(path, expected)
    with _read(path, expected), zipfile.ZipFile(path) as file:
        members = file.infolist()
        size = sum(member.file_size for member in members)
        if stored and any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed, and nnlite compresses none")
        if stored and size > path.stat().st_size:
            raise ValueError("its members are larger than the file")
        claim(size, "what it unpacks to")
        arrays = {}
        for member in members:
            with file.open(member) as one:
                arrays[member.filename.removesuffix(".npy")] = _array(one, member.file_size)
        return arrays


@contextmanager
def _read(path: Path, expected: str) -> Iterator[None]:
    """Whatever goes wrong within is a ValueError about this file, and a warning about its bytes is not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy reads a header as Python
            yield
    except PermissionError:
        raise
    except TooLarge as error:
        raise TooLarge(f"{path}: {error}") from None
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds for bytes that make no sense
        raise ValueError(
            f"{path}: expected {expected}; this is truncated, altered or another kind of file "
            f"({type(error).__name__}: {error})."
        ) from None


def _array(file: IO[bytes], size: int, more: int = 0) -> np.ndarray:
    """The array in an .npy of `size` bytes. NumPy would make room for any array that it claims, so that is checked."""
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError("an array is in another version of the .npy format")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("an array holds Python objects")
    held = size - file.tell()
    if prod(shape) * dtype.itemsize != held:
        raise ValueError(f"an array claims the shape {shape} and holds {held} bytes")
    claim(held + more * prod(shape), f"an array of the shape {shape}")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def check_place(path: str | os.PathLike) -> None:
    """An OSError unless a file can be written to `path`: to be asked before the work whose result goes there."""
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; add a file name.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first.")
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        raise PermissionError(f"{path} is there already and must not be written to; choose another name.")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise PermissionError(
            f"{path}: nothing can be written to the folder {path.parent} ({error.strerror}); choose another folder."
        ) from None


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file whole or not at all. One that is there already keeps its permissions.

    Raises OSError: it cannot be written; the message names `path`.
    """
    path = Path(path)
    check_place(path)
    with _beside(path) as (beside, mode):
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, 0o666 if mode is None else mode)) as f:
            if mode is not None:
                os.chmod(beside, mode)
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(beside, path)


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, int | None]]:
    """A new name beside `path`, and the permissions that a file there has; on an error nothing is left of either.

    Who writes holds a shared lock on the folder meanwhile. Who gets it alone knows that every such file beside `path`
    was left by a process that was killed.
    """
    pattern = f".{escape(path.name)}.{'[0-9a-f]' * 8}.part"
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with _folder(path.parent) as lock:
        if lock(alone=True):
            for left in path.parent.glob(pattern):
                left.unlink(missing_ok=True)
        lock(alone=False)
        try:
            yield beside, stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        except BaseException as error:
            beside.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno is not None:
                error.filename, error.filename2 = str(path), None
            raise


@contextmanager
def _folder(path: Path) -> Iterator[Any]:
    """A function that locks the folder: alone, if nobody else has it now, or with others; False where it cannot."""
    try:
        import fcntl

        folder = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):  # this system has no such locks, or the folder may not be listed
        yield lambda alone: False
        return

    def lock(alone: bool) -> bool:
        with suppress(OSError):  # somebody else has it, or the file system knows no locks
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
            return True
        return False

    try:
        yield lock
    finally:
        os.close(folder)
