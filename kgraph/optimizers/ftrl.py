"""Ftrl: follow the regularized leader, whose weights are a function of its sums alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import ops
from kgraph.ir import Node, Variable
from kgraph.optimizers.base import Optimizer


class Ftrl(Optimizer):
    """Ftrl.

    With p = -learning_rate_power, a' = a + g^2 and the shrunk gradient h = g + 2 shrinkage w:
    z' = z + h - (a'^p - a^p) / rate w; w' = (clip(z', -l1, l1) - z') / (a'^p / rate + 2 l2 +
    beta / rate). The weight that training starts from only matters through z'.

    Args:
        learning_rate: step size.
        learning_rate_power: at most 0; how fast steps shrink as squared gradients add up.
        initial_accumulator_value: what a starts with.
        l1_regularization_strength: l1, which makes small weights exactly 0.
        l2_regularization_strength: l2.
        l2_shrinkage_regularization_strength: shrinkage.
        beta: added to the roots of the sums.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> Ftrl().slot_names
        ('accumulator', 'linear')
    """

    options = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        for name in self.options[1:5]:
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` needs to be >= 0. Received: {getattr(self, name)}")
        if learning_rate_power > 0:
            raise ValueError(
                f"`learning_rate_power` needs to be <= 0. Received: {learning_rate_power}"
            )

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("accumulator", "linear")

    @property
    def slot_starts(self) -> Mapping[str, float]:
        return {"accumulator": self.initial_accumulator_value}

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        rate, power = -descent, -float(self.learning_rate_power)
        old: Any = slots["accumulator"]
        total = old + gradient * gradient
        roots, l1 = ops.power(total, power), self.l1_regularization_strength
        shrunk = gradient + (2.0 * self.l2_shrinkage_regularization_strength) * weight
        pull = (roots - ops.power(old, power)) / rate
        linear = slots["linear"] + shrunk - pull * weight
        curvature = (roots + self.beta) / rate + 2.0 * self.l2_regularization_strength
        value = (ops.clip(linear, -l1, l1) - linear) / curvature
        return value - weight, {"accumulator": total, "linear": linear}
