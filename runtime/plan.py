"""Plan: the schedule with an address for every operand, as plain data.

Every value becomes an `Operand`: a strided window on an arena, an input buffer, a state or a
constant. An emitter reads the steps and nothing else. Views are resolved here, so they cost nothing
when the plan runs; a value that is to be a state's next value is computed straight into the state
when everybody has read the old one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable
from kgraph.runtime.copying import COPY, protect_old_states
from kgraph.runtime.memory import Buffer, assign_offsets, lower_bound
from kgraph.runtime.schedule import is_leaf, schedule

_SMALL = 1024  # elements; larger values are computed when the plan runs
Storage = tuple[Node, int]  # the node that writes it, and which of its outputs


@dataclass(frozen=True, slots=True)
class Operand:
    """A window on memory.

    Args:
        base: index of a buffer, or the input, state or constant node itself.
        offset: bytes from the base's start.
        shape, strides: of the window, strides in bytes.
        dtype: NumPy name.
    """

    base: Any
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def type(self) -> TensorType:
        """Shape and dtype of the window."""
        return TensorType(self.shape, self.dtype)


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call: `op` with `attrs` reads `inputs`, writes `outputs`, may use `scratch`."""

    op: Op
    attrs: Mapping[str, Any]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    scratch: tuple[Operand, ...]
    node: Node


@dataclass
class PlanData:
    """Everything an emitter needs.

    Attributes:
        steps: in order of execution.
        buffers: the arena's pieces, by index of their operands' `base`.
        arena_bytes: size of the arena.
        lower_bound: the most bytes that live at once; no arena is smaller.
        known: values that follow from constants and the binding alone, such as a batch's size.
        inputs, outputs: operands of the graph's inputs and outputs.
    """

    graph: Graph
    binding: Mapping[str, int]
    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    arena_bytes: int = 0
    lower_bound: int = 0
    known: dict[Node, np.ndarray] = field(default_factory=dict)
    inputs: tuple[Operand, ...] = ()
    outputs: tuple[Operand, ...] = ()


def make_plan(graph: Graph, binding: Mapping[str, int]) -> PlanData:
    """Schedules a graph and places its values.

    Args:
        graph: a CORE or FUSED graph.
        binding: the number of every symbol.

    Returns:
        All that an emitter needs.
    """
    return _Planner(protect_old_states(graph), binding).run()


