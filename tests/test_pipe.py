"""`nnlite COMMAND | head -1`: the files are whole, whoever stops reading, and the command says no more."""

import contextlib
import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nnlite import cli
from nnlite.commands import gallery, prototypes, tour

pytestmark = pytest.mark.once  # see setup.cfg

mpl.use("Agg")

WRITING = [
    ("explain uci:17 --model tiny --out o.png", "o.png"),
    ("explain uci:17 --model tiny --out o.npy", "o.npy"),
    ("step lrp-epsilon --model tiny --html o.html", "o.html"),
    ("maximize --class 3 --model tiny --steps 2 --film o.gif --out o.npy", "o.npy o.gif"),
    ("visualize --class 3 --model tiny --steps 2 --held-out 5 --out o.npy", "o.npy"),
    ("dream strokes:4 --model lenet --layer relu1 --size 28 --octaves 1 --steps 1 --out o.png", "o.png"),
    ("uncertainty strokes:4 --draws 2 --method gradient --out o.npy", "o.npy"),
    ("verify --model tiny --samples 1 --method gradient --out .", "verify.json verify.html"),
    ("train --model tiny --epochs 1 --out o.npz", "o.npz"),
    ("tour --out .", "report.html"),
    ("gallery --out .", "gallery.html"),
]


@pytest.fixture(scope="module")
def one():
    """A digit of the tour, and a row of the gallery."""
    return next(tour.explained_digits()), next(prototypes.rows())


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch, one):
    """Tours and galleries of a digit or a row: the long ones print and write in the same places."""
    monkeypatch.chdir(tmp_path)
    digit, row = one
    monkeypatch.setattr(tour, "explained_digits", lambda: iter([digit] * 3))
    monkeypatch.setattr(tour, "explained_by_cam", lambda: iter([digit]))
    monkeypatch.setattr(tour, "one_that_becomes_six", lambda: None)
    monkeypatch.setattr(gallery, "rows", lambda compile: iter([row]))


@contextlib.contextmanager
def gone(buffering):
    """A standard output whose reader has gone; a buffer of 1 finds it out at the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", buffering) as stream, contextlib.redirect_stdout(stream):
        yield


def whole(name):
    content = Path(name).read_bytes()
    assert content
    if name.endswith((".png", ".gif")):
        with Image.open(name) as image:
            image.load()
    elif name.endswith((".npy", ".npz")):
        np.load(name)
    elif name.endswith(".html"):
        assert content.rstrip().endswith(b"</html>")


@pytest.mark.parametrize(("line", "files"), WRITING, ids=[line.split()[0] + line[-6:] for line, _ in WRITING])
def test_the_files_are_whole_though_nobody_reads(line, files, capsys):
    for buffering in (1, 1, 1, 64, 8192):  # 55 runs together
        with gone(buffering), contextlib.suppress(SystemExit):
            assert cli.main(line.split()) == 0
        for name in files.split():
            whole(name)
            os.remove(name)
        assert os.listdir() == []
    assert capsys.readouterr().err == ""
