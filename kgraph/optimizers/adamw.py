"""AdamW: Adam with weight decay that the gradient's running means do not see."""

from __future__ import annotations

from typing import Any

from kgraph.optimizers.adam import Adam


class AdamW(Adam):
    """Adam whose `weight_decay` is on.

    Each update first takes the share rate * weight_decay off a weight, then adds Adam's step.

    Args:
        learning_rate: step size.
        weight_decay: share, times the learning rate, that each update takes off.
        beta_1: how much of the gradient's running mean is kept.
        beta_2: how much of the squared gradient's running mean is kept.
        epsilon: keeps the quotient finite; None is the global one.
        amsgrad: whether to divide by the root of the largest mean square so far.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> AdamW().weight_decay
        0.004
    """

    options = (*Adam.options, "weight_decay")  # None is not the default

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        epsilon: float | None = None,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            weight_decay=weight_decay,
            **options,
        )
