"""What the README and the other papers of the house say is so."""

import contextlib
import hashlib
import io
import re
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import nnlite
from nnlite import cli, models

pytestmark = pytest.mark.once  # see setup.cfg

mpl.use("Agg")

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DATA = (ROOT / "data" / "README.md").read_text()


def test_every_file_that_the_papers_name_exists():
    for paper in ("README.md", "CONTRIBUTING.md", "data/README.md"):
        text = (ROOT / paper).read_text()
        named = re.findall(r"\]\((?!http|#)([^)#]+)\)", text) + re.findall(
            r"`((?:nnlite|data|tests|scripts)/[\w/.-]+)`", text
        )
        for name in named:
            assert (ROOT / name).exists() or (ROOT / paper).parent.joinpath(name).exists(), f"{paper} names {name}"


def test_every_function_in_the_formula_table_is_in_its_file():
    rows = re.findall(r"^\|.*\| \[`([\w.]+)`\]\(([\w/.]+)\) \|$", README, re.M)
    assert len(rows) >= 15
    for name, file in rows:
        assert re.search(rf"^\s*(def|class) {name.split('.')[-1]}\b", (ROOT / file).read_text(), re.M), (name, file)


@pytest.mark.parametrize(
    "path", sorted(p for p in (ROOT / "data").rglob("*") if p.suffix in (".npz", ".json")), ids=lambda p: p.name
)
def test_every_data_file_has_its_checksum_in_the_data_readme(path):
    assert path.stem in DATA
    assert hashlib.sha256(path.read_bytes()).hexdigest() in DATA


@pytest.mark.parametrize("name", models.NAMES)
def test_the_quoted_accuracies_are_those_in_the_weights(name):
    info = models.load(name).info
    quoted = f"{info['held_out_accuracy']:.2%}".replace("%", " %")
    for paper, text in (("README.md", README), ("data/README.md", DATA)):
        row = next((line for line in text.splitlines() if line.startswith(f"| {name} ")), None)
        assert row is not None, f"{paper} has no row for {name}"
        assert quoted in row, f"{paper}: {row}"


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in (ROOT / "data" / "weights").iterdir()) < 6e6


def test_the_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(examples) >= 2
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*non-interactive.*")
        for example in examples:
            exec(compile(example, "README.md", "exec"), {})
    plt.close("all")
    assert "dense2" in printed.getvalue()
    assert "to pixels" in printed.getvalue()
    assert nnlite.load("mine.npz").input_shape == (1, 28, 28)


def test_every_command_in_the_readme_is_one_that_nnlite_has():
    fences = "".join(re.split(r"```(?:python)?\n", README)[1::2])
    fences = re.sub(r"#.*", "", fences)
    commands = re.findall(r"^nnlite (\w+)(.*)$", fences, re.M)
    assert len(commands) >= 4
    for command, options in commands:
        told = [command, *options.split("&&")[0].split()]
        if "--help" in told:
            continue
        assert cli.parser().parse_args(told).command == command


def test_nothing_is_left_to_be_filled_in():
    assert not re.findall(r"TODO|TIME_|_NUMBERS|XXX", README + DATA + (ROOT / "CONTRIBUTING.md").read_text())


EXAMPLES = [
    line
    for text in (
        README,
        *(path.read_text() for path in sorted((ROOT / "lessons").glob("*.md"))),
        *((ROOT / f"nnlite/commands/{name}.py").read_text() for name in cli.COMMANDS),
    )
    for line in re.findall(r"nnlite \w+ [^`\n]*\b(?:strokes|uci|textures):\d+[^`\n]*", text)
]


@pytest.mark.parametrize("line", [line for line in EXAMPLES if re.search(r"--(target|class|k) \d", line)])
def test_an_example_explains_the_class_of_its_picture_or_the_nearest_rival(line):
    """A score of a class that is neither says nothing of the picture: a 3 explained as a 4."""
    image = re.search(r"\b(strokes|uci|textures):(\d+)", line)
    asked = int(re.search(r"--(?:target|class|k) (\d+)", line)[1])
    x, labels = models.digits(image[1], "test")
    name = re.search(r"--model (\w+)", line)
    network = models.load(name[1] if name else {"uci": "tiny", "strokes": "lenet", "textures": "colour_net"}[image[1]])
    n = int(image[2])
    rival = int(network.scores(x[n : n + 1])[0].argsort()[-2])
    assert asked in (labels[n], rival), f"{line}: it is a {labels[n]}, and its rival is {rival}"


def test_there_are_such_examples():
    assert len(EXAMPLES) > 10
