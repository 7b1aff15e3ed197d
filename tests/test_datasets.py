"""The digits that come with nnlite: strokes, drawn by a pen, and uci, scanned."""

from __future__ import annotations

import hashlib
import importlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlite.datasets
from nnlite.datasets import CLEAN_HAND, Hand, sequences, strokes, uci
from nnlite.datasets.folders import PACKAGE_DATA, data_folder, package_file
from nnlite.datasets.raster import depth
from nnlite.datasets.splines import catmull_rom, smooth
from nnlite.datasets.styles import load_styles

# The package's attribute of this name is the function, so its module is asked for by name.
uci_module = importlib.import_module("nnlite.datasets.uci")
raster_module = importlib.import_module("nnlite.datasets.raster")


@pytest.fixture(scope="module")
def thousand() -> tuple[np.ndarray, ...]:
    return strokes(1000, seed=5, with_strokes=True)


class TestStrokesContract:
    def test_shapes_types_and_range(self, thousand: tuple[np.ndarray, ...]) -> None:
        images, labels, pen = thousand
        assert images.shape == (1000, 1, 28, 28)
        assert images.dtype == np.float32
        assert images.min() == 0
        assert images.max() == 1
        assert labels.shape == (1000,)
        assert labels.dtype == np.int64
        assert pen.shape == (1000, 28, 28)
        assert pen.dtype == np.int8

    def test_images_are_grey_levels_of_a_byte(self, thousand: tuple[np.ndarray, ...]) -> None:
        grey = np.rint(thousand[0] * 255).astype(np.uint8)
        assert np.array_equal(np.divide(grey, 255, dtype=np.float32), thousand[0])

    def test_labels_in_turn_also_from_a_later_start(self) -> None:
        assert strokes(12)[1].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
        assert strokes(3, start=18)[1].tolist() == [8, 9, 0]

    def test_no_samples(self) -> None:
        images, labels, pen = strokes(0, with_strokes=True)
        assert (images.shape, labels.shape, pen.shape) == ((0, 1, 28, 28), (0,), (0, 28, 28))

    def test_one_digit_for_all(self) -> None:
        assert strokes(3, labels=4)[1].tolist() == [4, 4, 4]
        assert np.array_equal(strokes(3, labels=4)[0], strokes(3, labels=[4, 4, 4])[0])

    def test_with_strokes_changes_no_image(self, thousand: tuple[np.ndarray, ...]) -> None:
        assert np.array_equal(strokes(1000, seed=5)[0], thousand[0])

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"n": -1}, ValueError, "n: expected 0 or more, got -1"),
            ({"n": 2.0}, TypeError, "n: expected an integer, got 2.0"),
            ({"n": True}, TypeError, "n: expected an integer, got True"),
            ({"n": 1, "seed": -3}, ValueError, "seed: expected 0 or more"),
            ({"n": 1, "seed": None}, TypeError, "seed: expected an integer"),
            ({"n": 1, "start": -1}, ValueError, "start: expected 0 or more"),
            ({"n": 2, "labels": [1, 10]}, ValueError, "from 1 to 10"),
            ({"n": 2, "labels": [-1, 3]}, ValueError, "from -1 to 3"),
            ({"n": 2, "labels": [1, 2, 3]}, ValueError, r"shape \(2,\), got the shape \(3,\)"),
            ({"n": 2, "labels": [1.0, 2.0]}, TypeError, "expected integers, got float64"),
            ({"n": 2, "hand": "left"}, TypeError, "expected a Hand, got str"),
        ],
    )
    def test_errors(self, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            strokes(**arguments)


class TestSampleDependsOnSeedAndIndexAlone:
    @settings(max_examples=25, deadline=None)
    @given(first=st.integers(0, 999), count=st.integers(0, 40))
    def test_any_range_has_the_same_bits(self, thousand: tuple[np.ndarray, ...], first: int, count: int) -> None:
        part = strokes(min(count, 1000 - first), seed=5, start=first, with_strokes=True)
        for some, all_of_them in zip(part, thousand, strict=True):
            assert np.array_equal(some, all_of_them[first : first + count])

    def test_alone_among_a_few_and_among_many(self, thousand: tuple[np.ndarray, ...]) -> None:
        for i in range(30):
            assert np.array_equal(strokes(1, seed=5, start=i)[0][0], thousand[0][i])
        assert np.array_equal(strokes(10, seed=5)[0][7], thousand[0][7])

    def test_other_samples_labels_do_not_matter(self) -> None:
        some = strokes(6, labels=[3, 3, 3, 3, 3, 3])[0]
        other = strokes(6, labels=[0, 3, 8, 3, 1, 1])[0]
        assert np.array_equal(some[[1, 3]], other[[1, 3]])
        assert not np.array_equal(some[2], other[2])

    @pytest.mark.parametrize("chunk", [1, 7, 1000])
    def test_chunks_do_not_matter(
        self, thousand: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch, chunk: int
    ) -> None:
        monkeypatch.setattr(raster_module, "CHUNK", chunk)
        images, _, pen = strokes(300, seed=5, with_strokes=True)
        assert np.array_equal(images, thousand[0][:300])
        assert np.array_equal(pen, thousand[2][:300])

    def test_also_with_a_very_soft_pen(self) -> None:
        soft = Hand(blur=4.0)
        together = strokes(40, labels=3, hand=soft)[0]
        for i in range(40):
            assert np.array_equal(strokes(1, start=i, labels=3, hand=soft)[0][0], together[i])

    def test_samples_and_seeds_differ(self) -> None:
        drawn = np.concatenate([strokes(200, seed=seed, labels=8)[0] for seed in (0, 1, 2**40)])
        assert len(np.unique(drawn.reshape(600, -1), axis=0)) == 600


class TestStrokesDrawing:
    def test_a_pixel_has_a_stroke_where_it_has_ink(self, thousand: tuple[np.ndarray, ...]) -> None:
        images, _, pen = thousand
        assert np.array_equal(pen >= 0, images[:, 0] > 0)

    def test_as_many_strokes_as_a_style_of_the_digit_has(self, thousand: tuple[np.ndarray, ...]) -> None:
        _, labels, pen = thousand
        for digit, styles in enumerate(load_styles()):
            drawn = {int(p.max()) + 1 for p in pen[labels == digit]}
            assert drawn == {max(style.stroke_of_run) + 1 for style in styles}

    def test_centred_by_mass_within_the_shift(self) -> None:
        images, _ = strokes(300, hand=Hand(shift=0.5))
        pixels = np.arange(28)
        mass = images.sum(axis=(1, 2, 3))
        x = (images.sum(axis=(1, 2)) * pixels).sum(axis=1) / mass
        y = (images.sum(axis=(1, 3)) * pixels).sum(axis=1) / mass
        for centre in (x, y):
            # The pen's mass counts crossings twice, the image once: so not 0.5 exactly.
            assert np.abs(centre - 13.5).mean() < 0.4
            assert np.abs(centre - 13.5).max() < 1.6

    def test_fits_the_box_and_leaves_the_margin_black(self, thousand: tuple[np.ndarray, ...]) -> None:
        inked = thousand[0][:, 0] > 0.5
        height = inked.any(axis=2).sum(axis=1)
        width = inked.any(axis=1).sum(axis=1)
        larger = np.maximum(height, width)
        assert larger.min() >= 17
        assert larger.max() <= 22

    @pytest.mark.parametrize(
        ("field", "value", "measure"),
        [("pen", 2.0, lambda x: x.mean()), ("jitter", 0.15, lambda x: x.std(axis=0).mean())],
    )
    def test_the_hand_is_heard(self, field: str, value: float, measure: Any) -> None:
        assert measure(strokes(100, labels=0, hand=Hand(**{field: value}))[0]) > 1.05 * measure(
            strokes(100, labels=0)[0]
        )

    def test_a_clean_hand_writes_more_alike(self) -> None:
        usual, clean = strokes(300, labels=1)[0], strokes(300, labels=1, hand=CLEAN_HAND)[0]
        assert clean.std(axis=0).mean() < 0.9 * usual.std(axis=0).mean()

    def test_the_data_set_stays_what_it_was(self) -> None:
        """Weights that are trained on these digits rely on them: a change here is a new data set, and says so."""
        images, labels = strokes(1000, seed=0)
        ink = [float(images[labels == digit].mean(dtype=np.float64)) for digit in range(10)]
        expected = [0.15064, 0.07292, 0.1451, 0.12785, 0.12936, 0.12936, 0.1329, 0.11362, 0.14612, 0.13478]
        assert ink == pytest.approx(expected, abs=2e-5)


class TestHand:
    def test_the_still_hand_writes_a_style_the_same_each_time(self) -> None:
        still = Hand(jitter=0, warp=0, slant=0, rotation=0, aspect=0, pen_spread=0, pressure=0, shift=0, size=(1, 1))
        images = strokes(60, labels=1, hand=still)[0].reshape(60, -1)
        assert len(np.unique(images, axis=0)) == len(load_styles()[1])

    @pytest.mark.parametrize(
        ("fields", "error", "message"),
        [
            ({"warp": -0.1}, ValueError, "warp=-0.1"),
            ({"blur": math.nan}, ValueError, "blur=nan"),
            ({"size": (1.0, 0.9)}, ValueError, "the smaller first"),
            ({"size": (0.9, math.inf)}, ValueError, "size="),
            ({"pen": 0}, ValueError, "above 0"),
            ({"pen_max": 8.0}, ValueError, "larger than its line"),
            ({"smoothing": 1.5}, TypeError, "number of passes"),
        ],
    )
    def test_errors(self, fields: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            Hand(**fields)

    def test_leaning_left_is_allowed(self) -> None:
        assert Hand(slant_mean=-0.2).slant_mean == -0.2


class TestPenAndRaster:
    def test_depth_is_its_formula_with_every_index_written_out(self) -> None:
        rng = np.random.default_rng(0)
        path, widths = rng.uniform(4, 24, (3, 7, 2)), rng.uniform(0.5, 3, (3, 7))
        path[1, 3] = path[1, 2]  # a segment without length
        first, stroke = np.array([0, 1, 2, 4, 5]), np.array([0, 0, 0, 1, 1])
        reach = 0.85
        fast = depth(path, widths, first, stroke, reach)
        for s in range(2):
            for n in range(3):
                for row in range(28):
                    for column in range(28):
                        slow = self._depth(path[n], widths[n], first[stroke == s], column, row)
                        if slow > -reach:
                            assert fast[s, n, row, column] == pytest.approx(slow, abs=1e-4)
                        else:
                            assert fast[s, n, row, column] <= -reach + 1e-4

    @staticmethod
    def _depth(path: np.ndarray, widths: np.ndarray, first: np.ndarray, x: float, y: float) -> float:
        deepest = -math.inf
        for g in first:
            (ax, ay), (bx, by) = path[g], path[g + 1]
            length2 = (bx - ax) ** 2 + (by - ay) ** 2
            t = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2 if length2 else 0.0
            t = min(max(t, 0.0), 1.0)
            distance = math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))
            deepest = max(deepest, widths[g] + t * (widths[g + 1] - widths[g]) - distance)
        return deepest

    def test_the_spline_passes_through_its_control_points(self) -> None:
        controls = np.random.default_rng(0).normal(size=(2, 6, 2))
        assert np.allclose(catmull_rom(controls)[:, ::5], controls, atol=1e-12)

    def test_the_spline_of_a_line_is_the_line(self) -> None:
        controls = np.linspace([0.0, 1.0], [6.0, -2.0], 7)[None]
        assert np.allclose(catmull_rom(controls)[0], np.linspace([0.0, 1.0], [6.0, -2.0], 31))

    def test_smoothing_keeps_ends_and_lines(self) -> None:
        path = np.random.default_rng(0).normal(size=(1, 9, 2))
        assert np.array_equal(smooth(path, 3)[:, [0, -1]], path[:, [0, -1]])
        line = np.linspace([0.0, 0.0], [1.0, 2.0], 9)[None]
        assert np.allclose(smooth(line, 3), line)

    def test_segments_never_cross_a_lifted_pen(self) -> None:
        for styles in load_styles():
            for style in styles:
                path = style.trace(style.controls[None], 0)[0]
                first, stroke = style.segments
                assert first.max() + 1 == len(path) - 1
                assert len(first) == len(path) - len(style.runs)
                for number in range(stroke.max() + 1):
                    own = first[stroke == number]
                    # Within a stroke the pen never leaves the paper: each piece begins where the last one ended.
                    assert np.allclose(path[own[1:]], path[own[:-1] + 1])


