"""Muon: momentum whose matrices are made orthogonal; other weights get Adam's steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from kgraph import ops
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.base import Optimizer
from kgraph.optimizers.slots import Shapes


class Muon(Optimizer):
    """Muon (Jordan et al., 2024; Liu et al., 2025, https://arxiv.org/abs/2502.16982).

    The form is Keras 3's.

    Matrices: m' = momentum m + g; with nesterov M = g + momentum m', else M = m';
    X = M / |M|, laid so that it is not taller than wide; `ns_steps` times (Newton and Schulz):
    A = X X^T, X' = a X + (b A + c A^2) X; w' = w - rate X rms_rate sqrt(longer side).
    Other weights, and matrices that are spared: Adam, with step size rate adam_lr_ratio.

    Args:
        learning_rate: step size.
        adam_beta_1: Adam's share of the gradient's running mean that is kept.
        adam_beta_2: Adam's share of the squared gradient's running mean that is kept.
        adam_weight_decay: `weight_decay` of the weights that get Adam's steps.
        epsilon: keeps Adam's quotient finite.
        weight_decay: of the matrices.
        exclude_layers: regular expressions; matrices in whose names one is found get Adam's steps.
        exclude_embeddings: whether matrices of embeddings get Adam's steps.
        muon_a: a.
        muon_b: b.
        muon_c: c.
        adam_lr_ratio: Adam's share of the step size.
        momentum: how much of the gradients' sum is kept.
        ns_steps: number of iterations.
        nesterov: whether to look ahead along the momentum.
        rms_rate: makes the steps as large as Adam's; None for steps of norm about 1.
        options: `decay`, `lr`, clipping and so on, see `Optimizer`.

    Example:
        >>> matrix, vector = Variable([[1.0, 2.0]], "w"), Variable([1.0], "b")
        >>> list(Muon().slot_shapes(matrix)), list(Muon().slot_shapes(vector))
        (['momentum'], ['momentum', 'velocity'])
    """

    options = (
        *("adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_layers"),
        *("exclude_embeddings", "muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum"),
        *("ns_steps", "nesterov", "rms_rate", "weight_decay"),
    )
    elementwise: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.adam_beta_1, self.adam_beta_2 = adam_beta_1, adam_beta_2
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.epsilon, self.momentum, self.nesterov = epsilon, momentum, nesterov
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.ns_steps, self.rms_rate = ns_steps, rms_rate

    @property
    def slot_names(self) -> tuple[str, ...]:
        return ("momentum", "velocity")

    def slot_shapes(self, weight: Variable) -> Shapes:
        names = self.slot_names if self._takes_adam(weight) else ("momentum",)
        return dict.fromkeys(names, weight.value.shape)

    def decay_of(self, weight: Variable) -> float | None:
        return self.adam_weight_decay if self._takes_adam(weight) else self.weight_decay

    def _takes_adam(self, weight: Variable) -> bool:
        if weight.ndim != 2 or (self.exclude_embeddings and "embedding" in weight.name.lower()):
            return True
        return any(re.search(pattern, weight.name) for pattern in self.exclude_layers)

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        if "velocity" in slots:
            return self._adam(gradient, slots, descent)
        sides: Any = weight.shape
        total: Any = self.momentum * slots["momentum"] + gradient
        ahead = gradient + self.momentum * total if self.nesterov else total
        size = 1.0 if self.rms_rate is None else self.rms_rate * max(sides) ** 0.5
        return descent * self._orthogonal(ahead) * size, {"momentum": total}

    def _adam(
        self, gradient: Any, slots: Mapping[str, Any], descent: Any
    ) -> tuple[Node, dict[str, Node]]:
        time: Any = self.time()
        rate: Any = self.adam_lr_ratio * ops.sqrt(1.0 - self.adam_beta_2**time)
        rate = cast_to(rate / (1.0 - self.adam_beta_1**time), gradient.dtype)
        square = self.adam_beta_2 * slots["velocity"]
        square = square + (1.0 - self.adam_beta_2) * (gradient * gradient)
        mean = self.adam_beta_1 * slots["momentum"] + (1.0 - self.adam_beta_1) * gradient
        change = descent * rate * mean / (ops.sqrt(square) + self.epsilon)
        return change, {"momentum": mean, "velocity": square}

    def _orthogonal(self, matrix: Any) -> Any:
        tall = matrix.shape[0] > matrix.shape[1]
        found = ops.transpose(matrix) if tall else matrix
        found = found / (ops.sqrt(ops.sum(ops.square(found))) + 1e-7)
        for _ in range(self.ns_steps):
            products: Any = found @ ops.transpose(found)
            inner: Any = self.muon_b * products + self.muon_c * (products @ products)
            found = self.muon_a * found + inner @ found
        return ops.transpose(found) if tall else found
