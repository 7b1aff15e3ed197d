"""MNIST from files: the IDX format, and what the user's folder may hold."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite.datasets import mnist
from nnlite.datasets.idx import read_idx


def idx(array: np.ndarray, code: int = 0x08) -> bytes:
    """An array as the bytes of an IDX file."""
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))
PACKED = gzip.compress(GOOD, mtime=0)


class TestReadIdx:
    @pytest.mark.parametrize(
        ("code", "dtype"), [(8, "u1"), (9, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
    )
    @pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 1, 4), (0, 3)])
    def test_every_type_and_shape(self, tmp_path: Path, code: int, dtype: str, shape: tuple[int, ...]) -> None:
        array = np.random.default_rng(0).uniform(0, 120, shape).astype(dtype)
        (tmp_path / "file").write_bytes(idx(array, code))
        read = read_idx(tmp_path / "file", dtype=dtype, ndim=len(shape))
        assert read.dtype == array.dtype
        assert read.dtype.isnative
        assert np.array_equal(read, array)

    @pytest.mark.parametrize("name", ["file", "file.gz"])
    def test_compression_is_seen_from_the_content(self, tmp_path: Path, name: str) -> None:
        for content in (GOOD, PACKED):
            (tmp_path / name).write_bytes(content)
            assert read_idx(tmp_path / name).tolist() == [[0, 1, 2], [3, 4, 5]]

    def test_what_it_returns_can_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(GOOD)
        read_idx(tmp_path / "file")[0, 0] = 9

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "length of the header: expected 4 bytes or more, found 0"),
            (GOOD[:3], "length of the header: expected 4 bytes or more, found 3"),
            (b"\x01" + GOOD[1:], "first two bytes: expected 00 00 .*, found 01 00"),
            (b"<!DOCTYPE html>", "first two bytes: expected 00 00 .*, found 3c 21"),
            (b"\0\0\x0a" + GOOD[3:], "code of the item type: expected one of 08, 09.*, found 0a"),
            (b"\0\0\x08\0", "number of dimensions: expected 1 or more, found 0"),
            (GOOD[:9], "length of the header: expected 12 bytes for 2 dimensions, found 9"),
            (GOOD[:-1], r"bytes after the header, for the shape \(2, 3\): expected 6, found 5"),
            (GOOD + b"\0", r"for the shape \(2, 3\): expected 6, found 7"),
            (idx(np.zeros((2, 3), np.int16), 0x0B)[:-1], "expected 12, found 11"),
            (b"\0\0\x08\x03" + b"\xff" * 12, r"for the shape .*: expected 79,\d*,.*, found 0"),
            (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), "needs more than 2⁶³ bytes of memory, and NNLITE_MEMORY"),
            (gzip.compress(b"\0\0\x08\xff" + b"\xff" * 1020), "needs more than 2⁶³ bytes of memory, and NNLITE_MEMORY"),
            (gzip.compress(GOOD[:-1], mtime=0), "expected 6, found 5"),
            (PACKED[:-9], "content: expected a whole gzip file, found a damaged one"),
            (PACKED + b"more", "content: expected a whole gzip file"),
            (PACKED[:-8] + bytes(8), "content: expected a whole gzip file"),
            (PACKED[:10] + b"\xff" * 20, "content: expected a whole gzip file"),
        ],
        ids=[
            "empty",
            "three bytes",
            "not zero",
            "web page",
            "type",
            "no dimensions",
            "cut in the header",
            "cut",
            "too long",
            "cut within an item",
            "huge",
            "huge when unpacked",
            "larger than any float",
            "cut before packing",
            "cut after packing",
            "text after gzip",
            "gzip checksum",
            "gzip body",
        ],
    )
    def test_a_damaged_file(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "damaged"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"damaged: .*{message}"):
            read_idx(path)

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ({"dtype": np.float32}, "type of the items: expected float32, found uint8"),
            ({"ndim": 3}, r"number of dimensions: expected 3, found 2 \(shape \(2, 3\)\)"),
        ],
    )
    def test_another_kind_of_file_than_wanted(self, tmp_path: Path, wanted: dict[str, Any], message: str) -> None:
        (tmp_path / "file").write_bytes(GOOD)
        with pytest.raises(ValueError, match=message):
            read_idx(tmp_path / "file", **wanted)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_idx(tmp_path / "file")


IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 9], np.uint8)


def save(folder: Path, stem: str = "train", images: np.ndarray = IMAGES, labels: np.ndarray = LABELS) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels))


class TestMnist:
    def test_images_and_labels(self, tmp_path: Path) -> None:
        save(tmp_path)
        images, labels = mnist("train", tmp_path)
        assert images.shape == (5, 1, 28, 28)
        assert images.dtype == np.float32
        assert np.array_equal(images[:, 0], IMAGES.astype(np.float32) / np.float32(255))
        assert labels.dtype == np.int64
        assert labels.tolist() == [3, 1, 4, 1, 9]

    def test_the_splits_are_two_files(self, tmp_path: Path) -> None:
        save(tmp_path)
        save(tmp_path, "t10k", IMAGES[:2], LABELS[:2])
        assert [len(mnist(split, tmp_path)[0]) for split in ("train", "test")] == [5, 2]

    @pytest.mark.parametrize("dot", ["-", "."])
    @pytest.mark.parametrize("end", ["", ".gz"])
    @pytest.mark.parametrize("subfolder", ["", "mnist"])
    def test_every_name_and_place(self, tmp_path: Path, dot: str, end: str, subfolder: str) -> None:
        place = tmp_path / subfolder
        place.mkdir(exist_ok=True)
        (place / f"t10k-images{dot}idx3-ubyte{end}").write_bytes(gzip.compress(idx(IMAGES)) if end else idx(IMAGES))
        (place / f"t10k-labels{dot}idx1-ubyte{end}").write_bytes(gzip.compress(idx(LABELS)) if end else idx(LABELS))
        assert mnist("test", str(tmp_path))[1].tolist() == [3, 1, 4, 1, 9]

    def test_the_folder_of_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        save(tmp_path)
        monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
        assert len(mnist("train")[0]) == 5

    def test_missing_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as error:
            mnist("test", tmp_path)
        for word in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", str(tmp_path), "nnlite fetch mnist"):
            assert word in str(error.value)

    def test_only_the_missing_file_is_named(self, tmp_path: Path) -> None:
        save(tmp_path)
        (tmp_path / "train-labels-idx1-ubyte").unlink()
        with pytest.raises(FileNotFoundError, match="expected train-labels-idx1-ubyte"):
            mnist("train", tmp_path)

    @pytest.mark.parametrize(
        ("images", "labels", "message"),
        [
            (IMAGES[:4], LABELS, "60,000 in MNIST's train set.*found 4 images .* and 5 labels"),
            (IMAGES[:, :27], LABELS, r"28 x 28 pixels, found the shape \(5, 27, 28\)"),
            (IMAGES[0], LABELS, "number of dimensions: expected 3, found 2"),
            (IMAGES, IMAGES, "number of dimensions: expected 1, found 3"),
            (IMAGES, LABELS + 1, "expected labels 0 to 9, found 10"),
        ],
    )
    def test_files_that_do_not_fit(self, tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str) -> None:
        save(tmp_path, images=images, labels=labels)
        with pytest.raises(ValueError, match=message):
            mnist("train", tmp_path)

    def test_unknown_split(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="got 'all'"):
            mnist("all", tmp_path)
