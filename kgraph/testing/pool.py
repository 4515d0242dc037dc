"""The pool that a random graph grows from: its leaves, and every value computed so far.

Values of a tame graph are exact (small whole numbers, whose sums and products no rounding touches)
or rough, and bounded. Ops that jump take exact operands only, so two orders of the same arithmetic
differ by rounding and nothing else. A wild graph holds NaNs and infinities and has no such limits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kgraph import ops
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.types import Shape
from kgraph.ir.variable import Variable
from kgraph.testing.choices import Choices

BATCH = Dim.symbol("batch")
LIMIT = 8.0  # what inputs and states of tame graphs stay below
LARGEST = 1e4  # exact values above this are clipped, so that float32 holds them exactly
LARGEST_HALF = 1e3
LARGEST_BYTE = 255.0
_KINDS = {"bool": "bool", "float16": "float", "float32": "float", "float64": "float"}
SIZES = (3, 2, 5, 1, 3, 2, 5, 0)  # of axes; 0 comes seldom, as little happens in an empty tensor


class Value:
    """A node, whether its values are exact, and a bound on them.

    Attributes:
        kind: what tables the value draws from: float, int or bool.
    """

    # Asked for hundreds of times a graph, so what the node computes anew each time is kept here.
    __slots__ = ("bound", "dtype", "exact", "is_float", "kind", "ndim", "node", "shape")

    def __init__(self, node: Node, exact: bool = True, bound: float = LIMIT) -> None:
        self.node, self.exact, self.bound = node, exact, bound
        type_ = node.types[0]
        self.dtype, self.shape, self.ndim = type_.dtype, type_.shape, len(type_.shape)
        self.kind = _KINDS.get(self.dtype, "int")
        self.is_float = self.kind == "float"


@dataclass
class Pool:
    """What a graph grows from.

    Attributes:
        choices: makes the decisions.
        values: leaves first, then what was computed, oldest first.
        inputs: the leaves that a caller feeds.
        states: the leaves that are variables.
        tame: whether values are bounded and finite.
        empty: whether the graph must run without any rows.
    """

    choices: Choices
    values: list[Value]
    inputs: tuple[Node, ...]
    states: list[Value]
    tame: bool
    empty: bool

    def pick(self, test: Callable[[Value], bool]) -> Value | None:
        """One of the values that pass, half the time one of the youngest, for depth."""
        fitting = [v for v in self.values if test(v)]
        if not fitting:
            return None
        recent = fitting[-1:-5:-1]
        return self.choices.among(recent if self.choices.flag() else fitting)

    def any(self) -> Value:
        """Any of the values, as `pick` does."""
        values = self.values
        return self.choices.among(values[-1:-5:-1] if self.choices.flag() else values)

    def like(self, value: Value) -> Value:
        """A value of the same dtype, maybe the same one."""
        dtype = value.dtype
        return self.pick(lambda v: v.dtype == dtype) or value

    def ids(self) -> Node:
        """The input that holds places along an axis."""
        return self.inputs[1]

    def add(self, value: Value) -> None:
        """Takes up a new value, clipped when its bound has grown too large."""
        self.values.append(bounded(value) if self.tame else value)


def bounded(value: Value) -> Value:
    """The value, clipped when its bound has grown too large."""
    dtype = value.dtype
    if dtype in ("bool", "uint8"):
        return Value(value.node, value.exact, LARGEST_BYTE if dtype == "uint8" else 1.0)
    largest = LARGEST_HALF if dtype == "float16" else LARGEST
    return value if value.bound <= largest else clipped(value)


def clipped(value: Value) -> Value:
    """The value between -LIMIT and LIMIT."""
    low, high = (-LIMIT, LIMIT) if value.is_float else (int(-LIMIT), int(LIMIT))
    return Value(ops.clip(value.node, low, high), value.exact, LIMIT)


def make_pool(choices: Choices, tame: bool = True, empty: bool = True) -> Pool:
    """Leaves of every dtype over two sizes, and nothing else yet.

    Args:
        choices: makes the decisions.
        tame: whether values are to stay bounded and finite.
        empty: whether the graph must run without any rows.

    Returns:
        The pool.

    Example:
        >>> from kgraph.testing.choices import Drawn
        >>> pool = make_pool(Drawn(np.random.default_rng(0)), tame=True)
        >>> pool.inputs[0].dtype, len(pool.states)
        ('float32', 5)
    """
    n, m = choices.among(SIZES), choices.among(SIZES)
    inputs = _inputs(n, m)
    states = _states(choices.rng(), n)
    leaves = [*(Value(x, True, _bound(x.dtype)) for x in inputs), *states]
    return Pool(choices, leaves, inputs, states, tame, empty)


@functools.lru_cache(maxsize=64)
def _inputs(n: int, m: int) -> tuple[Node, ...]:
    """Inputs of every dtype; all share the symbolic batch, and the second one holds places."""
    rows: Sequence[tuple[str, Shape, str]] = (
        ("x", (BATCH, n), "float32"),
        ("ids", (BATCH,), "int32"),
        ("w", (n, m), "float32"),
        ("row", (n,), "float32"),
        ("mask", (BATCH, n), "bool"),
        ("wide", (BATCH, n), "float64"),
        ("scalar", (), "float32"),
        ("column", (BATCH, 1), "float32"),
        ("cube", (BATCH, m, n), "float32"),
        ("count", (n,), "int64"),
        ("bytes", (BATCH, n), "uint8"),
        ("half", (m, n), "float16"),
    )
    return tuple(input_node(shape, dtype, name) for name, shape, dtype in rows)


def _bound(dtype: str) -> float:
    return 1.0 if dtype == "bool" else LIMIT


def _states(rng: np.random.Generator, n: int) -> list[Value]:
    """Two square exact states, a rough one, a counter, a flag."""

    def state(name: str, shape: tuple[int, ...], dtype: str, exact: bool = True) -> Value:
        array = rng.integers(-4, 5, shape) if exact else rng.normal(size=shape)
        return Value(Variable(array, name, dtype), exact, LIMIT)

    return [
        state("a", (n, n), "float32"),
        state("b", (n, n), "float32"),
        state("rough", (n, n), "float32", exact=False),
        state("count", (), "int64"),
        state("flag", (n,), "bool"),
    ]
