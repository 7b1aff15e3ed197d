"""The IDX format: the plain files that MNIST comes in.

From the first byte to the last:

    bytes 0, 1    zero
    byte 2        the type of the items, e.g. 08 for unsigned bytes
    byte 3        the number of dimensions D
    4 D bytes     the length of each dimension, a big-endian 32-bit integer
    the rest      the items, big-endian, the last index running fastest
"""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..disk import regular
from ..memory import claim

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str], *, dtype: Any = None, ndim: int | None = None) -> np.ndarray:
    """Read an IDX file, plain or compressed with gzip; which of the two is seen from its first bytes, not its name.

    path: the file.
    dtype, ndim: the item type and the number of dimensions that the caller can use; None takes any.

    Returns an array of the file's shape and type, in this machine's byte order.
    Raises FileNotFoundError: there is no such file; ValueError: the file is not an IDX file, not of this dtype or ndim,
    cut short, or has bytes left over; the message names the file, the field, what was expected and what was found.
    Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits (there: "file formats").

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "two-by-three"
    >>> _ = file.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    >>> read_idx(file)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)
    """
    path = regular(path, "an IDX file")
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            item, shape = _header(path, file)
            if dtype is not None and item != np.dtype(dtype).newbyteorder(">"):
                raise _wrong(path, "type of the items", np.dtype(dtype).name, item.name)
            if ndim is not None and len(shape) != ndim:
                raise _wrong(path, "number of dimensions", ndim, f"{len(shape)} (shape {shape})")
            size = math.prod(shape) * item.itemsize
            held = size if packed else path.stat().st_size - file.tell()  # of a packed file only reading it tells
            if held == size:
                claim(2 * size, f"{path}: an array of the shape {shape}")  # the bytes, and the array
                content = file.read(size + 1)  # one more than there should be, not all of what a few bytes unpack to
                held = len(content)
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, "content", "a whole gzip file", f"a damaged one ({error})") from error
    if held != size:
        found = f"{held:,}" + " or more" * (packed and held > size)
        raise _wrong(path, f"bytes after the header, for the shape {shape}", f"{size:,}", found)
    items = np.frombuffer(content, item).reshape(shape)
    return items.astype(item.newbyteorder("="))


def _header(path: Path, file: IO[bytes] | gzip.GzipFile) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The item type and the shape; the file then stands at its items."""
    start = file.read(4)
    if len(start) < 4:
        raise _wrong(path, "length of the header", "4 bytes or more", len(start))
    if start[:2] != b"\0\0":
        raise _wrong(path, "first two bytes", "00 00 (an IDX file)", start[:2].hex(" "))
    if start[2] not in TYPES:
        known = ", ".join(f"{code:02x}" for code in TYPES)
        raise _wrong(path, "code of the item type", f"one of {known}", f"{start[2]:02x}")
    ndim = start[3]
    if ndim == 0:
        raise _wrong(path, "number of dimensions", "1 or more", 0)
    lengths = file.read(4 * ndim)
    if len(lengths) < 4 * ndim:
        raise _wrong(path, "length of the header", f"{4 + 4 * ndim} bytes for {ndim} dimensions", 4 + len(lengths))
    return np.dtype(TYPES[start[2]]), tuple(int(length) for length in np.frombuffer(lengths, ">u4"))


def _wrong(path: Path, field: str, expected: object, found: object) -> ValueError:
    """The error for a file that is not as it should be."""
    return ValueError(
        f"{path}: {field}: expected {expected}, found {found}; get the file again, or delete it and run "
        "nnlite fetch mnist"
    )
