"""What optimized graphs have in common: nothing twice, nothing dead, nothing without effect."""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH, count, graph_of, same_bits

from kgraph import ops
from kgraph.ir import Graph, Variable, const, input_node
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import build
from kgraph.ir.op import OPS
from kgraph.layers import Activation, Add, BatchNormalization, Dense, Dropout, Input
from kgraph.models import Model, Sequential
from kgraph.ops.gradients import identity
from kgraph.passes import optimize
from kgraph.passes.lower import lower
from kgraph.passes.simplify import Simplify
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.testing import draw_graph, seeds

X = input_node((BATCH, 3), name="x")
Y = input_node((BATCH, 3), name="y")
N = input_node((BATCH, 3), "int32", "n")
C = input_node((BATCH, 3), "bool", "c")


def simplified(*nodes):
    """The nodes after Simplify alone."""
    return Simplify().rewrite(nodes)


# -- P01: dead code ----------------------------------------------------------------------------


def reachable(graph):
    """The nodes that the roots need."""
    reached, stack = set(), list(graph.roots)
    while stack:
        node = stack.pop()
        if node not in reached:
            reached.add(node)
            stack.extend(node.inputs)
    return reached


def test_a_graph_holds_what_its_roots_reach():
    for rng in seeds(40):
        graph = draw_graph(rng, most=25)
        better, _ = optimize(graph)
        assert set(graph.nodes) == reachable(graph)
        assert set(better.nodes) == reachable(better)
        assert better.inputs == graph.inputs


def test_unused_inputs_stay_in_the_signature():
    executable = compile(Graph((X, Y), (("y", X * 0 + X),)))
    x = np.ones((2, 3), "float32")
    assert executable(x, x)[0].shape == (2, 3)


def test_what_is_fetched_decides_about_updates():
    total = Variable(np.float32(0), "total")
    loss = ops.sum(X)
    with_update = Graph((X,), (("loss", loss),), ((total, total + loss),))
    assert optimize(with_update)[0].updates[0][0] is total
    assert not optimize(graph_of((X,), loss))[0].states


def test_outputs_may_repeat_and_may_be_inputs_or_constants():
    seven = const([7.0, 7.0])
    graph = Graph((X,), (("a", X * 1), ("b", X), ("c", seven), ("d", ops.tanh(X)),
                         ("e", ops.tanh(X))))  # fmt: skip
    better, _ = optimize(graph)
    assert [n for n, _ in better.outputs] == list("abcde")
    x = np.arange(6, dtype="float32").reshape(2, 3)
    a, b, c, d, e = compile(graph)(x)
    same_bits(a, x)
    same_bits(b, x)
    same_bits(d, e)
    assert c.tolist() == [7, 7]
    a[:], d[:] = 5, 5
    assert not np.shares_memory(a, b)
    assert not np.shares_memory(d, e)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert b.tolist() == x.tolist()
    assert compile(graph)(x)[2].tolist() == [7, 7]


# -- P02: common subexpressions ----------------------------------------------------------------


@pytest.mark.parametrize("op", ["add", "multiply", "equal", "not_equal", "logaddexp"])
def test_floats_commute(op):
    f = getattr(ops, op)
    left, right = simplified(f(X, Y), f(Y, X))
    assert left is right


@pytest.mark.parametrize("op", ["logical_and", "logical_or", "logical_xor", "add", "multiply"])
def test_bools_commute(op):
    f, other = getattr(ops, op), ops.isnan(X)
    left, right = simplified(f(C, other), f(other, C))
    assert left is right


@pytest.mark.parametrize("op", ["bitwise_and", "bitwise_or", "bitwise_xor"])
def test_bits_commute(op):
    f, other = getattr(ops, op), ops.bitwise_not(N)
    left, right = simplified(f(N, other), f(other, N))
    assert left is right


def test_extremes_commute_but_for_zeros():
    both = ops.maximum(X, Y), ops.maximum(Y, X)
    left, right = simplified(*both)
    assert left is right
    left, right = Simplify(numerics="strict").rewrite(both)
    assert left is not right
    zero = np.zeros((1, 3), "float32")
    values = interpret(Graph((X, Y), (("a", both[0]), ("b", both[1]))), [zero, -zero])[0]
    assert np.signbit(values[0]).tolist() != np.signbit(values[1]).tolist()


@pytest.mark.parametrize("op", ["subtract", "divide", "power", "mod", "less", "arctan2"])
def test_others_do_not(op):
    f = getattr(ops, op)
    left, right = simplified(f(X, Y), f(Y, X))
    assert left is not right


def test_merged_where_new_equalities_appear():
    (node,) = simplified((X * 1 + Y) * (Y / 1 + (X - 0)))
    assert node is ops.square(X + Y)


def test_constants_stand_last_and_differences_stay():
    assert simplified(2 + X)[0] is X + 2
    assert simplified(2 * N)[0] is N * 2
    for kept in (2 - X, X - 2, 2 / X, ops.less(2.0, X), X - Y * 2):
        assert simplified(kept)[0] is kept


