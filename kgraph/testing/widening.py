"""A graph as a pure function in float64: the reference that float32 results are judged by.

Variables become inputs and updates outputs. Random tensors keep their dtype, for one of another
dtype holds other numbers, and are cast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.attributes import Constant
from kgraph.ir.body import Body
from kgraph.ir.graph import Graph, substitute
from kgraph.ir.leaves import ARG, arg, const, input_node
from kgraph.ir.node import Node, build
from kgraph.ir.op import cast_to
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable

_NARROW = ("float16", "float32")


def as_function(graph: Graph) -> Graph:
    """The graph with its variables as further inputs and its updates as further outputs.

    Args:
        graph: any CORE or FUSED graph.

    Returns:
        A graph without states; its arrays are those of the inputs, then those of `graph.states`.

    Example:
        >>> v = Variable(2.0, name="v")
        >>> pure = as_function(Graph((), (("y", v * 2),), ((v, v + 1),)))
        >>> [n.name for n in pure.inputs], [name for name, _ in pure.outputs]
        (['v'], ['y', 'new v'])
    """
    return as_functions(graph)[0]


def as_functions(*graphs: Graph) -> tuple[Graph, ...]:
    """The same for several graphs of the same inputs, which share the inputs for variables.

    Args:
        graphs: the variables come in the order of the first one.

    Returns:
        A graph each.

    Example:
        >>> v = Variable(2.0, name="v")
        >>> old, new = as_functions(Graph((), (("y", v * 1),)), Graph((), (("y", v),)))
        >>> old.inputs == new.inputs
        True
    """
    states = dict.fromkeys(v for graph in graphs for v in graph.states)
    taken = {n.name for graph in graphs for n in graph.inputs}
    leaves = [
        input_node(v.shape, v.dtype, f"variable {v.name}" if v.name in taken else v.name)
        for v in states
    ]
    table: dict[Node, Node] = dict(zip(states, leaves, strict=True))
    return tuple(_with_leaves(graph, table) for graph in graphs)


def _with_leaves(graph: Graph, table: Mapping[Node, Node]) -> Graph:
    roots = substitute(graph.roots, table)
    names = [name for name, _ in graph.outputs] + [f"new {v.name}" for v, _ in graph.updates]
    outputs = tuple(zip(names, roots, strict=True))
    return Graph((*graph.inputs, *table.values()), outputs, (), graph.stage)


def in_float64(graph: Graph) -> Graph:
    """The same computation with every float in float64.

    Args:
        graph: any CORE or FUSED graph; see `as_function` for what becomes of its variables.

    Returns:
        A graph without states.

    Example:
        >>> x = input_node((2,), name="x")
        >>> print(in_float64(Graph((x,), (("y", x * 0.5),))))
        graph core
        input %0 'x' : f64[2]
        %1 = const(0.5) : f64[]
        %2 = multiply(%0, %1) : f64[2]  # ...
        output 'y' %2
    """
    pure = as_function(graph)
    table: dict[Node, Node] = {n: _wide_input(n) for n in pure.inputs}
    for node in pure.nodes:
        if node not in table:
            table[node] = _widened(node, tuple(table[n] for n in node.inputs))
    outputs = tuple((name, table[n]) for name, n in pure.outputs)
    return Graph(tuple(table[n] for n in pure.inputs), outputs, (), graph.stage)


def values_for(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays of `in_float64(graph)` for those of the graph: all floats in float64.

    Args:
        graph: the graph as it was.
        arrays: one an input.

    Returns:
        One array an input and one a variable.

    Example:
        >>> values_for(Graph((), (), ()), [np.ones(2, "float32")])[0].dtype
        dtype('float64')
    """
    whole = [*arrays, *(v.numpy() for v in graph.states)]
    return [wide(a) for a in whole]


def wide(array: np.ndarray) -> np.ndarray:
    """A float array in float64, another one as it is."""
    return array.astype("float64") if array.dtype.kind == "f" else array


def with_wide_bodies(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an op that is to be built on float64 operands.

    Args:
        attrs: attributes, of which bodies know the types of their parameters.

    Returns:
        The attributes with bodies in float64.

    Example:
        >>> with_wide_bodies({"axis": 1})
        {'axis': 1}
    """
    return {k: _widened_body(v) if isinstance(v, Body) else v for k, v in attrs.items()}


def _wide_input(node: Node) -> Node:
    if node.dtype not in _NARROW or isinstance(node, Variable):
        return node
    return input_node(node.shape, "float64", node.name)


def _widened(node: Node, operands: tuple[Node, ...]) -> Node:
    if node.op.name.startswith("random_"):
        drawn = build(node.op, operands, node.attrs)
        return cast_to(drawn, "float64") if drawn.type.is_float else drawn
    value = node.attrs.get("value")
    if isinstance(value, Constant) and not operands:
        return const(wide(value.array)) if node.type.is_float else node
    attrs = {k: _widened_attribute(k, v) for k, v in node.attrs.items()}
    return build(node.op, operands, attrs, node.origin)


def _widened_body(body: Body) -> Body:
    table: dict[Node, Node] = {}
    for node in body.nodes:
        if node.op is ARG:
            table[node] = arg(node.attrs["index"], _wide_type(node.type))
        else:
            table[node] = _widened(node, tuple(table[n] for n in node.inputs))
    return Body([_wide_type(t) for t in body.parameters], [table[n] for n in body.outputs])


def _wide_type(type_: TensorType) -> TensorType:
    return type_.with_dtype("float64") if type_.is_float else type_


def _widened_attribute(name: str, value: Any) -> Any:
    """Dtypes made wide, also those in bodies and in the instructions of a fused op."""
    if isinstance(value, Body):
        return _widened_body(value)
    if name == "dtype":
        return "float64" if value in _NARROW else value
    if not isinstance(value, tuple):
        return value
    if len(value) == 2 and value[0] == "dtype":
        return "dtype", _widened_attribute("dtype", value[1])
    return tuple(_widened_attribute("", v) for v in value)
