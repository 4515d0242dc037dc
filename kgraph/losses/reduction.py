"""From one value a sample to one number, with sample weights and masks.

The reduction is Keras 3's: with a mask, the mean runs over the unmasked values only, and sample
weights are divided by the number of values, not by the sum of the weights.
"""

from __future__ import annotations

import math
from typing import Any

from kgraph import config, ops
from kgraph.ir import Dim, size
from kgraph.losses.operands import cast, tensor

REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight")


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


def mean_of(values: Any) -> Any:
    """The mean of values, which is 0 where there are none.

    Example:
        >>> float(mean_of(tensor([])))
        0.0
    """
    if not values.ndim:
        return values
    if 0 in values.shape:
        return ops.sum(values)
    if any(isinstance(d, Dim) for d in values.shape[1:]):  # such as the length of sequences
        count = ops.maximum(size(math.prod(values.shape)), 1)
        return ops.sum(values) / cast(count, str(values.dtype))
    return ops.mean(values)


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
        share = mean_of(weights)
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
    mean = mean_of(values)
    # mean(v m) / mean(m) = sum(v m) / sum(m); a batch without any unmasked value gives 0.
    return mean if share is None else mean / ops.maximum(share, config.epsilon())
