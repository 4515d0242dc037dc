"""Left-hand sides of rules, built on chosen operands: what a rule must find in a random graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import KGraphError
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import const
from kgraph.ir.node import Node
from kgraph.ir.op import Op, find_op
from kgraph.passes.pattern import Call, Number, Pattern, Unknown
from kgraph.runtime.interp import interpret
from kgraph.testing.choices import Choices, Drawn

_TRIES = 4  # at attributes of one op, before the whole expression is given up
CONSTANTS = (0.5, 1.0, 2.0, -4.0, 0.0, 3.0, -0.0, 0.25)


def build_left_side(
    pattern: Call,
    choices: Choices,
    operand: Callable[[Unknown], Node],
    constants: Sequence[float] = CONSTANTS,
) -> tuple[Node, list[Node]]:
    """Builds an expression that a pattern matches, conditions of its rule left aside.

    Args:
        pattern: the left side of a rule.
        choices: decides attributes, constants and the order of commutative operands.
        operand: makes the node that an unknown stands for; asked once for each unknown.
        constants: what float constants may be.

    Returns:
        The node at the root, and the op nodes below it.

    Raises:
        InferenceError: the operands do not go together.

    Example:
        >>> from kgraph.ir import input_node
        >>> from kgraph.passes import P, unknowns
        >>> from kgraph.testing.choices import Drawn
        >>> x, axis = unknowns("x axis")
        >>> a, choices = input_node((2, 3), name="a"), Drawn(np.random.default_rng(0))
        >>> node, inner = build_left_side(P.log(P.softmax(x, axis=axis)), choices, lambda u: a)
        >>> node.op.name, [n.op.name for n in inner]
        ('log', ['softmax'])
    """
    builder = _Builder(choices, operand, constants)
    root = builder.build(pattern)
    assert isinstance(root, Node)
    return root, [n for n in builder.made if n is not root]


@functools.lru_cache(maxsize=1024)
def side_of_zero(pattern: Call) -> float:
    """1.0, or -1.0 where a pattern is finite for small negative operands only.

    Args:
        pattern: the left side of a rule.

    Returns:
        The sign that float operands should have.

    Example:
        >>> from kgraph.passes import P, unknowns
        >>> (x,) = unknowns("x")
        >>> side_of_zero(P.log(-P.expm1(x))), side_of_zero(P.log(x))
        (-1.0, 1.0)
    """
    points = np.array([[0.1, 0.2], [0.3, 0.5]])
    for sign in (1.0, -1.0):
        values = {"f": const(sign * points), "i": const([[1, 2], [3, 4]]), "b": const([[True] * 2])}

        def operand(unknown: Unknown, values: Mapping[str, Node] = values) -> Node:
            return values[unknown.dtypes[-1]]

        for seed in range(_TRIES):
            choices = Drawn(np.random.default_rng(seed))
            try:
                root, _ = build_left_side(pattern, choices, operand, (2.0,))
                (found,) = interpret(Graph((), (("y", root),)), ())[0]
            except (KGraphError, ValueError, IndexError):
                continue
            if np.isfinite(found.astype("float64")).all():
                return sign
    return 1.0


class _Builder:
    """One instance of a pattern: what its unknowns stand for, and the op nodes made."""

    def __init__(
        self,
        choices: Choices,
        operand: Callable[[Unknown], Node],
        constants: Sequence[float],
    ) -> None:
        self.choices, self.operand, self.constants = choices, operand, constants
        self.bound: dict[str, Any] = {}
        self.made: list[Node] = []

    def build(self, pattern: Pattern) -> Node | float:
        if isinstance(pattern, Number):
            return pattern.value
        if isinstance(pattern, Unknown):
            if pattern.name not in self.bound:
                self.bound[pattern.name] = self.leaf(pattern)
            return self.bound[pattern.name]
        assert isinstance(pattern, Call)
        operands = [self.build(o) for o in pattern.operands]
        operands = _numbers_as_constants(operands, self.choices)
        node = self.call(pattern.op, operands, pattern.attrs)
        self.made.append(node)
        return node

    def leaf(self, unknown: Unknown) -> Node:
        """The node of an unknown; a constant one has the dtype of what was bound before."""
        node = self.operand(unknown)
        if not unknown.constant:
            return node
        shape = tuple(d if isinstance(d, int) else 1 for d in node.shape)
        shape = self.choices.among([(), (1,), shape])
        value = self.choices.among(self.constants if node.type.is_float else (1, 2, 0, 3))
        return const(np.full(shape, value), node.dtype)

    def call(self, op: Op, operands: list[Any], attrs: Mapping[str, Any]) -> Node:
        """The op with attributes that it accepts; unknown ones are chosen."""
        free = {k: v.name for k, v in attrs.items() if isinstance(v, Unknown)}
        x = next(o for o in operands if isinstance(o, Node))
        for last in (*[False] * (_TRIES - 1), True):
            values = dict(attrs)
            for name, unknown in free.items():
                known = unknown in self.bound
                values[name] = (
                    self.bound[unknown] if known else attribute_value(op, name, x, self.choices)
                )
            try:
                node = make_call(op, operands, values)
            except (KGraphError, ValueError):
                if last:
                    raise
                continue
            self.bound.update({unknown: node.attrs[name] for name, unknown in free.items()})
            return node
        raise AssertionError("the last try raises")


def make_call(op: Op, operands: list[Any], attrs: Mapping[str, Any]) -> Node:
    """An op on nodes and numbers as the IR has it: attributes by name, no convenience.

    Args:
        op: any op of the registry with one output.
        operands: nodes, and Python numbers that take the dtype beside them.
        attrs: its attributes.

    Returns:
        The node.
    """
    node = op.apply(operands, **attrs)
    return node if isinstance(node, Node) else node[0]


def _numbers_as_constants(operands: list[Any], choices: Choices) -> list[Any]:
    """Numbers as constants of one element or as full tensors, both of which patterns match."""
    tensors = [o for o in operands if isinstance(o, Node)]
    if not tensors or len(tensors) == len(operands):
        return operands
    like = tensors[0]
    shapes: list[Any] = [(), (1,) * like.ndim]
    if all(isinstance(d, int) for d in like.shape):
        shapes.append(like.shape)
    shape = choices.among(shapes)
    return [
        o if isinstance(o, Node) else const(np.full(shape, o), _dtype_beside(o, like))
        for o in operands
    ]


def _dtype_beside(number: float, like: Node) -> str:
    return "bool" if isinstance(number, bool) and like.dtype != "bool" else like.dtype


def _chosen(
    op: Op,
    name: str,
    unknown: Unknown,
    operands: list[Any],
    bound: dict[str, Any],
    choices: Choices,
) -> Any:
    """What an attribute unknown stands for: what it was bound to, else a value for this op."""
    if unknown.name in bound:
        return bound[unknown.name]
    x = next(o for o in operands if isinstance(o, Node))
    return attribute_value(op, name, x, choices)


def attribute_value(op: Op, name: str, x: Node, choices: Choices) -> Any:
    """A value for an attribute of an op on `x`: one that fits the shape, or one of its samples'.

    Args:
        op: the op.
        name: the attribute.
        x: the first operand.
        choices: decides.

    Returns:
        A value that the op accepts in most cases.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> from kgraph.testing.choices import Drawn
        >>> choices = Drawn(np.random.default_rng(0))
        >>> attribute_value(ops.cast, "dtype", input_node((2,)), choices) in ("float32", "float64")
        True
    """
    n = x.ndim
    sizes: Mapping[str, Callable[[], Any]] = {
        "axis": lambda: _axis(op, n, choices),
        "keepdims": choices.flag,
        "dtype": lambda: _dtype(x, choices),
        "shape": lambda: _shape(op, x, choices),
        "axes": lambda: tuple(choices.shuffled(range(n))),
        "pad_width": lambda: tuple(choices.among(((0, 0), (1, 2), (0, 1))) for _ in range(n)),
        "constant_values": lambda: 0.0,
        "starts": lambda: (0,) * n,
        "stops": lambda: x.shape,
        "steps": lambda: (1,) * n,
        "tag": lambda: choices.below(3),
    }
    if name in sizes:
        return sizes[name]()
    samples = [s.attrs[name] for s in find_op(op.name).samples() if name in s.attrs]
    return choices.among(samples) if samples else None


def _axis(op: Op, n: int, choices: Choices) -> Any:
    """One axis; several or all for ops that take them."""
    if op.name in ("flip", "sum", "max", "min", "mean", "prod", "any", "all", "logsumexp"):
        kind = choices.below(3)
        if kind == 0 and n:
            return (choices.below(n),)
        return tuple(range(n)) if kind == 1 else tuple(i for i in range(n) if choices.flag())
    if op.name == "expand_dims":
        return (choices.between(0, n),) if choices.chance(85) else ()
    if op.name == "squeeze":
        return (choices.below(n),) if n else ()
    return choices.below(n) if n else 0


def _dtype(x: Node, choices: Choices) -> str:
    floats = ("float32", "float64")
    return choices.among(floats if x.type.is_float else ("int32", "int64", *floats))


def _shape(op: Op, x: Node, choices: Choices) -> tuple[int | Dim, ...]:
    if op.name == "broadcast_to":
        return choices.among((x.shape, (2, *x.shape)))
    return choices.among((x.shape, x.shape[::-1], (1, *x.shape), (*x.shape, 1)))
