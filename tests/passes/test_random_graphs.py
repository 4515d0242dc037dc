"""Random graphs full of almost-patterns: strict numerics change no bit, the default no meaning."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_checks import BATCH, same_bits, special_values

from kgraph import ops
from kgraph.ir import Graph, const, input_node
from kgraph.ir.verify import verify
from kgraph.passes import CORE, Pipeline, optimize
from kgraph.passes.simplify import Simplify
from kgraph.passes.stabilize import Stabilize
from kgraph.runtime.interp import interpret

INPUTS = (
    input_node((BATCH, 3), name="x"),
    input_node((3,), name="row"),
    input_node((BATCH, 3), "int32", "n"),
    input_node((BATCH, 3), "bool", "c"),
)
UNARY = {
    "float": ("negative", "abs", "exp", "log", "sigmoid", "softmax", "log_softmax", "relu",
              "square", "sqrt", "log1p", "tanh", "reciprocal", "softplus"),
    "int": ("negative", "abs", "square"),
    "bool": ("logical_not",),
}  # fmt: skip
BINARY = {
    "float": ("add", "subtract", "multiply", "divide", "maximum", "minimum"),
    "int": ("add", "subtract", "multiply", "maximum"),
    "bool": ("logical_and", "logical_or", "logical_xor"),
}
NUMBERS = {"float": (0.0, -0.0, 1.0, -1.0, 2.0, 0.25), "int": (0, 1, 2, -1), "bool": (True, False)}
MOVES = (
    lambda x: ops.transpose(x),
    lambda x: ops.expand_dims(x, 0),
    lambda x: ops.squeeze(x),
    lambda x: ops.reshape(x, (-1,)),
    lambda x: ops.reshape(x, x.shape),
    lambda x: ops.flip(x),
    lambda x: ops.concatenate([x], 0) if x.ndim else x,
    lambda x: ops.where(True, x, x),
    lambda x: ops.cast(ops.cast(x, "float64"), x.dtype),
    lambda x: ops.stop_gradient(x),
)


def kind_of(node):
    """Which tables a node draws from."""
    return "float" if node.type.is_float else "bool" if node.dtype == "bool" else "int"


@st.composite
def graphs(draw):
    """A graph of up to 25 steps, each on what was built before."""
    pool = list(INPUTS)
    for _ in range(draw(st.integers(1, 25))):
        node = draw(st.sampled_from(pool))
        kind = kind_of(node)
        step = draw(st.sampled_from(["unary", "binary", "number", "move", "sum", "compare"]))
        if step == "unary" and (node.ndim or kind != "float"):
            node = getattr(ops, draw(st.sampled_from(UNARY[kind])))(node)
        elif step == "binary":
            others = [o for o in pool if o.type == node.type]
            name = draw(st.sampled_from(BINARY[kind]))
            node = getattr(ops, name)(node, draw(st.sampled_from(others)))
        elif step == "number":
            name = draw(st.sampled_from(BINARY[kind]))
            value = const(np.asarray(draw(st.sampled_from(NUMBERS[kind]))), node.dtype)
            pair = (node, value) if draw(st.booleans()) else (value, node)
            node = getattr(ops, name)(*pair)
        elif step == "move":
            node = draw(st.sampled_from(MOVES))(node)
        elif step == "sum" and kind == "float" and node.ndim:
            node = ops.sum(node, axis=-1, keepdims=draw(st.booleans()))
        elif step == "compare" and kind != "bool":
            node = ops.equal(node, node)
        pool.append(node)
    roots = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    return Graph(INPUTS, tuple((f"y{i}", r) for i, r in enumerate(roots)))


def arrays(batch, seed, moderate=False):
    """Values for the inputs, special ones or harmless ones."""
    rng = np.random.default_rng(seed)
    found = []
    for node in INPUTS:
        shape = tuple(d if isinstance(d, int) else batch for d in node.shape)
        if moderate and node.type.is_float:
            found.append(rng.uniform(0.25, 1.75, shape).astype(node.dtype))
        elif moderate:
            found.append(rng.integers(0, 2, shape).astype(node.dtype))
        else:
            found.append(rng.choice(special_values(node.dtype), shape))
    return found


QUICK = settings(max_examples=60, deadline=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))  # fmt: skip


@QUICK
@given(graphs(), st.sampled_from([0, 1, 4]))
def test_strict_numerics_change_no_bit(graph, batch):
    passes = (Simplify(numerics="strict"), Stabilize(numerics="strict"))
    result, _ = Pipeline(passes).run(graph)
    verify(result)
    given_arrays = arrays(batch, seed=batch)
    for left, right in zip(interpret(graph, given_arrays)[0], interpret(result, given_arrays)[0]):
        same_bits(left, right)


@QUICK
@given(graphs(), st.sampled_from([1, 4]))
def test_default_numerics_change_no_meaning(graph, batch):
    result, _ = optimize(graph)
    given_arrays = arrays(batch, seed=batch, moderate=True)
    for left, right in zip(interpret(graph, given_arrays)[0], interpret(result, given_arrays)[0]):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        usual = np.isfinite(left.astype("float64")) & (np.abs(left.astype("float64")) < 1e6)
        np.testing.assert_allclose(right[usual], left[usual], rtol=1e-3, atol=1e-3)


@QUICK
@given(graphs())
def test_optimizing_what_is_optimal_changes_nothing(graph):
    result, _ = optimize(graph)
    again, report = Pipeline(CORE).run(Graph(result.inputs, result.outputs))
    assert again.outputs == result.outputs
    assert not report.fired
