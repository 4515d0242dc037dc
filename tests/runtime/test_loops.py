"""Loops in plans: prebound calls give what the op's kernel gives, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.ir.leaves import const
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

BATCH, TIME = Dim.symbol("batch"), Dim.symbol("time")


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def zeros(*shape):
    return ops.broadcast_to(const(0.0), shape)


def check(graph, *arrays):
    """Runs a compiled graph twice and compares it with the interpreter; returns the executable."""
    expected, _ = interpret(graph, arrays)
    run = compile(graph)
    for _ in range(2):
        for found, wanted in zip(run(*arrays), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    return run


def graph_of(step, init, sequence, *inputs, reverse=False):
    """The graph of a loop over the first input: every carry and everything given is an output."""
    carry, ys = ops.scan(step, init, sequence, reverse=reverse)
    outputs = [*carry, *ys]
    return Graph(inputs, tuple((f"out{i}", y) for i, y in enumerate(outputs)))


def accumulate(carry, x):
    return (carry[0] + x,), (carry[0] * x,)


def swap(carry, x):
    a, b = carry
    return (b, a + x), (a, b)


def hand_on(carry, x):
    """Gives the element and the old carry as they are, and one value twice."""
    new = ops.tanh(carry[0] + x)
    return (new,), (x, carry[0], new, new)


def cut_up(carry, x):
    """Windows on the element and on what is given: slices, a reshape, a join."""
    left, right = x[:, :2], x[:, 2:]
    joined = ops.concatenate([right * carry[0], left], axis=1)
    return (joined[:, 1:3],), (joined, ops.transpose(joined))


def give_both(carry, x):
    """Gives the value that it finds and the one that it hands on, and reads both."""
    new = ops.sin(carry[0] + x)
    return (new,), (new * carry[0], new, carry[0])


def give_parts(carry, x):
    """Computes on the carry in place, in pieces, and by way of views."""
    old = carry[0]
    new = ops.concatenate([old[:, 1:] + x[:, 1:], old[:, :1] * 2.0], axis=1)
    return (ops.transpose(ops.transpose(new)),), (new, ops.transpose(new)[1:])


def pass_on(carry, x):
    """One carry hands on what the other one found, both of which are given."""
    a, b = carry
    return (b, ops.cos(a * x)), (b, a * b)


def same_twice(carry, x):
    a, b = carry
    new = ops.exp(-(a + b) * x)
    return (new, new), (a, new)


def hand_on_element(carry, x):
    return (x,), (carry[0], x * 2.0)


PAIRS = (swap, pass_on, same_twice)
STEPS = (accumulate, hand_on, give_both, give_parts, hand_on_element, *PAIRS)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_steps(step, length, reverse):
    x = input_node((TIME, BATCH, 3), name="x")
    init = tuple(zeros(BATCH, 3) for _ in range(2 if step in PAIRS else 1))
    graph = graph_of(step, init, x, x, reverse=reverse)
    for batch in (0, 1, 5):
        check(graph, random(length, batch, 3))


def test_a_carry_that_is_given_is_not_copied():
    x, h = input_node((TIME, 5, 3), name="x"), input_node((5, 3), name="h")

    def calls(step):
        run = check(graph_of(step, (h,), x, x, h), random(4, 5, 3), random(5, 3))
        (loop,) = [s.loop for s in run.bind({"time": 4}).data.steps if s.loop is not None]
        return [s.op.name for s in loop.steps]

    assert calls(lambda c, x: ((ops.tanh(c[0] + x),), (c[0],))) == ["add", "tanh"]
    assert calls(lambda c, x: ((y := ops.tanh(c[0] + x),), (y,))) == ["add", "tanh"]
    # The new value has to wait for whoever reads the old one, which itself waits for the new one.
    assert calls(give_both) == ["add", "sin", "multiply", "copy", "copy"]


def test_windows_on_elements():
    x = input_node((TIME, BATCH, 4), name="x")
    check(graph_of(cut_up, (zeros(BATCH, 2),), x, x), random(5, 3, 4))


def test_a_sequence_that_is_a_view():
    x = input_node((BATCH, TIME, 4), name="x")
    sequence = ops.transpose(x, (1, 0, 2))[:, :, 1:]
    check(graph_of(accumulate, (zeros(BATCH, 3),), sequence, x), random(3, 5, 4))


def test_first_values_that_others_need():
    x = input_node((TIME, 3), name="x")
    first = ops.exp(x[0])
    (last, again), ys = ops.scan(lambda c, e: ((c[0] + e, c[1] * e), c[0]), (first, first), x)
    check(Graph((x,), (("a", last), ("b", again), ("y", ys), ("first", first))), random(4, 3))


def test_a_loop_in_a_loop():
    x = input_node((TIME, 4, 3), name="x")

    def row(carry, element):
        inner, ys = ops.scan(lambda c, e: (ops.sin(c + e), c), carry, element)
        return inner, ys[1] * ys[2]

    last, ys = ops.scan(row, zeros(3), x)
    check(Graph((x,), (("last", last), ("ys", ys))), random(5, 4, 3))


def test_a_state_is_carried_in_its_place():
    state = Variable(np.zeros(3, "float32"), name="memory")
    x = input_node((TIME, 3), name="x")
    last, ys = ops.scan(lambda c, e: (c + e, c * 2.0), state, x)
    graph = Graph((x,), (("ys", ys),), ((state, last),))
    run = compile(graph)
    values = random(6, 3)
    for batch in (values[:4], values[4:]):
        expected, updates = interpret(graph, [batch])
        np.testing.assert_array_equal(run(batch)[0], expected[0])
        np.testing.assert_array_equal(state.value, updates[state])
    np.testing.assert_allclose(state.value, values.sum(axis=0), rtol=1e-5)
    (step,) = [s for s in run.bind({"time": 4}).data.steps if s.op is ops.scan]
    assert step.inputs[0] == step.outputs[0]


def test_gradients_of_a_recurrent_cell():
    w = Variable(random(3, 3), name="w")
    x = input_node((TIME, BATCH, 3), name="x")
    last, ys = ops.scan(lambda h, e: (ops.tanh(e + h @ w), h), zeros(BATCH, 3), x)
    slopes = grad(ops.sum(last) + ops.sum(ops.sin(ys)), [w, x])
    graph = Graph((x,), tuple((f"g{i}", g) for i, g in enumerate(slopes)))
    run, arrays = compile(graph), random(6, 4, 3)
    for found, wanted in zip(run(arrays), interpret(graph, [arrays])[0], strict=True):
        np.testing.assert_allclose(found, wanted, 1e-5, 1e-6)


def test_nothing_is_allocated(measure_allocations):
    w = Variable(random(64, 64), name="w")
    x = input_node((TIME, BATCH, 64), name="x")
    last, ys = ops.scan(lambda h, e: (ops.tanh(e + h @ w), h), zeros(BATCH, 64), x)
    plan = compile(Graph((x,), (("last", last), ("ys", ys)))).bind({"time": 9, "batch": 32})
    borrowed, kept = measure_allocations(plan.run, 20)
    assert borrowed < 4096
    assert kept < 512


def test_a_failing_step_names_the_op_inside():
    table = Variable(random(4, 3), name="table")
    ids = input_node((TIME,), "int32", name="ids")
    last, _ = ops.scan(lambda c, i: (c + ops.take(table, i, axis=0), None), zeros(3), ids)
    run = compile(Graph((ids,), (("last", last),)))
    with pytest.raises(IndexError) as caught:
        run(np.array([1, 9], "int32"))
    assert any("while running take" in note for note in caught.value.__notes__)


def test_the_text_shows_the_loop():
    x = input_node((TIME, BATCH, 3), name="x")
    run = check(graph_of(accumulate, (zeros(BATCH, 3),), x, x), random(2, 2, 3))
    assert "for " in run.source
    assert "moves" in run.source


@pytest.mark.parametrize("reverse", [False, True])
def test_no_steps_over_an_empty_sequence_of_numbers(reverse):
    """There is no first element to look at, not even in memory."""
    x, factor = input_node((0,), name="x"), input_node((), name="factor")
    last, ys = ops.scan(
        lambda h, e: (ops.sin(e * ops.tanh(h) + factor), h * 2), factor, x, reverse=reverse
    )
    check(Graph((x, factor), (("last", last), ("ys", ys))), random(0), np.float32(0.5))
