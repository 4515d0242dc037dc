"""Connectionist temporal classification: how likely a sequence of labels is, without their places.

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

from kgraph.errors import InferenceError, explain
from kgraph.ops.along_axis import take_along_axis
from kgraph.ops.comparison import greater, less, logical_and, not_equal
from kgraph.ops.composite.operands import floats, tensor
from kgraph.ops.elementwise import logaddexp
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.joining import concatenate, stack
from kgraph.ops.resizing import counted
from kgraph.ops.scan import scan
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import (
    broadcast_to,
    expand_dims,
    full_like,
    reshape,
    shape_of,
    squeeze,
    swapaxes,
)
from kgraph.ops.softmax import log_softmax

# The logarithm of no probability: finite, so that differences of two of them are numbers.
IMPOSSIBLE = -1e30
# The loss of labels for which the steps do not suffice, about that of Keras 3.
_MOST = 1e5


def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """Minus the logarithm of the probability of a label sequence, over all of its alignments.

    Args:
        target: labels, shape (batch, labels).
        output: logits, shape (batch, steps, classes).
        target_length: how many of the labels count, shape (batch,).
        output_length: how many of the steps count, shape (batch,).
        mask_index: the class of the blank.

    Returns:
        Shape (batch,); 1e5, without a gradient, where the steps do not suffice.

    Raises:
        InferenceError: an operand has another number of axes.

    Example:
        >>> import numpy as np
        >>> ctc_loss([[1]], np.zeros((1, 2, 2)), [1], [2]).round(4).tolist()
        [0.2877]
    """
    labels, scores = tensor(target), floats(output)
    if len(shape_of(labels)) != 2 or len(shape_of(scores)) != 3:
        raise InferenceError(
            explain("ctc: the operands have the wrong number of axes",
                    expected="labels (batch, labels) and logits (batch, steps, classes)",
                    got=f"{shape_of(labels)} and {shape_of(scores)}")
        )  # fmt: skip
    scores = cast(scores, "float32") if str(scores.dtype) == "float16" else scores
    counts, steps = (
        expand_dims(cast(tensor(n), "int32"), 1) for n in (target_length, output_length)
    )
    logs = log_softmax(scores, -1)
    total: Any = log_probability(cast(labels, "int32"), logs, counts, steps, mask_index)
    return minimum(-squeeze(total, 1), _MOST)


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

    Example:
        >>> import numpy as np
        >>> one = np.ones((1, 1), "int32")
        >>> log_probability(one, np.log(np.float32([[[0.75, 0.25]]])), one, one, 0).round(4)
        array([[-1.3863]], dtype=float32)
    """
    spread, skips = _with_blanks(labels, counts, blank)
    n, length, _ = shape_of(logs)
    places = broadcast_to(expand_dims(spread, 1), (n, length, shape_of(spread)[1]))
    seen = swapaxes(take_along_axis(logs, places, -1), 0, 1)
    last = _forward(seen, skips, steps)
    ends = take_along_axis(last, 2 * counts, -1)
    before = take_along_axis(last, maximum(2 * counts - 1, 0), -1)
    return where(greater(counts, 0), logaddexp(ends, before), ends)


def _with_blanks(labels: Any, counts: Any, blank: Any) -> tuple[Any, Any]:
    """Blanks before, between and after the labels; and where a path may leave out the blank before.

    It may if the label differs from the one before it.
    """
    batch, most = shape_of(labels)
    labels = where(less(expand_dims(counted(most, "int32"), 0), counts), labels, blank)
    pairs = reshape(stack([full_like(labels, blank), labels], -1), (batch, 2 * most))
    edge = full_like(counts, blank)
    spread = concatenate([pairs, edge], -1)
    two_before = concatenate([edge, edge, spread[:, :-2]], -1)
    return spread, logical_and(not_equal(spread, blank), not_equal(spread, two_before))


def _forward(seen: Any, skips: Any, steps: Any) -> Any:
    """The logarithms of the probabilities of all beginnings of paths after the last step.

    Args:
        seen: (time, batch, places), of the class of each place.
        skips: (batch, places).
        steps: (batch, 1), how many steps count.
    """
    none = full_like(seen[0][:, :1], IMPOSSIBLE)
    start = concatenate([seen[0][:, :2], full_like(seen[0][:, 2:], IMPOSSIBLE)], -1)

    def step(alpha: Any, inputs: Any) -> tuple[Any, None]:
        here, time = inputs
        one = concatenate([none, alpha[:, :-1]], -1)
        two = where(skips, concatenate([none, none, alpha[:, :-2]], -1), IMPOSSIBLE)
        moved = logaddexp(logaddexp(alpha, one), two) + here
        return where(logical_and(less(time, steps), greater(time, 0)), moved, alpha), None

    return scan(step, start, (seen, counted(shape_of(seen)[0], "int32")))[0]
