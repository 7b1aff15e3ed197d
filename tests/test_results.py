"""What a method hands out is its own: no array of a result shares memory with what went in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from nnlite import Network, models
from nnlite.decision_based import lrp, mask_by_relevance, occlusion
from nnlite.decision_based.building_blocks import factors
from nnlite.decision_based.masking import find_confusion
from nnlite.decision_based.taylor import simple_taylor
from nnlite.evaluation import completeness, erase_strokes, pixel_flipping
from nnlite.layers import Conv2d, ReLU
from nnlite.model_based import ascend, dataset_examples, deepdream, general, invert, visualize
from nnlite.model_based.objectives import Score, squared_norm
from nnlite.stepper import record

NET = models.load("lenet")
BLANK = Network([])
CONV = Network([Conv2d(np.ones((1, 1, 3, 3), np.float32)), ReLU()])
X = np.random.default_rng(4).random((2, 1, 28, 28), dtype=np.float32)
R = np.random.default_rng(5).normal(size=X.shape).astype(np.float32)
TARGET = np.array([3, 8])
PEN = np.zeros((2, 28, 28), np.int64)
ARGUMENTS = (X, R, TARGET, PEN)

RESULTS: dict[str, Callable[[], Any]] = {
    "mask_by_relevance": lambda: mask_by_relevance(NET, X, R, TARGET),
    "find_confusion": lambda: find_confusion(NET, X, NET.predict(X)),
    "occlusion": lambda: occlusion(NET, X, TARGET, size=14, stride=14),
    "simple_taylor": lambda: simple_taylor(NET, X, TARGET),
    "factors": lambda: factors(NET, X, TARGET, layer="relu2", n=2, iterations=2),
    "ledger": lambda: lrp.ledger(NET, X, TARGET),
    "ascend": lambda: ascend(squared_norm, X, steps=2, keep=True),
    "ascend that projects nothing": lambda: ascend(squared_norm, X, steps=1, project=lambda x: x),
    "deepdream": lambda: deepdream(CONV, X, "relu1", octaves=1, steps=1, keep=True),
    "invert": lambda: invert(NET, X, "relu1", steps=1),
    "visualize": lambda: visualize(NET, 3, start=X[:1], parameterization="pixels", transformations=(), steps=1),
    "general": lambda: general(NET, [3, 8], start=X, steps=1),
    "dataset_examples": lambda: dataset_examples(Score(NET, 3), X),
    "completeness": lambda: completeness(NET, X, "gradient-times-input", TARGET),
    "pixel_flipping": lambda: pixel_flipping(NET, X, R, TARGET),
    "erase_strokes": lambda: erase_strokes(NET, X, PEN, TARGET),
    "record": lambda: record("gradient", NET, X[:1].astype(np.float64), 3),
}


def arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays(getattr(value, field.name))


@pytest.mark.parametrize("name", RESULTS)
def test_no_array_of_a_result_shares_memory_with_an_argument(name: str) -> None:
    found = list(arrays(RESULTS[name]()))
    assert found or name == "find_confusion"
    for array in found:
        assert not any(np.shares_memory(array, argument) for argument in ARGUMENTS)
