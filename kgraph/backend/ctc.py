"""Connectionist temporal classification: the loss of label sequences, and decoding them.

The last class is the blank. A path through the classes stands for the labels that are left when
repeated classes are merged and blanks removed (A. Graves et al., ICML 2006, section 3 and 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import config, ops
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.ir import Node
from kgraph.ops.composite.ctc import IMPOSSIBLE, log_probability


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """Minus the logarithm of the probability of the labels, over all paths that stand for them.

    Args:
        y_true: (batch, most labels), class ids; what follows a sample's labels does not count.
        y_pred: (batch, time, classes), probabilities.
        input_length: (batch, 1), time steps of each sample.
        label_length: (batch, 1), labels of each sample.

    Returns:
        (batch, 1); infinite, without a gradient, where the steps do not suffice for the labels.

    Example:
        >>> probabilities = np.float32([[[0.5, 0.5], [0.5, 0.5]]])
        >>> float(np.exp(-ctc_batch_cost([[0]], probabilities, [[2]], [[1]]))[0, 0])
        0.75
    """
    labels, outputs = ops.cast(tensor(y_true), "int32"), tensor(y_pred)
    steps, counts = (
        ops.cast(ops.reshape(tensor(v), (-1, 1)), "int32") for v in (input_length, label_length)
    )
    logs = ops.log_softmax(_logarithms(outputs))
    total = log_probability(labels, logs, counts, steps, outputs.shape[-1] - 1)
    return ops.where(ops.less(total, IMPOSSIBLE / 2), np.float32(np.inf), -total)


def _logarithms(probabilities: Any) -> Any:
    """Keras's logarithm of probabilities, in float32 at least."""
    wide = str(probabilities.dtype) in ("float32", "float64")
    floats = probabilities if wide else ops.cast(probabilities, "float32")
    return ops.log(floats + config.epsilon())


def ctc_decode(
    y_pred: Any,
    input_length: Any,
    greedy: bool = True,
    beam_width: int = 100,
    top_paths: int = 1,
) -> tuple[list[Any], Any]:
    """The labels that probabilities stand for.

    Args:
        y_pred: (batch, time, classes), probabilities.
        input_length: (batch,), time steps of each sample.
        greedy: whether to follow the best class of each step; else search the best labels.
        beam_width: how many beginnings the search keeps.
        top_paths: how many results the search gives.

    Returns:
        A list of class ids (batch, most labels), filled up with -1: one result, or `top_paths`, the
        best first. And (batch, results): logarithms of their probabilities, for the greedy result
        minus the logarithm of the path's. In a graph the greedy result is as long as the input.

    Raises:
        TypeError: the search is asked for on symbolic tensors.

    Example:
        >>> probabilities = np.eye(3, dtype="float32")[[[0, 0, 2, 0, 1]]]
        >>> ctc_decode(probabilities, [5])[0][0].tolist()
        [[0, 0, 1]]
    """
    outputs, steps = tensor(y_pred), ops.cast(ops.reshape(tensor(input_length), (-1, 1)), "int32")
    if greedy:
        labels, score = _greedy(_logarithms(outputs), steps)
        if not isinstance(labels, Node):
            labels = labels[:, : int((labels >= 0).sum(1).max(initial=0))]
        return [labels], score
    if isinstance(outputs, Node) or isinstance(steps, Node):
        raise TypeError(
            explain(
                "K.ctc_decode searches on arrays only: what it does depends on their values",
                expected="arrays, or greedy=True",
                got=outputs if isinstance(outputs, Node) else steps,
                hint="decode what model.predict returns",
            )
        )
    logs = np.asarray(ops.log_softmax(_logarithms(outputs)), "float64")
    return _padded([_search(log[:n], beam_width, top_paths) for log, n in zip(logs, steps[:, 0])],
                   top_paths)  # fmt: skip


def _greedy(logs: Any, steps: Any) -> tuple[Any, Any]:
    """The best path without repetitions and blanks, filled up with -1, and minus its score."""
    batch, length, classes = logs.shape
    best = ops.cast(ops.argmax(logs, -1), "int64")
    times = ops.reshape(ops.cumsum(ops.full((length,), 1, "int32")) - 1, (1, length))
    counts = ops.less(times, steps)
    score = ops.sum(ops.where(counts, ops.max(logs, -1), 0.0), -1, keepdims=True)
    before = ops.concatenate([ops.full((batch, 1), -1, "int64"), best[:, :-1]], -1)
    new = ops.logical_and(ops.not_equal(best, before), ops.not_equal(best, classes - 1))
    kept = ops.logical_and(new, counts)
    # What is kept comes first, in its order.
    order = ops.argsort(ops.where(kept, times, times + length), -1)
    return ops.take_along_axis(ops.where(kept, best, -1), order, -1), -score


Beam = dict[tuple[int, ...], tuple[float, float]]


def _search(logs: np.ndarray, width: int, count: int) -> list[tuple[tuple[int, ...], float]]:
    """The best label sequences of one sample, each with the logarithm of its probability.

    A beginning has two: of the paths to it that end in a blank, and of the others.
    """
    blank = logs.shape[-1] - 1
    beams: Beam = {(): (0.0, -np.inf)}
    for log in logs:
        following: Beam = {}
        for labels, (with_blank, without) in beams.items():
            total = np.logaddexp(with_blank, without)
            _add(following, labels, total + log[blank], -np.inf)
            if labels:
                _add(following, labels, -np.inf, without + log[labels[-1]])
            for label in range(blank):
                repeated = labels and labels[-1] == label
                reached = with_blank if repeated else total
                _add(following, (*labels, label), -np.inf, reached + log[label])
        ranked = sorted(following.items(), key=lambda item: -np.logaddexp(*item[1]))
        beams = dict(ranked[:width])
    return [(labels, float(np.logaddexp(*logs))) for labels, logs in list(beams.items())[:count]]


def _add(beams: Beam, labels: tuple[int, ...], with_blank: float, without: float) -> None:
    old = beams.get(labels, (-np.inf, -np.inf))
    beams[labels] = float(np.logaddexp(old[0], with_blank)), float(np.logaddexp(old[1], without))


def _padded(
    found: Sequence[Sequence[tuple[tuple[int, ...], float]]], count: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The results of all samples as arrays; a sample that has fewer results gets empty ones."""
    filled = [[*one, *[((), -np.inf)] * (count - len(one))] for one in found]
    decoded = []
    for rank in range(count):
        rows = [one[rank][0] for one in filled]
        array = np.full((len(rows), max(map(len, rows), default=0)), -1, "int64")
        for row, labels in zip(array, rows):
            row[: len(labels)] = labels
        decoded.append(array)
    scores = [[score for _, score in one] for one in filled]
    return decoded, np.asarray(scores, "float32").reshape(len(filled), count)
