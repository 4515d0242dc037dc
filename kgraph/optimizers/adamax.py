"""Adamax: Adam with the largest gradient so far in place of the root of the mean square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import config, ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer


class Adamax(Optimizer):
    """Adamax.

    m' = b1 m + (1 - b1) g; u' = max(b2 u, |g|); w' = w - rate / (1 - b1^t) m' / (u' + epsilon).

    Args:
        learning_rate: step size; Keras 3's default is 0.001.
        beta_1: how much of the gradient's running mean is kept.
        beta_2: how much of the largest gradient is kept.
        epsilon: keeps the quotient finite; None is the global one.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> Adamax().slot_names
        ('m', 'u')
    """

    options = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        epsilon: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = config.epsilon() if epsilon is None else epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("m", "u")

    def step_size(self) -> Node:
        time: Any = self.time()
        return cast_to(self.rate(), "float64") / (1.0 - self.beta_1**time)

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        old: Any = slots["u"]
        mean: Any = self.beta_1 * slots["m"] + (1.0 - self.beta_1) * gradient
        largest: Any = ops.maximum(self.beta_2 * old, ops.abs(gradient))
        return descent * mean / (largest + self.epsilon), {"m": mean, "u": largest}
