"""`check_pass`: the passes of kgraph keep what they promise, broken ones are found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Graph, Variable, input_node, transform
from kgraph.ir.leaves import CONST, const
from kgraph.passes import Pass, Pipeline, Rewrite, Simplify, rule, unknowns
from kgraph.passes.pattern import P
from kgraph.testing import CheckError, check_pass, draw_graph, draw_model, seeds

(x,) = unknowns("x")
MINE = input_node((3,), name="mine")


@dataclass(frozen=True)
class Broken(Pass):
    """Replaces nodes by what a function makes of them."""

    swap: object = None

    def run(self, graph):
        return graph.with_roots(transform(graph.roots, self.swap))


@dataclass(frozen=True)
class BrokenSignature(Pass):
    """Changes more than the nodes."""

    change: object = None

    def run(self, graph):
        return self.change(graph)


def doubled_tanh(node):
    """A tanh that is twice as large."""
    return ops.tanh(*node.inputs) * 2 if node.op is ops.tanh else node


def rough_tanh(node):
    """tanh(x) by another formula, good to three digits."""
    if node.op is not ops.tanh:
        return node
    (inner,) = node.inputs
    return ops.sigmoid(inner * 2) * 2 - const(1.0003, inner.dtype)


def grows(node):
    """One more negation at each run."""
    return ops.negative(-node) if node.op is ops.tanh else node


def test_kgraphs_passes_pass():
    assert check_pass(Simplify(), draws=10) > 3
    assert check_pass(Simplify(numerics="strict"), draws=10, exact=True) > 3
    assert check_pass(Pipeline((Simplify(), Simplify())), draws=5) > 1


def test_layers_are_lowered_first():
    models = [draw_model(rng) for rng in seeds(3)]
    assert check_pass(Simplify(), [m.graph for m in models]) >= 0


@pytest.mark.parametrize("swap", [doubled_tanh, rough_tanh])
def test_wrong_values_are_found_and_reduced(swap):
    graphs = [g for g in map(draw_graph, seeds(60)) if any(n.op is ops.tanh for n in g.nodes)]
    with pytest.raises(CheckError, match="pass broken changes") as caught:
        check_pass(Broken(swap), graphs, idempotent=False, exact=False)
    error = caught.value
    assert [n.op.name for n in error.graph.nodes] == ["input", "tanh"]
    assert error.arrays[0].size <= 4
    assert error.facts["expression"].startswith("tanh(")


def test_bits_are_compared_where_a_pass_says_exact():
    inputs = (input_node((4,), name="a"),)
    graph = Graph(inputs, (("y", inputs[0] + 0.0),))
    zero = Rewrite((rule("add-zero", x + 0, lambda x: x),))
    with pytest.raises(CheckError, match="changes a bit of y") as caught:
        check_pass(zero, graph)
    assert np.signbit(caught.value.arrays[0]).all()
    close = Rewrite((rule("exp", P.exp(x) - 1, lambda x: ops.expm1(x), kind="stable"),))
    graph = Graph(inputs, (("y", ops.exp(inputs[0]) - 1),))
    assert check_pass(close, graph) == 1
    with pytest.raises(CheckError, match="changes a bit of y"):
        check_pass(close, graph, exact=True)


def test_a_pass_that_is_never_done_is_found():
    graph = Graph((MINE,), (("y", ops.tanh(MINE)),))
    with pytest.raises(CheckError, match="is not done after one run"):
        check_pass(Broken(grows), graph)
    assert check_pass(Broken(grows), graph, idempotent=False) == 1


STATE = Variable(np.ones(3, "float32"), "state")
UPDATED = Graph((MINE,), (("y", ops.tanh(MINE)),), ((STATE, STATE * 2),))
CHANGES = {
    "inputs": lambda g: replace(g, inputs=(*g.inputs, input_node((), name="more"))),
    "outputs": lambda g: replace(g, outputs=(("z", g.outputs[0][1]),)),
    "updates": lambda g: replace(g, updates=()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_signature_is_found(what):
    with pytest.raises(CheckError, match=f"changes the graph's {what}"):
        check_pass(BrokenSignature(CHANGES[what]), UPDATED)


def test_updates_are_compared_too():
    def swap(node):
        return const(3.0) if node.op is CONST else node

    with pytest.raises(CheckError, match=r"expression: state \* 2\.0"):
        check_pass(Broken(swap), UPDATED, idempotent=False)


def test_a_pass_that_fails_is_named():
    def fail(node):
        raise ValueError("out of ideas")

    with pytest.raises(CheckError, match="pass broken failed: ValueError: out of ideas"):
        check_pass(Broken(fail), UPDATED)
    with pytest.raises(CheckError, match="a pass returns a graph"):
        check_pass(BrokenSignature(lambda graph: None), UPDATED)
    with pytest.raises(TypeError, match="check_pass: no pass"):
        check_pass(Broken)
    wrong = Rewrite((rule("shape", P.tanh(x), lambda x: ops.sum(x)),))
    with pytest.raises(CheckError, match=r"(?s)pass rewrite failed.*another type"):
        check_pass(wrong, UPDATED)


@pytest.mark.parametrize("change", [
    lambda graph: None,
    lambda graph: Graph(graph.inputs, ()),
    lambda graph: graph.with_roots([ops.reshape(n, (-1,)) for n in graph.roots]),
])  # fmt: skip
def test_the_smallest_graph_shows_a_pass_that_breaks_on_all(change):
    with pytest.raises(CheckError, match="pass broken_signature") as caught:
        check_pass(BrokenSignature(change))
    assert len(caught.value.graph.nodes) <= 3
    assert not caught.value.graph.updates


def test_the_smallest_graph_shows_a_pass_that_is_never_done():
    with pytest.raises(CheckError, match="is not done after one run") as caught:
        check_pass(Broken(grows))
    assert sum(n.op is not ops.negative for n in caught.value.graph.nodes) == 2  # tanh of an input


def test_a_pass_that_no_random_graph_needs_was_not_checked():
    def swap(node):
        return ops.log(*node.inputs) if node.op is ops.det else node

    with pytest.raises(CheckError, match=r"pass broken changes no graph(?s:.*)patterns="):
        check_pass(Broken(swap), draws=3)
    graph = Graph((MINE,), (("y", -MINE),))
    assert check_pass(Broken(swap), graph) == 0


def test_an_input_may_be_called_like_a_variable():
    count = Variable(np.ones(3, "float32"), name="mine")
    graph = Graph((MINE,), (("y", ops.tanh(MINE) * count),), ((count, count + 1),))

    def swap(node):
        return ops.sin(*node.inputs) if node.op is ops.tanh else node

    with pytest.raises(CheckError, match=r"expression: tanh\(mine\)"):
        check_pass(Broken(swap), graph)
