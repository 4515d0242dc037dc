"""What a check is pointed at, as a graph of primitive ops and arrays for its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir.context import CallContext, calling
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.op import as_array
from kgraph.ir.types import TensorType, parse_type
from kgraph.layers.base import Layer
from kgraph.layers.call_shapes import call_parameters
from kgraph.layers.structure import flatten, is_node, leaves_of, pack, unpack_singleton
from kgraph.models.model import Model
from kgraph.passes.lower import inline, merge_updates
from kgraph.testing.pool import BATCH
from kgraph.testing.widening import wide


def as_type(value: Any, batch: bool = False) -> TensorType:
    """The type of an input that is given as an array, a type or its text, or a shape of Keras.

    Args:
        value: such as `np.ones((2, 3))`, `TensorType(...)`, "f32[batch, 3]" or `(None, 3)`, where
            the first None is the batch and others are sizes of their own.
        batch: whether the first axis of an array stands for any number of rows.

    Returns:
        Its type.

    Example:
        >>> print(as_type([[1.5, 2.0]], batch=True), as_type("i32[batch]"), as_type((None, 3)))
        f32[batch, 2] i32[batch] f32[batch, 3]
    """
    if isinstance(value, TensorType):
        return value
    if isinstance(value, str):
        return parse_type(value)
    if isinstance(value, tuple) and None in value:
        named = [Dim.symbol(f"n{i}") if i else BATCH for i in range(len(value))]
        return TensorType(tuple(s if d is None else d for d, s in zip(value, named)), "float32")
    array = as_array(value)
    shape = (BATCH, *array.shape[1:]) if batch and array.ndim else array.shape
    return TensorType(shape, array.dtype.name)


def layer_graph(layer: Layer, types: Sequence[TensorType], training: bool = False) -> Graph:
    """What a layer computes, and the losses that it adds, in primitive ops.

    Args:
        layer: a layer or model; it is built if it was not.
        types: of its inputs.
        training: whether dropout and batch statistics are on.

    Returns:
        A CORE graph of outputs `y0`, `y1`, ..., of losses `loss0`, ..., and of state updates.

    Example:
        >>> from kgraph.layers import Dense
        >>> graph = layer_graph(Dense(2), [parse_type("f32[batch, 3]")])
        >>> [str(n.type) for _, n in graph.outputs], len(graph.states)
        (['f32[batch, 2]'], 2)
    """
    inputs = tuple(input_node(t.shape, t.dtype, f"x{i}") for i, t in enumerate(types))
    return _inlined(inputs, layer(*arguments_of(layer, inputs)), training)


def arguments_of(layer: Layer, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """Tensors, shapes or masks as a layer's methods take them.

    Args:
        layer: a layer whose `build` takes one shape for each tensor gets the tensors one by one,
            any other gets them as its first argument.
        tensors: one an input.

    Returns:
        Positional arguments.

    Example:
        >>> from kgraph.layers import Add, MultiHeadAttention
        >>> arguments_of(Add(), [1, 2]), arguments_of(MultiHeadAttention(2, 3), [1, 2])
        (([1, 2],), (1, 2))
    """
    if len(call_parameters(type(layer).build)) > 1:
        return tuple(tensors)
    return (unpack_singleton(tensors),)


def model_graph(model: Model, training: bool = False) -> Graph:
    """The same for a model on its own inputs."""
    return _inlined(tuple(model.inputs), model.outputs, training)


def _inlined(inputs: tuple[Node, ...], results: Any, training: bool) -> Graph:
    context = CallContext(training)
    roots, _ = inline(leaves_of(results, is_node), context)
    named = [(f"y{i}", n) for i, n in enumerate(roots)]
    named += [(f"loss{i}", n) for i, n in enumerate(context.losses)]
    return Graph(inputs, tuple(named), merge_updates(context.updates))


def function_graph(
    function: Callable[..., Any], arguments: Sequence[Any], training: bool = False
) -> tuple[Graph, list[Any]]:
    """What a function of tensors computes on float64 inputs.

    Args:
        function: of nodes, or of structures of them; returns a node or a structure of nodes.
        arguments: arrays, numbers or types, also in tuples, lists and dictionaries.
        training: for the layers that it calls.

    Returns:
        A CORE graph, and the arrays or types of its inputs.

    Raises:
        TypeError: the function returns no tensor.

    Example:
        >>> graph, _ = function_graph(lambda p: p["w"] * p["x"], [{"w": 2.0, "x": "f32[2]"}])
        >>> [str(n.type) for n in graph.inputs]
        ['f64[]', 'f64[2]']
    """
    leaves, template = flatten(tuple(arguments), lambda v: True)
    leaves = tuple(v if isinstance(v, (TensorType, str)) else wide(as_array(v)) for v in leaves)
    types = [as_type(v) for v in leaves]
    types = [t.with_dtype("float64") if t.is_float else t for t in types]
    inputs = tuple(input_node(t.shape, t.dtype, f"x{i}") for i, t in enumerate(types))
    context = CallContext(training)
    with calling(context):
        results = function(*pack(template, inputs))
    roots = leaves_of(results, is_node)
    if not roots:
        raise TypeError(
            explain("the function returned no tensor", got=repr(results)[:200],
                    expected="a node, or nodes in tuples, lists and dictionaries",
                    hint="compute with operators and kgraph.ops")
        )  # fmt: skip
    named = [(f"y{i}", n) for i, n in enumerate(roots)]
    named += [(f"loss{i}", n) for i, n in enumerate(context.losses)]
    return Graph(inputs, tuple(named), merge_updates(context.updates)), list(leaves)
