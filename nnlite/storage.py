"""One file format for everything nnlite keeps: an .npz of arrays and a JSON header, checked when it is read.

The header holds what kind of file it is, the version of the format, and a SHA-256 over the header and all arrays.
Nothing is pickled and nothing from a file is ever executed. A file is written beside its place and moved there in
one step, so a process killed at any moment leaves the old file or the new one, never a half.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

VERSION = 1
HEADER = "header.json"


def write(path: str | os.PathLike, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` and the JSON-able `header` to `path`, all at once or not at all.

    The same content gives the same bytes.
    """
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError(f"{path}: only arrays of numbers and text can be kept, not arrays of Python objects.")
    described = json.loads(json.dumps({"nnlite": kind, "version": VERSION, **header}))  # as it will be read
    described["sha256"] = _checksum(described, arrays)
    text = np.frombuffer(json.dumps(described, sort_keys=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **{HEADER: text, **arrays})  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file all at once or not at all."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first.")
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def read(path: str | os.PathLike, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays of a file that `write` made with this `kind`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, altered, of another kind, from a newer nnlite, or not one of nnlite's at all.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: expected an .npz written by nnlite; this is a folder.") from None
    try:
        arrays = _arrays(content)
        header = json.loads(arrays.pop(HEADER).tobytes()) if HEADER in arrays else None
    except Exception as error:  # zipfile, NumPy and json raise a dozen kinds for bytes that make no sense
        raise ValueError(
            f"{path}: expected an .npz written by nnlite; this is truncated, altered or another kind of file "
            f"({type(error).__name__}: {error})."
        ) from None
    if header is None:
        raise ValueError(f"{path}: this .npz has no nnlite header; it was not written by nnlite.")
    if not isinstance(header, dict) or header.get("nnlite") != kind:
        found = header.get("nnlite") if isinstance(header, dict) else header
        raise ValueError(f"{path}: expected an nnlite {kind}, and this file is of the kind {found!r}.")
    version = header.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        advice = "install a newer nnlite" if isinstance(version, int) and version > VERSION else "get the file again"
        raise ValueError(
            f"{path}: this nnlite reads format version {VERSION}, and the file has version {version!r}; {advice}."
        )
    stated = header.pop("sha256", None)
    if stated != _checksum(header, arrays):
        raise ValueError(f"{path}: the checksum does not fit the content; the file was altered. Get it again.")
    return header, arrays


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays in the bytes of an .npz; some exception where they are none. Needs no more memory than `content`."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = file.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its members are compressed, and nnlite compresses none")
        if sum(member.file_size for member in members) > len(content):
            raise ValueError("its members are larger than the file")
        return {member.filename.removesuffix(".npy"): _array(file.read(member)) for member in members}


def _array(content: bytes) -> np.ndarray:
    """The array in the bytes of an .npy. NumPy would make room for any size that they claim, so that is checked."""
    file = io.BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("an array is in another version of the .npy format")
    shape, _, dtype = npy.read_array_header_1_0(file)
    held = len(content) - file.tell()
    if prod(shape) * dtype.itemsize != held:
        raise ValueError(f"an array claims the shape {shape} and holds {held} bytes")
    return npy.read_array(io.BytesIO(content), allow_pickle=False)


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
