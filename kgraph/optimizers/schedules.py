"""Learning rate schedules: the step size as a function of the number of updates so far.

A schedule builds nodes on a step counter, so the rate is computed inside the training step and no
callback is needed. On numbers it computes at once. Everything is float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Node, cast_to
from kgraph.utils.registry import Registry


class LearningRateSchedule:
    """Base of schedules; a subclass defines `rate`, or `__call__` as in Keras.

    Example:
        >>> class Halving(LearningRateSchedule):
        ...     def rate(self, step):
        ...         return 0.5**step
        >>> Halving()(3)
        0.125
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of an update.

        Args:
            step: number of updates before it: a scalar node, a number, or an array of numbers.

        Returns:
            A float64 node, a number or an array.
        """
        if isinstance(step, Node):
            return self.rate(cast_to(step, "float64"))
        steps = np.asarray(step, "float64")
        found = self.rate(np.atleast_1d(steps))
        return found if steps.ndim else float(found[0])

    def rate(self, step: Any) -> Any:
        """The formula, elementwise on a float64 node or array."""
        raise NotImplementedError(f"{type(self).__name__} must define rate(step).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be saved.")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """The schedule that `get_config` describes."""
        return cls(**config)


class _Named(LearningRateSchedule):
    """A schedule whose arguments are its attributes."""

    options: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*self.options, "name")}


def _positive(name: str, value: float) -> float:
    if value <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")
    return value


class ExponentialDecay(_Named):
    """initial * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: the rate of the first update.
        decay_steps: number of updates after which the rate is multiplied by `decay_rate`.
        decay_rate: the factor.
        staircase: whether the exponent is rounded down.
        name: of the schedule.

    Example:
        >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True)([9, 10]).tolist()
        [0.1, 0.05]
    """

    options = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def rate(self, step: Any) -> Any:
        done = step / float(self.decay_steps)
        exponent = ops.floor(done) if self.staircase else done
        return self.initial_learning_rate * ops.power(self.decay_rate, exponent)


class InverseTimeDecay(_Named):
    """initial / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: the rate of the first update.
        decay_steps: number of updates that count as one.
        decay_rate: what each of them adds to the divisor.
        staircase: whether the quotient step / decay_steps is rounded down.
        name: of the schedule.

    Example:
        >>> InverseTimeDecay(1.0, decay_steps=10, decay_rate=1.0)(10)
        0.5
    """

    options = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.decay_rate, self.staircase, self.name = decay_rate, staircase, name

    def rate(self, step: Any) -> Any:
        done = step / float(self.decay_steps)
        share: Any = ops.floor(done) if self.staircase else done
        return self.initial_learning_rate / (1.0 + self.decay_rate * share)


class PiecewiseConstantDecay(_Named):
    """One value up to the first boundary, the next up to the second, and so on.

    Args:
        boundaries: increasing numbers of updates; the update at a boundary has the value before it.
        values: one more than there are boundaries.
        name: of the schedule.

    Raises:
        ValueError: the lengths do not fit.

    Example:
        >>> PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.25])([0, 2, 3, 5]).tolist()
        [1.0, 1.0, 0.5, 0.25]
    """

    options = ("boundaries", "values")

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of "
                f"length {len(values)}."
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def rate(self, step: Any) -> Any:
        found = step * 0.0 + float(self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            found = ops.where(ops.greater(step, float(boundary)), float(value), found)
        return found


class PolynomialDecay(_Named):
    """(initial - end) * (1 - step / decay_steps) ^ power + end.

    Args:
        initial_learning_rate: the rate of the first update.
        decay_steps: number of updates after which the end is reached.
        end_learning_rate: the rate from then on.
        power: exponent; 1 is a straight line.
        cycle: whether the decay starts again, stretched to the next multiple of `decay_steps`.
        name: of the schedule.

    Example:
        >>> PolynomialDecay(1.0, decay_steps=4, end_learning_rate=0.0)([0, 1, 9]).tolist()
        [1.0, 0.75, 0.0]
    """

    options = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.end_learning_rate, self.power = end_learning_rate, power
        self.cycle, self.name = cycle, name

    def rate(self, step: Any) -> Any:
        done: Any = step / float(self.decay_steps)
        # A cycle ends at the next multiple of decay_steps, the first one also for step 0.
        done = done / ops.maximum(ops.ceil(done), 1.0) if self.cycle else ops.minimum(done, 1.0)
        height = self.initial_learning_rate - self.end_learning_rate
        return height * ops.power(1.0 - done, float(self.power)) + self.end_learning_rate


class CosineDecay(_Named):
    """Half a cosine from the initial rate down to `alpha` times it, after an optional warm-up.

    Args:
        initial_learning_rate: the rate of the first update.
        decay_steps: number of updates of the decay.
        alpha: the last rate as a share of the highest.
        name: of the schedule.
        warmup_target: the rate to which the warm-up rises in a straight line, None for no warm-up.
        warmup_steps: number of updates of the warm-up.

    Example:
        >>> CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=2)([1, 2, 7, 12]).tolist()
        [0.5, 1.0, 0.5, 0.0]
    """

    options = ("initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def rate(self, step: Any) -> Any:
        start, target = self.initial_learning_rate, self.warmup_target
        if target is None:
            return start * self._cosine(step)
        falling = target * self._cosine(ops.maximum(step - float(self.warmup_steps), 0.0))
        rising = start + (target - start) * (step / max(float(self.warmup_steps), 1.0))
        return ops.where(ops.less(step, float(self.warmup_steps)), rising, falling)

    def _cosine(self, step: Any) -> Any:
        done = ops.minimum(step / float(self.decay_steps), 1.0)
        return (1.0 - self.alpha) * (0.5 * (1.0 + ops.cos(math.pi * done))) + self.alpha


class CosineDecayRestarts(_Named):
    """Half a cosine again and again, each period longer and lower than the one before.

    Args:
        initial_learning_rate: the rate of the first update.
        first_decay_steps: number of updates of the first period.
        t_mul: how many times longer each period is than the one before.
        m_mul: how many times higher it starts.
        alpha: the lowest rate as a share of `initial_learning_rate`.
        name: of the schedule.

    Example:
        >>> CosineDecayRestarts(1.0, 4, m_mul=0.5)([0, 2, 4, 8]).tolist()
        [1.0, 0.5, 0.5, 0.25]
    """

    options = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive("first_decay_steps", first_decay_steps)
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def rate(self, step: Any) -> Any:
        done: Any = step / float(self.first_decay_steps)
        if self.t_mul == 1.0:
            period: Any = ops.floor(done)
            inside = done - period
        else:
            # Period n starts at 1 + t + ... + t^(n-1) = (t^n - 1) / (t - 1) first periods. Rounding
            # of the quotient of logarithms must not move a restart, hence the small push.
            grown = 1.0 + done * (self.t_mul - 1.0)
            period = ops.floor(ops.log(grown) / math.log(self.t_mul) + 1e-12)
            length: Any = ops.power(float(self.t_mul), period)
            inside = (done - (length - 1.0) / (self.t_mul - 1.0)) / length
        height = 0.5 * ops.power(float(self.m_mul), period) * (1.0 + ops.cos(math.pi * inside))
        return self.initial_learning_rate * ((1.0 - self.alpha) * height + self.alpha)


SCHEDULES = Registry(
    "learning rate schedule",
    {
        made.__name__: made
        for made in (
            CosineDecay,
            CosineDecayRestarts,
            ExponentialDecay,
            InverseTimeDecay,
            PiecewiseConstantDecay,
            PolynomialDecay,
        )
    },
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The configuration of a schedule.

    Args:
        learning_rate_schedule: any schedule.

    Returns:
        What `deserialize` reads.

    Example:
        >>> serialize(ExponentialDecay(0.1, 10, 0.5))["class_name"]
        'ExponentialDecay'
    """
    return SCHEDULES.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule of a configuration.

    Args:
        config: what `serialize` returned, of Keras 3 too.
        custom_objects: names besides the built-in ones.

    Returns:
        A `LearningRateSchedule`.

    Example:
        >>> deserialize(serialize(ExponentialDecay(0.1, 10, 0.5)))(10)
        0.05
    """
    return SCHEDULES.deserialize(config, custom_objects)
