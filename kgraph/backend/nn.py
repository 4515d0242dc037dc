"""Activations, cross-entropies and normalizations: those of the layers, under K's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import config, losses, ops
from kgraph.activations import elu, hard_sigmoid, relu, sigmoid, softplus, softsign, tanh
from kgraph.backend.drawing import random_binomial
from kgraph.backend.operands import as_size, tensor
from kgraph.errors import explain
from kgraph.layers.arguments import normalize_data_format
from kgraph.losses.operands import classes_last

__all__ = [
    "batch_normalization",
    "bias_add",
    "binary_crossentropy",
    "categorical_crossentropy",
    "dropout",
    "elu",
    "hard_sigmoid",
    "in_top_k",
    "l2_normalize",
    "normalize_batch_in_training",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "tanh",
]


def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials divided by their sum along an axis.

    Args:
        x: a tensor or an array.
        axis: the axis that sums to 1.

    Returns:
        A tensor like x.

    Example:
        >>> softmax([1.0, 1.0]).tolist()
        [0.5, 0.5]
    """
    return ops.softmax(tensor(x), axis)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Cross-entropy of one class among several, targets as distributions.

    Args:
        target: of the shape of the output.
        output: probabilities, which are divided by their sum and clipped, or logits.
        from_logits: whether they are logits.
        axis: the axis of the classes.

    Returns:
        A tensor without the axis.

    Example:
        >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.75, 0.25]])[0]), 4)
        1.3863
    """
    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Cross-entropy of one class among several, targets as class ids.

    Args:
        target: ids, of the output's shape without the axis, or with an axis of 1.
        output: probabilities, which are divided by their sum and clipped, or logits.
        from_logits: whether they are logits.
        axis: the axis of the classes.

    Returns:
        A tensor without the axis.

    Example:
        >>> round(float(sparse_categorical_crossentropy([1], [[0.75, 0.25]])[0]), 4)
        1.3863
    """
    if axis not in (-1, tensor(output).ndim - 1) and tensor(target).ndim == tensor(output).ndim:
        target = classes_last(tensor(target), axis)
    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Cross-entropy of independent yes/no outputs, element by element.

    Args:
        target: in [0, 1], of the shape of the output.
        output: probabilities, which are clipped, or logits.
        from_logits: whether they are logits.

    Returns:
        A tensor like the output.

    Example:
        >>> binary_crossentropy([1.0, 0.0], [0.5, 0.5]).round(4)
        array([0.6931, 0.6931], dtype=float32)
    """
    target, output = tensor(target), tensor(output)
    target = ops.cast(target, str(output.dtype))
    if from_logits:
        return ops.sigmoid_cross_entropy(output, target)
    return ops.binary_crossentropy(target, output, epsilon=config.epsilon())


def dropout(
    x: Any, level: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None
) -> Any:
    """Sets a random part of the elements to zero and scales the rest up, in every phase.

    Args:
        x: a tensor or an array.
        level: the part to drop, from 0 to below 1.
        noise_shape: shape of the mask; None for an axis of the size of x.
        seed: makes the mask reproducible.

    Returns:
        A tensor, which draws anew in each run.

    Raises:
        ValueError: the level is outside [0, 1).

    Example:
        >>> from kgraph.backend.functions import eval
        >>> sorted(set(eval(dropout([1.0] * 50, 0.5)).tolist()))
        [0.0, 2.0]
    """
    if not 0 <= level < 1:
        raise ValueError(explain("K.dropout: level out of range", expected="[0, 1)", got=level))
    x = tensor(x)
    if not level:
        return x
    given = x.shape if noise_shape is None else noise_shape
    shape = tuple(n if d is None else as_size(d) for n, d in zip(x.shape, given, strict=True))
    kept = random_binomial(shape, 1 - level, str(x.dtype), seed)
    return ops.masked_scale(x, ops.cast(kept, "bool"), 1 / (1 - level))


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """x divided by its Euclidean norm along some axes.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.

    Returns:
        A tensor like x.

    Example:
        >>> l2_normalize([3.0, 4.0], 0)
        array([0.6, 0.8], dtype=float32)
    """
    x = tensor(x)
    axis = tuple(range(x.ndim)) if axis is None else axis
    # Keras's lower bound of the squared norm.
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, 1e-12))


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether fewer than k classes are rated higher than the target.

    Args:
        predictions: (batch, classes).
        targets: (batch,), class ids.
        k: how many classes count.

    Returns:
        (batch,), bools.

    Example:
        >>> in_top_k([[0.1, 0.5, 0.4]], [2], 2).tolist()
        [True]
    """
    predictions, targets = tensor(predictions), ops.cast(tensor(targets), "int64")
    own = ops.take_along_axis(predictions, ops.expand_dims(targets, -1), -1)
    higher = ops.sum(ops.cast(ops.greater(predictions, own), "int32"), -1)
    return ops.logical_and(ops.less(higher, k), ops.isfinite(ops.squeeze(own, -1)))


