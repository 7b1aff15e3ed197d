"""Experts: densities against SciPy's and against their integrals, gradients against finite differences, bad input."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import multivariate_normal

from nnlite import storage
from nnlite.model_based import ascent
from nnlite.model_based.experts import PPCA, Expert, Gaussian, GaussianRBM, MixturePPCA, fitted, load, recipes
from nnlite.model_based.experts.low_rank import best_fit
from nnlite.model_based.objectives import weighted


def blobs(n: int = 60, D: int = 6, seed: int = 0) -> np.ndarray:
    """Correlated data with one number that is always 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D)) @ rng.normal(size=(D, D)) + 3 * rng.integers(0, 2, (n, 1))
    x[:, 0] = 0
    return x


def rbm(D: int = 6, H: int = 5, seed: int = 1) -> GaussianRBM:
    rng = np.random.default_rng(seed)
    return GaussianRBM(rng.normal(size=D), rng.normal(size=(D, H)), rng.normal(size=H), 0.7)


EXPERTS: dict[str, Expert] = {
    "gaussian": Gaussian.fit(blobs(), floor=0.1),
    "ppca": PPCA.fit(blobs(), q=2),
    "mixture": MixturePPCA.fit(blobs(), K=4, q=2, floor=0.05),
    "rbm": rbm(),
}
every_expert = pytest.mark.parametrize("expert", EXPERTS.values(), ids=EXPERTS)


def dense(expert: Expert) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """The normal laws of an expert with their whole covariances: (weight, mean, covariance)."""
    if isinstance(expert, Gaussian):
        return [(1.0, expert.mean, expert.covariance)]
    if isinstance(expert, PPCA):
        return [(1.0, expert.mean, expert.W @ expert.W.T + expert.noise * np.eye(len(expert.mean)))]
    if isinstance(expert, MixturePPCA):
        whole = [W @ W.T + noise * np.eye(len(W)) for W, noise in zip(expert.W, expert.noise, strict=True)]
        return list(zip(expert.weights, expert.mean, whole, strict=True))
    raise TypeError(expert)


def as_mixture(rbm: GaussianRBM) -> tuple[np.ndarray, np.ndarray]:
    """An RBM, every h written out: log ∫ p̃(x, h) dx of each h (2^H,), and the mean of x given each h (2^H, D)."""
    D, H = rbm.W.shape
    h = (np.arange(2**H)[:, None] >> np.arange(H)) & 1
    mean = rbm.mean + rbm.noise * h @ rbm.W.T
    exponent = ((mean**2).sum(axis=1) - (rbm.mean**2).sum()) / (2 * rbm.noise)
    return h @ rbm.bias + exponent + D / 2 * np.log(2 * np.pi * rbm.noise), mean


# ----------------------------------------------------------------------------------------------- the densities


@pytest.mark.parametrize("name", ["gaussian", "ppca", "mixture"])
def test_density_is_scipys(name: str) -> None:
    expert, x = EXPERTS[name], blobs(seed=5)
    laws = dense(expert)
    expected = logsumexp([np.log(w) + multivariate_normal(m, C).logpdf(x) for w, m, C in laws], axis=0)
    assert expert.normalised
    np.testing.assert_allclose(expert.log_density(x), expected, rtol=1e-10)


def test_free_energy_is_the_sum_over_every_hidden_state() -> None:
    expert, x = rbm(), blobs(seed=5)
    log_mass, mean = as_mixture(expert)
    given_h = [multivariate_normal(m, expert.noise * np.eye(len(m))).logpdf(x) for m in mean]
    assert not expert.normalised
    np.testing.assert_allclose(expert.log_density(x), logsumexp(log_mass[:, None] + given_h, axis=0), rtol=1e-10)


def test_densities_integrate_to_one() -> None:
    line = np.linspace(-12, 12, 4001)[:, None]
    plane = np.stack(np.meshgrid(*[np.linspace(-12, 12, 401)] * 2), axis=-1).reshape(-1, 2)
    x = np.random.default_rng(0).normal(size=(40, 2)) * (0.7, 0.3) + np.repeat([[-1], [1]], 20, axis=0)
    for expert, where in (
        (Gaussian.fit(x[:, :1]), line),
        (Gaussian.fit(x), plane),
        (PPCA.fit(x, q=1), plane),
        (MixturePPCA.fit(x, K=3, q=1, floor=0.1), plane),
    ):
        cell = (24 / 4000) if where is line else (24 / 400) ** 2
        assert np.exp(expert.log_density(where)).sum() * cell == pytest.approx(1, abs=1e-6)


