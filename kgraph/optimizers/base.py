"""The optimizer's frame: learning rate, decay, clipping, slots; a subclass adds the formula.

`get_updates` builds nodes and nothing else: the formula becomes part of the one graph of a training
step. The learning rate is a variable, so callbacks change it without a new compilation, or a
schedule, which is part of the graph too.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kgraph import config, ops
from kgraph.errors import explain
from kgraph.ir import Node, Variable, cast_to
from kgraph.ir.variable import assign_all
from kgraph.optimizers import schedules
from kgraph.optimizers.accumulation import Accumulation
from kgraph.optimizers.applying import Applying
from kgraph.optimizers.averages import Averages
from kgraph.optimizers.kept import Updates
from kgraph.optimizers.losses import gradients_and_weights
from kgraph.optimizers.schedules import LearningRateSchedule
from kgraph.optimizers.slots import Group, Shapes, Slots, Starts, make_groups

# Arguments that every optimizer takes; a configuration holds those that are not off.
OFF: dict[str, Any] = {
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "weight_decay": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
SCHEDULED = (
    "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` "
    "constructor argument, hence its learning rate is not settable. If you need the learning rate "
    "to be settable, you should instantiate the optimizer with a float `learning_rate` argument."
)


class Optimizer(Applying):
    """Base of optimizers; a subclass defines `slot_names` and `update`.

    Args:
        learning_rate: step size, or a `LearningRateSchedule`.
        decay: the step size of update t (from 0) is `learning_rate / (1 + decay * t)`.
        clipnorm: largest norm of each weight's gradient.
        clipvalue: largest absolute value of a gradient's elements.
        global_clipnorm: largest norm of all gradients together.
        weight_decay: share of a weight, times the learning rate, that each update takes off first.
        use_ema: whether moving averages of the weights are kept; `fit` ends by using them.
        ema_momentum: how much of the averages an update keeps.
        ema_overwrite_frequency: the weights get their averages every so many updates.
        loss_scale_factor: what the loss is multiplied by before it is differentiated, and the
            gradients are divided by, so that small ones do not vanish in float16.
        gradient_accumulation_steps: number of batches whose mean gradient makes one update.
        name: prefix of the slots' names.
        options: `lr` is Keras 2.2's name of `learning_rate`; `jit_compile` is ignored.

    Raises:
        TypeError: an argument is unknown.
        ValueError: more than one way of clipping is asked for, or a number is out of range.
    """

    # Names of the hyperparameters in `get_config` that the subclass adds.
    options: ClassVar[tuple[str, ...]] = ()
    # Whether `update` treats every element by itself, so that small weights may be joined.
    elementwise: ClassVar[bool] = True

    def __init__(
        self,
        learning_rate: Any,
        *,
        decay: float = 0.0,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        weight_decay: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        options.pop("jit_compile", None)
        learning_rate = options.pop("lr", learning_rate)
        if options:
            key = next(iter(options))
            raise TypeError(f"Unexpected keyword argument passed to optimizer: {key}")
        _check_clipping(clipnorm, clipvalue, global_clipnorm)
        self.name = name or type(self).__name__.lower()
        self.decay, self.weight_decay = decay, weight_decay
        self.clipnorm, self.clipvalue = clipnorm, clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        super().__init__()
        self.averages = Averages(ema_momentum, ema_overwrite_frequency) if use_ema else None
        self._accumulation = Accumulation.of(gradient_accumulation_steps)
        self._kept_whole: tuple[frozenset[Variable], re.Pattern[str] | None] = frozenset(), None
        self.iterations = self._scalar("iterations", np.int64(0))
        self._learning_rate = self._make_rate(learning_rate)
        self._slots: dict[Variable, Slots] = {}
        self._groups: dict[tuple[Variable, ...], list[Group]] = {}

    def _scalar(self, name: str, value: Any) -> Variable:
        return Variable(value, f"{self.name}/{name}", trainable=False)

    def _make_rate(self, value: Any) -> Variable | LearningRateSchedule:
        if isinstance(value, Mapping):
            value = schedules.deserialize(value)
        if isinstance(value, LearningRateSchedule):
            return value
        if callable(value):
            raise TypeError(
                explain(
                    "`learning_rate` cannot be a plain function: it would be called once, when "
                    "the training step is built",
                    expected="a number or a LearningRateSchedule",
                    got=value,
                    hint="subclass LearningRateSchedule, or use the callback LearningRateScheduler",
                )
            )
        return self._scalar("learning_rate", np.asarray(value, config.floatx()))

    @property
    def kind(self) -> str:
        """The class under whose names files keep the slots."""
        return type(self).__name__

    # -- what a subclass says ------------------------------------------------------------------
    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the arrays that the formula keeps for each weight."""
        return ()

    @property
    def slot_starts(self) -> Starts:
        """Values that slots start with where it is not 0; `AS_WEIGHT` for those of the weight."""
        return {}

    def slot_shapes(self, weight: Variable) -> Shapes:
        """The shapes of a weight's slots by name, in the order of `slot_names`.

        Args:
            weight: the weight; a formula that is elementwise has slots of its shape.
        """
        return dict.fromkeys(self.slot_names, weight.value.shape)

    @property
    def states(self) -> list[Variable]:
        """Variables of the formula that all weights share, besides the counter."""
        return []

    def update_states(self) -> Updates:
        """The new values of `states`."""
        return []

    def update(
        self, gradient: Node, slots: Mapping[str, Variable], descent: Node, weight: Node
    ) -> tuple[Node, dict[str, Node]]:
        """The formula.

        Args:
            gradient: of the loss with respect to the weight.
            slots: this weight's arrays, by the names of `slot_shapes`.
            descent: minus the step size, a scalar of the weight's dtype.
            weight: the weight after its decay, of the gradient's type.

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
        rate: Any = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            rate = rate(self.iterations)
        if not self.decay:
            return rate
        count: Any = cast_to(self.iterations, "float64")
        return cast_to(rate, "float64") / (1.0 + self.decay * count)

    def time(self) -> Node:
        """The number of this update, 1, 2, ..., in float64."""
        count: Any = self.iterations
        if self._accumulation is not None:
            count = ops.floor_divide(count, self._accumulation.steps)
        return cast_to(count, "float64") + 1.0

    # -- building ------------------------------------------------------------------------------
    def build(self, variables: Sequence[Variable]) -> list[Group]:
        """Makes the slots of weights that are trained together.

        Slots that a weight has already go on with their values. Building again for the same weights
        changes nothing.
        """
        key = tuple(variables)
        if key not in self._groups:
            shapes = {weight: self.slot_shapes(weight) for weight in key}
            starts, joining = self.slot_starts, self.elementwise
            found = make_groups(shapes, self.name, self._slots, starts, joining)
            self._groups[key] = found
            for kept in (self.averages, self._accumulation):
                if kept is not None:
                    kept.build(key, self.name)
        windows = {w: own for group in self._groups[key] for w, own in group.windows.items()}
        self._slots.update({weight: windows[weight] for weight in key})
        return self._groups[key]

    def get_updates(
        self,
        gradients: Any = None,
        variables: Sequence[Variable] | None = None,
        loss: Any = None,
        *,
        params: Sequence[Variable] | None = None,
    ) -> Updates:
        """Builds one step.

        Args:
            gradients: one a variable, of its type; or the loss, as in Keras 2.3.
            variables: the weights to change.
            loss: what to differentiate, instead of gradients; after variables and constraints, as
                in Keras 2.0, or by name.
            params: Keras 2's name of `variables`.

        Returns:
            (variable, new value) of the counter, the slots and the weights. A weight's constraint
            is applied to its new value.

        Example:
            >>> from kgraph.optimizers import SGD
            >>> w = Variable([1.0], name="w")
            >>> [v.name for v, _ in SGD(0.1, momentum=0.9).get_updates([w * 2], [w])]
            ['sgd/iterations', 'sgd/w/momentum', 'w']
        """
        gradients, variables = gradients_and_weights(
            gradients, variables, loss, params, self.scale_loss
        )
        groups = self.build(variables)
        if self.loss_scale_factor is not None:
            gradients = [g / float(self.loss_scale_factor) for g in gradients]
        used: Sequence[Node] = gradients
        if self._accumulation is not None:
            used = self._accumulation.means(gradients, variables)
        updates = self._updates(groups, dict(zip(variables, self.clip(used), strict=True)))
        if self._accumulation is not None:
            updates = self._accumulation.hold(updates, gradients, variables, self.iterations)
        if self.averages is not None:
            trained = frozenset(variables)
            moved = [pair for pair in updates if pair[0] in trained]
            others = [pair for pair in updates if pair[0] not in trained]
            updates = [*others, *self.averages.updates(moved, self.iterations)]
        return [(self.iterations, self.iterations + 1), *updates]

    def _updates(self, groups: Sequence[Group], gradients: Mapping[Variable, Node]) -> Updates:
        """One application of the formula to each group."""
        updates, step = list(self.update_states()), self.step_size()
        for group in groups:
            descent = cast_to(-step, group.weights[0].dtype)
            joined = group.join([gradients[w] for w in group.weights])
            kept = [self._decayed(weight) for weight in group.weights]
            change, slots = self.update(joined, group.slots, descent, group.join(kept))
            updates += [(slot, slots[name]) for name, slot in group.slots.items()]
            moved: list[Any] = [k + p for k, p in zip(kept, group.cut(change), strict=True)]
            for weight, value in zip(group.weights, moved, strict=True):
                project = weight.constraint
                updates.append((weight, value if project is None else project(value)))
        return updates

    def scale_loss(self, loss: Any) -> Any:
        """The loss that is differentiated; the gradients are divided by the factor again."""
        return loss if self.loss_scale_factor is None else loss * float(self.loss_scale_factor)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] = (), var_names: Sequence[str] = ()
    ) -> None:
        """Spares weights of `weight_decay`; call it before training.

        Args:
            var_list: the weights.
            var_names: regular expressions, one of which is found in the weight's name.

        Raises:
            ValueError: the training step is built already.
        """
        if self._groups:
            raise ValueError(
                "`exclude_from_weight_decay()` can only be configured before the optimizer is "
                "built."
            )
        pattern = re.compile("|".join(var_names)) if var_names else None
        self._kept_whole = frozenset(var_list or ()), pattern

    def decay_of(self, weight: Variable) -> float | None:
        """The `weight_decay` of a weight that is not spared it."""
        return self.weight_decay

    def _decayed(self, weight: Variable) -> Any:
        spared, pattern = self._kept_whole
        named = pattern is not None and pattern.search(weight.name) is not None
        share = self.decay_of(weight)
        if not share or weight in spared or named:
            return weight
        rate: Any = cast_to(self.rate(), weight.dtype)
        return weight - weight * (rate * share)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """What `fit` does last: weights that have a moving average get it.

        Args:
            var_list: the weights.
        """
        if self.averages is not None:
            self.averages.overwrite(var_list)

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
    def learning_rate(self) -> Any:
        """The variable that holds the step size, or a schedule's present value.

        Assigning a number sets the variable.

        Raises:
            TypeError: a number is assigned, but a schedule decides.
        """
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self.iterations.value)
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(self._learning_rate, LearningRateSchedule):
            raise TypeError(SCHEDULED)
        self._learning_rate.assign(value)

    @property
    def lr(self) -> Any:
        """Keras 2.2's name of `learning_rate`."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    # -- state and configuration ---------------------------------------------------------------
    @property
    def slots(self) -> Mapping[Variable, Slots]:
        """The slots of each weight by name; those of small weights are windows on one vector."""
        return types.MappingProxyType(self._slots)

    def arrays_of(self, weight: Variable) -> Slots:
        """What is kept for a weight by name: its slots, its average, the sum of its gradients.

        Args:
            weight: one that has been trained; there is nothing for others.
        """
        found = dict(self._slots.get(weight, {}))
        for name, kept in (("average", self.averages), ("gradient_sum", self._accumulation)):
            own = None if kept is None else kept.kept_for(weight)
            found.update({} if own is None else {name: own})
        return found

    @property
    def weights(self) -> list[Variable]:
        """The counter, then each slot of all weights, in Keras 2's order; averages come last."""
        found = [self.iterations, *self.states]
        found += [s[name] for name in self.slot_names for s in self._slots.values() if name in s]
        for kept in (self.averages, self._accumulation):
            found += [] if kept is None else kept.variables
        return found

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
        assign_all(zip(own, weights, strict=True))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one, with the present learning rate."""
        rate = self._learning_rate
        present: dict[str, Any] = {
            "name": self.name,
            "learning_rate": schedules.serialize(rate)
            if isinstance(rate, LearningRateSchedule)
            # The shortest decimal of the stored float, so that 0.001 stays 0.001.
            else float(str(rate.value[()])),
            "decay": self.decay,
        }
        changed = {key: getattr(self, key) for key in OFF}
        present.update({k: v for k, v in changed.items() if v != OFF[k]})
        return {**present, **{key: getattr(self, key) for key in self.options}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Optimizer:
        """The optimizer of a Keras 2 or Keras 3 configuration."""
        hints = ("jit_compile", "is_legacy_optimizer")  # change nothing about the results
        # Keras 3 writes None where an option is off.
        off = (
            *hints,
            *(k for k, v in config.items() if k in OFF and v is None and k not in cls.options),
        )
        return cls(**{k: v for k, v in config.items() if k not in off})

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items() if k != "name")
        return f"{type(self).__name__}({arguments})"


def _check_clipping(
    clipnorm: float | None, clipvalue: float | None, global_clipnorm: float | None
) -> None:
    if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
            f"Received: clipnorm={clipnorm}, clipvalue={clipvalue}, "
            f"global_clipnorm={global_clipnorm}."
        )


def _shrink(square: Node, limit: float) -> Any:
    """limit / norm where the norm exceeds the limit, else 1, from the squared norm."""
    return limit / ops.maximum(ops.sqrt(square), limit)
