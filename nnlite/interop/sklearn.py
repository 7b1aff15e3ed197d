"""Networks from scikit-learn: a fitted multi-layer perceptron, with the scaler before it, as layers.

scikit-learn is imported only when `from_sklearn` is called: `pip install scikit-learn`.
"""

from typing import Any

import numpy as np

from ..layers import BatchNorm, Dense, Layer, ReLU, Sigmoid, Softmax, Tanh
from ..network import Network
from .row import check_alike

ACTIVATIONS: dict[str, type[Layer] | None] = {
    "relu": ReLU, "tanh": Tanh, "logistic": Sigmoid, "softmax": Softmax, "identity": None,
}  # fmt: skip
"""The activation functions, by scikit-learn's names."""


def from_sklearn(model: Any) -> Network:
    """The network that a fitted perceptron computes: a = (x − μ) / σ, a_k = f(Σ_j a_j w_jk + b_k), layer by layer.

    Parameters
    ----------
    model
        An MLPClassifier or MLPRegressor, or a Pipeline that ends in one, with StandardScalers before it. A scaler
        becomes a BatchNorm with eps 0.

    Returns
    -------
    A `Network` on rows (N, F), in the dtype of the weights. That of a classifier gives what `predict_proba` gives: it
    ends in a Softmax, or for two classes in a Sigmoid, whose one output is the probability of the second; its
    `info["classes"]` names the classes. That of a regressor gives what `predict` gives, as (N, outputs).

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    TypeError
        `model` is neither of these, or another step stands before it.
    ValueError
        It is not fitted, or its outputs differ from those of its layers.

    Source: scikit-learn's documentation of sklearn.neural_network; compared on random rows, to 1e-10 in float64.
    """
    try:
        from sklearn.exceptions import NotFittedError
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.utils.validation import check_is_fitted
    except ImportError as error:
        raise ImportError(f"scikit-learn is needed here ({error}); pip install scikit-learn.") from None
    steps = (
        [step for _, step in model.steps if step not in (None, "passthrough")] if isinstance(model, Pipeline) else []
    )
    steps = steps or [model]
    kinds = [StandardScaler] * (len(steps) - 1) + [(MLPClassifier, MLPRegressor)]
    for step, kind in zip(steps, kinds, strict=False):
        if not isinstance(step, kind):
            raise TypeError(
                f"from_sklearn expected an MLPClassifier, an MLPRegressor, or a Pipeline of StandardScalers and one of "
                f"them, got {type(step).__name__}."
            )
    try:
        for step in steps:
            check_is_fitted(step)
    except NotFittedError:
        raise ValueError(f"from_sklearn: {type(step).__name__} is not fitted; call fit first.") from None
    *scalers, mlp = steps
    dtype, layers = mlp.coefs_[0].dtype, list[Layer]()
    for scaler in scalers:
        ones = np.ones(scaler.n_features_in_, dtype)
        mean = 0 * ones if scaler.mean_ is None or not scaler.with_mean else scaler.mean_
        scale = ones if scaler.scale_ is None else scaler.scale_
        layers.append(BatchNorm(ones, 0 * ones, mean.astype(dtype), (scale**2).astype(dtype), eps=0.0))
    ends = [mlp.activation] * (mlp.n_layers_ - 2) + [mlp.out_activation_]
    for W, b, end in zip(mlp.coefs_, mlp.intercepts_, ends, strict=True):
        kind = ACTIVATIONS[end]
        layers += [Dense(W, b), *([] if kind is None else [kind()])]
    classes = {"classes": np.asarray(mlp.classes_).tolist()} if isinstance(mlp, MLPClassifier) else {}
    network = Network(layers, None, (steps[0].n_features_in_,), classes)
    x = np.random.default_rng(0).standard_normal((8, steps[0].n_features_in_)).astype(dtype)
    theirs = np.asarray(model.predict_proba(x) if classes else model.predict(x)).reshape(8, -1)
    theirs = theirs[:, 1:] if network.is_binary and classes else theirs
    check_alike(network, x, theirs, "from_sklearn", type(mlp).__name__, "its predict was changed")
    return network
