"""What the layer tests share: one step of a layer with gradients, and the same step in Keras 3."""

from __future__ import annotations

import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np

from kgraph import ops
from kgraph.ir import CallContext, Graph
from kgraph.layers import Input
from kgraph.passes.lower import inline
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.testing.targets import arguments_of


def random(*shape, seed=0):
    """Standard normal float32 values."""
    return np.random.RandomState(seed).normal(size=shape).astype("float32")


def single(values):
    """The only element, or the list."""
    return values[0] if len(values) == 1 else list(values)


def build_call(layer, arrays, training=False, named=None):
    """The inputs (batch symbolic), the output and mask in primitive ops, and the context."""
    inputs = [Input(shape=a.shape[1:], dtype=a.dtype.name) for a in arrays]
    symbolic = layer(*arguments_of(layer, inputs), **(named or {}))
    context = CallContext(training)
    (output,), (mask,) = inline([symbolic], context)
    return inputs, output, mask, context


def step_graph(layer, arrays, training=False, named=None):
    """The graph of one step: output, added loss, gradients of sum(sin(output)), state updates."""
    inputs, output, _, context = build_call(layer, arrays, training, named)
    floats = [n for n in inputs if n.dtype == "float32"]
    slopes = grad(ops.sum(ops.sin(output)), [*layer.trainable_weights, *floats])
    assert None not in slopes
    loss = sum(context.losses) if context.losses else ops.sum(output) * 0
    outputs = [("y", output), ("loss", loss), *[(f"g{i}", g) for i, g in enumerate(slopes)]]
    return Graph(tuple(inputs), tuple(outputs), tuple(context.updates))


def step(layer, *arrays, training=False, named=None):
    """Runs a layer once and differentiates sum(sin(output)); checks that compiling changes nothing.

    Returns:
        A dictionary: output, gradients of the trainable weights, of the float inputs, new values
        of the other weights, and the sum of the losses that the layer added.
    """
    graph = step_graph(layer, arrays, training, named)
    outputs, updates = interpret(graph, arrays)
    before = [v.numpy() for v, _ in graph.updates]
    for found, expected in zip(compile(graph)(*arrays), outputs, strict=True):
        np.testing.assert_allclose(found, expected, 1e-4, 1e-5, err_msg="compiled")
    for (variable, _), value in zip(graph.updates, before, strict=True):
        np.testing.assert_allclose(variable.value, updates[variable], 1e-4, 1e-5)
        variable.assign(value)
    y, loss, *slopes = outputs
    count = len(layer.trainable_weights)
    return {
        "output": y,
        "weight_gradients": slopes[:count],
        "input_gradients": slopes[count:],
        "state": [updates.get(v, v.value) for v in layer.non_trainable_weights],
        "loss": float(loss),
    }


def keras_step(layer, *arrays, training=False, named=None):
    """The same for a built Keras 3 layer."""
    several = len(inspect.signature(layer.build).parameters) > 1
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]

    def loss(trained, xs):
        full = list(arrays)
        for i, x in zip(floats, xs, strict=True):
            full[i] = x
        others = [v.value for v in layer.non_trainable_variables]
        kwargs = {"training": training} if layer._call_has_training_arg else {}
        given = full if several else [single(full)]
        y, state = layer.stateless_call(trained, others, *given, **kwargs, **(named or {}))
        return jnp.sum(jnp.sin(y)), (y, state)

    trained = [v.value for v in layer.trainable_variables]
    xs = [jnp.asarray(arrays[i]) for i in floats]
    differentiate = jax.jit(jax.value_and_grad(loss, (0, 1), True))
    (_, (y, state)), (by_weight, by_input) = differentiate(trained, xs)
    return {
        "output": y,
        "weight_gradients": by_weight,
        "input_gradients": by_input,
        "state": [s for s in state if s.dtype != jnp.uint32],
    }


def check_like_keras(layer, other, *arrays, training=False, tolerance=2e-5, named=None):
    """Compares outputs, gradients and state of a layer with those of a Keras 3 layer.

    Args:
        layer: our layer; its weights are copied to the other.
        other: the Keras layer.
        arrays: one array an input.
        training: for both.
        tolerance: relative and absolute.
        named: further arguments of both calls.
    """
    build_call(layer, arrays)
    other.build(*arguments_of(layer, [a.shape for a in arrays]))
    for weight in layer.weights:
        weight.assign(weight.value + 0.3 * random(*weight.shape, seed=len(weight.name)) ** 2)
    other.set_weights(layer.get_weights())
    mine = step(layer, *arrays, training=training, named=named)
    theirs = keras_step(other, *arrays, training=training, named=named)
    for key, wanted in theirs.items():
        found = mine[key] if isinstance(mine[key], list) else [mine[key]]
        expected = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        assert len(found) == len(expected), key
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, tolerance, tolerance, err_msg=key)


def check_config(layer, **custom):
    """A layer made from the configuration, after a journey through JSON, is equal.

    Returns:
        The new layer.
    """
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config, **custom)
    assert json.loads(json.dumps(again.get_config())) == config
    assert again.name == layer.name
    return again


def mask_values(layer, arrays, masks):
    """The mask that a layer computes from masks of its inputs, as an array or None."""
    inputs = [Input(shape=a.shape[1:], dtype=a.dtype.name) for a in arrays]
    given = [None if m is None else Input(shape=m.shape[1:], dtype="bool") for m in masks]
    layer(single(inputs))
    found = layer.compute_mask(single(inputs), single(given))
    if found is None:
        return None
    fed = [*zip(inputs, arrays, strict=True)]
    fed += [(n, m) for n, m in zip(given, masks, strict=True) if n is not None]
    graph = Graph(tuple(n for n, _ in fed), (("mask", found),))
    return interpret(graph, [a for _, a in fed])[0][0]
