"""`nnlite maximize`: what it prints and writes, and one line for every mistake."""

import os
import re
import shlex
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nnlite import Network, cli, models
from nnlite.commands import maximize
from nnlite.layers import Dense, Flatten, ReLU
from nnlite.model_based import experts, generators
from nnlite.model_based.activation_maximization import general, in_code_space, with_expert
from nnlite.model_based.experts import recipes
from nnlite.training import softmax

mpl.use("Agg")
import matplotlib.pyplot as plt

LENET = models.load("lenet").compile()  # as the command asks it


@pytest.fixture(scope="module")
def expert():
    """A quick one."""
    return experts.PPCA.fit(models.digits("uci", "train")[0], q=8), experts.PPCA.fit(strokes_of_a_clean_hand(), q=20)


def strokes_of_a_clean_hand():
    return generators.recipes.digits(500)[0]


@pytest.fixture
def command(capsys, tmp_path, monkeypatch, expert):
    """Run the command in an empty folder: its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(experts, "fitted", lambda name, progress=False: expert[1])

    def run(line):
        try:
            code = cli.main(["maximize", *shlex.split(line)])
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("--class 4", lambda e: general(LENET, 4, steps=5)),
        ("--class 4,9 --start mean --weight 0.1", lambda e: general(LENET, [4, 9], start="mean", weight=0.1, steps=5)),
        ("--class all --start image --seed 3 --jitter 1 --blur 0.5 --rate 0.1 --objective score",
         lambda e: general(LENET, "all", start="image", rng=3, jitter=1, blur=0.5, rate=0.1, objective="score",
                           steps=5)),
        ("--class 7 --form expert --weight 0.03", lambda e: with_expert(LENET, 7, e, weight=0.03, steps=5)),
        ("--class 7,1 --form code", lambda e: in_code_space(LENET, [7, 1], generators.load("vae"), steps=5)),
        ("--class 7 --form code --start image --objective log_probability --weight 0",
         lambda e: in_code_space(LENET, 7, generators.load("vae"), start="image", weight=0,
                                 objective="log_probability", steps=5)),
    ],
)  # fmt: skip
def test_it_writes_what_the_library_finds_and_says_what_the_networks_say(command, expert, line, same):
    code, out, err = command(f"{line} --steps 5 --out x.npy")
    assert (code, err) == (0, "")
    found, x = same(expert[1]), np.load("x.npy", allow_pickle=False)
    assert np.array_equal(x, found.x)
    judge = softmax(models.load("lenet-1").scores(x))
    rows = re.findall(
        r"^class (\d) +p (\d\.\d{4}) → (\d\.\d{4}), score (-?\d+\.\d\d); lenet-1 says (\d) \((\d\.\d\d)\)$", out, re.M
    )
    assert [int(row[0]) for row in rows] == found.classes.tolist()
    for n, row in enumerate(rows):
        numbers = (found.start_probability[n], found.probability[n], found.score[n], judge[n].argmax(), judge[n].max())
        assert [float(cell) for cell in row[1:]] == pytest.approx(numbers, abs=6e-3)
    assert out.endswith("written    x.npy\n")


@pytest.mark.parametrize(
    ("line", "climbed"),
    [
        ("", "log p(class | x) − 0.001 · ‖x‖², from noise"),
        ("--start mean --objective score --weight 0.5", "score(x) − 0.5 · ‖x − mean‖², from mean"),
        ("--form expert --expert ppca --start noise", "log p(class | x) + 1 · log p(x), ppca, from noise"),
        ("--form code --generator vae", "score(x) − 0.2 · ‖z‖², x = g(z), vae, from mean"),
    ],
)
def test_it_says_what_was_climbed(command, line, climbed):
    assert f"climbed    {climbed}\n" in command(f"--class 4 {line} --steps 2 --out x.npy")[1]


@pytest.mark.parametrize("ending", ["png", "PNG", "pdf", "svg"])
@pytest.mark.parametrize("classes", ["4", "4,9,9"])
def test_it_draws(command, ending, classes):
    assert command(f"--class {classes} --steps 2 --out 'a name 100%.{ending}'")[0] == 0
    content = Path(f"a name 100%.{ending}").read_bytes()
    assert content.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending.lower()])
    assert plt.get_fignums() == []
    assert os.listdir() == [f"a name 100%.{ending}"]


@pytest.mark.parametrize(("steps", "frames"), [(3, 4), (80, maximize.FRAMES)])
def test_the_film_leads_from_the_start_to_the_result(command, steps, frames):
    code, out, _ = command(f"--class 3 --form general --steps {steps} --film way.gif --out x.npy")
    assert code == 0
    assert "written    way.gif\n" in out
    with Image.open("way.gif") as film:
        assert (film.n_frames, film.info["loop"]) == (frames, 0)
        film.seek(frames - 1)
        last = np.asarray(film.convert("L"))[10::20, 10::20] / 255
    np.testing.assert_allclose(last, np.load("x.npy")[0, 0], atol=0.02)


def test_another_size_starts_from_its_own_digits_and_has_no_judge(command):
    code, out, err = command("--class 3,8 --model tiny --start mean --steps 3 --out x.npy")
    assert (code, err) == (0, "")
    images = models.digits("uci", "train")
    assert np.array_equal(
        np.load("x.npy"), general(models.load("tiny").compile(), [3, 8], start="mean", images=images, steps=3).x
    )
    assert "says" not in out


def test_an_image_that_did_not_move_is_named(command):
    layers = [Flatten(), Dense(-np.ones((784, 2)), np.full(2, -1.0)), ReLU(), Dense(np.eye(2))]
    Network(layers, input_shape=(1, 28, 28)).save("shut.npz")
    code, out, err = command(
        "--class 1 --model shut.npz --weight 0 --steps 3 --start mean --objective score --out x.npy"
    )
    assert (code, err) == (0, "")
    assert "the image did not move" not in out  # the ReLU leaks: the pixels go down, though never far enough
    Network([*layers[:2], ReLU(), Dense(-np.eye(2))], input_shape=(1, 28, 28)).save("shut.npz")
    code, out, err = command(
        "--class 1 --model shut.npz --weight 0 --steps 3 --start mean --objective score --out x.npy"
    )
    assert re.search(r"^class 1 .*; the image did not move: it has no gradient$", out, re.M)


def test_the_judge_is_never_the_network_of_the_search(command):
    assert "; lenet-2 says " in command("--class 3 --model lenet-1 --steps 2 --out x.npy")[1]
    assert "; mlp says " in command("--class 3 --judge mlp --steps 2 --out x.npy")[1]


def test_a_saved_network_and_a_saved_expert(command, expert):
    models.load("tiny").save("own.npz")
    expert[0].save("expert.npz")
    code, out, err = command("--class 5 --form expert --model own.npz --expert expert.npz --steps 3 --out x.npy")
    assert (code, err) == (0, "")
    images = models.digits("uci", "train")
    expected = with_expert(models.load("tiny").compile(), 5, experts.load("expert.npz"), images=images, steps=3).x
    assert np.array_equal(np.load("x.npy"), expected)
    assert "expert.npz, from mean" in out


MISTAKES = [
    ("--out x.png", ["required: --class"]),
    ("--class 4", ["required: --out"]),
    ("--class 10 --out x.png", ["a class from 0 to 9", "10"]),
    ("--class 4,x --out x.png", ["--class takes a class such as 4, several as in 4,9, or all; got 4,x"]),
    ("--class -1 --out x.png", ["--class"]),
    ("--class four --out x.png", ["got four"]),
    ("--class 4 --form magic --out x.png", ["invalid choice: 'magic'"]),
    ("--class 4 --start middle --out x.png", ["invalid choice: 'middle'"]),
    ("--class 4 --weight -1 --out x.png", ["weight takes a number from 0, got -1.0"]),
    ("--class 4 --weight nan --out x.png", ["weight must be a finite number"]),
    ("--class 4 --steps 0 --out x.png", ["steps takes a positive integer"]),
    ("--class 4 --rate 0 --out x.png", ["rate must be above 0"]),
    ("--class 4 --jitter -1 --out x.png", ["itter"]),
    ("--class 4 --blur -1 --out x.png", ["blur takes a number from 0"]),
    ("--class 4 --form code --blur 1 --out x.png", ["--blur", "leave it out"]),
    ("--class 4 --seed -1 --out x.png", ["rng takes a seed"]),
    ("--class 4 --form code --generator nope --out x.png", ["no generator 'nope'", "vae, gan, dcgan"]),
    ("--class 4 --form expert --expert nope --out x.png", ["--expert takes gaussian, ppca, mixture, rbm", "'nope'"]),
    ("--class 4 --form code --model tiny --out x.png", ["generator makes images of (1, 28, 28)", "(1, 8, 8)"]),
    ("--class 4 --expert ppca --out x.png", ["--expert goes with --form expert, and the form is general"]),
    ("--class 4 --form expert --generator gan --out x.png", ["--generator goes with --form code", "is expert"]),
    ("--class 4 --form expert --model tiny --out x.png", ["fit to samples of the shape (1, 28, 28)"]),
    ("--class 4 --model nope --out x.png", ["--model takes mlp, lenet", "'nope'"]),
    ("--class 4 --judge nope --out x.png", ["--judge takes mlp, lenet", "'nope'"]),
    ("--class 4 --judge lenet --out x.png", ["--judge takes a network without a part in the search"]),
    ("--class 4 --judge tiny --out x.png", ["--judge takes a network of the same images, (1, 28, 28)", "(1, 8, 8)"]),
    ("--class 4 --out x.bmp", [".npy, .pdf, .png, .svg", "got x.bmp"]),
    ("--class 4 --film x.mp4 --out x.png", ["--film takes a name that ends in .gif, got x.mp4"]),
    ("--class 4 --film no/x.gif --out x.png", ["--film: no/x.gif: there is no folder no"]),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_line_and_nothing_is_written(command, line, words):
    code, out, err = command(line)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert os.listdir() == []


def test_a_search_that_diverges_is_one_line_and_no_picture(command):
    code, out, err = command("--class 4 --form code --rate 1e38 --weight 1e30 --out x.png")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"nnlite: The search diverged at step \d+ of 200: .* Lower the rate, .*\n", err)
    assert os.listdir() == []


def test_an_expert_that_cannot_be_kept_is_one_line_too(command, expert, monkeypatch):
    (Path.cwd() / "taken").write_text("")
    monkeypatch.setenv("NNLITE_DATA", "taken")
    monkeypatch.setattr(experts, "fitted", lambda name, progress=False: recipes.fitted(name))
    monkeypatch.setattr(recipes, "digits", lambda: strokes_of_a_clean_hand())
    code, out, err = command("--class 4 --form expert --steps 2 --out x.npy")
    assert code == 0
    assert re.fullmatch(
        r"nnlite: The expert ppca could not be kept in taken.experts \(Not a directory\), and will .*\n", err
    )
    assert out.endswith("written    x.npy\n")


def test_the_help_has_examples_that_can_be_given():
    lines = [line.strip() for line in maximize.__doc__.splitlines() if line.startswith("  nnlite ")]
    assert len(lines) == 4
    for line in lines:
        cli.parser().parse_args(shlex.split(line)[1:])


def test_a_network_in_float64_is_judged_too(command):
    LENET.astype(np.float64).save("double.npz")
    code, out, err = command("--class 4 --model double.npz --steps 2 --out four.png")
    assert (code, err) == (0, "")
    assert "lenet-1 says " in out
