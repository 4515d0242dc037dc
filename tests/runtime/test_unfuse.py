"""Fused ops that are too small to pay become their ops again; large ones run in place in plans."""

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.ops import blocks
from kgraph.ops.fused import fused
from kgraph.optimizers import Adam, RMSprop
from kgraph.passes import Finish, Pipeline
from kgraph.passes.fuse import Fuse
from kgraph.runtime import unfuse as unfusing
from kgraph.runtime.executable import compile
from kgraph.runtime.unfuse import came_from, touched_bytes, unfuse, unfuse_all
from kgraph.testing.drawn_graphs import draw_graph
from kgraph.testing.feeds import feed

X = input_node((Dim.symbol("batch"), 256), name="x")
W = input_node((256, 256), name="w")
ROW = input_node((256,), name="row")


def test_the_number_of_rows_decides():
    graph = Graph((X, W, ROW), (("y", ops.relu(X @ W + ROW)),))
    found = Fuse().run(graph)
    small, large = unfuse(found, {"batch": 32}), unfuse(found, {"batch": 4096})
    assert small.outputs == graph.outputs
    assert large is found
    (node,) = (n for n in found.nodes if n.op is fused)
    # The product's own operands are not read in blocks.
    assert touched_bytes(node, {"batch": 32}) == 4 * (256 + 32 * 256)


def test_one_graph_may_hold_both():
    big = input_node((1024, 1024), name="big")
    graph = Graph((X, big), (("y", ops.exp(X * 2)), ("z", ops.exp(ops.exp(big) * 3) + big)))
    found = unfuse(Fuse().run(graph), {"batch": 4})
    assert found.outputs[0] == graph.outputs[0]
    assert found.outputs[1][1].op is fused


def test_nodes_come_back_with_their_labels():
    y = ops.exp(X * 2)
    found = unfuse(Fuse().run(Graph((X,), (("y", y),))), {"batch": 4})
    assert found.outputs[0][1] is y
    fused_graph = Fuse().run(Graph((X,), (("y", ops.exp(X * 0.3)),)))
    again = unfuse(fused_graph, {"batch": 4}).outputs[0][1]
    assert again.op is ops.exp
    assert again.origin.where == fused_graph.outputs[0][1].origin.where
    assert not again.origin.lineage


def test_it_is_known_where_nodes_came_from():
    big = input_node((1024, 1024), name="big")
    inner = ops.exp(X * 2)
    outputs = (("y", ops.sum(inner) + 1), ("z", ops.exp(ops.exp(big) * 3) + big))
    found = Fuse().run(Graph((X, big), outputs))
    small = unfuse(found, {"batch": 4})
    came = came_from(found, {"batch": 4})
    assert set(came) >= set(small.nodes)
    assert set(came.values()) <= set(found.nodes)
    assert came[inner].op is fused
    kept = small.outputs[1][1]
    assert came[kept] is kept
    assert came[small.outputs[0][1]] in {n for _, n in found.outputs} | {came[inner]}


def test_everything_may_be_expanded():
    big = input_node((1024, 1024), name="big")
    graph = Graph((big,), (("z", ops.exp(ops.exp(big) * 3) + big),))
    found = Fuse().run(graph)
    assert unfuse(found, {}) is found
    assert unfuse_all(found).outputs == graph.outputs
    assert unfuse_all(graph) is graph


def plans_agree(graph, arrays, steps=3):
    """Fused and plain plans give the same outputs and states, bit by bit, run after run."""
    before = {v: v.numpy() for v in graph.states}
    found = []
    for passes in ((Finish(),), (Fuse(numerics="strict"),)):
        for state, value in before.items():
            state.assign(value)
        executable = compile(graph, pipeline=Pipeline(passes))
        outputs = [a for _ in range(steps) for a in executable(*arrays)]
        found.append([*outputs, *(v.numpy() for v in graph.states)])
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", [RMSprop, Adam])
@pytest.mark.parametrize("budget", [1 << 10, 1 << 20])
def test_updates_in_place_give_the_same_weights(optimizer, budget, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", budget)
    monkeypatch.setattr(unfusing, "PAYS", 0)
    weight = Variable(np.linspace(-1, 1, 600).reshape(30, 20), "w", "float32")
    gradient = input_node((30, 20), name="g")
    updates = tuple(optimizer(0.01).get_updates([gradient], [weight]))
    graph = Graph((gradient,), (("norm", ops.sum(ops.square(weight), axis=1)),), updates)
    plans_agree(graph, [np.random.default_rng(0).normal(size=(30, 20)).astype("float32")])


def test_updates_take_no_memory_but_blocks(monkeypatch):
    weight = Variable(np.zeros((1024, 512)), "w", "float32")
    gradient = input_node((1024, 512), name="g")
    updates = tuple(Adam(0.01).get_updates([gradient], [weight]))
    executable = compile(Graph((gradient,), (), updates), pipeline=Pipeline((Fuse(),)))
    plan = executable.bind({})
    assert [s.op for s in plan.data.steps if s.op is fused or s.op.name == "copy"] == [fused]
    assert plan.data.arena_bytes < 1 << 20


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_compute_the_same_bits(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", int(rng.choice([1, 64, 300, 1 << 20])))
    monkeypatch.setattr(unfusing, "PAYS", 0)
    graph = draw_graph(rng, tame=bool(seed % 2))
    for batch in (5, 1, 0):
        plans_agree(graph, feed(graph, rng, batch=batch, kind="whole"), steps=2)
