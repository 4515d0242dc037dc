"""Lowering: inlining, contexts, nested paths, symbols, and updates that meet."""

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import CallContext, Dim, Graph, Stage, Variable, input_node
from kgraph.layers import BatchNormalization, Dense, Dropout, Input, Lambda, Masking
from kgraph.models import Model
from kgraph.passes.lower import Lower, inline, lower, merge_updates
from kgraph.runtime.interp import interpret


def test_a_graph_without_layers_is_returned_as_it_is():
    x = input_node((2,))
    graph = Graph((x,), (("y", ops.exp(x)),))
    assert lower(graph) is graph


def test_the_pass_states_its_stages():
    x = Input((3,))
    graph = Model(x, Dense(2)(x)).graph
    lowered = Lower(training=True).run(graph)
    assert (Lower.needs, Lower.gives) == (Stage.LAYERS, Stage.CORE)
    assert lowered.stage is Stage.CORE
    assert lowered.inputs == graph.inputs
    assert [name for name, _ in lowered.outputs] == [name for name, _ in graph.outputs]
    assert all("CORE" in n.op.stages for n in lowered.nodes)


def test_one_graph_two_lowerings():
    x = Input((3,))
    model = Model(x, Dropout(0.5)(BatchNormalization()(x)))
    assert lower(model.graph, training=False).updates == ()
    assert len(lower(model.graph, training=True).updates) == 2


def test_paths_of_nested_models():
    x = Input((3,))
    inner = Model(x, Dense(2, name="d")(x), name="inner")
    middle_in = Input((3,))
    middle = Model(middle_in, inner(middle_in), name="middle")
    y = Input((3,))
    outer = Model(y, middle(y) * 2.0)
    scopes = {n.op.name: n.origin.scope for n in lower(outer.graph).nodes}
    assert scopes["matmul"] == "middle/inner/d"
    assert scopes["multiply"] == ""


def test_raw_ops_of_nested_models_get_the_path():
    x = Input((3,))
    inner = Model(x, x * 2.0, name="inner")
    y = Input((3,))
    graph = lower(Model(y, inner(y)).graph)
    assert graph.outputs[0][1].origin.scope == "inner"


def test_unknown_sizes_of_an_inner_model_become_those_of_its_input():
    x = Input((None, 4), name="inner_in")
    length = x.shape[1]
    flat = ops.reshape(x, (x.shape[0], length * 4))
    inner = Model(x, flat)
    y = Input((6, 4))
    model = Model(y, inner(y))
    assert model.output_shape == (None, 24)
    assert lower(model.graph).symbols == ("batch",)
    array = np.arange(48, dtype="float32").reshape(2, 6, 4)
    assert np.array_equal(model(array), array.reshape(2, 24))


def test_inline_replaces_and_collects():
    x = Input((2, 3))
    y = Masking()(x)
    other = input_node((Dim.symbol("n"), 2, 3))
    context = CallContext(training=False)
    (result,), (mask,) = inline([y], context, {x: other})
    assert result.shape == other.shape
    assert mask is not None
    assert mask.dtype == "bool"
    assert mask.shape == (Dim.symbol("n"), 2)


def test_updates_of_one_variable_follow_each_other():
    v = Variable(1.0, name="v")
    merged = merge_updates([(v, v * 2.0), (v, v + 1.0)])
    _, updates = interpret(Graph((), (), merged), [])
    assert updates[v] == 3


def test_a_shared_batch_normalization_moves_once_for_each_call():
    a, b = Input((1,)), Input((1,))
    norm = BatchNormalization(momentum=0.5)
    model = Model([a, b], [norm(a), norm(b)])
    graph = lower(model.graph, training=True)
    _, updates = interpret(graph, [np.full((4, 1), 8.0), np.full((4, 1), 16.0)])
    mean = updates[norm.weights[2]]
    assert mean == pytest.approx((0 * 0.5 + 8 * 0.5) * 0.5 + 16 * 0.5)


def test_random_sites_are_numbered_by_call_and_stay_the_same():
    x = Input((64,))
    drop = Dropout(0.5, seed=3)
    model = Model(x, [drop(x), drop(x)])
    ones = np.ones((8, 64))
    first = interpret(lower(model.graph, training=True), [ones], step=1)[0]
    again = interpret(lower(model.graph, training=True), [ones], step=1)[0]
    later = interpret(lower(model.graph, training=True), [ones], step=2)[0]
    assert not np.array_equal(first[0], first[1])
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], later[0])


def test_a_long_chain_of_layers_and_ops_lowers_without_recursion():
    x = Input((2,))
    y = x
    for _ in range(3000):
        y = y * 1.0 + 0.0
    model = Model(x, Lambda(lambda t: t)(y))
    assert len(lower(model.graph).nodes) > 6000
