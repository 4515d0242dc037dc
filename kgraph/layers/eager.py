"""A layer called on arrays: traced once for each kind of input, compiled, and run."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import config
from kgraph.ir.context import CallContext, calling
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import input_node
from kgraph.ir.op import as_array
from kgraph.ir.origin import here, making
from kgraph.layers.structure import flatten, is_node, leaves_of, map_structure, pack
from kgraph.passes.lower import merge_updates
from kgraph.runtime.executable import compile as compile_graph


def call_eagerly(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Runs a layer on arrays; state updates take place.

    Args:
        layer: a layer or model.
        args: positional arguments with arrays anywhere.
        kwargs: the others.

    Returns:
        Arrays in the structure that the layer's `call` returns.
    """
    args = (_as_arrays(args[0]), *args[1:])
    arrays, arguments = flatten((args, kwargs), _is_array)
    if not arrays:
        raise ValueError(
            f"Layer {layer.name} was called with an input that isn't a symbolic tensor. "
            f"Received type: {type(args[0])}. Full input: {args[0]!r}. "
            "All inputs to the layer should be tensors."
        )
    arrays = tuple(_of_layer_dtype(a, layer.dtype) for a in arrays)
    shapes = _shapes(arrays, layer.stateful)
    flags = [each._trainable for each in layer.flattened_layers()] if kwargs.get("training") else ()
    key = (shapes, tuple(a.dtype.name for a in arrays), repr(arguments), tuple(flags))
    if key not in layer._eager:
        while len(layer._eager) >= config.plan_cache_size:
            layer._eager.pop(next(iter(layer._eager)))
        layer._eager[key] = _compile(layer, arguments, shapes, arrays)
    executable, template = layer._eager[key]
    return pack(template, executable(*arrays))


def _compile(
    layer: Any, arguments: Any, shapes: tuple[tuple[Any, ...], ...], arrays: tuple[Any, ...]
) -> tuple[Any, Any]:
    inputs = tuple(
        input_node(shape, a.dtype.name, f"input_{i}")
        for i, (shape, a) in enumerate(zip(shapes, arrays, strict=True))
    )
    args, kwargs = pack(arguments, inputs)
    context = CallContext(training=bool(kwargs.get("training")))
    with making(here()), calling(context):
        outputs = layer(*args, **kwargs)
    nodes, template = flatten(outputs, is_node)
    named = tuple((f"output_{i}", n) for i, n in enumerate(nodes))
    graph = Graph(inputs, named, merge_updates(context.updates), Stage.CORE)
    return compile_graph(graph), template


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _as_arrays(inputs: Any) -> Any:
    """Makes arrays of numbers, and of lists that hold nothing but numbers."""
    numbers = leaves_of(inputs, lambda v: isinstance(v, (int, float, np.generic)))
    if numbers and not leaves_of(inputs, lambda v: not isinstance(v, (int, float, np.generic))):
        return as_array(np.asarray(inputs))
    return map_structure(lambda v: as_array(v) if isinstance(v, np.generic) else v, inputs)


def _of_layer_dtype(array: np.ndarray, dtype: str) -> np.ndarray:
    known = as_array(array)
    both_float = known.dtype.kind == "f" and dtype.startswith("float")
    return known.astype(dtype, copy=False) if both_float else known


def _shapes(arrays: tuple[np.ndarray, ...], stateful: bool) -> tuple[tuple[Any, ...], ...]:
    """The shapes, with a symbol for the first axis where all arrays share it.

    A stateful layer keeps a state for every row and so has to know their number.
    """
    firsts = {a.shape[0] for a in arrays if a.ndim}
    if stateful or len(firsts) != 1 or any(a.ndim == 0 for a in arrays):
        return tuple(a.shape for a in arrays)
    return tuple((Dim.symbol("batch"), *a.shape[1:]) for a in arrays)
