"""Planning: every value of a schedule gets its place.

Views are resolved here, so they cost nothing when the plan runs; a value that is to be a state's
next value is computed straight into the state when everybody has read the old one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import arg
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable
from kgraph.ops.scan import scan
from kgraph.passes.prepared import prepared_nodes
from kgraph.runtime.copying import COPY, protect_old_states
from kgraph.runtime.memory import Buffer, assign_offsets, lower_bound
from kgraph.runtime.plan import Operand, PlanData, Step, contiguous, view_operand
from kgraph.runtime.schedule import is_leaf, joins_in_place, schedule
from kgraph.runtime.unfuse import unfuse

_SMALL = 1024  # elements; larger values are computed when the plan runs
Storage = tuple[Node, int]  # the node that writes it, and which of its outputs


def make_plan(graph: Graph, binding: Mapping[str, int]) -> PlanData:
    """Schedules a graph and places its values.

    Args:
        graph: a CORE or FUSED graph.
        binding: the number of every symbol.

    Returns:
        All that an emitter needs.
    """
    graph = protect_old_states(unfuse(graph, binding))
    order, fixed = schedule(graph, binding), prepared_nodes(graph)
    order = sorted(order, key=lambda n: n not in fixed)
    return _Planner(graph, binding, order, fixed).run()


@dataclass(frozen=True)
class CarryPlace:
    """A carry that lies in the sequence of what the steps give, which so need not be copied there.

    Args:
        given: which of the things that the step gives is the carry.
        before: whether it is the value that the step finds, else the one that it hands on.
    """

    given: int
    before: bool


def carry_places(attrs: Mapping[str, Any]) -> dict[int, CarryPlace]:
    """The carries of a `scan` that its steps give as well, by number."""
    body, first, count = attrs["body"], attrs["consts"], attrs["carry"]
    after, given = body.outputs[:count], list(body.outputs[count:])
    found: dict[int, CarryPlace] = {}
    for i, value in enumerate(after):
        leaf = arg(first + i, body.parameters[first + i])
        wanted = leaf if leaf in given else value
        # What another carry finds or hands on as well lies where that one lies.
        alone = value.op.name != "arg" and after.count(value) == 1
        if alone and wanted in given:
            found[i] = CarryPlace(given.index(wanted), wanted is leaf)
    return found


def plan_loop(attrs: Mapping[str, Any], operands: Sequence[Operand]) -> PlanData:
    """Plans one step of a `scan`.

    To the planner a carry is a state. What the step gives is the next value of a state that nobody
    reads: the `arg` that would follow the last parameter, and so on. What `carry_places` finds is
    there without being computed.

    Args:
        attrs: the loop's attributes; its sizes are numbers.
        operands: where the loop's operands lie.

    Returns:
        A plan over the body's parameters, those `arg`s among them.
    """
    body, first, last = attrs["body"], attrs["consts"], attrs["consts"] + attrs["carry"]
    parameters = [arg(i, t) for i, t in enumerate(body.parameters)]
    given = body.outputs[attrs["carry"] :]
    slots = [arg(len(parameters) + i, y.type) for i, y in enumerate(given)]
    updates: Any = zip((*parameters[first:last], *slots), body.outputs, strict=True)
    there = {slots[place.given] for place in carry_places(attrs).values()}
    left = tuple([(slot, y) for slot, y in updates if slot not in there])
    graph = protect_old_states(unfuse(Graph((), (), left, Stage.FUSED), {}))
    strides = [o.strides[i >= last :] for i, o in enumerate(operands)]
    layouts = {p: s for i, (p, s) in enumerate(zip(parameters, strides)) if not first <= i < last}
    return _Planner(graph, {}, schedule(graph, {}), (), layouts).run()


class _Planner:
    """Where every value lies: first the window on its storage, then the storage's place."""

    def __init__(
        self,
        graph: Graph,
        binding: Mapping[str, int],
        order: Sequence[Node],
        fixed: Collection[Node],
        layouts: Mapping[Node, tuple[int, ...]] | None = None,
    ) -> None:
        self.graph, self.binding, self.order, self.fixed = graph, binding, order, fixed
        self.data = PlanData(graph, binding)
        self.layouts = layouts or {}  # leaf -> its strides, where they are not C order's
        self.bound: dict[TensorType, TensorType] = {}
        self.views: dict[Any, Operand | None] = {}
        self.operands: dict[tuple[Node, int], Operand] = {}
        self.attrs = {n: bind_attributes(n.attrs, binding) for n in self.order}
        # (node, output) -> its window; the base of a window is the storage it looks at.
        self.windows: dict[Node, list[Operand]] = {}
        self._find_windows()
        # The nodes that write memory, rather than naming some that is there.
        self.computed = frozenset([n for n in self.order if self._computes(n)])
        self.target = self._find_targets()
        self.inside = self._find_places()
        self.joined = {storage for storage, _ in self.inside.values()}
        self.last_read = self._find_last_reads()
        self.home: dict[Storage, int | Node] = {}

    def _bind(self, types: Sequence[TensorType]) -> list[TensorType]:
        found = []
        for type_ in types:
            bound = self.bound.get(type_)
            if bound is None:
                bound = self.bound[type_] = type_.bind(self.binding)
            found.append(bound)
        return found

    def _find_windows(self) -> None:
        for node in (*self.graph.inputs, *self.graph.nodes):
            if is_leaf(node):
                window = contiguous((node, 0), self._bind(node.types)[0])
                strides = self.layouts.get(node, window.strides)
                self.windows[node] = [replace(window, strides=strides)]
                self._know_leaf(node)
        for node in self.order:
            if node.op.name == "item":
                source = self.windows[node.inputs[0]][node.attrs["index"]]
                self.windows[node] = [source]
                continue
            if node.op.view is not None:
                source = self.windows[node.inputs[0]][0]
                viewed = self._view(source, node)
                if viewed is not None:
                    self.windows[node] = [viewed]
                    continue
            types = self._bind(node.types)
            self.windows[node] = [contiguous((node, i), t) for i, t in enumerate(types)]
            self._know(node, types)

    def _view(self, source: Operand, node: Node) -> Operand | None:
        """What a view node makes of a window; asked once for each layout and kind of view."""
        key = (node.op, node.named, source.shape, source.strides, source.dtype)
        if key not in self.views:
            plain = Operand(None, 0, source.shape, source.strides, source.dtype)
            self.views[key] = view_operand(plain, node.op, self.attrs[node])
        seen = self.views[key]
        if seen is None:
            return None
        offset = source.offset + seen.offset
        return Operand(source.base, offset, seen.shape, seen.strides, seen.dtype)

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
                known[node] = np.asarray(node.op.kernel(*arrays, **self.attrs[node]), order="C")

    def _computes(self, node: Node) -> bool:
        if node.op.name == "item" or node in self.data.known:
            return False
        return self.windows[node][0].base == (node, 0)

    def _find_targets(self) -> dict[Storage, Variable]:
        """Storage -> the state whose next value fills it from end to end."""
        found: dict[Storage, Variable] = {}
        for state, value in self.graph.updates:
            window = self.windows[value][0]
            if window == contiguous(window.base, state.type) and self._fills(window):
                found.setdefault(window.base, state)
        return found

    def _fills(self, window: Operand) -> bool:
        """Whether a window shows all of a storage that some step writes, in C order."""
        node, output = window.base
        if is_leaf(node) or node in self.data.known:
            return False
        whole = self.windows[node][output]
        flat = contiguous(window.base, window.type) == window
        return flat and math.prod(whole.shape) == math.prod(window.shape)

    def _find_places(self) -> dict[Storage, tuple[Storage, int]]:
        """Storage -> the joined storage it is a piece of, and the byte where it starts there.

        What is joined along the leading axis lies there one after the other, so its operands are
        computed in their places and joining them costs nothing.
        """
        found: dict[Storage, tuple[Storage, int]] = {}
        for node in self.order:
            if node not in self.computed or (node, 0) in self.target:
                continue
            if not joins_in_place(node, self.windows[node][0].shape):
                continue
            offset = 0
            for operand in node.inputs:
                window = self.windows[operand][0]
                taken = window.base in found or window.base in self.target
                if not taken and self._fills(window):
                    found[window.base] = ((node, 0), offset)
                offset += int(window.type.nbytes)
        return found

    def _place(self, storage: Storage) -> tuple[Storage, int]:
        """The storage that gets memory of its own for this one, and the byte in it."""
        offset = 0
        while storage in self.inside:
            storage, start = self.inside[storage]
            offset += start
        return storage, offset

    def _find_last_reads(self) -> dict[Storage, int]:
        """Storage -> index of the last step that reads it; outputs are read at the very end."""
        last: dict[Storage, int] = {}
        for index, node in enumerate(self.order):
            if node not in self.computed:
                continue
            for operand in node.inputs:
                # What every run reads must outlive the run.
                kept = operand in self.fixed and node not in self.fixed
                storage = self._place(self.windows[operand][0].base)[0]
                last[storage] = len(self.order) if kept else max(last.get(storage, 0), index)
        for root in self.graph.roots:
            last[self._place(self.windows[root][0].base)[0]] = len(self.order)
        return last

    def run(self) -> PlanData:
        for index, node in enumerate(self.order):
            if node in self.computed:
                self._add_step(index, node)
                if node in self.fixed:
                    self.data.prepared = len(self.data.steps)
        data = self.data
        data.outputs = tuple(self._operand(n) for _, n in self.graph.outputs)
        for state, value in self.graph.updates:
            source, whole = self._operand(value), contiguous(state, state.type)
            if source != whole:
                end = len(self.order)
                data.steps.append(Step(COPY, {}, (source,), (whole,), (), value, moment=end))
        data.inputs = tuple(self._operand(n) for n in self.graph.inputs)
        data.arena_bytes = assign_offsets(data.buffers)
        data.lower_bound = lower_bound(data.buffers)
        return data

    def _operand(self, node: Node, output: int = 0) -> Operand:
        """Where a value lies, when its storage has got its place."""
        found = self.operands.get((node, output))
        if found is None:
            window = self.windows[node][output]
            storage, start = self._place(window.base)
            base = self.home.get(storage, storage[0])
            found = Operand(base, start + window.offset, window.shape, window.strides, window.dtype)
            self.operands[node, output] = found
        return found

    def _add_step(self, index: int, node: Node) -> None:
        inputs = tuple(self._operand(i) for i in node.inputs)
        self._settle(index, node, inputs)
        if (node, 0) in self.joined:
            self._join_rest(index, node, inputs)
            return
        outputs = tuple(self._operand(node, i) for i in range(len(node.types)))
        attrs, loop = self.attrs[node], None
        work = node.op.scratch(*[o.type for o in inputs], **attrs) if node.op.has_scratch else ()
        if node.op is scan:
            loop = plan_loop(attrs, inputs)
            self.data.known.update(loop.known)
            work = (TensorType((loop.arena_bytes,), "uint8"),)
        scratch = tuple(contiguous(self._buffer(t, index, index), t) for t in work)
        self.data.steps.append(Step(node.op, attrs, inputs, outputs, scratch, node, loop, index))

    def _join_rest(self, index: int, node: Node, inputs: tuple[Operand, ...]) -> None:
        """Copies those operands of a join that could not be computed in their places."""
        result, offset = self._operand(node), 0
        for operand, source in zip(node.inputs, inputs, strict=True):
            place = contiguous(result.base, source.type)
            place = replace(place, offset=result.offset + offset)
            if source != place:
                copy = Step(COPY, {}, (source,), (place,), (), operand, moment=index)
                self.data.steps.append(copy)
            offset += int(source.type.nbytes)

    def _settle(self, index: int, node: Node, inputs: tuple[Operand, ...]) -> None:
        """Chooses the storage of a step's outputs: a state, a dying operand's, or new."""
        for i, bound in enumerate(self._bind(node.types)):
            storage, _ = self._place((node, i))
            if storage in self.home:
                continue  # an earlier piece of the same join has made room
            end = max(self.last_read.get(storage, index), index)
            if storage != (node, i):
                whole = self._bind(storage[0].types)[storage[1]]
                self.home[storage] = self._buffer(whole, index, end)
                continue
            state = self.target.get(storage)
            if state is not None and self._may_write(state, index, storage, inputs):
                self.home[storage] = state
                continue
            reused = self._reusable(index, storage, inputs, bound)
            if reused is None:
                self.home[storage] = self._buffer(bound, index, end)
            else:
                self.data.buffers[reused].end = end
                self.home[storage] = reused

    def _buffer(self, type_: TensorType, start: int, end: int) -> int:
        size = int(type_.nbytes)
        self.data.buffers.append(Buffer(size, start, end))
        return len(self.data.buffers) - 1

    def _may_write(
        self, state: Variable, index: int, storage: Storage, inputs: tuple[Operand, ...]
    ) -> bool:
        """Whether a step may write the state: everybody else has read the old value."""
        last = self.last_read.get((state, 0), -1)
        if last != index:
            return last < index
        return self._may_overwrite(state, state.type, storage, inputs)

    def _reusable(
        self, index: int, storage: Storage, inputs: tuple[Operand, ...], type_: TensorType
    ) -> int | None:
        """The buffer of an operand that dies here and has the output's exact layout."""
        node, output = storage
        earlier = [self.home.get((node, i)) for i in range(output)]
        for i in node.op.reuses(output, self.attrs[node]):
            base = inputs[i].base if i < len(inputs) else None
            if not isinstance(base, int) or self.data.buffers[base].end != index:
                continue
            if base not in earlier and self._may_overwrite(base, type_, storage, inputs):
                return base
        return None

    def _may_overwrite(
        self, base: Any, type_: TensorType, storage: Storage, inputs: tuple[Operand, ...]
    ) -> bool:
        """Whether all that the step reads of a base is what the output may take the place of."""
        node, output = storage
        whole = contiguous(base, type_)
        allowed = node.op.reuses(output, self.attrs[node])
        return all(
            operand == whole and i in allowed
            for i, operand in enumerate(inputs)
            if operand.base == base
        )
