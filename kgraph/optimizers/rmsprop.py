"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import config, ops
from kgraph.ir import Node, Variable
from kgraph.optimizers.base import Optimizer


class RMSprop(Optimizer):
    """RMSprop in Keras 2's form: epsilon is added to the root.

    a' = rho a + (1 - rho) g^2; w' = w - rate g / (sqrt(a') + epsilon).

    Args:
        learning_rate: step size.
        rho: how much of the running mean is kept.
        momentum: share of the last step that is added to this one.
        epsilon: keeps the quotient finite; None is the global one.
        centered: whether the squared running mean of the gradient is subtracted from a'.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> RMSprop(lr=0.0001, decay=1e-6).decay
        1e-06
    """

    options = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        *,
        momentum: float = 0.0,
        epsilon: float | None = None,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho, self.momentum, self.centered = rho, momentum, centered
        self.epsilon = config.epsilon() if epsilon is None else epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        mean = ("mean",) if self.centered else ()
        return ("accumulator", *mean, *(("momentum",) if self.momentum else ()))

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        square = self._running(slots["accumulator"], gradient * gradient)
        changed: dict[str, Any] = {"accumulator": square}
        variance = square
        if self.centered:
            changed["mean"] = self._running(slots["mean"], gradient)
            # Rounding may push a variance of zero below zero.
            variance = ops.maximum(square - ops.square(changed["mean"]), 0.0)
        step: Any = descent * gradient / (ops.sqrt(variance) + self.epsilon)
        if not self.momentum:
            return step, changed
        # The slot holds Keras's value, which is subtracted from the weight.
        changed["momentum"] = self.momentum * slots["momentum"] - step
        return -changed["momentum"], changed

    def _running(self, old: Any, new: Any) -> Any:
        return self.rho * old + (1.0 - self.rho) * new
