"""Transposes vanish around elementwise ops, and only where fewer are left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_checks import BATCH, count, same_bits

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.ir.verify import verify
from kgraph.passes import Pipeline, Simplify, optimize
from kgraph.passes.transposes import Transposes, composed, inverse, keeps_order
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
IMAGE = input_node((BATCH, 4, 5, 3), name="image")
OTHER = input_node((BATCH, 4, 5, 3), name="other")
BIAS = input_node((3, 1, 1), name="bias")
ROW = input_node((5,), name="row")
INPUTS = (IMAGE, OTHER, BIAS, ROW)


def first(x):
    """Channels first."""
    return ops.transpose(x, TO_FIRST)


def last(x):
    """Channels last."""
    return ops.transpose(x, TO_LAST)


def graph_of(*nodes):
    """The graph of these outputs."""
    return Graph(INPUTS, tuple((f"y{i}", n) for i, n in enumerate(nodes)))


def arrays(batch=3, seed=0):
    """Values for the inputs."""
    rng = np.random.default_rng(seed)
    shapes = [[batch if d is BATCH else d for d in n.shape] for n in INPUTS]
    return [rng.normal(size=s).astype("float32") for s in shapes]


def transposes_after(*nodes):
    """How many transposes are left, after checking that no bit has changed."""
    graph = graph_of(*nodes)
    result = Transposes().run(graph)
    verify(result)
    assert Transposes().run(result) is result
    for batch in (0, 1, 3):
        given_arrays = arrays(batch)
        pairs = zip(interpret(graph, given_arrays)[0], interpret(result, given_arrays)[0])
        for left, right in pairs:
            same_bits(left, right)
    return count(result, "transpose")


def test_sandwich_cancels():
    inner = ops.relu(first(IMAGE) * BIAS + 1) - first(OTHER)
    assert transposes_after(last(ops.clip(inner, -1, 1))) == 0


def test_broadcast_row_is_reshaped_instead():
    assert transposes_after(last(ops.tanh(first(IMAGE)) + ROW)) == 0


def test_where_and_cast_take_part():
    inner = first(IMAGE)
    mask = ops.cast(inner > 0, "float64")
    assert transposes_after(last(ops.where(inner > 1, mask, ops.cast(inner, "float64")))) == 0


def test_one_transpose_instead_of_two():
    assert transposes_after(first(IMAGE) + first(OTHER)) == 1


def test_two_outputs_of_one_cluster():
    inner = ops.exp(first(IMAGE))
    assert transposes_after(last(inner), last(inner * 2), ops.sort(inner, axis=1)) == 1


def test_other_orders_are_joined():
    assert transposes_after(ops.transpose(ops.tanh(first(IMAGE)), (3, 2, 1, 0))) == 1


def test_cluster_that_reads_itself_by_way_of_a_transpose():
    x = input_node((3, 3), name="x")
    a = ops.tanh(ops.transpose(x))
    b = ops.transpose(a) * 2 + ops.transpose(ops.exp(a) + ops.sort(a))
    graph = Graph((x,), (("y", ops.transpose(b)),))
    result = Transposes().run(graph)
    assert count(result, "transpose") < count(graph, "transpose")
    values = np.random.default_rng(0).normal(size=(3, 3)).astype("float32")
    (left,), (right,) = (interpret(g, [values])[0] for g in (graph, result))
    np.testing.assert_allclose(right, left, rtol=1e-6)


def test_chain_of_sandwiches():
    x = IMAGE
    for _ in range(5):
        x = ops.sort(last(ops.tanh(first(x)) * 2))
    assert transposes_after(x) == 0


@pytest.mark.parametrize("node", [
    ops.tanh(first(IMAGE)),                                # nothing to meet
    ops.tanh(first(IMAGE)) * ops.sum(ops.sort(first(IMAGE)), 1, keepdims=True),  # read twice
    last(ops.sort(first(IMAGE), axis=1)),                  # along an axis
    last(ops.argsort(first(IMAGE), axis=1)),
])  # fmt: skip
def test_kept_where_none_would_be_saved(node):
    graph = graph_of(node)
    assert Transposes().run(graph) is graph


def test_kept_under_strict_numerics():
    graph = graph_of(last(ops.tanh(first(IMAGE))))
    assert Transposes(numerics="strict").run(graph) is graph


def test_two_clusters_do_not_undo_each_other():
    middle = ops.sort(ops.tanh(first(IMAGE)), axis=1)
    assert transposes_after(last(ops.exp(middle)), last(ops.tanh(first(IMAGE)))) <= 2


def test_axes_of_size_one_and_none():
    x = input_node((1, 3, 0, 4), name="x")
    node = ops.transpose(ops.tanh(ops.transpose(x, (2, 0, 1, 3))), (1, 2, 0, 3))
    result = Transposes().run(Graph((x,), (("y", node),)))
    assert result.outputs[0][1] is ops.tanh(x)


def test_gradients_of_a_sandwich_lie_like_the_input():
    inner = ops.relu(first(IMAGE) * BIAS)
    loss = ops.mean(ops.square(last(inner)))
    graph = graph_of(loss, *grad(loss, [IMAGE, BIAS]))
    better, _ = optimize(graph)
    assert count(better, "transpose") == 0
    given_arrays = arrays()
    pairs = zip(interpret(graph, given_arrays)[0], interpret(better, given_arrays)[0])
    for left, right in pairs:
        np.testing.assert_allclose(right, left, rtol=2e-5, atol=1e-6)


@given(st.permutations(range(4)), st.permutations(range(4)))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_orders_compose_like_arrays(inner, outer):
    x = np.zeros((2, 3, 4, 5))
    inner, outer = tuple(inner), tuple(outer)
    both = x.transpose(inner).transpose(outer)
    assert x.transpose(composed(inner, outer)).shape == both.shape
    assert composed(inner, inverse(inner)) == (0, 1, 2, 3)
    assert keeps_order((1, 3, 1, 5), inner) == (inner.index(1) < inner.index(3))


def _half(x, axis):
    """The second half along an axis, joined to itself."""
    key = (slice(None),) * axis + (slice(x.shape[axis] // 2, None),)
    return ops.concatenate([x[key], x[key]], axis)


ALONG = [
    ops.softmax,
    ops.flip,
    ops.cumsum,
    _half,
    lambda x, axis: ops.max(x, axis, keepdims=True) - x,
    lambda x, axis: x + ops.expand_dims(ops.max(x, axis), axis),
    lambda x, axis: x * ops.cast(ops.argmax(x, axis, keepdims=True), "float32"),
    lambda x, axis: ops.pad(x, [(2 * (a == axis), 0) for a in range(3)]),
]


@st.composite
def layouts(draw):
    """Elementwise ops, ops along axes, sums and transposes of three axes, in any order."""
    pool = [input_node((2, 3, 4), name="a"), input_node((4, 2, 3), name="b")]
    inputs = tuple(pool)
    for _ in range(draw(st.integers(2, 14))):
        x = draw(st.sampled_from(pool))
        step = draw(st.sampled_from(["transpose", "transpose", "unary", "binary", "along", "sort"]))
        if step == "transpose":
            x = ops.transpose(x, draw(st.permutations(range(3))))
        elif step == "unary":
            x = draw(st.sampled_from([ops.tanh, ops.negative, ops.relu]))(x)
        elif step == "binary":
            same = [y for y in pool if y.type == x.type]
            x = draw(st.sampled_from([ops.add, ops.maximum]))(x, draw(st.sampled_from(same)))
        elif step == "sort":
            x = ops.sort(x, axis=draw(st.integers(0, 2)))
        else:
            x = draw(st.sampled_from(ALONG))(x, draw(st.integers(0, 2)))
        pool.append(x)
    roots = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    return Graph(inputs, tuple((f"y{i}", r) for i, r in enumerate(roots)))


@given(layouts())
@settings(max_examples=80, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))  # fmt: skip
def test_never_more_transposes_and_the_same_values(graph):
    simple = Simplify(numerics="strict").run(graph)
    result, _ = Pipeline((Transposes(),)).run(simple)
    verify(result)
    assert count(result, "transpose") <= count(simple, "transpose")
    if result is not simple:
        assert count(result, "transpose") < count(simple, "transpose")
    rng = np.random.default_rng(1)
    given_arrays = [rng.normal(size=n.shape).astype("float32") for n in graph.inputs]
    for left, right in zip(interpret(graph, given_arrays)[0], interpret(result, given_arrays)[0]):
        np.testing.assert_allclose(right, left, rtol=1e-5, atol=1e-6)
