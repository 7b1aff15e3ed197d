"""The command line as people use it: what it prints and writes, and one line for every mistake."""

import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

import nnlite
from nnlite import Network, cli, load, models
from nnlite.datasets import strokes
from nnlite.decision_based import explain, gradient, lrp
from nnlite.decision_based.registry import MEANINGS, METHODS
from nnlite.kernels import backend
from nnlite.layers import Dense, Flatten
from nnlite.training import checkpoint

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "no-mnist"))
    monkeypatch.setenv("NNLITE_BACKEND", backend())  # of a command, and of what it is compared with


@pytest.fixture
def command(capsys):
    """Run the command in this process: its exit code, standard output and standard error."""

    def run(line):
        arguments = shlex.split(line) if isinstance(line, str) else line
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def outside(*arguments, **options):
    """Run the command in a process of its own; PYTHONPATH, so that it is found without being installed, too."""
    environment = os.environ | {"PYTHONPATH": str(Path(nnlite.__file__).parents[1])} | options.pop("env", {})
    return subprocess.Popen(
        [sys.executable, "-m", "nnlite", *arguments],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        env=environment,
        **options,
    )


def drawn(number=4, side=200):
    """A held-out digit as a drawing: dark on light."""
    grey = Image.fromarray(strokes(1, seed=models.HELD_OUT_SEED, start=number)[0][0, 0])
    return Image.fromarray((255 * (1 - np.asarray(grey.resize((side, side))).clip(0, 1))).astype(np.uint8))


def dense(inputs, outputs=10, value=0.1):
    return Dense(np.full((inputs, outputs), value, np.float32), np.zeros(outputs, np.float32))


# ------------------------------------------------------------------------------------------------------------ help


def examples():
    for name in ("", *cli.COMMANDS):
        text = cli.parser().epilog if name == "" else sys.modules[f"nnlite.commands.{name}"].__doc__
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("nnlite ")]
        yield name, [re.split(r"\s{3,}", line)[0] for line in lines]


@pytest.mark.parametrize(("name", "lines"), list(examples()))
def test_the_help_has_examples_that_can_be_given(command, name, lines):
    code, out, err = command(f"{name} --help")
    assert (code, err) == (0, "")
    assert lines
    for line in lines:
        assert line in out
        cli.parser().parse_args(shlex.split(line)[1:])


def test_the_help_names_every_method_unbroken(command):
    words = re.split(r"[\s,]+", command("explain --help")[1])
    assert set(METHODS) <= set(words)


def test_the_version(command):
    assert command("--version") == (0, f"nnlite {nnlite.__version__}\n", "")


# --------------------------------------------------------------------------------------------------------- explain


def test_explain_prints_the_decision_and_its_books(command):
    code, out, err = command("explain strokes:4 --model lenet --method lrp-gamma --out heat.png")
    assert (code, err) == (0, "")
    network, x = models.load("lenet"), strokes(1, seed=models.HELD_OUT_SEED, start=4)[0]
    R = lrp.relevance(network, x, rules=METHODS["lrp-gamma"].rules)
    predicted = int(network.predict(x)[0])
    assert "strokes:4, a 4\n" in out
    assert f"predicted  {predicted}, probability " in out
    assert f"score of class {predicted} = {network.scores(x)[0, predicted]:.6f}\n" in out
    assert f"Σ R        {R.sum():.6f} of {network.scores(x)[0, predicted]:.6f}\n" in out
    assert f"its map is {MEANINGS['score']}\n" in out
    assert str(lrp.ledger(network, x, rules=METHODS["lrp-gamma"].rules)) in out
    assert out.endswith("written    heat.png\n")


@pytest.mark.parametrize("ending", ["png", "PNG", "pdf", "svg"])
def test_explain_draws(command, ending):
    assert command(f"explain uci:17 --model tiny --out 'a name 100%.{ending}'")[0] == 0
    content = Path(f"a name 100%.{ending}").read_bytes()
    assert content.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending.lower()])
    if ending.lower() == "png":
        with Image.open(f"a name 100%.{ending}") as image:
            pixels = np.asarray(image.convert("RGB")).astype(int)
        assert pixels.shape == (570, 1200, 3)
        assert (pixels[..., 0] - pixels[..., 2] > 100).any()  # there is red in it
    assert plt.get_fignums() == []
    assert os.listdir() == [f"a name 100%.{ending}"]


