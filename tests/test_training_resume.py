"""Checkpoints: a run killed at any moment goes on to the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, kernels, load, storage
from nnlite.layers import Dense, Dropout, ReLU
from nnlite.training import SGD, Adam, AdamW, ConstantRate, Fit, OneCycle, cross_entropy, fit

EPOCHS = 12


def start(dtype: Any = np.float32) -> Network:
    rng = np.random.default_rng(0)
    W1, W2 = rng.standard_normal((5, 20)), rng.standard_normal((20, 3))
    return Network([Dense(W1, np.zeros(20)), ReLU(), Dropout(0.2), Dense(W2, np.zeros(3))]).astype(dtype)


def train(place: Path | None = None, resume: bool = False, **changes: Any) -> Fit:
    rng = np.random.default_rng(1)
    x, labels = rng.standard_normal((150, 5)).astype(np.float32), rng.integers(0, 3, 150)
    arguments = {"held_out": (x[:20], labels[:20]), "epochs": EPOCHS, "batch_size": 32, "seed": 9, **changes}
    arguments = {"network": start(), "x": x, "labels": labels, **arguments}
    return fit(**arguments, checkpoint=place, resume=resume, progress=False)


def bits(result: Fit) -> tuple[Any, ...]:
    """Everything but the clock."""
    arrays = {name: value.tobytes() for name, value in result.network.parameters.items()}
    return arrays, [replace(epoch, seconds=0) for epoch in result.history]


class Stopped(Exception):
    pass


def stopped_after(epochs: int, place: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """A run that is stopped once so many epochs are on the disk."""
    written = 0

    def write(*arguments: Any) -> None:
        nonlocal written
        storage_write(*arguments)
        written += 1
        if written == epochs:
            raise Stopped

    storage_write = storage.write
    with monkeypatch.context() as patch:
        patch.setattr(storage, "write", write)
        with pytest.raises(Stopped):
            train(place, **changes)


# --------------------------------------------------------------------------------------------- killed for real

CHILD = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from nnlite import storage
from test_training_resume import train

place, network, when = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
die = lambda *ignored: os.kill(os.getpid(), signal.SIGKILL)
if when == "half written":
    class Half(storage.io.BytesIO):
        def getvalue(self):
            whole = super().getvalue()
            place.with_name("." + place.name + ".half").write_bytes(whole[: len(whole) // 2])
            die()
    storage.io.BytesIO = Half
elif when == "written, not in place":
    os.replace = die
elif when == "just in place":
    move = os.replace
    os.replace = lambda *paths: (move(*paths), die())
elif when == "in a step":
    import nnlite.training.fit
    task = sys.modules["nnlite.training.fit"]._Classifier
    steps, step = 0, task.step
    def counted(*arguments):
        global steps
        steps += 1
        return die() if steps == 8 else step(*arguments)
    task.step = counted
train(place, resume=True).network.save(network)
"""


def child(place: Path, network: Path, when: str = "") -> subprocess.Popen:
    environment = {**os.environ, "NNLITE_BACKEND": "numpy", "PYTHONPATH": os.pathsep.join(sys.path)}
    code = CHILD.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", code, str(place), str(network), when], env=environment)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_every_kind_of_moment(tmp_path: Path) -> None:
    kernels.use("numpy")
    place, network = tmp_path / "run.npz", tmp_path / "network.npz"
    for when in ("half written", "written, not in place", "in a step", "just in place", "in a step", "half written"):
        assert child(place, network, when).wait(60) == -signal.SIGKILL
        assert not network.exists()
    epochs_done = len(storage.read(place, "checkpoint")[0]["history"])
    assert epochs_done == 3  # 1 in each run that died in its eighth step (five an epoch), 1 just put in place
    assert child(place, network).wait(60) == 0
    expected = train().network
    for name, value in load(network).parameters.items():
        assert value.tobytes() == expected.parameters[name].tobytes()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_random_moments(tmp_path: Path) -> None:
    kernels.use("numpy")
    place, network = tmp_path / "run.npz", tmp_path / "network.npz"
    rng = np.random.default_rng()
    kills = 0
    while kills < 4:
        before = place.stat().st_mtime_ns if place.exists() else 0
        process = child(place, network)
        while process.poll() is None and not (place.exists() and place.stat().st_mtime_ns > before):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.01))
        process.kill()
        if process.wait(60) == 0:
            break
        kills += 1
    assert kills > 0
    assert child(place, network).wait(60) == 0
    expected = train().network
    for name, value in load(network).parameters.items():
        assert value.tobytes() == expected.parameters[name].tobytes()


# --------------------------------------------------------------------------------------------- within a process


@pytest.mark.parametrize("optimizer", [SGD(), SGD(0.9), Adam(), AdamW(weight_decay=0.05)], ids=str)
@pytest.mark.parametrize("epochs", [1, 5, EPOCHS - 1])
def test_stopped_after_an_epoch(optimizer: Any, epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "run.npz"
    stopped_after(epochs, place, monkeypatch, optimizer=optimizer)
    assert len(storage.read(place, "checkpoint")[0]["history"]) == epochs
    assert bits(train(place, resume=True, optimizer=optimizer)) == bits(train(optimizer=optimizer))


def test_without_a_checkpoint_resume_starts(tmp_path: Path) -> None:
    place = tmp_path / "run.npz"
    assert bits(train(place, resume=True)) == bits(train())
    assert place.exists()


def test_a_finished_run_is_only_read(tmp_path: Path) -> None:
    place = tmp_path / "run.npz"
    first = train(place)
    content = place.read_bytes()
    again = train(place, resume=True)
    assert (bits(again), again.history) == (bits(first), first.history)
    assert place.read_bytes() == content


def test_without_resume_it_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "run.npz"
    stopped_after(3, place, monkeypatch, seed=1)
    assert bits(train(place)) == bits(train())
    assert storage.read(place, "checkpoint")[0]["settings"]["seed"] == 9


def test_layers_of_ones_own_can_be_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Dense):
        pass

    network = Network([Own(start()[0].W), ReLU(), start()[3]], ["a/b", "c", "d/e/f"])
    place = tmp_path / "run.npz"
    stopped_after(2, place, monkeypatch, network=network)
    assert bits(train(place, resume=True, network=network)) == bits(train(network=network))


