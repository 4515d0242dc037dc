"""Schedule-free AdamW: an average of the iterates takes the place of a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer
from kgraph.optimizers.slots import AS_WEIGHT, Starts


class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW (Defazio et al., 2024, https://arxiv.org/abs/2405.15682), as in Keras 3.

    The weight w lies between the iterate z and the average x of the iterates:
    v' = b2 v + (1 - b2) g^2; x = (w - (1 - b1) z) / b1, t = 1, 2, ...;
    z' = z - rate min(1, t / warmup_steps) g / (sqrt(v' / (1 - b2^t)) + epsilon);
    x' = (1 - 1/t) x + z' / t; w' = (1 - b1) z' + b1 x'.

    Args:
        learning_rate: step size.
        beta_1: the average's share of the weight, not 0.
        beta_2: how much of the squared gradient's running mean is kept.
        epsilon: keeps the quotient finite.
        warmup_steps: number of updates in which the step size grows to its full value.
        options: `decay`, `lr`, `weight_decay`, clipping and so on, see `Optimizer`.

    Raises:
        ValueError: `beta_1` is out of range.

    Example:
        >>> ScheduleFreeAdamW().slot_names
        ('momentum', 'velocity')
    """

    options = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"`beta_1` must be in the range (0, 1]. Received: {beta_1}")
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.warmup_steps = warmup_steps

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum", "velocity")

    @property
    def slot_starts(self) -> Starts:
        return {"momentum": AS_WEIGHT}

    def step_size(self) -> Node:
        if self.warmup_steps <= 0:
            return self.rate()
        share: Any = ops.minimum(self.time() / float(self.warmup_steps), 1.0)
        return cast_to(self.rate(), "float64") * share

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        time: Any = self.time()
        unbiased: Any = cast_to(1.0 / (1.0 - self.beta_2**time), gradient.dtype)
        fresh: Any = cast_to(1.0 / time, gradient.dtype)
        old: Any = slots["momentum"]
        square: Any = self.beta_2 * slots["velocity"] + (1.0 - self.beta_2) * (gradient * gradient)
        new = old + descent * gradient / (ops.sqrt(square * unbiased) + self.epsilon)
        average = (weight - (1.0 - self.beta_1) * old) / self.beta_1
        average = (1.0 - fresh) * average + fresh * new
        moved = (1.0 - self.beta_1) * new + self.beta_1 * average
        return moved - weight, {"momentum": new, "velocity": square}
