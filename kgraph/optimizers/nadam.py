"""Nadam: Adam that looks ahead along its momentum, which grows with time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kgraph import config, ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer


class Nadam(Optimizer):
    """Nadam.

    k(t) = b1 (1 - 0.96^(c t) / 2), where c is `schedule_decay`; P' = P k(t);
    m' = b1 m + (1 - b1) g; v' = b2 v + (1 - b2) g^2;
    w' = w - rate ((1 - k(t)) g / (1 - P') + k(t+1) m' / (1 - P' k(t+1)))
         / (sqrt(v' / (1 - b2^t)) + epsilon).

    Args:
        learning_rate: step size; Keras 3's default is 0.001.
        beta_1: how much of the gradient's running mean is kept.
        beta_2: how much of the squared gradient's running mean is kept.
        epsilon: keeps the quotient finite; None is the global one.
        schedule_decay: c; Keras 3 has 1, and so do configurations that it wrote.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> [v.name for v in Nadam().weights]
        ['nadam/iterations', 'nadam/m_schedule']
    """

    options = ("beta_1", "beta_2", "epsilon", "schedule_decay")

    def __init__(
        self,
        learning_rate: Any = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        epsilon: float | None = None,
        schedule_decay: float = 0.004,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.schedule_decay = beta_1, beta_2, schedule_decay
        self.epsilon = config.epsilon() if epsilon is None else epsilon
        self.m_schedule = self._scalar("m_schedule", np.ones((), "float64"))

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v")

    @property
    def states(self) -> list[Variable]:
        return [self.m_schedule]

    def update_states(self) -> list[tuple[Variable, Node]]:
        product: Any = self.m_schedule
        return [(self.m_schedule, product * self._momentum(self.time()))]

    def _momentum(self, time: Any) -> Any:
        return self.beta_1 * (1.0 - 0.5 * ops.power(0.96, self.schedule_decay * time))

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        time: Any = self.time()
        now, after = self._momentum(time), self._momentum(time + 1.0)
        product: Any = self.m_schedule * now
        dtype = gradient.dtype
        fresh: Any = cast_to((1.0 - now) / (1.0 - product), dtype)
        ahead: Any = cast_to(after / (1.0 - product * after), dtype)
        unbiased: Any = cast_to(1.0 / (1.0 - self.beta_2**time), dtype)
        mean: Any = self.beta_1 * slots["m"] + (1.0 - self.beta_1) * gradient
        square: Any = self.beta_2 * slots["v"] + (1.0 - self.beta_2) * (gradient * gradient)
        step: Any = fresh * gradient + ahead * mean
        change = descent * step / (ops.sqrt(square * unbiased) + self.epsilon)
        return change, {"m": mean, "v": square}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Optimizer:
        """The optimizer of a Keras 2 or Keras 3 configuration."""
        newer = {"schedule_decay": 1.0} if "use_ema" in config else {}
        return super().from_config({**newer, **config})
