"""What does not depend on the carry leaves loops, and what does stays."""

import numpy as np
import pytest
from loop_checks import (
    BATCH,
    STATE,
    TIME,
    XS,
    W,
    check_values,
    feeds,
    graph_of,
    inside,
    loops,
    run,
    zeros,
)

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.ir.body import Body
from kgraph.ir.leaves import arg
from kgraph.ir.node import build
from kgraph.passes import optimize
from kgraph.passes.loop_hoisting import HOIST_LOOPS, MOST_GROWTH, SMALL_STEP, HoistLoops
from kgraph.passes.loop_vectors import SPREAD
from kgraph.passes.planned import PlannedRewrite
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

RULES = {r.name: r for r in HOIST_LOOPS}


def only(name, numerics=None):
    return PlannedRewrite((RULES[name],), numerics=numerics)


def scan_of(body, consts, carry, xs):
    """A loop as a gradient or a rule may leave it, which `ops.scan` would not write."""
    counts = {"consts": len(consts), "carry": len(carry), "xs": len(xs)}
    return build(ops.scan, (*consts, *carry, *xs), {"body": body, **counts, "length": TIME})


# -- what all steps share ----------------------------------------------------------------------
def test_what_all_steps_share_is_computed_once():
    w, h, e = arg(0, W.type), arg(1, STATE.type), arg(2, XS[0].type)
    body = Body((w.type, h.type, e.type), (ops.tanh(h @ ops.exp(w)[:3] + e[:, :3]),))
    graph = graph_of(scan_of(body, (W,), (STATE,), (XS,)))
    assert inside(run(only("hoist-shared"), graph), "exp") == 0
    better = run(HoistLoops(), graph)
    weight = ops.exp(W)[:3]
    wanted = ops.scan(lambda h, e: (ops.tanh(h @ weight + e[:, :3]), None), STATE, XS)[0]
    assert better.roots == (wanted,)
    check_values(graph, better)


def test_views_of_what_all_steps_share_cost_nothing():
    w, h = arg(0, W.type), arg(1, STATE.type)
    body = Body((w.type, h.type), (h @ ops.transpose(w)[:, :3],))
    graph = graph_of(scan_of(body, (W,), (STATE,), ()))
    assert HoistLoops().run(graph) is graph


def test_what_may_fail_stays():
    """Without a step it would not have been computed."""
    n, power = input_node((3,), "int32", "n"), input_node((3,), "int32", "power")
    k, p, h = arg(0, n.type), arg(1, power.type), arg(2, n.type)
    body = Body((n.type,) * 3, (h + k**p,))
    graph = Graph((n, power), (("y", scan_of(body, (n, power), (n,), ())),))
    assert HoistLoops().run(graph) is graph


# -- products before the loop ------------------------------------------------------------------
def project(h, e):
    return ops.tanh(e @ W + W[0] + h), None


def test_the_product_of_the_inputs_is_one():
    graph = graph_of(ops.scan(project, STATE, XS)[0])
    better = run(only("hoist-products"), graph)
    flat = ops.matmul(ops.reshape(XS, (TIME * BATCH, 4)), W)
    projected = ops.reshape(flat, (TIME, BATCH, 3)) + W[0]
    wanted = ops.scan(lambda h, e: (ops.tanh(e + h), None), STATE, projected)[0]
    assert HoistLoops().run(graph).roots == (wanted,)
    assert inside(better, "matmul") == 0
    check_values(graph, better, exact=False)