class _Planner:
    """Where every value lies: first the window on its storage, then the storage's place."""

    def __init__(self, graph: Graph, binding: Mapping[str, int]) -> None:
        self.graph, self.binding = graph, binding
        self.data = PlanData(graph, binding)
        self.order = schedule(graph, binding)
        self.bound: dict[TensorType, TensorType] = {}
        self.attrs = {n: bind_attributes(n.attrs, binding) for n in self.order}
        # (node, output) -> its window; the base of a window is the storage it looks at.
        self.windows: dict[Node, list[Operand]] = {}
        self.target = {value: state for state, value in reversed(graph.updates)}
        self._find_windows()
        self.last_read = self._find_last_reads()
        self.home: dict[Storage, int | Node] = {}

    def _bind(self, types: Sequence[TensorType]) -> list[TensorType]:
        for type_ in types:
            if type_ not in self.bound:
                self.bound[type_] = type_.bind(self.binding)
        return [self.bound[t] for t in types]

    def _find_windows(self) -> None:
        for node in (*self.graph.inputs, *self.graph.nodes):
            if is_leaf(node):
                self.windows[node] = [contiguous((node, 0), self._bind(node.types)[0])]
                self._know_leaf(node)
        for node in self.order:
            if node.op.name == "item":
                source = self.windows[node.inputs[0]][node.attrs["index"]]
                self.windows[node] = [source]
                continue
            if node.op.view is not None:
                source = self.windows[node.inputs[0]][0]
                viewed = view_operand(source, node.op, self.attrs[node])
                if viewed is not None:
                    self.windows[node] = [viewed]
                    continue
            types = self._bind(node.types)
            self.windows[node] = [contiguous((node, i), t) for i, t in enumerate(types)]
            self._know(node, types)

    def _know_leaf(self, node: Node) -> None:
        if node.op.name == "const":
            self.data.known[node] = node.attrs["value"].array
        elif node.op.name == "size":
            self.data.known[node] = node.op.kernel(**bind_attributes(node.attrs, self.binding))

    def _know(self, node: Node, types: Sequence[TensorType]) -> None:
        """Computes a small node now when the binding has made all its operands numbers."""
        known = self.data.known
        small = len(types) == 1 and math.prod(types[0].shape) <= _SMALL  # type: ignore[arg-type]
        if small and node.inputs and all(i in known for i in node.inputs):
            with np.errstate(all="ignore"):
                arrays = [known[i] for i in node.inputs]
                known[node] = node.op.kernel(*arrays, **self.attrs[node])

    def _computes(self, node: Node) -> bool:
        """Whether the node writes memory, rather than naming some that is there."""
        if node.op.name == "item" or node in self.data.known:
            return False
        return self.windows[node][0].base == (node, 0)

    def _find_last_reads(self) -> dict[Storage, int]:
        """Storage -> index of the last step that reads it; outputs are read at the very end."""
        last: dict[Storage, int] = {}
        for index, node in enumerate(self.order):
            if self._computes(node):
                for operand in node.inputs:
                    last[self.windows[operand][0].base] = index
        for root in self.graph.roots:
            last[self.windows[root][0].base] = len(self.order)
        return last

    def run(self) -> PlanData:
        for index, node in enumerate(self.order):
            if self._computes(node):
                self._add_step(index, node)
        data = self.data
        data.outputs = tuple(self._operand(n) for _, n in self.graph.outputs)
        for state, value in self.graph.updates:
            source, whole = self._operand(value), contiguous(state, state.type)
            if source != whole:
                data.steps.append(Step(COPY, {}, (source,), (whole,), (), value))
        data.inputs = tuple(self._operand(n) for n in self.graph.inputs)
        data.arena_bytes = assign_offsets(data.buffers)
        data.lower_bound = lower_bound(data.buffers)
        return data

    def _operand(self, node: Node, output: int = 0) -> Operand:
        window = self.windows[node][output]
        base = self.home.get(window.base, window.base[0])
        return Operand(base, window.offset, window.shape, window.strides, window.dtype)

    def _add_step(self, index: int, node: Node) -> None:
        inputs = tuple(self._operand(i) for i in node.inputs)
        self._settle(index, node, inputs)
        outputs = tuple(self._operand(node, i) for i in range(len(node.types)))
        attrs = self.attrs[node]
        work = node.op.scratch(*[o.type for o in inputs], **attrs) if has_scratch(node.op) else ()
        scratch = tuple(contiguous(self._buffer(t, index, index), t) for t in work)
        self.data.steps.append(Step(node.op, attrs, inputs, outputs, scratch, node))

    def _settle(self, index: int, node: Node, inputs: tuple[Operand, ...]) -> None:
        """Chooses the storage of a step's outputs: a state, a dying operand's, or new."""
        for i, bound in enumerate(self._bind(node.types)):
            end = max(self.last_read.get((node, i), index), index)
            state = self.target.get(node)
            if state is not None and self._may_write(state, index, node, inputs):
                self.home[node, i] = state
                continue
            reused = self._reusable(index, node, inputs, bound)
            if reused is None or len(node.types) > 1:
                self.home[node, i] = self._buffer(bound, index, end)
            else:
                self.data.buffers[reused].end = end
                self.home[node, i] = reused

    def _buffer(self, type_: TensorType, start: int, end: int) -> int:
        size = math.prod(contiguous(0, type_).shape) * type_.itemsize
        self.data.buffers.append(Buffer(size, start, end))
        return len(self.data.buffers) - 1

    def _may_write(
        self, state: Variable, index: int, node: Node, inputs: tuple[Operand, ...]
    ) -> bool:
        """Whether the node may write the state: everybody else has read the old value."""
        last = self.last_read.get((state, 0), -1)
        if last != index:
            return last < index
        whole = contiguous(state, state.type)
        return all(
            operand.base is not state or (i in node.op.reuse and operand == whole)
            for i, operand in enumerate(inputs)
        )

    def _reusable(
        self, index: int, node: Node, inputs: tuple[Operand, ...], type_: TensorType
    ) -> int | None:
        """The buffer of an operand that dies here and has the output's exact layout."""
        for i in node.op.reuse:
            base = inputs[i].base if i < len(inputs) else None
            if not isinstance(base, int) or self.data.buffers[base].end != index:
                continue
            whole = contiguous(base, type_)
            if all(
                operand == whole and k in node.op.reuse
                for k, operand in enumerate(inputs)
                if operand.base == base
            ):
                return base
        return None


def has_scratch(op: Op) -> bool:
    """Whether the op's kernel may ask for scratch buffers."""
    return type(op).scratch is not Op.scratch


def contiguous(base: Any, type_: TensorType) -> Operand:
    """The window on all of a base in C order."""
    strides, step = [], type_.itemsize
    for dim in reversed(type_.shape):
        strides.append(step)
        step *= int(dim)  # type: ignore[arg-type]
    shape = tuple(int(d) for d in type_.shape)  # type: ignore[arg-type]
    return Operand(base, 0, shape, tuple(reversed(strides)), type_.dtype)


def view_operand(operand: Operand, op: Op, attrs: Mapping[str, Any]) -> Operand | None:
    """What a view op makes of a window, or None when it needs a copy."""
    template = as_strided(np.empty(1, operand.dtype), operand.shape, operand.strides)
    assert op.view is not None
    viewed = op.view(template, **attrs)
    if viewed is None:
        return None
    moved = viewed.__array_interface__["data"][0] - template.__array_interface__["data"][0]
    offset = operand.offset + (moved if viewed.size else 0)
    return Operand(operand.base, offset, viewed.shape, viewed.strides, viewed.dtype.name)
