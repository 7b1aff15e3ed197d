"""Files are written whole or not at all, nothing is left beside them; only regular ones are read."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from nnlite import Network, load, pictures
from nnlite.datasets import fetch_mnist
from nnlite.datasets.idx import read_idx
from nnlite.disk import write_bytes
from nnlite.layers import Dense, ReLU
from nnlite.model_based import experts
from nnlite.model_based.generators.generator import load_file as load_generator
from nnlite.training import fit

pytestmark = pytest.mark.once  # see setup.cfg

posix = pytest.mark.skipif(os.name != "posix", reason="signals and permissions are POSIX's")
not_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def run(code, *arguments, **environment):
    """What a process prints that runs this code."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True).stdout


# ------------------------------------------------------------------------------------------------------------ writing

KILLED = """
import os, signal, sys, time
from pathlib import Path
from nnlite.disk import write_bytes

place = Path(sys.argv[1])
most = 0
for n in range(100):
    child = os.fork()
    if child == 0:
        while True:
            write_bytes(place, bytes([n]) * 300_000)
    time.sleep(0.001 * (n % 20))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    most = max(most, sum(1 for _ in place.parent.iterdir()))
print(most)
"""


@posix
def test_after_a_hundred_killed_writes_the_next_one_leaves_nothing_beside_the_file(tmp_path):
    place, other = tmp_path / "net[1].npz", tmp_path / ".net[1].npz.txt"
    other.touch()
    write_bytes(place, b"old")
    most = int(run(KILLED, place))
    assert most >= 3, "no write was interrupted"
    content = place.read_bytes()
    assert content in {b"old", content[:1] * 300_000}
    write_bytes(place, b"new")
    assert sorted(tmp_path.iterdir()) == [other, place]
    assert place.read_bytes() == b"new"


def test_many_writers_at_once_do_not_disturb_each_other(tmp_path):
    place, errors = tmp_path / "file", []

    def write(n):
        try:
            for _ in range(20):
                write_bytes(place, bytes([n]) * 10_000)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(place.read_bytes())) == 1
    assert list(tmp_path.iterdir()) == [place]


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, mask):
    code = f"import os, sys; os.umask({mask}); from nnlite.disk import write_bytes; write_bytes(sys.argv[1], b'')"
    run(code, tmp_path / "file")
    assert mode(tmp_path / "file") == 0o666 & ~mask


@posix
@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o666])
def test_a_file_keeps_its_permissions(tmp_path, permissions):
    place = tmp_path / "net.npz"
    Network([ReLU()]).save(place)
    place.chmod(permissions)
    Network([Dense(np.eye(2))]).save(place)
    assert load(place).names == ("dense1",)
    assert mode(place) == permissions


@posix
def test_the_umask_is_never_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", None)  # another thread would make its files with it
    Network([ReLU()]).save(tmp_path / "net.npz")
    assert load(tmp_path / "net.npz").names == ("relu1",)


def test_an_error_of_the_system_names_the_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*net\.npz'"):
        Network([ReLU()]).save(tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []


@not_root
def test_a_file_that_must_not_be_written_to_is_not_replaced(tmp_path):
    place = tmp_path / "net.npz"
    Network([ReLU()]).save(place)
    place.chmod(0o400)
    with pytest.raises(PermissionError, match="must not be written to; choose another name"):
        Network([ReLU()]).save(place)


@posix
def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "net.npz")
    with pytest.raises(PermissionError, match="must not be written to"):
        Network([ReLU()]).save(tmp_path / "net.npz")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_for_mnist_that_cannot_be_written_to_is_named_before_a_download(monkeypatch):
    monkeypatch.setattr("nnlite.datasets.fetch._fetch", None)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    with pytest.raises(OSError, match=r"/proc/self/mnist/.*there is no folder"):
        fetch_mnist("/proc/self")


# ------------------------------------------------------------------------------------------------------------ reading


@pytest.fixture
def at_once():
    """What takes longer than ten seconds fails."""

    def late(*_):
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def resume(path):
    x = np.zeros((1, 2), np.float32)
    network = Network([Dense(np.eye(2, dtype=np.float32))])
    return fit(network, x, np.array([0]), epochs=1, checkpoint=path, resume=True, progress=False)


READERS = [pictures.read, pictures.read_colours, load, experts.load, load_generator, read_idx]


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
@pytest.mark.parametrize("suffix", [".png", ".npy"])
@pytest.mark.parametrize("read", [*READERS, resume], ids=lambda read: f"{read.__module__}.{read.__name__}")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, monkeypatch, at_once, read, suffix, kind):
    path = tmp_path / f"x{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        monkeypatch.chdir(tmp_path)  # the address of a socket may be no longer than about a hundred bytes
        socket.socket(socket.AF_UNIX).bind(path.name)
    with pytest.raises(ValueError, match=r"x\.(png|npy)"):
        read(path)


def test_a_damaged_header_is_said_without_a_warning_of_numpys(tmp_path, recwarn):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(3))
    path.write_bytes(path.read_bytes().replace(b"'<f8'", rb"'\$8'"))
    with pytest.raises(ValueError, match=r"x\.npy: expected an array of numbers"):
        pictures.read(path)
    assert not recwarn.list
