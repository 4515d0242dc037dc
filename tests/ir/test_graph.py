"""Graphs: order, users, rewriting, and where nothing changed nothing is new."""

from __future__ import annotations

import pytest
from ir_graphs import BATCH, rich_graph

from kgraph import ops
from kgraph.ir import Dim, Graph, Stage, Variable, input_node, size, substitute, toposort, transform

X, Y = input_node((BATCH, 3), name="x"), input_node((BATCH, 3), name="y")


def test_operands_come_before_users():
    graph = rich_graph()
    place = {node: i for i, node in enumerate(graph.nodes)}
    assert len(place) == len(graph) == len(graph.nodes)
    assert all(place[i] < place[n] for n in graph.nodes for i in n.inputs)
    assert all(root in place for root in graph.roots)


def test_order_is_depth_first_from_the_roots():
    a, b = ops.exp(X), ops.tanh(Y)
    assert toposort([b + a, a]) == (Y, b, X, a, b + a)
    assert toposort([b + a], stop=[b]) == (b, X, a, b + a)
    assert toposort([X, X]) == (X,)
    assert toposort([]) == ()


def test_users_count_every_use():
    double = X + X
    graph = Graph((X,), (("a", double), ("b", ops.tanh(double))))
    assert graph.users[X] == (double, double)
    assert graph.users[double] == (ops.tanh(double),)
    assert graph.users[ops.tanh(double)] == ()


def test_kinds_are_ops_on_ops():
    total = ops.tanh(X) * X + ops.tanh(Y) * Y
    kinds = Graph((X, Y), (("total", total),)).kinds
    assert kinds == {
        (X.op,), (ops.tanh, X.op), (ops.multiply, ops.tanh, X.op), (ops.add, *[ops.multiply] * 2)
    }  # fmt: skip


def test_bodies_are_listed_inner_ones_first():
    xs = input_node((4, 3), name="xs")

    def outer(total, row):
        inner, _ = ops.scan(lambda s, e: (s + e, None), 0.0, row)
        return total + inner, None

    total, _ = ops.scan(outer, 0.0, xs)
    graph = Graph((xs,), (("total", total),))
    first, last = graph.bodies
    assert last is total.attrs["body"]
    assert list(last.inner) == [first]
    assert Graph((X,), (("y", ops.tanh(X)),)).bodies == ()


def test_states_include_those_only_updated():
    read, written = Variable(1.0, name="read"), Variable(0.0, name="written")
    graph = Graph((X,), (("y", X * read),), ((written, read * 2),))
    assert graph.states == (read, written)


def test_symbols_in_order_of_first_use():
    n, m = Dim.symbol("n"), Dim.symbol("m")
    z = input_node((n, BATCH), name="z")
    graph = Graph((z,), (("a", ops.reshape(z, (BATCH, n))), ("b", size(m))))
    assert graph.symbols == ("n", "batch", "m")


def test_rewriting_nothing_gives_the_same_graph():
    graph = rich_graph()
    assert graph.rewrite(lambda node: node) is graph
    assert graph.with_roots(graph.roots) is graph
    assert graph.with_roots(graph.roots, Stage.FUSED).stage is Stage.FUSED


def test_rewriting_reaches_every_use():
    graph = Graph((X,), (("a", ops.tanh(X * 2)), ("b", X * 2)))
    new = graph.rewrite(lambda node: node.inputs[0] if node.op.name == "multiply" else node)
    assert new.outputs == (("a", ops.tanh(X)), ("b", X))
    assert transform([X * 2], lambda n: Y if n is X else n) == (Y * 2,)


def test_substitution_cuts_below_the_replaced():
    inner = ops.tanh(X)
    assert substitute([ops.exp(inner) + X], {inner: Y, X: inner}) == (ops.exp(Y) + inner,)


def test_graphs_are_values():
    one, two = (Graph((X,), (("y", ops.tanh(X)),)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != Graph((X,), (("z", ops.tanh(X)),))
    with pytest.raises(AttributeError):
        one.stage = Stage.FUSED
    assert repr(one) == "<Graph core: 2 nodes, outputs y>"
    assert repr(Graph((), ())) == "<Graph core: 0 nodes, outputs none>"
