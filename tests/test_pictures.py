"""A picture of any size and kind becomes what the network was trained on, and whatever is no picture is one error."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnlite import models, pictures
from nnlite.datasets import strokes
from nnlite.training import accuracy, softmax

SIDE = 210
CLOSE = 0.05  # of full ink, a pixel: a hard pen is a little wider than a soft one; another digit is above 0.1


def digit(number=4):
    """A held-out digit, (28, 28)."""
    return strokes(1, seed=models.HELD_OUT_SEED, start=number)[0][0, 0]


def enlarged(grey, side=SIDE):
    return np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC)).clip(0, 1)


INK = enlarged(digit())
DARK = ((1 - INK) * 255).round().astype(np.uint8)
EXPECTED = pictures.to_format(DARK / 255, (28, 28), 20)


def seen(path):
    return pictures.to_format(pictures.read(path), (28, 28), 20)


def write_image(path, image, **options):
    image.save(path, **options)
    return path


# ------------------------------------------------------------------------------------------- every kind of picture


def transparent(colour):
    """Only the opacity shows the digit."""
    pixels = np.full((SIDE, SIDE, 4), colour, np.uint8)
    pixels[..., 3] = 255 - DARK
    return Image.fromarray(pixels)


def on_its_side():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees to see it as it was
    return Image.fromarray(DARK).convert("RGB").transpose(Image.Transpose.ROTATE_90), exif


GREY = Image.fromarray(DARK)
IMAGES = {
    "grey.png": GREY,
    "light-on-dark.png": Image.fromarray(255 - DARK),
    "colour.png": GREY.convert("RGB"),
    "palette.png": GREY.convert("P"),
    "eight-colours.png": GREY.convert("RGB").quantize(8),
    "one-bit.png": GREY.point(lambda v: 255 * (v > 127)).convert("1"),
    "16-bit.png": Image.fromarray(DARK.astype(np.uint16) * 257),
    "grey-and-opacity.png": Image.fromarray(np.stack([0 * DARK, 255 - DARK], -1)),
    "black-on-nothing.png": transparent(0),
    "white-on-nothing.png": transparent(255),
    "photo.jpg": GREY.convert("RGB"),
    "print.jpg": GREY.convert("CMYK"),
    "old.gif": GREY,
    "web.webp": GREY.convert("RGB"),
    "a name with späces 100%.png": GREY,
}


@pytest.mark.parametrize("name", IMAGES)
def test_every_kind_of_picture_shows_the_same_digit(tmp_path, name):
    x = seen(write_image(tmp_path / name, IMAGES[name]))
    assert x.dtype == np.float32
    assert np.abs(x - EXPECTED).mean() < CLOSE


def test_a_photograph_is_turned_upright(tmp_path):
    image, exif = on_its_side()
    assert np.abs(seen(write_image(tmp_path / "a.jpg", image, exif=exif)) - EXPECTED).mean() < CLOSE
    assert np.abs(seen(write_image(tmp_path / "b.jpg", image)) - EXPECTED).mean() > 0.1


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_of_a_film_the_first_picture_counts(tmp_path, ending):
    first, second = GREY.convert("RGB"), Image.new("RGB", GREY.size)
    path = write_image(tmp_path / f"film.{ending}", first, save_all=True, append_images=[second])
    assert np.abs(seen(path) - EXPECTED).mean() < CLOSE


ARRAYS = {
    "uint8": DARK,
    "int64": DARK.astype(np.int64),
    "bool": DARK > 127,
    "float16": (DARK / 255).astype(np.float16),
    "float32": (DARK / 255).astype(np.float32),
    "big-endian": (DARK / 255).astype(">f8"),
    "fortran": np.asfortranarray(DARK),
    "1HW": DARK[None],
    "11HW": DARK[None, None],
    "HW1": DARK[..., None],
    "HW3": np.stack([DARK] * 3, -1),
    "HW4": np.asarray(transparent(0)),
    "zero-or-one": (DARK > 127).astype(np.uint8),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_kind_of_array_shows_the_same_digit(tmp_path, name):
    np.save(tmp_path / "digit.npy", ARRAYS[name])
    assert np.abs(seen(tmp_path / "digit.npy") - EXPECTED).mean() < CLOSE


def test_a_huge_photograph_is_made_smaller_first(tmp_path):
    page = Image.new("L", (4000, 2500), 255)
    page.paste(GREY.resize((900, 900)), (3000, 100))
    grey = pictures.read(write_image(tmp_path / "page.png", page))
    assert 400 <= max(grey.shape) < 800
    assert np.abs(pictures.to_format(grey, (28, 28), 20) - EXPECTED).mean() < CLOSE


@pytest.mark.parametrize("shape", [(1, 5), (3, 3), (3, 700), (400, 3), (1, 3000)])
def test_the_odd_sizes(tmp_path, shape):
    """One pixel of ink is a dot, whatever the shape of the paper."""
    grey = np.full(shape, 255, np.uint8)
    grey[shape[0] // 2, shape[1] // 2] = 0
    np.save(tmp_path / "odd.npy", grey)
    x = seen(tmp_path / "odd.npy")
    assert x.shape == (28, 28)
    assert x.max() == 1


# ------------------------------------------------------------------------------------------- whatever is no picture


class Evil:
    """Unpickling it would leave a mark."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, digit=DARK)
    return buffer.getvalue()


