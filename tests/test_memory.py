"""What would need more than NNLITE_MEMORY is refused in words, before there is room made for it."""

import gzip
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from nnlite import Network, datasets, kernels, load, memory, pictures
from nnlite.datasets.letters import letters
from nnlite.decision_based import saliency, upsampled
from nnlite.layers import Conv2d, ConvTranspose2d, Dense, Flatten, GlobalAvgPool, ReLU
from nnlite.model_based.deepdream import resized

pytestmark = pytest.mark.once  # see setup.cfg

MEASURE = """
import resource, sys
import numpy as np
from PIL import GifImagePlugin, BmpImagePlugin, Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from nnlite import load, pictures
from nnlite.datasets.idx import read_idx

read = {"picture": pictures.read, "network": load, "idx": read_idx}[sys.argv[1]]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read(sys.argv[2])
    print("read")
except ValueError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def measured(kind, path, budget="200M"):
    """What is said of a file in a process that may use so much memory, and by how many megabytes it grew."""
    pytest.importorskip("resource")
    environment = {**os.environ, "NNLITE_MEMORY": budget}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, kind, str(path)],
        env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    said, grown = done.stdout.splitlines()
    return said, int(grown)


# ----------------------------------------------------------------------------------------------------------- pictures


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def webp(width, height):
    data = b"\x2f" + struct.pack("<I", (width - 1) | ((height - 1) << 14)) + bytes(9)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif(width, height):
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"


def bmp(width, height):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def npy(*shape):
    file = io.BytesIO()
    np.save(file, np.zeros(1, np.uint8))
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return file.getvalue()[:8] + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize("make", [png, webp, gif, bmp])
def test_a_picture_is_refused_by_the_size_that_it_states(tmp_path, make):
    path = tmp_path / f"small.{make.__name__}"
    path.write_bytes(make(13000, 13000))
    assert path.stat().st_size < 30_000
    said, grown = measured("picture", path)
    assert "(13000 × 13000 pixels) needs 5.7G of memory, and NNLITE_MEMORY allows 200.0M" in said
    assert grown < 30


def test_a_sparse_npy_is_refused_by_its_header(tmp_path):
    path = tmp_path / "sparse.npy"
    with path.open("wb") as file:
        file.write(npy(10_000, 15_000))
        file.truncate(128 + 10_000 * 15_000)
    said, grown = measured("picture", path)
    assert (
        "sparse.npy: an array of the shape (10000, 15000) needs 1.3G of memory, and NNLITE_MEMORY allows 200.0M" in said
    )
    assert grown < 30


@pytest.mark.parametrize("large", [(2600, 2200), (790, 780)])
def test_a_picture_within_the_budget_stays_within_it(tmp_path, large):
    path = tmp_path / "photo.png"
    Image.new("RGB", large, "red").save(path)
    said, grown = measured("picture", path)
    assert said == "read"
    assert grown < 200


def test_the_budget_can_be_raised(tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    Image.new("L", (600, 600), 255).save(path)
    monkeypatch.setenv("NNLITE_MEMORY", "10M")
    with pytest.raises(memory.TooLarge, match=r"needs 12\.4M of memory.* set NNLITE_MEMORY higher"):
        pictures.read(path)
    monkeypatch.setenv("NNLITE_MEMORY", "13M")
    assert pictures.read(path).shape == (600, 600)


# -------------------------------------------------------------------------------------------------------------- files


def test_of_a_gzip_idx_no_more_is_unpacked_than_its_header_states(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\0\0\x08\x02" + struct.pack(">II", 2, 3))
        for _ in range(600):
            file.write(bytes(1_000_000))
    said, grown = measured("idx", path)
    assert "for the shape (2, 3): expected 6, found 7 or more" in said
    assert grown < 30


def test_an_idx_that_states_more_than_the_budget_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\0\0\x08\x02" + struct.pack(">II", 600, 1_000_000))
        for _ in range(600):
            file.write(bytes(1_000_000))
    said, grown = measured("idx", path)
    assert "bomb.gz: an array of the shape (600, 1000000) needs 1.1G of memory, and NNLITE_MEMORY allows 200.0M" in said
    assert grown < 30


def test_a_network_file_is_no_larger_in_memory_than_on_the_disk(tmp_path):
    path = tmp_path / "net.npz"
    Network([Dense(np.ones((4000, 4000), np.float32))]).save(path)
    said, grown = measured("network", path)
    assert said == "read"
    assert grown < 110  # 61 of them are the weights
    said, grown = measured("network", path, "50M")
    assert "net.npz needs 61.0M of memory, and NNLITE_MEMORY allows 50.0M" in said
    assert grown < 10


# ----------------------------------------------------------------------------------------------------------- networks


def enlarging(**more):
    edge = np.ones((1, 1, 3, 3), np.float32)
    return Network([Conv2d(edge), ConvTranspose2d(edge, stride=3000), Flatten()], **more)


def test_a_network_is_refused_by_the_size_of_its_activations(tmp_path):
    with pytest.raises(
        ValueError, match=r"input of the shape \(1, 1, 14, 14\) needs 16.2G of memory, and NNLITE_MEMORY"
    ):
        enlarging(input_shape=(1, 14, 14))
    with pytest.raises(ValueError, match=r"input of the shape \(1, 1, 16000, 16000\) needs 5.7G of memory"):
        Network([Conv2d(np.ones((1, 1, 3, 3), np.float32)), ReLU()], input_shape=(1, 16000, 16000))


def test_a_file_of_such_a_network_is_refused_too(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    with monkeypatch.context() as patch:
        patch.setenv("NNLITE_MEMORY", "100G")
        enlarging(input_shape=(1, 14, 14)).save(path)
    assert path.stat().st_size < 2000
    with pytest.raises(ValueError, match=r"net\.npz: Explaining an input .* needs 16.2G of memory"):
        load(path)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("ask", ["forward", "output", "scores", "predict", "saliency"])
def test_an_input_is_refused_before_its_activations_are_made(ask, backend):
    kernels.use(backend)
    net, x = enlarging(), np.zeros((1, 1, 14, 14), np.float32)
    with pytest.raises(
        ValueError, match=r"layer convtranspose1: The output \(1, 1, 33003, 33003\) of .* needs 4.1G of memory"
    ):
        saliency(net, x) if ask == "saliency" else getattr(net, ask)(x)


def test_a_batch_that_exceeds_the_budget_is_refused_or_scored_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    conv = Conv2d(rng.normal(size=(4, 1, 3, 3)))
    net = Network([conv, ReLU(), GlobalAvgPool(), Flatten(), Dense(rng.normal(size=(4, 3)))])
    x = rng.random((40, 1, 250, 250))
    few = net.scores(x[:3])
    monkeypatch.setenv("NNLITE_MEMORY", "100M")
    for ask in (net.forward, lambda x: saliency(net, x)):
        with pytest.raises(ValueError, match=r"input of the shape \(40, 1, 250, 250\) needs .*M of memory"):
            ask(x)
    np.testing.assert_allclose(net.scores(x)[:3], few, rtol=1e-12)


# ------------------------------------------------------------------------------------------------- what is drawn here

LARGE = {
    "strokes": lambda: datasets.strokes(10**7),
    "letters": lambda: letters(2**40),
    "textures": lambda: datasets.textures(10**7),
    "a texture": lambda: datasets.textures(1, size=10**5),
    "an enlarged map": lambda: upsampled(np.ones((1, 4, 4)), 10**5),
    "an enlarged picture": lambda: resized(np.ones((1, 3, 4, 4)), (10**5, 10**5)),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_more_than_the_budget_is_not_drawn(make):
    with pytest.raises(memory.TooLarge, match=r"needs .*G of memory, and NNLITE_MEMORY allows"):
        make()
