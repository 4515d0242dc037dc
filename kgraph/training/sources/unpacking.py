"""What a batch of a generator or a data set holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.training.data import is_array
from kgraph.training.sources.rows import reads_rows

NO_TUPLE = "Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. Found: {}"


def unpack(batch: Any) -> tuple[Any, Any, Any]:
    """A batch as inputs, targets and sample weights.

    Args:
        batch: (x,), (x, y) or (x, y, sample_weight) as a tuple or a list, or inputs alone as an
            array or a dict.

    Raises:
        ValueError: it is something else.

    Example:
        >>> unpack(({"a": 1}, 2))
        ({'a': 1}, 2, None)
    """
    if isinstance(batch, Mapping) or is_array(batch) or reads_rows(batch):
        return batch, None, None
    if not isinstance(batch, (tuple, list)) or not 1 <= len(batch) <= 3:
        raise ValueError(NO_TUPLE.format(str(batch)[:200]))
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight


def unpack_inputs(batch: Any) -> Any:
    """The inputs of a batch: the first of a tuple, else all of it."""
    return unpack(batch)[0] if isinstance(batch, tuple) else batch