@pytest.mark.parametrize("source", ["strokes", "uci"])
@pytest.mark.parametrize("target", [None, 9])
def test_explain_writes_the_relevance_of_the_very_digit(command, source, target):
    """Every tenth of these digits does not reach full ink, or touches the border: it stays as it is all the same."""
    model = {"strokes": "lenet", "uci": "tiny"}[source]
    digits = strokes(40, seed=models.HELD_OUT_SEED)[0] if source == "strokes" else models.digits("uci", "test")[0]
    for number in range(0, 40, 3):
        option = "" if target is None else f"--target {target}"
        assert command(f"explain {source}:{number} --model {model} {option} --out R.npy")[0] == 0
        expected = lrp.relevance(models.load(model), digits[number : number + 1], target, rules=lrp.montavon2019())
        assert np.array_equal(np.load("R.npy", allow_pickle=False), expected)


def test_explain_takes_an_array_in_the_format_of_the_network_as_it_is(command):
    x = strokes(1, seed=7)[0]
    np.save("digit.npy", x)
    assert command("explain digit.npy --method saliency --out R.npy")[0] == 0
    assert np.array_equal(np.load("R.npy"), METHODS["saliency"].compute(models.load("lenet"), x, None))


def test_explain_reads_mnist_from_a_folder(command):
    """A digit of a data set stays as it is, even where it is grey to the border."""
    Path("own").mkdir()
    images = np.zeros((4, 28, 28), np.uint8)
    images[3] = 40
    images[3, 5:23, 13:15] = 200
    for kind, code, array in (("images-idx3", 3, images), ("labels-idx1", 1, np.arange(4, dtype=np.uint8))):
        header = bytes([0, 0, 8, code]) + np.array(array.shape, ">u4").tobytes()
        Path(f"own/t10k-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    code, out, _ = command("explain mnist-test:3 --folder own --method lrp-epsilon --out R.npy")
    assert code == 0
    assert "mnist-test:3, a 3\n" in out
    x = np.divide(images[3:, None], 255, dtype=np.float32)
    expected = METHODS["lrp-epsilon"].compute(models.load("lenet"), x, None)
    assert np.array_equal(np.load("R.npy"), expected)


def test_dark_on_light_is_found_out_or_told(command):
    drawn().save("dark.png")
    Image.fromarray(255 - np.asarray(drawn())).save("light.png")
    lines = ("dark.png", "dark.png --invert", "light.png", "light.png --no-invert")
    maps = []
    for line in lines:
        code, out, _ = command(f"explain {line} --out R.npy")
        assert code == 0
        assert "predicted  4" in out
        maps.append(np.load("R.npy"))
    assert all(np.allclose(R, maps[0], atol=1e-4) for R in maps)


def test_explain_takes_a_saved_network(command):
    models.load("lenet").astype(np.float64).save("own.npz")
    assert command("explain strokes:4 --model own.npz --out R.npy")[0] == 0
    R = np.load("R.npy")
    assert R.dtype == np.float64
    assert command("explain strokes:4 --out R.npy")[0] == 0
    assert np.abs(R - np.load("R.npy")).max() < 1e-4


@pytest.mark.parametrize("box", [None, 99, -1, "large", 0])
def test_a_saved_network_need_not_state_a_sensible_box(command, box):
    """A box that does not fit into the picture is as good as none."""
    for stated, name in (({}, "plain"), ({"box": box}, "own")):
        Network([Flatten(), dense(784)], input_shape=(1, 28, 28), info=stated).save(f"{name}.npz")
        assert command(f"explain uci:3 --model {name}.npz --method gradient-times-input --out {name}.npy")[0] == 0
    assert np.array_equal(np.load("own.npy"), np.load("plain.npy"))


def test_methods_without_books_show_none(command):
    out = command("explain uci:17 --model tiny --method gradient --out R.npy")[1]
    assert "where to go" in out
    assert "Σ R" not in out


# ----------------------------------------------------------------------------------------------------------- train


def same(one, other):
    a, b = load(one).parameters, load(other).parameters
    return all(np.array_equal(a[key], b[key]) for key in a)


def test_train_writes_a_network_that_can_be_explained(command):
    code, out, err = command("train --model tiny --epochs 3 --seed 5 --out own.npz")
    assert (code, err) == (0, "")
    assert os.listdir() == ["own.npz"]
    network = load("own.npz")
    assert network.info["held_out_accuracy"] > 0.8
    assert (network.info["epochs"], network.info["seed"], network.info["dataset"]) == (3, 5, "uci")
    assert f"own.npz: tiny on uci, {network.info['held_out_accuracy']:.2%} of 359 held-out digits" in out
    assert command("explain uci:17 --model own.npz --out heat.png")[0] == 0


def test_train_gives_the_same_network_again(command):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert command(f"train --model tiny --epochs 2 --seed {seed} --out {name}.npz")[0] == 0
    assert Path("one.npz").read_bytes() == Path("again.npz").read_bytes()
    assert not same("one.npz", "other.npz")


@pytest.fixture
def stopped(command, monkeypatch):
    """A run that Ctrl-C stopped just after its second epoch."""
    write = checkpoint.write
    epochs = []

    def interrupted(*arguments):
        write(*arguments)
        epochs.append(1)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", interrupted)
        assert command("train --model tiny --epochs 4 --out own.npz") == (130, "", "nnlite: stopped.\n")
    assert os.listdir() == ["own.npz.checkpoint"]


@pytest.mark.usefixtures("stopped")
def test_a_stopped_run_goes_on_to_the_same_network(command):
    assert command("train --model tiny --epochs 4 --out own.npz --resume")[0] == 0
    assert command("train --model tiny --epochs 4 --out whole.npz --resume")[0] == 0  # nothing to go on from: it starts
    assert same("own.npz", "whole.npz")
    assert sorted(os.listdir()) == ["own.npz", "whole.npz"]


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--epochs 5", "epochs: expected 5, found 4"),
        ("--epochs 4 --seed 1", "seed: expected 1, found 0"),
        ("--epochs 4 --rate 0.5", "schedule: expected OneCycle(rate=0.5"),
    ],
)
def test_a_stopped_run_does_not_go_on_with_other_settings(command, options, words):
    code, out, err = command(f"train --model tiny {options} --out own.npz --resume")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir() == ["own.npz.checkpoint"]


