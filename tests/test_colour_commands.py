"""explain, step and uncertainty on networks that take red, green and blue, at the network's own size."""

import json
import re
import shlex
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nnlite import Network, cli, kernels, models, pictures
from nnlite.datasets import textures
from nnlite.decision_based.registry import METHODS
from nnlite.layers import Conv2d, Dense, Dropout, Flatten, ReLU
from nnlite.pictures import filling

mpl.use("Agg")
import matplotlib.pyplot as plt

X = textures(1, models.HELD_OUT_SEED, start=3)[0]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLITE_BACKEND", kernels.backend())  # of a command, and of what it is compared with


@pytest.fixture
def command(capsys):
    def run(line):
        code = cli.main(shlex.split(line))
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return run


@pytest.fixture
def own():
    """A network in colour with dropout, 12 × 20."""
    rng = np.random.default_rng(0)
    layers = [Conv2d(rng.standard_normal((4, 3, 3, 3)), np.zeros(4)), ReLU(), Flatten(), Dropout(0.5)]
    network = Network([*layers, Dense(rng.standard_normal((4 * 10 * 18, 3)))], input_shape=(3, 12, 20))
    network.astype(np.float32).save("own.npz")
    return network.astype(np.float32)


def explained(x, name="gradient"):
    return METHODS[name].compute(models.load("colour_net"), x, None)


def test_a_texture_is_explained_as_it_was_drawn(command):
    out = command("explain textures:3 --model colour_net --method gradient --out R.npy")
    assert "image      textures:3, a 3\npredicted  3, " in out
    assert np.array_equal(np.load("R.npy"), explained(X))


@pytest.mark.parametrize("form", [X, X[0], np.moveaxis(X[0], 0, -1)], ids=["batch", "channels first", "channels last"])
def test_an_array_of_the_size_is_taken_as_it_is(command, form):
    np.save("x.npy", form)
    command("explain x.npy --model colour_net --method gradient --out R.npy")
    assert np.array_equal(np.load("R.npy"), explained(X))


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "webp", "jpg"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_any_picture_is_brought_to_the_size_and_the_channels(command, own, ending, mode):
    if mode == "RGBA" and ending in ("jpg", "gif"):
        mode = "RGB"
    Image.fromarray((255 * np.moveaxis(X[0], 0, -1)).astype(np.uint8)).resize((90, 70)).convert(mode).save(
        f"p.{ending}"
    )
    command(f"explain p.{ending} --model own.npz --method gradient --out R.npy")
    assert np.load("R.npy").shape == (1, *own.input_shape)


def test_a_digit_is_shown_to_it_in_grey(command):
    command("explain uci:4 --model colour_net --method gradient --out R.npy")
    digit = models.digits("uci", "test")[0][4].repeat(3, axis=0).astype(np.float64)
    assert np.array_equal(np.load("R.npy"), explained(filling(digit, (32, 32))[None]))


@pytest.mark.parametrize(("size", "cut"), [((10, 10), np.s_[:, 0:40, 10:50]), ((20, 30), np.s_[:, 0:40, 0:60])])
def test_the_middle_of_the_picture_fills_the_size(size, cut):
    whole = np.random.default_rng(0).random((3, 40, 60))
    inner = np.s_[:, 1:-1, 1:-1]  # at the border a pixel is a mean with its neighbours outside
    assert np.allclose(filling(whole, size)[inner], filling(whole[cut], size)[inner], atol=1e-6)
    assert np.abs(filling(whole, size).mean() - whole[cut].mean()) < 0.02
    assert np.array_equal(filling(whole, (40, 60)), whole.astype(np.float32))


def test_the_figure_shows_the_colours_and_the_map_over_the_picture(command, monkeypatch):
    figures = []
    monkeypatch.setattr("nnlite.commands.outputs.figure", lambda path, drawn: figures.append(drawn))
    command("explain textures:3 --model colour_net --method lrp-gamma --out heat.png")
    left, right = figures[0].axes[:2]
    assert np.array_equal(left.images[0].get_array(), np.moveaxis(X[0], 0, -1))
    under, over = right.images
    R = explained(X, "lrp-gamma")[0].sum(axis=0)
    assert np.array_equal(over.get_array(), R)
    assert np.allclose(over.get_alpha() ** 2, np.abs(R) / np.abs(R).max())
    assert np.corrcoef(under.get_array().ravel(), X[0].mean(axis=0).ravel())[0, 1] > 0.999
    plt.close("all")


def test_a_map_of_zeros_over_a_picture():
    assert pictures.heatmap(np.zeros((4, 5)), over=np.ones((3, 4, 5))).images[1].get_alpha().max() == 0
    plt.close("all")


@pytest.mark.parametrize("image", ["textures:3", "strokes:4"])
def test_uncertainty_in_colour(command, own, image):
    command(f"uncertainty {image} --model own.npz --draws 3 --method gradient --out maps.npy")
    assert np.load("maps.npy").shape == (3, 1, *own.input_shape)
    command(f"uncertainty {image} --model own.npz --draws 3 --method gradient --out u.png")
    assert Image.open("u.png").size[0] > 1000


def test_step_in_colour(command):
    out = command("step gradient --model colour_net --input textures:3 --layer conv1")
    assert "colour_net on textures:3, a 3, predicted 3" in out
    command("step gradient --model colour_net --input textures:3 --html steps.html")
    (data,) = re.findall(r'id="data">(.*?)</script>', Path("steps.html").read_text(), re.S)
    assert json.loads(data)["x"]["shape"] == [3, 32, 32]
