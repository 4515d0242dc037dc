"""Lamb: Adam whose step has a length that is a share of the weight's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from kgraph import config, ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer


class Lamb(Optimizer):
    """Lamb (You et al., 2019, https://arxiv.org/abs/1904.00962), in Keras 3's form.

    m' = b1 m + (1 - b1) g; v' = b2 v + (1 - b2) g^2;
    u = m' / (1 - b1^t) / (sqrt(v' / (1 - b2^t)) + epsilon), t = 1, 2, ...;
    w' = w - rate u |w| / |u|, where the quotient is 1 if a norm is 0.

    Args:
        learning_rate: step size.
        beta_1: how much of the gradient's running mean is kept.
        beta_2: how much of the squared gradient's running mean is kept.
        epsilon: keeps the quotient finite; None is the global one.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> Lamb(1e-3).slot_names
        ('m', 'v')
    """

    options = ("beta_1", "beta_2", "epsilon")
    elementwise: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
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
        return ("m", "v")

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        time: Any = self.time()
        first: Any = cast_to(1.0 / (1.0 - self.beta_1**time), gradient.dtype)
        second: Any = cast_to(1.0 / (1.0 - self.beta_2**time), gradient.dtype)
        mean: Any = self.beta_1 * slots["m"] + (1.0 - self.beta_1) * gradient
        square: Any = self.beta_2 * slots["v"] + (1.0 - self.beta_2) * (gradient * gradient)
        step = mean * first / (ops.sqrt(square * second) + self.epsilon)
        return descent * _trust(weight, step) * step, {"m": mean, "v": square}


def _trust(weight: Node, step: Node) -> Any:
    """|weight| / |step|, or 1 if either is 0."""
    ours, its = ops.sqrt(ops.sum(ops.square(weight))), ops.sqrt(ops.sum(ops.square(step)))
    apart = ops.logical_and(ops.greater(ours, 0), ops.greater(its, 0))
    one = ops.ones_like(its)
    return ops.where(apart, ours / ops.where(apart, its, one), one)