# -------------------------------------------------------------------------------------------------------- mistakes

MISTAKES = [
    # what is missing or unknown
    ("", ["the following arguments are required: COMMAND", "--help"]),
    ("explian", ["invalid choice: 'explian'", "explain"]),
    ("explain", ["the following arguments are required: IMAGE, --out", "explain --help"]),
    ("explain strokes:4", ["required: --out"]),
    ("explain strokes:4 strokes:5 --out o.png", ["unrecognized arguments: strokes:5"]),
    ("fetch cifar", ["invalid choice: 'cifar'", "mnist"]),
    # the image
    ("explain missing.png --out o.png", ["missing.png: there is no such file"]),
    ("explain 'fehlt ä 100%.png' --out o.png", ["fehlt ä 100%.png: there is no such file"]),
    ("explain text.png --out o.png", ["text.png: expected a PNG, JPEG or .npy picture", "save it as"]),
    ("explain folder.png --out o.png", ["folder.png", "this is a folder"]),
    ("explain blank.png --out o.png", ["blank", "digit"]),
    ("explain uci:359 --out o.png", ["uci takes a number from 0 to 358, got uci:359"]),
    ("explain uci:-1 --out o.png", ["uci:17", "got uci:-1"]),
    ("explain strokes:10000 --out o.png", ["strokes takes a number from 0 to 9999, got strokes:10000"]),
    ("explain strokes:1e9 --out o.png", ["got strokes:1e9"]),
    (f"explain strokes:{'9' * 30} --out o.png", ["got strokes:999"]),
    (f"explain uci:{'9' * 5000} --out o.png", ["uci:999"]),
    ("explain foo:3 --out o.png", ["a file, or a number as in uci:17, strokes:17", "got foo:3"]),
    ("explain mnist-test:3 --out o.png", ["t10k-images-idx3-ubyte", "nnlite fetch mnist"]),
    # the network
    ("explain uci:3 --model nope --out o.png", ["mlp, lenet, lenet_avg, cam_net, tiny", "'nope'"]),
    ("explain uci:3 --model foreign.npz --out o.png", ["foreign.npz", "not written by nnlite"]),
    ("explain uci:3 --model text.png --out o.png", ["text.png: expected an .npz written by nnlite"]),
    ("explain uci:3 --model cut.npz --out o.png", ["cut.npz", "truncated"]),
    ("explain uci:3 --model shapeless.npz --out o.png", ["input_shape=(1, H, W)"]),
    ("explain uci:3 --model flat.npz --out o.png", ["(64,)", "input_shape=(1, H, W)"]),
    ("explain textures:3 --out o.png", ["textures:3 is in colour", "(1, 28, 28)", "--model colour_net"]),
    ("explain foo:3 --model colour.npz --out o.png", ["textures:3, strokes:4, uci:17", "got foo:3"]),
    ("explain uci:3 --model nan.npz --out o.png", ["NaN", "check the network's weights"]),
    # what is asked
    ("explain strokes:4 --method lrp-gama --out o.png", ["--method takes one of", "lrp-gamma", "got lrp-gama"]),
    ("explain strokes:4 --target 10 --out o.png", ["classes from 0 to 9, got 10"]),
    ("explain strokes:4 --target -1 --out o.png", ["classes from 0 to 9, got -1"]),
    ("explain strokes:4 --target four --out o.png", ["--target", "'four'"]),
    ("explain strokes:4 --invert --no-invert --out o.png", ["not allowed with"]),
    # where it goes
    ("explain strokes:4 --out o.bmp", [".npy, .pdf, .png, .svg", "got o.bmp"]),
    ("explain strokes:4 --out o", ["got o"]),
    ("explain strokes:4 --out no/o.png", ["there is no folder no; make it first"]),
    ("explain strokes:4 --out text.png/o.png", ["there is no folder text.png"]),
    ("explain strokes:4 --out folder.png", ["folder.png is a folder"]),
    # training
    ("train --model tiny", ["required: --out"]),
    ("train --model resnet50 --out o.npz", ["invalid choice: 'resnet50'"]),
    ("train --model tiny --epochs 0 --out o.npz", ["--epochs takes an integer from 1, got 0"]),
    ("train --model tiny --epochs -1 --out o.npz", ["--epochs", "got -1"]),
    ("train --model tiny --epochs 1.5 --out o.npz", ["--epochs", "'1.5'"]),
    ("train --model tiny --seed -1 --out o.npz", ["--seed takes an integer from 0, got -1"]),
    ("train --model tiny --rate 0 --out o.npz", ["--rate takes a finite number above 0", "got 0.0"]),
    ("train --model tiny --rate -1 --out o.npz", ["--rate", "got -1.0"]),
    ("train --model tiny --rate nan --out o.npz", ["--rate", "got nan"]),
    ("train --model tiny --rate inf --out o.npz", ["--rate", "got inf"]),
    ("train --model tiny --rate 1e30 --out o.npz", ["diverged in epoch 1", "Lower the rate"]),
    ("train --model tiny --dataset strokes --out o.npz", ["(1, 8, 8)", "(1, 28, 28)", "use --dataset uci"]),
    ("train --model lenet --dataset uci --out o.npz", ["(1, 28, 28)", "use --dataset strokes or mnist"]),
    ("train --model lenet --dataset mnist --out o.npz", ["nnlite fetch mnist"]),
    ("train --model tiny --out o.png", ["ends in .npz, got o.png"]),
    ("train --model tiny --out no/o.npz", ["there is no folder no"]),
    ("train --model tiny --out taken.npz", ["taken.npz.checkpoint", "Remove the file, or choose another path"]),
    # fetching
    ("fetch mnist --folder text.png", ["--folder takes a folder, and text.png is a file"]),
]


