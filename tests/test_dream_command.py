"""nnlite dream: what it prints and writes, what it takes, and one line for every mistake."""

import os
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnlite import Network, cli, datasets, models, pictures
from nnlite.commands import dream
from nnlite.layers import Conv2d, ReLU
from nnlite.model_based.deepdream import deepdream, resized

FAST = "--octaves 2 --steps 2"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(capsys):
    """Run the command in this process: its exit code, standard output and standard error."""

    def run(line):
        try:
            code = cli.main(shlex.split(line))
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def picture(name, height=70, width=90, channels=3, seed=0):
    """Coloured noise with slow changes, written to a file; its values."""
    noise = np.random.default_rng(seed).random((1, channels, 5, 6))
    values = np.round(255 * resized(noise, (height, width))[0].transpose(1, 2, 0)).astype(np.uint8)
    Image.fromarray(values if channels > 1 else values[..., 0]).save(name)
    return values


def pixels(name):
    with Image.open(name) as image:
        return image.mode, np.asarray(image)


def test_the_dream_is_that_of_the_function(command):
    values = picture("small.png")
    code, out, err = command(f"dream small.png --layer relu2 --size 90 {FAST} --seed 5 --rate 0.03 --out dream.png")
    assert (code, err) == (0, "")
    x = (values.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    dream = deepdream(models.load("colour_net").compile(), x, "relu2", octaves=2, steps=2, rate=0.03, rng=5)
    mode, written = pixels("dream.png")
    assert mode == "RGB"
    assert np.abs(written / 255 - dream.x[0].transpose(1, 2, 0)).max() <= 0.5001 / 255
    before, after = dream.activity[:, 0]
    assert f"grown      ‖a‖² of relu2: {before:.6g} to {after:.6g}\n" in out
    assert "image      small.png, 70 × 90 pixels\n" in out
    assert out.endswith("written    dream.png\n")
    assert sorted(os.listdir()) == ["dream.png", "small.png"]


def test_a_picture_that_did_not_move_is_named(command):
    picture("grey.png", channels=1)
    shut = Network([Conv2d(np.ones((1, 1, 3, 3)), np.array([-10.0])), ReLU()], input_shape=(1, 28, 28))
    shut.save("shut.npz")
    code, out, err = command(f"dream grey.png --model shut.npz --layer relu1 {FAST} --out dream.png")
    assert (code, err) == (0, "")
    assert "‖a‖² of relu1: 0 to 0; the picture did not move: closed ReLUs leave no gradient\n" in out


def test_a_grey_network_dreams_in_grey(command):
    picture("colour.png")
    code, out, err = command(f"dream colour.png --model lenet --layer relu1 --channel 3 {FAST} --out dream.png")
    assert (code, err) == (0, "")
    assert "‖a‖² of channel 3 of relu1: " in out
    mode, written = pixels("dream.png")
    assert mode == "L"
    assert written.shape == (199, 256)  # a small picture is made 256 pixels long


def test_grey_is_weighed_as_the_eye_does(command):
    Image.fromarray(np.tile(np.uint8([255, 0, 0]), (60, 60, 1))).save("red-square.png")
    line = "dream red-square.png --model lenet --layer relu1 --size 60 --octaves 1 --steps 1 --rate 1e-9 --out d.png"
    assert command(line)[0] == 0
    assert (pixels("d.png")[1] == round(0.299 * 255)).all()


def test_a_grey_picture_dreams_in_colour(command):
    picture("grey.png", channels=1)
    assert command(f"dream grey.png --layer relu1 --size 64 {FAST} --rate 0.1 --out dream.png")[0] == 0
    mode, written = pixels("dream.png")
    assert (mode, written.shape) == ("RGB", (50, 64, 3))
    assert np.ptp(written.astype(int), axis=2).max() > 20


def test_tiles_change_nothing(command):
    picture("colour.png", 90, 120)
    for name, tile in (("whole", ""), ("tiles", "--tile 40")):
        assert command(f"dream colour.png --layer relu3 --size 120 {FAST} {tile} --out {name}.png")[0] == 0
    assert np.abs(pixels("whole.png")[1].astype(int) - pixels("tiles.png")[1]).max() <= 2


@pytest.mark.parametrize("source", ["strokes:4", "uci:17", "textures:3"])
def test_held_out_images(command, source):
    code, out, _ = command(f"dream {source} --layer relu1 --size 60 {FAST} --out dream.png")
    assert code == 0
    assert f"image      {source}, 60 × 60 pixels" in out


def test_a_texture_is_drawn_in_the_size_that_is_wanted(command):
    assert command("dream textures:16 --size 50 --layer relu1 --octaves 1 --steps 1 --rate 1e-9 --out d.png")[0] == 0
    texture = datasets.textures(1, seed=models.HELD_OUT_SEED, start=16, size=50)[0][0].transpose(1, 2, 0)
    assert np.array_equal(pixels("d.png")[1], np.round(255 * texture).astype(np.uint8))


def test_a_large_picture_is_made_smaller(command):
    picture("large.jpg", 700, 1400)
    code, out, _ = command("dream large.jpg --layer relu1 --octaves 1 --steps 1 --out dream.png")
    assert code == 0
    assert "320 × 640 pixels" in out


def test_colours_are_read_as_they_are():
    values = picture("colour.png")
    assert np.abs(pictures.read_colours("colour.png") - values / 255).max() < 1e-12
    grey = picture("grey.png", channels=1)
    assert np.abs(pictures.read_colours("grey.png") - grey / 255).max() < 1e-12
    assert pictures.read_colours("colour.png", large=30).shape == (23, 30, 3)
    half = np.dstack([values, np.full(values.shape[:2], 51, np.uint8)])
    Image.fromarray(half).save("half.png")
    assert np.abs(pictures.read_colours("half.png") - (0.2 * values / 255 + 0.8)).max() < 1e-12
    red = np.tile([1.0, 0.0, 0.0], (4, 5, 1))
    np.save("red.npy", red)
    assert np.array_equal(pictures.read_colours("red.npy"), red)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dream no.png --layer relu1 --out d.png", "no.png: there is no such file"),
        ("dream texture:3 --layer relu1 --out d.png", "IMAGE takes a file, or a number as in textures:3"),
        ("dream strokes:10000 --layer relu1 --out d.png", "strokes takes a number from 0 to 9999"),
        ("dream textures:3 --layer relu1 --out d.jpg", "--out takes a name that ends in .png"),
        ("dream textures:3 --layer relu1 --out no/d.png", "there is no folder no"),
        ("dream textures:3 --layer relu7 --out d.png", "There is no layer 'relu7'; the layers are conv1, relu1"),
        ("dream textures:3 --layer relu1 --channel 20 --out d.png", "relu1 has the channels 0 to 19, got 20"),
        ("dream textures:3 --layer relu1 --size 0 --out d.png", "--size takes a positive integer, got 0"),
        ("dream textures:3 --layer relu1 --octaves 0 --out d.png", "octaves takes a positive integer"),
        ("dream textures:3 --layer relu1 --rate nan --out d.png", "rate must be a finite number"),
        ("dream textures:3 --layer relu1 --seed -1 --out d.png", "rng takes a seed"),
        ("dream textures:3 --model resnet50 --layer relu1 --out d.png", "there is no 'resnet50', nor such a file"),
        ("dream textures:3 --model lenet --layer dense1 --out d.png", "images of the network's own size alone"),
        ("dream textures:3 --model shapeless.npz --layer conv1 --out d.png", "a shape it does not state"),
        ("dream textures:3 --layer dense1 --tile 64 --out d.png", "take tile=None, or a layer below it"),
        ("dream textures:3 --layer pool3 --size 12 --out d.png", "octave 1 of 4 has 4 × 4 pixels"),
    ],
)
def test_a_mistake_is_one_line(command, line, message):
    Network([Conv2d(np.ones((1, 1, 3, 3), np.float32))]).save("shapeless.npz")
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("d.png").exists()


def test_the_help_has_examples_that_can_be_given():
    parser = cli.parser()
    lines = [line.strip() for line in (dream.__doc__ or "").splitlines() if line.strip().startswith("nnlite ")]
    assert len(lines) >= 4
    for line in lines:
        assert parser.parse_args(shlex.split(line)[1:]).command == "dream"
