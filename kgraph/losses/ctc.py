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

# The logarithm of no probability: finite, so that differences of two of them are numbers.
IMPOSSIBLE = -1e30
# The loss of labels for which the steps do not suffice, about that of Keras 3.
_MOST = 1e5


def ctc(y_true: Any, y_pred: Any) -> Any:
    """The loss of labels that are padded with 0, which is the blank, for scores of all time steps.

    Args:
        y_true: labels from 1 on, then zeros, shape (batch, labels).
        y_pred: logits, shape (batch, steps, classes).

    Returns:
        One value a sample; 1e5, without a gradient, where the steps do not suffice.

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
        ValueError: an operand has another number of axes.

    Example:
        >>> import numpy as np
        >>> scores = np.zeros((1, 3, 3), "float32")
        >>> round(float(ctc_loss([[1, 2]], scores, [2], [2])[0]), 4)
        2.1972
    """
    labels, scores = _operands(target, output)
    lengths: Any = ops.cast(tensor(target_length), "int32")
    steps: Any = ops.cast(tensor(output_length), "int32")
    logs: Any = ops.log_softmax(scores, axis=-1)
    counts, times = ops.expand_dims(lengths, axis=1), ops.expand_dims(steps, axis=1)
    total: Any = log_probability(labels, logs, counts, times, mask_index)
    return ops.minimum(-ops.squeeze(total, axis=1), _MOST)


def log_probability(labels: Any, logs: Any, counts: Any, steps: Any, blank: Any) -> Any:
    """The logarithm of the probability of labels, over all their alignments.

    Args:
        labels: (batch, most labels), int32; what follows a sample's labels does not count.
        logs: (batch, steps, classes), logarithms of probabilities.
        counts: (batch, 1), labels of each sample.
        steps: (batch, 1), steps of each sample.
        blank: the class of the blank.

    Returns:
        (batch, 1); less than `IMPOSSIBLE / 2` where the steps do not suffice for the labels.
    """
    spread, skips = _with_blanks(labels, counts, blank)
    places = ops.expand_dims(spread, 1)
    places = ops.broadcast_to(places, (*logs.shape[:2], spread.shape[-1]))
    seen = ops.swapaxes(ops.take_along_axis(logs, places, -1), 0, 1)
    last = _forward(seen, skips, steps)
    ends = ops.take_along_axis(last, 2 * counts, -1)
    before = ops.take_along_axis(last, ops.maximum(2 * counts - 1, 0), -1)
    return ops.where(ops.greater(counts, 0), ops.logaddexp(ends, before), ends)


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


def _with_blanks(labels: Any, counts: Any, blank: Any) -> tuple[Any, Any]:
    """Blanks before, between and after the labels; and where a path may leave out the blank before.

    It may if the label differs from the one before it.
    """
    batch, most = labels.shape
    order = ops.reshape(ops.cumsum(ops.full((most,), 1, "int32")) - 1, (1, most))
    labels = ops.where(ops.less(order, counts), labels, blank)
    blanks = ops.full_like(labels, blank)
    pairs = ops.reshape(ops.stack([blanks, labels], -1), (batch, 2 * most))
    edge = ops.full((batch, 1), blank, "int32")
    spread = ops.concatenate([pairs, edge], -1)
    two_before = ops.concatenate([edge, edge, spread[:, :-2]], -1)
    differs = ops.logical_and(ops.not_equal(spread, blank), ops.not_equal(spread, two_before))
    return spread, differs


def _forward(seen: Any, skips: Any, steps: Any) -> Any:
    """The logarithms of the probabilities of all beginnings of paths after the last step.

    Args:
        seen: (time, batch, places), of the class of each place.
        skips: (batch, places).
        steps: (batch, 1), how many steps count.
    """
    none = ops.full_like(seen[0][:, :1], IMPOSSIBLE)
    start = ops.concatenate([seen[0][:, :2], ops.full_like(seen[0][:, 2:], IMPOSSIBLE)], -1)
    times = ops.cumsum(ops.full((seen.shape[0],), 1, "int32")) - 1

    def step(alpha: Any, inputs: Any) -> tuple[Any, None]:
        here, time = inputs
        one = ops.concatenate([none, alpha[:, :-1]], -1)
        two = ops.where(skips, ops.concatenate([none, none, alpha[:, :-2]], -1), IMPOSSIBLE)
        moved = ops.logaddexp(ops.logaddexp(alpha, one), two) + here
        counts = ops.logical_and(ops.less(time, steps), ops.greater(time, 0))
        return ops.where(counts, moved, alpha), None

    return ops.scan(step, start, (seen, times))[0]
