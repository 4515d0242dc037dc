"""Hypothesis strategies: dtypes, shapes, arrays, and whole valid graphs.

Those of single ops, layers and models are in the files of these names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.ir.types import DTYPES, Shape, TensorType, parse_type
from kgraph.testing.choices import Hypothesis
from kgraph.testing.drawn_graphs import Plant, choose_graph
from kgraph.testing.pool import BATCH
from kgraph.testing.specials import special_values

DIMS = (2, 3, 1, 5, 0)
_KIND_OF = {"bool": "b", "uint8": "i", "int32": "i", "int64": "i"}


def dtypes(kinds: str = "bif") -> st.SearchStrategy[str]:
    """Names of dtypes.

    Args:
        kinds: which, of "b" (bool), "i" (integers), "f" (floats).

    Returns:
        A strategy; float32 is the simplest.

    Example:
        >>> from hypothesis import find
        >>> find(dtypes(), lambda dtype: True), find(dtypes("bi"), lambda dtype: True)
        ('float32', 'int32')
    """
    order = ("float32", "int32", "bool", "float64", "int64", "uint8", "float16")
    found = [d for d in order if _KIND_OF.get(d, "f") in kinds]
    assert set(order) == set(DTYPES)
    return st.sampled_from(found)


@st.composite
def shapes(
    draw: Callable[..., Any],
    count: int | None = None,
    *,
    most: int = 3,
    batch: bool = True,
    dims: Sequence[int] = DIMS,
) -> Any:
    """Shapes, or tuples of shapes that broadcast together.

    Args:
        count: how many shapes; None for a single one that is not in a tuple.
        most: axes at most.
        batch: whether the first axis may be the symbolic batch.
        dims: sizes of the other axes.

    Returns:
        A strategy of tuples of sizes; () is the simplest. A symbolic axis never stretches.

    Example:
        >>> from hypothesis import find
        >>> len(find(shapes(2), lambda pair: pair[0] != pair[1]))
        2
    """
    rank = draw(st.integers(0, most))
    whole: list[Any] = [draw(st.sampled_from(dims)) for _ in range(rank)]
    if rank and batch and draw(st.booleans()):
        whole[0] = BATCH
    if count is None:
        return tuple(whole)
    return tuple(_broadcastable(draw, whole) for _ in range(count))


def _broadcastable(draw: Callable[..., Any], whole: list[Any]) -> Shape:
    """Some of the last axes, of which some are of size 1."""
    kept = whole[draw(st.integers(0, len(whole))) :]
    return tuple(1 if draw(st.booleans()) else size for size in kept)


@st.composite
def arrays(
    draw: Callable[..., Any],
    type_: TensorType | str,
    *,
    special: bool = True,
    batch: int | st.SearchStrategy[int] = st.sampled_from([3, 1, 0, 2, 7]),  # noqa: B008
) -> np.ndarray:
    """Arrays of a type.

    Args:
        type_: shape and dtype, as text such as "f32[batch, 3]"; a symbolic size becomes `batch`.
        special: whether elements may be zeros of both signs, infinities, NaN, the ends of the
            dtype; otherwise they are small whole numbers.
        batch: the number of rows, or a strategy of it.

    Returns:
        A strategy of arrays; zeros are the simplest.

    Example:
        >>> from hypothesis import find
        >>> found = find(arrays("f32[2]"), lambda a: bool(np.isinf(a).any()))
        >>> float(np.abs(found).max())
        inf
    """
    type_ = parse_type(type_) if isinstance(type_, str) else type_
    rows = draw(batch) if isinstance(batch, st.SearchStrategy) else batch
    shape = tuple(evaluate(d, dict.fromkeys(d.symbols, rows) if hasattr(d, "symbols") else {})
                  for d in type_.shape)  # fmt: skip
    dtype = type_.dtype
    values: Any = special_values(dtype) if special else np.array([0, 1, 2, 3]).astype(dtype)
    if not special and dtype not in ("bool", "uint8"):
        values = np.array([0, 1, 2, 3, 4, -1, -2, -3, -4], dtype)
    numbers = st.integers(0, len(values) - 1)
    size = int(np.prod(shape))
    places = draw(st.lists(numbers, min_size=size, max_size=size))
    return values[np.array(places, np.int64)].reshape(shape)


@st.composite
def graphs(
    draw: Callable[..., Any],
    most: int = 40,
    *,
    patterns: Sequence[Plant] = (),
    tame: bool = True,
    gradients: bool = True,
    empty: bool = True,
) -> Graph:
    """Whole valid graphs: see `draw_graph`, which is faster where nothing has to shrink.

    Args:
        most: steps at most.
        patterns: left sides of rules to plant.
        tame: whether values are finite and arithmetic differs by rounding only.
        gradients: whether parts are gradients of other parts.
        empty: whether the graph must run without any rows.

    Returns:
        A strategy of graphs; `feed` gives arrays for their inputs.

    Example:
        >>> from hypothesis import find
        >>> len(find(graphs(most=2), lambda graph: len(graph.nodes) > 1).nodes) > 1
        True
    """
    return choose_graph(Hypothesis(draw), most, patterns, tame, gradients, empty)
