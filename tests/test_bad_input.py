"""The same mistakes with every method: each is one clear error that says what was expected and what came."""

import numpy as np
import pytest

from nnlite import models
from nnlite.decision_based.registry import METHODS, explain

NET = models.load("cam_net")  # every method fits it
X = np.full((2, 1, 28, 28), 0.5, np.float32)


def changed(value):
    x = X.copy()
    x[1, 0, 3, 4] = value
    return x


MISTAKES = {
    "a wrong size": ((X[:, :, :20],), ValueError, ["1, 28, 28", "(2, 1, 20, 28)"]),
    "no batch axis": ((X[0],), ValueError, ["x[None]"]),
    "a NaN": ((changed(np.nan),), ValueError, ["finite", "x[1, 0, 3, 4]", "nan"]),
    "an infinity": ((changed(np.inf),), ValueError, ["finite", "inf"]),
    "an integer image": (((X * 255).astype(np.uint8),), ValueError, ["uint8", "[0, 1]", "/ 255"]),
    "another dtype": ((X.astype(np.float64),), ValueError, ["float32", "float64", "astype"]),
    "half precision": ((X.astype(np.float16),), ValueError, ["float16"]),
    "a list": ((X.tolist(),), TypeError, ["NumPy array", "list"]),
    "a class out of range": ((X, 10), ValueError, ["0 to 9", "10"]),
    "a negative class": ((X, -1), ValueError, ["0 to 9", "-1"]),
    "a class that is no integer": ((X, 1.5), ValueError, ["target", "1.5"]),
    "classes for another batch": ((X, [1, 2, 3]), ValueError, ["target", "[1, 2, 3]"]),
    "a layer that is not there": ((X, ("conv9", 0)), ValueError, ["conv9", "conv1, relu1"]),
    "a neuron that is not there": ((X, ("conv1", 16)), ValueError, ["conv1", "16"]),
    "a place that is not there": ((X, ("conv1", (0, 28, 0))), ValueError, ["conv1", "28"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", METHODS)
def test_a_mistake_is_one_clear_error(name, mistake):
    arguments, kind, words = MISTAKES[mistake]
    with pytest.raises(kind) as error:
        explain(name, NET, *arguments)
    assert type(error.value) is kind
    message = str(error.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("name", METHODS)
def test_a_layer_to_explain_at_that_is_not_there(name):
    with pytest.raises(ValueError, match=r"There is no layer 'conv9'; the layers are conv1, relu1"):
        explain(name, NET, X, at="conv9")


@pytest.mark.parametrize("name", METHODS)
def test_an_empty_batch_gives_an_empty_map(name):
    assert len(explain(name, NET, X[:0])) == 0
