"""Graphs made by hand to break passes and planner: aliases, circles, empty axes, odd shapes."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from agreement import Case

from kgraph import ops
from kgraph.ir import Dim, Graph, Node, Variable, build, const, input_node
from kgraph.ir.leaves import RNG_STEP
from kgraph.runtime.autodiff import grad
from kgraph.testing.feeds import feed

BATCH = Dim.symbol("batch")
ORACLES = (
    oracles.pipeline,
    oracles.poisoned_plan,
    oracles.blocked_plan,
    oracles.disguised_call,
    oracles.prepared_plan,
)
X, Y = input_node((BATCH, 4), name="x"), input_node((BATCH, 4), name="y")
SQUARE = input_node((4, 4), name="square")
CUBE = input_node((BATCH, 2, 3), name="cube")


def state(seed: int, *shape: int) -> Variable:
    """A weight."""
    return Variable(np.random.default_rng(seed).normal(size=shape), f"s{seed}", "float32")


def drawn(site: int, shape: tuple[int | Dim, ...]) -> Node:
    """A mask of 0 and 1."""
    return ops.random_bernoulli(build(RNG_STEP), shape, p=0.5, seed=3, site=site)


def slopes(loss: Node, *wrt: Node) -> list[Node]:
    """The gradients that there are."""
    return [g for g in grad(loss, wrt) if g is not None]


# Each returns outputs and updates.
Made = tuple[list[Node], list[tuple[Variable, Node]]]
ATTACKS = {}


def attack(make):
    """Enters a function that makes outputs and updates."""
    ATTACKS[make.__name__.replace("_", " ")] = make
    return make


@attack
def one_operand_joined_several_times() -> Made:
    y = ops.tanh(SQUARE)
    return [ops.concatenate([y, y, SQUARE, y], axis=0), y], []


@attack
def joins_of_joins_of_views() -> Made:
    y = ops.exp(ops.sin(SQUARE))
    inner = ops.concatenate([y[::-1], ops.transpose(y)], axis=0)
    outer = ops.concatenate([inner, y * 2.0, inner[:1]], axis=0)
    return [outer, ops.sum(inner, axis=0)], []


@attack
def a_join_is_the_next_state() -> Made:
    a, b = state(1, 4, 4), state(2, 4, 4)
    joined = ops.concatenate([b[2:], ops.tanh(a[:2])], axis=0)
    return [joined, a], [(a, joined), (b, ops.concatenate([a[3:], a[:3]], axis=0))]


@attack
def states_rotate_through_views() -> Made:
    a, b, c = (state(i, 4, 4) for i in (1, 2, 3))
    return [a, ops.flip(b, 0)], [(a, ops.transpose(b)), (b, ops.transpose(c)), (c, a)]


@attack
def a_state_is_read_through_a_view_after_its_update() -> Made:
    w = state(1, 4, 4)
    late = ops.exp(ops.sin(ops.exp(ops.sin(ops.transpose(w)))))
    return [late + ops.transpose(w)], [(w, w - 0.1 * ops.transpose(w))]


@attack
def an_update_is_an_output_under_another_shape() -> Made:
    w = state(1, 4, 4)
    new = w * 0.5 + ops.tanh(SQUARE)
    return [ops.reshape(new, (2, 8)), new[::2], ops.sum(new)], [(w, new)]


@attack
def rows_are_added_to_a_table_that_is_also_shown() -> Made:
    w, ids = state(1, 4, 4), const([1, 1, 3, 1], "int32")
    new = ops.scatter_add(w, ids, ops.tanh(SQUARE))
    return [w, ops.take(w, ids, axis=0)], [(w, new)]


@attack
def a_path_leaves_a_region_and_comes_back() -> Made:
    e = ops.exp(ops.sin(X))
    total = ops.sum(e, axis=1, keepdims=True)
    return [ops.sin(e) + total, (e - total) * ops.cos(e), e], []


@attack
def results_of_a_region_that_others_read() -> Made:
    w = state(1, 4, 4)
    a = ops.tanh(SQUARE) * w
    b = a + ops.cos(a)
    return [a, ops.sum(b, axis=0), ops.max(b, axis=1)], [(w, b * 0.1)]


@attack
def two_cycles_of_three_axes() -> Made:
    turned = ops.transpose(CUBE, (1, 2, 0))
    y = ops.tanh(turned) + ops.transpose(ops.cos(CUBE), (1, 2, 0))
    return [
        ops.transpose(y, (2, 0, 1)),
        ops.sum(y, axis=1),
        ops.argmax(ops.transpose(CUBE, (2, 0, 1)), axis=0),
        ops.transpose(ops.sum(y, axis=(0, 2))),
    ], []


@attack
def rows_and_steps_regrouped() -> Made:
    flat = ops.reshape(CUBE, (BATCH * 2, 3))
    again = ops.reshape(ops.tanh(flat), (BATCH, 2, 3))
    other = ops.reshape(flat, (2, BATCH, 3))
    return [again, other, ops.reshape(ops.transpose(flat), (BATCH, 2, 3))], []


@attack
def halves_exchanged() -> Made:
    left, right = X[:, :2], X[:, 2:]
    back = ops.concatenate([right, left], axis=1)
    return [back, back[:, :2], back[:, 1:3], ops.concatenate([back[:, 2:], back[:, :2]], 1)], []


@attack
def products_with_vectors_at_both_ends() -> Made:
    a, b, v = state(1, 4, 32), state(2, 32, 4), state(3, 4)
    return [(v @ a) @ (b @ v), ((X @ a) @ b) @ v, X @ (a @ (b @ v)), v @ v, (v @ a) @ b], []


@attack
def a_product_of_its_siblings() -> Made:
    first = X @ state(1, 4, 4)
    second = X @ ops.transpose(ops.tanh(ops.transpose(first) @ X))
    third = X @ state(2, 4, 4)
    return [first, second, third, first * third], []


@attack
def one_weight_on_two_ways_one_after_the_other() -> Made:
    w = state(1, 4, 4)
    once = ops.tanh(X @ w)
    return [ops.tanh(once @ w), Y @ w, *slopes(ops.sum(ops.sin(once @ w) + Y @ w), w)], []


@attack
def a_weight_and_its_transpose() -> Made:
    w = state(1, 4, 4)
    y = ops.tanh(X @ w) @ ops.transpose(w)
    (g,) = slopes(ops.mean(ops.square(y - X)), w)
    return [y], [(w, w - 0.1 * g)]


@attack
def normalised_twice_with_one_weight() -> Made:
    w, s, t = state(1, 4, 4), state(2, 4), state(3, 4)
    y = X @ w
    return [y * s + t, y * t - s, ops.relu(X @ w + t) * s, (X * s) @ w], []


@attack
def softmax_over_the_rows() -> Made:
    p = ops.softmax(SQUARE, axis=0)
    loss = ops.categorical_crossentropy(ops.softmax(ops.cos(SQUARE)), p)
    return [p, loss, ops.log(p), *slopes(ops.sum(loss), SQUARE)], []


@attack
def a_loss_whose_target_is_its_own_softmax() -> Made:
    p = ops.softmax(X)
    loss, again = ops.softmax_cross_entropy(X, ops.stop_gradient(p))
    return [loss, again, p, *slopes(ops.sum(loss), X)], []


@attack
def two_dropouts_of_one_rate() -> Made:
    y = ops.relu(X) * (drawn(0, X.shape) * 2.0)
    z = ops.relu(X) * (drawn(1, X.shape) * 2.0)
    return [y, z, y - z, *slopes(ops.sum(ops.sin(y) + ops.cos(z)), X)], []


@attack
def what_is_not_chosen_may_be_nan() -> Made:
    safe = ops.where(ops.greater(X, 0), ops.log(ops.maximum(X, 1e-3)), 0.0)
    return [safe, ops.where(ops.greater(X, 9), ops.log(X - 9), X), *slopes(ops.sum(safe), X)], []


@attack
def bounds_in_the_wrong_order() -> Made:
    return [
        ops.maximum(ops.minimum(X, -1.0), 1.0),
        ops.minimum(ops.maximum(X, 1.0), -1.0),
        ops.clip(ops.clip(X, 0, 6), -1, 2),
        ops.maximum(ops.maximum(X, 2.0), -3.0),
    ], []


@attack
def nothing_to_add_up() -> Made:
    empty = X[:, :0]
    return [
        ops.sum(empty, axis=1), ops.sum(X, axis=0), ops.mean(X, axis=0), ops.prod(empty),
        empty @ state(1, 0, 3), ops.sum(ops.broadcast_to(X[:, :1], X.shape), axis=0),
        ops.concatenate([empty, X], axis=1),
    ], []  # fmt: skip


@attack
def a_column_of_one() -> Made:
    column, row = X[:, :1], SQUARE[:1]
    return [
        column * row, ops.sum(column, axis=1), ops.max(column, axis=1, keepdims=True),
        ops.softmax(column), ops.mean(column + row, axis=0), ops.transpose(column) @ X,
    ], []  # fmt: skip


@attack
def a_scalar_everywhere() -> Made:
    s = ops.sum(SQUARE)
    return [s * X, ops.reshape(s, (1, 1)) + X, ops.broadcast_to(s, (3, 2)), s / (1 + s * s)], []


@attack
def cotangents_that_meet_in_pieces() -> Made:
    parts = [X[:, i : i + 1] for i in range(4)]
    loss = sum(((i + 1.0) * ops.sum(ops.sin(p)) for i, p in enumerate(parts[::-1])), ops.sum(X))
    twice = ops.sum(X[:, 1:] * X[:, :-1])
    return [*slopes(loss, X), *slopes(twice, X), *slopes(ops.sum(ops.square(X[:, ::2])), X)], []


@attack
def numbers_at_the_edge_of_their_type() -> Made:
    n = ops.cast(X, "int32")
    b = ops.cast(ops.abs(n), "uint8")
    return [
        n * 2 // 2, n // 3 * 3, -b, ops.abs(-b), b + b, ops.sum(b), ops.mod(n, 3),
        ops.cast(ops.cast(n, "uint8"), "int32"), n - (n - 1), (n + 2147483647) + 1,
    ], []  # fmt: skip


def graph_of(name: str) -> Graph:
    """The graph of an attack."""
    roots, updates = ATTACKS[name]()
    named = tuple((f"y{i}", r) for i, r in enumerate(roots))
    inputs = tuple(n for n in Graph((), named, tuple(updates)).nodes if n.op.name == "input")
    return Graph(inputs, named, tuple(updates))


@pytest.mark.parametrize(("batch", "variants"), [(5, range(4)), (1, [1]), (0, [1])])
@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name, batch, variants):
    graph = graph_of(name)
    arrays = feed(graph, np.random.default_rng(3), batch=batch, kind="normal")
    for variant in variants:
        case = Case(graph, arrays, tame=True, variant=variant)
        for oracle in ORACLES:
            oracle(case)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_with_special_values(name):
    """NaNs, infinities and zeros of both signs, under strict numerics."""
    graph = graph_of(name)
    arrays = feed(graph, np.random.default_rng(4), batch=5, kind="special")
    case = Case(graph, arrays, tame=False, variant=0)
    for oracle in ORACLES:
        oracle(case)