@pytest.fixture(scope="module")
def strange_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strange")
    (folder / "text.png").write_text("hello")
    (folder / "folder.png").mkdir()
    (folder / "taken.npz.checkpoint").write_text("a letter to my mother")
    Image.new("L", (28, 28), 255).save(folder / "blank.png")
    np.savez(folder / "foreign.npz", a=np.ones(3))
    Network([Flatten(), dense(784)]).save(folder / "shapeless.npz")
    Network([dense(64)], input_shape=(64,)).save(folder / "flat.npz")
    Network([Flatten(), dense(192)], input_shape=(3, 8, 8)).save(folder / "colour.npz")
    Network([Flatten(), dense(64, value=np.nan)], input_shape=(1, 8, 8)).save(folder / "nan.npz")
    (folder / "cut.npz").write_bytes((folder / "nan.npz").read_bytes()[:1000])
    return folder


def contents(folder):
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line[:70] for line, _ in MISTAKES])
def test_a_mistake_is_one_line_and_nothing_is_written(command, strange_files, monkeypatch, line, words):
    monkeypatch.chdir(strange_files)
    before = contents(strange_files)
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert err.startswith("nnlite")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert contents(strange_files) == before


@pytest.mark.parametrize(
    "line",
    [
        "explain strokes:4 --out o.png", "uncertainty strokes:4 --out o.pdf",
        "maximize --class 4 --out o.svg", "visualize --class 4 --out o.png",
    ],
)  # fmt: skip
def test_a_figure_without_matplotlib_is_refused_before_any_work(command, monkeypatch, line):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("nnlite.commands.checks.network", None)
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"nnlite: --out o[.]\w+ .* Matplotlib, .* not installed: pip install matplotlib, .*[.]npy[.]\n", err
    )


