"""Gradients of several batches, summed up and used in one update.

Every batch runs the same graph: the update is computed each time and kept only when it is due, so
that a step stays one graph without branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Node, Variable

Updates = list[tuple[Variable, Node]]


class Accumulation:
    """Sums of gradients.

    Args:
        steps: number of batches an update.

    Raises:
        ValueError: fewer than two.

    Example:
        >>> Accumulation(4).steps
        4
    """

    def __init__(self, steps: int) -> None:
        if not isinstance(steps, int) or steps < 2:
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer >= 2. "
                f"Received: gradient_accumulation_steps={steps}"
            )
        self.steps = steps
        self._of: dict[Variable, Variable] = {}

    @classmethod
    def of(cls, steps: int | None) -> Accumulation | None:
        """The sums for a number of batches an update, None for None."""
        return None if steps is None else cls(steps)

    @property
    def variables(self) -> list[Variable]:
        """The sums, in the order of the weights."""
        return list(self._of.values())

    def kept_for(self, weight: Variable) -> Variable | None:
        """The sum that belongs to a weight, None if it has none."""
        return self._of.get(weight)

    def build(self, weights: Sequence[Variable], prefix: str) -> None:
        """Makes the sums of weights that have none yet."""
        for weight in weights:
            if weight not in self._of:
                zeros = np.zeros(weight.value.shape, weight.dtype)
                name = f"{prefix}/{weight.name}/gradient_sum"
                self._of[weight] = Variable(zeros, name, weight.dtype, trainable=False)

    def due(self, count: Any) -> Node:
        """Whether this batch is the last of an update; `count` is the number of those before."""
        return ops.equal(ops.mod(count + 1, self.steps), 0)

    def means(self, gradients: Sequence[Node], weights: Sequence[Variable]) -> list[Node]:
        """The gradients of an update that this batch completes."""
        sums = self._sums(gradients, weights)
        return [total / float(self.steps) for total in sums]

    def hold(
        self,
        updates: Updates,
        gradients: Sequence[Node],
        weights: Sequence[Variable],
        count: Variable,
    ) -> Updates:
        """The updates as they are if one is due, else none of them but the sums'."""
        due = self.due(count)
        held = [(v, ops.where(due, new, v)) for v, new in updates]
        sums = self._sums(gradients, weights)
        kept = [
            (self._of[w], ops.where(due, ops.zeros_like(total), total))
            for w, total in zip(weights, sums, strict=True)
        ]
        return [*held, *kept]

    def _sums(self, gradients: Sequence[Node], weights: Sequence[Variable]) -> list[Any]:
        own: list[Any] = [self._of[weight] for weight in weights]
        return [g + total for g, total in zip(gradients, own, strict=True)]
