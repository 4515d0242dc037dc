"""Slices and gathers move up to where less is computed; joined and cut tensors fall apart again.

A slice goes above an elementwise op or a product that nobody else reads. It stays below where the
rest is small and the remaining rows would no longer lie together in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from kgraph import ops
from kgraph.ir.node import Node, build, rebuild
from kgraph.ir.op import Op
from kgraph.ir.types import Shape
from kgraph.ops.program import is_elementwise
from kgraph.ops.slicing import slice_
from kgraph.passes.rules import FunctionRule, Rule, at

Found = tuple[Callable[[], Node], tuple[Node, ...]]
Bounds = tuple[list[object], list[object], list[object]]

_NAMES = ("starts", "stops", "steps")


def _itself(node: Node) -> Node:
    return node


def _compose_slices(node: Node) -> Callable[[], Node] | None:
    """slice(slice(x)): positions in the inner slice become positions in x."""
    inner = node.inputs[0]
    if inner.op is not ops.slice:
        return None
    bounds = []
    for axis, size in enumerate(inner.inputs[0].shape):
        outer, within = ([n.attrs[k][axis] for k in _NAMES] for n in (node, inner))
        if within == [0, size, 1]:
            bounds.append(outer)
        elif all(isinstance(d, int) for d in (size, *outer, *within)) and outer[0] < outer[1]:
            first, _, step = within
            # The stop lies just behind the last element, not where the next one would be.
            last = first + (outer[1] - 1) * step
            bounds.append([first + outer[0] * step, last + 1, step * outer[2]])
        else:
            return None  # a size that comes out too small must still be refused
    return lambda: slice_(inner.inputs[0], *zip(*bounds))


def _join_slices(node: Node) -> Callable[[], Node] | None:
    """concatenate(x[i:j], x[j:k]) is x[i:k]."""
    axis, parts = node.attrs["axis"], node.inputs
    if len(parts) < 2 or any(part.op is not ops.slice for part in parts):
        return None
    whole, first = parts[0].inputs[0], parts[0]
    position = first.attrs["starts"][axis]
    for part in parts:
        starts, stops, steps = (part.attrs[name] for name in _NAMES)
        beside = all(
            (starts[i], stops[i]) == (first.attrs["starts"][i], first.attrs["stops"][i])
            for i in range(whole.ndim)
            if i != axis
        )
        if part.inputs[0] is not whole or not beside or any(step != 1 for step in steps):
            return None
        if starts[axis] != position:
            return None
        position = stops[axis]
    stops = list(first.attrs["stops"])
    stops[axis] = position
    if node.type == whole.type:
        return partial(_itself, whole)
    return lambda: slice_(whole, first.attrs["starts"], stops)


def _piece_of_join(node: Node) -> Callable[[], Node] | None:
    """The slice of a concatenation that is exactly one of its parts."""
    join = node.inputs[0]
    if join.op is not ops.concatenate or any(step != 1 for step in node.attrs["steps"]):
        return None
    axis, position = join.attrs["axis"], 0
    wanted = tuple(zip(node.attrs["starts"], node.attrs["stops"]))
    for part in join.inputs:
        end = position + part.shape[axis]
        bounds = tuple((position, end) if i == axis else (0, d) for i, d in enumerate(part.shape))
        if bounds == wanted:
            return partial(_itself, part)
        position = end
    return None


def _part_of_join(node: Node) -> Found | None:
    """The slice of a concatenation that needs some of its parts only."""
    join = node.inputs[0]
    axis = join.attrs["axis"]
    start, stop, step = (node.attrs[name][axis] for name in _NAMES)
    sizes = [part.shape[axis] for part in join.inputs]
    if step != 1 or not all(isinstance(d, int) for d in (start, stop, *sizes)) or start == stop:
        return None
    position, pieces = 0, []
    for part, size in zip(join.inputs, sizes):
        low, high = max(start - position, 0), min(stop - position, size)
        if low < high:
            pieces.append((part, low, high))
        position += size
    if len(pieces) == len(join.inputs):
        return None

    def make() -> Node:
        found = []
        for part, low, high in pieces:
            bounds = [list(node.attrs[name]) for name in _NAMES]
            bounds[0][axis], bounds[1][axis] = low, high
            found.append(slice_(part, *bounds))
        return found[0] if len(found) == 1 else ops.concatenate(found, axis)

    # Several pieces are copied together; the slice of a join that is there anyway is not.
    return make, () if len(pieces) == 1 else (join,)


def _flatten_join(node: Node) -> Found | None:
    """A concatenation of concatenations along the same axis is one."""
    axis = node.attrs["axis"]
    inner = [n for n in node.inputs if n.op is ops.concatenate and n.attrs["axis"] == axis]
    if not inner:
        return None
    parts = [part for n in node.inputs for part in (n.inputs if n in inner else (n,))]
    return lambda: ops.concatenate(parts, axis), tuple(inner)


def _cut(operand: Node, shape: Shape, bounds: Bounds) -> Node:
    """The part of an operand that an elementwise op needs for a slice of its result."""
    lead = len(shape) - operand.ndim
    own = [list(b[lead:]) for b in bounds]
    for axis, size in enumerate(operand.shape):
        if size != shape[lead + axis]:  # it stretches here
            own[0][axis], own[1][axis], own[2][axis] = 0, size, 1
    whole = [[0] * operand.ndim, list(operand.shape), [1] * operand.ndim]
    return operand if own == whole else slice_(operand, *own)


def _pays(node: Node) -> bool:
    """Whether a slice leaves out so much that computing the rest is less work."""
    inner, beyond_first = node.inputs[0], slice(1, None)
    if node.shape == inner.shape:
        return False
    if node.shape[beyond_first] == inner.shape[beyond_first] and node.attrs["steps"][0] == 1:
        return True
    kept, whole = 1, 1
    for part, size in zip(node.shape, inner.shape):
        if isinstance(part, int) and isinstance(size, int):
            kept, whole = kept * max(part, 1), whole * max(size, 1)
    return 2 * kept <= whole


def _slice_elementwise(node: Node) -> Found | None:
    """f(x)[i] is f(x[i])."""
    inner = node.inputs[0]
    if not is_elementwise(inner.op) or not _pays(node):
        return None
    bounds: Bounds = tuple(list(node.attrs[name]) for name in _NAMES)  # type: ignore[assignment]

    def make() -> Node:
        return rebuild(inner, tuple(_cut(o, inner.shape, bounds) for o in inner.inputs))

    return make, (inner,)


def _slice_matmul(node: Node) -> Found | None:
    """(x @ w)[i, j] is x[i] @ w[:, j]."""
    inner = node.inputs[0]
    left, right = inner.inputs
    if node.shape == inner.shape or min(left.ndim, right.ndim) < 2:
        return None
    starts, stops, steps = (list(node.attrs[name]) for name in _NAMES)
    if any(step != 1 for step in steps):
        return None

    def part(operand: Node, own: int) -> Node:
        # The axis that is summed over stays whole.
        other = -3 - own
        shape, bounds = list(inner.shape), (list(starts), list(stops), list(steps))
        shape[other] = operand.shape[other]
        bounds[0][other], bounds[1][other] = 0, operand.shape[other]
        return _cut(operand, tuple(shape), bounds)

    return lambda: ops.matmul(part(left, -2), part(right, -1)), (inner,)


def _take_elementwise(node: Node) -> Found | None:
    """f(x) gathered is f of x gathered, where that is no more work."""
    inner, ids = node.inputs
    if not is_elementwise(inner.op) or inner.op is ops.where:
        return None
    whole = [i for i, o in enumerate(inner.inputs) if o.ndim]
    if len(whole) != 1 or not all(isinstance(n.size, int) for n in (inner, node)):
        return None
    if node.size > inner.size:
        return None
    place = whole[0]

    def make() -> Node:
        operands = list(inner.inputs)
        operands[place] = build(node.op, (operands[place], ids), node.attrs)
        return rebuild(inner, tuple(operands))

    return make, (inner,)


def _of(outer: Op, inner: Callable[[Op], bool]) -> Callable[[Op, Sequence[Op]], bool]:
    return lambda op, operands: op is outer and inner(operands[0])


# Where a part takes the place of what was joined, or of what was computed whole, the elements lie
# otherwise in memory; sums over them may round otherwise. So do products of fewer rows.
SLICES: tuple[Rule, ...] = (
    FunctionRule("slice-slice", _compose_slices, at(ops.slice)),
    FunctionRule("slice-concatenate", _piece_of_join, at(ops.slice), kind="rounding"),
    FunctionRule("slice-concatenate-part", _part_of_join,
                 _of(ops.slice, lambda op: op is ops.concatenate), kind="rounding", users=1),
    FunctionRule("concatenate-slices", _join_slices, at(ops.concatenate), kind="rounding"),
    FunctionRule("concatenate-concatenate", _flatten_join,
                 lambda op, operands: op is ops.concatenate and ops.concatenate in operands,
                 users=1),
    FunctionRule("slice-elementwise", _slice_elementwise, _of(ops.slice, is_elementwise),
                 kind="rounding", users=1),
    FunctionRule("slice-matmul", _slice_matmul, _of(ops.slice, lambda op: op is ops.matmul),
                 kind="rounding", users=1),
    FunctionRule("take-elementwise", _take_elementwise, _of(ops.take, is_elementwise), users=1),
)  # fmt: skip
