"""nnlite step: what it prints and writes, and one line for every mistake."""

import os
import re
import shlex

import pytest

from nnlite import cli
from nnlite.commands import step


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(capsys):
    """Run the command: its exit code, standard output and standard error."""

    def run(line):
        try:
            code = cli.main(["step", *shlex.split(line)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def test_a_walk_is_printed_from_the_score_to_the_pixels(command):
    code, out, err = command("lrp-gamma --model tiny --input uci:17 --target 4")
    assert (code, err) == (0, "")
    assert out.startswith("tiny on uci:17, a 3, predicted 3\nlrp-gamma: ")
    assert "explained: the score of class 4 = " in out
    assert re.findall(r"── (\w+):", out) == ["dense2", "relu1", "dense1", "flatten1"]
    assert "z_k = Σ_j a_j (w_jk + γ w⁺_jk) + b_k + γ b⁺_k" in out
    assert re.search(r"nnlite/decision_based/lrp/form\.py:\d+\n", out)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("line", ["lrp-gamma --model lenet --input strokes:4", "lrp-epsilon --compare deeplift"])
def test_the_lines_fit_the_terminal(command, monkeypatch, line, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = command(line)
    assert code == 0
    assert max(len(printed) for printed in out.splitlines()) == min(columns, 92)


def test_one_layer_at_one_place(command):
    code, out, _ = command("lrp-gamma --input uci:17 --target 4 --layer dense2 --j 3 --k 0 --top 1")
    assert code == 0
    assert re.findall(r"── (\w+):", out) == ["dense2"]
    assert "15 more" in out
    assert "   z_0 :" in out
    assert "   R_3 =" in out


def test_two_methods_are_compared(command):
    code, out, _ = command("lrp-gamma --input uci:17 --compare lrp-epsilon")
    assert code == 0
    assert "lrp-gamma" in out
    assert "│ lrp-epsilon" in out


def test_a_page_is_written(command, tmp_path):
    code, out, _ = command("deeplift --input uci:17 --html steps.html --compare gradient-times-input")
    assert (code, out) == (0, "written    steps.html\n")
    content = (tmp_path / "steps.html").read_text()
    assert "<title>deeplift against gradient-times-input, step by step: tiny on uci:17</title>" in content
    assert os.listdir(tmp_path) == ["steps.html"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("occlusion", "occlusion is not one walk from the score to the pixels"),
        ("lrp-delta", "There is no method 'lrp-delta'"),
        ("lrp-zero --compare smoothgrad", "smoothgrad is not one walk"),
        ("lrp-zero --layer dense7", "There is no layer 'dense7' on this walk; the layers are dense2, relu1"),
        ("lrp-zero --layer dense2 --j 16", "Layer dense2 has j from 0 to 15, got 16"),
        ("lrp-zero --layer dense2 --k -1", "Layer dense2 has k from 0 to 9, got -1"),
        ("lrp-zero --k 12", "Layer dense2 has k from 0 to 9, got 12"),
        ("lrp-zero --top 0", "--top takes a positive number of terms"),
        ("lrp-zero --target 12", "target takes classes from 0 to 9"),
        ("lrp-zero --html none/steps.html", "there is no folder none"),
        ("lrp-zero --html steps.pdf", "ends in .html"),
        ("lrp-zero --input uci:99999", "uci takes a number from 0"),
        ("lrp-zero --model tinny", "there is no 'tinny'"),
    ],
)
def test_a_mistake_is_one_line(command, line, said):
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_examples_of_the_help_run(command):
    examples = [line.strip() for line in step.__doc__.splitlines() if line.strip().startswith("nnlite step ")]
    assert len(examples) >= 4
    for example in examples:
        code, _, err = command(example.removeprefix("nnlite step "))
        assert (code, err) == (0, ""), example
