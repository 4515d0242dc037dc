"""Max pooling before relu: the same bits and gradients, on fewer elements."""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH, same_bits

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.passes import optimize
from kgraph.passes.pipeline import forward_pipeline
from kgraph.passes.pooling import POOLS, PoolFirst
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret
from kgraph.testing.rule_check import check_rule
from kgraph.testing.specials import special_values

X = input_node((BATCH, 5, 6, 3), name="x")
WINDOWS = [(2, None, "valid"), (3, 2, "same"), ((3, 2), (2, 1), "valid"), (2, 3, "same")]


def graph_of(*nodes, inputs=(X,)):
    """The graph of these outputs."""
    return Graph(inputs, tuple((f"y{i}", n) for i, n in enumerate(nodes)))


def images(batch=3):
    """Many ties, zeros of both signs and windows without a positive element."""
    rng = np.random.default_rng(2)
    return rng.choice(np.float32([-2, -1, -0.0, 0.0, 1, 2]), (batch, 5, 6, 3))


@pytest.mark.parametrize("attrs", WINDOWS)
def test_same_bits(attrs):
    graph = graph_of(ops.max_pool(ops.relu(X), *attrs))
    result = PoolFirst().run(graph)
    assert [n.op.name for n in result.nodes] == ["input", "max_pool", "relu"]
    assert PoolFirst().run(result) is result
    specials = special_values("float32")
    for given in (images(0), images(), np.resize(specials, (4, 5, 6, 3)).astype("float32")):
        same_bits(*(interpret(g, [given])[0][0] for g in (graph, result)))


@pytest.mark.parametrize("attrs", WINDOWS)
def test_same_gradients_also_at_ties(attrs):
    loss = ops.sum(ops.square(ops.max_pool(ops.relu(X), *attrs)))
    (better,) = forward_pipeline().rewrite([loss])
    assert better is not loss
    found = [interpret(graph_of(grad(n, [X])[0]), [images()])[0][0] for n in (loss, better)]
    np.testing.assert_array_equal(*found)


def test_integers_too():
    x = input_node((2, 4, 1), "int32", "x")
    graph = graph_of(ops.max_pool(ops.relu(x), 2), inputs=(x,))
    assert PoolFirst().run(graph).outputs[0][1] is ops.relu(ops.max_pool(x, 2))


@pytest.mark.parametrize("node", [
    ops.max_pool(ops.relu(X), 3, 1, "same"),                    # nothing gets smaller
    ops.max_pool(ops.abs(X), 2),                                # falls before it rises
    ops.average_pool(ops.relu(X), 2),
    ops.max_pool(ops.leaky_relu(X), 2),                         # a product may round
])  # fmt: skip
def test_others_stay(node):
    graph = graph_of(node)
    assert PoolFirst().run(graph) is graph
    better, _ = optimize(graph)
    left, right = (interpret(g, [images()])[0][0] for g in (graph, better))
    np.testing.assert_allclose(right, left, rtol=1e-6)


def test_zeros_of_float16_keep_their_signs():
    """There the larger of two zeros is the first one, as relu and as a window read them."""
    x = input_node((1, 4, 1), "float16", "x")
    graph = graph_of(ops.max_pool(ops.relu(x), 2), inputs=(x,))
    given = np.float16([0.0, -0.0, -0.0, 0.0]).reshape(1, 4, 1)
    better, report = optimize(graph)
    same_bits(*(interpret(g, [given])[0][0] for g in (graph, better)))
    assert [m.reason for m in report.near_misses] == ["zeros of float16 may change their signs"]


def test_others_that_read_relu_keep_it():
    before = ops.relu(X)
    for graph in (
        graph_of(ops.max_pool(before, 2), before),
        graph_of(ops.max_pool(before, 2), ops.sum(before)),
    ):
        assert PoolFirst().run(graph) is graph


def test_the_way_back_is_shorter():
    """relu's gradient is taken of what pooling leaves, and no value of the size of X is kept."""
    loss = ops.sum(ops.max_pool(ops.relu(X), 2))
    (better,) = forward_pipeline().rewrite([loss])
    graph, _ = optimize(graph_of(*grad(better, [X])))
    (node,) = [n for n in graph.nodes if n.op is ops.relu_grad]
    assert node.shape == (BATCH, 2, 3, 3)


BIASES = [(3,), (), (1,), (1, 1, 3), (1, 1, 1, 3), (BATCH, 1, 1, 3)]


@pytest.mark.parametrize("shape", BIASES, ids=str)
@pytest.mark.parametrize("attrs", WINDOWS)
def test_a_bias_waits_for_the_largest(attrs, shape):
    bias = input_node(shape, name="bias")
    for total in (X + bias, bias + X):
        graph = graph_of(ops.max_pool(ops.relu(total), *attrs), inputs=(X, bias))
        result = PoolFirst().run(graph)
        pooled = ops.max_pool(X, *attrs)
        wanted = pooled + bias if total.inputs[0] is X else bias + pooled
        assert result.outputs[0][1] is ops.relu(wanted)
    rng = np.random.default_rng(3)
    for values in ((-0.0, 0.0, 1.0), (np.nan, 1e-45, -3e38), tuple(rng.normal(size=9))):
        given = rng.choice(np.float32(values), (3, 5, 6, 3))
        numbers = [3 if n is BATCH else n for n in shape]
        added = rng.choice(np.float32((-0.0, 0.0, 0.3, 3e38)), numbers)
        with np.errstate(all="ignore"):
            same_bits(*(interpret(g, [given, added])[0][0] for g in (graph, result)))


def test_a_bias_of_every_place_stays_and_so_does_a_strict_graph():
    for shape in ((5, 6, 3), (6, 3), (5, 1, 1)):
        graph = graph_of(
            ops.max_pool(X + input_node(shape, name="bias"), 2),
            inputs=(X, input_node(shape, name="bias")),
        )
        assert PoolFirst().run(graph) is graph
    bias = input_node((3,), name="bias")
    graph = graph_of(ops.max_pool(X + bias, 2), inputs=(X, bias))
    assert PoolFirst(numerics="strict").run(graph) is graph
    overlapping = graph_of(ops.max_pool(X + bias, 3, 1), inputs=(X, bias))
    assert PoolFirst().run(overlapping) is overlapping


def test_its_gradient_is_summed_over_what_pooling_leaves():
    bias = input_node((3,), name="bias")
    loss = ops.sum(ops.square(ops.max_pool(ops.relu(X + bias), 2)))
    (better,) = forward_pipeline().rewrite([loss])
    rng = np.random.default_rng(4)
    arrays = [rng.normal(size=(3, 5, 6, 3)).astype("f"), rng.normal(size=3).astype("f")]
    graphs = [graph_of(*grad(n, [X, bias]), inputs=(X, bias)) for n in (loss, better)]
    for a, b in zip(*(interpret(g, arrays)[0] for g in graphs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    sums = [n.inputs[0].shape for n in graphs[1].nodes if n.op is ops.sum]
    assert (BATCH, 5, 6, 3) not in sums


@pytest.mark.parametrize("rule", POOLS, ids=lambda rule: rule.name)
def test_what_its_kind_promises(rule):
    assert check_rule(rule)
