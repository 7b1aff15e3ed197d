"""MNIST, the classic handwritten digits, read from the four files wherever the user keeps them."""

import os
from pathlib import Path

import numpy as np

from ..memory import claim
from .folders import data_folder
from .idx import read_idx

SIZES = {"train": 60_000, "test": 10_000}
_STEMS = {"train": "train", "test": "t10k"}


def mnist(split: str, folder: str | os.PathLike[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one half of MNIST.

    The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, and t10k-... for the test set; a dot may stand
    before idx, and .gz at the end. They are looked for in the folder and in its subfolder mnist. `nnlite fetch mnist`
    downloads them. A user's own copy is judged by its contents, so a shorter set in the same format is read as well.

    split: "train" (60,000 images) or "test" (10,000).
    folder: where the files are; by default $NNLITE_DATA, else ~/.cache/nnlite.

    Returns images (N, 1, 28, 28) float32 in [0, 1]; labels (N,) int64.
    Raises FileNotFoundError: a file is not there; the message says which, and what to do; ValueError: another split; a
    file is not a whole IDX file; images not 28 × 28 bytes, labels not digits, or not as many labels as images.
    Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits, 1998.

    >>> mnist("validation")
    Traceback (most recent call last):
        ...
    ValueError: split: expected "train" or "test", got 'validation'
    """
    if not isinstance(split, str) or split not in SIZES:
        raise ValueError(f'split: expected "train" or "test", got {split!r}')
    image_file, label_file = _find(split, data_folder(folder))
    images = read_idx(image_file, dtype=np.uint8, ndim=3)
    labels = read_idx(label_file, dtype=np.uint8, ndim=1)
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{image_file}: expected images of 28 x 28 pixels, found the shape {images.shape}")
    if len(images) != len(labels):
        raise ValueError(
            f"expected as many labels as images ({SIZES[split]:,} in MNIST's {split} set), found {len(images):,} "
            f"images in {image_file} and {len(labels):,} labels in {label_file}; do the two belong together?"
        )
    if labels.size and labels.max() > 9:
        raise ValueError(f"{label_file}: expected labels 0 to 9, found {labels.max()}")
    claim(4 * images.size, f"{image_file}, {len(images):,} images in float32,")
    return np.divide(images[:, None], 255, dtype=np.float32), labels.astype(np.int64)


def _find(split: str, folder: Path) -> tuple[Path, Path]:
    """The image file and the label file of a split, in the folder or in its subfolder mnist."""
    found: list[Path] = []
    missing: list[str] = []
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        name = f"{_STEMS[split]}-{kind}"
        names = [variant + end for variant in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
        paths = [place / n for place in (folder, folder / "mnist") for n in names if (place / n).is_file()]
        found += paths[:1]
        missing += [] if paths else [name]
    if missing:
        raise FileNotFoundError(
            f"expected {' and '.join(missing)} (or with .gz) in {folder} or {folder / 'mnist'}, found none: "
            "run nnlite fetch mnist to download MNIST, or set NNLITE_DATA to the folder that has it"
        )
    return found[0], found[1]
