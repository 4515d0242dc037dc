"""The loss of label sequences that are not aligned with their inputs (Graves et al. 2006)."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ops.along_axis import take_along_axis
from kgraph.ops.comparison import equal, less, logical_and, not_equal
from kgraph.ops.composite.operands import floats, known, tensor
from kgraph.ops.elementwise import add, logaddexp, multiply, negative, subtract
from kgraph.ops.extremes import maximum
from kgraph.ops.joining import concatenate, pad, stack
from kgraph.ops.resizing import counted
from kgraph.ops.scan import scan
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import (
    broadcast_to,
    expand_dims,
    full_like,
    moveaxis,
    reshape,
    shape_of,
    squeeze,
)
from kgraph.ops.softmax import log_softmax

# The logarithm of a probability of none, finite so that it has a gradient.
NEVER = -1e5


def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """Minus the logarithm of the probability of a label sequence, over all of its alignments.

    Args:
        target: labels, shape (batch, labels), whose number is known.
        output: logits, shape (batch, steps, classes).
        target_length: how many labels count, shape (batch,).
        output_length: how many steps count, shape (batch,).
        mask_index: the class that stands for no label.

    Returns:
        Shape (batch,); about 1e5 where the labels do not fit into the steps.

    Raises:
        InferenceError: operands have another number of axes, or the number of labels is unknown.

    Example:
        >>> ctc_loss([[1]], np.zeros((1, 2, 2)), [1], [2]).round(4).tolist()
        [0.2877]
    """
    target, output = cast(tensor(target), "int64"), floats(output)
    if len(shape_of(target)) != 2 or len(shape_of(output)) != 3:
        raise InferenceError(
            explain("ctc_loss: needs labels (batch, labels) and logits (batch, steps, classes)",
                    got=f"{shape_of(target)}, {shape_of(output)}")
        )  # fmt: skip
    output = cast(output, "float32") if output.dtype == "float16" else output
    places, skips = _extended(target, mask_index)
    n, steps, _ = shape_of(output)
    size: Any = shape_of(places)[1]
    wanted = broadcast_to(expand_dims(places, 1), (n, steps, size))
    scores = moveaxis(take_along_axis(log_softmax(output, -1), wanted, -1), 1, 0)
    # Before the first step the only place is the blank at the front.
    start = where(equal(np.arange(size), 0), 0.0, full_like(scores[0], NEVER))
    ends = cast(tensor(output_length), "int64")

    def step(alpha: Any, x: tuple[Any, Any]) -> tuple[Any, None]:
        score, t = x
        before = logaddexp(alpha, _moved(alpha, 1))
        before = logaddexp(before, where(skips, _moved(alpha, 2), NEVER))
        going = expand_dims(less(t, ends), 1)
        return where(going, add(before, score), alpha), None

    alpha, _ = scan(step, start, (scores, counted(steps, "int64")))
    last = multiply(cast(tensor(target_length), "int64"), 2)
    label = squeeze(take_along_axis(alpha, expand_dims(maximum(subtract(last, 1), 0), 1), 1), 1)
    blank = squeeze(take_along_axis(alpha, expand_dims(last, 1), 1), 1)
    return negative(where(equal(last, 0), blank, logaddexp(blank, label)))


def _extended(target: Any, blank: int) -> tuple[Any, Any]:
    """Labels with blanks around them, and where the blank before one may be left out."""
    n, count = shape_of(target)
    none = full_like(target, blank)
    pairs = stack([none, target], axis=2)
    joined = reshape(pairs, (n, 2 * known("ctc_loss", count)))
    places = concatenate([joined, full_like(target[:, :1], blank)], axis=1)
    earlier = pad(places[:, :-2], ((0, 0), (2, 0)), constant_values=-1)
    return places, logical_and(not_equal(places, blank), not_equal(places, earlier))


def _moved(alpha: Any, by: int) -> Any:
    """The values of the places before."""
    return pad(alpha[:, :-by], ((0, 0), (by, 0)), constant_values=NEVER)
