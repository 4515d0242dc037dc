"""What every rewrite of matrix products must keep: values, gradients, strictness, rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, Stage, Variable, input_node
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.lower import lower
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

BATCH = Dim.symbol("batch")


class Maker:
    """Inputs and variables of one dtype, with values that depend on their names only."""

    def __init__(self, dtype):
        self.dtype, self.inputs = dtype, []

    def input(self, name, *shape):
        self.inputs.append(input_node(shape, self.dtype, name))
        return self.inputs[-1]

    def state(self, name, *shape, low=-1.0, high=1.0):
        values = np.random.default_rng(list(name.encode())).uniform(low, high, shape)
        return Variable(values.astype("float32").astype(self.dtype), name=name)

    def graph(self, build, updates=lambda outputs: ()):
        made = build(self)
        outputs = made if isinstance(made, tuple) else (made,)
        named = tuple((f"y{i}", n) for i, n in enumerate(outputs))
        return Graph(tuple(self.inputs), named, tuple(updates(outputs)))


def graph_from(build, dtype="float32"):
    """The graph of the outputs that `build` makes with a `Maker`."""
    return Maker(dtype).graph(build)


def feeds(graph, batch):
    """Values for the inputs; equal ones for equal names, in any float dtype."""
    found = []
    for node in graph.inputs:
        shape = tuple(d if isinstance(d, int) else int(d.substitute({"batch": batch}))
                      for d in node.shape)  # fmt: skip
        rng = np.random.default_rng([batch, *node.name.encode()])
        found.append(rng.uniform(-1, 1, shape).astype("float32").astype(node.dtype))
    return found


def fire(step, graph):
    """The result of a pass, and how often each rule fired."""
    with keeping(Journal()) as journal:
        result = step.run(graph)
        return result, dict(journal.counts())


def misses(step, graph):
    """The reasons of the near misses of a pass that changes nothing."""
    with keeping(Journal()) as journal:
        assert step.run(graph) is graph
        return dict(list(journal.missed))


def check_values(step, build, batches=(0, 1, 5)):
    """The new form is as near as the old one to what float64 gives."""
    old, wide = graph_from(build), graph_from(build, "float64")
    new, _ = fire(step, old)
    for batch in batches:
        arrays = feeds(old, batch)
        befores, afters = (interpret(g, arrays)[0] for g in (old, new))
        for before, after, truth in zip(befores, afters, interpret(wide, feeds(wide, batch))[0]):
            assert (after.dtype, after.shape) == (before.dtype, before.shape)
            if truth.size:
                unit = 8 * np.finfo(after.dtype).eps * max(np.abs(truth).max(), 1)
                limit = 4 * np.abs(before - truth).max() + unit
                assert np.abs(after - truth).max() <= limit


def check_gradient(step, build):
    """Differentiating and then rewriting gives what rewriting and then differentiating gives."""
    graph = graph_from(build, "float64")
    wrt = [*graph.inputs, *graph.states]
    early = _slopes(step.run(graph), wrt)
    late = step.run(_slopes(graph, wrt))
    arrays = feeds(graph, 5)
    for left, right in zip(interpret(early, arrays)[0], interpret(late, arrays)[0]):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


def _slopes(graph, wrt):
    weighted = [ops.sum(ops.square(n)) for _, n in graph.outputs]
    slopes = [s for s in grad(weighted, wrt) if s is not None]
    return Graph(graph.inputs, tuple((f"d{i}", s) for i, s in enumerate(slopes)))


def check_rewrite(step, build, fired, counts):
    """All promises of a rewrite: what fires and what is there afterwards, and then its meaning.

    Args:
        step: the pass.
        build: makes the outputs with a `Maker`.
        fired: rule -> firings.
        counts: op name -> number of nodes afterwards.
    """
    graph = graph_from(build)
    result, firings = fire(step, graph)
    assert firings == fired
    found = Counter(n.op.name for n in result.nodes)
    assert {name: found[name] for name in counts} == counts
    assert step.run(result) is result
    assert replace(step, numerics="strict").run(graph) is graph
    check_values(step, build)
    check_gradient(step, build)


def keeps(step, build):
    """Whether a pass leaves the graph node for node."""
    graph = graph_from(build)
    return step.run(graph) is graph


def inference_graph(model):
    """A model's outputs in primitive ops."""
    outputs = tuple((f"y{i}", n) for i, n in enumerate(model.outputs))
    return lower(Graph(tuple(model.inputs), outputs, (), Stage.LAYERS))
