"""Tracing the step of a loop: it is called once, on placeholders, and its results are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.context import current_context
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node
from kgraph.ir.op import as_node
from kgraph.ir.structure import Structure, flatten
from kgraph.ir.types import TensorType
from kgraph.ops.loops import Loop, dependents, placeholder


@dataclass(frozen=True)
class TracedStep:
    """A loop and the structures of what it takes and gives.

    Args:
        loop: the step as expressions.
        carry, ys: structures.
        symbolic: whether some argument was a node.
    """

    loop: Loop
    carry: Structure
    ys: Structure
    symbolic: bool

    def pack(self, finals: Sequence[Any], ys: Sequence[Any]) -> tuple[Any, Any]:
        """Puts the results into the structures of the carry and of `y`."""
        return self.carry.pack(finals), self.ys.pack(ys)


def trace_step(
    step: Callable[[Any, Any], Any], init: Any, xs: Any, length: int | Dim | None, reverse: bool
) -> TracedStep:
    """Calls the step of `scan` on placeholders; the arguments are those of `scan`."""
    init_leaves, carry_structure = flatten(init)
    xs_leaves, xs_structure = flatten(xs)
    before = _as_nodes(init_leaves, carry_structure.paths("init"))
    paths = xs_structure.paths("xs")
    sequences = _as_nodes(xs_leaves, paths)
    steps = _length(sequences, paths, length)
    carry = tuple(placeholder(n.type, p) for n, p in zip(before, carry_structure.paths("carry")))
    elements = tuple(
        placeholder(n.type.with_shape(n.shape[1:]), p)
        for n, p in zip(sequences, xs_structure.paths("x"))
    )
    result = step(carry_structure.pack(carry), xs_structure.pack(elements))
    _check_effects((*carry, *elements))
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(
            explain("scan: step must return a pair (carry, y)", got=f"{type(result)} {result!r}",
                    hint="return (carry, None) if the step gives nothing else")
        )  # fmt: skip
    after_leaves, after_structure = flatten(result[0])
    y_leaves, y_structure = flatten(result[1])
    if after_structure != carry_structure:
        raise TypeError(
            explain("scan: step returns a carry of another structure than init",
                    expected=_outline(carry_structure), got=_outline(after_structure))
        )  # fmt: skip
    after = _after(after_leaves, before, carry_structure.paths("carry"))
    ys = _as_nodes(y_leaves, y_structure.paths("y"))
    loop = Loop(carry, before, after, elements, sequences, ys, steps, reverse)
    symbolic = any(isinstance(x, Node) for x in (*init_leaves, *xs_leaves))
    return TracedStep(loop, carry_structure, y_structure, symbolic)


def _check_effects(placeholders: Sequence[Node]) -> None:
    """A layer that is inlined in the step may leave nothing behind that only a step knows."""
    context = current_context()
    left = [] if context is None else context.effects
    found = dependents(left, placeholders).intersection(left)
    if found:
        raise TypeError(
            explain("scan: a layer in the step updates a state or adds a loss or a metric in "
                    "every step",
                    got=repr(next(iter(found))), hint="give it back as y and use it after the loop")
        )  # fmt: skip


def _as_nodes(leaves: Sequence[Any], paths: Sequence[str]) -> tuple[Node, ...]:
    found = []
    for leaf, path in zip(leaves, paths, strict=True):
        try:
            node = as_node(leaf)
        except InferenceError as error:
            raise TypeError(explain(f"scan: {path} is not a tensor", got=str(error))) from None
        if len(node.types) != 1:
            raise TypeError(explain(f"scan: {path} is a node of several outputs", got=repr(node)))
        found.append(node)
    return tuple(found)


def _after(leaves: Sequence[Any], before: Sequence[Node], paths: Sequence[str]) -> tuple[Node, ...]:
    """The next carry; a Python number takes the dtype of what it replaces."""
    numbers = (bool, int, float)
    nodes = _as_nodes(
        [
            as_node(v, n.dtype) if isinstance(v, numbers) else v
            for v, n in zip(leaves, before, strict=True)
        ],
        paths,
    )
    for node, old, path in zip(nodes, before, paths, strict=True):
        if node.type != old.type:
            raise InferenceError(
                explain(f"scan: {path} changes its type in a step", expected=old.type,
                        got=node.type, where=node.origin.where, hint=_hint(old.type, node.type))
            )  # fmt: skip
    return nodes


def _hint(before: TensorType, after: TensorType) -> str:
    if before.dtype != after.dtype:
        return f"give init in {after.dtype}, or cast the carry with kgraph.ops.cast"
    return "give init the shape that every step returns, for example with kgraph.ops.broadcast_to"


def _length(sequences: Sequence[Node], paths: Sequence[str], length: int | Dim | None) -> int | Dim:
    """The one number of steps that `length` and all sequences agree on."""
    if isinstance(length, (bool, np.bool_)) or not isinstance(
        length, (int, np.integer, Dim, type(None))
    ):
        raise TypeError(explain("scan: length must be a size", got=repr(length)))
    found = {} if length is None else {"length": length if isinstance(length, Dim) else int(length)}
    for node, path in zip(sequences, paths, strict=True):
        if not node.ndim:
            raise InferenceError(
                explain(f"scan: {path} has no time axis", got=node.type,
                        hint="what all steps share is used in the step directly")
            )  # fmt: skip
        found[path] = node.shape[0]
    if not found:
        raise InferenceError(explain("scan: no length", expected="xs with a time axis, or length="))
    if len(set(found.values())) > 1:
        given = ", ".join(f"{path}: {size}" for path, size in found.items())
        raise InferenceError(explain("scan: xs and length disagree", got=given))
    steps = next(iter(found.values()))
    if isinstance(steps, int) and steps < 0:
        raise InferenceError(explain("scan: length is negative", got=steps))
    return steps


def _outline(structure: Structure) -> str:
    """A structure with `*` for its leaves."""
    return str(structure.pack(["*"] * len(structure.paths(""))))
