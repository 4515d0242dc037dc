"""Single ops on operands and with attributes that they accept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kgraph.errors import KGraphError
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import input_node, items
from kgraph.ir.node import Node
from kgraph.ir.op import OPS, Op, Sample, find_op
from kgraph.ir.types import Shape
from kgraph.ops.base import Elementwise
from kgraph.testing.choices import Choices, Drawn, Hypothesis
from kgraph.testing.failures import shown
from kgraph.testing.pool import BATCH

DTYPES = ("float32", "float64", "int32", "bool", "float16", "int64", "uint8")


@dataclass(frozen=True)
class OpCall:
    """An op with one output or more on inputs of its own.

    Args:
        op: the op.
        graph: its inputs and outputs.
        arrays: one array an input, on which the op is at home.
    """

    op: Op
    graph: Graph
    arrays: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        types = ", ".join(str(n.type) for n in self.graph.inputs)
        return f"OpCall({self.op.name}({types}))"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis would show the fields, without what the graph computes."""
        values = (f"{n.name} = {shown(a)}" for n, a in zip(self.graph.inputs, self.arrays))
        printer.text("\n".join([repr(self), str(self.graph), *values]))


def choose_op_call(choices: Choices, *names: str) -> OpCall:
    """A call from any source of decisions; see `op_calls`."""
    op = choices.among(_with_samples(names, len(OPS)))
    return _elementwise(op, choices) if _broadcasts(op) else _from_sample(op, choices)


@functools.lru_cache(maxsize=8)
def _with_samples(names: tuple[str, ...], registered: int) -> tuple[Op, ...]:
    """The ops to draw from; the number of registered ones keeps the table up to date."""
    for name in names:
        find_op(name)  # an op that is not there is no op to draw
    known = [op for name, op in OPS.items() if not names or name in names]
    return tuple(op for op in known if list(op.samples()))


def _broadcasts(op: Op) -> bool:
    """Whether the op takes operands of any shapes that broadcast, and tells where it is at home."""
    return isinstance(op, Elementwise) and hasattr(op, "domain")


def _elementwise(op: Any, choices: Choices) -> OpCall:
    """The op on inputs of drawn shapes and one dtype."""
    dtype = choices.among([d for d in DTYPES if _kind(d) in op.dtypes])
    whole = [choices.among((2, 3, 1, 5, 0)) for _ in range(choices.between(0, 3))]
    arrays, rng = [], choices.rng()
    for i in range(op.arity):
        start = choices.below(len(whole) + 1) if i else 0
        sizes = [1 if i and choices.chance(20) else d for d in whole[start:]]
        arrays.append(_at_home(op, rng, tuple(sizes), dtype))
    batch = bool(whole) and choices.chance(30)
    full = [batch and list(a.shape) == whole for a in arrays]
    inputs = [_input(i, a, symbolic) for i, (a, symbolic) in enumerate(zip(arrays, full))]
    node = _built(op, inputs, _some_sample(op, choices).attrs)
    if node is None:  # a symbol is not broadcast
        inputs = [_input(i, a) for i, a in enumerate(arrays)]
        node = op(*inputs)
    return OpCall(op, _graph(inputs, node), tuple(arrays))


def _at_home(op: Any, rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Numbers from the op's domain."""
    low, high = op.domain
    array = np.asarray(rng.uniform(low, high, shape))
    if dtype == "bool":
        return array > 0
    return (np.abs(array) if dtype == "uint8" else array).astype(dtype)


def _input(number: int, array: np.ndarray, batch: bool = False) -> Node:
    """An input like an array, whose first axis may be the symbolic batch."""
    shape: Shape = (BATCH, *array.shape[1:]) if batch else array.shape
    return input_node(shape, array.dtype.name, f"x{number}")


def _kind(dtype: str) -> str:
    return "b" if dtype == "bool" else "f" if dtype.startswith("float") else "i"


def _some_sample(op: Op, choices: Choices) -> Sample:
    return choices.among(list(op.samples()))


def _from_sample(op: Op, choices: Choices) -> OpCall:
    """The op on one of its samples; equal leading sizes may be the symbolic batch, if it agrees."""
    sample, rng = _some_sample(op, choices), choices.rng()
    arrays = [np.asarray(a(rng) if callable(a) else a) for a in sample.inputs]
    if choices.chance(25):
        wide = [a.astype("float64") if a.dtype.kind == "f" else a for a in arrays]
        made = _call(op, wide, sample, symbolic=False)
        arrays = wide if made is not None else arrays
    made = _call(op, arrays, sample, symbolic=True) if choices.chance(30) else None
    made = made or _call(op, arrays, sample, symbolic=False)
    assert made is not None, f"{op.name} refuses its own sample"
    return made


def _call(op: Op, arrays: list[np.ndarray], sample: Sample, symbolic: bool) -> OpCall | None:
    leading = arrays[0].shape[0] if arrays[0].ndim and symbolic else None
    inputs = [
        _input(i, a, batch=leading is not None and a.shape[:1] == (leading,))
        for i, a in enumerate(arrays)
    ]
    node = _built(op, inputs, sample.attrs)
    return None if node is None else OpCall(op, _graph(inputs, node), tuple(arrays))


def _built(op: Op, inputs: list[Node], attrs: Any) -> Any:
    try:
        return op.apply(inputs, **attrs)
    except (KGraphError, ValueError):
        return None  # a symbolic size, or another dtype, that these attributes do not allow


def _graph(inputs: list[Node], made: Any) -> Graph:
    outputs = items(made) if isinstance(made, Node) else made
    return Graph(tuple(inputs), tuple((f"y{i}", n) for i, n in enumerate(outputs)))


def draw_op_call(rng: np.random.Generator, *names: str) -> OpCall:
    """Draws a call of one op.

    Args:
        rng: what is drawn from.
        names: of the ops to draw from; default all that are registered.

    Returns:
        The call.

    Example:
        >>> draw_op_call(np.random.default_rng(0), "take").op.name
        'take'
    """
    return choose_op_call(Drawn(rng), *names)


@st.composite
def op_calls(draw: Callable[..., Any], *names: str) -> OpCall:
    """Single ops of the registry on operands and with attributes that they accept.

    Elementwise ops get operands of all shapes that broadcast and of all dtypes that they take;
    other ops get variations of their samples.

    Args:
        names: of the ops to draw from; default all that are registered.

    Returns:
        A strategy of `OpCall`: `op`, `graph`, `arrays`.

    Example:
        >>> from hypothesis import find
        >>> find(op_calls("add", "exp"), lambda call: len(call.arrays) == 2)
        OpCall(add(f32[], f32[]))
    """
    return choose_op_call(Hypothesis(draw), *names)
