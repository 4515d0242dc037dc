"""Values and gradients of kgraph functions beside those of JAX, in float64."""

import jax
import jax.numpy as jnp
import numpy as np

from kgraph.ir import Graph, input_node
from kgraph.ops import zeros_like
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret


def run(function, *arrays, **attrs):
    """Builds `function` on inputs like the arrays and interprets the graph."""
    nodes = [input_node(a.shape, a.dtype.name, f"x{i}") for i, a in enumerate(arrays)]
    result = function(*nodes, **attrs)
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    graph = Graph(tuple(nodes), tuple((str(i), y) for i, y in enumerate(outputs)))
    values = interpret(graph, arrays)[0]
    return values if isinstance(result, (tuple, list)) else values[0]


def gradients(function, *arrays):
    """Cotangents of the float operands for the cotangent cos(0), cos(1), ... of the output."""
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]

    def pulled(*nodes):
        y = function(*nodes)
        seed = np.cos(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        wrt = [nodes[i] for i in floats]
        return [g if g is not None else zeros_like(x) for g, x in zip(grad(y * seed, wrt), wrt)]

    return run(pulled, *arrays)


def jax_values(function, slopes, *arrays):
    """JAX's value, and its gradients for the same cotangent."""
    floats = tuple(i for i, a in enumerate(arrays) if a.dtype.kind == "f")

    def total(*xs):
        y = function(*xs)
        return jnp.sum(y * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)), y

    def plain(*xs):
        return (None, function(*xs)), ()

    # One compilation a call: op by op JAX compiles each op on its own.
    with jax.enable_x64(True):
        wanted = jax.value_and_grad(total, floats, has_aux=True) if slopes else plain
        compiled = jax.jit(wanted, compiler_options={"xla_backend_optimization_level": 0})
        (_, value), found = compiled(*arrays)
    return np.asarray(value), [np.asarray(g) for g in found]


def check_agree(mine, theirs, *arrays, rtol=1e-9, atol=1e-9, slopes=True):
    """Asserts that values and gradients of a kgraph and a JAX function agree."""
    value, expected = jax_values(theirs, slopes, *arrays)
    found = run(mine, *arrays)
    assert found.shape == value.shape
    np.testing.assert_allclose(found, value, rtol, atol)
    if slopes:
        for a, b in zip(gradients(mine, *arrays), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol, atol)