# ------------------------------------------------------------------------------------------------ what differs

rng = np.random.default_rng(2)
other_x, other_labels = rng.standard_normal((150, 5)).astype(np.float32), rng.integers(0, 3, 150)


def own_loss(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    return cross_entropy(scores, labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 8}, "seed: expected 8, found 9"),
        ({"epochs": 13}, "epochs: expected 13, found 12"),
        ({"batch_size": 31}, "batch_size: expected 31, found 32"),
        ({"optimizer": AdamW()}, r"optimizer: expected AdamW\(.*weight_decay=0.01\), found AdamW\(.*=0.05\)"),
        ({"optimizer": Adam(weight_decay=0.05)}, r"optimizer: expected Adam\(.*found AdamW\("),
        (
            {"schedule": ConstantRate(2e-3)},
            r"schedule: expected ConstantRate\(rate=0.002\), found OneCycle\(rate=0.002",
        ),
        ({"loss": own_loss}, r"loss: expected .*own_loss, found nnlite.training.losses.cross_entropy"),
        ({"x": other_x}, r"data: expected [0-9a-f]{12}\.\.\., found"),
        ({"labels": other_labels}, "data: expected"),
        ({"held_out": None}, "held_out: expected None, found"),
        ({"network": start().with_parameters({"dense2.b": np.ones(3, np.float32)})}, "network: expected"),
        ({"network": Network(list(start())[:2] + list(start())[3:])}, "network: expected"),
    ],
)
def test_other_settings_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    place = tmp_path / "run.npz"
    train(place)
    content = place.read_bytes()
    with pytest.raises(ValueError, match=message) as caught:
        train(place, resume=True, **changes)
    assert str(caught.value).count(": expected ") == len(changes)
    assert "resume=False" in str(caught.value)
    assert place.read_bytes() == content


def test_every_setting_that_differs_is_listed(tmp_path: Path) -> None:
    place = tmp_path / "run.npz"
    kernels.use("numpy")
    train(place)
    kernels.use("numba")
    with pytest.raises(ValueError, match="backend: expected numba, found numpy") as caught:
        train(place, resume=True, seed=1, schedule=OneCycle(1e-3))
    assert str(caught.value).count(": expected ") == 3


def test_a_place_where_no_checkpoint_can_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        train(tmp_path / "missing" / "run.npz")
    network, text = tmp_path / "network.npz", tmp_path / "notes.txt"
    start().save(network)
    text.write_text("hello")
    for place in (network, text):
        content = place.read_bytes()
        for resume in (False, True):
            with pytest.raises(ValueError, match="Remove the file, or choose another path"):
                train(place, resume=resume)
        assert place.read_bytes() == content


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "run.npz"
    weights = train(place).network[0].W.tobytes()
    content = place.read_bytes()
    for damaged in (content[: len(content) // 2], content.replace(weights, weights[::-1]), b""):
        assert damaged != content
        place.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"run\.npz: .*Remove the file"):
            train(place, resume=True)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda header, arrays: header.pop("settings"), "the settings and the history"),
        (lambda header, arrays: header.pop("history"), "the settings and the history"),
        (lambda header, arrays: header.update(history=[3]), "the settings and the history"),
        (lambda header, arrays: arrays.pop("parameter/dense1.W"), "the parameters dense1.W, "),
        (lambda header, arrays: arrays.update({"parameter/dense1.W": np.ones(3)}), "for parameter/dense1.W"),
        (lambda header, arrays: arrays.update({"memory/m/dense1.W": np.ones(3)}), "for memory/m/dense1.W"),
    ],
    ids=["no settings", "no history", "another history", "no parameter", "another parameter", "another memory"],
)
def test_a_checkpoint_with_something_missing_is_refused(tmp_path: Path, change: Any, expected: str) -> None:
    place = tmp_path / "run.npz"
    train(place)
    header, arrays = storage.read(place, "checkpoint")
    change(header, arrays)
    storage.write(place, "checkpoint", {name: header[name] for name in header if name not in WRITTEN}, arrays)
    with pytest.raises(ValueError, match=rf"run\.npz: expected a checkpoint with .*{expected}"):
        train(place, resume=True)


WRITTEN = ("nnlite", "version")
"""Of a header: what `storage.write` adds."""


def test_a_compiled_run_goes_on_to_the_same_bits_and_not_from_a_plain_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "run.npz"
    stopped_after(5, place, monkeypatch, compile=True)
    with pytest.raises(ValueError, match="compiled: expected False, found True"):
        train(place, resume=True)
    assert bits(train(place, resume=True, compile=True)) == bits(train(compile=True))


def test_a_checkpoint_of_version_0_1_does_not_say_whether_it_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "run.npz"
    stopped_after(5, place, monkeypatch)
    header, arrays = storage.read(place, "checkpoint")
    del header["settings"]["compiled"]
    storage.write(place, "checkpoint", header, arrays)
    assert bits(train(place, resume=True)) == bits(train())
