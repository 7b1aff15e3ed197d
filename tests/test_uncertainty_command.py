"""`nnlite uncertainty`: what it prints and writes, and one line for every mistake."""

import re
import shlex

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nnlite import cli, models
from nnlite.commands import uncertainty
from nnlite.datasets import strokes
from nnlite.uncertainty import dropout_draws, predict
from nnlite.uncertainty.evidential import evidence
from nnlite.uncertainty.explanations import explanations

mpl.use("Agg")

X = strokes(1, seed=models.HELD_OUT_SEED, start=54)[0]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(capsys):
    """Run the command in this process: its exit code, standard output and standard error."""

    def run(line):
        try:
            code = cli.main(["uncertainty", *shlex.split(line)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def value(out, name):
    """The numbers of the line that begins with this name."""
    (line,) = (line for line in out.splitlines() if line.startswith(name))
    return [float(number) for number in re.findall(r"-?\d+\.\d+|\d+", line.removeprefix(name))]


def test_what_it_prints_is_what_the_library_computes(command):
    code, out, err = command("strokes:54 --draws 20 --seed 3 --out u.png")
    assert (code, err) == (0, "")
    draws = dropout_draws(models.load("lenet_dropout"), 20, rng=3)
    said, R = predict(draws, X), explanations(draws, X)
    c = int(said.classes[0])
    assert "image      strokes:54, a 4" in out
    assert value(out, "predicted") == pytest.approx([c, said.mean[0, c], said.std[0, c]], abs=1e-4)
    assert value(out, "entropy")[0] == pytest.approx(said.entropy[0], abs=1e-4)
    assert value(out, "           ")[0] == pytest.approx(said.mutual_information[0], abs=1e-4)
    assert value(out, "Σ R̄")[0] == pytest.approx(R.mean.sum(), abs=1e-3)
    assert 0 <= value(out, "sure")[0] <= 100
    assert Image.open("u.png").size[0] > 1000


def test_the_maps_themselves(command):
    assert command("strokes:54 --draws 5 --method gradient --target 4 --out maps.npy")[0] == 0
    R = explanations(dropout_draws(models.load("lenet_dropout"), 5), X, "gradient", 4)
    assert np.array_equal(np.load("maps.npy"), R.maps)


def test_the_same_command_gives_the_same_bytes(command, tmp_path):
    first, second = ((command("strokes:7 --draws 4 --out a.npy"), (tmp_path / "a.npy").read_bytes()) for _ in range(2))
    assert first == second


def test_an_ensemble(command):
    code, out, _ = command("strokes:54 --model ensemble --method lrp-montavon2019 --out e.svg")
    assert code == 0
    assert "networks   5, an ensemble" in out
    said = predict(models.ensemble(), X)
    assert value(out, "entropy")[0] == pytest.approx(said.entropy[0], abs=1e-4)


def test_an_evidential_network(command):
    code, out, _ = command("strokes:54 --model lenet_evidential --out v.png")
    assert code == 0
    found = evidence(models.load("lenet_evidential"), X)
    assert value(out, "u ")[0] == pytest.approx(found.uncertainty[0], abs=1e-4)
    belief = value(out, "belief")
    assert belief[1::2] == pytest.approx(found.belief[0], abs=1e-3)
    assert sum(belief[1::2]) + found.uncertainty[0] == pytest.approx(1, abs=0.01)


def test_an_evidential_network_of_ones_own(command):
    models.load("lenet_evidential").save("own.npz")
    assert "own.npz, one: its explanation has no spread" in command("strokes:54 --model own.npz --out v.npy")[1]


def test_a_letter_and_a_turned_digit_are_less_sure(command):
    entropies = [
        value(command(f"{image} --model ensemble --method gradient --out a.npy")[1], "entropy")[0]
        for image in ("strokes:74", "letters:5", "strokes:74 --rotate 90")
    ]
    assert entropies[0] < min(entropies[1:])
    _, out, _ = command("letters:5 --rotate 30 --draws 2 --out a.npy")
    assert "image      letters:5, a K, turned by 30 degrees" in out


def test_a_picture_of_ones_own(command):
    Image.fromarray((255 * (1 - X[0, 0].repeat(6, axis=0).repeat(6, axis=1))).astype(np.uint8)).save("digit.png")
    code, out, err = command("digit.png --draws 3 --out u.png")
    assert (code, err) == (0, "")
    assert "image      digit.png\n" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("strokes:5 --draws 0 --out a.png", "--draws takes 2 or more, for one draw alone agrees with itself; got 0"),
        ("strokes:5 --draws 1 --out a.png", "agrees with itself; got 1"),
        ("strokes:5 --model lenet --out a.png", "has none: all its draws would be the same"),
        ("strokes:5 --model ensemble --draws 9 --out a.png", "ensemble draws nothing"),
        ("strokes:5 --model nothing --out a.png", "there is no 'nothing'"),
        ("strokes:5 --method cam --out a.png", "cam does not fit"),
        ("strokes:5 --method lrp --out a.png", "--method takes one of gradient"),
        ("strokes:5 --target 10 --out a.png", "target takes classes from 0 to 9"),
        ("strokes:5 --model lenet_evidential --target 10 --out a.png", "target takes classes from 0 to 9"),
        ("strokes:5 --rotate nan --out a.png", "degrees must be a finite number"),
        ("letters:K --out a.png", "IMAGE takes a file"),
        ("strokes:5 --seed -1 --out a.png", "rng takes a seed"),
        ("strokes:5 --out a.gif", "--out takes a name that ends in"),
        ("strokes:5 --out no/such/a.png", "there is no folder no/such"),
    ],
)
def test_a_mistake_is_one_line(command, line, message, tmp_path):
    code, out, err = command(line)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_every_example_of_the_help_runs(command):
    examples = re.findall(r"^  nnlite uncertainty (.*)$", uncertainty.__doc__, re.M)
    assert len(examples) == 4
    for line in examples:
        assert command(line)[0] == 0
