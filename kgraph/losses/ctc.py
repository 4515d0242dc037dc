"""Connectionist temporal classification: minus the log of the probability of a sequence of labels.

A network gives probabilities of labels and of a blank for each time step. An alignment is one
symbol a step; it stands for the labels that are left when repetitions are merged, then blanks
dropped.
The probability of the labels is the sum over their alignments, which one pass over time adds up
(Graves et al. 2006, equations 6 to 8): with the labels between blanks, s = blank l1 blank l2 ...,
a(t, s) = p(t, s) (a(t-1, s) + a(t-1, s-1) + a(t-1, s-2)), the last only onto a label that differs
from the one before. All in logarithms.
"""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.losses.operands import cast, tensor

# The logarithm of a probability of zero, as in Keras 3: finite, so that gradients are numbers.
_NEVER = -1e5


def ctc(y_true: Any, y_pred: Any) -> Any:
    """The loss of labels that are padded with 0, which is the blank, for scores of all time steps.

    Args:
        y_true: labels from 1 on, then zeros, shape (batch, labels).
        y_pred: logits, shape (batch, steps, classes).

    Returns:
        One value a sample; about 1e5 where the labels need more steps than there are.

    Raises:
        ValueError: an operand has another number of axes.

    Example:
        >>> import numpy as np
        >>> round(float(ctc([[1, 2]], np.zeros((1, 3, 3), "float32"))[0]), 4)
        1.6864
    """
    labels, scores = _operands(y_true, y_pred)
    lengths: Any = ops.sum(ops.cast(ops.not_equal(labels, 0), "int32"), axis=1)
    steps: Any = ops.sum(ops.ones_like(scores[:, :, 0]), axis=1)
    return ctc_loss(labels, scores, lengths, ops.cast(steps, "int32"))


def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """The loss for sequences of known lengths.

    Args:
        target: labels, shape (batch, labels).
        output: logits, shape (batch, steps, classes).
        target_length: how many of the labels count, shape (batch,).
        output_length: how many of the steps count, shape (batch,).
        mask_index: the class of the blank.

    Returns:
        One value a sample.

    Raises:
        ValueError: an operand has another number of axes, or the number of labels is symbolic.

    Example:
        >>> import numpy as np
        >>> scores = np.zeros((1, 3, 3), "float32")
        >>> round(float(ctc_loss([[1, 2]], scores, [2], [2])[0]), 4)
        2.1972
    """
    labels, scores = _operands(target, output)
    lengths: Any = ops.cast(tensor(target_length), "int32")
    steps: Any = ops.cast(tensor(output_length), "int32")
    count = labels.shape[1]
    if not isinstance(count, int):
        raise ValueError(explain("ctc needs a fixed number of labels", got=f"{labels.shape}"))
    blank: Any = ops.ones_like(labels) * mask_index
    counted = ops.less(_places(labels), ops.expand_dims(lengths, axis=1))
    symbols = _between_blanks(ops.where(counted, labels, blank), blank)
    emitted = _emissions(ops.log_softmax(scores, axis=-1), symbols)
    last = _forward(emitted, _skips(symbols, mask_index), ops.expand_dims(steps, axis=1))
    ends: Any = ops.expand_dims(2 * lengths, axis=1)
    place: Any = _places(symbols)
    final = ops.logical_or(ops.equal(place, ends), ops.equal(place, ends - 1))
    return -ops.logsumexp(ops.where(final, last, -1e30), axis=1)


def _operands(target: Any, output: Any) -> tuple[Any, Any]:
    labels, scores = tensor(target), tensor(output)
    if labels.ndim != 2 or scores.ndim != 3:
        raise ValueError(
            explain(
                "ctc: the operands have the wrong number of axes",
                expected="labels (batch, labels) and logits (batch, steps, classes)",
                got=f"{tuple(labels.shape)} and {tuple(scores.shape)}",
            )
        )
    return ops.cast(labels, "int32"), cast(scores, str(scores.dtype))


def _places(ids: Any) -> Any:
    """0, 1, 2, ... along the last of two axes."""
    return ops.cumsum(ops.ones_like(ids), axis=1) - 1


def _between_blanks(labels: Any, blank: Any) -> Any:
    """blank, first label, blank, ..., last label, blank: shape (batch, 2 labels + 1)."""
    pairs: Any = ops.stack([blank, labels], axis=2)
    flat = ops.reshape(pairs, (labels.shape[0], 2 * labels.shape[1]))
    end = ops.zeros_like(flat[:, :1]) + flat[:, :1]
    return ops.concatenate([flat, end], axis=1)


def _skips(symbols: Any, blank: int) -> Any:
    """The logarithm of whether a symbol may follow the one before the blank before it."""
    label = ops.not_equal(symbols[:, 2:], blank)
    allowed = ops.logical_and(label, ops.not_equal(symbols[:, 2:], symbols[:, :-2]))
    inner = ops.where(allowed, 0.0, _NEVER)
    return ops.pad(inner, ((0, 0), (2, 0)), constant_values=_NEVER)


def _emissions(logs: Any, symbols: Any) -> Any:
    """The log probability of each symbol at each step, shape (steps, batch, symbols)."""
    moved = ops.transpose(logs, (1, 0, 2))
    ids = ops.expand_dims(symbols, axis=0) + ops.cast(ops.zeros_like(moved[:, :, :1]), "int32")
    return ops.take_along_axis(moved, ids, axis=2)


def _forward(emitted: Any, skips: Any, steps: Any) -> Any:
    """Log probabilities of all beginnings that end in a symbol, after each sample's last step.

    Args:
        emitted: shape (steps, batch, symbols).
        skips: what a step over a blank costs, shape (batch, symbols).
        steps: number of steps of each sample, shape (batch, 1).
    """
    first: Any = emitted[0] * 0.0
    start = ops.where(ops.equal(_places(ops.cast(first, "int32")), 0), first, first + _NEVER)
    time: Any = ops.cumsum(ops.ones_like(emitted[:, :, :1]), axis=0)

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        emission, now = x
        one = ops.pad(carry[:, :-1], ((0, 0), (1, 0)), constant_values=_NEVER)
        two = ops.pad(carry[:, :-2], ((0, 0), (2, 0)), constant_values=_NEVER) + skips
        moved = ops.logaddexp(ops.logaddexp(carry, one), two) + emission
        kept = ops.where(ops.less_equal(now, ops.cast(steps, str(now.dtype))), moved, carry)
        return kept, kept

    last, _ = ops.scan(step, start, (emitted, time))
    return last