def test_zeros_of_either_sign_are_two_constants():
    assert const(0.0) is not const(-0.0)
    assert const(np.array([1, 2], "int32")) is not const(np.array([1, 2], "int64"))


def test_two_dropouts_of_one_rate_stay_two():
    drop = OPS["random_bernoulli"]
    first, second = (drop(build(RNG_STEP), (BATCH, 3), p=0.5, seed=1, site=s) for s in (1, 2))
    better, _ = optimize(graph_of((X,), X * first + X * second))
    assert count(better, "random_bernoulli") == 2


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_forward_products_are_computed_once(depth):
    weights = [Variable(np.eye(3, dtype="float32"), f"w{i}") for i in range(depth)]
    h = X
    for w in weights:
        h = ops.tanh(h @ w)
    loss = ops.mean(ops.square(h - Y))
    slopes = grad(loss, weights)
    graph = Graph((X, Y), (("loss", loss),), tuple((w, w - g) for w, g in zip(weights, slopes)))
    assert count(optimize(graph)[0], "matmul") == 3 * depth - 1


# -- P23: structural normalisation -------------------------------------------------------------


def forward(model, training=False):
    """The optimized graph of a model."""
    return optimize(lower(model.graph, training=training))[0]


def names(graph):
    """Op names in order, leaves left out."""
    return [n.op.name for n in graph.nodes if n.op.name not in ("input", "state", "const")]


def test_layers_that_do_nothing_are_gone():
    x = Input((3,))
    y = Dropout(0.5)(Activation("linear")(x))
    model = Model(x, Activation("tanh")(y))
    assert names(forward(model)) == ["tanh"]
    assert "random_bernoulli" in names(forward(model, training=True))


def test_model_that_does_nothing_returns_a_copy():
    x = Input((3,))
    model = Model(x, Activation("linear")(x))
    given_array = np.ones((2, 3), "float32")
    result = compile(lower(model.graph))(given_array)[0]
    same_bits(result, given_array)
    assert not np.shares_memory(result, given_array)


def test_ops_that_do_nothing_are_gone():
    nothing = (
        ops.concatenate([X], 1), ops.split(X, 1, axis=1)[0], ops.reshape(X, (BATCH, 3)),
        ops.cast(X, "float32"), build(ops.cast, (X,), {"dtype": "float32"}), identity(X, tag=1),
        ops.transpose(X, (0, 1)), ops.broadcast_to(X, X.shape), ops.pad(X, 0), ops.tile(X, 1),
        ops.repeat(X, 1, axis=1), ops.stop_gradient(X), X[:, :3], ops.stack([X])[0],
    )  # fmt: skip
    for node in nothing:
        assert names(optimize(graph_of((X,), node))[0]) == []


def test_sum_of_one_tensor_starts_from_zero():
    # Python's sum starts from 0, and 0 + -0.0 is 0.0.
    assert simplified(sum([X]))[0] is X + 0
    assert simplified(sum([N]))[0] is N


def test_shared_layer_in_two_nested_models_is_one_set_of_weights():
    shared = Dense(3, activation="tanh")
    inner = [Sequential([Input((3,)), shared]) for _ in range(2)]
    x, y = Input((3,)), Input((3,))
    model = Model([x, y], Add()([inner[0](x), inner[1](y)]))
    graph = forward(model)
    assert len(graph.states) == len(model.weights) == 2
    assert count(graph, "matmul") in (1, 2)  # two, or one of both inputs joined
    core = lower(model.graph)
    loss = ops.sum(core.outputs[0][1])
    (slope,) = grad(loss, [shared.kernel])
    assert count(graph_of(core.inputs, slope), "matmul") == 4
    scopes = {n.origin.scope for n in core.nodes if n.op.name == "matmul"}
    assert len(scopes) == 2


def test_nested_and_flat_models_are_one_graph():
    layers = [Dense(4, activation="relu"), Dense(2)]
    x = Input((3,))
    nested = Model(x, Sequential([layers[1]])(Sequential([layers[0]])(x)))
    flat = Model(x, layers[1](layers[0](x)))
    assert forward(nested).outputs[0][1] is forward(flat).outputs[0][1]


def test_batch_statistics_stay_in_training():
    model = Sequential([Input((3,)), BatchNormalization()])
    training = forward(model, training=True)
    assert len(training.updates) == 2
    assert count(training, "mean") >= 1
    assert not forward(model).updates


def test_no_op_that_does_nothing_is_left():
    for rng in seeds(40):
        better, _ = optimize(draw_graph(rng, most=25))
        for node in better.nodes:
            assert node.op.name not in ("identity", "stop_gradient")
            moved = node.op.name in ("reshape", "broadcast_to", "cast", "squeeze", "expand_dims")
            assert not (moved and node.type == node.inputs[0].type)
            if node.op.name == "transpose":
                assert node.attrs["axes"] != tuple(range(node.ndim))
