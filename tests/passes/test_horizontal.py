"""Products side by side become one, and what is done alike to their parts is done once."""

from __future__ import annotations

import numpy as np
import pytest
from product_checks import (
    BATCH,
    Maker,
    check_gradient,
    check_rewrite,
    check_values,
    feeds,
    fire,
    graph_from,
    inference_graph,
    keeps,
)

from kgraph import ops
from kgraph.ir import Graph
from kgraph.layers import Dense, Input, subtract
from kgraph.models import Model
from kgraph.passes import DropMarkers, Finish, Pipeline, ShareSoftmax, Simplify, Stabilize
from kgraph.passes.horizontal import MergeProducts
from kgraph.passes.journal import fueled
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile as compile_graph
from kgraph.runtime.interp import interpret

MERGE = MergeProducts()
PIPELINE = Pipeline((DropMarkers(), Simplify(), Stabilize(), ShareSoftmax(), MERGE, Simplify(),
                     Finish()))  # fmt: skip
IN = 6


def x(m, name="x"):
    return m.input(name, BATCH, IN)


def dense(m, y, units, name, activation=None, bias=True):
    """What the layer builds; equal names share their weights."""
    rows = y if y.ndim == 2 else ops.reshape(y, (-1, y.shape[-1]))
    result = rows @ m.state(f"{name}/kernel", y.shape[-1], units)
    result = result + m.state(f"{name}/bias", units) if bias else result
    result = result if y.ndim == 2 else ops.reshape(result, (*y.shape[:-1], units))
    return activation(result) if activation else result


def shared(maker):
    """A maker whose states are one object a name."""
    states, make = {}, maker.state

    def state(name, *shape, **options):
        if name not in states:
            states[name] = make(name, *shape, **options)
        return states[name]

    maker.state = state
    return maker


def towers(m, count=2, activation=ops.relu):
    """Branches of equal layers over inputs of their own."""
    shared(m)
    found = []
    for i in range(count):
        y = x(m, f"x{i}")
        for level, units in enumerate((5, 4, 3)):
            y = dense(m, y, units, f"d{level}", activation)
        found.append(y)
    return tuple(found)


