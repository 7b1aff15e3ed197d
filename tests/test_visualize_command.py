"""nnlite visualize: what it prints and writes, its examples, and one line for every mistake."""

import re
import shlex

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nnlite import Network, cli, datasets, models
from nnlite.commands import visualize as module
from nnlite.layers import Conv2d, Dense, Flatten, ReLU
from nnlite.model_based.channels import all_channels
from nnlite.model_based.feature_visualization import visualize
from nnlite.model_based.objectives import Score
from nnlite.model_based.transformations import Jitter, Rotation, Scaling

mpl.use("Agg")

QUICK = "--steps 3 --held-out 20"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(capsys):
    """Run the command in this process: its exit code, standard output and standard error."""

    def run(line):
        try:
            code = cli.main(["visualize", *shlex.split(line)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def examples():
    lines = [line.strip() for line in module.__doc__.splitlines() if line.strip().startswith("nnlite ")]
    assert len(lines) == 5
    return [line.removeprefix("nnlite visualize ") for line in lines]


@pytest.mark.parametrize("line", examples())
def test_the_examples_of_its_help_run(command, line):
    code, printed, errors = command(f"{line} {QUICK}")
    assert (code, errors) == (0, "")
    out = re.search(r"--out (\S+)", line)[1]
    assert printed.endswith(f"held out   20 images\nwritten    {out}\n")
    assert np.asarray(Image.open(out).convert("L")).std() > 10


def test_it_prints_what_was_reached_beside_the_best_of_held_out_digits(command):
    code, printed, _ = command("--layer conv2 --channel 7 --steps 20 --held-out 50 --seed 3 --out x.npy")
    assert code == 0
    lenet = models.load("lenet").compile()
    expected = visualize(
        lenet, ("conv2", 7), steps=20, rng=3, transformations=(Jitter(2), Scaling(0.1), Rotation(10.0))
    )
    assert np.array_equal(np.load("x.npy"), expected.x)
    best = Score(lenet, ("conv2", 7))(datasets.strokes(50, seed=models.HELD_OUT_SEED)[0])[0].max()
    numbers = re.search(r"^channel 7 of conv2   reached +(\S+)   highest held-out +(\S+)$", printed, re.M)
    assert float(numbers[1]) == pytest.approx(expected.activation[0], rel=1e-3)
    assert float(numbers[2]) == pytest.approx(best, rel=1e-3)


def test_all_channels_are_one_each(command):
    _, printed, _ = command(f"--layer conv1 --all {QUICK} --out x.npy")
    assert np.array_equal(np.load("x.npy"), all_channels(models.load("lenet").compile(), "conv1", steps=3).x)
    assert [line.split("   ")[0].strip() for line in printed.splitlines()[:8]] == [f"channel {k}" for k in range(8)]


def test_an_image_that_did_not_move_is_named(command):
    W = np.array([1.0, 0.0]).reshape(2, 1, 1, 1) * np.ones((2, 1, 3, 3))
    layers = [Conv2d(W, np.array([-6.0, -1.0])), ReLU(), Flatten(), Dense(np.ones((72, 2)))]
    Network(layers, input_shape=(1, 8, 8)).save("shut.npz")
    code, printed, errors = command("--model shut.npz --layer relu1 --all --steps 60 --out x.png")
    assert (code, errors) == (0, "")
    first, second = printed.splitlines()[:2]
    assert float(first.split()[-1]) > 1
    assert second.endswith("reached         0   the image did not move: it has no gradient, even where ReLUs leak")


def test_options_reach_the_search(command):
    _, printed, _ = command(f"--class 2 --count 2 --parameterization pixels --jitter 0 --scale 0 --rotate 0 {QUICK} "
                            "--rate 0.1 --total-variation 0.2 --out x.npy")  # fmt: skip
    assert printed.count("score of class 2   reached") == 2
    x = np.load("x.npy")
    assert x.shape == (2, 1, 28, 28)
    assert np.abs(x - 0.5).max() <= 3 * 0.1 + 0.02
    _, printed, _ = command(f"--class 2 --objective log_probability {QUICK} --out x.npy")
    assert "log p(2 | x)   reached" in printed


def test_networks_of_other_images(command):
    _, printed, _ = command(f"--neuron dense1:3 --model tiny {QUICK} --out x.npy")
    assert np.load("x.npy").shape == (1, 1, 8, 8)
    assert "held out   20 images" in printed
    rng = np.random.default_rng(0)
    W, D = rng.normal(size=(4, 3, 3, 3)).astype(np.float32), rng.normal(size=(4 * 36, 2)).astype(np.float32)
    Network([Conv2d(W), ReLU(), Flatten(), Dense(D)], input_shape=(3, 8, 8)).save("colour.npz")
    code, printed, _ = command("--layer conv1 --all --model colour.npz --steps 3 --out x.png")
    assert code == 0
    assert "no images to compare with" in printed
    assert "highest held-out" not in printed
    pixels = np.asarray(Image.open("x.png").convert("RGB")).astype(int)
    assert np.abs(pixels[..., 0] - pixels[..., 2]).max() > 3  # in colour


@pytest.mark.parametrize("together", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("groups", [1, 4, 8, 9, 10, 16, 23])
def test_the_rows_of_a_sheet_are_filled_and_what_belongs_together_stays_in_one(groups, together):
    rows, columns = module._grid(groups * together, together)
    assert columns % together == 0
    assert columns <= max(module.COLUMNS, together)
    assert (rows - 1) * columns < groups * together <= rows * columns
    assert rows * columns - groups * together < rows * together  # no row is shorter by more than one group


def test_of_a_neuron_the_window_is_shown(monkeypatch, command):
    shown = []
    drawn = module._drawn
    monkeypatch.setattr(module, "_drawn", lambda pictures, *rest: shown.extend(pictures) or drawn(pictures, *rest))
    command(f"--neuron conv2:7,3,4 --examples 2 {QUICK} --out x.png")
    assert [x.shape for x, _ in shown] == [(1, 14, 14)] * 3
    assert [text.partition(" ")[0] for _, text in shown[1:]] == ["held-out", "held-out"]


@pytest.mark.parametrize(("line", "message"), [
    ("--layer conv9 --out x.png", "no layer 'conv9'"),
    ("--layer conv9 --all --out x.png", "no layer 'conv9'"),
    ("--layer conv2 --channel 16 --out x.png", "index below 16"),
    ("--class 10 --out x.png", "classes from 0 to 9"),
    ("--neuron conv2 --out x.png", "LAYER:INDEX"),
    ("--channel 3 --class 2 --out x.png", "within a layer"),
    ("--all --class 2 --out x.png", "within a layer"),
    ("--layer conv2 --all --count 2 --out x.png", "leave one out"),
    ("--layer conv2 --objective log_probability --out x.png", "of a class"),
    ("--class 2 --total-variation -1 --out x.png", "a number from 0"),
    ("--class 2 --diversity 1 --out x.png", "give n from 2"),
    ("--class 2 --jitter -1 --out x.png", "pixels takes"),
    ("--class 2 --scale 1 --out x.png", "share takes"),
    ("--class 2 --rotate 200 --out x.png", "degrees takes"),
    ("--class 2 --examples 30 --out x.png", "0 to the 20 images"),
    ("--class 2 --held-out 0 --examples 1 --out x.png", "0 to the 0 images"),
    ("--class 2 --held-out -1 --out x.png", "of images from 0"),
    ("--class 2 --steps 0 --out x.png", "positive integer"),
    ("--class 2 --out x.jpg", "a name that ends in"),
    ("--class 2 --model nothing --out x.png", "there is no 'nothing'"),
    ("--out x.png", "required"),
])  # fmt: skip
def test_a_mistake_is_one_line(command, tmp_path, line, message):
    code, printed, errors = command(f"{QUICK} {line}")
    assert code == 2
    assert printed == ""
    assert errors.count("\n") == 1
    assert message in errors
    assert not list(tmp_path.iterdir())