def test_numbers_need_no_matplotlib(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert command("explain uci:17 --model tiny --out o.npy")[0] == 0


@pytest.mark.skipif(
    os.name == "nt" or not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to"
)
@pytest.mark.parametrize(
    "line",
    [
        "explain strokes:4 --out /proc/o.png",
        "uncertainty strokes:4 --out /proc/o.png",
        "visualize --class 4 --out /proc/o.png",
        "maximize --class 4 --out /proc/o.png",
        "maximize --class 4 --out o.png --film /proc/o.gif",
        "dream textures:3 --layer relu3 --out /proc/o.png",
        "step lrp-zero --html /proc/o.html",
        "train --model tiny --out /proc/o.npz",
        "verify --json /proc/o.json",
        "verify --out /proc",
        "tour --out /proc",
        "gallery --out /proc",
    ],
)
def test_a_place_that_cannot_be_written_to_is_refused_before_any_work(command, line):
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"nnlite: --\w+: /proc/\w+[.]\w+: nothing can be written to the folder /proc [(].*[)]; .*\n", err
    )


def test_an_error_of_the_system_names_the_file_and_no_number(command, monkeypatch):
    def fails(*_):
        raise PermissionError(13, "Permission denied", "digit.npy")

    monkeypatch.setattr("nnlite.pictures.read", fails)
    assert command("explain digit.npy --out o.png") == (2, "", "nnlite: digit.npy: Permission denied\n")


def test_a_write_that_fails_leaves_the_older_file(command, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    Path("heat.png").write_bytes(b"older")
    monkeypatch.setattr("os.fsync", full)
    code, _, err = command("explain uci:17 --model tiny --out heat.png")
    assert (code, err) == (2, "nnlite: heat.png: No space left on device\n")
    assert contents(Path()) == {"heat.png": b"older"}


# ------------------------------------------------------------------------------------------ in a process of its own


def test_a_terminal_without_greek_letters():
    environment = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    process = outside("explain", "uci:17", "--model", "tiny", "--out", "hé.png", env=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert b"? R above" in out
    assert Path("hé.png").exists()


def test_a_reader_that_has_gone():
    reading, writing = os.pipe()
    os.close(reading)
    process = outside("explain", "uci:17", "--model", "tiny", "--out", "heat.png", stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_the_output():
    with open("/dev/full", "wb") as full:
        process = outside("explain", "uci:17", "--model", "tiny", "--out", "heat.png", stdout=full)
    assert process.communicate(timeout=60)[1] == b"nnlite: No space left on device\n"
    assert process.returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_while_training():
    """In the background tests inherit an ignored SIGINT, and what they start would ignore it, too: so it is reset."""
    process = outside(
        "train", "--model", "tiny", "--epochs", "2000", "--out", "own.npz",
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not Path("own.npz.checkpoint").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, b"", b"nnlite: stopped.\n")
    assert os.listdir() == ["own.npz.checkpoint"]


def test_explain_a_hidden_neuron(tmp_path, capsys):
    out = tmp_path / "R.npy"
    command = ["explain", "strokes:4", "--method", "gradient", "--neuron", "conv2:7,3,4", "--out", str(out)]
    assert cli.main(command) == 0
    network = models.load("lenet")
    x = strokes(1, seed=models.HELD_OUT_SEED, start=4)[0]
    assert np.array_equal(np.load(out), gradient(network, x, ("conv2", (7, 3, 4))))
    assert f"score of neuron conv2:7,3,4 = {network.forward(x)[4][0, 7, 3, 4]:.6f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("neuron", "words"), [("conv2", "LAYER:INDEX"), ("conv9:1", "no layer 'conv9'"), ("conv2:16", "16")]
)
def test_a_neuron_that_is_not_there(neuron, words, tmp_path, capsys):
    assert cli.main(["explain", "strokes:4", "--neuron", neuron, "--out", str(tmp_path / "R.npy")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_explain_at_a_hidden_layer(tmp_path, capsys):
    network = models.load("lenet")
    x = strokes(1, seed=models.HELD_OUT_SEED, start=4)[0]
    for name, layer in (("lrp-epsilon", "relu2"), ("gradient", "dense1")):
        out = tmp_path / f"{name}.npy"
        assert cli.main(["explain", "strokes:4", "--method", name, "--at", layer, "--out", str(out)]) == 0
        assert np.array_equal(np.load(out), explain(network, x, name, at=layer))
        assert cli.main(["explain", "strokes:4", "--method", name, "--at", layer, "--out", f"{out}.png"]) == 0
    assert cli.main(["explain", "strokes:4", "--at", "conv9", "--out", str(out)]) == 2
    assert "no layer 'conv9'" in capsys.readouterr().err
