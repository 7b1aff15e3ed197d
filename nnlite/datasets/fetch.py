"""Download MNIST: from the first mirror that gives the right bytes, going on where a download broke off."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk import check_place
from .folders import data_folder

if TYPE_CHECKING:
    from http.client import HTTPResponse

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
TIMEOUT = 30.0  # seconds without any answer
_BLOCK = 1 << 16  # bytes


@dataclass(frozen=True)
class RemoteFile:
    """A file that is known before it is downloaded."""

    name: str
    size: int  # bytes
    sha256: str  # in hexadecimal


MNIST_FILES = (
    RemoteFile(
        "train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    RemoteFile(
        "train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    RemoteFile(
        "t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    RemoteFile("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)


def fetch_mnist(
    folder: str | os.PathLike[str] | None = None,
    *,
    mirrors: Sequence[str] = MIRRORS,
    progress: bool = True,
    files: Iterable[RemoteFile] = MNIST_FILES,
    timeout: float = TIMEOUT,
) -> Path:
    """Download the four files of MNIST, about 12 MB, into the subfolder mnist of the folder.

    A file that is there and correct stays. Any other is downloaded as name.part, checked, and only then given its
    name. A download that broke off is continued, by this call from the next mirror or by the next call.

    folder: by default $NNLITE_DATA, else ~/.cache/nnlite; it is made if need be.
    mirrors: addresses of folders that have the files, in the order to try them.
    progress: show a progress bar.
    files: what to download, with sizes and SHA-256.
    timeout: seconds to wait for a mirror that says nothing.

    Returns the folder that the files are in; mnist(split, folder) reads them from it, or from its parent.
    Raises ConnectionError: no mirror gave a file; the message says why each did not; OSError: the folder cannot be
    written to; nothing was downloaded; ValueError: mirrors is empty.

    >>> fetch_mnist(mirrors=[])
    Traceback (most recent call last):
        ...
    ValueError: mirrors: expected at least one address, got none
    """
    if not mirrors:
        raise ValueError("mirrors: expected at least one address, got none")
    target = data_folder(folder) / "mnist"
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        if not _is_correct(target / file.name, file):
            check_place(target / file.name)
            _fetch(file, target, mirrors, progress, timeout)
    return target


def _fetch(file: RemoteFile, folder: Path, mirrors: Sequence[str], progress: bool, timeout: float) -> None:
    """Get one file from the first mirror that has it."""
    from http.client import HTTPException  # here: what speaks HTTP takes a while to import

    part = folder / f"{file.name}.part"
    reasons: list[str] = []
    for mirror in mirrors:
        try:
            _try_mirror(f"{mirror.rstrip('/')}/{file.name}", file, part, progress, timeout)
        # What a broken connection can raise: OSError (which URLError is) or HTTPException (half an answer).
        except (OSError, HTTPException) as error:
            reasons.append(f"{mirror}: {str(error) or type(error).__name__}")
        else:
            os.replace(part, folder / file.name)
            return
    if part.exists() and part.stat().st_size == 0:  # nothing to continue from
        part.unlink()
    raise ConnectionError(
        f"{file.name}: no mirror gave the file. " + "; ".join(reasons) + f". Try again later, or put the file into "
        f"{folder} by hand"
    )


def _try_mirror(url: str, file: RemoteFile, part: Path, progress: bool, timeout: float) -> None:
    """Leave the whole and correct file in `part`, or raise; a part that cannot be continued is removed."""
    resumed = _download(url, file, part, progress, timeout)
    if resumed and not _is_correct(part, file):
        # The fault may lie in the bytes of an earlier download: give this mirror a fair chance.
        part.unlink()
        _download(url, file, part, progress, timeout)
    if not _is_correct(part, file):
        found = _sha256(part)
        part.unlink()
        raise OSError(f"expected the SHA-256 {file.sha256}, got {found}")


def _download(url: str, file: RemoteFile, part: Path, progress: bool, timeout: float) -> bool:
    """Download into `part`, after the bytes that are already there if the server can; true if it began after some."""
    from urllib.request import Request, urlopen

    from tqdm import tqdm

    have = part.stat().st_size if part.exists() else 0
    if have >= file.size:  # whole, but perhaps wrong: begin again
        part.unlink()
        have = 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urlopen(request, timeout=timeout) as answer:
        got = _first_byte(answer, have, file.size)
        resumed = got > 0
        bar = tqdm(total=file.size, initial=got, unit="B", unit_scale=True, desc=file.name, disable=not progress)
        with part.open("ab" if resumed else "wb") as output, bar:
            # Asking for one byte more than is missing shows a file that is too long, without reading all of it.
            while block := answer.read(min(_BLOCK, file.size + 1 - got)):
                output.write(block)
                bar.update(len(block))
                got += len(block)
    if got > file.size:
        part.unlink()
        raise OSError(f"expected {file.size:,} bytes, got more")
    if got < file.size:
        raise OSError(f"expected {file.size:,} bytes, got {got:,} before the connection ended")
    return resumed


def _first_byte(answer: "HTTPResponse", have: int, size: int) -> int:
    """Where in the file the answer begins: at `have`, or at 0 if the server ignores Range.

    The length that it announces is checked too, before a byte is written: an error page must not take the place of
    half a good download.
    """
    first = have if answer.status == 206 else 0
    content_range = answer.headers.get("Content-Range", "")
    if first > 0 and not content_range.startswith(f"bytes {first}-"):
        raise OSError(f"expected Content-Range: bytes {first}-..., got {content_range!r}")
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) != size - first:
        raise OSError(f"expected {size - first:,} bytes, the server announces {int(announced):,}")
    return first


def _is_correct(path: Path, file: RemoteFile) -> bool:
    """Whether the file is there, has the right size and the right SHA-256."""
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
