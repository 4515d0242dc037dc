"""Adadelta: steps in the weights' own units, from running means of squares of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import config, ops
from kgraph.ir import Node, Variable
from kgraph.optimizers.base import Optimizer


class Adadelta(Optimizer):
    """Adadelta.

    a' = rho a + (1 - rho) g^2; u = g sqrt(d + epsilon) / sqrt(a' + epsilon); w' = w - rate u;
    d' = rho d + (1 - rho) u^2.

    Args:
        learning_rate: factor of the step; 1 is the paper's, Keras 3's default is 0.001.
        rho: how much of the running means is kept.
        epsilon: keeps the quotient finite; None is the global one.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> Adadelta().slot_names
        ('accumulator', 'delta')
    """

    options = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 1.0,
        rho: float = 0.95,
        *,
        epsilon: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.epsilon = config.epsilon() if epsilon is None else epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("accumulator", "delta")

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        delta: Any = slots["delta"]
        square: Any = self.rho * slots["accumulator"] + (1.0 - self.rho) * (gradient * gradient)
        step: Any = gradient * ops.sqrt(delta + self.epsilon) / ops.sqrt(square + self.epsilon)
        moved = self.rho * delta + (1.0 - self.rho) * (step * step)
        return descent * step, {"accumulator": square, "delta": moved}
