"""Metrics that layers and models add themselves: their names, and what a batch adds to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir import AddedMetric, as_node, cast_to, product, size
from kgraph.training.totals import Increment

DIFFERENT_NAMES = (
    "Please provide different names for the metrics you have added. "
    'We found {} metrics with the name: "{}"'
)


def in_order(added: Iterable[AddedMetric], layers: Iterable[Any]) -> tuple[AddedMetric, ...]:
    """Added metrics in the order of the logs: layer by layer, then the model's own.

    Args:
        added: in any order; those of one layer keep theirs.
        layers: the model and all layers inside it.
    """
    _, *inner = layers
    places = {id(layer): place for place, layer in enumerate(inner)}
    return tuple(sorted(added, key=lambda metric: places.get(id(metric.layer), len(places))))


def check_names(names: Sequence[str]) -> None:
    """Refuses a name that two metrics have.

    Raises:
        ValueError: there is one.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(
                explain(
                    DIFFERENT_NAMES.format(count, name),
                    hint="a layer adds its metrics anew in each of its calls, so one that is "
                    "shared cannot add any",
                )
            )


def added_increments(added: Iterable[AddedMetric]) -> dict[str, Increment]:
    """What a batch adds: the sum of the elements, and their number.

    Args:
        added: with names that differ.
    """
    return {metric.name: _increment(metric.value) for metric in added}


def _increment(value: Any) -> Increment:
    # Short types would overflow, and booleans have no sum of their own type.
    values = value if value.dtype in ("float32", "float64") else cast_to(value, "float64")
    count = size(product(values.shape)) if values.ndim else as_node(1.0)
    return ops.sum(values), count


def check_same_names(training: Iterable[AddedMetric], evaluation: Iterable[AddedMetric]) -> None:
    """Refuses layers that add other metrics where they only measure.

    Raises:
        ValueError: the names differ.
    """
    expected, found = [m.name for m in training], [m.name for m in evaluation]
    if sorted(expected) != sorted(found):
        raise ValueError(
            explain(
                "The layers add other metrics in evaluation than in training",
                expected=expected,
                got=found,
                hint="call add_metric in both phases, as the logs of both have the same names",
            )
        )
