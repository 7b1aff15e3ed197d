"""`nnlite verify`: what it prints and writes, its exit codes, and one clear line for every mistake."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.commands import verify
from nnlite.decision_based import lrp
from nnlite.layers import Dense, Embedding, SelfAttention, Softmax, Take
from nnlite.verify import libraries, report, theirs
from nnlite.verify.examples import example
from nnlite.verify.variants import variants

HERE = libraries.missing("torch") is None


def run(*arguments: Any) -> int:
    """The exit code of the command."""
    parser = argparse.ArgumentParser()
    verify.arguments(parser)
    try:
        verify.run(parser.parse_args(list(map(str, arguments))))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "missing", lambda library: libraries.INSTALL[library])
    monkeypatch.setattr(libraries, "version_of", lambda library: "")


@pytest.mark.usefixtures("none_installed")
def test_without_any_library_nothing_was_checked_and_it_says_what_to_install(tmp_path: Path, capsys: Any) -> None:
    assert run("--model", "dense", "--out", tmp_path / "results") == 1
    printed = capsys.readouterr().out
    assert "Nothing was checked" in printed
    assert "All as expected" not in printed
    assert "not installed" in printed
    assert "pip install" in printed
    content = json.loads((tmp_path / "results" / "verify.json").read_text())
    assert not content["as_expected"]
    assert {row["verdict"] for row in content["rows"]} == {"not installed"}
    page = (tmp_path / "results" / "verify.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "http" not in page


@pytest.mark.skipif(not HERE, reason="PyTorch is not installed")
def test_the_table_and_the_files(tmp_path: Path, capsys: Any) -> None:
    assert (
        run("--model", "padding", "--method", "gradient", "--json", tmp_path / "a.json", "--page", tmp_path / "a.html")
        == 0
    )
    printed = capsys.readouterr().out
    assert "agrees" in printed
    assert "All as expected" in printed
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert rows[0]["method"] == "gradient"
    assert rows[0]["relative"] < 1e-10
    assert "<code>gradient</code>" in (tmp_path / "a.html").read_text()


@pytest.mark.skipif(not HERE, reason="PyTorch is not installed")
@pytest.mark.parametrize("model", ["tiny", "colour_net"])
def test_a_shipped_network_reads_what_it_was_trained_on(model: str, capsys: Any) -> None:
    assert run("--model", model, "--method", "gradient", "--samples", 1) == 0
    assert "All as expected" in capsys.readouterr().out


@pytest.mark.skipif(not HERE, reason="PyTorch is not installed")
def test_where_no_row_can_be_compared_nothing_was_checked(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    layers = [Dense(rng.normal(size=(4, 3))), Softmax(), Dense(rng.normal(size=(3, 2)))]
    Network(layers, input_shape=(4,)).save(tmp_path / "net.npz")
    assert run("--network", tmp_path / "net.npz", "--method", "deeplift") == 1
    assert "1 not comparable. Nothing was checked." in capsys.readouterr().out


@pytest.mark.skipif(not HERE, reason="PyTorch is not installed")
def test_an_unexpected_verdict_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from nnlite.verify.families import gradients

    right = gradients.gradient
    monkeypatch.setattr(gradients, "gradient", lambda *given: right(*given) * (1 + 1e-5))
    assert run("--model", "dense", "--method", "gradient") == 1
    printed = capsys.readouterr().out
    assert "!! differs, unexplained" in printed
    assert "NOT as expected" in printed


MODULE = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))

def with_inputs():
    return build(), torch.rand(2, 1, 8, 8)

class Sorted(nn.Module):
    def forward(self, x):
        return x + torch.sort(x)

def ordered():
    return nn.Sequential(nn.Flatten(), Sorted())

def broken():
    raise RuntimeError("no weights")

def number():
    return 3
"""


@pytest.mark.skipif(not HERE, reason="PyTorch is not installed")
@pytest.mark.parametrize("more", [["build", "--shape", "1,8,8", "--samples", "2"], ["with_inputs"]])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_module_of_ones_own(tmp_path: Path, capsys: Any, more: list[str], dtype: str) -> None:
    (tmp_path / "own.py").write_text(MODULE)
    code = run("--torch", f"{tmp_path / 'own.py'}:{more[0]}", *more[1:], "--method", "gradient", "--dtype", dtype)
    assert code == 0
    assert "your module as it is" in capsys.readouterr().out


