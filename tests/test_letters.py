"""Letters in the hands that write the stroke digits."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite.datasets import CLEAN_HAND, Hand, strokes
from nnlite.datasets.folders import package_file
from nnlite.datasets.letters import LETTERS, letters
from nnlite.datasets.styles import load_styles, read_styles


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return letters(280, seed=5)


class TestContract:
    def test_shapes_types_and_range(self, drawn: tuple[np.ndarray, np.ndarray]) -> None:
        images, labels = drawn
        assert images.shape == (280, 1, 28, 28)
        assert images.dtype == np.float32
        assert (images.min(), images.max()) == (0, 1)
        assert labels.dtype == np.int64

    def test_labels_in_turn_also_from_a_later_start(self) -> None:
        assert letters(15)[1].tolist() == [*range(14), 0]
        assert letters(3, start=27)[1].tolist() == [13, 0, 1]

    def test_one_letter_for_all(self) -> None:
        assert np.array_equal(letters(3, labels=5)[0], letters(3, labels=[5, 5, 5])[0])

    @settings(max_examples=15, deadline=None)
    @given(first=st.integers(0, 279), count=st.integers(0, 20))
    def test_any_range_has_the_same_bits(self, drawn: tuple[np.ndarray, np.ndarray], first: int, count: int) -> None:
        images, labels = letters(min(count, 280 - first), seed=5, start=first)
        assert np.array_equal(images, drawn[0][first : first + count])
        assert np.array_equal(labels, drawn[1][first : first + count])

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"n": -1}, ValueError, "n: expected 0 or more"),
            ({"n": 2, "labels": 14}, ValueError, "a letter's index from 0 to 13, got values from 14"),
            ({"n": 2, "labels": -1}, ValueError, "from -1 to -1"),
            ({"n": 2, "labels": "AB"}, TypeError, "expected integers"),
            ({"n": 2, "labels": [1, 2, 3]}, ValueError, r"shape \(2,\), got the shape \(3,\)"),
            ({"n": 1, "seed": 0.5}, TypeError, "seed: expected an integer"),
            ({"n": 2, "hand": "left"}, TypeError, "expected a Hand, got str"),
        ],
    )
    def test_errors(self, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            letters(**arguments)


class TestDrawing:
    def test_every_letter_of_the_file_has_styles_of_its_own(self) -> None:
        styles = read_styles("letters.json", "letters")
        assert "".join(styles) == LETTERS
        assert all(len(of_letter) >= 2 for of_letter in styles.values())
        assert not set(LETTERS) & set("BDGIJLOPQSVZ")

    def test_control_points_lie_in_or_near_the_box(self) -> None:
        for of_letter in json.loads(package_file("letters.json").read_text())["letters"].values():
            points = [point[:2] for style in of_letter for stroke in style["strokes"] for point in stroke]
            assert np.min(points) >= -5
            assert np.max(points) <= 105

    def test_the_still_hand_writes_a_style_the_same_each_time(self) -> None:
        still = Hand(jitter=0, warp=0, slant=0, rotation=0, aspect=0, pen_spread=0, pressure=0, shift=0, size=(1, 1))
        for k, letter in enumerate(LETTERS):
            images = letters(60, labels=k, hand=still)[0].reshape(60, -1)
            assert len(np.unique(images, axis=0)) == len(read_styles("letters.json", "letters")[letter])

    def test_the_hand_is_that_of_the_digit(self) -> None:
        """A wide pen writes both: the ink of letter i goes with the ink of digit i, which has the same draws."""
        ink = [write(100, seed=2, labels=0)[0].sum(axis=(1, 2, 3)) for write in (strokes, letters)]
        assert np.corrcoef(*ink)[0, 1] > 0.8
        other = letters(100, seed=3, labels=0)[0].sum(axis=(1, 2, 3))
        assert abs(np.corrcoef(ink[0], other)[0, 1]) < 0.4

    def test_letters_can_be_told_apart(self) -> None:
        """By the nearest mean picture: 79 % in a clean hand, where chance is 7 %."""
        images, labels = letters(1400, seed=0, hand=CLEAN_HAND)
        means = np.stack([images[labels == k].mean(axis=0) for k in range(14)])
        images, labels = letters(280, seed=1, hand=CLEAN_HAND)
        distance = ((images[:, None] - means) ** 2).sum(axis=(2, 3, 4))
        assert (distance.argmin(axis=1) == labels).mean() > 0.7


class TestTheDigitsStayWhatTheyWere:
    def test_ink_and_strokes_sample_by_sample(self) -> None:
        """Counted before letters were drawn by the same code; a grey level may round otherwise on another machine."""
        images, _, pen = strokes(12, seed=3, with_strokes=True)
        ink = [29649, 16346, 23421, 32867, 21737, 25330, 16581, 11096, 18923, 23727, 40211, 11506]
        assert np.abs((255 * images).sum(axis=(1, 2, 3)) - ink).max() < 20
        second = [0, 0, 0, 0, 0, 53, 0, 16, 0, 0, 0, 0]
        assert np.abs(np.maximum(pen, 0).sum(axis=(1, 2)) - second).max() <= 2

    def test_a_one_alone_has_room_for_a_wider_pen(self) -> None:
        room = [{style.room for style in styles} for styles in load_styles()]
        assert room == [{1.0}, {1.3}, *[{1.0}] * 8]
        assert all(
            style.room == 1 for of_letter in read_styles("letters.json", "letters").values() for style in of_letter
        )


def test_a_start_beyond_all_samples() -> None:
    for start in (2**63, 10**40):
        with pytest.raises(ValueError, match="start: expected at most"):
            letters(1, start=start)
        with pytest.raises(ValueError, match="start: expected at most"):
            strokes(1, start=start)
