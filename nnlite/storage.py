"""One file format for everything nnlite keeps: an .npz of arrays and a JSON header, checked when it is read.

The header holds what kind of file it is, the version of the format, and a SHA-256 over the header and all arrays.
Nothing is pickled and nothing from a file is ever executed.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .disk import read_npz, write_bytes

VERSION = 2
"""1 where no network in the file has wires: as it was before there were any."""
HEADER = "header.json"
EXPECTED = "an .npz written by nnlite"


def write(path: str | os.PathLike, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` and the JSON-able `header` to `path`, all at once or not at all.

    The same content gives the same bytes.
    """
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError(f"{path}: only arrays of numbers and text can be kept, not arrays of Python objects.")
    version = VERSION if '"wires":' in json.dumps(header) else 1
    described = json.loads(json.dumps({"nnlite": kind, "version": version, **header}))  # as it will be read
    described["sha256"] = _checksum(described, arrays)
    text = np.frombuffer(json.dumps(described, sort_keys=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **{HEADER: text, **arrays})  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def read(path: str | os.PathLike, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays of a file that `write` made with this `kind`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, altered, of another kind, from a newer nnlite, or not one of nnlite's at all.
    """
    arrays = read_npz(path, EXPECTED, stored=True)
    try:
        header = json.loads(arrays.pop(HEADER).tobytes()) if HEADER in arrays else None
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected {EXPECTED}; its header is truncated, altered or another kind of file ({error})."
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
            f"{path}: this nnlite reads versions up to {VERSION}, and the file has version {version!r}; {advice}."
        )
    stated = header.pop("sha256", None)
    if stated != _checksum(header, arrays):
        raise ValueError(f"{path}: the checksum does not fit the content; the file was altered. Get it again.")
    return header, arrays


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    return digest.hexdigest()
