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
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 1
HEADER = "header.json"


def write(path: str | os.PathLike, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` and the JSON-able `header` to `path`, all at once or not at all.

    The same content gives the same bytes.
    """
    described = {"nnlite": kind, "version": VERSION, **header}
    described["sha256"] = _checksum(described, arrays)
    text = np.frombuffer(json.dumps(described, sort_keys=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{HEADER: text, **arrays})
    write_bytes(path, buffer.getvalue())


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file all at once or not at all."""
    path = Path(path)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~_umask())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
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
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        header = json.loads(arrays.pop(HEADER).tobytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    except KeyError:
        raise ValueError(f"{path}: this .npz has no nnlite header; it was not written by nnlite.") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        AttributeError,
        TypeError,
        IsADirectoryError,
        NotImplementedError,
    ) as error:
        raise ValueError(
            f"{path}: expected an .npz written by nnlite; this is truncated, altered or another kind of file ({error})."
        ) from None
    if not isinstance(header, dict) or header.get("nnlite") != kind:
        found = header.get("nnlite") if isinstance(header, dict) else header
        raise ValueError(f"{path}: expected an nnlite {kind}, and this file is of the kind {found!r}.")
    if not isinstance(header.get("version"), int) or header["version"] > VERSION:
        raise ValueError(
            f"{path}: this nnlite reads format version {VERSION}, and the file has version {header.get('version')!r}; "
            "install a newer nnlite."
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
        digest.update(array.tobytes())
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
