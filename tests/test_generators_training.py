"""Training generators: the bound rises, the players move, the same seed gives the same bits, a stopped run goes on."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite.model_based import generators
from nnlite.model_based.generators import Generator, recipes, training
from nnlite.model_based.generators.recipes import RECIPES, Recipe
from nnlite.training import checkpoint

SHORT = {
    "vae": Recipe(epochs=3, rate=3e-3, digits=64, batch_size=32),
    "gan": Recipe(epochs=3, rate=1e-3, digits=64, batch_size=32),
    "dcgan": Recipe(epochs=3, rate=1e-3, warmup=1, digits=64, batch_size=32),
}


@pytest.fixture(autouse=True)
def few_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "HELD_OUT_DIGITS", 50)


@cache
def teacher() -> Generator:
    return generators.load("vae")


def train(name: str, place: Path | None = None, resume: bool = False, **changes: Any) -> tuple[Generator, Any]:
    recipe = replace(SHORT[name], **changes)
    return training.train(
        name, recipe, teacher=None if name == "vae" else teacher(), checkpoint=place, resume=resume, progress=False
    )


def bits(g: Generator, folder: Path) -> bytes:
    g.save(folder / "bits.npz")
    return (folder / "bits.npz").read_bytes()


@pytest.mark.parametrize("name", generators.NAMES)
def test_the_same_seed_gives_the_same_bits_and_another_others(name: str, tmp_path: Path) -> None:
    one, again, other = train(name)[0], train(name)[0], train(name, seed=1)[0]
    assert bits(one, tmp_path) == bits(again, tmp_path)
    assert not np.array_equal(one.sample(2), other.sample(2))
    assert (one.encoder is None) == (name != "vae")


class Stopped(Exception):
    pass


@pytest.mark.parametrize(("name", "epochs"), [("vae", 1), ("gan", 2), ("dcgan", 1), ("dcgan", 2)])
def test_a_stopped_run_goes_on_to_the_same_bits(
    name: str, epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write, written = tmp_path / "run", checkpoint.write, []

    def stop(*arguments: Any) -> None:
        write(*arguments)
        written.append(1)
        if len(written) == epochs:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", stop)
        with pytest.raises(Stopped):
            train(name, place)
    g, history = train(name, place, resume=True)
    whole, expected = train(name)
    assert bits(g, tmp_path) == bits(whole, tmp_path)
    assert [{**epoch, "seconds": 0} for epoch in history] == [{**epoch, "seconds": 0} for epoch in expected]


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train("gan", tmp_path / "run")
    for changes, words in (
        ({"rate": 0.1}, "rate: expected 0.1, found 0.001"),
        ({"weight": 1.0}, "weight: expected 1.0, found 0.01"),
        ({"digits": 65}, "data: expected"),
        ({"seed": 5}, "seed: expected 5, found 0"),
    ):
        with pytest.raises(ValueError, match=words):
            train("gan", tmp_path / "run", resume=True, **changes)
    with pytest.raises(ValueError, match="model: expected dcgan, found gan"):
        train("dcgan", tmp_path / "run", resume=True)


def test_the_bound_rises_over_the_epochs() -> None:
    """Not at every step, which sees one batch and one draw; but from epoch to epoch at this rate, and held out."""
    _, history = train("vae", epochs=5, digits=600)
    losses, bounds = [epoch["loss"] for epoch in history], [epoch["held_out_bound"] for epoch in history]
    assert losses == sorted(losses, reverse=True)
    assert bounds == sorted(bounds)
    assert bounds[-1] > bounds[0] + 50


def test_the_warmup_is_reconstruction_alone() -> None:
    _, history = train("dcgan", epochs=4, warmup=3)
    assert [sorted(set(epoch) - {"seconds"}) for epoch in history] == [
        *[["reconstruction"]] * 3,
        ["discriminator", "generator", "reconstruction"],
    ]
    kept = [epoch["reconstruction"] for epoch in history]
    assert kept[:3] == sorted(kept[:3], reverse=True)


def test_the_encoder_of_the_teacher_stays_as_it_is() -> None:
    g, _ = train("gan")
    x, labels = recipes.digits(64)
    np.testing.assert_array_equal(
        g.codes, training.class_means(teacher().encoder, x, labels).astype(np.float16).astype(np.float32)
    )
    assert not np.array_equal(g(g.codes), teacher()(g.codes))


def test_the_shipped_generators_were_made_by_their_recipes() -> None:
    for name in generators.NAMES:
        info = generators.load(name).info
        assert {key: info[key] for key in vars(RECIPES[name])} == vars(RECIPES[name])


def test_divergence_is_named() -> None:
    with pytest.raises(FloatingPointError, match="epoch 1, step"):
        train("vae", rate=1e30)


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_a_teacher_is_needed(name: str) -> None:
    for none in (None, replace(teacher(), encoder=None)):
        with pytest.raises(ValueError, match=f"{name} learns from a generator with an encoder: give teacher="):
            training.train(name, SHORT[name], teacher=none)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no recipe for a generator 'wgan'"):
        training.train("wgan", SHORT["gan"], teacher=teacher())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs takes a positive integer, got 0"),
        ({"epochs": 2, "warmup": 2}, "epochs must be more than the warmup of 2"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"rate": float("nan")}, "rate must be a finite number"),
        ({"weight": -1.0}, "weight must be from 0"),
        ({"digits": 9}, "digits takes 10 or more"),
        ({"seed": -1}, "seed takes an integer from 0"),
        ({"batch_size": 1.5}, "batch_size takes a positive integer"),
    ],
)
def test_recipes_out_of_range_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(SHORT["gan"], **changes)
