"""What `compile` was told, resolved for each output: losses, their weights, metrics, log names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph import losses
from kgraph import metrics as metric_functions
from kgraph.ir import Node, Variable
from kgraph.optimizers import Optimizer


@dataclass(frozen=True)
class Metric:
    """A metric of one output under its name in the logs."""

    name: str
    identifier: Any
    weighted: bool


@dataclass(frozen=True)
class Head:
    """An output that is trained.

    Args:
        name: the output's name.
        index: its position among the model's outputs.
        loss: a function of (y_true, y_pred), or a `Loss`.
        weight: factor of the loss in the total; a number or a scalar node.
        log: the loss's own name in the logs, None where the total says it all.
        metrics: what else is measured.
    """

    name: str
    index: int
    loss: Any
    weight: Any
    log: str | None
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Settings:
    """What `compile` was told, under the names that a model has for it."""

    optimizer: Optimizer
    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    sample_weight_mode: Any
    memory_budget: int | float | None
    run_eagerly: bool
    steps_per_execution: int


@dataclass
class Compilation:
    """The result of `compile`.

    Attributes:
        optimizer: the optimizer.
        heads: the outputs that have a loss.
        trainable: the weights that training changes, as they were when `compile` was called.
        flags: each layer with whether it was trainable then.
        memory_budget: what a training step may take, in bytes or as a part.
        run_eagerly: whether steps are interpreted and every value is looked at.
        steps_per_execution: batches that run between two calls of callbacks.
    """

    optimizer: Optimizer
    heads: tuple[Head, ...]
    trainable: tuple[Variable, ...]
    flags: tuple[tuple[Any, bool], ...] = ()
    memory_budget: int | float | None = None
    run_eagerly: bool = False
    steps_per_execution: int = 1

    @property
    def names(self) -> list[str]:
        """Names of the logged values: total, outputs' losses, metrics, weighted metrics."""
        logs = [head.log for head in self.heads if head.log is not None]
        metrics = [m for head in self.heads for m in head.metrics]
        return ["loss", *logs, *(m.name for m in sorted(metrics, key=lambda m: m.weighted))]


def make_heads(
    names: Sequence[str],
    loss: Any,
    loss_weights: Any = None,
    metrics: Any = None,
    weighted_metrics: Any = None,
) -> tuple[Head, ...]:
    """Resolves the arguments of `compile` for each output that has a loss.

    Args:
        names: names of the model's outputs.
        loss: one for all outputs, a list with one (or None) an output, or a dict by name.
        loss_weights: likewise numbers; default 1.
        metrics: a list for all outputs, one list an output, or a dict by name.
        weighted_metrics: likewise; these see the sample weights.

    Raises:
        ValueError: a list has the wrong length, a dict an unknown key, a name no meaning.
    """
    chosen = per_output("loss", loss, names)
    weights = numbers_per_output("loss_weights", loss_weights, names)
    plain = metrics_per_output("metrics", metrics, names)
    weighted = metrics_per_output("weighted_metrics", weighted_metrics, names)
    if is_by_name(loss):
        for name in names:
            if name not in loss:
                warnings.warn(
                    f'Output "{name}" missing from loss dictionary. We assume this was done on '
                    "purpose. The fit and evaluate APIs will not be expecting any data to be "
                    f'passed to "{name}".',
                    stacklevel=4,
                )
    several, heads = len(names) > 1, []
    taken = {"loss", *(f"{name}_loss" for name in names if several)}
    for index, name in enumerate(names):
        if chosen[index] is None:
            continue
        prefix = f"{name}_" if several else ""
        measured = [(m, False) for m in plain[index]] + [(m, True) for m in weighted[index]]
        found = tuple(
            Metric(unused(prefix + metric_name(m), taken), known_metric(m), flag)
            for m, flag in measured
        )
        weight = 1.0 if weights[index] is None else weights[index]
        log = f"{name}_loss" if several else None
        heads.append(Head(name, index, losses.get(chosen[index]), weight, log, found))
    return tuple(heads)


def per_output(what: str, value: Any, names: Sequence[str]) -> list[Any]:
    """Spreads an argument over the outputs.

    Args:
        what: the argument's name, for messages.
        value: one for all outputs, a list with one an output, or a dict by output name.
        names: the outputs' names.
    """
    if is_by_name(value):
        check_keys(what, value, names)
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise ValueError(
                f"When passing a list as {what}, it should have one entry per model output. "
                f"The model has {len(names)} outputs, but you passed {what}={value}"
            )
        return list(value)
    return [value] * len(names)


def numbers_per_output(what: str, value: Any, names: Sequence[str]) -> list[Any]:
    """Spreads numbers, which may be scalar variables, over the outputs.

    Raises:
        TypeError: an entry is no number.
    """
    found = per_output(what, value.tolist() if isinstance(value, np.ndarray) else value, names)
    wrong = [entry for entry in found if entry is not None and not is_number(entry)]
    if wrong:
        raise TypeError(
            f"Could not interpret {what} argument: {value!r}. Expected a number, or a list or dict "
            "of numbers by output."
        )
    return found


