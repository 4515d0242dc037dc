"""Functions by Keras's names against Keras 3: values, dtypes, symbolic shapes, gradients."""

import inspect

import jax
import keras
import numpy as np
import pytest
from keras_nn_rows import ROWS as NN_ROWS
from keras_rows import ROWS as NUMPY_ROWS

from kgraph import ops
from kgraph.ir import Dim, Graph, Node, input_node
from kgraph.ir.op import as_node
from kgraph.ir.structure import flatten
from kgraph.runtime.interp import interpret
from kgraph.testing import check_gradients

ROWS = {**NUMPY_ROWS, **NN_ROWS}
CALLS = [(name, i) for name, calls in sorted(ROWS.items()) for i in range(len(calls))]
# Results that need a size to be known.
NEEDS_SIZES = {
    "array_split", "diag", "diagflat", "diagonal", "median", "nanmedian", "percentile", "quantile",
    "reshape", "scatter", "space_to_depth", "trace", "unstack", "vsplit", "nanquantile",
    "nanpercentile",
}  # fmt: skip
WINDOWS = {"bartlett", "blackman", "hamming", "hanning", "kaiser"}
# No gradient, none along differences, or one with steps of float32 inside.
NO_GRADIENT = {
    "full_like", "histogram", "imag", "nextafter", "ones_like", "saturate_cast", "stop_gradient",
}  # fmt: skip


def split_call(call):
    """Tensors, and a function from tensors to arguments."""
    leaves, structure = flatten(tuple(call))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)]

    def arguments(tensors):
        full = list(leaves)
        for place, value in zip(places, tensors):
            full[place] = value
        args = structure.pack(full)
        return (args[:-1], args[-1]) if isinstance(args[-1], dict) else (args, {})

    return [leaves[i] for i in places], arguments


def results(value):
    """A result as a list of tensors."""
    return list(value) if isinstance(value, (tuple, list)) else [value]


def same(found, expected, name):
    """Whether results agree in number, shape, dtype and value."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected):
        theirs = np.asarray(theirs)
        assert np.shape(mine) == theirs.shape
        # Places are int64 here.
        assert str(mine.dtype) == str(theirs.dtype) or (str(mine.dtype), str(theirs.dtype)) == (
            "int64", "int32"
        ), name  # fmt: skip
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5, err_msg=name)


def by_keras(name, tensors, arguments):
    """Keras's results, of one program: JAX would compile one for each step inside."""

    def call(*tensors):
        args, kwargs = arguments(tensors)
        return results(getattr(keras.ops, name)(*args, **kwargs))

    # The value of a window's tensor is the length of the result.
    return (call if name in WINDOWS else jax.jit(call))(*tensors)


@pytest.mark.parametrize(("name", "number"), CALLS)
def test_values_like_keras(name, number):
    tensors, arguments = split_call(ROWS[name][number])
    args, kwargs = arguments(tensors)
    expected = by_keras(name, tensors, arguments)
    found = results(getattr(ops, name)(*args, **kwargs))
    same(found, expected, name)
    for size in (3,) if name in NEEDS_SIZES else (3, Dim.symbol("n")):
        shapes = [(size, *t.shape[1:]) if t.shape[:1] == (3,) else t.shape for t in tensors]
        nodes = [input_node(s, t.dtype.name) for s, t in zip(shapes, tensors)]
        args, kwargs = arguments(nodes)
        symbolic = results(getattr(ops, name)(*args, **kwargs))
        if not any(isinstance(y, Node) for y in symbolic):
            continue
        graph = Graph(tuple(nodes), tuple((str(i), as_node(y)) for i, y in enumerate(symbolic)))
        values = interpret(graph, tensors)[0]
        for mine, now, node in zip(found, values, graph.outputs):
            assert (np.shape(now), str(now.dtype)) == (np.shape(mine), node[1].dtype)
            np.testing.assert_allclose(now, mine, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(ROWS) - NO_GRADIENT))
def test_gradients(name):
    for call in ROWS[name]:
        tensors, arguments = split_call(call)
        floats = [i for i, t in enumerate(tensors) if t.dtype.kind == "f" and np.isfinite(t).all()]

        def function(*xs, tensors=tensors, arguments=arguments, floats=floats):
            full = list(tensors)
            for place, x in zip(floats, xs):
                full[place] = x
            args, kwargs = arguments(full)
            ys = results(getattr(ops, name)(*args, **kwargs))
            return [y for y in ys if isinstance(y, Node) and y.type.is_float]

        if floats and function(*[input_node(tensors[i].shape, "float32") for i in floats]):
            check_gradients(function, *[tensors[i] for i in floats], order=1, directions=1)


def test_arguments_are_called_as_in_keras():
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    for name in ROWS:
        theirs = inspect.signature(getattr(keras.ops, name)).parameters.values()
        named = {p.name: None for p in theirs if p.kind not in kinds}
        ours = inspect.signature(getattr(ops, name)).bind(**named)
        assert set(named) <= {*ours.arguments, *ours.kwargs}, name