@every_expert
def test_gradient_against_finite_differences(expert: Expert) -> None:
    x, h = blobs(8, seed=3), 1e-5
    columns = [(expert.log_density(x + h * e) - expert.log_density(x - h * e)) / (2 * h) for e in np.eye(6)]
    np.testing.assert_allclose(expert.gradient(x), np.stack(columns, axis=1), rtol=1e-6, atol=1e-6)


def test_low_rank_keeps_its_digits_far_from_zero() -> None:
    x = blobs()
    near, far = PPCA.fit(x, q=2), PPCA.fit(x + 1e6, q=2)
    np.testing.assert_allclose(far.log_density(x + 1e6), near.log_density(x), rtol=1e-6)


# ----------------------------------------------------------------------------------------------- best fits


@pytest.mark.parametrize("q", [1, 2, 4])
def test_ppca_is_the_closed_form(q: int) -> None:
    x = blobs()
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    values, U = values[::-1], vectors[:, ::-1]
    expert = PPCA.fit(x, q=q)
    assert expert.noise == pytest.approx(values[q:].mean())
    W = U[:, :q] * np.sqrt(values[:q] - expert.noise)
    np.testing.assert_allclose(expert.W @ expert.W.T, W @ W.T, atol=1e-10)
    np.testing.assert_allclose(expert.mean, x.mean(axis=0))


@pytest.mark.parametrize("floor", [1e-6, 2.0])
def test_ppca_is_the_most_likely_one(floor: float) -> None:
    x, rng = blobs(), np.random.default_rng(0)
    best = PPCA.fit(x, q=2, floor=floor)
    highest = best.log_density(x).mean()
    assert (best.noise == floor) == (floor == 2.0)
    for scale in (1e-3, 1e-1) * 20:
        W, mean = best.W + scale * rng.normal(size=best.W.shape), best.mean + scale * rng.normal(size=6)
        noise = max(best.noise * np.exp(scale * rng.normal()), floor)
        for other in (PPCA(mean, best.W, best.noise), PPCA(best.mean, W, best.noise), PPCA(best.mean, W, noise)):
            assert other.log_density(x).mean() < highest


@pytest.mark.parametrize("n", [4, 60], ids=["fewer samples than numbers", "more"])
def test_a_responsibility_counts_as_so_many_samples(n: int) -> None:
    x, often = blobs(n), np.random.default_rng(0).integers(0, 4, n)
    repeated = best_fit(np.repeat(x, often, axis=0), np.ones(often.sum()), 2, 1e-3)
    for mine, expected in zip(best_fit(x, 0.1 * often, 2, 1e-3), repeated, strict=True):
        square = [array @ array.T if np.ndim(array) == 2 else array for array in (mine, expected)]
        np.testing.assert_allclose(*square, rtol=1e-9, atol=1e-9)


def test_gaussian_is_the_most_likely_above_its_floor() -> None:
    x, rng, floor = blobs(), np.random.default_rng(0), 0.1
    best = Gaussian.fit(x, floor=floor)
    assert np.linalg.eigvalsh(best.covariance)[0] == pytest.approx(floor)  # one number is always 0
    highest = best.log_density(x).mean()
    for scale in (1e-3, 1e-1) * 20:
        A = 0.3 * scale * rng.normal(size=(6, 6))
        values, U = np.linalg.eigh((np.eye(6) + A) @ best.covariance @ (np.eye(6) + A.T))
        other = Gaussian(best.mean, (U * np.maximum(values, floor)) @ U.T)
        assert other.log_density(x).mean() < highest


def rounding(x: np.ndarray, floor: float) -> float:
    """How exact log p can be: (‖x − μ‖² − ‖Aᵀ(x − μ)‖²) / σ² is a difference of numbers up to ‖x − μ‖²."""
    return 4 * np.finfo(float).eps * ((x - x.mean(axis=0)) ** 2).sum(axis=1).max() / floor


@pytest.mark.parametrize("wide", [False, True], ids=["more samples than numbers", "fewer"])
@pytest.mark.parametrize("floor", [1e-6, 0.05, 1.0, 20.0])
def test_em_rises_at_every_step(floor: float, wide: bool) -> None:
    x = blobs(30, 50) if wide else blobs(300)
    for seed in range(3):
        expert = MixturePPCA.fit(x, K=5, q=2, floor=floor, steps=40, tolerance=0, rng=seed)
        history = np.array(expert.history)
        assert len(history) > 1
        assert (np.diff(history) >= -rounding(x, floor)).all()
        assert expert.log_density(x).mean() == pytest.approx(history[-1], rel=1e-12)
        assert (expert.noise >= floor).all()


