"""Loops: values and gradients against `jax.lax.scan`, and at every length against unrolled ops."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from kgraph import grad as kgrad
from kgraph import jit, ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, Graph, Variable, const, input_node
from kgraph.ir.context import CallContext, calling
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.testing import check_gradients


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype("float32") * 0.5


def cumulative(np_, scan, xs):
    """Running sums."""
    return scan(lambda s, x: (s + x, s + x), xs.sum(0) * 0.0, xs)


def recurrent(np_, scan, xs, w, u, b):
    """A simple recurrent cell; the weights are captured."""

    def step(h, x):
        h = np_.tanh(x @ w + h @ u + b)
        return h, h

    return scan(step, xs.sum(0) @ w * 0.0, xs)


def lstm(np_, scan, xs, w, u, b):
    """Gates and two carries."""
    n = u.shape[0]

    def step(carry, x):
        h, c = carry
        z = x @ w + h @ u + b
        i, f = 1 / (1 + np_.exp(-z[:, :n])), 1 / (1 + np_.exp(-z[:, n : 2 * n]))
        c = f * c + i * np_.tanh(z[:, 2 * n :])
        h = np_.tanh(c) * i
        return (h, c), h

    start = xs.sum(0) @ w[:, :n] * 0.0
    return scan(step, (start, start + 1.0), xs)


def twice(np_, scan, xs, w):
    """One weight used twice in a step, once transposed; several outputs."""

    def step(h, x):
        h = np_.tanh(x @ w + h)
        return h @ w.T * 0.5 + h, {"h": h, "x": x * 2.0}

    return scan(step, xs.sum(0) * 0.0, xs)


def counting(np_, scan, xs, w):
    """An integer counter in the carry."""

    def step(carry, x):
        h, n = carry
        return (np_.tanh(h + x * w), n + 1), h * np_.where(np_.equal(n % 2, 0), 1.0, 2.0)

    return scan(step, (xs.sum(0) * 0.0, 0), xs)


def elementwise(np_, scan, xs, w, p):
    """Constants whose gradients stay in the carry, leave as sums, or do not move at all."""

    def step(h, x):
        h = np_.sin(h * p + x) + np_.exp(p) * 0.1
        return h, ((h @ w) / (1 + w.sum()) - p, p)

    return scan(step, xs.sum(0) * 0.0, xs)


CASES = {
    "cumulative": (cumulative, lambda t, b: (normal(1, t, b, 3),)),
    "recurrent": (
        recurrent,
        lambda t, b: (normal(1, t, b, 3), normal(2, 3, 4), normal(3, 4, 4), normal(4, 4)),
    ),
    "lstm": (
        lstm,
        lambda t, b: (normal(1, t, b, 3), normal(2, 3, 6), normal(3, 2, 6), normal(4, 6)),
    ),
    "twice": (twice, lambda t, b: (normal(1, t, b, 3), normal(2, 3, 3))),
    "counting": (counting, lambda t, b: (normal(1, t, b, 3), normal(2, 3))),
    "elementwise": (
        elementwise,
        lambda t, b: (normal(1, t, b, 3), normal(2, 3, 3), normal(3, b, 3)),
    ),
}  # fmt: skip


def nested(np_, scan, xs, w):
    """A loop in the step of a loop, over what the outer step reads."""

    def inner(total, row):
        total = np_.tanh(total + row * w)
        return total, total * 2.0

    def step(h, x):
        last, rows = scan(inner, h, x)
        return last, rows

    return scan(step, w * 0.0, xs)


CASES["nested"] = (nested, lambda t, b: (normal(1, t, b, 3), normal(2, 3)))


def unrolled(step, init, xs, reverse=False):
    """The loop as a Python loop over the same ops."""
    n = xs.shape[0]
    carry, given = init, [None] * n
    for t in reversed(range(n)) if reverse else range(n):
        carry, given[t] = step(carry, xs[t])
    return carry, jax.tree.map(lambda *rows: ops.stack(rows), *given, is_leaf=is_node)


def is_node(leaf):
    return hasattr(leaf, "op")


def loss_of(np_, scan, function):
    """A number from all float results, each element weighted."""

    def loss(*args):
        total = 0.0
        for i, leaf in enumerate(jax.tree.leaves(function(np_, scan, *args), is_leaf=is_node)):
            if "float" in str(getattr(leaf, "dtype", "")):
                total = total + np_.sin(leaf + 0.3 * i).sum()
        return total

    return loss


def slopes_of(grad_, loss, count):
    """A number from all first gradients."""

    def slope(*args):
        slopes = grad_(loss, tuple(range(count)))(*args)
        return sum((g * g * (i + 1.0)).sum() for i, g in enumerate(slopes))

    return slope


@pytest.mark.parametrize("name", sorted(CASES))
def test_like_jax(name):
    """Values, gradients and gradients of gradients; half of the loops run backwards."""
    function, arguments = CASES[name]
    args, reverse = arguments(3, 2), len(name) % 2 == 0
    mine = functools.partial(ops.scan, reverse=reverse)
    theirs = functools.partial(lax.scan, reverse=reverse)
    numbers = tuple(range(len(args)))
    my_loss, their_loss = loss_of(np, mine, function), loss_of(jnp, theirs, function)

    @jax.jit
    def expected(*args):
        slopes = slopes_of(jax.grad, their_loss, len(args))
        values = function(jnp, theirs, *args)
        return values, jax.grad(their_loss, numbers)(*args), jax.grad(slopes, numbers)(*args)

    values, first, second = expected(*args)
    close(jit(lambda *a: function(np, mine, *a))(*args), values)
    close(kgrad(my_loss, numbers)(*args), first)
    close(kgrad(slopes_of(kgrad, my_loss, len(args)), numbers)(*args), second, 1e-3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("batch", [0, 1, 5])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_every_length_and_batch(length, batch, reverse):
    for name in ("lstm", "twice", "counting", "elementwise", "nested"):
        like_unrolled(*CASES[name], length, batch, reverse)


def like_unrolled(function, arguments, length, batch, reverse):
    args = arguments(length, batch)
    mine = functools.partial(ops.scan, reverse=reverse)
    plain = functools.partial(unrolled, reverse=reverse)
    if function is nested:
        plain = functools.partial(unrolled_outside, mine, reverse=reverse)
    found = jit(lambda *a: function(np, mine, *a))(*args)
    close(found, jit(lambda *a: function(np, plain, *a))(*args))
    numbers = tuple(range(len(args)))
    close(
        kgrad(loss_of(np, mine, function), numbers)(*args),
        kgrad(loss_of(np, plain, function), numbers)(*args),
    )


def unrolled_outside(scan, step, init, xs, reverse):
    """Unrolls outer loops only, so that none runs over a batch of nothing."""
    return unrolled(step, init, xs, reverse) if xs.ndim == 3 else scan(step, init, xs)


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_steps(name):
    """The first carry comes back, sequences are empty, and gradients flow through the carry."""
    function, arguments = CASES[name]
    args = arguments(0, 2)
    carry, ys = jit(lambda *a: function(np, ops.scan, *a))(*args)
    assert all(leaf.shape[0] == 0 for leaf in jax.tree.leaves(ys))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(carry))
    slopes = kgrad(loss_of(np, ops.scan, function), tuple(range(len(args))))(*args)
    assert [g.shape for g in slopes] == [a.shape for a in args]
    slope = kgrad(lambda h: ops.sum(ops.scan(lambda c, x: (c * 2.0, x), h, args[0])[0] * 3.0))
    assert slope(np.ones(2, "float32")).tolist() == [3.0, 3.0]


def test_to_second_order_against_differences():
    x, w, p = (a.astype("float64") for a in CASES["elementwise"][1](3, 2))
    check_gradients(lambda *a: elementwise(np, ops.scan, *a)[1], x, w, p, directions=1)
    check_gradients(lambda *a: nested(np, ops.scan, *a)[1], x, p[0], directions=1)


# -- what the calls take and give --------------------------------------------------------------
def test_on_arrays_it_runs_at_once():
    (last, none), ys = ops.scan(
        lambda c, x: ((c[0] * 2.0 + x["a"], None), [c[0], x["b"]]),
        (np.float32(1.0) * np.ones(2, "float32"), None),
        {"a": np.arange(3, dtype="float32"), "b": np.arange(6).reshape(3, 2)},
    )
    assert none is None
    assert last.tolist() == [12.0, 12.0]
    assert ys[0].tolist() == [[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]]
    assert ys[1].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert isinstance(last, np.ndarray)


def test_a_length_is_enough():
    carry, ys = ops.scan(lambda c, _: (c * 2, c), 1, length=4)
    assert (int(carry), ys.tolist()) == (16, [1, 2, 4, 8])
    theirs = lax.scan(lambda c, _: (c * 2, c), 1, length=4)
    close((carry, ys), theirs)


def test_variables_are_read_when_it_runs():
    v = Variable(np.float32(2.0), name="v")
    x = input_node((3,), name="x")
    _, ys = ops.scan(lambda c, t: (c + v * t, c), 0.0, x)
    exe = compile(Graph((x,), (("y", ys),)))
    assert exe(np.ones(3, "float32"))[0].tolist() == [0.0, 2.0, 4.0]
    v.assign(3.0)
    assert exe(np.ones(3, "float32"))[0].tolist() == [0.0, 3.0, 6.0]


@pytest.mark.parametrize("sizes", [(0, 2), (3, 0), (4, 1), (2, 3)])
def test_symbolic_length_and_batch(sizes):
    steps, batch = Dim.symbol("steps"), Dim.symbol("batch")
    xs, w = input_node((steps, batch, 3), name="xs"), input_node((3, 4), name="w")
    u, b = input_node((4, 4), name="u"), input_node((4,), name="b")
    start = ops.broadcast_to(const(0.0), (batch, 4))
    h, ys = ops.scan(lambda h, x: (ops.tanh(x @ w + h @ u + b),) * 2, start, xs)
    slopes = grad([h, ys], [xs, w, u, b])
    graph = Graph((xs, w, u, b), tuple((str(i), n) for i, n in enumerate([h, ys, *slopes])))
    args = [normal(1, *sizes, 3), normal(2, 3, 4), normal(3, 4, 4), normal(4, 4)]
    found = compile(graph)(*args)
    close(found, interpret(graph, args)[0])
    hs, here = [], np.zeros((sizes[1], 4), "float32")
    for row in args[0]:
        here = np.tanh(row @ args[1] + here @ args[2] + args[3])
        hs.append(here)
    close(found[:2], [here, np.reshape(hs, (*sizes, 4))])


# -- what is built -----------------------------------------------------------------------------
def test_what_does_not_depend_on_the_step_is_an_operand():
    xs, w = input_node((5, 2, 3), name="xs"), input_node((3, 3), name="w")
    h, ys = ops.scan(lambda h, x: (h @ ops.tanh(w) * 2.0 + x, (x, w, h)), xs[0], xs)
    node = h.inputs[0]
    assert node.inputs == (ops.tanh(w), xs[0], xs)
    assert [n.op.name for n in node.attrs["body"].nodes if not n.inputs] == ["arg"] * 2 + [
        "const",
        "arg",
    ]
    assert ys[0] is xs
    assert ys[1] is ops.broadcast_to(w, (5, 3, 3))
    assert len(node.types) == 2
    again, _ = ops.scan(lambda h, x: (h @ ops.tanh(w) * 2.0 + x, h), xs[0], xs)
    assert again is h


@pytest.mark.parametrize("name", ["recurrent", "lstm", "twice"])
def test_a_weight_gets_one_product_outside_of_the_loop(name):
    function, arguments = CASES[name]
    args = arguments(7, 5)
    inputs = [input_node(a.shape, name=str(i)) for i, a in enumerate(args)]
    loss = loss_of(ops, ops.scan, function)(*inputs)
    slopes = grad(loss, inputs[1:])
    graph = Graph(tuple(inputs), tuple((str(i), g) for i, g in enumerate(slopes)))
    backward = [n for n in graph.nodes if n.op is ops.scan and n.attrs["reverse"]]
    (loop,) = backward
    weights = {a.shape for a in args[1:]}
    assert not any(y.shape in weights for y in loop.attrs["body"].outputs)
    assert not any(t.shape[1:] in weights for n in graph.nodes for t in n.types if t.ndim == 3)
    rows = [n for n in graph.nodes if n.op is ops.matmul and n.inputs[1].shape[0] == 35]
    assert len(rows) == {"recurrent": 2, "lstm": 2, "twice": 2}[name]


def test_operands_that_nothing_flows_to_get_none():
    xs, ids = input_node((4, 2), name="xs"), input_node((4,), "int32", name="ids")
    a, b, w = (input_node((2,), name=n) for n in "abw")
    carry, ys = ops.scan(
        lambda c, t: ((c[0] * w + t[0], c[1], c[2] + t[1]), c[0]), (a, b, 0), (xs, ids)
    )
    assert grad(carry[1], [xs, a, w, ids]) == [None] * 4
    first, second, number = grad(ys, [a, b, ids])
    assert first is not None
    assert (second, number) == (None, None)
    assert grad(carry[2], [a]) == [None]


# -- errors ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ops.scan(lambda c, t: (c + t, c), 0.0, x), InferenceError,
         r"its type in a step\n  expected: f32\[\]\n  got: f32\[2\][\s\S]*broadcast_to"),
        (lambda x: ops.scan(lambda c, t: (c + 0.5, c), ops.cast(x[0], "int32"), x),
         InferenceError, r"carry changes its type[\s\S]*init in float32"),
        (lambda x: ops.scan(lambda c, t: (c, t), 0.0, (x, x[1:])), InferenceError,
         "xs and length disagree\n  got: xs_0: 3, xs_1: 2"),
        (lambda x: ops.scan(lambda c, t: (c, t), 0.0, x, length=4), InferenceError, "length: 4"),
        (lambda x: ops.scan(lambda c, t: (c, t), x), InferenceError, "no length"),
        (lambda x: ops.scan(lambda c, t: (c, t), x, length=-1), InferenceError, "negative"),
        (lambda x: ops.scan(lambda c, t: (c, t), x, length=2.0), TypeError, "must be a size"),
        (lambda x: ops.scan(lambda c, t: (c, t), x, 1.0), InferenceError, "no time axis"),
        (lambda x: ops.scan(lambda c, t: c, x, x), TypeError, "must return a pair"),
        (lambda x: ops.scan(lambda c, t: ((c, c), t), x, x), TypeError,
         r"another structure than init\n  expected: \*\n  got: \('\*', '\*'\)"),
        (lambda x: ops.scan(lambda c, t: (c, "y"), x, x), TypeError, "y is not a tensor"),
        (lambda x: ops.scan.apply((x, x), consts=1, carry=0, xs=0, length=2,
                                  body=ops.scan(lambda c, t: (c, t), x, x)[0].inputs),
         InferenceError, "body must be a Body"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call(input_node((3, 2), name="x"))


def test_a_layer_that_updates_a_state_in_every_step_is_refused():
    context, v = CallContext(training=True), Variable(0.0, name="v")

    def step(c, x):
        context.updates.append((v, ops.sum(x)))
        return c, x

    with calling(context), pytest.raises(TypeError, match="updates a state or adds a loss"):
        ops.scan(step, 0.0, input_node((3, 2), name="x"))


def close(found, expected, tolerance=2e-5):
    a, b = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(a) == len(b)
    for mine, theirs in zip(a, b):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)
