"""The optimizer's frame: learning rate, decay, clipping, slots; a subclass adds the formula.

`get_updates` builds nodes and nothing else: the formula becomes part of the one graph of a training
step. The learning rate is a variable, so callbacks change it without a new compilation.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kgraph import config, ops
from kgraph.errors import explain
from kgraph.ir import Node, Variable, cast_to
from kgraph.optimizers.slots import Group, Slots, make_groups

Updates = list[tuple[Variable, Node]]

# What Keras 3 writes into every optimizer's configuration; these values mean "off".
_OFF: dict[str, Any] = {
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class Optimizer:
    """Base of optimizers; a subclass defines `slot_names` and `update`.

    Args:
        learning_rate: step size.
        decay: the step size of update t (from 0) is `learning_rate / (1 + decay * t)`.
        clipnorm: largest norm of each weight's gradient.
        clipvalue: largest absolute value of a gradient's elements.
        global_clipnorm: largest norm of all gradients together.
        weight_decay: share of a weight, times the learning rate, that each update takes off first.
        name: prefix of the slots' names.
        lr: Keras 2.2's name of `learning_rate`.

    Raises:
        TypeError: an argument is unknown.
        ValueError: more than one way of clipping is asked for.
    """

    # Names of the hyperparameters in `get_config` that the subclass adds.
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        learning_rate: float,
        *,
        decay: float = 0.0,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        weight_decay: float | None = None,
        name: str | None = None,
        **unknown: Any,
    ) -> None:
        learning_rate = unknown.pop("lr", learning_rate)
        if unknown:
            key = next(iter(unknown))
            raise TypeError(f"Unexpected keyword argument passed to optimizer: {key}")
        if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
                f"Received: clipnorm={clipnorm}, clipvalue={clipvalue}, "
                f"global_clipnorm={global_clipnorm}."
            )
        self.name = name or type(self).__name__.lower()
        self.decay, self.weight_decay = decay, weight_decay
        self.clipnorm, self.clipvalue = clipnorm, clipvalue
        self.global_clipnorm = global_clipnorm
        self.iterations = self._scalar("iterations", np.int64(0))
        rate = np.asarray(learning_rate, config.floatx())
        self._learning_rate = self._scalar("learning_rate", rate)
        self._slots: dict[Variable, Slots] = {}
        self._groups: dict[tuple[Variable, ...], list[Group]] = {}

    def _scalar(self, name: str, value: Any) -> Variable:
        return Variable(value, f"{self.name}/{name}", trainable=False)

    # -- what a subclass says ------------------------------------------------------------------
    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the arrays that the formula keeps for each weight."""
        return ()

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node
    ) -> tuple[Node, dict[str, Node]]:
        """The formula, elementwise.

        Args:
            gradient: of the loss with respect to the weight.
            slots: this weight's arrays, by `slot_names`.
            descent: minus the step size, a scalar of the weight's dtype.

        Returns:
            What is added to the weight, and the slots' new values.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update().")

    def step_size(self) -> Node:
        """What the formula takes as its step size: the learning rate, corrected if need be."""
        return self.rate()

    def rate(self) -> Node:
        """The learning rate of this update, a scalar that is cast to the weights' dtype later.

        Whatever is computed for it is computed in float64: 1 - 0.999**t loses five digits in
        float32.
        """
        if not self.decay:
            return self._learning_rate
        count: Any = cast_to(self.iterations, "float64")
        return cast_to(self._learning_rate, "float64") / (1.0 + self.decay * count)

    # -- building ------------------------------------------------------------------------------
    def build(self, variables: Sequence[Variable]) -> list[Group]:
        """Makes the slots of weights that are trained together.

        Slots that a weight has already go on with their values. Building again for the same weights
        changes nothing.
        """
        key = tuple(variables)
        if key not in self._groups:
            found = make_groups(key, self.slot_names, self.name, self._slots)
            self._groups[key] = found
        windows = {w: own for group in self._groups[key] for w, own in group.windows.items()}
        self._slots.update({weight: windows[weight] for weight in key})
        return self._groups[key]

    def get_updates(self, gradients: Sequence[Node], variables: Sequence[Variable]) -> Updates:
        """Builds one step.

        Args:
            gradients: one a variable, of its type.
            variables: the weights to change.

        Returns:
            (variable, new value) of the counter, the slots and the weights. A weight's constraint
            is applied to its new value.

        Example:
            >>> from kgraph.optimizers import SGD
            >>> w = Variable([1.0], name="w")
            >>> [v.name for v, _ in SGD(0.1, momentum=0.9).get_updates([w * 2], [w])]
            ['sgd/iterations', 'sgd/w/momentum', 'w']
        """
        table = dict(zip(variables, self.clip(gradients), strict=True))
        updates: Updates = [(self.iterations, self.iterations + 1)]
        step: Any = self.step_size()
        for group in self.build(variables):
            descent = cast_to(-step, group.weights[0].dtype)
            joined = group.join([table[w] for w in group.weights])
            change, slots = self.update(joined, group.slots, descent)
            updates += [(group.slots[name], slots[name]) for name in self.slot_names]
            parts = group.cut(change)
            updates += [(w, self._moved(w, p)) for w, p in zip(group.weights, parts)]
        return updates

    def _moved(self, weight: Variable, change: Any) -> Node:
        value: Any = weight
        if self.weight_decay:
            rate: Any = cast_to(self.rate(), weight.dtype)
            value = value - value * (rate * self.weight_decay)
        value = value + change
        return value if weight.constraint is None else weight.constraint(value)

    def clip(self, gradients: Sequence[Node]) -> list[Node]:
        """Limits the gradients as the arguments say."""
        if self.clipvalue is not None:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        if self.clipnorm is not None:
            return [g * _shrink(ops.sum(ops.square(g)), self.clipnorm) for g in gradients]
        if self.global_clipnorm is None:
            return list(gradients)
        squares: Any = sum(ops.sum(ops.square(g)) for g in gradients)
        factor = _shrink(squares, self.global_clipnorm)
        return [g * cast_to(factor, g.dtype) for g in gradients]

    # -- learning rate -------------------------------------------------------------------------
    @property
    def learning_rate(self) -> Variable:
        """The variable that holds the step size; assigning a number sets it."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._learning_rate.assign(value)

    @property
    def lr(self) -> Variable:
        """Keras 2.2's name of `learning_rate`."""
        return self._learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self._learning_rate.assign(value)

    # -- state and configuration ---------------------------------------------------------------
    @property
    def slots(self) -> Mapping[Variable, Slots]:
        """The slots of each weight by name; those of small weights are windows on one vector."""
        return types.MappingProxyType(self._slots)

    @property
    def weights(self) -> list[Variable]:
        """The counter, then each slot of all weights, in Keras 2's order."""
        per_weight = list(self._slots.values())
        return [self.iterations, *(s[name] for name in self.slot_names for s in per_weight)]

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the counter and the slots, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets what `get_weights` returned.

        Raises:
            ValueError: the number or a shape of the arrays does not fit.
        """
        own = self.weights
        if len(own) != len(weights):
            raise ValueError(
                explain(
                    f"Length of the specified weight list ({len(weights)}) does not match the "
                    f"number of weights of the optimizer ({len(own)})",
                    hint="train one batch first: the slots are made with the training step",
                )
            )
        for variable, value in zip(own, weights, strict=True):
            if np.shape(value) != variable.value.shape:
                raise ValueError(
                    f"Optimizer weight shape {variable.value.shape} not compatible with provided "
                    f"weight shape {np.shape(value)}"
                )
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one, with the present learning rate."""
        present: dict[str, Any] = {
            "name": self.name,
            # The shortest decimal of the stored float, so that 0.001 stays 0.001.
            "learning_rate": float(str(self._learning_rate.value[()])),
            "decay": self.decay,
        }
        for key in ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay"):
            if getattr(self, key) is not None:
                present[key] = getattr(self, key)
        return {**present, **{key: getattr(self, key) for key in self.options}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Optimizer:
        """The optimizer of a Keras 2 or Keras 3 configuration."""
        hints = ("jit_compile", "is_legacy_optimizer")  # change nothing about the results
        kept = {
            k: v
            for k, v in config.items()
            if k not in hints and (k not in _OFF or v not in (_OFF[k], None))
        }
        return cls(**kept)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items() if k != "name")
        return f"{type(self).__name__}({arguments})"


def _shrink(square: Node, limit: float) -> Any:
    """limit / norm where the norm exceeds the limit, else 1, from the squared norm."""
    return limit / ops.maximum(ops.sqrt(square), limit)
