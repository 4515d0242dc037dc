"""A loss scale that adapts itself, around another optimizer."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers import lookup
from kgraph.optimizers.base import OFF, Optimizer, Updates
from kgraph.optimizers.losses import gradients_and_weights
from kgraph.optimizers.slots import Group, Shapes, Starts


class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a scale, so that small gradients do not vanish in float16.

    Micikevicius et al., 2017, https://arxiv.org/abs/1710.03740, section 3.2, as in Keras 3: a step
    with a gradient that is not finite changes nothing and halves the scale; a number of finite
    steps in a row doubles it. Learning rate, counter, slots and averages are the inner optimizer's.

    Args:
        inner_optimizer: what a step does to the weights: an optimizer, a name or a configuration.
            Its own `loss_scale_factor` is put out of force.
        initial_scale: the scale of the first step.
        dynamic_growth_steps: number of finite steps after which the scale doubles.
        name: prefix of the names of scale and counter.
        options: other options belong to the inner optimizer.

    Raises:
        TypeError: an option is unknown.
        ValueError: an option belongs to the inner optimizer, or that scales the loss itself.

    Example:
        >>> import numpy as np
        >>> from kgraph.optimizers import SGD
        >>> w, optimizer = Variable([1.0], "w"), LossScaleOptimizer(SGD(0.5), initial_scale=4.0)
        >>> for gradient in (4.0, np.inf):
        ...     optimizer.apply([np.array([gradient])], [w])
        >>> w.numpy(), float(optimizer.dynamic_scale)
        (array([0.5], dtype=float32), 2.0)
    """

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **options: Any,
    ) -> None:
        _refuse(options)
        inner = lookup.get(inner_optimizer)
        if isinstance(inner, LossScaleOptimizer):
            what = "A LossScaleOptimizer cannot be inside of another"
            raise ValueError(explain(what, expected="an optimizer such as Adam()", got=inner))
        super().__init__(0.0, name=name or "loss_scale_optimizer")
        self.inner_optimizer = inner
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        inner.loss_scale_factor = None
        self.iterations, self._learning_rate = inner.iterations, inner._learning_rate
        self._slots, self._groups = inner._slots, inner._groups
        self.averages, self._accumulation = inner.averages, inner._accumulation
        self.step_counter = self._scalar("step_counter", np.int64(0))
        self.dynamic_scale = self._scalar("dynamic_scale", np.float32(initial_scale))

    @property
    def kind(self) -> str:
        return self.inner_optimizer.kind

    @property
    def slot_names(self) -> tuple[str, ...]:
        return self.inner_optimizer.slot_names

    @property
    def slot_starts(self) -> Starts:
        return self.inner_optimizer.slot_starts

    def slot_shapes(self, weight: Variable) -> Shapes:
        return self.inner_optimizer.slot_shapes(weight)

    @property
    def states(self) -> list[Variable]:
        return [self.step_counter, self.dynamic_scale, *self.inner_optimizer.states]

    def rate(self) -> Node:
        return self.inner_optimizer.rate()

    def build(self, variables: Sequence[Variable]) -> list[Group]:
        return self.inner_optimizer.build(variables)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] = (), var_names: Sequence[str] = ()
    ) -> None:
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def scale_loss(self, loss: Any) -> Any:
        if not isinstance(loss, Node):
            return loss * float(self.dynamic_scale)
        scale: Any = cast_to(self.dynamic_scale, loss.dtype)
        return loss * scale

    def get_updates(
        self,
        gradients: Any = None,
        variables: Sequence[Variable] | None = None,
        loss: Any = None,
        *,
        params: Sequence[Variable] | None = None,
    ) -> Updates:
        """Builds one step from gradients of the scaled loss, or from the loss itself.

        Arguments and result are those of every optimizer's `get_updates`.
        """
        scaled, weights = gradients_and_weights(gradients, variables, loss, params, self.scale_loss)
        finite = functools.reduce(ops.logical_and, [ops.all(ops.isfinite(g)) for g in scaled])
        updates = self.inner_optimizer.get_updates([self._unscaled(g) for g in scaled], weights)
        held = [(v, ops.where(finite, new, v)) for v, new in updates]
        return [*self._next_scale(finite), *held]

    def _unscaled(self, gradient: Any) -> Node:
        """In float32 at least: float16 ends below a scale of 2^16."""
        wide = "float64" if gradient.dtype == "float64" else "float32"
        quotient: Any = cast_to(gradient, wide)
        quotient = quotient / cast_to(self.dynamic_scale, wide)
        return cast_to(quotient, gradient.dtype)

    def _next_scale(self, finite: Node) -> Updates:
        count: Any = self.step_counter
        scale: Any = self.dynamic_scale
        full = ops.greater_equal(count + 1, self.dynamic_growth_steps)
        grown = ops.where(full, 2.0 * scale, scale)
        goes_on = ops.logical_and(finite, ops.logical_not(full))
        return [
            (self.step_counter, ops.where(goes_on, count + 1, ops.zeros_like(count))),
            (self.dynamic_scale, ops.where(finite, grown, 0.5 * scale)),
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one; the scale starts anew."""
        return {
            "name": self.name,
            "inner_optimizer": lookup.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }


def _refuse(options: Mapping[str, Any]) -> None:
    """Options that are off are in older configurations; others are the inner optimizer's."""
    for key, value in options.items():
        if key == "dynamic" and value:
            continue
        if key == "dynamic":
            raise ValueError(
                "LossScaleOptimizer no longer supports `dynamic=False`: "
                "set `loss_scale_factor` on the inner optimizer."
            )
        if key not in OFF:
            raise TypeError(f"Unexpected keyword argument passed to optimizer: {key}")
        if value is not None and value != OFF[key]:
            raise ValueError(
                f"LossScaleOptimizer does not support `{key}`: set it on the `inner_optimizer`."
            )
