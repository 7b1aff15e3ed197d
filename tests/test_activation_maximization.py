"""Activation maximization: the three forms, their starts, what they must reach, and what PyTorch reaches."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from nnlite import Network, models, storage
from nnlite.datasets import CLEAN_HAND, strokes
from nnlite.layers import Dense, Flatten, ReLU, Reshape, Sigmoid, Softmax
from nnlite.model_based import generators
from nnlite.model_based.activation_maximization import general, in_code_space, with_expert
from nnlite.model_based.experts import PPCA, MixturePPCA
from nnlite.model_based.generators import Generator
from nnlite.model_based.objectives import SquaredDistance, weighted
from nnlite.training.losses import log_softmax, softmax

GOLDEN = Path(__file__).parent / "golden" / "ascent" / "log_probability.npz"
LENET = models.load("lenet")
JUDGES = models.ensemble()[1:]
CLASSES = np.arange(10)

numbers = np.random.default_rng(1)


def w(*shape):
    return numbers.normal(size=shape)


SMALL = Network([Flatten(), Dense(w(16, 8), w(8)), ReLU(), Dense(w(8, 3), w(3)), Softmax()], input_shape=(1, 4, 4))
SMALL_IMAGES = numbers.random((30, 1, 4, 4)), np.arange(30) % 3
DECODER = Network([Dense(w(2, 16)), Reshape((1, 4, 4)), Sigmoid()], input_shape=(2,))
ENCODER = Network([Flatten(), Dense(w(16, 4))], input_shape=(1, 4, 4))
SMALL_GENERATOR = Generator("small", DECODER, ENCODER, w(3, 2))
EXPERT = weighted((-0.5, SquaredDistance(np.full((1, 4, 4), 0.3))))

FORMS = {
    "general": general,
    "with an expert": partial(with_expert, expert=EXPERT),
    "in code space": partial(in_code_space, generator=SMALL_GENERATOR),
}
small = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@pytest.fixture(scope="module")
def experts():
    """As the lessons' experts, fit to fewer digits for speed."""
    x = strokes(2000, seed=2, hand=CLEAN_HAND)[0]
    return {"ppca": PPCA.fit(x, q=60), "mixture": MixturePPCA.fit(x, K=20, q=10, steps=6)}


# ------------------------------------------------------------------------------------------- what must be reached


def agreeing(x):
    """For how many classes each judge, which had no part in the search, says the class."""
    return [int((judge.predict(x) == CLASSES).sum()) for judge in JUDGES]


def ink_beside_the_digits(x):
    """The mean grey of the outermost 4 pixels, where no digit has ink."""
    frame = np.ones(x.shape[2:], bool)
    frame[4:-4, 4:-4] = False
    return float(x[:, :, frame].mean())


@pytest.fixture(scope="module")
def by_the_general_form():
    """All classes from each start."""
    return {start: general(LENET, "all", start=start) for start in ("noise", "image", "mean")}


@pytest.mark.parametrize("start", ["noise", "image", "mean"])
def test_the_general_form_makes_the_network_sure_of_every_class(by_the_general_form, start):
    found = by_the_general_form[start]
    assert found.probability.min() >= 0.99
    assert found.classes.tolist() == CLASSES.tolist()
    assert found.x.shape == (10, 1, 28, 28)
    assert 0 <= found.x.min() <= found.x.max() <= 1


@pytest.mark.parametrize("name", ["ppca", "mixture"])
def test_with_an_expert_the_other_networks_see_the_class_too(experts, name):
    found = with_expert(LENET, "all", experts[name], weight=0.03)
    assert found.probability.min() >= 0.95
    assert min(agreeing(found.x)) >= 9


def test_an_expert_keeps_the_paper_clean_where_the_general_form_scrawls(experts, by_the_general_form):
    scrawled, expert = by_the_general_form["noise"].x, experts["ppca"]
    clean = with_expert(LENET, "all", expert, weight=0.03, start="noise", steps=100).x
    assert ink_beside_the_digits(clean) < 0.02 < 0.05 < ink_beside_the_digits(scrawled)
    assert (expert.log_density(clean) > expert.log_density(scrawled) + 300).all()


@pytest.mark.parametrize("name", generators.NAMES)
def test_through_a_generator_the_other_networks_see_the_class_too(name):
    generator = generators.load(name)
    found = in_code_space(LENET, "all", generator)
    assert found.probability.min() >= 0.95
    assert min(agreeing(found.x)) >= 9
    assert found.z.shape == (10, generator.size)
    assert np.array_equal(found.x, generator(found.z))
    assert np.array_equal(found.start, generator(generator.codes))