COLUMNS = {
    "two": (lambda m: (dense(m, x0 := x(m), 4, "a"), dense(m, x0, 4, "b")), 3, {"add": 1}),
    "three of unequal widths": (
        lambda m: tuple(dense(m, x0, n, f"d{n}") for x0 in [x(m)] for n in (2, 7, 3)), 4,
        {"add": 1},
    ),
    "four towers with one activation": (
        lambda m: tuple(dense(m, x0, n, f"d{n}", ops.tanh) for x0 in [x(m)] for n in (2, 7, 3, 1)),
        6, {"add": 1, "tanh": 1},
    ),
    "activations differ": (
        lambda m: (dense(m, x0 := x(m), 4, "a", ops.relu), dense(m, x0, 4, "b", ops.tanh)), 3,
        {"add": 1, "relu": 1, "tanh": 1},
    ),
    "one has no bias": (
        lambda m: (dense(m, x0 := x(m), 4, "a"), dense(m, x0, 4, "b", bias=False)), 2, {"add": 1},
    ),
    "queries, keys and values of sequences": (
        lambda m: tuple(dense(m, x0, 4, n) for x0 in [m.input("x", BATCH, 3, IN)] for n in "qkv"),
        5, {"add": 1, "reshape": 2},
    ),
    "x has other users": (
        lambda m: (dense(m, x0 := x(m), 4, "a") + dense(m, x0, 4, "b"), ops.tanh(x0)), 3,
        {"add": 2},
    ),
    "wide and narrow": (
        lambda m: tuple(dense(m, x0, n, f"d{n}", bias=False) for x0 in [x(m)] for n in (300, 2)),
        2, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_products_that_share_an_operand(name):
    build, fired, counts = COLUMNS[name]
    check_rewrite(MERGE, build, {"merge-columns": fired}, {"matmul": 1, **counts})


def siamese_head(m):
    """Compares two branches that share their layers."""
    left, right = towers(m)
    return ops.square(left - right)


ROWS = {
    "two branches": (towers, 7, {"matmul": 4, "relu": 4, "concatenate": 1}),
    "three branches": (lambda m: towers(m, 3, ops.tanh), 8,
                       {"matmul": 5, "tanh": 5, "concatenate": 1}),
    "compared": (siamese_head, 7, {"matmul": 4}),
    "sequences": (
        lambda m: tuple(
            dense(m, ops.tanh(m.input(n, BATCH, 3, IN)), 4, "d", ops.relu)
            for m in [shared(m)] for n in "ab"
        ),
        5, {"matmul": 1, "relu": 1, "add": 1},
    ),
    "unequal numbers of rows": (
        lambda m: tuple(
            dense(m, ops.tanh(m.input(n, rows, IN)), 4, "d", ops.relu)
            for m in [shared(m)] for n, rows in (("a", BATCH), ("b", 7))
        ),
        4, {"matmul": 1, "relu": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_products_that_share_a_weight(name):
    build, fired, counts = ROWS[name]
    graph = graph_from(build)
    result, firings = fire(MERGE, graph)
    assert firings == {"merge-rows": fired}
    found = [n.op.name for n in result.nodes]
    assert {name: found.count(name) for name in counts} == counts
    assert MERGE.run(result) is result
    assert MergeProducts(numerics="strict").run(graph) is graph
    check_values(MERGE, build)
    check_gradient(MERGE, build)


def recurrent(m):
    """One layer again and again: each product needs the one before it."""
    shared(m)
    y = ops.tanh(x(m))
    for _ in range(4):
        y = dense(m, y, IN, "d", ops.tanh)
    return y


def weights_from_a_branch(m):
    """The second weight is made of what the first product gives."""
    x0 = m.input("x", IN, IN)
    first = x0 @ m.state("a", IN, IN)
    return first, x0 @ first


NEGATIVE = {
    "one product": lambda m: dense(m, x(m), 4, "a"),
    "the weight depends on the other branch": weights_from_a_branch,
    "weights that are fed": lambda m: (
        x(m) @ m.input("v", IN, 4),
        x(m, "x2") @ m.input("w", IN, 4),
    ),
    "wide and large": lambda m: tuple(
        y @ m.state(n, 512, 256) for y in [m.input("x", BATCH, 512)] for n in "ab"
    ),
    "the operand is fixed": lambda m: tuple(
        y @ m.state(n, 4, 5) for y in [m.state("table", 3, 4)] for n in "ab"
    ),
    "integers": lambda m: tuple(
        ops.cast(y, "int32") @ ops.cast(m.state(n, IN, 3), "int32") for y in [x(m)] for n in "ab"
    ),
    "leading axes": lambda m: tuple(
        y @ m.state(n, 2, IN, 4) for y in [m.input("x", 2, 3, IN)] for n in "ab"
    ),
    "inputs that would be copied together": lambda m: tuple(
        x(m, n) @ w for w in [m.state("w", IN, 4)] for n in "ab"
    ),
    "views that would be copied together": lambda m: tuple(
        part @ w
        for w in [m.state("w", IN, 4)]
        for part in ops.split(ops.tanh(m.input("x", 4, IN)), 2)
    ),
    "a recurrence": recurrent,
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_leaves_alone(name):
    assert keeps(MERGE, NEGATIVE[name])


def test_weights_that_the_graph_updates_stay_apart():
    """Joining them in every step takes longer than one product saves."""
    maker = Maker("float32")
    build = COLUMNS["two"][0]
    graph = maker.graph(build, lambda ys: [(maker.state("total"), ops.sum(ys[0]))])
    assert MERGE.run(graph) is graph


def test_no_cycle_where_branches_cross():
    """Each of two layers is used before the other: only one of the pairs can be merged."""

    def build(m):
        shared(m)
        first = ops.tanh(dense(m, ops.tanh(x(m, "a")), IN, "p"))
        second = ops.tanh(dense(m, ops.tanh(x(m, "b")), IN, "q"))
        return dense(m, first, IN, "q"), dense(m, second, IN, "p")

    result, fired = fire(MERGE, graph_from(build))
    assert fired == {"merge-rows": 3}
    assert sum(n.op is ops.matmul for n in result.nodes) == 3
    check_values(MERGE, build)


def training(m):
    """The sum of the gradients of siamese towers, as the trainer asks for them."""
    loss = ops.sum(siamese_head(m))
    states = Graph((), (("loss", loss),)).states
    return (loss, *grad(loss, states))


def test_gradients_of_siamese_towers_are_merged_too():
    """Only the first layer, whose inputs would have to be copied, still has products by branch."""
    graph = graph_from(training)
    assert sum(n.op is ops.matmul for n in graph.nodes) == 16
    result, _ = PIPELINE.run(graph)
    assert sum(n.op is ops.matmul for n in result.nodes) == 10
    arrays = feeds(graph, 5)
    for old, new in zip(interpret(graph, arrays)[0], interpret(result, arrays)[0]):
        np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-6)
    merged = MERGE.run(graph)
    assert MERGE.run(merged) is merged


@pytest.mark.parametrize("fuel", range(0, 30, 3))
def test_any_number_of_firings_gives_a_right_graph(fuel):
    graph = graph_from(training)
    with fueled(fuel) as tank:
        result, _ = Pipeline((MERGE,)).run(graph)
    assert tank.burnt <= fuel
    arrays = feeds(graph, 3)
    for old, new in zip(interpret(graph, arrays)[0], interpret(result, arrays)[0]):
        np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-6)


def test_three_hundred_shared_layers():
    def build(m):
        shared(m)
        ends = []
        for name in "ab":
            y = x(m, name)
            for level in range(300):
                y = dense(m, y, IN, f"d{level}", ops.relu)
            ends.append(y)
        return tuple(ends)

    result, _ = fire(MERGE, graph_from(build))
    assert sum(n.op is ops.matmul for n in result.nodes) == 301


def test_whole_models_run_as_before():
    left, right = Input((8,)), Input((8,))
    layers = [Dense(6, activation="relu"), Dense(5, activation="tanh"), Dense(4)]

    def tower(y):
        for layer in layers:
            y = layer(y)
        return y

    difference = subtract([tower(left), tower(right)])
    heads = [Dense(n, activation="softmax")(difference) for n in (2, 3, 4)]
    graph = inference_graph(Model([left, right], heads))
    result, report = PIPELINE.run(graph)
    assert sum(n.op is ops.matmul for n in result.nodes) == 5
    assert set(report.fired) >= {"merge-columns", "merge-rows"}
    for batch in (0, 1, 7):
        arrays = feeds(graph, batch)
        found = compile_graph(result)(*arrays)
        for value, expected in zip(found, interpret(graph, arrays)[0]):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_new_nodes_say_where_they_come_from():
    result, _ = fire(MERGE, graph_from(COLUMNS["two"][0]))
    (product,) = (n for n in result.nodes if n.op is ops.matmul)
    assert str(product.origin.lineage[-1]).startswith("merge_products/merge-columns from matmul")
