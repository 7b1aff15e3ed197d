"""Pictures of relevance: red raises, blue lowers, white is zero, and the sums stand in the title."""

import io

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from nnlite import plots


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


R = np.random.default_rng(0).normal(size=(5, 7))


def test_white_is_zero_red_is_above_and_blue_below():
    blue, white, red = plots.colours(np.array([[-2.0, 0.0, 2.0]]))[0].astype(int)
    assert white.tolist() == [255, 255, 255]
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]


def test_the_colours_are_symmetric_about_zero():
    """The same distance from zero is the same place between white and the end, on either side."""
    t = np.linspace(0, 1, 101)
    above, below = plots.colours(t[None])[0].astype(float), plots.colours(-t[None])[0].astype(float)
    for side in (above, below):
        light = side @ [0.299, 0.587, 0.114]
        assert (np.diff(light) <= 0).all()  # the stronger, the darker
    anchors = np.linspace(-1, 1, len(plots.COLOURS))
    assert np.allclose(anchors, -anchors[::-1])
    assert plots.COLOURS[len(plots.COLOURS) // 2] == "#ffffff"
    assert [c.tobytes().hex() for c in plots.colours(anchors[None])[0]] == [c[1:] for c in plots.COLOURS]


def test_the_strongest_value_has_the_strongest_colour_whichever_side_it_is_on():
    assert plots.colours(np.array([[3.0, -1.0]]))[0, 0].tolist() == [103, 0, 13]
    assert plots.colours(np.array([[1.0, -3.0]]))[0, 1].tolist() == [8, 48, 107]


def test_a_limit_is_where_the_colours_end():
    assert np.array_equal(plots.colours(R, limit=1), plots.colours(np.clip(R, -1, 1)))
    assert np.array_equal(plots.colours(10 * R, limit=10), plots.colours(R, limit=1))


def test_a_map_of_zeros_is_white():
    assert (plots.colours(np.zeros((3, 4))) == 255).all()
    image = plots.heatmap(np.zeros((3, 4))).images[0]
    assert (image.get_clim()) == (-1, 1)


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (1, 1, 5, 7)])
def test_one_map_in_every_shape(shape):
    colours = plots.colours(R.reshape(shape))
    assert colours.shape == (5, 7, 3)
    assert colours.dtype == np.uint8
    assert np.array_equal(colours, plots.colours(R))


def test_channels_are_summed():
    assert np.array_equal(plots.plane(np.stack([R, -R, 2 * R])), R - R + 2 * R)


@pytest.mark.parametrize("shape", [(4,), (2, 5, 7), (10, 5, 7), (2, 1, 5, 7), (0, 1, 5, 7), (1, 1, 1, 5, 7)])
def test_what_is_not_one_map_is_an_error(shape):
    for function in (plots.plane, plots.colours, plots.heatmap):
        with pytest.raises(ValueError, match="choose one of the batch"):
            function(np.zeros(shape))
    assert plt.get_fignums() == []


def test_what_is_given_stays_as_it_is():
    given = R.copy()
    plots.colours(given)
    plots.heatmap(given)
    assert np.array_equal(given, R)


def test_a_heatmap_shows_the_map_between_limits_symmetric_about_zero():
    image = plots.heatmap(R).images[0]
    assert np.array_equal(image.get_array(), R)
    limit = np.abs(R).max()
    assert image.get_clim() == (-limit, limit)
    shown = image.to_rgba(R, bytes=True)[..., :3].astype(int)
    assert np.abs(shown - plots.colours(R)).max() <= 3  # Matplotlib's own table has 256 colours


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({}, "Σ R = 2.5"),
        ({"score": 3.25}, "score 3.25    Σ R = 2.5"),
        ({"score": 3.25, "title": "why 4?"}, "why 4?\nscore 3.25    Σ R = 2.5"),
        ({"title": "why 4?"}, "why 4?\nΣ R = 2.5"),
    ],
)
def test_the_title_has_the_score_and_the_sum(options, title):
    assert plots.heatmap(np.array([[3.0, -0.5]]), **options).get_title() == title


def test_it_draws_where_it_is_told_and_opens_no_other_figure():
    figure, axes = plt.subplots()
    assert plots.heatmap(R, axes) is axes
    assert plt.get_fignums() == [figure.number]


def test_its_own_figure_can_be_written():
    buffer = io.BytesIO()
    plots.heatmap(R, score=1.0).figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
    assert len(plt.get_fignums()) == 1