def test_products_of_vectors_and_stacks():
    xs = input_node((TIME, 2, BATCH, 4), name="xs4")
    vectors = ops.scan(lambda h, e: (h + e[0] @ W, None), W[0], XS)[0]
    stacks = ops.scan(lambda h, e: (h + ops.sum(e @ W), None), 0.0, xs)[0]
    graph = Graph((XS, W, xs), (("vectors", vectors), ("stacks", stacks)))
    better = run(HoistLoops(), graph)
    assert inside(better, "matmul") == 0
    arrays = [*feeds(5)[:2], np.ones((5, 2, 2, 4), "f")]
    for a, b in zip(interpret(better, arrays)[0], interpret(graph, arrays)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_strict_numerics_keep_products():
    graph = graph_of(ops.scan(project, STATE, XS)[0])
    better = HoistLoops(numerics="strict").run(graph)
    assert inside(better, "matmul") == 1
    check_values(graph, better)


STAY = {
    "a product with the carry": lambda h, e: (ops.tanh(h @ W[:3] + e[:, :3]), None),
    "a product of carry and input": lambda h, e: ((h * e[:, :3]) @ W[:3], None),
    "a product of two inputs": lambda h, e: (h + e @ ops.transpose(e) @ e[:, :3], None),
    "a sum over rows": lambda h, e: (h + ops.sum(ops.exp(e), axis=0)[:3], None),
    "a value of the carry that leaves": lambda h, e: (ops.tanh(h + e[:, :3]), h * 2.0),
}


@pytest.mark.parametrize("name", STAY)
def test_what_stays(name):
    last, ys = ops.scan(STAY[name], STATE, XS)
    graph = graph_of(last) if ys is None else graph_of(last, ys)
    better = HoistLoops().run(graph)
    assert inside(better, "matmul") == inside(graph, "matmul")
    assert inside(better, "sum") == inside(graph, "sum")
    check_values(graph, better)
    check_values(graph, optimize(graph)[0], exact=False)


def test_a_sequence_that_would_be_too_long_stays():
    width = 4 * (MOST_GROWTH + 1)
    wide = input_node((4, width), name="wide")

    def step(h, e):
        return h + ops.max(e @ wide, axis=1, keepdims=True), None

    graph = Graph((XS, wide, STATE), (("h", ops.scan(step, STATE, XS)[0]),))
    assert only("hoist-products").run(graph) is graph


# -- maps --------------------------------------------------------------------------------------
def test_small_maps_move():
    def step(h, e):
        return h + ops.exp(e[:, :3]) * 2.0, None

    graph = graph_of(ops.scan(step, STATE, XS)[0])
    better = run(HoistLoops(), graph)
    assert inside(better) == ["add"]
    check_values(graph, better)


def test_large_maps_stay():
    xs = input_node((TIME, SMALL_STEP), name="large")
    graph = Graph((xs,), (("h", ops.scan(lambda h, e: (h + ops.exp(e), None), xs[0], xs)[0]),))
    assert only("hoist-maps").run(graph) is graph


def test_views_alone_stay():
    graph = graph_of(ops.scan(lambda h, e: (h + ops.transpose(e)[:3, :1], None), W[:3], XS)[0])
    assert HoistLoops().run(graph) is graph


def test_a_loop_without_carry_is_no_loop():
    def step(carry, e):
        return carry, (ops.tanh(e[:, 1:]) * W[0], e @ W)

    _, ys = ops.scan(step, None, XS)
    graph = graph_of(*ys)
    better = run(HoistLoops(), graph)
    assert loops(better) == []
    assert better.roots[0] is ops.tanh(XS[:, :, 1:]) * W[0]
    check_values(graph, better, exact=False)


MAPS = {
    ops.cast: lambda e: ops.cast(ops.cast(e, "float64"), "float32"),
    ops.where: lambda e: ops.where(e > 0, e, W[0, 0]),
    ops.reshape: lambda e: ops.reshape(ops.exp(e), (BATCH, 2, 2)),
    ops.expand_dims: lambda e: ops.expand_dims(ops.exp(e), 1),
    ops.squeeze: lambda e: ops.squeeze(ops.exp(e[:, :1]), 1),
    ops.transpose: lambda e: ops.transpose(ops.exp(e)),
    ops.broadcast_to: lambda e: ops.broadcast_to(ops.exp(e), (2, BATCH, 4)),
    ops.flip: lambda e: ops.flip(ops.exp(e), 1),
    ops.slice: lambda e: ops.exp(e)[:, 1:3],
    ops.concatenate: lambda e: ops.concatenate([ops.exp(e), STATE], axis=1),
    ops.matmul: lambda e: e @ W,
    "an operand of fewer axes": lambda e: ops.exp(e[0]) * ops.expand_dims(e, 1),
}


def test_every_row_is_tested():
    assert set(SPREAD) < set(MAPS)


@pytest.mark.parametrize("op", MAPS, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_rows(op, reverse):
    _, ys = ops.scan(lambda c, e: (c, MAPS[op](e)), None, XS, reverse=reverse)
    graph = graph_of(ys)
    better = run(HoistLoops(), graph)
    assert loops(better) == []
    check_values(graph, better, exact=op is not ops.matmul)


# -- products behind the loop ------------------------------------------------------------------
def emit(h, e):
    h = ops.tanh(h + e[:, :3])
    return h, ops.exp(h @ W[:3] + W[0])


def test_the_product_of_the_outputs_is_one():
    _, ys = ops.scan(emit, STATE, XS)
    graph = graph_of(ys)
    better = run(HoistLoops(), graph)
    _, hs = ops.scan(lambda h, e: (ops.tanh(h + e[:, :3]),) * 2, STATE, XS)
    flat = ops.matmul(ops.reshape(hs, (TIME * BATCH, 3)), W[:3])
    assert better.roots == (ops.exp(ops.reshape(flat, (TIME, BATCH, 3)) + W[0]),)
    check_values(graph, better, exact=False)


def test_products_that_later_steps_read_stay():
    def step(h, e):
        y = h @ W[:3]
        return ops.tanh(y + e[:, :3]), y

    graph = graph_of(ops.scan(step, STATE, XS)[1])
    assert only("push-products").run(graph) is graph


def test_products_that_are_reduced_stay():
    def step(h, e):
        y = h @ W[:3]
        return ops.tanh(h + e[:, :3]), (ops.sum(y), ops.exp(y))

    graph = graph_of(*ops.scan(step, STATE, XS)[1])
    assert only("push-products").run(graph) is graph


def test_strict_numerics_keep_products_of_outputs():
    graph = graph_of(ops.scan(emit, STATE, XS)[1])
    assert only("push-products", "strict").run(graph) is graph


# -- loops in training -------------------------------------------------------------------------
def test_gradients_before_and_after():
    def step(h, e):
        h = ops.sin(e @ W + h)
        return h, h @ ops.transpose(W)

    last, ys = ops.scan(step, zeros(BATCH, 3), XS)
    loss = ops.sum(last) + ops.sum(ys * ys)
    late = graph_of(loss, *grad(loss, [XS, W]))
    (early,) = run(HoistLoops(), graph_of(loss)).roots
    check_values(late, graph_of(early, *grad(early, [XS, W])), exact=False)
    better, _ = optimize(late)
    check_values(late, better, exact=False)
    # One for the gradient of what is given, which the carry's cotangent needs.
    assert inside(better, "matmul") <= 1