# ------------------------------------------------------------------------------------------------------- PyTorch


def test_the_way_is_the_one_that_pytorch_goes():
    header, arrays = storage.read(GOLDEN, "golden")
    settings = header["settings"]
    every, path = settings.pop("every"), arrays["path"]
    found = general(LENET.astype(np.float64), "all", start=path[0], keep=True, **settings)
    np.testing.assert_allclose(found.trajectory[::every], path, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.values, arrays["values"], rtol=0, atol=1e-10)


# ------------------------------------------------------------------------------------------------- what is climbed


@small
@pytest.mark.parametrize("objective", ["log_probability", "score"])
def test_the_values_are_the_slides_sums(form, objective):
    found = form(SMALL, classes=[2, 0], objective=objective, weight=0.3, start="noise", steps=5, keep=True)
    for t in (0, 3, 5):
        x = found.trajectory[t]
        scores = SMALL.scores(x)
        says = (scores if objective == "score" else log_softmax(scores))[[0, 1], [2, 0]]
        if form is FORMS["general"]:
            second = -0.3 * (x**2).sum(axis=(1, 2, 3))
        elif form is FORMS["with an expert"]:
            second = 0.3 * EXPERT(x)[0]
        else:
            z = found.z if t == 5 else np.random.default_rng(0).standard_normal((2, 2))
            if t == 3:
                continue  # the codes on the way are not kept
            second = -0.3 * (z**2).sum(axis=1)
        np.testing.assert_allclose(found.values[t], says + second, rtol=1e-10)


def test_from_the_mean_image_the_penalty_is_the_distance_to_it():
    means = np.stack([SMALL_IMAGES[0][SMALL_IMAGES[1] == c].mean(axis=0) for c in (1, 2)])
    found = general(SMALL, [1, 2], start="mean", images=SMALL_IMAGES, weight=2.0, steps=30)
    np.testing.assert_allclose(found.start, means, rtol=1e-12)
    says = log_softmax(SMALL.scores(found.x))[[0, 1], [1, 2]]
    np.testing.assert_allclose(found.values[-1], says - 2 * ((found.x - means) ** 2).sum(axis=(1, 2, 3)), rtol=1e-10)
    given = general(SMALL, [1, 2], start=means, weight=2.0, steps=30)  # the same images, without the name
    np.testing.assert_allclose(given.values[0], found.values[0] - 2 * (means**2).sum(axis=(1, 2, 3)), rtol=1e-10)


@small
def test_what_is_climbed_rises(form):
    found = form(SMALL, classes="all", start="noise", weight=0.05)
    assert (found.values[-1] > found.values[0]).all()
    assert (found.probability > found.start_probability).all()


@small
def test_what_is_said_of_start_and_result_is_what_the_network_says(form):
    found = form(SMALL, classes=[1, 1, 0], start="noise", steps=20)
    chosen = [0, 1, 2], [1, 1, 0]
    assert np.array_equal(found.score, SMALL.scores(found.x)[chosen])
    assert np.array_equal(found.probability, softmax(SMALL.scores(found.x))[chosen])
    assert np.array_equal(found.start_probability, softmax(SMALL.scores(found.start))[chosen])
    assert found.trajectory is None


@small
def test_the_trajectory_leads_from_the_start_to_the_result(form):
    found = form(SMALL, classes=1, start="noise", steps=12, keep=True)
    assert found.trajectory.shape == (13, 1, 1, 4, 4)
    assert np.array_equal(found.trajectory[0], found.start)
    assert np.array_equal(found.trajectory[-1], found.x)


