"""Losses: per-sample functions of (y_true, y_pred), and classes that also reduce and weight them.

Everything here is made of `kgraph.ops`, so a loss builds a graph on tensors and computes at once on
arrays. The reduction is Keras 3's: with a mask, the mean runs over the unmasked values only, and
sample weights are divided by the number of values, not by the sum of the weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kgraph import config, ops
from kgraph.ir import Node, as_array
from kgraph.utils.registry import Registry

REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight")


def tensor(value: Any) -> Any:
    """Nodes as they are, everything else as an array of a dtype that kgraph has."""
    return value if isinstance(value, Node) else as_array(value)


def align(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Gives targets the predictions' dtype and rank.

    A column (n, 1) against a vector (n,) would broadcast to (n, n); the target follows the
    prediction instead.
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if not str(y_pred.dtype).startswith("float"):
        y_pred = ops.cast(y_pred, config.floatx())
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    elif y_true.ndim + 1 == y_pred.ndim and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, axis=-1)
    return cast(y_true, str(y_pred.dtype)), y_pred


def cast(x: Any, dtype: str) -> Any:
    """Casts a tensor or an array that has another dtype."""
    return x if str(x.dtype) == dtype else ops.cast(x, dtype)


def mean_last(x: Any) -> Any:
    """The mean over the last axis, which for one value is that value."""
    return ops.squeeze(x, axis=-1) if x.shape[-1] == 1 else ops.mean(x, axis=-1)


def class_ids(y_true: Any, y_pred: Any) -> Any:
    """Sparse targets as ids of the shape of `y_pred` without its last axis."""
    y_true = tensor(y_true)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    return y_true if str(y_true.dtype).startswith(("int", "uint")) else ops.cast(y_true, "int32")


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squared differences over the last axis.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]).tolist()
        [2.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(ops.square(y_pred - y_true))


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute differences over the last axis.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]).tolist()
        [1.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(ops.abs(y_pred - y_true))


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of independent yes/no outputs, averaged over `axis`.

    Args:
        y_true: targets in [0, 1], of the shape of the predictions.
        y_pred: probabilities, clipped to [1e-7, 1 - 1e-7], or logits.
        from_logits: whether `y_pred` are logits.
        label_smoothing: pulls targets towards one half by this share.
        axis: the axis that the mean runs over.

    Returns:
        One value a sample.

    Example:
        >>> round(float(binary_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = align(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        values = ops.sigmoid_cross_entropy(y_pred, y_true)
    else:
        values = ops.binary_crossentropy(y_true, y_pred, epsilon=config.epsilon())
    return mean_last(values) if axis in (-1, values.ndim - 1) else ops.mean(values, axis=axis)


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one class among several, targets as distributions over the classes.

    Args:
        y_true: one-hot rows or distributions, of the shape of the predictions.
        y_pred: probabilities, divided by their sum and clipped to [1e-7, 1 - 1e-7], or logits.
        from_logits: whether `y_pred` are logits.
        label_smoothing: share of the target that is spread over all classes.
        axis: the axis of the classes.

    Returns:
        One value a sample.

    Example:
        >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.75, 0.25]])[0]), 4)
        1.3863
    """
    y_true, y_pred = align(y_true, y_pred)
    y_true, y_pred = _axis_last(y_true, axis), _axis_last(y_pred, axis)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    if from_logits:
        return ops.softmax_cross_entropy(y_pred, y_true)[0]
    return ops.categorical_crossentropy(y_true, y_pred, epsilon=config.epsilon())


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one class among several, targets as class ids.

    Args:
        y_true: ids, of the predictions' shape without the last axis, or with a last axis of 1.
        y_pred: probabilities, divided by their sum and clipped to [1e-7, 1 - 1e-7], or logits.
        from_logits: whether `y_pred` are logits.
        ignore_class: id whose samples get the value 0, such as a "void" label.
        axis: the axis of the classes.

    Returns:
        One value a sample.

    Example:
        >>> round(float(sparse_categorical_crossentropy([1], [[0.75, 0.25]])[0]), 4)
        1.3863
    """
    y_pred = _axis_last(tensor(y_pred), axis)
    ids = class_ids(y_true, y_pred)
    kept = None
    if ignore_class is not None:
        kept = ops.not_equal(ids, ignore_class)
        ids = ops.where(kept, ids, 0)
    if from_logits:
        values = ops.sparse_softmax_cross_entropy(y_pred, ids)[0]
    else:
        values = ops.sparse_categorical_crossentropy(ids, y_pred, epsilon=config.epsilon())
    return values if kept is None else ops.where(kept, values, 0.0)


def _axis_last(x: Any, axis: int) -> Any:
    if axis in (-1, x.ndim - 1):
        return x
    return ops.moveaxis(x, axis, -1)


def check_reduction(reduction: str | None) -> str:
    """The name of a reduction, None being "none".

    Raises:
        ValueError: there is no such reduction.
    """
    name = "none" if reduction is None else reduction
    if name not in REDUCTIONS:
        raise ValueError(
            "Invalid value for argument `reduction`. "
            f"Expected one of {REDUCTIONS}. Received: reduction={reduction!r}"
        )
    return name


def match_rank(weight: Any, values: Any) -> Any:
    """A weight that broadcasts against values from the front: axes are added or averaged away."""
    if weight.ndim < values.ndim:
        ones = (1,) * (values.ndim - weight.ndim)
        return ops.reshape(weight, (*weight.shape, *ones))
    if weight.ndim > values.ndim:
        return ops.mean(weight, axis=tuple(range(values.ndim, weight.ndim)))
    return weight


def reduce_loss(
    values: Any, sample_weight: Any = None, mask: Any = None, reduction: str | None = REDUCTIONS[0]
) -> Any:
    """Weights per-sample values and reduces them.

    Args:
        values: what a loss function returned.
        sample_weight: weights that broadcast against the values from the front, or None.
        mask: which values count, or None; of the values' leading axes.
        reduction: "sum_over_batch_size" (the mean), "sum", "none", "mean" or
            "mean_with_sample_weight" (the sum divided by the sum of the weights).

    Returns:
        A scalar, or the weighted values for "none".

    Example:
        >>> float(reduce_loss([4.0, 9.0, 9.0], mask=[1.0, 0.0, 0.0]))
        4.0
    """
    reduction, values = check_reduction(reduction), tensor(values)
    weights, share = None, None
    if mask is not None:
        weights = match_rank(cast(tensor(mask), str(values.dtype)), values)
        share = ops.mean(weights)
    if sample_weight is not None:
        given = match_rank(cast(tensor(sample_weight), str(values.dtype)), values)
        weights = given if weights is None else given * weights
    if weights is not None:
        values = values * weights
    if reduction == "none":
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return ops.sum(values) / ops.maximum(ops.sum(weights), config.epsilon())
    mean = ops.mean(values) if values.ndim else values
    # mean(v m) / mean(m) = sum(v m) / sum(m); a batch without any unmasked value gives 0.
    return mean if share is None else mean / ops.maximum(share, config.epsilon())


class Loss:
    """Base of losses; a subclass defines `call(y_true, y_pred)`, one value a sample.

    Args:
        reduction: how the values become one number, see `reduce_loss`.
        name: what logs call it; default the class's name in snake case.
    """

    def __init__(self, reduction: str | None = REDUCTIONS[0], name: str | None = None) -> None:
        self.reduction = check_reduction(reduction)
        self.name = name or type(self).__name__

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred).")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss, a scalar unless the reduction is "none"."""
        return reduce_loss(self.call(y_true, y_pred), sample_weight, None, self.reduction)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """The loss that `get_config` describes."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A function of (y_true, y_pred) as a loss object.

    Args:
        fn: returns one value a sample.
        reduction: see `reduce_loss`.
        name: default the function's.
        options: keyword arguments that every call of `fn` gets.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = REDUCTIONS[0],
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name or getattr(fn, "__name__", type(fn).__name__))
        self.fn, self.options = fn, options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}


class MeanSquaredError(LossFunctionWrapper):
    """`mean_squared_error` as an object.

    Example:
        >>> float(MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]]))
        5.0
    """

    def __init__(
        self, reduction: str | None = REDUCTIONS[0], name: str = "mean_squared_error"
    ) -> None:
        super().__init__(mean_squared_error, reduction, name)


class MeanAbsoluteError(LossFunctionWrapper):
    """`mean_absolute_error` as an object.

    Example:
        >>> float(MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]]))
        2.0
    """

    def __init__(
        self, reduction: str | None = REDUCTIONS[0], name: str = "mean_absolute_error"
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name)


class BinaryCrossentropy(LossFunctionWrapper):
    """`binary_crossentropy` as an object, with its arguments.

    Example:
        >>> round(float(BinaryCrossentropy(from_logits=True)([[1.0]], [[0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "binary_crossentropy",
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, **options)


class CategoricalCrossentropy(LossFunctionWrapper):
    """`categorical_crossentropy` as an object, with its arguments.

    Example:
        >>> smooth = CategoricalCrossentropy(label_smoothing=0.1)
        >>> round(float(smooth([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "categorical_crossentropy",
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, **options)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """`sparse_categorical_crossentropy` as an object, with its arguments.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]])), 4)
        1.3863
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = REDUCTIONS[0],
        name: str = "sparse_categorical_crossentropy",
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, **options)


mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
bce = BCE = binary_crossentropy

LOSSES = Registry(
    "loss function",
    {
        **dict.fromkeys(("mean_squared_error", "mse", "MSE"), mean_squared_error),
        **dict.fromkeys(("mean_absolute_error", "mae", "MAE"), mean_absolute_error),
        **dict.fromkeys(("binary_crossentropy", "bce", "BCE"), binary_crossentropy),
        "categorical_crossentropy": categorical_crossentropy,
        "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
        "MeanSquaredError": MeanSquaredError,
        "MeanAbsoluteError": MeanAbsoluteError,
        "BinaryCrossentropy": BinaryCrossentropy,
        "CategoricalCrossentropy": CategoricalCrossentropy,
        "SparseCategoricalCrossentropy": SparseCategoricalCrossentropy,
    },
    functions=True,
)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss that an argument means.

    Args:
        identifier: a name, a configuration, a function, a class or an object; None for none.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred) or a `Loss`.

    Raises:
        ValueError: there is no such loss.

    Example:
        >>> get("mse") is mean_squared_error
        True
    """
    return identifier() if inspect.isclass(identifier) else LOSSES.get(identifier, custom_objects)


def serialize(loss: Any) -> Any:
    """The configuration of a loss: a function's name or a class's dictionary.

    Args:
        loss: a function, a class or an object.

    Returns:
        What `deserialize` reads.

    Example:
        >>> serialize(mean_squared_error)
        'mean_squared_error'
    """
    return LOSSES.serialize(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss of a configuration.

    Args:
        config: what `serialize` returned.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred) or a `Loss`.

    Example:
        >>> deserialize("mse") is mean_squared_error
        True
    """
    return LOSSES.deserialize(config, custom_objects)


def function_of(loss: Any) -> Any:
    """The function inside a loss object, the function itself, or None."""
    return loss.fn if isinstance(loss, LossFunctionWrapper) else loss