def test_one_component_is_ppca() -> None:
    x = blobs()
    mixture, single = MixturePPCA.fit(x, K=1, q=2, floor=1e-6), PPCA.fit(x, q=2)
    np.testing.assert_allclose(mixture.log_density(x), single.log_density(x), rtol=1e-12)


def test_as_many_components_as_samples_and_empty_ones() -> None:
    x = blobs(12)
    for data in (x, np.repeat(x[:3], 4, axis=0)):  # twelve centres on three points: nine stay empty
        expert = MixturePPCA.fit(data, K=12, q=2, floor=0.1, tolerance=0)
        value, gradient = expert(data)
        assert (np.diff(expert.history) >= -rounding(data, 0.1)).all()
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()
    assert (expert.weights == 0).any()


@pytest.mark.parametrize("fit", [Gaussian.fit, lambda x: PPCA.fit(x, q=2), lambda x: MixturePPCA.fit(x, K=3, q=2)])
def test_fit_gives_the_same_bits_and_takes_images(fit: Any) -> None:
    x = blobs().astype(np.float32)
    flat, images = fit(x), fit(x.reshape(-1, 1, 2, 3))
    assert (flat.shape, images.shape) == ((6,), (1, 2, 3))
    assert flat.log_density(x).tobytes() == images.log_density(x).tobytes() == fit(x).log_density(x).tobytes()


def test_data_in_a_plane_is_not_singular() -> None:
    x = np.tile(np.arange(6.0)[:, None], (1, 4))  # on one line
    for expert in (Gaussian.fit(x), PPCA.fit(x, q=1), PPCA.fit(x, q=3), MixturePPCA.fit(x, K=2, q=3)):
        assert np.isfinite(expert(x)[1]).all()


# ----------------------------------------------------------------------------------------------- shapes and samples


