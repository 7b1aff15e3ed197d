"""Make data/uci_digits.npz from scikit-learn's copy of the UCI digits.

    pip install scikit-learn
    python scripts/make_uci_digits.py

The file it makes is in the repository: this script is its record, and need not be run again.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-untyped]


def main() -> None:
    """Write the images and labels as small integers, and say where."""
    digits = load_digits()
    path = Path(__file__).resolve().parents[1] / "data" / "uci_digits.npz"
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    if not np.array_equal(images, digits.images):
        raise ValueError("expected the counts to be whole numbers from 0 to 16")
    np.savez_compressed(path, images=images, labels=labels)
    print(f"{path}: {len(images)} images, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
