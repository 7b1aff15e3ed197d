"""`nnlite train` for generators and the RBM: what it prints and writes, stopping and going on, mistakes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import cli, load, models
from nnlite.model_based import experts, generators
from nnlite.model_based.experts import recipes as expert_recipes
from nnlite.model_based.generators import recipes
from nnlite.training import accuracy, checkpoint, cross_entropy

Command = Callable[[str], tuple[int, str, str]]


@pytest.fixture(autouse=True)
def short_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder; few digits."""
    monkeypatch.chdir(tmp_path)
    short = {
        name: recipes.Recipe(epochs=2, rate=1e-3, digits=64, batch_size=32, warmup=int(name == "dcgan"))
        for name in generators.NAMES
    }
    monkeypatch.setattr(recipes, "RECIPES", short)
    monkeypatch.setattr(recipes, "HELD_OUT_DIGITS", 50)
    monkeypatch.setattr(expert_recipes, "DIGITS", 200)
    monkeypatch.setitem(expert_recipes.OPTIONS, "rbm", {"hidden": 16, "epochs": 2, "rate": 0.03})


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(line: str) -> tuple[int, str, str]:
        try:
            code: Any = cli.main(shlex.split(line))
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def test_the_vae_and_its_bound(command: Command) -> None:
    code, out, err = command("train --model vae --seed 3 --out own.npz")
    assert (code, err) == (0, "")
    assert os.listdir() == ["own.npz"]
    g = generators.load("own.npz")
    held_out = g.info["held_out"]
    assert (g.info["model"], g.info["seed"], held_out["digits"]) == ("vae", 3, 50)
    assert out.startswith(f"own.npz: vae on strokes, bound {held_out['bound']:.2f} nats an image (reconstruction")
    assert "on 50 held-out digits, lenet is sure (p > 0.9) of" in out
    assert g.encoder is not None


def test_the_dcgan_and_its_samples(command: Command) -> None:
    code, out, err = command("train --model dcgan --out own.npz")
    assert (code, err) == (0, "")
    g = generators.load("own.npz")
    drawn = g.info["samples"]
    assert out.startswith(f"own.npz: dcgan on strokes, lenet is sure (p > 0.9) of {drawn['sure']:.1%} of 1000 samples")
    assert f"{np.count_nonzero(drawn['classes'])} classes, {drawn['entropy']:.2f} bits" in out
    assert g.encoder is None
    assert g.codes.shape == (10, 16)


def test_the_rbm(command: Command) -> None:
    code, out, err = command("train --model rbm --epochs 1 --out own.npz")
    assert (code, err) == (0, "")
    assert out.startswith("own.npz: rbm on strokes, 50 held-out digits: squared error of a pixel 0.")
    assert experts.load("own.npz").log_density(np.zeros((2, 1, 28, 28), np.float32)).shape == (2,)


@pytest.mark.parametrize("model", ["gan", "rbm"])
def test_a_stopped_run_goes_on_to_the_same_file(model: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write = checkpoint.write

    def interrupted(*arguments: Any) -> None:
        write(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", interrupted)
        assert command(f"train --model {model} --out own.npz") == (130, "", "nnlite: stopped.\n")
    assert os.listdir() == ["own.npz.checkpoint"]
    code, out, err = command(f"train --model {model} --epochs 3 --out own.npz --resume")
    assert (code, out) == (2, "")
    assert "epochs: expected 3, found 2" in err
    assert command(f"train --model {model} --out own.npz --resume")[0] == 0
    assert command(f"train --model {model} --out whole.npz")[0] == 0
    assert Path("own.npz").read_bytes() == Path("whole.npz").read_bytes()
    assert sorted(os.listdir()) == ["own.npz", "whole.npz"]


def test_a_network_may_have_a_loss_of_its_own(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def loss(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        seen.append(len(labels))
        return cross_entropy(scores, labels)

    monkeypatch.setitem(models.LOSSES, "tiny", loss)
    assert command("train --model tiny --epochs 1 --out own.npz")[0] == 0
    assert sum(seen) == 1438


def test_a_file_of_halves_says_how_good_its_own_numbers_are(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    code = command("train --model tiny --epochs 1 --out whole.npz")[0]
    monkeypatch.setattr(models, "HALF", ("tiny",))
    assert (code, command("train --model tiny --epochs 1 --out half.npz")[0]) == (0, 0)
    network, other = load("half.npz"), load("whole.npz")
    for key, value in network.parameters.items():
        assert np.array_equal(value, other.parameters[key].astype(np.float16).astype(np.float32))
    assert network.info["held_out_accuracy"] == accuracy(network, *models.digits("uci", "test"))
    assert {**network.info, "held_out_accuracy": 0} == {**other.info, "held_out_accuracy": 0}
    assert Path("half.npz").stat().st_size < 0.7 * Path("whole.npz").stat().st_size
    assert sorted(os.listdir()) == ["half.npz", "whole.npz"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --model vae --dataset mnist --out o.npz", ["--dataset is for classifiers", "vae learns from strokes"]),
        ("train --model rbm --folder x --out o.npz", ["--folder is for classifiers", "leave out --folder"]),
        ("train --model gan --epochs 0 --out o.npz", ["--epochs takes an integer from 1, got 0"]),
        ("train --model dcgan --epochs 1 --out o.npz", ["epochs must be more than the warmup of 1, got 1"]),
        ("train --model gan --rate nan --out o.npz", ["--rate takes a finite number above 0", "got nan"]),
        ("train --model rbm --seed -1 --out o.npz", ["--seed takes an integer from 0, got -1"]),
        ("train --model vae --rate 1e30 --out o.npz", ["diverged in epoch 1", "Lower the rate"]),
        ("train --model wgan --out o.npz", ["invalid choice: 'wgan'"]),
        ("train --model vae --out o.png", ["ends in .npz, got o.png"]),
    ],
)
def test_a_mistake_is_one_line(line: str, words: list[str], command: Command) -> None:
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert not [name for name in os.listdir() if name.startswith("o.")]
