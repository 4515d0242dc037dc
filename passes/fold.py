"""Constant folding: what depends on constants only is computed once, by the op's own kernel.

The kernel that folds is the one that would run, so the bits are the same. Variables are never
constants: a weight may change between runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph.ir.attributes import map_attribute
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import CONST, ITEM, const, const_value, is_const
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule

# Larger results stay in the graph unless their operands are larger still; so does much work.
MAX_BYTES = 1 << 20
MAX_FLOPS = 10**8
# These repeat a small operand: as a constant it would only take more memory.
STRETCHING = frozenset(["broadcast_to"])


def foldable(node: Node) -> Callable[[], Node] | str | None:
    """A function that computes the node if its operands are all constants and it is worth it."""
    producer = node.inputs[0] if node.op is ITEM else node
    if not producer.inputs or not all(is_const(n) for n in producer.inputs):
        return None
    if len(node.types) != 1 or producer.op.name in STRETCHING or "seed" in producer.attrs:
        return None
    if _is_symbolic(producer):
        return None
    freed = sum(n.type.nbytes for n in producer.inputs)
    if node.type.nbytes > max(MAX_BYTES, freed):
        return f"the constant would take more than {MAX_BYTES} bytes"
    flops, _ = producer.op.cost([n.type for n in producer.inputs], producer.types, producer.attrs)
    if flops > MAX_FLOPS:
        return f"computing it takes more than {MAX_FLOPS} operations"
    value = _compute(producer)
    if isinstance(value, str):
        return value
    result = value if node is producer else value[node.attrs["index"]]
    return lambda: const(np.asarray(result), node.dtype)


def _is_symbolic(node: Node) -> bool:
    found: list[Dim] = []

    def note(leaf: Any) -> Any:
        if isinstance(leaf, Dim):
            found.append(leaf)
        return leaf

    for type_ in node.types:
        map_attribute(type_.shape, note)
    for value in node.attrs.values():
        map_attribute(value, note)
    return bool(found)


def _compute(node: Node) -> Any:
    """The kernel's result, or the reason why the node must stay and fail when it runs."""
    integers = not any(t.is_float for t in (*node.types, *(n.type for n in node.inputs)))
    arrays, attrs = [const_value(n) for n in node.inputs], dict[str, Any](node.attrs)
    try:
        # Float division by zero is an infinity, integer division by zero has no result.
        with np.errstate(all="ignore", divide="raise" if integers else "ignore"):
            return node.op.kernel(*arrays, **attrs)
    except Exception as error:
        return f"the kernel raises {type(error).__name__}: {error}"


def _of_constants(op: Op, operands: Sequence[Op]) -> bool:
    return bool(operands) and (op is ITEM or all(o is CONST for o in operands))


FOLD = FunctionRule("fold", foldable, _of_constants)


@dataclass(frozen=True)
class Fold(Rewrite):
    """Computes what depends on constants only.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, const
        >>> two = ops.exp(const(0.0)) + 1
        >>> Fold().run(Graph((), (("y", two),))).outputs[0][1].attrs["value"].array
        array(2., dtype=float32)
    """

    rules: tuple[Rule, ...] = field(default=(FOLD,), repr=False)
