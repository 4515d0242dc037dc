"""Keras 3's wrappers: estimators of scikit-learn around a model, or a function that builds one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgraph import optimizers
from kgraph.errors import explain
from kgraph.models.loading import clone_model
from kgraph.models.model import Model

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        explain("estimators need the library scikit-learn", hint="pip install 'kgraph[sklearn]'"),
        name=missing.name,
    ) from missing


class SKLearnBase(BaseEstimator):
    """What the estimators share.

    Args:
        model: a compiled model, of which each `fit` trains a copy with fresh weights; or a function
            that takes `X` and `y` and returns a compiled model.
        warm_start: whether `fit` goes on with the weights of the last one, and trains a model that
            was given itself instead of a copy.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of the model's `fit`.

    Attributes:
        model_: the trained model.
        history_: the history of its training.
    """

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    @property
    def epoch_(self) -> int:
        """How many epochs the last `fit` took."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Trains a model.

        Args:
            X: inputs, shape (n, features).
            y: targets, shape (n,) or (n, outputs).
            **kwargs: arguments of the model's `fit`, which count more than `fit_kwargs`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: data have the wrong shape, or numbers are not finite.
            RuntimeError: the model is not compiled.
        """
        X, y = validate_data(self, X, y, multi_output=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = self.encode(y)
        model = self._made(X, targets)
        if not isinstance(model, Model) or model.optimizer is None or not model.loss:
            raise RuntimeError(
                explain("Given model needs to be compiled, and have a loss and an optimizer.",
                        got=repr(model), where=type(self).__name__)
            )  # fmt: skip
        self.history_ = model.fit(X, targets, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _made(self, X: np.ndarray, y: np.ndarray) -> Model:
        """The model to train."""
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if not isinstance(self.model, Model):
            return self.model(X=X, y=y, **(self.model_kwargs or {}))
        return self.model if self.warm_start else fresh(self.model)

    def outputs(self, X: Any) -> np.ndarray:
        """What the model predicts, after the checks of scikit-learn.

        Args:
            X: inputs, shape (n, features).

        Returns:
            The model's outputs.

        Raises:
            NotFittedError: there was no `fit`.
        """
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """The targets as the model is trained on them: with two axes."""
        type_of_target(y, raise_unknown=True)
        self.target_ndim_ = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y


def fresh(model: Model) -> Model:
    """A copy of a model with fresh weights, compiled as it is."""
    made = clone_model(model)
    if model.optimizer is None:
        return made
    made.compile(
        optimizers.deserialize(optimizers.serialize(model.optimizer)),
        loss=model.loss,
        metrics=copy.deepcopy(model.metrics),
        loss_weights=model.loss_weights,
        weighted_metrics=copy.deepcopy(model.weighted_metrics),
        memory_budget=model.memory_budget,
        run_eagerly=model.run_eagerly,
    )
    return made


class SKLearnClassifier(ClassifierMixin, SKLearnBase):
    """A classifier; the model is trained on rows with a one at each sample's class.

    Args:
        model: a compiled model, or a function of `X` and `y` that returns one.
        warm_start: whether `fit` goes on with the weights of the last one.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of the model's `fit`.

    Attributes:
        classes_: the labels in the order of the model's outputs.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> def build(X, y):
        ...     model = Sequential([Dense(y.shape[1], "softmax", input_dim=X.shape[1])])
        ...     model.compile("sgd", "categorical_crossentropy")
        ...     return model
        >>> x, y = np.array([[0.0, 1.0], [1.0, 0.0]] * 4), np.array(["up", "down"] * 4)
        >>> estimator = SKLearnClassifier(build, fit_kwargs={"epochs": 3, "verbose": 0}).fit(x, y)
        >>> estimator.predict(x).shape, estimator.classes_.tolist()
        ((8,), ['down', 'up'])
    """

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Labels as rows of zeros and ones."""
        kind = type_of_target(y, raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Only binary and multiclass target types are supported. Target type: {kind}"
            )
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError("Classifier can't train when only one class is present.")
        return np.eye(len(self.classes_), dtype="float32")[places.reshape(-1)]

    def decision_function(self, X: Any) -> np.ndarray:
        """The model's outputs, one for each class.

        Args:
            X: inputs, shape (n, features).

        Returns:
            Shape (n, classes).
        """
        return self.outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """The labels of the largest outputs.

        Args:
            X: inputs, shape (n, features).

        Returns:
            Labels, shape (n,).
        """
        places = self.outputs(X).argmax(axis=-1)
        return self.classes_[places]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, SKLearnBase):
    """A regressor.

    Args:
        model: a compiled model, or a function of `X` and `y` that returns one.
        warm_start: whether `fit` goes on with the weights of the last one.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of the model's `fit`.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2)])
        >>> model.compile("sgd", "mse")
        >>> estimator = SKLearnRegressor(model, fit_kwargs={"verbose": 0})
        >>> estimator.fit(np.ones((4, 2)), np.ones(4)).predict(np.ones((3, 2))).shape
        (3,)
    """

    def predict(self, X: Any) -> np.ndarray:
        """The model's outputs, with one axis if the targets had one.

        Args:
            X: inputs, shape (n, features).

        Returns:
            Predictions.
        """
        found = self.outputs(X)
        return found.reshape(len(found)) if self.target_ndim_ == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(TransformerMixin, SKLearnBase):
    """A transformer in scikit-learn's sense: the model's outputs are features for the next step.

    Args:
        model: a compiled model, or a function of `X` and `y` that returns one.
        warm_start: whether `fit` goes on with the weights of the last one.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of the model's `fit`.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(3, input_dim=2)])
        >>> model.compile("sgd", "mse")
        >>> estimator = SKLearnTransformer(model, fit_kwargs={"verbose": 0})
        >>> estimator.fit(np.ones((4, 2)), np.ones((4, 3))).transform(np.ones((5, 2))).shape
        (5, 3)
    """

    def transform(self, X: Any) -> np.ndarray:
        """The model's outputs.

        Args:
            X: inputs, shape (n, features).

        Returns:
            New features.
        """
        return self.outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