class TestUci:
    def test_known_facts(self) -> None:
        images, labels = uci()
        assert images.shape == (1797, 1, 8, 8)
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        assert (16 * images).sum(dtype=np.float64) == 561718
        assert images.min() == 0
        assert images.max() == 1

    def test_it_is_scikit_learns_copy(self) -> None:
        load_digits = pytest.importorskip("sklearn.datasets").load_digits
        images, labels = uci()
        assert np.array_equal(16 * images[:, 0], load_digits().images)
        assert np.array_equal(labels, load_digits().target)

    def test_splits_divide_the_whole(self) -> None:
        images, labels = uci("all")
        for part, chosen in (("train", np.arange(1797) % 5 != 4), ("test", np.arange(1797) % 5 == 4)):
            assert np.array_equal(uci(part)[0], images[chosen])
            assert np.array_equal(uci(part)[1], labels[chosen])

    def test_unknown_split(self) -> None:
        with pytest.raises(ValueError, match="got 'valid'"):
            uci("valid")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"expected an .npz file"),
            (b"something else", "expected an .npz file"),
            ({"images": np.zeros((1797, 8, 8), np.uint8)}, "labels"),
            ({"images": np.zeros((2, 8, 8), np.uint8), "labels": np.zeros(2, np.uint8)}, "images: expected"),
            ({"images": np.full((1797, 8, 8), 17, np.uint8), "labels": np.zeros(1797, np.uint8)}, "0 to 16"),
            ({"images": np.zeros((1797, 8, 8), np.uint8), "labels": np.zeros(1797)}, "labels: expected"),
            ({"images": np.array([None]), "labels": np.zeros(1797)}, "expected an .npz file"),
        ],
    )
    def test_a_foreign_file(self, content: Any, message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "uci_digits.npz"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.savez(path, **content)
        monkeypatch.setattr(uci_module, "package_file", lambda name: tmp_path / name)
        with pytest.raises(ValueError, match=message):
            uci()

    def test_an_npy_file_under_that_name(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        with (tmp_path / "uci_digits.npz").open("wb") as file:
            np.save(file, np.zeros(3))
        monkeypatch.setattr(uci_module, "package_file", lambda name: tmp_path / name)
        with pytest.raises(ValueError, match=r"expected an .npz file"):
            uci()


class TestFolders:
    def test_argument_before_variable_before_default(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        monkeypatch.delenv("NNLITE_DATA", raising=False)
        assert data_folder().parts[-2:] == (".cache", "nnlite")
        monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
        assert data_folder() == tmp_path
        assert data_folder(tmp_path / "other") == tmp_path / "other"

    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(FileNotFoundError, match=r"nothing.npz.*install nnlite again"):
            package_file("nothing.npz")

    @pytest.mark.parametrize("name", ["strokes.json", "letters.json", "uci_digits.npz"])
    def test_the_readme_has_the_checksum(self, name: str) -> None:
        section = (PACKAGE_DATA / "README.md").read_text(encoding="utf-8").split(f"## {name}")[1].split("\n## ")[0]
        assert hashlib.sha256((PACKAGE_DATA / name).read_bytes()).hexdigest() in section

    def test_the_package_exports_what_it_says(self) -> None:
        assert all(hasattr(nnlite.datasets, name) for name in nnlite.datasets.__all__)


def test_sequences_have_one_reason_and_depend_on_seed_and_index_alone():
    tokens, labels, position = sequences(200, seed=3)
    assert (tokens.shape, labels.shape, position.shape) == ((200, 16), (200,), (200,))
    for row, label, at in zip(tokens.tolist(), labels, position, strict=True):
        assert row.count(row[-1]) == 2
        assert all(row.count(token) == 1 for token in row[:-1] if token != row[-1])
        assert (row[at - 1], row[at]) == (row[-1], label)
    assert set(position) == set(range(1, 15))
    later = sequences(5, seed=3, start=100)
    assert all(np.array_equal(a[100:105], b) for a, b in zip((tokens, labels, position), later, strict=True))
    assert not np.array_equal(sequences(5).tokens, tokens[:5])
    with pytest.raises(ValueError, match="vocabulary ≥ length − 1, got length=16 and vocabulary=14"):
        sequences(1, vocabulary=14)
