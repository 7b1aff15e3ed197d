"""Pictures of relevance: red raises, blue lowers, white is zero, and the sums stand in the title."""

import io

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from nnlite import pictures


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


R = np.random.default_rng(0).normal(size=(5, 7))


def test_white_is_zero_red_is_above_and_blue_below():
    blue, white, red = pictures.colours(np.array([[-2.0, 0.0, 2.0]]))[0].astype(int)
    assert white.tolist() == [255, 255, 255]
    assert red[0] > 2 * red[2]
    assert blue[2] > 2 * blue[0]


def test_the_colours_are_symmetric_about_zero():
    """The same distance from zero is the same place between white and the end, on either side."""
    t = np.linspace(0, 1, 101)
    above, below = pictures.colours(t[None])[0].astype(float), pictures.colours(-t[None])[0].astype(float)
    for side in (above, below):
        light = side @ [0.299, 0.587, 0.114]
        assert (np.diff(light) <= 0).all()  # the stronger, the darker
    anchors = np.linspace(-1, 1, len(pictures.COLOURS))
    assert np.allclose(anchors, -anchors[::-1])
    assert pictures.COLOURS[len(pictures.COLOURS) // 2] == "#ffffff"
    assert [c.tobytes().hex() for c in pictures.colours(anchors[None])[0]] == [c[1:] for c in pictures.COLOURS]


def test_the_strongest_value_has_the_strongest_colour_whichever_side_it_is_on():
    assert pictures.colours(np.array([[3.0, -1.0]]))[0, 0].tolist() == [103, 0, 13]
    assert pictures.colours(np.array([[1.0, -3.0]]))[0, 1].tolist() == [8, 48, 107]


def test_a_limit_is_where_the_colours_end():
    assert np.array_equal(pictures.colours(R, limit=1), pictures.colours(np.clip(R, -1, 1)))
    assert np.array_equal(pictures.colours(10 * R, limit=10), pictures.colours(R, limit=1))


def test_a_map_of_zeros_is_white():
    assert (pictures.colours(np.zeros((3, 4))) == 255).all()
    image = pictures.heatmap(np.zeros((3, 4))).images[0]
    assert (image.get_clim()) == (-1, 1)


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (1, 1, 5, 7)])
def test_one_map_in_every_shape(shape):
    colours = pictures.colours(R.reshape(shape))
    assert colours.shape == (5, 7, 3)
    assert colours.dtype == np.uint8
    assert np.array_equal(colours, pictures.colours(R))


def test_channels_are_summed():
    assert np.array_equal(pictures.plane(np.stack([R, -R, 2 * R])), R - R + 2 * R)


@pytest.mark.parametrize("shape", [(4,), (2, 5, 7), (10, 5, 7), (2, 1, 5, 7), (0, 1, 5, 7), (1, 1, 1, 5, 7)])
def test_what_is_not_one_map_is_an_error(shape):
    for function in (pictures.plane, pictures.colours, pictures.heatmap):
        with pytest.raises(ValueError, match="choose one of the batch"):
            function(np.zeros(shape))
    assert plt.get_fignums() == []


def test_what_is_given_stays_as_it_is():
    given = R.copy()
    pictures.colours(given)
    pictures.heatmap(given)
    assert np.array_equal(given, R)


def test_a_heatmap_shows_the_map_between_limits_symmetric_about_zero():
    image = pictures.heatmap(R).images[0]
    assert np.array_equal(image.get_array(), R)
    limit = np.abs(R).max()
    assert image.get_clim() == (-limit, limit)
    shown = image.to_rgba(R, bytes=True)[..., :3].astype(int)
    assert np.abs(shown - pictures.colours(R)).max() <= 3  # Matplotlib's own table has 256 colours


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
    assert pictures.heatmap(np.array([[3.0, -0.5]]), **options).get_title() == title


def test_it_draws_where_it_is_told_and_opens_no_other_figure():
    figure, axes = plt.subplots()
    assert pictures.heatmap(R, axes) is axes
    assert plt.get_fignums() == [figure.number]


def test_its_own_figure_can_be_written():
    buffer = io.BytesIO()
    pictures.heatmap(R, score=1.0).figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
    assert len(plt.get_fignums()) == 1


# ------------------------------------------------------------------------------------------ values that are no others


GREY = [128, 128, 128]


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 3), (1, 1, 1, 3)])
def test_a_nan_is_grey_and_the_rest_on_its_scale(shape):
    assert pictures.colours(np.array([np.nan, 1, -0.5]).reshape(shape)).tolist() == [
        [GREY, *pictures.colours(np.array([[1, -0.5]]))[0].tolist()]
    ]
    image = pictures.heatmap(np.array([np.nan, 1, -0.5]).reshape(shape)).images[0]
    assert image.get_clim() == (-1, 1)
    assert (255 * np.array(image.cmap(image.norm(image.get_array()))))[0, 0, :3].round().tolist() == GREY
    assert pictures.colours(np.full((1, 2), np.nan)).tolist() == [[GREY, GREY]]


def test_an_infinity_has_the_strongest_colour_and_the_rest_its_scale():
    infinite = np.array([[np.inf, 1.0, -np.inf, 0.5]])
    assert np.array_equal(pictures.colours(infinite), pictures.colours(np.array([[1.0, 1.0, -1.0, 0.5]])))
    axes = pictures.heatmap(infinite)
    assert axes.images[0].get_clim() == (-1, 1)
    assert axes.images[0].get_array().tolist() == [[1, 1, -1, 0.5]]
    assert np.array_equal(pictures.colours(np.array([[np.inf, 0.0]])), pictures.colours(np.array([[1.0, 0.0]])))


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint64", "bool", "float16", "float32", "float64"]
)
def test_every_kind_of_number_has_the_colours_of_its_value(dtype):
    kind = np.dtype(dtype)
    whole = np.iinfo(kind) if kind.kind in "iu" else None
    end = (whole.min or whole.max) if whole else np.finfo(kind).max / 4 if kind.kind == "f" else True
    values = np.array([[end, 0]], kind)
    limit = abs(float(values[0, 0]))
    assert pictures.heatmap(values).images[0].get_clim() == (-limit, limit)
    strongest = [8, 48, 107] if values[0, 0] < 0 else [103, 0, 13]
    assert pictures.colours(values).tolist() == [[strongest, [255, 255, 255]]]
    if kind.itemsize < 4:  # five channels that have no sum in their own kind
        assert pictures.plane(np.stack([values] * 5)[None]).tolist() == [[5 * float(values[0, 0]), 0]]


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e300])
def test_the_scale_of_a_map_does_not_matter(scale):
    assert np.array_equal(
        pictures.colours(scale * np.array([[2.0, -1.0, 0.0]]))[0, [0, 2]], pictures.colours(np.array([[2.0, 0]]))[0]
    )


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (np.array([[1j]]), {}, "real numbers; got complex128"),
        (np.array([["a"]]), {}, "real numbers; got <U1"),
        (np.ones((1, 1)), {"limit": 0}, "limit takes a number above 0; got 0"),
        (np.ones((1, 1)), {"limit": np.nan}, "limit takes a number above 0; got nan"),
        (np.ones((1, 1)), {"limit": -1.0}, "limit takes a number above 0; got -1.0"),
    ],
)
def test_what_has_no_colour_is_refused(values, options, words):
    with pytest.raises(ValueError, match=words):
        pictures.colours(values, **options)