WRONG: dict[str, tuple[list[str], str]] = {
    "no such model": (["--model", "nope"], "lenet.*vgg16.*padding.*there is no 'nope'"),
    "no such method": (["--model", "dense", "--method", "magic"], "no comparison of a method 'magic'.*lrp-gamma"),
    "samples": (["--samples", "0"], "--samples takes an integer from 1, got 0"),
    "target": (["--model", "dense", "--target", "9"], "target takes classes from 0 to 3, got 9"),
    "shape": (["--model", "dense", "--shape", "a,b"], "--shape takes positive integers such as 3,32,32"),
    "shape of another network": (["--model", "dense", "--shape", "5"], r"x takes the shape \(N, 12\)"),
    "input is no array": (["--model", "dense", "--input", "FOLDER/own.py"], "own.py: expected an array of numbers"),
    "input is no numbers": (["--model", "dense", "--input", "FOLDER/words.npy"], "expected numbers, got <U4"),
    "no input": (["--model", "dense", "--input", "FOLDER/none.npy"], r"at least one input.*\(0, 12\)"),
    "input is not there": (["--model", "dense", "--input", "FOLDER/x.npy"], "x.npy"),
    "out is a file": (["--out", "FOLDER/own.py"], "--out takes a folder, and .*own.py is a file"),
    "ending": (["--json", "FOLDER/a.txt"], "--json takes a name that ends in .json"),
    "no folder": (["--page", "FOLDER/nowhere/a.html"], "--page: .*there is no folder"),
    "theirs without a method": (["--theirs", "FOLDER/R.npy"], "--theirs needs --method"),
    "layers without theirs": (["--theirs-layers", "FOLDER/a.npz"], "--theirs-layers goes with --theirs"),
    "theirs is not there": (["--model", "dense", "--method", "gradient", "--theirs", "FOLDER/no.npy"], "no.npy"),
    "theirs of another shape": (
        ["--model", "dense", "--method", "gradient", "--theirs", "FOLDER/R.npy"], "has the shape",
    ),
    "theirs of no method": (["--model", "dense", "--method", "magic", "--theirs", "FOLDER/R.npy"], "no method 'magic'"),
    "no layers": (
        [
            "--model", "dense", "--input", "FOLDER/ones.npy", "--method", "gradient", "--theirs", "FOLDER/ones.npy",
            "--theirs-layers", "FOLDER/none.npz",
        ],
        "maps of layers hold none; expected some of dense3, relu2",
    ),
    "layers are no numbers": (
        ["--model", "dense", "--method", "gradient", "--theirs", "FOLDER/R.npy", "--theirs-layers", "FOLDER/words.npz"],
        "expected numbers, got <U4",
    ),
    "layers are no maps": (
        ["--model", "dense", "--method", "gradient", "--theirs", "FOLDER/R.npy", "--theirs-layers", "FOLDER/own.py"],
        "expected an .npz of maps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("option", ["--input", "--theirs", "--theirs-layers"])
def test_a_damaged_file_is_one_clear_line_wherever_the_damage_is(
    tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theirs, "variants", lambda *given: islice(variants(*given), 1))  # which convention: not here
    ones = np.ones((1, 12))
    np.save(tmp_path / "good.npy", ones)
    np.savez_compressed(tmp_path / "good.npz", input=ones)
    given = {"--input": "good.npy", "--theirs": "good.npy", "--theirs-layers": "good.npz"}
    good = (tmp_path / given[option]).read_bytes()
    rng = np.random.default_rng(0)
    said = []
    for place in [*range(0, len(good), 3), *range(0, 128)]:
        damaged = bytearray(good)
        damaged[place % len(good)] ^= int(rng.integers(1, 256))
        (tmp_path / "damaged").write_bytes(damaged if place % 7 else good[:place])
        names = {**given, option: "damaged"}
        arguments = [part for name, file in names.items() for part in (name, str(tmp_path / file))]
        try:
            run("--model", "dense", "--method", "gradient", *arguments)
        except ValueError as error:  # (a damaged number is no damaged file)
            said.append(str(error))
    assert len(said) > 50
    assert not any("\n" in line for line in said)


WRONG_MODULES: dict[str, tuple[list[str], str]] = {
    "no factory": (["--torch", "own.py"], "--torch takes FILE.py:factory"),
    "no file": (["--torch", "none.py:build"], "there is no file none.py"),
    "no such factory": (["--torch", "FOLDER/own.py:nope"], "has no function nope; it has .*build"),
    "a factory that raises": (["--torch", "FOLDER/own.py:broken"], "broken failed: RuntimeError: no weights"),
    "no module": (["--torch", "FOLDER/own.py:number"], "must give an nn.Module.*got int"),
    "no shape": (["--torch", "FOLDER/own.py:build"], "give --shape"),
    "no counterpart": (["--torch", "FOLDER/own.py:ordered", "--shape", "4"], "sort: it has no counterpart"),
    "a file that raises": (["--torch", "FOLDER/raises.py:build"], "cannot be imported: ZeroDivisionError"),
}


def mistaken(tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "own.py").write_text(MODULE)
    (tmp_path / "raises.py").write_text("1 / 0\n")
    np.save(tmp_path / "R.npy", np.ones((1, 7)))
    np.save(tmp_path / "none.npy", np.ones((0, 12)))
    np.save(tmp_path / "ones.npy", np.ones((1, 12)))
    np.savez(tmp_path / "none.npz")
    np.save(tmp_path / "words.npy", np.array(["some"]))
    np.savez(tmp_path / "words.npz", dense3=np.array(["some"]))
    with pytest.raises((ValueError, OSError), match=expected) as caught:
        run(*(argument.replace("FOLDER", str(tmp_path)) for argument in arguments))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes_are_one_clear_line(tmp_path: Path, mistake: str) -> None:
    mistaken(tmp_path, *WRONG[mistake])


@pytest.mark.skipif(not HERE, reason="PyTorch is not installed")
@pytest.mark.parametrize("mistake", WRONG_MODULES)
def test_mistakes_in_modules_are_one_clear_line(tmp_path: Path, mistake: str) -> None:
    mistaken(tmp_path, *WRONG_MODULES[mistake])


@pytest.mark.skipif(HERE, reason="PyTorch is installed")
def test_a_module_needs_pytorch(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(MODULE)
    with pytest.raises(ValueError, match="torch"):
        run("--torch", f"{tmp_path / 'own.py'}:build", "--shape", "1,8,8")


def test_theirs_by_the_command(tmp_path: Path, capsys: Any) -> None:
    network, x = example("padding", 1)
    network.save(tmp_path / "net.npz")
    np.save(tmp_path / "x.npy", x)
    given = ["--network", tmp_path / "net.npz", "--input", tmp_path / "x.npy", "--method", "lrp-epsilon"]
    np.save(tmp_path / "R.npy", lrp.relevance(network, x))
    assert run(*given, "--theirs", tmp_path / "R.npy") == 0
    assert "verdict    agrees" in capsys.readouterr().out
    signals = lrp.relevance(network, x, start="one", all_layers=True)
    np.save(tmp_path / "R.npy", signals[0])
    np.savez(tmp_path / "maps.npz", **dict(zip(("input", *network.names), signals, strict=True)))
    assert run(*given, "--theirs", tmp_path / "R.npy", "--theirs-layers", tmp_path / "maps.npz") == 1
    printed = capsys.readouterr().out
    assert "differs by convention: start one" in printed
    assert "at the top already" in printed


def test_the_line_of_a_row_that_is_not_as_expected_is_marked() -> None:
    from nnlite.verify import Row

    row = Row("gradient", "torch", "2", "autograd", 1.0, np.inf, None, 1e-10, "differs, unexplained", "why", False)
    assert "!! differs" in report.line(row)
    assert "why" in report.line(row)


def test_networks_of_tokens_are_compared_above_their_embedding(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "text.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def build():\n"
        "    block = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)\n"
        "    return nn.Sequential(nn.Embedding(5, 4), block, nn.Flatten(), nn.Linear(12, 2))\n"
    )
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    assert run("--torch", f"{tmp_path / 'text.py'}:build", "--shape", "3", "--samples", 2, "--method", "gradient") == 0
    assert "All as expected" in capsys.readouterr().out
    E = np.random.default_rng(0).normal(size=(5, 4))
    Network([Embedding(E), SelfAttention(*[E[:4]] * 4, heads=1), Take(0)], input_shape=(3,)).save(tmp_path / "n.npz")
    assert run("--network", tmp_path / "n.npz", "--method", "gradient") == 0
    assert "All as expected" in capsys.readouterr().out
