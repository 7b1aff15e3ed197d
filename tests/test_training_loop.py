"""The loop that every training shares, on a task that can be followed by hand."""

import numpy as np
import pytest

from nnlite.training import SGD, ConstantRate, loop
from nnlite.training.loop import Moment


class Means:
    """Two numbers are pulled to the data, x to its mean and y to minus its mean, each by an optimizer of its own."""

    def __init__(self, data: np.ndarray, name: str = "means") -> None:
        self.data, self.name, self.samples, self.seen = data, name, len(data), []

    def start(self):
        return {"x": np.zeros(1), "y": np.zeros(1)}

    def step(self, parameters, memories, rows, at):
        self.seen.append((at.epoch, at.step, rows.tolist(), at.rng().random()))
        batch = self.data[rows].mean()
        gradients = {"x": parameters["x"] - batch, "y": parameters["y"] + batch}
        loss = float((gradients["x"] ** 2).sum())
        changed, remembered = loop.updated(
            SGD(momentum=0.5), parameters, gradients, memories, at.rate(ConstantRate(0.1)), at
        )
        return changed, remembered, {"loss": loss * len(rows), "ones": float(len(rows))}

    def after_epoch(self, parameters):
        return {"distance": float(abs(parameters["x"][0] - self.data.mean())), "nothing": None}

    def settings(self):
        return {"name": self.name}


DATA = np.arange(10.0)


def run(task, **options):
    return loop.run(task, **{"epochs": 5, "batch_size": 4, "seed": 3, "progress": False, **options})


def test_every_epoch_goes_once_through_all_samples_in_an_order_of_its_own():
    task = Means(DATA)
    state = run(task)
    orders = [[row for epoch, _, rows, _ in task.seen if epoch == e for row in rows] for e in range(5)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 5
    assert [len(rows) for _, _, rows, _ in task.seen[:3]] == [4, 4, 2]
    assert len({number for *_, number in task.seen}) == 15  # random numbers of every step are its own
    assert state.parameters["x"] == -state.parameters["y"]


def test_what_is_measured_is_a_mean_over_the_samples():
    history = run(Means(DATA)).history
    assert [epoch["ones"] for epoch in history] == [1.0] * 5
    assert history[-1]["distance"] < history[0]["distance"]
    assert all(epoch["nothing"] is None and epoch["seconds"] > 0 for epoch in history)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    whole = run(Means(DATA))
    place = tmp_path / "run.npz"
    written = loop.checkpoints.write

    def stop_after_two(path, state, settings):
        written(path, state, settings)
        if len(state.history) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.checkpoints, "write", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            run(Means(DATA), checkpoint=place)
    rest = Means(DATA)
    again = run(rest, checkpoint=place, resume=True)
    assert {epoch for epoch, *_ in rest.seen} == {2, 3, 4}
    for name, value in whole.parameters.items():
        assert np.array_equal(again.parameters[name], value)
        assert np.array_equal(again.memories[name]["v"], whole.memories[name]["v"])
    measured = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in again.history]
    assert measured == [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in whole.history]


def test_the_checkpoint_of_another_task_is_refused(tmp_path):
    run(Means(DATA, "one"), checkpoint=tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"other settings:\n  name: expected other, found one"):
        run(Means(DATA, "other"), checkpoint=tmp_path / "run.npz", resume=True)
    with pytest.raises(ValueError, match="resume=True needs a checkpoint"):
        run(Means(DATA), resume=True)


def test_an_update_that_is_not_finite_names_its_place():
    with pytest.raises(FloatingPointError, match="epoch 1, step 1 of 3: its update of x is not finite"):
        run(Means(np.full(10, np.inf)))


def test_a_moment():
    at = Moment(seed=0, epoch=2, step=1, epochs=5, steps=4)
    assert at.t == 9
    assert str(at) == "epoch 3, step 2 of 4"
    assert at.rate(lambda step, total: step / total) == 9 / 20
