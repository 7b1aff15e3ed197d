"""The benchmarks run, report, refuse unequal results and fit exponents; no time is asserted anywhere."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.once  # see setup.cfg

TOP = str(Path(__file__).parents[1])
if TOP not in sys.path:  # the benchmarks are no part of the package: they are found from the top of the repository
    sys.path.append(TOP)

cases, figure, frameworks, growth, main, report, timing, worker = (
    importlib.import_module(f"tests.benchmarks.{name}")
    for name in ("cases", "figure", "frameworks", "growth", "__main__", "report", "timing", "worker")
)

LIGHT = [row for row in cases.ROWS if not row.heavy]


def a_side(ratio=2.0, met=True, target="20x", goal=20.0):
    spread = timing.Ratio(ratio, ratio * 0.9, ratio * 1.1)
    return report.Side(1e-3, spread, spread, target, goal, met)


def a_line(ratio=2.0, met=True, **changes):
    values = {"label": "LRP-ε, batch 1", "threads": 1, "against": "captum", "theirs": 2e-3, "unit": "s"}
    return report.Line(**values | changes, plain=a_side(ratio / 2, None, "", None), fast=a_side(ratio, met))


@pytest.mark.parametrize(
    ("who", "row"),
    [(who, row) for who, sides in frameworks.sides("nnlite").items() for row in LIGHT if row.key in sides],
    ids=lambda value: getattr(value, "key", value),
)
def test_every_row_runs_once(who, row):
    work = frameworks.sides("nnlite")[who][row.key](**row.tiny)
    result = work.result()
    assert result.ndim == 2
    assert result.size
    assert np.isfinite(result).all()
    assert work.units >= 1


@pytest.mark.parametrize("axis", growth.AXES, ids=lambda axis: axis.key)
def test_every_axis_runs_once(axis):
    size = next(iter(axis.sizes.values()))
    assert np.isfinite(frameworks.sides("nnlite")["nnlite"][axis.row](**size).result()).all()


def test_there_is_a_contestant_for_every_target_and_a_target_for_every_size():
    every = {who: rows for name in ("torch", "jax") for who, rows in frameworks.sides(name).items()}
    for row in cases.ROWS:
        for against, targets in [*row.targets.items(), *row.plain.items()]:
            assert row.key in every[against]
            assert len(targets) == len(row.sizes)


@pytest.mark.parametrize("row", LIGHT, ids=lambda row: row.key)
def test_the_frameworks_give_the_same(row):
    """At the tiny size, in this process."""
    pytest.importorskip("torch")
    tiny = {**row.tiny, "steps": 1} if row.key == "activation-maximization" else row.tiny
    if row.key == "smoothgrad":
        tiny = row.sizes[0]  # the noise that is compared has as many draws
    rivals = [who for who in frameworks.contestants(row.key) if frameworks.library(who) != "jax"]
    results = {who: frameworks.sides(frameworks.library(who))[who][row.key](**tiny).result() for who in rivals}
    assert len(timing.check(row.key, results, row.tolerance)) == len(rivals) - 1 > 0


def test_the_windows_of_the_axis_are_counted():
    occlusion = importlib.import_module("nnlite.decision_based.occlusion").occlusion
    workloads = importlib.import_module("tests.benchmarks.workloads")
    axis = next(axis for axis in growth.AXES if axis.key == "growth-windows")
    case = workloads.lenet(1)
    for n, size in axis.sizes.items():
        assert occlusion(case.network, case.x, size=workloads.WINDOW, **size, progress=False).drops.size == n


@pytest.mark.parametrize("p", [-1.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law(p):
    n = np.array([1, 4, 16, 64])
    slope, error = growth.exponent(n, 3e-4 * n**p)
    assert slope == pytest.approx(p, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-7)
    noisy, error = growth.exponent(n, 3e-4 * n**p * np.array([1.1, 0.9, 1.1, 0.9]))
    assert abs(noisy - p) < 3 * error


def test_unequal_results_are_refused():
    ours = np.ones((2, 5), np.float32)
    assert timing.check("row", {"nnlite": ours, "torch": ours + 1e-6}, 1e-5)["torch"] < 1e-5
    with pytest.raises(timing.Unequal, match=r"row: the results differ from captum by 1\.0e-01; at most 0\.01"):
        timing.check("row", {"nnlite": 1.1 * ours, "captum": ours, "torch": 1.1 * ours}, 1e-2)
    with pytest.raises(timing.Unequal, match="inf"):
        timing.check("row", {"nnlite": ours, "torch": ours[:, :4]}, 1.0)
    with pytest.raises(timing.Unequal, match="inf"):
        timing.check("row", {"nnlite": ours, "torch": np.full_like(ours, np.nan)}, 1.0)


def test_ratios_are_taken_round_by_round():
    ours, theirs = np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0])
    ratio = timing.Ratio.of(theirs, ours)
    assert (ratio.low, ratio.median, ratio.high) == (2, 2, 2)


def test_lines_know_their_targets():
    row = next(row for row in cases.ROWS if row.key == "saliency")
    ours, theirs = (timing.Times(np.full(3, cpu), np.full(3, wall)) for cpu, wall in ((1e-3, 2e-3), (9e-3, 1e-2)))
    times, off = {"nnlite": ours, "captum": theirs, "torch": theirs}, {"captum": 0.0, "torch": 0.0}
    times["nnlite compiled"], off["nnlite compiled"] = ours, 0.0
    captum, torch = report.lines(row, row.sizes[0], 1, times, off)
    fast = captum.fast
    assert (fast.target, fast.met, fast.ratio.median, fast.wall.median) == ("10x", False, 9, 5)
    assert (captum.plain.target, captum.plain.met) == ("3x", True)
    assert (torch.fast.target, torch.fast.met) == ("", None)
    assert report.lines(row, row.sizes[1], 1, times, off)[0].fast.met  # twice as fast at batch 256
    two = report.lines(row, row.sizes[0], 2, times, off)[0]
    assert (two.fast.met, two.fast.ratio.median, two.theirs) == (None, 5, 1e-2)  # on two threads the wall clock counts


def test_other_batches_have_the_targets_that_were_set_for_them():
    (row,) = (row for row in cases.chosen("lrp-epsilon", (256, 7)) if row.key == "lrp-epsilon")
    assert row.sizes == ({"batch": 256}, {"batch": 7})
    assert [row.target("captum", size) for size in row.sizes] == [5, None]
    assert [row.key for row in cases.chosen("vgg")] == []
    assert [row.key for row in cases.chosen("vgg", heavy=True)] == ["vgg16-occlusion"]


def test_the_start_knows_its_targets():
    run = {"first cpu": 0.5, "first wall": 0.6, "second cpu": 1e-3, "second wall": 1e-3}
    ours = {**run, "peak": 100, "peak of a batch": 200}
    theirs = {**{key: 3 * value for key, value in run.items()}, "peak": 150, "peak of a batch": 300}
    runs = {"nnlite": [ours] * 3, "nnlite compiled": [ours] * 3, "torch": [theirs] * 3}
    lines = report.start_lines(runs, {"explain": 2.0, "tour": 20.0})
    assert [(line.label, [side.met for side in line.sides]) for line in lines if line.plain.target] == [
        ("from import to a map, cold", [True, True]),
        ("from import to a map, warm", [True, None]),
        ("peak memory, one map", [False, None]),
        ("nnlite explain, cold", [True]),
        ("nnlite tour, cold", [False]),
    ]
    assert lines[0].fast.ratio.median == pytest.approx(3)


def test_the_report_prints_in_120_columns_and_is_json():
    made = report.Report({"rounds": 1}, lines=[a_line(), a_line(123.456, met=False, label="x" * 34, theirs=1234.5)])
    made.growth = [growth.Growth("growth-batch", "LRP-ε, lenet, batch", "nnlite", (1, 2), (1e-3, 2e-3), 1.0, 0.0)]
    text = "\n".join([made.facts(), report.HEAD, *map(str, made.lines), report.growth_text(made.growth)])
    assert max(map(len, text.splitlines())) <= 120
    assert "20x✓" in text
    assert "20x✗" in text
    assert "p = 1.00 ± 0.00" in text
    assert made.summary == "1 of 2 targets met."
    read = json.loads(made.json())
    assert read["lines"][0]["fast"]["ratio"]["median"] == 2.0
    assert read["versions"]["numpy"] == np.__version__
    machine = json.dumps(read["machine"])
    assert "/" not in machine
    assert importlib.import_module("platform").node() not in machine


def test_the_figure_is_drawn(tmp_path):
    figure.draw([a_line(), a_line(0.5, against="torch by hand", label="another")], tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes()[:4] == b"\x89PNG"


def test_a_worker_answers(tmp_path):
    """Preparing, timing, forgetting, and an error; on a row that takes no time."""
    place = str(tmp_path / "result.npy")
    with frameworks.Process("nnlite", threads=1) as process:
        asked = {"who": "nnlite", "row": "convolution", "size": {"channels": 2, "size": 5}, "save": place}
        assert process.ask(do="prepare", **asked)["seconds"] > 0
        assert np.load(place).shape == (1, 50)
        assert set(process.ask(do="time", who="nnlite", calls=2)) == {"cpu", "wall"}
        with pytest.raises(frameworks.Failed, match="TypeError"):
            process.ask(do="prepare", **{**asked, "size": {"nothing": 1}})
        assert process.ask(do="forget") == {}


def test_a_row_that_differs_is_an_error_and_not_a_number(monkeypatch, capsys):
    def unequal(row, *_):
        raise timing.Unequal(f"{row.key}: the results differ")

    monkeypatch.setattr(main, "measure", unequal)
    made = report.Report({})
    main._measure_rows(LIGHT[:1], 1, {}, 1, made)
    assert made.lines == []
    assert len(made.errors) == 2
    assert "ERROR inference, batch 1: inference: the results differ" in capsys.readouterr().out
    assert made.summary == "No target was checked; 2 rows could not be measured."
