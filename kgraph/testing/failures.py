"""How a check fails: one exception, with the smallest example that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.graph import Graph, toposort
from kgraph.ir.leaves import ITEM, is_const
from kgraph.ir.node import Node
from kgraph.ops.fused import expand, fused

_ELEMENTS = 24  # of an array that a message shows
_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==",
    "not_equal": "!=", "logical_and": "&", "logical_or": "|", "logical_xor": "^",
}  # fmt: skip
_READABLE = 12  # nodes that an expression on one line may have


class CheckError(AssertionError):
    """What was checked is wrong; the message holds the smallest example found.

    Args:
        summary: what is wrong.
        facts: (label, value) lines of the message; arrays are shown with their dtypes.
        graph: the smallest graph that shows it, or None.
        arrays: one an input of the graph.

    Attributes:
        facts: the same by label.
        graph: as given.
        arrays: as given.

    Example:
        >>> raise CheckError("the rule is wrong", [("old", np.float32(0))])
        Traceback (most recent call last):
        kgraph.testing.failures.CheckError: the rule is wrong
          old: float32 0.0
    """

    def __init__(
        self,
        summary: str,
        facts: Iterable[tuple[str, Any]] = (),
        graph: Graph | None = None,
        arrays: Sequence[np.ndarray] = (),
    ) -> None:
        self.facts: Mapping[str, Any] = dict(facts)
        self.graph, self.arrays = graph, tuple(arrays)
        lines = [summary, *(f"  {k}: {shown(v)}" for k, v in self.facts.items())]
        if graph is not None:
            lines += ["  graph:", *(f"    {line}" for line in str(graph).splitlines())]
            fed = zip(graph.inputs, self.arrays, strict=bool(self.arrays))
            lines += [f"  {node.name} = {shown(array)}" for node, array in fed]
        super().__init__("\n".join(lines))


def shown(value: Any) -> str:
    """A value as a message shows it: arrays with their dtype and shape, other things as they print.

    Args:
        value: anything.

    Returns:
        A text, of several lines at most for a large array.

    Example:
        >>> shown(np.zeros((2, 3))), shown(np.array([1.5, -0.0]))
        ('float64 (2, 3) all 0.0', 'float64 [1.5, -0.0]')
    """
    if not isinstance(value, (np.ndarray, np.generic)):
        return str(value)
    array = np.asarray(value)
    head = array.dtype.name
    if array.size > 3 and np.all(array == array.flat[0]):
        return f"{head} {array.shape} all {array.flat[0].item()!r}"
    if array.size > _ELEMENTS:
        first = ", ".join(repr(v.item()) for v in array.ravel()[:_ELEMENTS])
        return f"{head} {array.shape} [{first}, ...]"
    return f"{head} {array.tolist()!r}"


def expression(node: Node) -> str:
    """A small graph as one line, with the operators of Python where there are some.

    Args:
        node: the root.

    Returns:
        An expression, or the op of the root alone where the graph is too large for a line.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> expression(ops.exp(x + 1) * ops.softmax(x))
        'exp(x + 1.0) * softmax(x, axis=0)'
    """
    count = len(Graph((), (("y", node),)).nodes)
    if count > _READABLE:
        return f"{node.op.name} of {count} nodes"
    return _text(node, nested=False)


def _text(node: Node, nested: bool = True) -> str:
    if is_const(node):
        array = node.attrs["value"].array
        same = array.size and np.all(array == array.flat[0])
        return repr(array.flat[0].item()) if same else repr(array.tolist())
    if not node.inputs:
        return node.name
    if node.op is fused:
        return _fused_text(expand(node.inputs, **node.attrs))
    if node.op is ITEM and node.inputs[0].op is fused:
        whole = node.inputs[0]
        return _fused_text([expand(whole.inputs, **whole.attrs)[node.attrs["index"]]])
    if node.op.name in _INFIX:
        text = f" {_INFIX[node.op.name]} ".join(_text(n) for n in node.inputs)
        return f"({text})" if nested else text
    if node.op.name == "negative":
        return f"-{_text(node.inputs[0])}"
    operands = [_text(n, nested=False) for n in node.inputs]
    attrs = [f"{k}={v}" for k, v in node.attrs.items()]
    return f"{node.op.name}({', '.join(operands + attrs)})"


def _fused_text(results: Sequence[Node]) -> str:
    count = len(toposort(results))
    if count > _READABLE:
        return f"fused of {count} nodes"
    return f"fused({', '.join(_text(r, nested=False) for r in results)})"
