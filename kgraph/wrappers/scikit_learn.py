"""Keras 2's wrappers: a function that builds a model, with arguments that scikit-learn may search.

They work without scikit-learn. Where it is installed, they have the tags that its newer versions
ask estimators for.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.models.model import Model
from kgraph.models.sequential import Sequential
from kgraph.utils.np_utils import to_categorical

try:
    from sklearn import utils as _sklearn
except ModuleNotFoundError:
    _sklearn = None

# What takes the arguments of an estimator beside the function that builds its model.
_METHODS = (
    Sequential.fit, Sequential.predict, Sequential.predict_classes, Sequential.evaluate,
)  # fmt: skip


class BaseWrapper:
    """What the wrappers of classifiers and regressors share.

    Args:
        build_fn: a function, or an object with `__call__`, that returns a compiled model; a
            subclass may define `__call__` instead.
        **sk_params: arguments of `build_fn`, and of `fit`, `predict`, `predict_classes` and
            `evaluate` of its model.

    Raises:
        ValueError: none of these takes an argument of that name.
    """

    # What scikit-learn calls this kind of estimator.
    kind = ""

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def _builder(self) -> Callable[..., Any]:
        """The function whose arguments are the model's."""
        if self.build_fn is None:
            if not callable(self):
                raise ValueError(
                    explain(f"{type(self).__name__} has nothing that builds a model",
                            expected="build_fn, or a subclass with __call__")
                )  # fmt: skip
            own: Any = self.__call__
            return own
        if isinstance(self.build_fn, (types.FunctionType, types.MethodType)):
            return self.build_fn
        if isinstance(self.build_fn, Model) or not callable(self.build_fn):
            raise ValueError(
                explain(f"{type(self).__name__}: build_fn is called to make a model",
                        expected="a function, or an object with __call__", got=repr(self.build_fn),
                        hint="kgraph.wrappers.SKLearnClassifier and its like take models")
            )  # fmt: skip
        called: Any = self.build_fn
        return called.__call__

    def check_params(self, params: Mapping[str, Any]) -> None:
        """Refuses what neither the builder nor a method of its model takes.

        Args:
            params: arguments by name.

        Raises:
            ValueError: nothing takes an argument of that name.
        """
        places: list[Any] = [*_METHODS, self._builder()]
        for name in params:
            if name != "nb_epoch" and not any(_takes(place, name) for place in places):
                raise ValueError(
                    explain(f"{name} is not a legal parameter",
                            expected="an argument of build_fn, fit, predict or evaluate",
                            where=type(self).__name__)
                )  # fmt: skip

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that the wrapper was made with, as scikit-learn asks for them.

        Args:
            deep: without effect: arguments are no estimators.

        Returns:
            Arguments by name, `build_fn` among them.
        """
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Changes arguments.

        Args:
            **params: as for the constructor.

        Returns:
            The wrapper itself.

        Raises:
            ValueError: nothing takes an argument of that name.
        """
        params = dict(params)
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.check_params(params)
        self.sk_params.update(params)
        return self

    def filter_sk_params(
        self, fn: Callable[..., Any], override: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The wrapper's arguments that a function takes.

        Args:
            fn: the function.
            override: values that count more than the wrapper's.

        Returns:
            Arguments by name.

        Example:
            >>> def build(units=1): return None
            >>> KerasRegressor(build, units=3, epochs=2).filter_sk_params(build)
            {'units': 3}
        """
        own = {name: value for name, value in self.sk_params.items() if _takes(fn, name)}
        return {**own, **(override or {})}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Builds the model and trains it.

        Args:
            x: inputs.
            y: targets.
            **kwargs: arguments of the model's `fit`, which count more than the wrapper's.

        Returns:
            The history of the training.

        Raises:
            ValueError: nothing builds a model.
        """
        builder = self._builder()
        made = builder(**self.filter_sk_params(builder))
        if not isinstance(made, Model):
            raise ValueError(
                explain(f"{type(self).__name__}: build_fn returned no model", got=repr(made),
                        expected="a compiled Model", hint="does it end with `return model`?")
            )  # fmt: skip
        self.model = made
        arguments = {**self.filter_sk_params(Sequential.fit), **kwargs}
        return self.model.fit(x, self._targets(np.asarray(y)), **arguments)

    def _fitted(self) -> Any:
        """The trained model."""
        if not hasattr(self, "model"):
            raise AttributeError(
                explain(f"This {type(self).__name__} has no model yet", hint="call `fit` first")
            )
        return self.model

    def _targets(self, y: np.ndarray) -> np.ndarray:
        """Class ids as rows, if that is what the loss takes."""
        loss = getattr(self.model.loss, "__name__", self.model.loss)
        return to_categorical(y) if loss == "categorical_crossentropy" and y.ndim != 2 else y

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")

    def __sklearn_tags__(self) -> Any:
        if _sklearn is None:
            raise AttributeError("__sklearn_tags__")
        return _sklearn.Tags(
            estimator_type=self.kind,
            target_tags=_sklearn.TargetTags(required=True),
            classifier_tags=_sklearn.ClassifierTags() if self.kind == "classifier" else None,
            regressor_tags=_sklearn.RegressorTags() if self.kind == "regressor" else None,
        )


class KerasClassifier(BaseWrapper):
    """A classifier for scikit-learn, as in Keras 2.

    Args:
        build_fn: a function that returns a compiled model.
        **sk_params: arguments of `build_fn` and of the model's methods.

    Raises:
        ValueError: an argument is one of nothing.

    Example:
        >>> from kgraph.layers import Dense
        >>> def build(units=2):
        ...     model = Sequential([Dense(units, activation="softmax", input_dim=2)])
        ...     model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        ...     return model
        >>> x, y = np.array([[0.0, 1.0], [1.0, 0.0]] * 4), np.array(["up", "down"] * 4)
        >>> estimator = KerasClassifier(build, epochs=40, verbose=0)
        >>> history = estimator.fit(x, y)
        >>> estimator.predict_proba(x[:3]).shape
        (3, 2)
    """

    kind = "classifier"
    _estimator_type = "classifier"

    def fit(self, x: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Any:
        """Builds the model and trains it on class labels or rows of zeros and ones.

        Args:
            x: inputs.
            y: labels, shape (n,) or (n, 1), or rows with a one at the class, shape (n, classes).
            sample_weight: how much each sample counts.
            **kwargs: arguments of the model's `fit`.

        Returns:
            The history of the training.

        Raises:
            ValueError: `y` has another shape.
        """
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError(f"Invalid shape for y: {y.shape}")
        self.n_classes_ = len(self.classes_)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return super().fit(x, y, **weights, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The labels of the most probable classes.

        Args:
            x: inputs.
            **kwargs: arguments of the model's `predict_classes`.

        Returns:
            Labels, shape (n,).
        """
        arguments = self.filter_sk_params(Sequential.predict_classes, kwargs)
        found = np.asarray(self._fitted().predict_classes(x, **arguments))
        return self.classes_[found.reshape(len(found))]

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The probabilities of all classes.

        Args:
            x: inputs.
            **kwargs: arguments of the model's `predict`.

        Returns:
            Shape (n, classes): for a model with one output its complement comes first.
        """
        arguments = self.filter_sk_params(Sequential.predict, kwargs)
        probabilities = self._fitted().predict(x, **arguments)
        if probabilities.shape[1] == 1:
            return np.hstack([1 - probabilities, probabilities])
        return probabilities

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The accuracy.

        Args:
            x: inputs.
            y: true labels.
            **kwargs: arguments of the model's `evaluate`.

        Returns:
            The share of right predictions.

        Raises:
            ValueError: the model does not compute its accuracy.
        """
        model = self._fitted()
        y = np.searchsorted(self.classes_, y)
        arguments = self.filter_sk_params(Sequential.evaluate, kwargs)
        values = model.evaluate(x, self._targets(y), **arguments)
        values = values if isinstance(values, list) else [values]
        for name, value in zip(model.metrics_names, values):
            if name in ("acc", "accuracy"):
                return float(value)
        raise ValueError(
            "The model is not configured to compute accuracy. You should pass "
            '`metrics=["accuracy"]` to the `model.compile()` method.'
        )


class KerasRegressor(BaseWrapper):
    """A regressor for scikit-learn, as in Keras 2.

    Args:
        build_fn: a function that returns a compiled model.
        **sk_params: arguments of `build_fn` and of the model's methods.

    Raises:
        ValueError: an argument is one of nothing.

    Example:
        >>> from kgraph.layers import Dense
        >>> def build(rate=0.1):
        ...     model = Sequential([Dense(1, input_dim=1)])
        ...     model.compile("sgd", "mse")
        ...     return model
        >>> estimator = KerasRegressor(build, epochs=2, verbose=0)
        >>> history = estimator.fit(np.ones((4, 1)), np.ones(4))
        >>> estimator.predict(np.ones((4, 1))).shape
        (4,)
    """

    kind = "regressor"
    _estimator_type = "regressor"

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The predictions, without a last axis of size 1.

        Args:
            x: inputs.
            **kwargs: arguments of the model's `predict`.

        Returns:
            Predictions.
        """
        found = self._fitted().predict(x, **self.filter_sk_params(Sequential.predict, kwargs))
        return np.squeeze(found, axis=-1) if found.shape[-1] == 1 else found

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The negative loss, so that larger is better.

        Args:
            x: inputs.
            y: targets.
            **kwargs: arguments of the model's `evaluate`.

        Returns:
            Minus the loss.
        """
        arguments = self.filter_sk_params(Sequential.evaluate, kwargs)
        values = self._fitted().evaluate(x, y, **arguments)
        return -float(values[0] if isinstance(values, list) else values)


def _takes(fn: Callable[..., Any], name: str) -> bool:
    """Whether a function has an argument of this name."""
    found = inspect.signature(fn).parameters.get(name)
    return found is not None and found.kind is not inspect.Parameter.VAR_KEYWORD