def image_bytes(kind):
    buffer = io.BytesIO()
    GREY.save(buffer, kind)
    return buffer.getvalue()


CLAIMS = b"\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (10000000, 10000000), }".ljust(
    127
)
NO_PICTURES = [
    ("text.png", b"hello", "PNG, JPEG or .npy picture, and it cannot be read"),
    ("empty.png", b"", "cannot be read"),
    ("cut.png", image_bytes("PNG")[:2000], "cannot be read"),
    ("head.png", image_bytes("PNG")[:30], "cannot be read"),
    ("cut.jpg", image_bytes("JPEG")[:1500], "truncated"),
    ("page.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "cannot be read"),
    ("scan.png", image_bytes("TIFF"), "cannot be read"),  # no other formats: Pillow runs a program for some
    ("text.npy", b"hello", "expected an array of numbers"),
    ("empty.npy", b"", "expected an array of numbers"),
    ("cut.npy", npy(DARK)[:500], "truncated"),
    ("claims.npy", CLAIMS + b"\n", "truncated"),
    ("broken.npy", npy(DARK).replace(b"(", b"["), "expected an array of numbers"),
    ("objects.npy", npy(np.array([[Evil()]], object)), "Python objects"),
    ("pickle.npy", pickle.dumps(Evil()), "another kind of file"),
    ("archive.npy", npz(), "another kind of file"),
    ("words.npy", npy(np.array([["a"]])), "expected numbers, got <U1"),
    ("complex.npy", npy(DARK.astype(complex)), "expected numbers, got complex128"),
    ("nan.npy", npy(np.array([[0, np.nan]])), "NaN or infinity"),
    ("inf.npy", npy(np.array([[0, np.inf]])), "NaN or infinity"),
    ("percent.npy", npy(DARK.astype(float)), "got float64 from 0 to 255; divide"),
    ("negative.npy", npy(np.array([[-1.0, 0.0]])), "from -1 to 0"),
    ("deep.npy", npy(DARK.astype(np.uint16) * 257), "got uint16 from 0 to 65535; divide"),
    ("flat.npy", npy(DARK.ravel()), r"got \(44100,\)"),
    ("number.npy", npy(np.float64(1)), r"got \(\)"),
    ("batch.npy", npy(np.stack([DARK] * 5)), r"got \(5, 210, 210\)"),
    ("nothing.npy", npy(np.zeros((0, 5))), r"got \(0, 5\)"),
    ("pair.npy", npy(np.stack([DARK] * 2, -1)), r"got \(210, 210, 2\)"),
]


@pytest.mark.parametrize(("name", "content", "message"), NO_PICTURES, ids=[name for name, *_ in NO_PICTURES])
@pytest.mark.filterwarnings("error")
def test_whatever_is_no_picture_is_one_error(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        pictures.read(name)
    assert str(error.value).startswith(f"{name}: expected ")
    assert os.listdir() == [name]  # nothing was unpickled


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        pictures.read(tmp_path / "no.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="this is a folder"):
        pictures.read(tmp_path / "folder.png")


def test_a_decompression_bomb_is_refused(tmp_path):
    path = write_image(tmp_path / "bomb.png", Image.new("1", (15_000, 12_000)))  # 180 megapixels in 22 kilobytes
    with pytest.raises(ValueError, match="exceeds limit"):
        pictures.read(path)


@pytest.mark.parametrize("size", [(50, 40), (28, 28)])
@pytest.mark.parametrize("value", [0, 0.3, 1])
def test_a_blank_picture_is_refused(size, value):
    with pytest.raises(ValueError, match="blank"):
        pictures.to_format(np.full(size, value, float), (28, 28), 20)


def test_on_the_wrong_side_of_the_paper_a_picture_is_blank():
    with pytest.raises(ValueError, match="blank"):
        pictures.to_format(np.where(INK > 0.5, 0.0, 1.0), (28, 28), 20, invert=False)


# ----------------------------------------------------------------------------------------------- ink, box and centre


FLAGS = (digit() > 0.5).astype(np.uint8)
IN_OTHER_UNITS = {
    "booleans.npy": FLAGS.astype(bool),
    "flags.npy": FLAGS,
    "flags_int64.npy": FLAGS.astype(np.int64),
    "flags_float.npy": FLAGS.astype(np.float32),
    "levels_to_16.npy": (16 * digit()).round().astype(np.int64),
    "levels_to_255.npy": (255 * digit()).round().astype(np.int32),
    "faint.npy": 0.02 * digit(),
    "flags.png": FLAGS,
    "levels_to_16.png": (16 * digit()).round().astype(np.uint8),
}


@pytest.mark.parametrize("name", IN_OTHER_UNITS)
def test_the_units_of_a_picture_do_not_matter_at_the_networks_size_either(tmp_path, name):
    network, values = models.load("lenet"), IN_OTHER_UNITS[name]
    for factor in (1, 2):
        large = np.kron(values, np.ones((factor, factor), values.dtype))
        path = tmp_path / f"{factor}_{name}"
        np.save(path, large) if path.suffix == ".npy" else write_image(path, Image.fromarray(large))
        x = seen(path)[None, None]
        assert x.max() >= 0.9
        assert softmax(network.scores(x))[0, 4] > 0.95


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("read", [pictures.read, pictures.read_colours])
def test_zeros_and_ones_are_black_and_white(tmp_path, read, dtype):
    np.save(tmp_path / "flags.npy", FLAGS.astype(dtype))
    assert np.unique(read(tmp_path / "flags.npy")).tolist() == [0, 1]


def test_what_has_the_format_already_keeps_every_value():
    x = digit() * np.float32(0.9)
    assert np.array_equal(pictures.to_format(x.astype(np.float64), (28, 28), 20), x)
    assert np.abs(pictures.to_format(1 - x.astype(np.float64), (28, 28), 20) - x / x.max()).max() < 0.01


@pytest.mark.parametrize(("height", "width"), [(60, 40), (40, 60), (9, 200)])
def test_the_box_and_the_centre_of_mass(height, width):
    rng = np.random.default_rng(0)
    grey = np.ones((300, 400))
    grey[30 : 30 + height, 150 : 150 + width] = 0.5 * rng.random((height, width))
    x = pictures.to_format(grey, (28, 28), 20)
    rows, cols = np.flatnonzero(x.any(axis=1)), np.flatnonzero(x.any(axis=0))
    assert max(np.ptp(rows), np.ptp(cols)) + 1 == 20
    assert np.abs(x.sum(axis=1) @ np.arange(28) / x.sum() - 13.5) <= 0.5
    assert np.abs(x.sum(axis=0) @ np.arange(28) / x.sum() - 13.5) <= 0.5
    assert x.min() == 0
    assert x.max() == 1


def test_place_and_size_on_the_paper_do_not_matter():
    for top, left, side in ((0, 0, 100), (150, 250, 140), (290, 490, 110)):
        page = np.ones((400, 600))
        page[top : top + side, left : left + side] = 1 - enlarged(digit(), side)
        assert np.abs(pictures.to_format(page, (28, 28), 20) - EXPECTED).mean() < CLOSE


def test_dark_and_light_give_the_same_ink():
    assert np.allclose(pictures.as_ink(1 - INK), pictures.as_ink(INK), atol=1e-5)
    assert np.allclose(pictures.as_ink(1 - INK, invert=True), pictures.as_ink(1 - INK), atol=1e-5)


def test_dust_is_left_out_and_a_second_stroke_is_not():
    page = np.ones((200, 200))
    page[60:140, 90:110] = 0  # one stroke
    page[60:70, 120:150] = 0  # another that does not touch it
    clean = pictures.to_format(page, (28, 28), 20)
    page[195:197, 3:5] = 0
    assert np.array_equal(pictures.to_format(page, (28, 28), 20), clean)
    assert np.ptp(np.flatnonzero(clean.any(axis=0))) > 10


def test_the_paper_is_a_surface_that_ink_on_the_border_does_not_move():
    y, x = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 80), indexing="ij")
    shade = 0.7 + 0.1 * x - 0.08 * y - 0.05 * x * y - 0.06 * x * x + 0.02 * y * y
    inked = shade.copy()
    inked[:, 10:20] = 0.1
    assert np.abs(pictures.paper(inked) - shade).max() < 1e-3


def photograph(grey, rng):
    """A digit on a sheet that is lit from one side: a soft pen, noise, and the losses of JPEG."""
    height, width = (int(n) for n in rng.integers(260, 380, 2))
    side = int(rng.uniform(0.3, 0.8) * min(height, width))
    top, left = int(rng.integers(0, height - side)), int(rng.integers(0, width - side))
    ink = np.zeros((height, width))
    ink[top : top + side, left : left + side] = np.clip(3 * (enlarged(grey, side) - 0.5) + 0.5, 0, 1)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    angle, paper = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 0.95)
    light = 1 - rng.uniform(0.2, 0.45) * (np.cos(angle) * x + np.sin(angle) * y + 1.4) / 2.8
    pixels = 255 * light * (paper - (paper - rng.uniform(0.1, 0.3)) * ink) + rng.normal(0, 5, ink.shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def test_photographs_are_read_nearly_as_well_as_the_digits_themselves(tmp_path):
    rng, network = np.random.default_rng(0), models.load("lenet")
    x, labels = strokes(100, seed=models.HELD_OUT_SEED, start=500)
    (tmp_path / "photo.jpg").write_bytes(b"")
    photographed = np.empty_like(x)
    for i, image in enumerate(x[:, 0]):
        (tmp_path / "photo.jpg").write_bytes(photograph(image, rng))
        photographed[i, 0] = seen(tmp_path / "photo.jpg")
    assert accuracy(network, photographed, labels) >= accuracy(network, x, labels) - 0.05


def test_a_png_whose_checksum_does_not_fit_is_refused(tmp_path):
    """Pillow decodes it all the same, to other pixels."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(tmp_path / "p.png")
    content = bytearray((tmp_path / "p.png").read_bytes())
    content[content.index(b"IDAT") + 700] ^= 1
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"p\.png: expected a PNG.*cannot be read"):
        pictures.read(tmp_path / "p.png")


@pytest.mark.parametrize(
    "call",
    [
        lambda: pictures.as_ink([[0.0, 1.0]]),
        lambda: pictures.paper(np.zeros(3)),
        lambda: pictures.paper(np.eye(3) * 1j),
        lambda: pictures.as_ink(np.ma.masked_array(np.eye(9), np.eye(9) > 0)),
        lambda: pictures.as_ink(np.eye(9) * np.nan),
        lambda: pictures.in_box(np.zeros((9, 9)), (8, 8), 6),
        lambda: pictures.in_box(np.eye(9), (8, 8), 9),
        lambda: pictures.in_box(np.eye(9), (8, 0), 6),
        lambda: pictures.to_format(np.eye(9), "8", 6),
        lambda: pictures.filling(np.eye(9), (8, 8)),
        lambda: pictures.filling(np.ones((3, 0, 2)), (8, 8)),
        lambda: pictures.read_colours("missing.png", large=0),
    ],
)
def test_whatever_is_no_picture_in_memory_is_a_value_error(call):
    with pytest.raises(ValueError, match=r"takes|blank|at least 1"):
        call()
