"""Networks from scikit-learn: the predictions of the perceptron that they came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlite.layers import BatchNorm, Sigmoid, Softmax

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from nnlite.interop.sklearn import from_sklearn

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:Stochastic Optimizer")]
X = np.random.default_rng(0).normal(3, 2, (40, 5))
X[:, 4] = 7  # without variance
SMALL: dict[str, Any] = dict(hidden_layer_sizes=(6, 3), max_iter=3, random_state=0)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("classes", [["no", "yes"], ["a", "b", "c"], [3, 7, 9]])
def test_a_classifier_keeps_its_probabilities_and_classes(activation: str, classes: list[Any]) -> None:
    y = np.array(classes)[np.arange(40) % len(classes)]
    model = make_pipeline(StandardScaler(), MLPClassifier(activation=activation, **SMALL)).fit(X, y)
    network = from_sklearn(model)
    p = network.output(X)
    theirs = model.predict_proba(X)
    assert isinstance(network[0], BatchNorm)
    assert network[0].eps == 0
    assert network.info["classes"] == classes
    assert isinstance(network[-1], Sigmoid if len(classes) == 2 else Softmax)
    assert network.is_binary is (len(classes) == 2)
    np.testing.assert_allclose(p, theirs[:, 1:] if len(classes) == 2 else theirs, rtol=0, atol=1e-10)
    assert np.array_equal(np.array(classes)[network.predict(X)], model.predict(X))


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("scaler", [None, StandardScaler(with_mean=False), StandardScaler(with_std=False)])
def test_a_regressor_keeps_its_predictions(outputs: int, scaler: Any) -> None:
    y = X[:, :outputs] if outputs > 1 else X[:, 0]
    model = MLPRegressor(**SMALL)
    model = (model if scaler is None else make_pipeline(scaler, "passthrough", model)).fit(X, y)
    network = from_sklearn(model)
    np.testing.assert_allclose(network.output(X), model.predict(X).reshape(40, -1), rtol=0, atol=1e-10)
    assert "classes" not in network.info


def test_float32_stays_float32() -> None:
    x = X.astype(np.float32)
    model = MLPRegressor(**SMALL).fit(x, x[:, 0])
    assert from_sklearn(model).dtype == model.coefs_[0].dtype


def test_what_is_refused_is_named() -> None:
    with pytest.raises(ValueError, match="MLPClassifier is not fitted; call fit first"):
        from_sklearn(MLPClassifier())
    with pytest.raises(ValueError, match="StandardScaler is not fitted"):
        from_sklearn(make_pipeline(StandardScaler(), MLPClassifier()))
    for model in (StandardScaler(), make_pipeline(MinMaxScaler(), MLPClassifier()), None, "mlp", MLPClassifier):
        with pytest.raises(TypeError, match="expected an MLPClassifier"):
            from_sklearn(model)
