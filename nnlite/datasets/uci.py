"""Real handwriting, small enough to be read as numbers: 1,797 digits of 8 × 8 pixels."""

import numpy as np

from ..disk import read_npz
from .folders import package_file

SPLITS = ("train", "test", "all")
_REMEDY = "install nnlite again, or make the file with scripts/make_uci_digits.py"


def uci(split: str = "all") -> tuple[np.ndarray, np.ndarray]:
    """The UCI digits, with 17 grey levels: 0/16, 1/16, ... 16/16.

    Each pixel is the number of inked pixels in a 4 × 4 block of a 32 × 32 scan, divided by 16. They are the 13 writers
    of the test set of the original; its 30 other writers are not here. Every fifth image (i % 5 == 4) is for testing.

    The same writers stand on both sides of this split: it measures how well a network knows these hands, and
    overstates how well it will read a stranger's.

    split: "train" (1,438 images), "test" (359) or "all" (1,797).

    Returns images (N, 1, 8, 8) float32 in [0, 1]; labels (N,) int64.
    Raises ValueError: another split, or data/uci_digits.npz is not the file that is meant; FileNotFoundError:
    data/uci_digits.npz is not there.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    1998, doi 10.24432/C50P49, CC BY 4.0; through the copy in scikit-learn.

    >>> images, labels = uci("test")
    >>> images.shape, labels[:5]
    ((359, 1, 8, 8), array([4, 9, 4, 9, 4]))
    >>> (16 * images[0, 0, 3]).astype(int)
    array([ 0,  0,  7, 15,  0,  9,  8,  0])
    """
    if not isinstance(split, str) or split not in SPLITS:
        raise ValueError(f'split: expected "train", "test" or "all", got {split!r}')
    counts, labels = _load()
    fifth = np.arange(len(labels)) % 5 == 4
    chosen = {"train": ~fifth, "test": fifth, "all": np.full(len(labels), True)}[split]
    images = np.divide(counts[chosen, None], 16, dtype=np.float32)
    return images, labels[chosen].astype(np.int64)


def _load() -> tuple[np.ndarray, np.ndarray]:
    """The counts (1797, 8, 8) uint8 and labels (1797,) uint8, after checking that the file is the one meant."""
    path = package_file("uci_digits.npz")
    try:
        file = read_npz(path)
        images, labels = file["images"], file["labels"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}: expected an .npz file with images and labels: {error}; {_REMEDY}") from error
    for name, array, shape, largest in (("images", images, (1797, 8, 8), 16), ("labels", labels, (1797,), 9)):
        if array.shape != shape or array.dtype != np.uint8 or array.max() > largest:
            raise ValueError(
                f"{path}: {name}: expected {shape} uint8 with values 0 to {largest}, "
                f"got {array.shape} {array.dtype}; {_REMEDY}"
            )
    return images, labels
