"""Downloading MNIST, from servers on this machine that fail in every way a server can."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nnlite.datasets.fetch import MNIST_FILES, RemoteFile, fetch_mnist

pytestmark = pytest.mark.once  # see setup.cfg

CONTENT = bytes(range(256)) * 1000
FILE = RemoteFile("digits.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
WRONG = CONTENT[::-1]
HALF = len(CONTENT) // 2


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under /<manner>/digits.gz, in that manner, and writes down what it was asked for."""

    server: Any

    def do_GET(self) -> None:
        manner = self.path.split("/")[1]
        asked = self.headers["Range"]
        self.server.requests.append((manner, asked))
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        getattr(self, manner)(begin)

    def good(self, begin: int) -> None:
        self._answer(CONTENT[begin:], begin)

    def no_range(self, begin: int) -> None:
        self._answer(CONTENT, 0)

    def wrong_range(self, begin: int) -> None:
        self._answer(CONTENT[1 : 1 + len(CONTENT) - begin], 1)  # as many bytes as asked for, from elsewhere

    def corrupt(self, begin: int) -> None:
        self._answer(WRONG[begin:], begin)

    def truncated(self, begin: int) -> None:
        self._answer(CONTENT[begin:], begin, send=(len(CONTENT) - begin) // 2)

    def nothing(self, begin: int) -> None:
        self._answer(CONTENT[begin:], begin, send=0)

    def page(self, begin: int) -> None:
        self._answer(b"<html>Please log in</html>", 0)

    def endless(self, begin: int) -> None:
        self.send_response(200)  # no Content-Length: the end of the connection is the end of the file
        self.end_headers()
        self.wfile.write(CONTENT + b"more")

    def missing(self, begin: int) -> None:
        self.send_error(404)

    def broken(self, begin: int) -> None:
        self.send_error(500)

    def closed(self, begin: int) -> None:
        self.close_connection = True  # without a word

    def silent(self, begin: int) -> None:
        self.server.released.wait(5)

    def _answer(self, content: bytes, begin: int, send: int | None = None) -> None:
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content)))
        if begin:
            end = begin + len(content) - 1
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(content if send is None else content[:send])

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.released = threading.Event()

    def mirrors(self, *manners: str) -> list[str]:
        return [f"http://127.0.0.1:{self.server_port}/{manner}/" for manner in manners]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def fetch(folder: Path, mirrors: list[str], **options: Any) -> Path:
    return fetch_mnist(folder, mirrors=mirrors, progress=False, files=[FILE], **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "mnist").iterdir())


def leave_part(folder: Path, content: bytes) -> None:
    (folder / "mnist").mkdir()
    (folder / "mnist" / "digits.gz.part").write_bytes(content)


def test_a_good_mirror(server: Server, tmp_path: Path) -> None:
    folder = fetch(tmp_path, server.mirrors("good", "missing"))
    assert folder == tmp_path / "mnist"
    assert (folder / "digits.gz").read_bytes() == CONTENT
    assert names(tmp_path) == ["digits.gz"]
    assert server.requests == [("good", None)]


def test_the_folder_of_the_environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "new"))
    folder = fetch_mnist(mirrors=server.mirrors("good"), progress=False, files=[FILE])
    assert folder == tmp_path / "new" / "mnist"


