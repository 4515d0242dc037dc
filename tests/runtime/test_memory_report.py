"""The memory report adds up, and what it says of plans is good."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.ir.origin import scope
from kgraph.layers import Dense, Input, add
from kgraph.models import Model, Sequential
from kgraph.passes.report import estimate
from kgraph.runtime.executable import compile
from kgraph.runtime.memory_report import memory_report
from kgraph.runtime.planning import make_plan


def test_the_numbers_of_a_small_plan():
    x = input_node((Dim.symbol("batch"), 4), name="x")
    w = Variable(np.ones((4, 2)), "w", "float32")
    with scope("first"):
        y = ops.tanh(x @ w)
    z = ops.sum(ops.exp(x), axis=1, keepdims=True) * y
    run = compile(Graph((x,), (("z", z),)))
    report = run.memory({"batch": 100})
    # exp 1600; product and tanh, sum, the result
    assert report.keep_everything == 1600 + 2 * 800 + 400 + 800
    assert report.outside == 1600 + 32
    assert report.lower_bound <= report.planned <= report.keep_everything
    assert report.fragmentation == 1 - report.lower_bound / report.planned
    assert report.saving == report.planned / report.keep_everything
    assert report.flops == estimate(run.graph, 100).flops
    assert report.flops_again == 0
    assert sum(t.bytes for t in report.largest) == report.lower_bound


def test_what_lives_at_the_fullest_moment_is_named():
    x = input_node((50,), name="x")
    with scope("wide"):
        wide = ops.tile(ops.tanh(x), 100)
    report = memory_report(make_plan(Graph((x,), (("y", ops.sum(ops.sort(wide))),)), {}))
    first = report.largest[0]
    assert first.bytes == 20_000
    assert (str(first.type), first.layer) == ("f32[5000]", "wide")
    assert first.where.startswith(__file__)
    text = str(report)
    for part in ("keep everything", "lower bound", "f32[5000]", "wide", f"{report.planned:,}"):
        assert part in text


def test_second_computations_are_marked():
    data = np.zeros((64, 32), "float32")
    model = mlp(24, 32)
    texts = []
    for part in (0.7, 0.6, 0.5, 0.45):
        model.compile("sgd", "mse", memory_budget=part)
        report = model.executable(data, data).memory({"batch": 64})
        assert report.flops_again > 0
        texts.append(str(report))
        assert any(t.again for t in report.largest) == ("(second time)" in texts[-1])
    assert all("computed twice" in text for text in texts)
    assert any("(second time)" in text for text in texts)


def test_a_plan_of_nothing():
    report = memory_report(make_plan(Graph((), ()), {}))
    assert (report.keep_everything, report.planned, report.largest) == (0, 0, ())
    assert (report.fragmentation, report.saving) == (0.0, 1.0)
    assert "keep everything" in str(report)


# -- what must be shown of training steps ------------------------------------------------------


def mlp(layers, units=64):
    model = Sequential([Dense(units, activation="relu", input_shape=(units,))])
    for _ in range(layers - 1):
        model.add(Dense(units, activation="relu"))
    return model


def autoencoder():
    sizes = (32, 16, 32)
    x = y = Input((64,))
    for size in sizes:
        y = Dense(size, activation="tanh")(y)
    return Model(x, Dense(64, activation="sigmoid")(y))


def residual():
    x = y = Input((64,))
    for _ in range(6):
        y = add([y, Dense(64)(Dense(128, activation="relu")(y))])
    return Model(x, Dense(64)(y))


def two_headed():
    x = Input((64,))
    trunk = Dense(64, activation="relu")(Dense(64, activation="relu")(x))
    left = Dense(64, activation="sigmoid")(Dense(32, activation="relu")(trunk))
    return Model(x, [left, Dense(64)(trunk)])


MODELS = {
    "mlp-10": lambda: mlp(10),
    "mlp-50": lambda: mlp(50),
    "mlp-200": lambda: mlp(200, 32),
    "autoencoder": autoencoder,
    "residual": residual,
    "two-headed": two_headed,
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", MODELS)
def test_training_steps_are_near_the_least_and_far_from_keeping_everything(name, optimizer):
    model = MODELS[name]()
    model.compile(optimizer, "mse")
    batch, width = 128, model.inputs[0].shape[1]
    data = np.zeros((batch, width), "float32")
    targets = [data] * len(model.outputs)
    report = model.executable(data, targets).memory({"batch": batch})
    assert report.planned <= 1.15 * report.lower_bound
    assert report.planned <= 0.6 * report.keep_everything
