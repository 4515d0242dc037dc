"""Plans compute what the interpreter computes, in little memory, with states updated in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, const, input_node
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.ops.slicing import slice_
from kgraph.runtime.emit import Plan
from kgraph.runtime.interp import interpret
from kgraph.runtime.planning import make_plan

BATCH = Dim.symbol("batch")


def check_both(graph, arrays, **binding):
    """Runs plan and interpreter, which must agree; the plan's states are changed.

    Sums may differ in the last bit: NumPy's order of summation depends on the memory layout.
    """
    expected, updates = interpret(graph, arrays, binding=binding)
    plan = Plan(make_plan(graph, binding))
    plan.fill(arrays)
    plan.run()
    for got, want in zip(plan.outputs, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)
    for variable, want in updates.items():
        np.testing.assert_allclose(variable.value, want, rtol=1e-6)
    return plan


def names(plan):
    """Op names of a plan's steps."""
    return [step.op.name for step in plan.data.steps]


def test_views_cost_no_step():
    x = input_node((BATCH, 6), name="x")
    y = ops.reshape(ops.expand_dims(x, 0), (-1, 3))[1:, ::-1]
    plan = check_both(Graph((x,), (("y", y + 1.0),)), [np.arange(12.0).reshape(2, 6)], batch=2)
    assert names(plan) == ["add"]


def test_a_reshape_that_needs_a_copy_gets_one():
    x = input_node((3, 4), name="x")
    y = ops.reshape(ops.transpose(x), (12,))
    plan = check_both(Graph((x,), (("y", y), ("z", y * 2.0))), [np.arange(12.0).reshape(3, 4)])
    assert names(plan).count("reshape") == 1


def test_views_of_a_scalar_look_at_its_memory():
    x = input_node((3,), name="x")
    y = ops.flip(ops.sum(x))
    check_both(Graph((x,), (("flip", y), ("part", slice_(y, (), ())))), [np.arange(3.0)])


def test_elementwise_chain_works_in_one_buffer():
    x = input_node((BATCH, 8), name="x")
    y = x + 1.0
    for _ in range(20):
        y = ops.tanh(y)
    plan = check_both(Graph((x,), (("y", y),)), [np.ones((4, 8))], batch=4)
    assert plan.data.arena_bytes == 4 * 8 * 4
    assert plan.data.lower_bound == 4 * 8 * 4


def test_inputs_survive_the_run():
    x = input_node((4,), name="x")
    plan = check_both(Graph((x,), (("y", ops.exp(x)),)), [np.ones(4)])
    assert plan.inputs[0].tolist() == [1.0] * 4


def test_an_output_may_be_an_input_a_constant_or_one_value_twice():
    x = input_node((2,), name="x")
    y = x * 2.0
    check_both(Graph((x,), (("x", x), ("c", const([1.0])), ("a", y), ("b", y))), [[1.0, 2.0]])


def test_update_is_written_in_place():
    w = Variable(np.ones((3, 3)), dtype="float32", name="w")
    g = input_node((3, 3), name="g")
    buffer = w.value
    plan = check_both(Graph((g,), (), ((w, w - g * 0.5),)), [np.eye(3)])
    assert w.value is buffer
    assert names(plan) == ["multiply", "subtract"]


def test_updates_read_old_values():
    a, b = Variable([1.0, 2.0], name="a"), Variable([3.0, 4.0], name="b")
    check_both(Graph((), (("old", a),), ((a, b), (b, a))), [])
    assert a.value.tolist() == [3.0, 4.0]
    check_both(
        Graph((), (("old", a), ("view", ops.reshape(a, (2, 1)))), ((a, a + b), (b, a - b))), []
    )
    assert a.value.tolist() == [4.0, 6.0]
    assert b.value.tolist() == [2.0, 2.0]


def test_one_value_may_update_two_states():
    a, b = Variable([1.0], name="a"), Variable([5.0], name="b")
    new = a + b
    check_both(Graph((), (("new", new),), ((a, new), (b, new))), [])
    assert a.value.tolist() == b.value.tolist() == [6.0]


def test_a_state_that_others_still_read_is_written_last():
    w = Variable(np.ones(4), dtype="float32", name="w")
    v = Variable(np.zeros(4), dtype="float32", name="v")
    slow = ops.exp(ops.exp(w))
    new = w * 0.5
    plan = check_both(Graph((), (("s", slow), ("n", new * 3.0)), ((w, new), (v, v + new))), [])
    assert "copy" in names(plan) or names(plan).index("multiply") > names(plan).index("exp")


