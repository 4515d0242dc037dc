"""Running totals of the loss and the metrics, as a variable that the training graph updates.

All unweighted values share one vector with the counter of samples, so that a batch adds to all of
them at once. A value that has weights or a mask counts its weights in a counter of its own. Totals
are float64, so an epoch's mean is exact over its samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir import Dim, Node, Variable, cast_to
from kgraph.ir import size as size_of
from kgraph.ir.op import as_node
from kgraph.losses.reduction import mean_of
from kgraph.metrics import Metric


@dataclass(frozen=True)
class Measured:
    """A metric with sums of its own, and what one batch adds to them."""

    metric: Metric
    added: Mapping[str, Node]


# What one batch adds: to the total, and to the value's own counter or None.
Increment = tuple[Node, Node | None] | Measured


class Totals:
    """The variables behind the logs of one compiled model.

    Args:
        names: names of the logged values, in their order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.places = {name: place for place, name in enumerate(names, start=1)}
        # The number of samples, then each value's sum.
        self.sums = _zeros((len(names) + 1,), "sums")
        self._traced = False
        self.counts: dict[str, Variable] = {}
        self.metrics: dict[str, Metric] = {}
        self.states: dict[str, dict[str, Variable]] = {}

    def expect(self, names: Sequence[str]) -> None:
        """Takes the names that a user's step returns.

        Raises:
            ValueError: another trace of the step has returned others.
        """
        places = {name: place for place, name in enumerate(names, start=1)}
        if self._traced and places != self.places:
            raise ValueError(
                explain(
                    "A step returned other names than before",
                    expected=list(self.places),
                    got=list(names),
                    hint="return the same names for all types of data",
                )
            )
        if not self._traced:
            self._traced, self.places = True, places
            self.sums = _zeros((len(names) + 1,), "sums")

    @property
    def variables(self) -> list[Variable]:
        """All of them, in an order that is the same in every run of a program."""
        own = [v for states in self.states.values() for v in states.values()]
        return [self.sums, *self.counts.values(), *own]

    def updates(
        self, increments: Mapping[str, Increment], batch: int | Dim
    ) -> list[tuple[Variable, Node]]:
        """Builds what a batch adds.

        Args:
            increments: one for each name, in their order.
            batch: number of samples.
        """
        added: list[Any] = [size_of(batch)]
        found: list[tuple[Variable, Node]] = []
        for name in self.places:
            increment = increments[name]
            if isinstance(increment, Measured):
                added.append(as_node(0.0))
                found += self._measure(name, increment)
                continue
            total, count = increment
            added.append(total)
            if count is not None:
                counter: Any = self.counts.setdefault(name, _zeros((), f"{name}/count"))
                found.append((counter, counter + cast_to(count, "float64")))
        parts = [ops.reshape(cast_to(a, "float64"), (1,)) for a in added]
        sums: Any = self.sums
        return [(self.sums, sums + ops.concatenate(parts, axis=0)), *found]

    def _measure(self, name: str, measured: Measured) -> list[tuple[Variable, Node]]:
        self.metrics[name] = measured.metric
        states = self.states.setdefault(name, {})
        found: list[tuple[Variable, Node]] = []
        for key, added in measured.added.items():
            node = as_node(added)
            shape = tuple(d for d in node.shape if isinstance(d, int))
            if len(shape) < node.ndim:
                raise ValueError(
                    explain(
                        f"The sum {key!r} of metric {name} has a symbolic shape",
                        expected="a shape that does not depend on the data",
                        got=node.shape,
                        hint="sum over the samples in `increments`",
                    )
                )
            state: Any = states.setdefault(key, _zeros(shape, f"{name}/{key}"))
            found.append((state, state + cast_to(node, "float64")))
        return found

    def reset(self) -> None:
        """Starts again at zero."""
        for variable in self.variables:
            variable.value.fill(0.0)

    def results(self) -> dict[str, Any]:
        """The values so far, by name: means, 0 where nothing was seen, and metrics."""
        seen, *sums = self.sums.value.tolist()
        found: dict[str, Any] = {}
        for name, total in zip(self.places, sums, strict=True):
            if name in self.metrics:
                states = self.states[name]
                found[name] = self.metrics[name].value({k: v.numpy() for k, v in states.items()})
                continue
            counter = self.counts.get(name)
            count = seen if counter is None else float(counter.value)
            found[name] = total / count if count else 0.0
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
    mean = mean_of(values)
    return cast_to(mean, "float64") * cast_to(size_of(batch), "float64")


def _zeros(shape: tuple[int, ...], name: str) -> Variable:
    return Variable(np.zeros(shape), f"totals/{name}", "float64", trainable=False)
