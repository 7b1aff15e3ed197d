"""The generators: what is shipped does what it says; codes, files and bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, models, storage
from nnlite.layers import Dense, Reshape, Sigmoid
from nnlite.model_based import generators
from nnlite.model_based.ascent import ascend
from nnlite.model_based.generators import Generator, quality, recipes
from nnlite.model_based.generators.training import class_means
from nnlite.model_based.objectives import Score, Through, squared_norm, weighted
from nnlite.training import softmax

WEIGHTS = Path(generators.__file__).parents[2] / "data" / "weights"
CLASSES = np.arange(10)


@pytest.fixture(scope="module", params=generators.NAMES)
def shipped(request: pytest.FixtureRequest) -> Generator:
    return generators.load(request.param)


def own(d: int = 2, seed: int = 0) -> Generator:
    """A generator of 1 × 2 × 2 images."""
    rng = np.random.default_rng(seed)

    def dense(inputs: int, outputs: int) -> Dense:
        return Dense(rng.standard_normal((inputs, outputs)).astype(np.float32), np.zeros(outputs, np.float32))

    decoder = Network([dense(d, 4), Reshape((1, 2, 2)), Sigmoid()], input_shape=(d,))
    encoder = Network([Reshape((4,)), dense(4, 2 * d)], input_shape=(1, 2, 2))
    return Generator("own", decoder, encoder, rng.standard_normal((10, d)).astype(np.float32), {"epochs": 3})


# ------------------------------------------------------------------------------------------------- what is shipped


def test_codes_become_images(shipped: Generator) -> None:
    images = shipped.sample(20, 3)
    assert images.shape == (20, 1, 28, 28)
    assert images.dtype == np.float32
    assert 0 <= images.min() <= images.max() <= 1
    np.testing.assert_array_equal(images, shipped.sample(20, np.random.default_rng(3)))
    assert shipped.codes.shape == (10, shipped.size)
    assert shipped.name == shipped.info["model"]


def test_the_class_means_are_digits_of_their_class(shipped: Generator) -> None:
    images = shipped(shipped.codes)
    for name in ("lenet", "mlp"):
        np.testing.assert_array_equal(models.load(name).predict(images), CLASSES)


def test_the_stated_quality_of_the_samples_is_measured_again(shipped: Generator) -> None:
    stated = shipped.info["samples"]
    found = quality.samples(shipped, models.load("lenet"))
    assert found["sure"] == pytest.approx(stated["sure"], abs=0.003)  # another BLAS may move a sample over the edge
    assert np.abs(np.subtract(found["classes"], stated["classes"])).sum() <= 6
    assert min(found["classes"]) > 30  # all ten
    assert found["entropy"] > 3.2  # of log2 10 = 3.32


def test_the_stated_bound_is_measured_again_on_a_part() -> None:
    vae = generators.load("vae")
    stated = vae.info["held_out"]
    x, _ = recipes.digits(500, held_out=True)
    assert vae.encoder is not None
    found = quality.bound(vae.encoder, vae.decoder, x)
    assert found.bound == pytest.approx(stated["bound"], abs=2)
    assert found.bound == pytest.approx(-found.reconstruction - found.divergence)
    assert stated["bound"] == pytest.approx(-stated["reconstruction"] - stated["divergence"])


def test_adversarial_training_made_the_digits_surer() -> None:
    """The share of samples that lenet is sure of, and the share of pixels that are neither ink nor paper."""
    vae, gan = generators.load("vae"), generators.load("gan")

    def grey(g: Generator) -> float:
        images = g.sample(300, 1)
        return float(((images > 0.1) & (images < 0.9)).mean())

    assert gan.info["samples"]["sure"] > vae.info["samples"]["sure"] + 0.1
    assert grey(gan) < 0.85 * grey(vae)


def test_the_codes_are_the_mean_codes_of_the_classes() -> None:
    vae = generators.load("vae")
    x, labels = recipes.digits(1000)
    assert vae.encoder is not None
    means = class_means(vae.encoder, x, labels)
    assert np.linalg.norm(means - vae.codes, axis=1).max() < 0.5 * np.linalg.norm(vae.codes, axis=1).mean()
    np.testing.assert_allclose(vae.encode(x[labels == 4]).mean(axis=0), means[4], atol=1e-5)


def test_a_search_in_code_space_ends_at_the_class(shipped: Generator) -> None:
    """For every class p ≥ 0.95, and a network that took no part in the search agrees for at least 9 of 10."""
    lenet = models.load("lenet")
    f = weighted((1, Through(shipped.decoder, Score(lenet, CLASSES))), (-0.3, squared_norm))
    images = shipped(ascend(f, shipped.codes, steps=150, rate=0.05).x)
    p = softmax(lenet.scores(images))[CLASSES, CLASSES]
    assert p.min() >= 0.95
    assert (models.load("mlp").predict(images) == CLASSES).sum() >= 9


def test_the_gradient_in_the_code_is_a_finite_difference(shipped: Generator) -> None:
    g, lenet = shipped.astype(np.float64), models.load("lenet").astype(np.float64)
    f = weighted((1, Through(g.decoder, Score(lenet, 4))), (-0.3, squared_norm))
    z = g.codes[[4, 9]] + 0.01
    step = 1e-6 * np.random.default_rng(0).standard_normal(z.shape)
    difference = (f(z + step)[0] - f(z - step)[0]) / 2
    np.testing.assert_allclose((f(z)[1] * step).sum(axis=1), difference, rtol=1e-4, atol=1e-12)


def test_the_files_are_small() -> None:
    assert sum((WEIGHTS / f"{name}.npz").stat().st_size for name in generators.NAMES) < 3e6


# --------------------------------------------------------------------------------------------------------- files


def test_a_file_gives_the_generator_back_in_half_precision(tmp_path: Path) -> None:
    g = own()
    g.save(tmp_path / "g.npz")
    back = generators.load(tmp_path / "g.npz")
    assert (back.name, back.info) == ("own", {"epochs": 3})
    assert back.encoder is not None
    x = np.full((1, 1, 2, 2), 0.5, np.float32)
    np.testing.assert_allclose(back.encode(x), g.encode(x), atol=2e-3)
    assert back.codes.dtype == back.decoder.dtype == np.float32
    rounded = g.rounded()
    z = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(rounded(z), back(z))
    np.testing.assert_allclose(back(z), g(z), atol=1e-3)
    back.save(tmp_path / "again.npz")
    assert (tmp_path / "g.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_a_generator_without_an_encoder(tmp_path: Path) -> None:
    replace(own(), encoder=None).save(tmp_path / "g.npz")
    g = generators.load(tmp_path / "g.npz")
    assert g.encoder is None
    with pytest.raises(ValueError, match="'own' has no encoder"):
        g.encode(np.zeros((1, 1, 2, 2), np.float32))


def damaged(path: Path, how: str) -> None:
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "network":
        models.build("tiny").save(path)
    else:
        header, arrays = storage.read(path, "generator")
        if how == "no decoder":
            del header["networks"]["decoder"]
        elif how == "not finite":
            arrays["codes"] = arrays["codes"] * np.float16(np.nan)
        elif how == "no codes":
            del arrays["codes"]
        elif how == "other codes":
            arrays["codes"] = arrays["codes"][:, :1]
        storage.write(path, "generator", header, arrays)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("truncated", "truncated, altered"),
        ("network", "expected an nnlite generator, and this file is of the kind 'network'"),
        ("no decoder", "not a generator that nnlite wrote"),
        ("no codes", "not a generator that nnlite wrote"),
        ("not finite", "codes of the generator holds a NaN"),
        ("other codes", r"\(classes, 2\)"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, how: str, words: str) -> None:
    own().save(tmp_path / "g.npz")
    damaged(tmp_path / "g.npz", how)
    with pytest.raises(ValueError, match=words):
        generators.load(tmp_path / "g.npz")


# ----------------------------------------------------------------------------------------------------- bad input


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no generator 'wgan', nor such a file; the names are vae, gan, dcgan"):
        generators.load("wgan")


@pytest.mark.parametrize(
    ("z", "words"),
    [
        (np.zeros((1, 3), np.float32), r"takes the shape \(N, 2\), got \(1, 3\)"),
        (np.zeros(2, np.float32), "Add the batch axis"),
        (np.zeros((1, 2)), "float32, and x is float64"),
        (np.full((1, 2), np.nan, np.float32), "must be finite"),
    ],
)
def test_other_codes_are_refused(z: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        own()(z)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codes": np.zeros((10, 3), np.float32)}, r"\(classes, 2\) float32, got \(10, 3\)"),
        ({"codes": np.zeros((10, 2))}, " float64"),
        ({"codes": np.full((10, 2), np.inf, np.float32)}, "codes of the generator holds a NaN or an infinity"),
        ({"decoder": models.build("tiny")}, r"takes codes \(N, d\)"),
        ({"encoder": models.build("tiny")}, r"must take images \(1, 2, 2\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(own(), **change)


def test_numbers_that_float16_cannot_hold_are_refused(tmp_path: Path) -> None:
    g = replace(own(), codes=np.full((10, 2), 1e6, np.float32))
    with pytest.raises(ValueError, match="codes hold numbers that float16 cannot"):
        g.save(tmp_path / "g.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("n", "rng"), [(0, 0), (1.5, 0), (1, -1), (1, "seed")])
def test_samples_of_nothing_are_refused(n: Any, rng: Any) -> None:
    with pytest.raises(ValueError, match="sample: "):
        own().sample(n, rng)


def test_what_a_generator_cannot_be_made_of() -> None:
    vae = generators.load("vae")
    with pytest.raises(TypeError, match="codes takes a NumPy array"):
        replace(vae, codes=[[0.0]])
    with pytest.raises(TypeError, match="A generator takes networks"):
        replace(vae, decoder=None)
    with pytest.raises(TypeError, match="A generator takes networks"):
        replace(vae, encoder="vae")
