"""Adafactor: mean squares of a matrix kept as those of its rows and of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kgraph import ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer
from kgraph.optimizers.slots import Shapes


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, 2018, https://arxiv.org/abs/1804.04235), in Keras 3's form.

    b = 1 - t^beta_2_decay, t = 1, 2, ...; q = g^2 + epsilon_1;
    vectors: v' = b v + (1 - b) q; with two axes or more, along the last two:
    r' = b r + (1 - b) mean of q's rows, c' = b c + (1 - b) mean of its columns,
    v' = r' c' / mean(r');
    u = g / sqrt(v'); w' = w - s u / max(1, rms(u) / clip_threshold), where
    s = max(epsilon_2, rms(w)) min(rate, 1 / sqrt(t)).

    Args:
        learning_rate: largest step size, relative to the weight's root mean square.
        beta_2_decay: how fast the running means forget less, negative.
        epsilon_1: added to squared gradients; in float16 its smallest normal number at least.
        epsilon_2: root mean square that a weight is taken to have at least.
        clip_threshold: root mean square of a step before it is shortened.
        relative_step: as in Keras 3 without effect: steps never exceed 1 / sqrt(t).
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> w = Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "w")
        >>> Adafactor().slot_shapes(w)
        {'r': (2,), 'c': (3,)}
    """

    options = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
    elementwise: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_2_decay, self.clip_threshold = beta_2_decay, clip_threshold
        self.epsilon_1, self.epsilon_2 = epsilon_1, epsilon_2
        self.relative_step = relative_step

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("r", "c", "v")

    def slot_shapes(self, weight: Variable) -> Shapes:
        shape = weight.value.shape
        if len(shape) < 2:
            return {"v": shape}
        return {"r": shape[:-1], "c": (*shape[:-2], shape[-1])}

    def step_size(self) -> Node:
        time: Any = self.time()
        return ops.minimum(cast_to(self.rate(), "float64"), 1.0 / ops.sqrt(time))

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        time: Any = self.time()
        fresh: Any = cast_to(ops.power(time, float(self.beta_2_decay)), gradient.dtype)
        tiny = float(np.finfo(gradient.dtype).tiny)
        square: Any = ops.square(gradient) + max(self.epsilon_1, tiny)
        sources = {"v": square}
        if "r" in slots:
            sources = {"r": ops.mean(square, axis=-1), "c": ops.mean(square, axis=-2)}
        kept: dict[str, Any] = {
            name: (1.0 - fresh) * slots[name] + fresh * source for name, source in sources.items()
        }
        step: Any = gradient / ops.sqrt(kept["v"] if "v" in kept else _outer(kept["r"], kept["c"]))
        step = step / ops.maximum(_rms(step) / self.clip_threshold, 1.0)
        return descent * ops.maximum(_rms(weight), self.epsilon_2) * step, kept


def _outer(rows: Node, columns: Node) -> Any:
    """The matrix whose rows and columns have these means."""
    shares = rows / ops.mean(rows, axis=-1, keepdims=True)
    return ops.expand_dims(shares, -1) * ops.expand_dims(columns, -2)


def _rms(tensor: Node) -> Any:
    return ops.sqrt(ops.mean(ops.square(tensor)))
