"""Running totals of the loss and the metrics, as a variable that the training graph updates.

All unweighted values share one vector with the counter of samples, so that a batch adds to all of
them at once. A value that has weights or a mask counts its weights in a counter of its own. Totals
are float64, so an epoch's mean is exact over its samples.
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
        self.places = {name: place for place, name in enumerate(names, start=1)}
        # The number of samples, then each value's sum.
        self.sums = _zeros((len(names) + 1,), "sums")
        self.counts: dict[str, Variable] = {}

    def updates(
        self, increments: Mapping[str, Increment], batch: int | Dim
    ) -> list[tuple[Variable, Node]]:
        """Builds what a batch adds.

        Args:
            increments: one for each name, in their order.
            batch: number of samples.
        """
        added = [size_of(batch), *(increments[name][0] for name in self.places)]
        parts = [ops.reshape(cast_to(a, "float64"), (1,)) for a in added]
        sums: Any = self.sums
        found = [(self.sums, sums + ops.concatenate(parts, axis=0))]
        for name, (_, count) in increments.items():
            if count is not None:
                counter: Any = self.counts.setdefault(name, _zeros((), f"{name}/count"))
                found.append((counter, counter + cast_to(count, "float64")))
        return found

    def reset(self) -> None:
        """Starts again at zero."""
        for variable in (self.sums, *self.counts.values()):
            variable.value.fill(0.0)

    def results(self) -> dict[str, float]:
        """The means so far, by name; NaN where nothing was seen."""
        seen, *sums = self.sums.value.tolist()
        found = {}
        for name, total in zip(self.places, sums, strict=True):
            counter = self.counts.get(name)
            count = seen if counter is None else float(counter.value)
            found[name] = total / count if count else float("nan")
        return found

    def snapshot(self, names: Sequence[str]) -> tuple[float, list[float]]:
        """Samples and sums so far, of values that share the counter."""
        values = self.sums.value.tolist()
        return values[0], [values[self.places[n]] for n in names]


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


def _zeros(shape: tuple[int, ...], name: str) -> Variable:
    return Variable(np.zeros(shape), f"totals/{name}", "float64", trainable=False)