@small
@pytest.mark.parametrize("start", ["noise", "image"])
@pytest.mark.parametrize("jitter", [0, 1])
def test_the_same_seed_gives_the_same_bits(form, start, jitter):
    one, same, other = (
        form(SMALL, classes="all", start=start, images=SMALL_IMAGES, jitter=jitter, steps=5, rng=seed).x
        for seed in (4, 4, 5)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@small
def test_one_class_at_a_time_is_the_batch(form):
    start = w(3, 2) if form is FORMS["in code space"] else numbers.random((3, 1, 4, 4))
    together = form(SMALL, classes=[0, 1, 2], start=start, steps=30)
    for c in range(3):
        np.testing.assert_allclose(form(SMALL, classes=c, start=start[c], steps=30).x[0], together.x[c], atol=1e-10)


@small
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_the_network(form, dtype):
    found = form(SMALL.astype(dtype), classes="all", start="noise", steps=3, keep=True)
    arrays = (found.x, found.start, found.probability, found.score, found.values, found.trajectory)
    assert all(array.dtype == dtype for array in arrays)


def test_the_box_holds_and_can_be_moved():
    found = general(SMALL, "all", low=-0.5, high=0.25, rate=0.5, steps=20, keep=True, weight=0)
    assert (found.trajectory.min(), found.trajectory.max()) == (-0.5, 0.25)


def test_blur_makes_the_result_smooth_and_jitter_another():
    rough, smooth, moved = (
        general(LENET, 4, steps=30, **options).x[0, 0] for options in ({}, {"blur": 0.6}, {"jitter": 2})
    )
    unevenness = [np.abs(np.diff(x)).sum() / x.sum() for x in (rough, smooth)]
    assert unevenness[1] < unevenness[0] / 2
    assert not np.array_equal(rough, moved)


# ---------------------------------------------------------------------------------------------------- the starts


def test_the_starts_of_images():
    x, labels = SMALL_IMAGES
    image = general(SMALL, [2, 0], start="image", images=SMALL_IMAGES, steps=1).start
    for n, c in enumerate((2, 0)):
        assert any(np.array_equal(image[n], one) for one in x[labels == c])
    noise = general(SMALL, [2, 0], start="noise", steps=1).start
    assert 0 <= noise.min() < 0.3 < 0.7 < noise.max() <= 1
    one = general(SMALL, [2, 0], start=x[5], steps=1).start
    assert np.array_equal(one, np.stack([x[5], x[5]]))


def test_strokes_are_the_images_unless_others_are_given():
    found = general(LENET, [4, 9], start="mean", steps=1)
    digits, labels = strokes(2000)
    for n, c in enumerate((4, 9)):
        np.testing.assert_allclose(found.start[n], digits[labels == c].mean(axis=0), atol=1e-6)


def test_the_starts_of_codes():
    mean = in_code_space(SMALL, [2, 0], SMALL_GENERATOR, start="mean", steps=1).start
    assert np.array_equal(mean, SMALL_GENERATOR(SMALL_GENERATOR.codes[[2, 0]]))
    image = in_code_space(SMALL, [2, 0], SMALL_GENERATOR, start="image", images=SMALL_IMAGES, steps=1).start
    x, labels = SMALL_IMAGES
    for n, c in enumerate((2, 0)):
        codes = ENCODER.forward(x[labels == c])[-1][:, :2]
        assert any(np.allclose(image[n], one) for one in SMALL_GENERATOR(codes))
    z = w(2)
    assert np.array_equal(
        in_code_space(SMALL, [2, 0], SMALL_GENERATOR, start=z, steps=1).start, SMALL_GENERATOR(np.stack([z, z]))
    )


# ----------------------------------------------------------------------------------------------------- bad input


@small
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 3}, 'classes takes a class from 0 to 2, several of them, or "all"; got 3'),
        ({"classes": -1}, "got -1"),
        ({"classes": [0, 7]}, r"got \[0, 7\]"),
        ({"classes": []}, r"got \[\]"),
        ({"classes": (1, (2,))}, r"classes takes a class from 0 to 2, .* got \(1, \(2,\)\)"),
        ({"classes": None}, "got None"),
        ({"classes": 1.0}, "got 1.0"),
        ({"classes": "four"}, "got 'four'"),
        ({"classes": np.array(True)}, "got array"),
        ({"weight": -0.1}, "weight takes a number from 0, got -0.1"),
        ({"weight": np.nan}, "weight must be a finite number"),
        ({"objective": "probability"}, "objective takes one of log_probability, score"),
        ({"start": "middle"}, "start takes one of noise, image, mean, or an array; got 'middle'"),
        ({"start": None}, "got None"),
        ({"start": np.ones((1, 5, 5))}, r"start takes an array of float64 in the shape .* got "),
        ({"start": np.ones((1, 4, 4), np.float32)}, " float32"),
        ({"start": np.full((1, 4, 4), np.nan)}, "with a NaN"),
        ({"start": "image"}, r"takes images of \(1, 4, 4\), and the stroke digits are \(1, 28, 28\); give images="),
        ({"start": "image", "images": (np.ones((3, 1, 5, 5)), np.arange(3))}, r"the images are \(1, 5, 5\)"),
        ({"start": "image", "images": (np.ones((2, 1, 4, 4)), np.arange(2)), "classes": 2}, "none of class 2"),
        ({"start": "image", "images": np.ones((2, 1, 4, 4))}, "images takes two arrays"),
        ({"start": "image", "images": (np.ones((2, 1, 4, 4)), np.arange(3))}, r"got .* float64 and \(3,\) int"),
        ({"start": "image", "images": (np.ones((2, 1, 4, 4), int), np.arange(2))}, "float32 or float64"),
        ({"steps": 0}, "steps takes a positive integer"),
        ({"rate": -1}, "rate must be above 0"),
        ({"jitter": -1}, "jitter|Jitter"),
        ({"jitter": 1.5}, "jitter|Jitter"),
        ({"rng": -1}, "rng takes a seed"),
    ],
)
def test_bad_input_is_refused(form, options, message):
    with pytest.raises(ValueError, match=message):
        form(SMALL, **({"classes": 0, "start": "noise", "steps": 2} | options))