def is_number(value: Any) -> bool:
    """Whether a value is a number or a node that stands for one."""
    return isinstance(value, (int, float, np.number, Node))


def metrics_per_output(what: str, value: Any, names: Sequence[str]) -> list[list[Any]]:
    """Spreads metrics over the outputs: a flat list goes to every output.

    Raises:
        TypeError: it holds what is no metric.
    """
    if is_by_name(value):
        check_keys(what, value, names)
        return [_metrics(what, value.get(name)) for name in names]
    entries = as_list(value)
    by_output = any(entry is None or isinstance(entry, (list, tuple)) for entry in entries)
    if not by_output:
        return [_metrics(what, entries) for _ in names]
    if len(entries) != len(names):
        raise ValueError(
            f"When passing a list of lists as `{what}`, it should have one entry per model "
            f"output. The model has {len(names)} outputs, but you passed {what}={value}"
        )
    return [_metrics(what, entry) for entry in entries]


def _metrics(what: str, value: Any) -> list[Any]:
    """The metrics of one output."""
    entries = as_list(value)
    for entry in entries:
        if not (isinstance(entry, (str, Mapping)) or callable(entry)):
            raise TypeError(
                f"Type of `{what}` argument not understood. Expected names, functions or `Metric` "
                f"objects in a list or dictionary, found: {entry!r}"
            )
    return entries


def check_mode(value: Any, names: Sequence[str]) -> None:
    """Refuses a `sample_weight_mode` that no version of Keras has.

    Raises:
        ValueError: it is none.
    """
    modes = per_output("sample_weight_mode", value, names)
    if any(mode not in (None, "temporal") for mode in modes):
        raise ValueError(
            '`sample_weight_mode` must be None or "temporal", or a list or dict of these by '
            f"output. Received: {value!r}"
        )


def is_by_name(value: Any) -> bool:
    """Whether an argument is a dict by output name, rather than an object's configuration."""
    return isinstance(value, Mapping) and "class_name" not in value


def check_keys(what: str, value: Iterable[str], names: Sequence[str]) -> None:
    """Refuses names that the model does not have."""
    unknown = [key for key in value if key not in names]
    if unknown:
        raise ValueError(
            f"Unknown entries in {what} dictionary: {unknown}. "
            f"Only expected following keys: {list(names)}"
        )


def as_list(value: Any) -> list[Any]:
    """None as no entries, one entry as a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def known_metric(metric: Any) -> Any:
    """The metric itself, if it has a meaning.

    Raises:
        ValueError: there is no metric of that name.
    """
    if not metric_functions.by_output(metric):
        metric_functions.get(metric)
    return metric


def metric_name(metric: Any) -> str:
    """The name in the logs: the string as typed, else the object's or function's own."""
    if isinstance(metric, str):
        return metric
    if isinstance(metric, Mapping):
        return str(metric["config"].get("name") or metric["class_name"])
    own = getattr(metric, "name", None) or getattr(metric, "__name__", None)
    return str(own or type(metric).__name__)


def unused(name: str, taken: set[str]) -> str:
    """The name, or the name with the first free number; it is taken then."""
    number, candidate = 0, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    taken.add(candidate)
    return candidate


def in_keras_2s_order(
    metrics: Any, loss_weights: Any, mode: Any, weighted_metrics: Any
) -> tuple[Any, Any, Any, Any]:
    """Arguments of `compile` that may have been passed by place, in Keras 3's order.

    Keras 3 has loss_weights, metrics, weighted_metrics in these places.

    Example:
        >>> in_keras_2s_order([1.0, 2.0], ["mae"], ["mse"], None)
        (['mae'], [1.0, 2.0], None, ['mse'])
    """
    swapped = _all(metrics, is_number) or (metrics is None and _all(loss_weights, _is_metric))
    if not swapped:
        return metrics, loss_weights, mode, weighted_metrics
    if weighted_metrics is None and _all(mode, _is_metric):
        mode, weighted_metrics = None, mode
    return loss_weights, metrics, mode, weighted_metrics


def _all(value: Any, test: Callable[[Any], bool]) -> bool:
    """Whether an argument has entries, all of which pass a test."""
    entries = list(value.values()) if isinstance(value, Mapping) else as_list(value)
    return bool(entries) and all(map(test, entries))


def _is_metric(value: Any) -> bool:
    """Whether a value can only be meant as a metric, or as several."""
    if isinstance(value, (list, tuple)):
        return _all(value, _is_metric)
    if not isinstance(value, str):
        return callable(value)
    try:
        known_metric(value)
    except ValueError:
        return False
    return True
