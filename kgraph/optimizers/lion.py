"""Lion: steps of one size, along the sign of a mixture of momentum and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import ops
from kgraph.ir import Node, Variable
from kgraph.optimizers.base import Optimizer


class Lion(Optimizer):
    """Lion.

    w' = w - rate sign(b1 m + (1 - b1) g); m' = b2 m + (1 - b2) g.

    Args:
        learning_rate: step size; a third to a tenth of Adam's is usual.
        beta_1: share of the momentum in the direction.
        beta_2: how much of the momentum is kept.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Raises:
        ValueError: `beta_1` is not in (0, 1].

    Example:
        >>> Lion().slot_names
        ('momentum',)
    """

    options = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer "
                f"degenerates to SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1, self.beta_2 = beta_1, beta_2

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",)

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        momentum: Any = slots["momentum"]
        mixed = self.beta_1 * momentum + (1.0 - self.beta_1) * gradient
        kept = self.beta_2 * momentum + (1.0 - self.beta_2) * gradient
        return descent * ops.sign(mixed), {"momentum": kept}
