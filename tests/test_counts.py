"""How many draws, samples or steps: a number that can never fit is refused at once, with the number."""

import numpy as np
import pytest

from nnlite import Network, cli, datasets, models
from nnlite.decision_based import integrated_gradients, smoothgrad
from nnlite.decision_based.taylor import simple_taylor
from nnlite.evaluation import continuity, infidelity, max_sensitivity
from nnlite.layers import Dense, Dropout
from nnlite.model_based.ascent import ascend
from nnlite.model_based.deepdream import deepdream
from nnlite.model_based.feature_visualization import visualize
from nnlite.model_based.objectives import squared_norm
from nnlite.uncertainty import dropout_draws, explanations, mc_dropout, noise, reliability

NET = Network([Dropout(0.5), Dense(np.eye(2))], input_shape=(2,))
X = np.array([[1.0, 2.0]])
P, LABELS = np.array([[0.5, 0.5]]), np.array([0])

COUNTED = {
    "dropout_draws": lambda n: dropout_draws(NET, n),
    "mc_dropout": lambda n: mc_dropout(NET, X, n),
    "noise": noise,
    "reliability": lambda n: reliability(P, LABELS, bins=n),
    "infidelity": lambda n: infidelity(NET, X, X, change="noise", n=n),
    "integrated_gradients": lambda n: integrated_gradients(NET, X, steps=n),
    "gauss-legendre": lambda n: integrated_gradients(NET, X, steps=n, quadrature="gauss-legendre"),
    "simple_taylor": lambda n: simple_taylor(NET, X, steps=n),
    "ascend": lambda n: ascend(squared_norm, X, steps=n),
    "visualize, n": lambda n: visualize(models.load("tiny"), 0, n=n),
    "visualize, steps": lambda n: visualize(models.load("tiny"), 0, steps=n),
    "deepdream": lambda n: deepdream(models.load("lenet"), np.zeros((1, 1, 28, 28), np.float32), "relu1", octaves=n),
    "strokes": datasets.strokes,
    "textures": datasets.textures,
}
FLAT = {
    "smoothgrad": lambda n: smoothgrad(NET, X, n=n),
    "continuity": lambda n: continuity(NET, X, "gradient", n=n),
    "max_sensitivity": lambda n: max_sensitivity(NET, X, "gradient", n=n),
}


@pytest.mark.parametrize("name", COUNTED)
def test_what_cannot_fit_is_refused_with_its_number(name):
    with pytest.raises(
        ValueError, match=r"=1000000000000 needs (.*G|more than 2⁶³ bytes) of memory, and NNLITE_MEMORY allows"
    ):
        COUNTED[name](10**12)


@pytest.mark.parametrize("name", sorted(COUNTED.keys() | FLAT.keys() - {"strokes", "textures"}))
def test_what_no_machine_counts_is_refused_with_its_number(name):
    with pytest.raises(ValueError, match="99999999999999999999"):
        (COUNTED | FLAT)[name](99999999999999999999)


def test_the_maps_of_all_networks_must_fit(monkeypatch):
    members = [NET] * 100
    explanations(members, X, "gradient")
    monkeypatch.setenv("NNLITE_MEMORY", "1K")
    with pytest.raises(ValueError, match="explanations with 100 networks, all of whose maps are kept, needs"):
        explanations(members, X, "gradient")


@pytest.mark.parametrize("draws", ["99999999999999999999", "1000000000000"])
def test_the_command_says_so_in_one_line_and_writes_nothing(draws, capsys, tmp_path):
    code = cli.main(["uncertainty", "strokes:54", "--draws", draws, "--out", str(tmp_path / "u.png")])
    printed, errors = capsys.readouterr()
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert draws in errors
    assert not list(tmp_path.iterdir())
