"""Adam: running means of the gradient and of its square, both corrected for their start at zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from kgraph import config, ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer


class Adam(Optimizer):
    """Adam in Keras's form: the correction is part of the step size, epsilon is added to the root.

    m' = b1 m + (1 - b1) g; v' = b2 v + (1 - b2) g^2;
    w' = w - rate sqrt(1 - b2^t) / (1 - b1^t) m' / (sqrt(v') + epsilon), t = 1, 2, ...

    Args:
        learning_rate: step size.
        beta_1: how much of the gradient's running mean is kept.
        beta_2: how much of the squared gradient's running mean is kept.
        epsilon: keeps the quotient finite; None is the global one.
        amsgrad: whether to divide by the root of the largest v' so far.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> Adam(1e-3, amsgrad=True).slot_names
        ('m', 'v', 'vhat')
    """

    options: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        epsilon: float | None = None,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.amsgrad = beta_1, beta_2, amsgrad
        self.epsilon = config.epsilon() if epsilon is None else epsilon

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("m", "v", "vhat") if self.amsgrad else ("m", "v")

    def step_size(self) -> Node:
        time: Any = self.time()
        correction = ops.sqrt(1.0 - self.beta_2**time) / (1.0 - self.beta_1**time)
        return cast_to(self.rate(), "float64") * correction

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        mean: Any = self.beta_1 * slots["m"] + (1.0 - self.beta_1) * gradient
        square: Any = self.beta_2 * slots["v"] + (1.0 - self.beta_2) * (gradient * gradient)
        changed = {"m": mean, "v": square}
        if self.amsgrad:
            square = changed["vhat"] = ops.maximum(slots["vhat"], square)
        return descent * mean / (ops.sqrt(square) + self.epsilon), changed
