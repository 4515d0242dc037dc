"""Working in place stays invisible: nobody's arguments, results or old states are ever touched."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.runtime.executable import compile
from kgraph.runtime.planning import make_plan

BATCH = Dim.symbol("batch")


def busy(x):
    """Steps of which all but the first could work in their operand's memory."""
    for function in (ops.negative, ops.tanh, ops.exp, ops.sqrt, ops.negative):
        x = function(x)
    return x


def steps(graph, **binding):
    """(op, in place) of every step."""
    found = []
    for step in make_plan(graph, binding).steps:
        places = [(o.base, o.offset) for o in step.inputs]
        found.append((step.op.name, (step.outputs[0].base, step.outputs[0].offset) in places))
    return found


def test_dying_operands_are_overwritten_and_inputs_are_not():
    x = input_node((BATCH, 3), name="x")
    graph = Graph((x,), (("y", busy(x)),))
    assert steps(graph, batch=4) == [
        ("negative", False), ("tanh", True), ("exp", True), ("sqrt", True), ("negative", True),
    ]  # fmt: skip
    run, array = compile(graph), np.linspace(0, 1, 12, dtype="float32").reshape(4, 3)
    given = array.copy()
    given.flags.writeable = False
    run(given)
    np.testing.assert_array_equal(given, array)
    plan = run.bind({"batch": 4})
    plan.inputs[0][...] = array
    results = []
    for _ in range(3):
        plan.run()
        np.testing.assert_array_equal(plan.inputs[0], array)
        results.append(plan.outputs[0].tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda y: ops.tanh(y) + y,  # the operand is read again
        lambda y: ops.concatenate([ops.tanh(y), y[::-1]], axis=1),  # a view of it is
        lambda y: ops.tanh(ops.transpose(y)),  # it lies in another order
        lambda y: ops.cast(y, "float64"),  # the result has another size
        lambda y: ops.broadcast_to(ops.sum(y, axis=0), (3, 3)) - y,  # it is shorter
        lambda y: y @ y,  # products must not write what they read
        lambda y: y + ops.transpose(y),  # two windows on one memory
        lambda y: ops.cumsum(y, axis=1) * y,
    ],
)
def test_operands_that_are_still_needed_are_kept(make):
    x = input_node((3, 3), name="x")
    array = np.random.default_rng(0).normal(size=(3, 3)).astype("float32")
    y = ops.negative(x)
    graph = Graph((x,), (("y", make(y)),))
    want = np.asarray(make(ops.negative(array)))
    np.testing.assert_allclose(compile(graph)(array)[0], want, rtol=1e-6)


def test_an_output_is_never_overwritten_nor_shared():
    x = input_node((5,), name="x")
    y = ops.exp(x)
    part = y[1:3]
    outputs = (("y", y), ("again", y), ("part", part), ("z", ops.tanh(y)), ("x", x))
    run = compile(Graph((x,), outputs))
    array = np.linspace(-1, 1, 5, dtype="float32")
    first = run(array)
    kept = [a.copy() for a in first]
    for a in range(5):
        assert not np.shares_memory(first[a], array)
        for b in range(a):
            assert not np.shares_memory(first[a], first[b])
    second = run(array * 3)
    for a, b, c in zip(first, kept, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.shares_memory(a, c)
    np.testing.assert_array_equal(first[0], np.exp(array))


def test_one_array_may_be_given_twice_and_in_parts():
    x, y = input_node((4,), name="x"), input_node((4,), name="y")
    run = compile(Graph((x, y), (("a", busy(x) + y), ("b", ops.tanh(y)))))
    memory = np.linspace(0.1, 1, 6, dtype="float32")
    before = memory.copy()
    for a, b in ((memory[:4], memory[:4]), (memory[:4], memory[2:]), (memory[3::-1], memory[:4])):
        got = run(a, b)
        want = run(a.copy(), b.copy())
        for left, right in zip(got, want, strict=True):
            np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(memory, before)


def test_a_state_s_own_array_may_be_given():
    w = Variable(np.arange(4.0), "w", "float32")
    x = input_node((4,), name="x")
    run = compile(Graph((x,), (("old", ops.exp(w)), ("x", x * 1.0)), ((w, w + x),)))
    old, given = run(w.value)
    np.testing.assert_array_equal(old, np.exp(np.arange(4, dtype="float32")))
    np.testing.assert_array_equal(given, np.arange(4.0))
    np.testing.assert_array_equal(w.value, 2 * np.arange(4.0))


def test_states_are_written_where_they_lie_after_their_last_reader():
    w, m = Variable(np.ones(6), "w", "float32"), Variable(np.zeros(6), "m", "float32")
    g = input_node((6,), name="g")
    momentum = 0.9 * m + g
    graph = Graph((g,), (("norm", ops.sum(ops.square(w))),), ((w, w - momentum), (m, momentum)))
    plan = make_plan(graph, {})
    names = [s.op.name for s in plan.steps]
    assert "copy" not in names
    assert names.index("subtract") > names.index("square")
    arrays = w.value, m.value
    run = compile(graph)
    (norm,) = run(np.full(6, 2.0))
    assert norm == 6.0
    assert w.value is arrays[0]
    assert m.value is arrays[1]
    np.testing.assert_array_equal(w.value, -np.ones(6))
    np.testing.assert_array_equal(m.value, np.full(6, 2.0))


def test_a_view_keeps_the_memory_that_it_looks_at():
    x = input_node((64,), name="x")
    y = ops.exp(x)
    view = ops.reshape(y, (8, 8))[2:, ::-1]
    other = ops.tanh(ops.sort(ops.negative(ops.sort(x))))  # takes what is free meanwhile
    run = compile(Graph((x,), (("y", ops.sum(view) + ops.sum(other)),)))
    array = np.linspace(0, 1, 64, dtype="float32")
    want = np.exp(array[16:]).sum() + np.tanh(-array).sum()
    np.testing.assert_allclose(run(array)[0], want, rtol=1e-6)


def test_calls_in_flight_have_memory_of_their_own():
    """Eight threads inside one executable at one time: no two may hold the same arena."""
    x = input_node((BATCH, 64), name="x")
    y = x
    for _ in range(6):
        y = ops.tanh(ops.cumsum(y, axis=1))
    run = compile(Graph((x,), (("y", y),)))
    start, failures = threading.Barrier(8), []
    data = np.random.default_rng(1).normal(size=(8, 200, 64)).astype("float32")
    wanted = [run(block)[0] for block in data]

    def call(i):
        start.wait()
        for _ in range(10):
            if not np.array_equal(run(data[i])[0], wanted[i]):
                failures.append(i)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    taken = [run._take((("batch", 200),)) for _ in range(3)]
    arenas = [plan._arena for plan in taken]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arenas) for b in arenas[:i])