def training_step(layers, units, batch, optimizer):
    """A plan of a training step of a deep MLP, and the bytes of its weights and activations."""
    model = Sequential([Dense(units, activation="relu", input_shape=(units,))])
    for _ in range(layers - 1):
        model.add(Dense(units, activation="relu"))
    model.compile(optimizer, "mse")
    data = np.zeros((batch, units), "float32")
    graph = model.executable(data, data).graph
    weights, activations = 4 * layers * units**2, 4 * layers * units * batch
    return make_plan(graph, {"batch": batch}), weights, activations


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(("batch", "units"), [(4, 256), (256, 64)])
def test_training_needs_little_more_than_its_activations(optimizer, batch, units):
    """Neither all gradients of the weights nor all cotangents are alive at one time."""
    data, weights, activations = training_step(12, units, batch, optimizer)
    room = 5 * weights // 12  # of one layer: a gradient and the temporaries of its update
    if optimizer == "adam" and units == 64:
        room = 4 * weights  # small weights are updated as one long vector
    assert data.arena_bytes <= 1.3 * activations + room
    assert data.arena_bytes <= 1.02 * data.lower_bound + 64 * len(data.buffers)


def test_transposed_state_is_read_before_the_update():
    w = Variable(np.arange(4.0).reshape(2, 2), dtype="float32", name="w")
    x = input_node((2, 2), name="x")
    y = x @ ops.transpose(w)
    check_both(Graph((x,), (("y", y),), ((w, w - ops.transpose(y)),)), [np.eye(2)])


def test_size_becomes_the_number_of_the_binding():
    from kgraph.ir import size

    x = input_node((BATCH, 2), name="x")
    y = ops.sum(x) / ops.cast(size(BATCH), "float32")
    for n in (1, 5):
        check_both(Graph((x,), (("y", y),)), [np.ones((n, 2))], batch=n)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_every_batch_size_works(n):
    x = input_node((BATCH, 4), name="x")
    w = Variable(np.ones((4, 3)), dtype="float32", name="w")
    y = ops.tanh(x @ w)
    loss = ops.sum(y, axis=0)
    check_both(Graph((x,), (("y", y), ("loss", loss))), [np.ones((n, 4))], batch=n)


