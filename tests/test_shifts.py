"""Turned, blended, noise: the shifts themselves, and whether uncertainty rises along them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import models
from nnlite.datasets import strokes
from nnlite.datasets.letters import letters
from nnlite.uncertainty import dropout_draws, predict
from nnlite.uncertainty.evidential import evidence
from nnlite.uncertainty.shifts import auroc, blended, noise, rotated

RNG = np.random.default_rng(0)


class TestRotated:
    x = RNG.random((3, 2, 9, 9), dtype=np.float32)

    @pytest.mark.parametrize("quarters", [0, 1, 2, 3, 4])
    def test_quarter_turns_move_pixels_counter_clockwise(self, quarters):
        assert np.allclose(rotated(self.x, 90 * quarters), np.rot90(self.x, quarters, axes=(2, 3)), atol=1e-6)

    def test_bilinear_with_every_pixel_written_out(self):
        x, angle = self.x.astype(np.float64), np.deg2rad(20)
        turned = rotated(x, 20)
        for i in range(9):
            for j in range(9):
                y = 4 + np.cos(angle) * (i - 4) + np.sin(angle) * (j - 4)
                z = 4 - np.sin(angle) * (i - 4) + np.cos(angle) * (j - 4)
                if not (0 <= y < 8 and 0 <= z < 8):
                    assert not turned[:, :, i, j].any()
                    continue
                top, left = int(y), int(z)
                a, b = y - top, z - left
                upper = (1 - b) * x[:, :, top, left] + b * x[:, :, top, left + 1]
                lower = (1 - b) * x[:, :, top + 1, left] + b * x[:, :, top + 1, left + 1]
                assert np.allclose(turned[:, :, i, j], (1 - a) * upper + a * lower)

    def test_each_picture_and_channel_on_its_own(self):
        turned = rotated(self.x, 30)
        assert turned.dtype == np.float32
        for n in range(3):
            assert np.array_equal(rotated(self.x[n : n + 1], 30)[0], turned[n])
            assert np.array_equal(rotated(self.x[n : n + 1, 1:], 30)[0, 0], turned[n, 1])

    def test_ink_is_kept_and_stays_in_range(self):
        digits = strokes(20)[0]
        turned = rotated(digits, 37)
        assert turned.min() >= 0
        assert turned.max() <= 1
        assert np.abs(turned.sum(axis=(1, 2, 3)) / digits.sum(axis=(1, 2, 3)) - 1).max() < 0.05

    def test_back_again_is_nearly_the_same(self):
        digits = strokes(20)[0]
        assert np.abs(rotated(rotated(digits, 25), -25) - digits).mean() < 0.03

    @pytest.mark.parametrize(
        ("x", "degrees", "message"),
        [
            (np.zeros((28, 28)), 10, r"got \(28, 28\) float64"),
            (np.zeros((1, 1, 4, 4), np.uint8), 10, " uint8"),
            ([[0.0]], 10, "got list"),
            (np.zeros((1, 1, 4, 4)), np.nan, "degrees must be a finite number"),
        ],
    )
    def test_errors(self, x, degrees, message):
        with pytest.raises(ValueError, match=message):
            rotated(x, degrees)


class TestBlended:
    def test_ends_and_symmetry(self):
        a, b = RNG.random((2, 5, 3), dtype=np.float32)
        assert np.array_equal(blended(a, b, 0), a)
        assert np.array_equal(blended(a, b, 1), b)
        assert np.allclose(blended(a, b, 0.3), blended(b, a, 0.7))
        assert blended(a, b, 0.3).dtype == np.float32

    @pytest.mark.parametrize(
        ("b", "t", "message"),
        [
            (np.zeros(3), 0.5, "one shape"),
            (np.zeros(2, np.float32), 0.5, " float32"),
            (np.zeros(2), 1.5, "from 0 to 1"),
            (np.zeros(2), np.nan, "t must be a finite number"),
        ],
    )
    def test_errors(self, b, t, message):
        with pytest.raises(ValueError, match=message):
            blended(np.zeros(2), b, t)


class TestNoise:
    def test_uniform_and_reproducible(self):
        x = noise(50, 3)
        assert (x.shape, x.dtype) == ((50, 1, 28, 28), np.float32)
        assert np.array_equal(x, noise(50, np.random.default_rng(3)))
        assert abs(x.mean() - 0.5) < 0.01
        assert abs(x.var() - 1 / 12) < 0.003

    @pytest.mark.parametrize(("n", "rng"), [(0, 0), (2.0, 0), (2, -1), (2, None)])
    def test_errors(self, n, rng):
        with pytest.raises(ValueError, match="takes"):
            noise(n, rng)


numbers = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=12).map(np.array)


class TestAuroc:
    @given(numbers, numbers)
    def test_is_its_definition_pair_by_pair(self, usual, strange):
        pairs = [(s > u) + (s == u) / 2 for s in strange for u in usual]
        assert auroc(usual, strange) == pytest.approx(np.mean(pairs))

    @given(numbers, numbers)
    def test_exchanged_and_stretched(self, usual, strange):
        assert auroc(usual, strange) + auroc(strange, usual) == pytest.approx(1)
        assert auroc(np.exp(usual), np.exp(strange)) == pytest.approx(auroc(usual, strange))

    @pytest.mark.parametrize("usual", [np.array([]), np.zeros((2, 2)), np.array([0.0, np.nan])])
    def test_errors(self, usual):
        with pytest.raises(ValueError, match="usual takes numbers"):
            auroc(usual, np.ones(3))


N = 100


@pytest.fixture(scope="module")
def measures():
    dropout, ensemble = dropout_draws(models.load("lenet_dropout"), 30), models.ensemble()
    evidential = models.load("lenet_evidential")

    def measures(x):
        mc, five = predict(dropout, x), predict(ensemble, x)
        return {
            "dropout H": mc.entropy,
            "dropout I": mc.mutual_information,
            "ensemble H": five.entropy,
            "ensemble I": five.mutual_information,
            "ensemble 1 - p": 1 - five.mean.max(axis=1),
            "evidential u": evidence(evidential, x).uncertainty,
        }

    return measures


@pytest.fixture(scope="module")
def digits():
    return strokes(N, seed=models.HELD_OUT_SEED)


@pytest.fixture(scope="module")
def usual(measures, digits):
    return measures(digits[0])


class TestUncertaintyMeansSomething:
    """On held-out digits. The measured figures, on 200 of each, are those that scripts/draw_uncertainty.py prints."""

    def test_it_rises_as_digits_turn(self, measures, digits, usual):
        some, quarter = measures(rotated(digits[0], 30)), measures(rotated(digits[0], 90))
        for name, u in usual.items():
            assert u.mean() < some[name].mean() < quarter[name].mean(), name
            assert quarter[name].mean() > 1.4 * u.mean(), name

    def test_a_zero_is_a_zero_upside_down(self, measures, digits):
        """What looks the same turned is as sure as before; a 4 is not."""
        zeros, fours = (digits[0][digits[1] == k] for k in (0, 4))
        for name in ("ensemble H", "evidential u"):
            assert measures(rotated(zeros, 180))[name].mean() < 2 * measures(zeros)[name].mean() + 0.05
            assert measures(rotated(fours, 180))[name].mean() > 1.5 * measures(fours)[name].mean()

    def test_a_six_upside_down_is_a_nine_and_surely_so(self, digits):
        """What no measure can notice: it has become another digit."""
        sixes = rotated(digits[0][digits[1] == 6], 180)
        assert np.mean(predict(models.ensemble(), sixes).classes == 9) > 0.6

    def test_between_a_four_and_a_nine_it_is_larger_than_at_either(self, measures):
        fours, nines = (strokes(N, seed=models.HELD_OUT_SEED, labels=k)[0] for k in (4, 9))
        start, middle, end = (measures(blended(fours, nines, t)) for t in (0, 0.5, 1))
        for name in middle:
            assert middle[name].mean() > max(start[name].mean(), end[name].mean()), name

    def test_letters_are_told_from_digits(self, measures, usual):
        strange = measures(letters(N, seed=models.HELD_OUT_SEED)[0])
        for name, u in usual.items():
            assert strange[name].mean() > 1.4 * u.mean(), name
            assert auroc(u, strange[name]) > (0.75 if name == "evidential u" else 0.85), name

    def test_noise_is_told_from_digits_but_not_by_the_draws_quarrelling(self, measures, usual):
        strange = measures(noise(N))
        for name, u in usual.items():
            if name != "dropout I":
                assert auroc(u, strange[name]) > (0.8 if name == "evidential u" else 0.95), name
        assert auroc(usual["dropout I"], strange["dropout I"]) < 0.75  # all draws are undecided, and agree on that


def test_pictures_that_are_none_are_refused():
    x = strokes(1)[0]
    for bad in (255 * x, np.where(x > 0.5, np.nan, x)):
        with pytest.raises(ValueError, match="x takes pixels from 0 to 1"):
            rotated(bad, 30)
    for bad in ((255 * x).astype(np.uint8), np.full_like(x, np.nan), [0.0]):  # of integers 1 − t would be 0 or 1
        with pytest.raises(ValueError, match="x0 takes a float32 or float64 array of finite numbers"):
            blended(bad, bad, 0.5)
    for shape in ((1, 0), (1, -3), 3):
        with pytest.raises(ValueError, match="noise: shape takes one or more positive integers"):
            noise(1, shape=shape)