@every_expert
def test_shape_and_dtype_of_x_are_kept(expert: Expert) -> None:
    x = blobs(5)
    value, gradient = expert(x)
    for dtype in (np.float32, np.float64):
        v, g = expert(x.astype(dtype).reshape(5, 1, 2, 3))
        assert (v.dtype, g.dtype, v.shape, g.shape) == (dtype, dtype, (5,), (5, 1, 2, 3))
        np.testing.assert_allclose(v, value, rtol=1e-5)
        np.testing.assert_allclose(g.reshape(5, 6), gradient, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(expert.log_density(x), value)
    np.testing.assert_array_equal(expert.gradient(x), gradient)


@every_expert
def test_samples_have_the_mean_and_covariance_of_the_law(expert: Expert, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnlite.model_based.experts.gaussian_rbm.GIBBS_STEPS", 100)
    n = 20_000
    if isinstance(expert, GaussianRBM):
        log_mass, means = as_mixture(expert)
        laws = list(zip(np.exp(log_mass - logsumexp(log_mass)), means, [expert.noise * np.eye(6)] * 32, strict=True))
    else:
        laws = dense(expert)
    mean = sum(w * m for w, m, _ in laws)
    covariance = sum(w * (C + np.outer(m - mean, m - mean)) for w, m, C in laws)
    x = expert.sample(n, 3)
    assert (x.shape, x.dtype) == ((n, 6), np.float32)
    spread = np.sqrt(np.diag(covariance))
    assert (np.abs(x.mean(axis=0) - mean) < 5 * spread / n**0.5).all()
    assert (np.abs(np.cov(x.T) - covariance) < 8 * np.outer(spread, spread) / n**0.5).all()
    np.testing.assert_array_equal(expert.sample(7, 2), expert.sample(7, np.random.default_rng(2)))


@every_expert
def test_a_search_climbs_it(expert: Expert) -> None:
    x = blobs(3, seed=9).astype(np.float32)
    result = ascent.ascend(weighted((0.5, expert)), x, steps=50)
    assert (result.values[-1] > result.values[0]).all()


def test_gibbs_conditionals_belong_to_the_gradient() -> None:
    expert, x = rbm(), blobs(4)
    h = expit(expert.bias + x @ expert.W)
    expected = (expert.mean + expert.noise * h @ expert.W.T - x) / expert.noise  # (E[x | h = p] − x) / σ²
    np.testing.assert_allclose(expert.gradient(x), expected, rtol=1e-12)


# ----------------------------------------------------------------------------------------------- files


@every_expert
def test_saved_and_loaded(expert: Expert, tmp_path: Path) -> None:
    place, x = tmp_path / "expert.npz", blobs(4)
    expert.save(place, info={"seed": 3})
    again = load(place)
    assert type(again) is type(expert)
    assert repr(again) == repr(expert)
    assert getattr(again, "history", None) == getattr(expert, "history", None)
    for one, other in zip(again(x), expert(x), strict=True):
        assert one.tobytes() == other.tobytes()


@every_expert
def test_damaged_files_are_refused(expert: Expert, tmp_path: Path) -> None:
    place = tmp_path / "expert.npz"
    expert.save(place)
    header, arrays = storage.read(place, "expert")
    content = place.read_bytes()
    place.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"expert\.npz"):
        load(place)
    header = {key: header[key] for key in ("expert", "settings", "info")}
    for changed in (
        {**header, "expert": "oracle"},
        {**header, "settings": {"colour": 3}},
        {key: value for key, value in header.items() if key != "info"},
        {**header, "settings": {**header["settings"], "shape": [5]}},
    ):
        storage.write(place, "expert", changed, arrays)
        with pytest.raises(ValueError, match=r"expert\.npz: not an expert"):
            load(place)
    for name in arrays:
        storage.write(place, "expert", header, {**arrays, name: np.full_like(arrays[name], np.nan)})
        with pytest.raises(ValueError, match=r"expert\.npz: not an expert"):
            load(place)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Recipes that are quick to follow; how often digits were drawn for one."""
    drawn: list[int] = []
    few = {"gaussian": {}, "ppca": {"q": 3}, "mixture": {"K": 2, "q": 2}, "rbm": {"hidden": 4, "epochs": 1}}
    monkeypatch.setattr(recipes, "OPTIONS", few)
    digits = recipes.strokes(60, seed=2)[0]
    monkeypatch.setattr(recipes, "digits", lambda: drawn.append(1) or digits)
    return drawn


@pytest.mark.parametrize("name", recipes.NAMES)
def test_fitted_once_and_kept(name: str, few_digits: list[int], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "data"))
    x = np.zeros((1, 1, 28, 28))
    first, second = fitted(name), fitted(name)
    place = tmp_path / "data" / "experts" / f"{name}.npz"
    assert [file.name for file in place.parent.iterdir()] == [place.name]
    assert (first.name, first.shape, len(few_digits)) == (name, (1, 28, 28), 1)
    assert first(x)[1].tobytes() == second(x)[1].tobytes()
    content = place.read_bytes()
    place.write_bytes(content[:-20])  # damaged
    fitted(name)
    assert (len(few_digits), place.read_bytes()) == (2, content)
    monkeypatch.setattr(recipes, "VERSION", 0)  # another recipe
    fitted(name)
    fitted(name)
    assert len(few_digits) == 3


def test_fitted_without_a_place_to_keep_it(few_digits: list[int], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="could not be kept") as caught:
        expert = fitted("ppca", folder=tmp_path / "file")
    assert (len(caught), expert.name) == (1, "ppca")
    with pytest.raises(ValueError, match="There is no expert 'oracle'; the names are gaussian, ppca, mixture, rbm"):
        fitted("oracle")


# ----------------------------------------------------------------------------------------------- bad input


@every_expert
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((2, 7)), ValueError, "was fit to samples of the shape (6,), 6 numbers each; x has the shape (2, 7)"),
        (np.zeros((2, 1, 2, 2)), ValueError, "was fit to samples of the shape (6,)"),
        (np.zeros(6), ValueError, "(N, ...)"),
        (np.zeros((0, 6)), ValueError, "one sample or more"),
        (np.zeros((2, 6), np.float16), ValueError, " float16"),
        (np.zeros((2, 6), int), ValueError, " int64"),
        (np.full((2, 6), np.nan), ValueError, "NaN or an infinity"),
        (np.full((2, 6), 1e200), ValueError, "too far from what this"),
        (np.full((2, 6), 1e25, np.float32), ValueError, "too far from what this"),
        ([[0.0] * 6], TypeError, "got list"),
    ],
)
def test_bad_x(expert: Expert, x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        expert(x)


FITS: dict[str, Any] = {
    "gaussian": Gaussian.fit,
    "ppca": lambda x, **options: PPCA.fit(x, **{"q": 2, **options}),
    "mixture": lambda x, **options: MixturePPCA.fit(x, **{"q": 2, "K": 2, **options}),
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 6)), "two samples or more"),
        (np.full((3, 6), np.inf), "NaN or an infinity"),
        (np.zeros((3, 6), np.float16), "float16"),
        (np.zeros(6), r"\(N, \.\.\.\)"),
    ],
)
def test_bad_data(fit: Any, x: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(x)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gaussian", {"floor": 0}, "above 0"),
        ("ppca", {"floor": -1}, "above 0"),
        ("ppca", {"q": 6}, "q must be below D = 6"),
        ("ppca", {"q": 0}, "positive integer"),
        ("mixture", {"q": 6}, "q must be below D = 6"),
        ("mixture", {"K": 61}, "K must be at most N = 60"),
        ("mixture", {"K": 0}, "positive integer"),
        ("mixture", {"floor": 0}, "above 0"),
        ("mixture", {"steps": 0}, "positive integer"),
        ("mixture", {"tolerance": -1}, "tolerance"),
        ("mixture", {"rng": -1}, "seed"),
    ],
)
def test_bad_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FITS[name](blobs(), **options)


W = np.ones((2, 3, 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gaussian(np.zeros(2), np.ones((2, 2))), "positive definite"),
        (lambda: Gaussian(np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]])), "symmetric"),
        (lambda: Gaussian(np.zeros(2), 1e-13 * np.array([[1.0, 0.5], [0.0, 1.0]])), "symmetric"),  # in small units too
        (lambda: Gaussian(np.zeros(2), np.eye(3)), r"the shape \(2, 2\)"),
        (lambda: PPCA(np.zeros(3), np.ones((3, 3)), 1.0), "q must be below D = 3"),
        (lambda: PPCA(np.zeros(3), np.ones((3, 1)), 0.0), "above 0"),
        (lambda: PPCA(np.zeros(3), np.ones((3, 1)), 1.0, (2, 2)), "one with 3 numbers"),
        (lambda: MixturePPCA(np.array([1.5, -0.5]), np.zeros((2, 3)), W, np.ones(2)), "the least is -0.5"),
        (lambda: MixturePPCA(np.array([0.5, 0.4]), np.zeros((2, 3)), W, np.ones(2)), "the sum 0.9"),
        (lambda: MixturePPCA(np.full(2, 0.5), np.zeros((2, 3)), W, np.array([1.0, 0.0])), "above 0"),
        (lambda: MixturePPCA(np.full(2, 0.5), np.zeros((2, 3)), W[0], np.ones(2)), r"\(K, D, q\)"),
        (lambda: GaussianRBM(np.zeros(3), np.full((3, 2), np.nan), np.zeros(2), 1.0), "finite"),
        (lambda: GaussianRBM(np.zeros(3), np.ones((3, 2)), np.zeros(2), -1.0), "above 0"),
        (lambda: EXPERTS["ppca"].sample(0), "positive integer"),
    ],
)
def test_bad_experts(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("fit", [Gaussian.fit, lambda x: PPCA.fit(x, q=1), lambda x: MixturePPCA.fit(x, K=2, q=1)])
def test_numbers_whose_squares_overflow_are_refused(fit: Any) -> None:
    with pytest.raises(ValueError, match=r"x takes numbers up to 1e\+100, got .*e\+200; scale them"):
        fit(np.random.default_rng(0).normal(size=(4, 3)) * 1e200)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PPCA(np.zeros(2), np.full((2, 1), 1e200), 1.0), "PPCA: W takes finite numbers up to"),
        (lambda: PPCA(np.zeros(2), np.float64(3), 1.0), "PPCA: W takes the shape"),  # type: ignore[arg-type]
        (lambda: GaussianRBM(np.zeros(2), np.float64(3), np.zeros(1), 1.0), "W takes the shape"),  # type: ignore[arg-type]
        (lambda: GaussianRBM(np.zeros(2), np.ones((2, 1)), np.zeros(1), 1.0, chains=np.zeros((0, 2))), "chains takes"),
        (lambda: GaussianRBM(np.zeros(2), np.ones((2, 1)), np.zeros(1), 1.0, chains=3), "chains takes"),  # type: ignore[arg-type]
    ],
)
def test_parts_that_make_no_expert(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_file_with_a_number_for_a_matrix(tmp_path: Path) -> None:
    place = tmp_path / "expert.npz"
    PPCA(np.zeros(2), np.ones((2, 1)), 1.0).save(place)
    header, arrays = storage.read(place, "expert")
    storage.write(place, "expert", header, {**arrays, "W": np.array(3.0)})
    with pytest.raises(ValueError, match=r"not an expert that nnlite wrote .*W takes the shape"):
        load(place)
