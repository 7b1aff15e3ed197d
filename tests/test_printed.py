"""What comes from outside is shown on a terminal and in a page, and never obeyed there."""

import json
import re

import numpy as np
import pytest

from nnlite import Network, architecture, cli
from nnlite.decision_based import lrp
from nnlite.layers import Dense, ReLU
from nnlite.stepper import comparison, page, record, text

pytestmark = pytest.mark.once  # see setup.cfg

WILD = "\x1b[31mred\x1b]0;title\x07\r\n\x9b2J\u202e</script><!--<script>\"'&"
SHOWN = r"\x1b[31mred\x1b]0;title\x07\r\n\x9b2J\u202e</script><!--<script>" + "\"'&"
X = np.array([[1.0, 2.0, 3.0]])


@pytest.fixture(autouse=True)
def any_name(monkeypatch):
    """`Network` refuses a name that cannot be printed; what prints names must not count on it."""
    monkeypatch.setattr(architecture, "check_names", lambda names, count: None)


def network(name=WILD):
    return Network([Dense(np.ones((3, 2))), ReLU(), Dense(np.ones((2, 2)))], [name, "relu", "top"], input_shape=(3,))


def plain(shown):
    return all(c.isprintable() or c == "\n" for c in shown)


@pytest.mark.parametrize(
    "printed",
    [
        lambda net: net.summary(),
        lambda net: str(net.plan((1, 3))),
        lambda net: repr(net),
        lambda net: str(lrp.ledger(net, X)),
        lambda net: text(record("lrp-epsilon", net, X)),
        lambda net: text(record("gradient", net, X, (net.names[0], 1))),
        lambda net: comparison(record("lrp-epsilon", net, X), record("lrp-gamma", net, X)),
    ],
    ids=["summary", "plan", "repr", "ledger", "step", "neuron", "comparison"],
)
def test_the_name_of_a_layer_is_shown_as_text(printed):
    shown = printed(network())
    assert plain(shown)
    assert SHOWN in shown
    assert len(shown.split("\n")) == len(printed(network("name")).split("\n"))


def test_the_columns_stay_below_each_other():
    lines = network().summary().split("\n")
    assert len(set(map(len, lines))) == 1


@pytest.mark.parametrize(
    "line",
    [
        ["explain", WILD + ".npy", "--out", "o.npy"],
        ["explain", "strokes:4", "--model", WILD, "--out", "o.npy"],
        ["explain", "strokes:4", "--method", WILD, "--out", "o.npy"],
        ["explain", "strokes:4", "--out", WILD + ".npy"],
        ["explain", "strokes:4", "--at", WILD, "--out", "o.npy"],
        ["explain", "strokes:4", WILD, "--out", "o.npy"],
        [WILD],
    ],
    ids=["image", "model", "method", "out", "at", "too much", "command"],
)
def test_an_error_of_the_command_is_one_plain_line(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(line)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert plain(err)
    assert "red" in err


def test_what_a_command_prints_is_plain(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("\x1b[31mone", "two")
    Network([Dense(np.ones((3, 2))), Dense(np.ones((2, 2)))], names, input_shape=(3,)).save("own.npz")
    np.save("x.npy", X)
    np.save("R.npy", X)
    np.savez("layers.npz", **{"\x1b[31mone": np.ones((1, 2)), "input": X})
    line = "verify --network own.npz --input x.npy --method lrp-epsilon --theirs R.npy --theirs-layers layers.npz"
    with pytest.raises(SystemExit):
        cli.main(line.split())
    out, _ = capsys.readouterr()
    assert plain(out)
    assert r"\x1b[31mone" in out


def test_no_name_ends_the_script_of_the_page_or_hides_it():
    shown = page(record("lrp-epsilon", network(), X), title=WILD)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>\n<script>', shown, re.S)
    assert "<" not in data
    assert json.loads(data)["title"] == WILD
    assert [frame["layer"] for frame in json.loads(data)["traces"][0]["frames"]] == ["top", "relu", WILD]
    assert shown.count("</script>") == 2
    assert shown.count("<!--") == 0
