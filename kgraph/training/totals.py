"""Running totals of the loss and the metrics, as variables that the training graph updates.

All unweighted values share one counter of samples. A value that has weights or a mask counts its
weights in a counter of its own. Totals are float64, so an epoch's mean is exact over its samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Node, Variable, cast_to
from kgraph.ir import size as size_of
from kgraph.losses import match_rank

# What one batch adds: to the total, and to the value's own counter or None.
Increment = tuple[Node, Node | None]


class Totals:
    """The variables behind the logs of one compiled model.

    Args:
        names: names of the logged values, in their order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.seen = _zero("samples")
        self.sums = {name: _zero(name) for name in names}
        self.counts: dict[str, Variable] = {}

    def updates(
        self, increments: Mapping[str, Increment], batch: int | Dim
    ) -> list[tuple[Variable, Node]]:
        """Builds what a batch adds.

        Args:
            increments: one for each name.
            batch: number of samples.
        """
        found = [(self.seen, _plus(self.seen, size_of(batch)))]
        for name, (total, count) in increments.items():
            found.append((self.sums[name], _plus(self.sums[name], total)))
            if count is not None:
                counter = self.counts.setdefault(name, _zero(f"{name}/count"))
                found.append((counter, _plus(counter, count)))
        return found

    def reset(self) -> None:
        """Starts again at zero."""
        for variable in (self.seen, *self.sums.values(), *self.counts.values()):
            variable.value.fill(0.0)

    def results(self) -> dict[str, float]:
        """The means so far, by name; NaN where nothing was seen."""
        seen = float(self.seen.value)
        found = {}
        for name, total in self.sums.items():
            counter = self.counts.get(name)
            count = seen if counter is None else float(counter.value)
            found[name] = float(total.value) / count if count else float("nan")
        return found

    def snapshot(self, names: Sequence[str]) -> tuple[float, list[float]]:
        """Samples and sums so far, of values that share the counter."""
        return float(self.seen.value), [float(self.sums[n].value) for n in names]


def sample_total(values: Any, batch: int | Dim) -> Node:
    """The sum over the samples of their values, where a sample may have several to average."""
    inner = values.inputs[0] if values.op.name == "cast" else values
    if inner.dtype == "bool" and inner.shape == (batch,):
        return ops.sum(inner)  # counted as integers: exact, and no floats are made
    if values.shape == (batch,) and values.dtype != "float16":
        return ops.sum(values)
    mean = ops.mean(values) if values.ndim else values
    return cast_to(mean, "float64") * cast_to(size_of(batch), "float64")


def weighted_total(values: Any, weights: Any) -> Increment:
    """The sum of weights times values, and of the weights.

    Axes of the values that the weights do not have are averaged first.
    """
    if values.ndim > weights.ndim:
        values = ops.mean(values, axis=tuple(range(weights.ndim, values.ndim)))
    weights = cast_to(match_rank(weights, values), values.dtype)
    return ops.sum(values * weights), ops.sum(weights)


def _zero(name: str) -> Variable:
    return Variable(np.float64(0.0), f"totals/{name}", "float64", trainable=False)


def _plus(variable: Any, value: Node) -> Node:
    return variable + cast_to(value, "float64")