def batch_normalization(
    x: Any,
    mean: Any,
    var: Any,
    beta: Any = None,
    gamma: Any = None,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Any:
    """(x - mean) / sqrt(var + epsilon) * gamma + beta.

    Args:
        x: a tensor or an array.
        mean: the mean of each channel.
        var: its variance.
        beta: its offset, None for none.
        gamma: its factor, None for none.
        axis: the axis of the channels, for statistics of one axis.
        epsilon: added to the variance.

    Returns:
        A tensor like x.

    Example:
        >>> batch_normalization([[3.0]], [1.0], [4.0], epsilon=0.0).tolist()
        [[1.0]]
    """
    x = tensor(x)

    def spread(statistic: Any) -> Any:
        statistic = tensor(statistic)
        if statistic.ndim != 1 or axis in (-1, x.ndim - 1):
            return statistic
        place = axis % x.ndim
        return ops.reshape(statistic, tuple(-1 if a == place else 1 for a in range(x.ndim)))

    factor = ops.rsqrt(spread(var) + epsilon)
    factor = factor if gamma is None else factor * spread(gamma)
    normed = (x - spread(mean)) * factor
    return normed if beta is None else normed + spread(beta)


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Sequence[int], epsilon: float = 1e-3
) -> tuple[Any, Any, Any]:
    """`batch_normalization` by the statistics of the batch itself.

    Args:
        x: a tensor or an array.
        gamma: factor of each channel, None for none.
        beta: offset of each channel, None for none.
        reduction_axes: the axes to average over.
        epsilon: added to the variance.

    Returns:
        The normalized tensor, the mean and the (biased) variance.

    Example:
        >>> normed, mean, var = normalize_batch_in_training([[1.0], [3.0]], None, None, [0])
        >>> mean.tolist(), var.tolist()
        ([2.0], [1.0])
    """
    x, axes = tensor(x), tuple(a % tensor(x).ndim for a in reduction_axes)
    mean, var = ops.mean(x, axes, keepdims=True), ops.var(x, axes, keepdims=True)

    def spread(statistic: Any) -> Any:
        if statistic is None or tensor(statistic).ndim == x.ndim:
            return statistic
        kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
        return ops.reshape(tensor(statistic), kept)

    normed = batch_normalization(x, mean, var, spread(beta), spread(gamma), epsilon=epsilon)
    return normed, ops.squeeze(mean, axes), ops.squeeze(var, axes)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x plus a bias for each channel, or for each place and channel.

    Args:
        x: a batch.
        bias: (channels,), or (*spatial sizes, channels) in this order also for channels first.
        data_format: where the channels of x are; default the global setting.

    Returns:
        A tensor like x.

    Raises:
        ValueError: the bias has neither one axis nor one less than x.

    Example:
        >>> bias_add([[1.0, 2.0]], [10.0, 20.0]).tolist()
        [[11.0, 22.0]]
    """
    x, bias = tensor(x), tensor(bias)
    if bias.ndim not in (1, x.ndim - 1):
        raise ValueError(
            explain(
                "K.bias_add: unexpected bias", expected=f"1 or {x.ndim - 1} axes", got=bias.ndim
            )
        )
    if normalize_data_format(data_format) == "channels_first" and x.ndim > 2:
        alone = bias.ndim == 1
        bias = ops.reshape(bias, (-1, *[1] * (x.ndim - 2))) if alone else ops.moveaxis(bias, -1, 0)
    return x + bias