UNARY = [
    ops.tanh,
    ops.exp,
    ops.abs,
    ops.transpose,
    lambda x: x[::-1],
    lambda x: x * x,
    lambda x: ops.reshape(x, (-1, x.shape[0])),
    lambda x: ops.sum(x, axis=0, keepdims=True),
]
BINARY = [ops.add, ops.multiply, ops.maximum, lambda a, b: ops.concatenate([a, b], axis=0)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_graphs_agree_with_the_interpreter(data):
    """Values meet at random, some are outputs, some update states, dead buffers get reused."""
    x = input_node((3, 3), name="x")
    states = [Variable(np.full((3, 3), 0.5 + i), dtype="float32", name=f"s{i}") for i in range(2)]
    values = [x, *states]
    for _ in range(data.draw(st.integers(1, 12))):
        pick = st.sampled_from(values)
        if data.draw(st.booleans()):
            values.append(data.draw(st.sampled_from(UNARY))(data.draw(pick)))
        else:
            a, b = data.draw(pick), data.draw(pick)
            same = a.shape == b.shape and all(d < 100 for d in a.shape)
            values.append(data.draw(st.sampled_from(BINARY))(a, b) if same else ops.tanh(a))
    fitting = [v for v in values if v.shape == (3, 3)]
    outputs = data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
    updates = tuple((s, data.draw(st.sampled_from(fitting))) for s in states)
    graph = Graph((x,), tuple((f"y{i}", y) for i, y in enumerate(outputs)), updates)
    plan = check_both(graph, [np.linspace(-1, 1, 9).reshape(3, 3)])
    assert plan.data.arena_bytes >= plan.data.lower_bound


def test_operands_of_a_join_are_computed_in_their_places():
    x = input_node((BATCH, 3), name="x")
    parts = [ops.tanh(x), ops.exp(x), ops.tanh(x), x]
    joined = ops.concatenate([ops.reshape(p, (-1,)) for p in parts], axis=0)
    graph = Graph((x,), (("joined", joined), ("sum", ops.tanh(x) + ops.exp(x))))
    for n in (0, 1, 4):
        plan = check_both(graph, [np.linspace(-1, 1, 3 * n).reshape(n, 3)], batch=n)
        assert names(plan).count("concatenate") == 0
        # What stands twice and what is no result of a step must be copied.
        assert n == 0 or names(plan).count("copy") == 2


def test_joins_of_joins_lie_in_one_piece():
    x = input_node((4,), name="x")
    inner = ops.concatenate([ops.exp(x), ops.tanh(x)], axis=0)
    outer = ops.concatenate([inner, ops.sin(x), inner], axis=0)
    plan = check_both(Graph((x,), (("y", outer), ("z", inner * 2.0))), [np.arange(4.0)])
    assert sorted(names(plan)) == ["copy", "exp", "multiply", "sin", "tanh"]


def test_a_join_along_another_axis_is_a_step():
    x = input_node((2, 2), name="x")
    plan = check_both(
        Graph((x,), (("y", ops.concatenate([ops.exp(x), ops.sin(x)], axis=1)),)), [np.eye(2)]
    )
    assert "concatenate" in names(plan)


def test_what_follows_from_states_alone_is_prepared_once():
    x, w = input_node((BATCH, 3), name="x"), Variable(np.eye(3), dtype="float32", name="w")
    scaled = ops.exp(ops.transpose(w) * 2.0)
    graph = Graph((x,), (("y", x @ scaled), ("s", ops.sum(scaled))))
    plan = check_both(graph, [np.ones((2, 3))], batch=2)
    assert names(plan)[: plan.data.prepared] == ["multiply", "exp", "sum"]
    first = plan.outputs[0].copy()
    plan.outputs[0].fill(0)
    plan.run_bare(prepared=True)
    np.testing.assert_array_equal(plan.outputs[0], first)
    w.assign(2 * np.eye(3))
    plan.run_bare(prepared=True)
    np.testing.assert_array_equal(plan.outputs[0], first)
    plan.run()
    assert not np.array_equal(plan.outputs[0], first)


def test_a_graph_that_trains_prepares_nothing():
    x, w = input_node((2,), name="x"), Variable(np.ones(2), dtype="float32", name="w")
    frozen = Variable(np.ones(2), dtype="float32", name="frozen", trainable=False)
    graph = Graph((x,), (), ((w, w + x * ops.exp(frozen)),))
    assert check_both(graph, [np.ones(2)]).data.prepared == 0


def product_plan(monkeypatch, make_outputs, make_updates=lambda x: ()):
    monkeypatch.setattr("kgraph.runtime.emit.LENT", 0)
    x = input_node((BATCH, 3), name="x")
    return Plan(make_plan(Graph((x,), make_outputs(x), make_updates(x)), {"batch": 2}))


def test_a_product_reads_an_array_where_it_lies(monkeypatch):
    w = const(np.arange(12.0).reshape(3, 4), "float32")
    plan = product_plan(monkeypatch, lambda x: (("y", ops.tanh(x @ w)),))
    rows = np.arange(12, dtype="float32").reshape(4, 3)[1:3]
    plan.run(plan.feed([rows]))
    np.testing.assert_array_equal(plan.inputs[0], 0)
    np.testing.assert_array_equal(plan.outputs[0], np.tanh(rows.dot(w.attrs["value"].array)))
    for other in (np.asfortranarray(rows), rows.astype("float64"), rows[:, ::-1]):
        plan.run(plan.feed([other]))
        np.testing.assert_array_equal(plan.inputs[0], other)
        expected = np.tanh(np.ascontiguousarray(other, "float32").dot(w.attrs["value"].array))
        np.testing.assert_array_equal(plan.outputs[0], expected)


@pytest.mark.parametrize(
    "outputs",
    [
        lambda x, w: (("y", ops.tanh(x) @ w),),
        lambda x, w: (("y", x @ w), ("x", x)),
        lambda x, w: (("y", x @ w), ("first", slice_(x, (0, 0), (1, 3)))),
        lambda x, w: (("y", x @ ops.transpose(x)),),
        lambda x, w: (("y", x @ w), ("s", ops.sum(x))),
    ],
)
def test_what_others_than_products_read_is_copied(outputs, monkeypatch):
    w = const(np.ones((3, 4)), "float32")
    plan = product_plan(monkeypatch, lambda x: outputs(x, w))
    rows = np.arange(6, dtype="float32").reshape(2, 3)
    plan.run(plan.feed([rows]))
    np.testing.assert_array_equal(plan.inputs[0], rows)


def test_an_array_that_shows_a_state_is_copied(monkeypatch):
    """The state is written before the product reads the array."""
    w = Variable(np.ones((2, 3)), dtype="float32", name="w")
    two = const(np.ones((3, 2)), "float32")
    plan = product_plan(monkeypatch, lambda x: (("y", x @ two),), lambda x: ((w, w * 2.0),))
    plan.run(plan.feed([w.value]))
    np.testing.assert_array_equal(plan.outputs[0], np.full((2, 2), 3.0))


def test_a_known_value_lies_in_c_order_whatever_its_kernel_returns():
    """NumPy's einsum may return a transposed product."""
    a = const([[1.0, 2.0], [3.0, 5.0]])
    graph = Graph((), (("y", ops.einsum("ij,kj->ik", a, a)),))
    data = make_plan(graph, {})
    assert not data.steps
    np.testing.assert_array_equal(Plan(data).outputs[0], [[5.0, 13.0], [13.0, 34.0]])
