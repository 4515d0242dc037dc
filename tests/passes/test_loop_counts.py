"""What recurrent models cost: kernel calls and products of one time step, forward and backward.

Golden numbers, of cells as a user would write them; an increase is a regression.
"""

import numpy as np
import pytest

from kgraph import config, ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.ir.leaves import const
from kgraph.passes import Finish, Pipeline, optimize
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

TIME, BATCH = Dim.symbol("time"), Dim.symbol("batch")
FEATURES, UNITS = 5, 128
XS = input_node((TIME, BATCH, FEATURES), name="xs")
PLAIN = Pipeline((Finish(),))
ZEROS = ops.broadcast_to(const(0.0), (BATCH, UNITS))


def weights(gates):
    """Kernel, recurrent kernel and bias of so many gates."""
    rng = np.random.default_rng(gates)
    shapes = {"kernel": (FEATURES, gates * UNITS), "recurrent": (UNITS, gates * UNITS)}
    found = [Variable((rng.normal(size=s) / 9).astype("f"), n) for n, s in shapes.items()]
    return [*found, Variable(np.ones(gates * UNITS, "f"), "bias")]


def parts(z):
    count = z.shape[1] // UNITS
    return [z[:, i * UNITS : (i + 1) * UNITS] for i in range(count)]


def simple(kernel, recurrent, bias):
    def step(h, x):
        h = ops.tanh(x @ kernel + bias + h @ recurrent)
        return h, h

    return step, ZEROS


def lstm(kernel, recurrent, bias):
    def step(carry, x):
        h, c = carry
        i, f, g, o = parts(x @ kernel + bias + h @ recurrent)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return (h, c), h

    return step, (ZEROS, ZEROS)


def gru(kernel, recurrent, bias):
    def step(h, x):
        zx, rx, cx = parts(x @ kernel + bias)
        zh, rh, ch = parts(h @ recurrent)
        z, r = ops.sigmoid(zx + zh), ops.sigmoid(rx + rh)
        h = z * h + (1 - z) * ops.tanh(cx + r * ch)
        return h, h

    return step, ZEROS


CELLS = {"simple": (simple, 1), "lstm": (lstm, 4), "gru": (gru, 3)}


def graphs(name, sequences):
    """Inference and training of one recurrent layer."""
    make, gates = CELLS[name]
    variables = weights(gates)
    step, start = make(*variables)
    last, ys = ops.scan(step, start, XS)
    y = ys if sequences else (last[0] if isinstance(last, tuple) else last)
    loss = ops.mean(y * y)
    slopes = grad(loss, [XS, *variables])
    outputs = (("loss", loss), *((f"g{i}", g) for i, g in enumerate(slopes)))
    return Graph((XS,), (("y", y),)), Graph((XS,), outputs)


def calls(graph):
    """(calls, products) of one time step of each loop, and products outside of loops."""
    steps = compile(graph).bind({"time": 6, "batch": 3}).data.steps
    inside = [
        (len(s.loop.steps), sum(i.op is ops.matmul for i in s.loop.steps))
        for s in steps
        if s.loop is not None
    ]
    return inside, sum(s.op is ops.matmul for s in steps)


# Inference, forward and backward: (calls, products) of a time step; then products outside: of the
# inputs; in training also of the gradients of kernel, recurrent kernel and inputs.
GOLDEN = {
    ("simple", False): ([(3, 1)], 1, [(4, 1), (4, 1)], 4),
    ("lstm", False): ([(11, 1)], 1, [(11, 1), (24, 1)], 4),
    ("gru", False): ([(12, 1)], 1, [(13, 1), (24, 1)], 4),
    ("lstm", True): ([(11, 1)], 1, [(12, 1), (25, 1)], 4),
}


@pytest.mark.parametrize(("name", "sequences"), GOLDEN)
def test_calls_of_a_time_step(name, sequences):
    inference, training = graphs(name, sequences)
    assert (*calls(inference), *calls(training)) == GOLDEN[name, sequences]


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("length", [0, 1, 7])
def test_values(name, length):
    _, training = graphs(name, True)
    values = np.random.default_rng(length).normal(size=(length, 3, FEATURES)).astype("float32")
    expected, _ = interpret(training, [values])
    for a, b in zip(compile(training)(values), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_strict_values_keep_their_bits(name, monkeypatch):
    monkeypatch.setattr(config, "numerics", "strict")
    _, training = graphs(name, True)
    values = np.random.default_rng(1).normal(size=(5, 3, FEATURES)).astype("float32")
    better, report = optimize(training)
    assert report.fired["merge-loops"]
    for run in (lambda g: interpret(g, [values])[0], lambda g: compile(g, pipeline=PLAIN)(values)):
        for a, b in zip(run(better), run(training), strict=True):
            np.testing.assert_array_equal(a, b)


def test_every_pass_keeps_the_values(monkeypatch):
    monkeypatch.setattr(config, "check", "values")
    for name in ("simple", "lstm"):
        compile(graphs(name, False)[1])
