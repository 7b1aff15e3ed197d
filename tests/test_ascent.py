"""The search: against closed forms, sample by sample, in its box, and with a report where it diverges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network
from nnlite.layers import Dense
from nnlite.model_based.ascent import ascend, box
from nnlite.model_based.objectives import Score, SquaredDistance, Through, squared_norm, weighted
from nnlite.training.optimizers import SGD, Adam

HILL = weighted((-1, SquaredDistance(np.array([0.25, -0.5, 2.0]))))
START = np.random.default_rng(0).normal(size=(4, 3))


def test_plain_steps_reach_where_the_closed_form_says():
    """x ← x − 2 rate (x − c) gives x_T − c = (1 − 2 rate)ᵀ (x_0 − c)."""
    found = ascend(HILL, START, steps=30, rate=0.1, optimizer=SGD(), keep=True)
    centre = np.array([0.25, -0.5, 2.0])
    for t in (0, 1, 7, 30):
        np.testing.assert_allclose(found.trajectory[t], centre + 0.8**t * (START - centre), rtol=1e-12)
        np.testing.assert_allclose(found.values[t], -(0.64**t) * ((START - centre) ** 2).sum(axis=1), rtol=1e-10)
    assert np.array_equal(found.x, found.trajectory[-1])


def test_the_first_step_of_adam_has_the_length_of_the_rate():
    found = ascend(HILL, START, steps=1, rate=0.05)
    np.testing.assert_allclose(np.abs(found.x - START), 0.05, rtol=1e-6)
    assert (found.values[1] > found.values[0]).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), low=st.floats(-2, 0), width=st.floats(0.1, 3))
def test_in_a_box_the_search_ends_at_the_point_of_the_box_nearest_to_the_top(seed, low, width):
    rng = np.random.default_rng(seed)
    top, start = 2 * rng.normal(size=5), 3 * rng.normal(size=(2, 5))
    f = weighted((-1, SquaredDistance(top)))
    found = ascend(f, start, steps=200, rate=0.2, optimizer=SGD(), project=box(low, low + width), keep=True)
    np.testing.assert_allclose(found.x, np.broadcast_to(np.clip(top, low, low + width), (2, 5)), atol=1e-6)
    assert found.trajectory.min() >= low
    assert found.trajectory.max() <= low + width


def test_each_sample_climbs_for_itself():
    together = ascend(HILL, START, steps=20)
    for n in range(len(START)):
        np.testing.assert_allclose(ascend(HILL, START[n : n + 1], steps=20).x[0], together.x[n], rtol=1e-12)


def test_the_start_stays_as_it_was_and_comes_back_as_it_was_brought_into_the_box():
    kept = START.copy()
    found = ascend(HILL, START, steps=3, project=box(0, 1))
    assert np.array_equal(START, kept)
    assert np.array_equal(found.start, START.clip(0, 1))
    assert found.trajectory is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    f = weighted((-1, squared_norm))
    found = ascend(f, START.astype(dtype), steps=5, project=box(), keep=True)
    assert found.x.dtype == found.values.dtype == found.trajectory.dtype == dtype


class Gusts:
    """A hill whose top is drawn anew for every step."""

    def __call__(self, x):
        return squared_norm(x)

    def draw(self, rng):
        return weighted((-1, SquaredDistance(rng.normal(size=3))))


def test_what_is_random_is_drawn_for_every_step_from_the_seed():
    one, same, other = (ascend(Gusts(), START, steps=10, rng=seed, keep=True) for seed in (1, 1, 2))
    assert np.array_equal(one.trajectory, same.trajectory)
    assert np.array_equal(one.values, same.values)
    assert not np.allclose(one.x, other.x)
    assert np.array_equal(one.x, ascend(Gusts(), START, steps=10, rng=np.random.default_rng(1)).x)


def test_a_progress_bar_is_shown_on_request(capsys):
    ascend(HILL, START, steps=3)
    assert capsys.readouterr() == ("", "")
    ascend(HILL, START, steps=3, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


# ------------------------------------------------------------------------------------------- divergence, bad input


def explodes(x):
    return (x**3).sum(axis=1), np.exp(np.minimum(x, 800) ** 2)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (explodes, r"diverged at step \d+ of 50: .* of sample 1 is not finite. Lower the rate"),
        (lambda x: (np.full(len(x), np.nan), x), "diverged at step 1 of 50: f of sample 0"),
        (lambda x: (x[:, 0], np.full_like(x, np.inf)), "diverged at step 1 of 50: the gradient of sample 0"),
        (
            Score(Network([Dense(np.full((3, 2), 1e200)), Dense(np.full((2, 1), 1e200))]), 0),
            "diverged at step 1 of 50: Score: the activations of layer dense2 hold a NaN or an infinity",
        ),
    ],
)
def test_a_search_that_diverges_is_reported(f, message):
    start = np.array([[-1.0, 0, 0], [3.0, 0, 0]])
    with pytest.raises(FloatingPointError, match=message):
        ascend(f, np.abs(start) if isinstance(f, Score) else start, steps=50, rate=5.0, optimizer=SGD())


def test_a_network_that_overflows_on_the_way_is_a_divergence_not_a_picture_of_nans():
    net = Network([Dense(np.full((3, 4), 1e155)), Dense(np.full((4, 1), 1e150))])
    with pytest.raises(FloatingPointError, match="diverged at"):
        ascend(Through(net, squared_norm), START, steps=20, rate=1e30)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x.sum(), x),
        lambda x: (x.sum(axis=1), x[:1]),
        lambda x: (x.sum(axis=1), x.astype(np.float32)),
    ],
)
def test_an_objective_that_is_none_is_refused(f):
    with pytest.raises(ValueError, match=r"a number for each sample, \(4,\), and a gradient like x, \(4, 3\) float64"):
        ascend(f, START)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps takes a positive integer, got 0"),
        ({"steps": 2.0}, "steps takes a positive integer"),
        ({"rate": 0}, "rate must be above 0, got 0.0"),
        ({"rate": -1}, "rate must be above 0"),
        ({"rate": np.nan}, "rate must be a finite number"),
        ({"rng": "seed"}, "rng takes a seed"),
        ({"keep": 1}, "keep takes True or False"),
        ({"progress": "bar"}, "progress takes True or False"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ascend(HILL, START, **options)


@pytest.mark.parametrize("start", [[[1.0]], np.ones(3), np.ones((2, 3), int), np.ones((0, 3)), None])
def test_a_start_that_is_no_batch_is_refused(start):
    with pytest.raises(ValueError, match="start takes a float32 or float64 array"):
        ascend(HILL, start)


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="start must be finite"):
        ascend(HILL, np.where(np.arange(4)[:, None] == 2, np.nan, START))


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (np.nan, 1), (0, np.inf)])
def test_a_box_needs_room(ends):
    with pytest.raises(ValueError, match="box"):
        box(*ends)


def test_the_optimizer_is_a_choice():
    assert not np.allclose(
        ascend(HILL, START, steps=5, optimizer=Adam(beta1=0.0)).x, ascend(HILL, START, steps=5, optimizer=Adam()).x
    )