@pytest.mark.parametrize("form", [general, FORMS["with an expert"]])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 1.0, "high": 0.0}, "low below high"),
        ({"blur": -1}, "blur takes a number from 0"),
        ({"blur": np.inf}, "blur must be a finite number"),
    ],
)
def test_a_box_or_a_blur_that_makes_no_sense_is_refused(form, options, message):
    with pytest.raises(ValueError, match=message):
        form(SMALL, classes=0, start="noise", **options)


def test_a_network_must_say_what_it_takes_and_give_scores():
    with pytest.raises(ValueError, match="make it with input_shape"):
        general(Network(SMALL.layers))
    with pytest.raises(ValueError, match=r"gives scores \(N, K\), and this one gives \(1, 1, 4, 4\)"):
        general(Network([ReLU()], input_shape=(1, 4, 4)))
    with pytest.raises(ValueError, match="blur takes a network of images"):
        general(Network([Dense(w(5, 2))], input_shape=(5,)), blur=1.0)


def test_an_expert_fit_to_other_images_is_refused():
    expert = PPCA.fit(SMALL_IMAGES[0], q=2)
    with pytest.raises(ValueError, match=r"fit to samples of the shape \(1, 4, 4\)"):
        with_expert(LENET, 4, expert)


def test_a_generator_must_fit():
    with pytest.raises(ValueError, match=r"makes images of \(1, 4, 4\), and the network takes \(1, 28, 28\)"):
        in_code_space(LENET, 1, SMALL_GENERATOR)
    with pytest.raises(ValueError, match="mean codes of the classes 0 to 1, got class 2"):
        in_code_space(SMALL, [0, 2], Generator("two", DECODER, None, w(2, 2)))
    with pytest.raises(ValueError, match="no encoder"):
        in_code_space(SMALL, 0, Generator("blind", DECODER, None, w(3, 2)), start="image", images=SMALL_IMAGES)


@small
def test_a_search_that_diverges_is_reported(form):
    steep = Network([Flatten(), Dense(np.full((16, 3), 1e200)), Dense(np.full((3, 3), 1e200))], input_shape=(1, 4, 4))
    with pytest.raises(FloatingPointError, match="diverged at step 1 of 200"):
        form(steep, classes=0, start="noise")
    with pytest.raises(FloatingPointError, match="diverged"):
        with_expert(SMALL, 0, lambda x: (np.full(len(x), np.inf), x), start="noise")
    with pytest.raises(FloatingPointError, match="diverged"):
        in_code_space(SMALL, 0, SMALL_GENERATOR, weight=1e300, rate=1e200)


def test_a_progress_bar_is_shown_on_request(capsys):
    general(SMALL, 0, steps=3, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_images_that_are_no_pixels_are_refused():
    x, labels = strokes(10)
    with pytest.raises(ValueError, match=r"images takes pixels from 0 to 1, got 0\.0 to 255\.0"):
        general(LENET, 3, start="image", images=(255 * x, labels))
    with pytest.raises(ValueError, match="images takes finite pixels"):
        general(LENET, 3, start="mean", images=(np.where(x > 0.5, np.nan, x), labels))
    with pytest.raises(ValueError, match="images takes finite pixels"):
        in_code_space(LENET, 3, generators.load("vae"), start="image", images=(np.where(x > 0.5, np.inf, x), labels))


def test_names_in_the_place_of_an_expert_or_a_generator_are_refused():
    with pytest.raises(TypeError, match=r"an objective, a function .* 'ppca'"):
        with_expert(LENET, 3, "ppca")
    for given in ("vae", generators.load("vae").decoder):
        with pytest.raises(TypeError, match="generator takes a Generator, such as"):
            in_code_space(LENET, 3, given)
