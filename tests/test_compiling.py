"""Commands that ask a network thousands of times compile it; --no-compile switches that off; one line says how long."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, cli, kernels, models
from nnlite.commands import compiling, dream, maximize, train_classifier, visualize

COMMANDS = {
    "maximize --class 4 --steps 2": (maximize, "general"),
    "visualize --layer conv2 --channel 7 --steps 2 --held-out 0": (visualize, "visualize"),
    "dream textures:3 --layer relu1 --steps 1 --octaves 1": (dream, "deepdream"),
    "train --model tiny --epochs 1": (train_classifier.training, "fit"),
}


class Seen(ValueError):
    pass


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("off", [False, True])
def test_long_commands_compile_unless_told_not_to(
    line: str, off: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name = COMMANDS[line]
    seen: list[bool] = []

    def ask(network: Network, *_: Any, **options: Any) -> None:
        seen.append(bool(options.get("compile", network.program is not None)))
        raise Seen

    monkeypatch.setattr(module, name, ask)
    if module is maximize:
        form, formula = maximize.FORMS["general"]
        monkeypatch.setitem(maximize.FORMS, "general", (functools.wraps(form)(ask), formula))
    out = tmp_path / ("out.npz" if line.startswith("train") else "out.png")
    assert cli.main([*line.split(), "--out", str(out), *(["--no-compile"] if off else [])]) == 2
    assert seen == [not off]


def test_explain_tour_and_step_do_not_compile() -> None:
    for line in ("explain strokes:4 --method saliency --out x.png", "tour", "step strokes:4 --layer dense1"):
        assert not hasattr(cli.parser().parse_args(line.split()), "compile")


@pytest.mark.parametrize("set_by_user", ["numba", "numpy", None])
@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        ("explain 4 --method lrp-gamma --out R.npy", "numpy"),
        ("step gradient", "numpy"),
        ("explain 4 --method occlusion --out R.npy", None),
    ],
)
def test_one_walk_runs_in_numpy_unless_the_user_says_otherwise(
    line: str, chosen: str | None, set_by_user: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NNLITE_BACKEND", raising=False)
    if set_by_user:
        monkeypatch.setenv("NNLITE_BACKEND", set_by_user)
    seen: list[str] = []
    before = kernels.backend()

    def ask(*_: Any) -> None:
        seen.append(kernels.backend())
        raise Seen

    monkeypatch.setattr("nnlite.commands.checks.network", ask)
    assert cli.main(line.split()) == 2
    assert seen == [before if set_by_user else chosen or before]
    assert kernels.backend() == before


def test_long_compiling_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    kernels.use("numba")
    monkeypatch.setattr(compiling, "WORTH_A_LINE", 0)
    from numba import njit

    with compiling.told(argparse.Namespace(compile=True)):
        assert njit(lambda x: x + 1)(1) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nnlite: compiled in ")
    assert err.endswith(" s\n")
    with compiling.told(argparse.Namespace(compile=False)):
        assert njit(lambda x: x + 2)(1) == 3
    assert capsys.readouterr().err == ""


def test_masks_count_in_a_network_that_ran_without_them() -> None:
    """A draw of a compiled network is asked with its masks, whatever ran before."""
    network, x = models.load("lenet_dropout"), np.random.default_rng(0).random((3, 1, 28, 28), np.float32)
    fast = network.compile()
    fast.scores(x)
    for shape in (x.shape, (1, 28, 28)):
        np.testing.assert_allclose(fast.sample(0, shape).scores(x), network.sample(0, shape).scores(x), atol=1e-4)
    np.testing.assert_allclose(fast.scores(x), network.scores(x), atol=1e-4)
