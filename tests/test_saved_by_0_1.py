"""Nothing saved is lost: what version 0.1 wrote loads, and gives the numbers that it gave there.

scripts/make_golden_saved.py wrote the files, on version 0.1.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from nnlite import Network, kernels, load, storage
from nnlite.layers import Dense, ReLU
from nnlite.model_based import experts, generators
from nnlite.training import fit

FOLDER = Path(__file__).parent / "golden" / "saved"
N = storage.read(FOLDER / "numbers.npz", "golden")[1]


def same(found, name, rtol=1e-11):
    assert found.dtype == N[name].dtype
    assert np.allclose(found, N[name], rtol=rtol, atol=rtol * np.abs(N[name]).max())


def test_a_network():
    network = load(FOLDER / "network.npz")
    same(network.forward(N["x"])[-1], "network")
    assert (network.input_shape, network.info) == ((1, 8, 8), {"classes": ["a", "b", "ä"]})


def test_a_half_network():
    same(load(FOLDER / "half.npz").forward(N["x"].astype(np.float32))[-1], "half", 1e-5)


@pytest.mark.skipif(kernels.backend() != "numba", reason="a run goes on under the backend that began it")
def test_a_checkpoint_of_a_run_that_goes_on_to_where_it_would_have_ended(tmp_path):
    place = shutil.copy(FOLDER / "checkpoint.npz", tmp_path)
    W = {name.removeprefix("start/"): value for name, value in N.items() if name.startswith("start/")}
    start = Network([Dense(W["dense1.W"], W["dense1.b"]), ReLU(), Dense(W["dense2.W"])])
    x, labels = N["run/x"], N["run/labels"]
    held_out = (x[:10], labels[:10])
    settings = {"epochs": 4, "batch_size": 16, "seed": 9, "held_out": held_out, "checkpoint": place, "resume": True}
    seconds = [epoch["seconds"] for epoch in storage.read(place, "checkpoint")[0]["history"]]
    result = fit(start, x, labels, **settings, progress=False)
    assert [epoch.seconds for epoch in result.history[:2]] == seconds
    for name, value in result.network.parameters.items():
        same(value, f"trained/{name}")
    same(np.array([epoch.loss for epoch in result.history]), "run/loss")


def test_an_expert():
    density, gradient = experts.load(FOLDER / "expert.npz")(N["expert/x"])
    same(density, "expert/density")
    same(gradient, "expert/gradient")


def test_a_generator():
    generator = generators.load(FOLDER / "generator.npz")
    same(generator(N["generator/z"]), "generator/images", 1e-5)
    same(generator.encode(N["generator/images"]), "generator/codes", 1e-5)
    assert (generator.name, generator.codes.shape) == ("small", (3, 2))
