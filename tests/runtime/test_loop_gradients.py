"""What the gradient of a loop is made of: what is saved, what is carried, what leaves the loop."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import ops
from kgraph.errors import GradientError
from kgraph.ir import Dim, Graph, const, input_node, toposort
from kgraph.runtime.autodiff import grad, is_backward
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.testing import check_gradients

STEPS, BATCH = Dim.symbol("steps"), Dim.symbol("batch")


def inputs():
    shapes = {"xs": (STEPS, BATCH, 3), "h": (BATCH, 4), "w": (3, 4), "u": (4, 4), "b": (4,)}
    return [input_node(shape, name=name) for name, shape in shapes.items()]


def cell(w, u, b):
    """A step that gives its state."""

    def step(h, x):
        h = ops.tanh(x @ w + h @ u + b)
        return h, h

    return step


def loops(*roots):
    """The scans below nodes: forward, with residuals, backward."""
    found = [n for n in toposort(roots) if n.op is ops.scan]
    backward = [n for n in found if is_backward(n)]
    return [n for n in found if n not in backward], backward


def test_the_loop_with_residuals_extends_the_forward_one():
    xs, h, w, u, b = inputs()
    last, _ = ops.scan(cell(w, u, b), h, xs)
    slopes = grad(last, [xs, h, w, u, b])
    (first, larger), (backward,) = loops(last, *slopes)
    assert first is last.inputs[0]
    assert larger.inputs == first.inputs
    others = [{k: v for k, v in n.attrs.items() if k != "body"} for n in (first, larger)]
    assert others[0] == others[1]
    one, two = first.attrs["body"], larger.attrs["body"]
    assert two.parameters == one.parameters
    assert two.outputs[: len(one.outputs)] == one.outputs
    # The steps' state is an output of the forward loop already; the one before it is saved.
    assert [n.op.name for n in two.outputs[len(one.outputs) :]] == ["arg"]
    assert backward.attrs["reverse"]
    assert backward.attrs["length"] == STEPS
    assert backward.attrs["carry"] == 1


def test_views_and_what_is_there_anyway_are_not_saved():
    xs, w = input_node((5, 2, 6), name="xs"), input_node((3, 3), name="w")

    def step(h, x):
        h = ops.sin(h @ w)
        wide = ops.expand_dims(ops.transpose(h), 0)
        return h, (wide * x[:, :3].T, x[:, 3:] * h, h)

    last, ys = ops.scan(step, xs[0, :, :3], xs)
    slopes = grad([last, *ys], [xs, w])
    (first, larger), _ = loops(last, *slopes)
    extra = larger.attrs["body"].outputs[len(first.attrs["body"].outputs) :]
    # cos(h @ w) needs the product; the state before is needed for w. Slices of x, views of h: no.
    assert sorted(n.op.name for n in extra) == ["arg", "matmul"]


def test_no_second_loop_when_nothing_is_needed():
    xs, w = input_node((5, 2), name="xs"), input_node((2,), name="w")
    last, ys = ops.scan(lambda s, x: (s + x * 2.0, s - w), xs[0], xs)
    slopes = grad([last, ys], [xs, w])
    forward, backward = loops(last, ys, *slopes)
    assert (len(forward), len(backward)) == (1, 1)
    assert slopes[1].op.name != "item"  # -sum over time of what came, outside of the loop


def test_what_cannot_leave_is_carried():
    xs, w = input_node((5, 2), name="xs"), input_node((2,), name="w")
    table = input_node((4, 2), name="table")
    ids = input_node((5, 3), "int32", name="ids")

    def step(s, t):
        x, i = t
        s = ops.tanh(s * w + x) + ops.sum(ops.take(table, i, axis=0), axis=0)
        return s, s * w

    last, ys = ops.scan(step, xs[0], (xs, ids))
    slopes = grad([last, ys], [w, table])
    (backward,) = loops(*slopes)[1]
    assert backward.attrs["carry"] == 3
    assert len(backward.types) == 3


def test_factors_that_do_not_move_are_applied_outside():
    xs, w, v = (input_node(s, name=n) for s, n in (((5, 2, 3), "xs"), ((3, 3), "w"), ((3, 3), "v")))
    scale = input_node((), name="scale")
    _, ys = ops.scan(lambda c, x: (c, (x @ (w @ v) * scale, x @ w)), 0.0, xs)
    slopes = grad(ys, [w, scale])
    graph = Graph((xs, w, v, scale), tuple((str(i), g) for i, g in enumerate(slopes)))
    bodies = [n.attrs["body"] for n in graph.nodes if n.op is ops.scan]
    assert not any((3, 3) in [y.shape for y in b.outputs] for b in bodies)


def test_only_what_is_asked_for():
    xs, h, w, u, b = inputs()
    last, ys = ops.scan(cell(w, u, b), h, xs)
    (slope,) = grad(ys, [b])
    (backward,) = loops(slope)[1]
    assert len(backward.types) == 2  # the carry and the cotangents whose sum is b's
    assert grad(last, [xs])[0].type == xs.type


@pytest.mark.parametrize("reverse", [False, True])
def test_plans_agree_with_the_interpreter(reverse):
    nodes = inputs()
    xs, h, *weights = nodes
    last, ys = ops.scan(cell(*weights), h, xs, reverse=reverse)
    first = grad([last, ops.sin(ys)], nodes)
    second = grad([ops.square(g) for g in first], nodes)
    outputs = [last, ys, *first, *second]
    graph = Graph(tuple(nodes), tuple((str(i), n) for i, n in enumerate(outputs)))
    exe = compile(graph)
    rng = np.random.default_rng(0)
    for steps, batch in ((0, 2), (3, 0), (1, 1), (4, 3)):
        shapes = [n.type.bind({"steps": steps, "batch": batch}).shape for n in nodes]
        arrays = [rng.normal(size=s).astype("float32") for s in shapes]
        for _ in range(2):
            found = exe(*arrays)
            for a, b in zip(found, interpret(graph, arrays)[0], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_integers_jumps_and_repeated_operands():
    def function(x, w):
        def step(carry, t):
            h, n = carry
            best, places = ops.top_k(h * w, 2)
            h = ops.where(ops.equal(n % 2, 0), h * t, ops.sin(h)) + ops.sum(best)
            return (h, n + 1), (ops.cast(places, "int32"), best * t[:2], h)

        (h, _), (_, best, hs) = ops.scan(step, (w, 0), x)
        again, _ = ops.scan(lambda c, t: (c * t + w, None), w, x, reverse=True)
        return ops.sum(h) + ops.sum(best) + ops.sum(hs * x) + ops.sum(again)

    x = np.random.default_rng(1).uniform(0.5, 1.5, (3, 4))
    assert check_gradients(function, x, np.array([0.3, 1.1, 0.7, 1.9]), directions=2) == 4


def test_an_op_without_gradient_in_a_step_is_named():
    x = input_node((3, 2), name="x")
    xs = input_node((3, Dim.symbol("n")), name="xs")
    _, ys = ops.scan(lambda c, t: (c, ops.top_k(t, 1)[0]), 0.0, xs)
    with pytest.raises(GradientError, match="top_k"):
        grad(ys, [xs])
    assert grad(ops.scan(lambda c, t: (c, ops.stop_gradient(t * 2.0)), 0.0, x)[1], [x]) == [None]


def test_long_steps_and_many_loops():
    x = input_node((4, 2), name="x")

    def deep(c, t):
        for _ in range(1500):
            c = ops.sin(c) + t
        return c, None

    (slope,) = grad(ops.scan(deep, const([0.1, 0.2]), x)[0], [x])
    y = x
    for _ in range(100):
        y = ops.scan(lambda c, t: (c + t, ops.sin(c)), const([0.1, 0.2]), y)[1]
    (through,) = grad(y, [x])
    graph = Graph((x,), (("a", slope), ("b", through)))
    found = interpret(graph, [np.ones((4, 2), "float32")])[0]
    assert all(np.isfinite(a).all() for a in found)
