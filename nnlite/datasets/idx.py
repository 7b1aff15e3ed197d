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
from typing import Any

import numpy as np

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str], *, dtype: Any = None, ndim: int | None = None) -> np.ndarray:
    """Read an IDX file, plain or compressed with gzip; which of the two is seen from its first bytes, not its name.

    Parameters
    ----------
    path
        The file.
    dtype, ndim
        The item type and the number of dimensions that the caller can use; None takes any.

    Returns
    -------
    An array of the file's shape and type, in this machine's byte order.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not an IDX file, not of this dtype or ndim, cut short, or has bytes left over; the message names
        the file, the field, what was expected and what was found.

    Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits (there: "file formats").

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "two-by-three"
    >>> _ = file.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    >>> read_idx(file)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)
    """
    path = Path(path)
    content = _content(path)
    item, shape = _header(path, content)
    if dtype is not None and item != np.dtype(dtype).newbyteorder(">"):
        raise _wrong(path, "type of the items", np.dtype(dtype).name, item.name)
    if ndim is not None and len(shape) != ndim:
        raise _wrong(path, "number of dimensions", ndim, f"{len(shape)} (shape {shape})")
    begin = 4 + 4 * len(shape)
    expected = math.prod(shape) * item.itemsize
    if len(content) - begin != expected:
        raise _wrong(
            path, f"bytes after the header, for the shape {shape}", f"{expected:,}", f"{len(content) - begin:,}"
        )
    items = np.frombuffer(content, item, offset=begin).reshape(shape)
    return items.astype(item.newbyteorder("="))


def _content(path: Path) -> bytes:
    """The bytes of the file, unpacked if they are gzip's."""
    content = path.read_bytes()
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, "content", "a whole gzip file", f"a damaged one ({error})") from error


def _header(path: Path, content: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The item type and the shape."""
    if len(content) < 4:
        raise _wrong(path, "length of the header", "4 bytes or more", len(content))
    if content[:2] != b"\0\0":
        raise _wrong(path, "first two bytes", "00 00 (an IDX file)", content[:2].hex(" "))
    if content[2] not in TYPES:
        known = ", ".join(f"{code:02x}" for code in TYPES)
        raise _wrong(path, "code of the item type", f"one of {known}", f"{content[2]:02x}")
    ndim = content[3]
    if ndim == 0:
        raise _wrong(path, "number of dimensions", "1 or more", 0)
    if len(content) < 4 + 4 * ndim:
        raise _wrong(path, "length of the header", f"{4 + 4 * ndim} bytes for {ndim} dimensions", len(content))
    shape = np.frombuffer(content, ">u4", count=ndim, offset=4)
    return np.dtype(TYPES[content[2]]), tuple(int(length) for length in shape)


def _wrong(path: Path, field: str, expected: object, found: object) -> ValueError:
    """The error for a file that is not as it should be."""
    return ValueError(
        f"{path}: {field}: expected {expected}, found {found}; get the file again, or delete it and run "
        "nnlite fetch mnist"
    )
