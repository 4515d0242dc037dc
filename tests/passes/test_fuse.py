"""Which nodes become one op, and which must not: regions, heads, tails, limits, order, fuel."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph import config, ops
from kgraph.ir import CallContext, Dim, Graph, Stage, Variable, calling, input_node
from kgraph.ir.parser import parse
from kgraph.ir.printer import to_text
from kgraph.ir.serialize import dumps, loads
from kgraph.ir.verify import verify
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.ops.fused import expand, fused
from kgraph.optimizers import SGD, Adam, RMSprop
from kgraph.passes import CORE, Pipeline, fueled
from kgraph.passes.fuse import Fuse
from kgraph.passes.lower import lower
from kgraph.passes.prepared import prepared_nodes
from kgraph.passes.regions import Limits, find_regions
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret
from kgraph.runtime.unfuse import unfuse
from kgraph.testing.drawn_graphs import draw_graph

FUSES = True
BATCH = Dim.symbol("batch")
X = input_node((BATCH, 8), name="x")
Y = input_node((BATCH, 8), name="y")
ROW = input_node((8,), name="row")
COLUMN = input_node((BATCH, 1), name="column")
WEIGHT = input_node((8, 8), name="weight")
INPUTS = (X, Y, ROW, COLUMN, WEIGHT)


def fuse(*outputs, **options):
    """The fused graph of some outputs, verified."""
    graph = Graph(INPUTS, tuple((f"y{i}", n) for i, n in enumerate(outputs)))
    found = Fuse(**options).run(graph)
    assert found.stage is Stage.FUSED
    verify(found)
    assert unfuse(found, {"batch": 1}).roots == graph.roots
    return found


def programs(graph):
    """The names of the ops in each fused node."""
    return [[name for name, _, _ in n.attrs["program"]] for n in graph.nodes if n.op is fused]


def others(graph):
    """The names of all other ops but leaves and items."""
    return [n.op.name for n in graph.nodes if n.inputs and n.op.name not in ("fused", "item")]


# -- regions -----------------------------------------------------------------------------------
def test_a_chain_becomes_one_op():
    graph = fuse(ops.tanh(X * ROW + COLUMN) * 2)
    assert programs(graph) == [["multiply", "add", "tanh", "multiply"]]
    assert not others(graph)


def test_values_with_users_outside_are_results_and_computed_once():
    y = ops.tanh(X * 2)
    graph = fuse(y + 1, ops.cumsum(y))
    assert programs(graph) == [["multiply", "tanh", "add"]]
    (node,) = (n for n in graph.nodes if n.op is fused)
    assert len(node.types) == 2


def test_a_path_that_leaves_and_comes_back_keeps_a_region_apart():
    e = ops.exp(X)
    graph = fuse(ops.sin(e) + ops.logsumexp(e, axis=1, keepdims=True))
    # The sine could stand in both; where it stands, e is stored and the sine is not.
    assert programs(graph) == [["sin", "add"]]
    assert others(graph) == ["exp", "logsumexp"]


def test_a_diamond_through_a_product_is_two_regions():
    e = ops.exp(X) * 2
    graph = fuse((e @ WEIGHT) * 3 + ops.sin(e), heads=False)
    assert programs(graph) == [["exp", "multiply"], ["multiply", "sin", "add"]] or (
        programs(graph) == [["exp", "multiply"], ["sin", "multiply", "add"]]
    )


def test_a_slope_that_only_the_backward_pass_needs_waits_for_its_gradient():
    y = ops.tanh(X + ROW)
    late = ops.cumsum(ops.cumsum(y, axis=1), axis=1)
    graph = fuse(late * (1 - y * y))
    assert programs(graph) == [["add", "tanh"], ["multiply", "subtract", "multiply"]]


def test_nothing_waits_where_more_would_be_stored_meanwhile():
    a, b = ops.exp(X), ops.sin(X)
    late = ops.cumsum(ops.cumsum(a * b, axis=1), axis=1)
    # Waiting, the sum would need two values that are stored for nobody else.
    graph = fuse(late * (a + b))
    assert [sorted(p) for p in programs(graph)] == [["add", "exp", "multiply", "sin"]]


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("reduction", lambda: ops.sum(ops.exp(X), axis=1, keepdims=True) * X),
        ("another shape", lambda: ops.exp(ops.logsumexp(ops.exp(X), axis=1))),
        ("gather", lambda: ops.take(ops.exp(WEIGHT), np.array([1, 0]), axis=0) * 2),
        ("view", lambda: ops.exp(ops.reshape(ops.exp(X), (8, -1)))),
        ("transpose", lambda: ops.exp(ops.transpose(ops.exp(WEIGHT)))),
        ("softmax", lambda: ops.softmax(X * 2) * 3),
        ("recomputation", lambda: ops.exp(ops.recompute(ops.exp(X), Y))),
    ],
)
def test_nothing_is_fused_across(name, build):
    assert all(len(p) < 2 for p in programs(fuse(build(), tails="none")))


def test_different_symbols_are_different_shapes():
    other = input_node((Dim.symbol("other"), 8), name="z")
    graph = Graph((X, other), (("a", ops.exp(X)), ("b", ops.exp(other))))
    assert programs(Fuse().run(graph)) == []


def test_numbers_without_axes_are_left_alone():
    s = input_node((), name="s")
    graph = Graph((s,), (("y", ops.exp(s * 2) + 1),))
    assert programs(Fuse().run(graph)) == []


def test_random_ops_are_operands():
    with calling(CallContext(training=True)):
        noise = ops.random.normal((8,), seed=1)
    graph = fuse(ops.exp(X * noise) * 2)
    assert programs(graph) == [["multiply", "exp", "multiply"]]
    assert "random_normal" in others(graph)


def test_siblings_share_what_they_read_if_it_has_their_shape():
    assert len(programs(fuse(ops.exp(X), ops.sin(X)))) == 1
    assert not programs(fuse(ops.exp(X), ops.sin(X), siblings=False))
    assert not programs(fuse(X + ROW, Y + ROW))


def test_masks_and_numbers_may_mix():
    mask = X > Y
    graph = fuse(ops.where(mask, ops.cast(mask, "float32") * X, 0.0), ops.cast(X, "int32") + 1)
    assert sorted(len(p) for p in programs(graph)) == [6]


# -- limits ------------------------------------------------------------------------------------
def test_many_operands_are_split():
    found = X
    terms = [ops.cumsum(X + i, axis=1) for i in range(65)]
    for term in terms:
        found = found + term
    graph = fuse(found)
    assert all(len(n.inputs) <= 48 for n in graph.nodes if n.op is fused)
    assert len([p for p in programs(graph) if "add" in p]) > 2


def test_long_chains_are_split_into_convex_pieces():
    y = X
    for i in range(130):
        y = ops.sin(y) if i % 2 else y * ROW
    graph = fuse(y)
    assert [len(p) for p in programs(graph)] == [60, 60, 10]


@pytest.mark.parametrize("limits", [Limits(2, 3, True), Limits(5, 4, False), Limits(60, 48, True)])
@pytest.mark.parametrize("seed", range(40))
def test_contracting_all_regions_leaves_no_circle(limits, seed):
    graph = draw_graph(np.random.default_rng(seed), tame=False, most=60)
    regions = find_regions(graph, limits, prepared_nodes(graph))
    members = [n for region in regions for n in region]
    assert len(members) == len(set(members))
    home = {n: i for i, region in enumerate(regions) for n in region}
    quotient = nx.DiGraph()
    for node in graph.nodes:
        for operand in node.inputs:
            if home.get(node, node) != home.get(operand, operand):
                quotient.add_edge(home.get(operand, operand), home.get(node, node))
    assert nx.is_directed_acyclic_graph(quotient)
    for region in regions:
        assert len(region) <= limits.instructions
        assert len({(n.shape) for n in region}) == 1


# -- heads (P08) -------------------------------------------------------------------------------
def test_bias_and_activation_go_into_the_product():
    assert programs(fuse(ops.relu(X @ WEIGHT + ROW))) == [["matmul", "add", "relu"]]
    assert programs(fuse(X @ WEIGHT + ROW)) == [["matmul", "add"]]
    assert programs(fuse(ops.gelu(X @ WEIGHT + ROW) + Y)) == [["matmul", "add", "gelu", "add"]]


def test_a_preactivation_that_others_need_is_kept():
    z = X @ WEIGHT + ROW
    graph = fuse(ops.gelu(z), z)
    (node,) = (n for n in graph.nodes if n.op is fused)
    assert len(node.types) == 2
    assert programs(graph) == [["matmul", "add", "gelu"]]


def test_a_product_that_others_read_stays_outside():
    m = X @ WEIGHT
    assert programs(fuse(ops.relu(m + ROW), ops.cumsum(m))) == [["add", "relu"]]
    assert programs(fuse(ops.relu(m + ROW), m)) == [["add", "relu"]]
    assert programs(fuse(m * m)) == [["matmul", "multiply"]]
    assert programs(fuse(ops.exp(m), m @ WEIGHT)) == []


def test_softmax_is_no_epilogue():
    graph = fuse(ops.softmax(X @ WEIGHT + ROW))
    assert programs(graph) == [["matmul", "add"]]
    assert others(graph) == ["softmax"]


def test_a_product_that_is_stretched_is_an_operand():
    small = input_node((1, 8), name="small")
    graph = Graph((small, WEIGHT, X), (("y", ops.exp(small @ WEIGHT + X)),))
    assert programs(Fuse().run(graph)) == [["add", "exp"]]


def test_a_product_of_states_alone_is_not_computed_in_every_run():
    u, v = (Variable(np.ones((8, 8), "float32"), name) for name in "uv")
    x = input_node((8, 8), name="square")
    graph = Graph((x,), (("y", ops.relu(u @ v + x)), ("z", (x @ u) + ops.exp(v * 2))))
    assert sorted(programs(Fuse().run(graph))) == sorted(
        [["add", "relu"], ["matmul", "add"], ["multiply", "exp"]]
    )


def test_gradients_have_products_with_epilogues():
    h = ops.relu(X @ WEIGHT + ROW)
    loss = ops.mean(ops.square((h @ WEIGHT) - Y))
    graph = fuse(loss, *grad(loss, [WEIGHT, ROW]))
    found = programs(graph)
    assert ["matmul", "add", "relu"] in found
    assert any("matmul" in p and "relu_grad" in p for p in found)


# -- tails -------------------------------------------------------------------------------------
def test_reductions_become_tails():
    squares = ops.square(X - Y)
    assert programs(fuse(ops.max(squares, axis=1))) == [["subtract", "square", "max"]]
    mean = ops.mean(squares, axis=1)
    assert programs(fuse(mean)) == [["subtract", "square"]]
    assert programs(fuse(mean, tails="all")) == [["subtract", "square", "mean"]]
    assert programs(fuse(ops.sum(squares), tails="all")) == [["subtract", "square", "sum"]]
    both = fuse(ops.max(squares, axis=1), ops.sum(squares, axis=0), tails="all")
    assert programs(both) == [["subtract", "square", "max", "sum"]]
    with pytest.raises(ValueError, match="unknown tails"):
        Fuse(tails="some")


def test_strict_numerics_admit_exact_tails_only():
    squares = ops.square(X - Y)
    outputs = ops.max(squares, axis=1), ops.sum(squares, axis=1)
    graph = fuse(*outputs, tails="all", numerics="strict")
    assert programs(graph) == [["subtract", "square", "max"]]
    flags = fuse(ops.any(X > Y), ops.max(X * 2, axis=0), tails="all", numerics="strict")
    assert sorted(programs(flags)) == [["greater", "multiply", "any"]]


# -- models and optimizers -----------------------------------------------------------------------
def test_a_dense_layer_is_one_op():
    model = Sequential(
        [Dense(16, activation="relu", input_dim=8), Dense(16, activation="tanh"), Dense(4)]
    )
    graph, _ = Pipeline(CORE[:-1]).run(lower(model.graph, training=False))
    assert len([n for n in graph.nodes if n.op.name in ("matmul", "add", "relu", "tanh")]) == 8
    found = Fuse().run(graph)
    assert programs(found) == [["matmul", "add", "relu"], ["matmul", "add", "tanh"],
                               ["matmul", "add"]]  # fmt: skip
    assert not others(found)


OPTIMIZERS = {
    "sgd": (lambda: SGD(0.1), 2),
    "nesterov": (lambda: SGD(0.1, momentum=0.9, nesterov=True), 6),
    "rmsprop": (lambda: RMSprop(0.01), 9),
    "centered": (lambda: RMSprop(0.01, momentum=0.9, centered=True), 18),
    "adam": (lambda: Adam(0.01), 12),
    "amsgrad": (lambda: Adam(0.01, amsgrad=True), 13),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_of_a_weight_is_one_op_in_place(name):
    make, most = OPTIMIZERS[name]
    weight = Variable(np.zeros((40, 30), "float32"), "w")
    gradient = input_node((40, 30), name="g")
    updates = make().get_updates([gradient], [weight])
    graph = Fuse().run(Graph((gradient,), (), tuple(updates)))
    (node,) = (n for n in graph.nodes if n.op is fused)
    assert len(node.attrs["program"]) <= most
    results = {n: i for i, n in enumerate(n for n in graph.nodes if n.op.name == "item")}
    large = [(v, n) for v, n in graph.updates if v.shape == (40, 30)]
    assert len(large) == len(node.types)
    for state, value in large:
        output = value.attrs["index"] if value in results else 0
        assert node.inputs.index(state) in node.op.reuses(output, node.attrs)


def test_each_large_weight_of_a_step_has_one_update():
    first, second = (Variable(np.zeros(s, "float32"), "w") for s in ((8, 70), (70, 80)))
    loss = ops.sum(ops.square(ops.tanh(X @ first) @ second), axis=1)
    weights = [first, second]
    updates = Adam().get_updates(grad(ops.mean(loss), weights), weights)
    graph = Fuse().run(Graph((X,), (), tuple(updates)))
    for weight in weights:
        value = dict(graph.updates)[weight]
        written = [s for s, v in graph.updates if v.inputs and v.inputs[0] is value.inputs[0]]
        assert len(written) == 3
        program = [name for name, _, _ in value.inputs[0].attrs["program"]]
        assert "matmul" not in program


def test_a_new_value_waits_until_the_old_one_was_read():
    state = Variable(np.ones(8, "float32"), "s")
    new = state * 2 + ROW
    graph = Fuse().run(Graph((ROW,), (("late", ops.exp(new) - state),), ((state, new),)))
    (node,) = (n for n in graph.nodes if n.op is fused)
    output = graph.updates[0][1].attrs["index"]
    # The output needs both values: no order helps, and the planner copies.
    assert node.inputs.index(state) not in node.op.reuses(output, node.attrs)
    graph = Fuse().run(Graph((ROW,), (("late", ops.exp(state) * 3),), ((state, new),)))
    (node,) = (n for n in graph.nodes if n.op is fused)
    output = graph.updates[0][1].attrs["index"]
    assert node.inputs.index(state) in node.op.reuses(output, node.attrs)


# -- the journal, files ------------------------------------------------------------------------
def test_firings_kinds_and_fuel():
    graph = Graph(INPUTS, (("a", ops.exp(ops.cumsum(X * 2, axis=1) * 3)),
                           ("b", ops.sum(ops.relu(Y @ WEIGHT + ROW)))))  # fmt: skip
    _, report = Pipeline((Fuse(tails="all"),)).run(graph)
    kinds = {f.rule: f.kind for f in report["fuse"].firings}
    assert kinds == {"fuse-elementwise": "exact", "fuse-reduction": "rounding"}
    with fueled(1):
        found, _ = Pipeline((Fuse(),)).run(graph)
    assert len(programs(found)) == 1
    with fueled(0):
        found, _ = Pipeline((Fuse(),)).run(graph)
    assert found.roots == graph.roots


def test_rules_may_be_left_out():
    graph = Graph(INPUTS, (("b", ops.max(ops.relu(Y @ WEIGHT + ROW), axis=1)),))
    for left_out, expected in (
        ("fuse-reduction", [["matmul", "add", "relu"]]),
        ("fuse-product", [["add", "relu", "max"]]),
    ):
        pipeline = Pipeline((Fuse(),)).without(f"rule:{left_out}")
        assert programs(pipeline.run(graph)[0]) == expected


def test_near_misses_say_why():
    m = X @ WEIGHT
    graph = Graph(INPUTS, (("y", ops.relu(m + ROW)), ("m", m)))
    _, report = Pipeline((Fuse(),)).run(graph)
    assert [(n.rule, n.reason) for n in report.near_misses] == [
        ("fuse-product", "others read the product")
    ]


def test_strict_comes_from_the_configuration(monkeypatch):
    monkeypatch.setattr(config, "numerics", "strict")
    assert programs(fuse(ops.sum(ops.square(X - Y)), tails="all")) == [["subtract", "square"]]


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6))
def test_fused_graphs_survive_files_and_compute_the_same(seed):
    rng = np.random.default_rng(seed)
    graph = draw_graph(rng, tame=False, most=30)
    found = Fuse(numerics="strict").run(graph)
    verify(found)
    for again in (loads(dumps(found)), parse(to_text(found, elide=None))):
        assert dumps(again, labels=False) == dumps(found, labels=False)
    assert Fuse(numerics="strict").run(graph) == found


def test_a_fused_node_has_the_gradient_of_what_it_was_made_of():
    y = ops.tanh(X * ROW) + Y
    (node,) = (n for n in fuse(y).nodes if n.op is fused)
    (expanded,) = expand(node.inputs, **node.attrs)
    assert expanded is y
    mine, theirs = grad(node, [X, ROW]), grad(y, [X, ROW])
    rng = np.random.default_rng(0)
    fed = [rng.normal(size=[d if isinstance(d, int) else 3 for d in n.shape]) for n in INPUTS]
    graph = Graph(INPUTS, tuple((str(i), n) for i, n in enumerate([*mine, *theirs])))
    found = interpret(graph, fed)[0]
    for a, b in zip(found[:2], found[2:]):
        np.testing.assert_array_equal(a, b)
