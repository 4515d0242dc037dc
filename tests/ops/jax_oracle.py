"""Values and gradients of kgraph functions beside those of JAX, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

from kgraph.ir import Graph, input_node


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
        return grad(y * seed, [nodes[i] for i in floats])

    return run(pulled, *arrays)


def jax_gradients(function, *arrays):
    """The same by JAX."""
    floats = tuple(i for i, a in enumerate(arrays) if a.dtype.kind == "f")

    def total(*xs):
        y = function(*xs)
        return jnp.sum(y * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

    with jax.enable_x64(True):
        return jax.grad(total, floats)(*[jnp.asarray(a) for a in arrays])


def agree(mine, theirs, *arrays, rtol=1e-9, atol=1e-9, slopes=True):
    """Asserts that values and gradients of a kgraph and a JAX function agree."""
    with jax.enable_x64(True):
        expected = np.asarray(theirs(*[jnp.asarray(a) for a in arrays]))
    found = run(mine, *arrays)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol, atol)
    if not slopes:
        return
    for a, b in zip(gradients(mine, *arrays), jax_gradients(theirs, *arrays), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol, atol)
