"""A plan run on shadow memory: every byte knows who wrote it, and every reader checks the writer.

This finds what a comparison of values can miss: two living buffers that overlap by chance of equal
values, a view that outlives its memory, a state that is written before its last reader, a piece of
a joined result in the wrong place. It knows nothing of lifetimes; it follows the steps.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zoo import ZOO, inference_core, training_core

from kgraph import ops
from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.leaves import LEAVES
from kgraph.passes.pipeline import optimize
from kgraph.runtime.budget import plan_within
from kgraph.runtime.copying import COPY
from kgraph.runtime.executable import count_runs
from kgraph.runtime.planning import make_plan
from kgraph.runtime.schedule import shares_storage
from kgraph.testing.choices import seeds
from kgraph.testing.drawn_graphs import draw_graph
from kgraph.testing.strategies import graphs

NOBODY = -1  # a byte of the arena that no step has written
OUTSIDE = -2  # what an input, a constant or a state holds when a run begins


def bytes_of(operand):
    return math.prod(operand.shape) * np.dtype(operand.dtype).itemsize


class Shadow:
    """Memory whose every byte is the number of the step that wrote it last."""

    def __init__(self, data):
        self.data = data
        self.arena = np.full(data.arena_bytes, NOBODY, np.int32)
        self.outside = {}
        self.writers = {}  # node -> the step that computes it
        self.copies = {}  # node -> the steps that copy it into a joined result or a state

    def window(self, operand):
        """The numbers behind an operand, one a byte."""
        memory, offset = self.arena, operand.offset
        if isinstance(operand.base, int):
            offset += self.data.buffers[operand.base].offset
        else:
            memory = self.whole(operand.base)
        if not bytes_of(operand):
            return np.empty(0, np.int32)
        shape = (*operand.shape, np.dtype(operand.dtype).itemsize)
        strides = (*(4 * s for s in operand.strides), 4)
        return np.ndarray(shape, np.int32, memory, 4 * offset, strides)

    def whole(self, leaf):
        if leaf not in self.outside:
            type_ = leaf.type.bind(self.data.binding)
            size = math.prod(type_.shape) * type_.itemsize
            self.outside[leaf] = np.full(size, OUTSIDE, np.int32)
        return self.outside[leaf]

    def expected(self, node):
        """The steps that may have written what a node stands for."""
        stack, found = [node], set()
        while stack:
            node = stack.pop()
            if node in self.writers:
                found.add(self.writers[node])
            elif node.op.name in LEAVES or node in self.data.known:
                found.add(OUTSIDE)
            elif node.op.name == "concatenate":
                for operand in node.inputs:  # computed or copied to their places
                    found |= self.copies.get(operand, set())
                stack.extend(node.inputs)
            else:
                assert shares_storage(node), f"{node!r} is read but never computed"
                stack.append(node.inputs[0])
        return found

    def check(self, operand, node, reader):
        found = set(np.unique(self.window(operand)).tolist())
        assert found <= self.expected(node), f"{reader} finds {found} in the place of {node!r}"

    def run(self, start=0):
        """Every step, its operands checked before it writes."""
        for number, step in enumerate(self.data.steps[start:], start):
            moves = step.op is COPY and (step.node.op is not COPY or step.node in self.writers)
            nodes = (step.node,) if moves else step.node.inputs
            for operand, node in zip(step.inputs, nodes, strict=True):
                self.check(operand, node, f"step {number}, {step.op.name},")
            for operand in (*step.scratch, *step.outputs):
                self.window(operand)[...] = number
            written = [self.window(o) for o in step.outputs]
            assert all((w == number).all() for w in written), "outputs or scratch overlap"
            if moves:
                self.copies.setdefault(step.node, set()).add(number)
            else:
                self.writers[step.node] = number
        for operand, (name, node) in zip(self.data.outputs, self.data.graph.outputs, strict=True):
            self.check(operand, node, f"output {name}")
        for state, node in self.data.graph.updates:
            found = set(np.unique(self.whole(state)).tolist())
            meant = self.expected(node) | self.copies.get(node, set())
            assert found <= meant, f"{state!r} holds what {found} wrote"
        for node in self.data.graph.inputs:
            assert (self.whole(node) == OUTSIDE).all(), f"{node!r} was written"

    def begin_again(self):
        """States hold old values now; so do buffers, on whose contents no step may rely."""
        prepared = self.data.prepared
        self.arena[self.arena >= prepared] = NOBODY
        self.outside.clear()
        self.writers = {n: w for n, w in self.writers.items() if w < prepared}
        self.copies = {n: {w for w in ws if w < prepared} for n, ws in self.copies.items()}


def check_plan(data):
    shadow = Shadow(data)
    shadow.run()
    shadow.begin_again()
    shadow.run(data.prepared)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_random_plans_read_what_was_meant(batch):
    for rng in seeds(60, seed=batch):
        graph = draw_graph(rng, most=40)
        for candidate in (graph, optimize(graph)[0]):
            check_plan(make_plan(candidate, dict.fromkeys(candidate.symbols, batch)))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(graphs(most=25), st.sampled_from([0, 1, 5]))
def test_a_plan_that_reads_something_else_shrinks(graph, batch):
    check_plan(make_plan(graph, dict.fromkeys(graph.symbols, batch)))


@pytest.mark.parametrize("name", sorted(ZOO))
def test_steps_and_predictions_of_the_zoo(name):
    specimen = ZOO[name]
    model, (inputs, targets) = specimen.model(), specimen.arrays(9)
    step = count_runs(training_core(model, inputs, targets), None)
    for core in (step, inference_core(model)):
        for graph in (core, optimize(core)[0]):
            check_plan(make_plan(graph, dict.fromkeys(graph.symbols, 9)))


@pytest.mark.parametrize("name", ["deep", "batch_norm", "attention"])
def test_rematerialized_steps(name):
    specimen = ZOO[name]
    model, (inputs, targets) = specimen.model(), specimen.arrays(64)
    graph, _ = optimize(count_runs(training_core(model, inputs, targets), None))
    binding = dict.fromkeys(graph.symbols, 64)
    data = plan_within(graph, binding, 0.85)
    assert len(data.steps) > len(make_plan(graph, binding).steps)
    check_plan(data)


# -- the shadow sees what is wrong -------------------------------------------------------------


def small_plan():
    x = input_node((8, 8), name="x")
    y = ops.tanh(x)
    return make_plan(Graph((x,), (("y", ops.cumsum(y, axis=0) + ops.transpose(y)),)), {})


def test_buffers_that_overlap_are_seen():
    data = small_plan()
    check_plan(data)
    for buffer in data.buffers:
        buffer.offset = 0
    with pytest.raises(AssertionError, match=r"in the place of|outputs or scratch overlap"):
        check_plan(data)


def test_steps_out_of_order_are_seen():
    data = small_plan()
    data.steps.reverse()
    with pytest.raises(AssertionError, match="is read but never computed"):
        check_plan(data)


def test_a_state_that_is_written_early_is_seen():
    w = Variable(np.ones(4), "w", "float32")
    graph = Graph((), (("y", ops.exp(w)),), ((w, w * 2.0),))
    data = make_plan(graph, {})
    check_plan(data)
    data.steps.sort(key=lambda s: s.op.name != "multiply")
    with pytest.raises(AssertionError, match="in the place of <Variable w"):
        check_plan(data)
