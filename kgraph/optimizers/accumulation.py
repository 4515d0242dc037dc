"""Gradients of several batches, summed up and used in one update.

Every batch runs the same graph: the update is computed each time and kept only when it is due, so
that a step stays one graph without branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.ir import Node, Variable
from kgraph.optimizers.kept import Kept, Updates


class Accumulation(Kept):
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
        super().__init__("gradient_sum")
        self.steps = steps

    @classmethod
    def of(cls, steps: int | None) -> Accumulation | None:
        """The sums for a number of batches an update, None for None."""
        return None if steps is None else cls(steps)

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
