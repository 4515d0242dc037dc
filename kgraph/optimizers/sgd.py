"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.ir import Node, Variable
from kgraph.optimizers.base import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent.

    v' = momentum v - rate g; w' = w + v', or with Nesterov's look-ahead w + momentum v' - rate g.

    Args:
        learning_rate: step size.
        momentum: share of the last step that is added to this one.
        nesterov: whether to look ahead along the momentum.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True)
        SGD(learning_rate=0.1, decay=1e-06, momentum=0.9, nesterov=True)
    """

    options = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        if not isinstance(nesterov, bool):
            raise TypeError(
                f"nesterov must be True or False, not {nesterov!r}: pass `decay` by its name."
            )
        if not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: {momentum}")
        self.momentum, self.nesterov = momentum, nesterov

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        step: Any = descent * gradient
        if not self.momentum:
            return step, {}
        velocity: Any = self.momentum * slots["momentum"] + step
        change = self.momentum * velocity + step if self.nesterov else velocity
        return change, {"momentum": velocity}
