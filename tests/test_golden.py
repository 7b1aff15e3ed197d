"""nnlite against numbers that PyTorch, captum and zennit computed once: none of them is needed here.

scripts/make_golden.py wrote them, with the versions inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite.models
from nnlite import Network, files, storage
from nnlite.verify import Case, Comparison, comparisons
from nnlite.verify.examples import EXAMPLES, example
from nnlite.verify.table import differences, flattened

FILES = sorted((Path(__file__).parent / "golden").glob("*.npz"))


def golden(
    path: Path, form: Callable[[Network], Network] = lambda network: network
) -> tuple[dict[str, Any], Case, dict[str, np.ndarray]]:
    """The header, the case and the libraries' maps of one file."""
    header, arrays = storage.read(path, "golden")
    if "shipped" in header["network"]:
        network = nnlite.models.load(header["network"]["shipped"]).astype(np.float64)
    else:
        own = {name.removeprefix("network/"): value for name, value in arrays.items() if name.startswith("network/")}
        network = files.from_description(header["network"], own)
    return header, Case.of(path.stem, form(network), arrays["x"], arrays["target"]), arrays


def kept(row: dict[str, Any], arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The map of a row; they lie one after the other in one array."""
    size = math.prod(row["shape"])
    return arrays["theirs"][row["start"] : row["start"] + size].reshape(row["shape"])


def by_key(case: Case) -> dict[str, Comparison]:
    """The comparisons that must agree, by their keys."""
    return {c.key: c for c in flattened(comparisons(case)) if not c.differs}


def test_there_is_a_file_for_every_example_and_every_shipped_network() -> None:
    assert {path.stem for path in FILES} == {*EXAMPLES, *nnlite.models.VERIFIED, "resnet"} - {"mlp"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_map_agrees_with_what_the_libraries_computed(path: Path, form: Callable[[Network], Network]) -> None:
    header, case, arrays = golden(path, form)
    found = by_key(case)
    off = {}
    for row in header["rows"]:
        relative = differences(found[row["key"]].ours(), kept(row, arrays))[1]
        if not relative <= row["tolerance"]:
            off[row["key"]] = relative
    assert not off


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_lack_no_comparison(name: str) -> None:
    header, case, _ = golden(Path(__file__).parent / "golden" / f"{name}.npz")
    assert {row["key"] for row in header["rows"]} == set(by_key(case)), "run scripts/make_golden.py again"
    network, x = example(name, 1)
    assert np.array_equal(case.x, x)
    assert network.parameters.keys() == case.network.parameters.keys()


def test_the_versions_are_in_the_files() -> None:
    for path in FILES:
        header, _ = storage.read(path, "golden")
        assert {"nnlite", "NumPy", "torch", "captum", "zennit"} <= set(header["versions"])


def test_a_wrong_number_is_seen() -> None:
    header, case, arrays = golden(Path(__file__).parent / "golden" / "padding.npz")
    row = next(row for row in header["rows"] if row["key"].startswith("lrp-epsilon | zennit"))
    theirs = kept(row, arrays).copy()
    theirs[0, 0, 3, 3] += 1e-8 * np.abs(theirs).max()
    assert differences(by_key(case)[row["key"]].ours(), theirs)[1] > row["tolerance"]