def test_a_correct_file_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    fetch(tmp_path, server.mirrors("good"))
    fetch(tmp_path, server.mirrors("good"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", [WRONG, CONTENT[:-1]], ids=["corrupt", "short"])
def test_a_wrong_file_is_replaced(server: Server, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "digits.gz").write_bytes(content)
    assert (fetch(tmp_path, server.mirrors("good")) / "digits.gz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "bad", ["missing", "broken", "closed", "corrupt", "truncated", "nothing", "page", "endless", "silent"]
)
def test_the_next_mirror_is_tried(server: Server, tmp_path: Path, bad: str) -> None:
    fetch(tmp_path, server.mirrors(bad, "good"), timeout=0.3 if bad == "silent" else 10)
    assert (tmp_path / "mnist" / "digits.gz").read_bytes() == CONTENT
    assert names(tmp_path) == ["digits.gz"]


@pytest.mark.parametrize(
    ("bad", "reason", "left"),
    [
        ("missing", "404", []),
        ("broken", "500", []),
        ("closed", "closed", []),
        ("silent", "timed out", []),
        ("corrupt", f"expected the SHA-256 {FILE.sha256}, got", []),
        ("endless", "expected 256,000 bytes, got more", []),
        ("page", "expected 256,000 bytes, the server announces 26", []),
        ("nothing", "bytes", []),
        ("truncated", "bytes", ["digits.gz.part"]),
    ],
)
def test_what_is_said_and_left_when_all_fail(
    server: Server, tmp_path: Path, bad: str, reason: str, left: list[str]
) -> None:
    mirrors = server.mirrors("missing", bad)
    with pytest.raises(ConnectionError, match=r"digits.gz: no mirror gave the file") as error:
        fetch(tmp_path, mirrors, timeout=0.3 if bad == "silent" else 10)
    assert all(mirror in str(error.value) for mirror in mirrors)
    assert reason in str(error.value)
    assert names(tmp_path) == left


def test_no_server_at_all(server: Server, tmp_path: Path) -> None:
    with Server() as gone:
        mirrors = gone.mirrors("good")
    with pytest.raises(ConnectionError, match="refused"):
        fetch(tmp_path, mirrors)


def test_a_broken_download_is_continued_by_the_next_mirror(server: Server, tmp_path: Path) -> None:
    fetch(tmp_path, server.mirrors("truncated", "good"))
    assert server.requests == [("truncated", None), ("good", f"bytes={HALF}-")]


def test_a_broken_download_is_continued_by_the_next_call(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server.mirrors("truncated"))
    fetch(tmp_path, server.mirrors("good"))
    assert server.requests[1:] == [("good", f"bytes={HALF}-")]
    assert names(tmp_path) == ["digits.gz"]


def test_a_server_that_ignores_range_sends_all_again(server: Server, tmp_path: Path) -> None:
    leave_part(tmp_path, CONTENT[:100])
    fetch(tmp_path, server.mirrors("no_range"))
    assert server.requests == [("no_range", "bytes=100-")]
    assert (tmp_path / "mnist" / "digits.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("manner", ["page", "wrong_range", "broken"])
def test_a_useless_answer_keeps_the_half_that_is_there(server: Server, tmp_path: Path, manner: str) -> None:
    leave_part(tmp_path, CONTENT[:HALF])
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server.mirrors(manner))
    assert (tmp_path / "mnist" / "digits.gz.part").read_bytes() == CONTENT[:HALF]


def test_a_half_with_a_fault_in_it_is_downloaded_from_the_start(server: Server, tmp_path: Path) -> None:
    leave_part(tmp_path, b"x" * 100)
    fetch(tmp_path, server.mirrors("good"))
    assert server.requests == [("good", "bytes=100-"), ("good", None)]
    assert (tmp_path / "mnist" / "digits.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [WRONG, CONTENT + b"more"], ids=["corrupt", "long"])
def test_a_part_as_long_as_the_file_or_longer_is_dropped(server: Server, tmp_path: Path, content: bytes) -> None:
    leave_part(tmp_path, content)
    fetch(tmp_path, server.mirrors("good"))
    assert server.requests == [("good", None)]
    assert names(tmp_path) == ["digits.gz"]


def test_an_old_file_stays_when_all_fail(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "digits.gz").write_bytes(b"my own copy")
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server.mirrors("corrupt", "truncated"))
    assert (tmp_path / "mnist" / "digits.gz").read_bytes() == b"my own copy"


def test_progress_is_shown_on_request(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(tmp_path, server.mirrors("good"))
    assert capsys.readouterr().err == ""
    fetch_mnist(tmp_path / "b", mirrors=server.mirrors("good"), files=[FILE])
    assert "digits.gz" in capsys.readouterr().err


def test_no_mirrors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one address"):
        fetch(tmp_path, [])


def test_the_four_files() -> None:
    assert len(MNIST_FILES) == 4
    assert sum(file.size for file in MNIST_FILES) == 11_594_722
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in MNIST_FILES)
