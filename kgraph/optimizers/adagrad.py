"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import config, ops
from kgraph.ir import Node, Variable
from kgraph.optimizers.base import Optimizer


class Adagrad(Optimizer):
    """Adagrad in Keras 2's form: epsilon is added to the root.

    a' = a + g^2; w' = w - rate g / (sqrt(a') + epsilon).

    Args:
        learning_rate: step size; Keras 3's default is 0.001.
        initial_accumulator_value: what the sum starts with; Keras 3's default is 0.1.
        epsilon: keeps the quotient finite; None is the global one.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> Adagrad(0.1).slot_names
        ('accumulator',)
    """

    options = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        initial_accumulator_value: float = 0.0,
        epsilon: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = config.epsilon() if epsilon is None else epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("accumulator",)

    @property
    def slot_starts(self) -> Mapping[str, float]:
        return {"accumulator": self.initial_accumulator_value}

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        total: Any = slots["accumulator"] + gradient * gradient
        return descent * gradient / (ops.sqrt(total) + self.epsilon), {"accumulator": total}
