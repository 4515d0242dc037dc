"""memory_budget: plans that keep to it, weights equal in every bit, for the sizes at hand."""

from __future__ import annotations

import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kgraph import ops
from kgraph.errors import MemoryBudgetError
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.layers import BatchNormalization, Dense, Dropout
from kgraph.models import Sequential
from kgraph.runtime.autodiff import grad
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import Executable, compile

PARTS = (None, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)


def perceptron(budget, layers=30, units=16):
    np.random.seed(3)
    model = Sequential([Dense(units, activation="tanh", input_shape=(units,))])
    for _ in range(layers - 1):
        model.add(Dense(units, activation="tanh"))
    model.compile("sgd", "mse", memory_budget=budget)
    return model


def noisy(budget):
    """Batch statistics, moving averages and dropout in every block."""
    np.random.seed(3)
    model = Sequential([Dense(24, input_shape=(8,))])
    for _ in range(5):
        model.add(BatchNormalization())
        model.add(Dropout(0.3))
        model.add(Dense(24, activation="relu"))
    model.compile("adam", "mse", metrics=["mae"], memory_budget=budget)
    return model


def rows(count, width, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype("float32")


def trained(model, x, y, batch):
    model.fit(x, y, batch_size=batch, epochs=2, shuffle=False, verbose=0)
    return [w.tobytes() for w in model.get_weights()]


def test_a_sweep_of_budgets_on_30_layers():
    x = rows(512, 16)
    reports, weights = [], []
    for part in PARTS:
        model = perceptron(part)
        weights.append(trained(model, x, x, 256))
        reports.append(model.executable(x, x).memory({"batch": 256}))
    assert all(w == weights[0] for w in weights)
    peaks = [r.planned for r in reports]
    assert all(p <= part * peaks[0] for p, part in zip(peaks[1:], PARTS[1:], strict=True))
    assert peaks == sorted(peaks, reverse=True)
    assert all(r.planned <= 1.15 * r.lower_bound for r in reports)
    extra = [r.flops_again / r.flops for r in reports]
    assert extra == sorted(extra)
    assert extra[0] == 0
    assert 0 < extra[-1] <= 0.26


def test_dropout_and_moving_statistics():
    x, y = rows(96, 8), rows(96, 24, seed=1)
    plain = noisy(None)
    weights = trained(plain, x, y, 48)
    for part in (0.75, 0.6):
        model = noisy(part)
        assert trained(model, x, y, 48) == weights
        names = [s.op.name for s in model.executable(x, y).bind({"batch": 48}).data.steps]
        plain_names = [s.op.name for s in plain.executable(x, y).bind({"batch": 48}).data.steps]
        assert len(names) > len(plain_names)
    assert model.evaluate(x, y, verbose=0) == plain.evaluate(x, y, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), plain.predict(x, verbose=0))


def test_masks_are_drawn_again_with_the_same_key():
    """Where batches are large it pays to draw a mask twice: it must be the same one."""
    step = Variable(0, "step", "int64", trainable=False)
    x = input_node((512, 32), name="x")
    w = [Variable(np.eye(32), f"w{i}", "float32") for i in range(6)]
    y = x
    for i, kernel in enumerate(w):
        drawn = ops.random_bernoulli(step, (512, 32), seed=5, site=i)
        y = ops.tanh((y * ops.cast(drawn, "float32")) @ kernel)
    gradients = grad(ops.sum(y), w)
    updates = tuple((v, v - 0.01 * g) for v, g in zip(w, gradients, strict=True))
    graph = Graph((x,), (("loss", ops.sum(y)),), (*updates, (step, step + 1)))
    data, found = rows(512, 32), []
    before = {v: v.numpy() for v in (*w, step)}
    for budget in (None, 0.8):
        run = compile(graph, memory_budget=budget)
        losses = [run(data)[0].tobytes() for _ in range(3)]
        steps = run.bind({}).data.steps
        drawn = sum(s.op.name.startswith("random") for s in steps)
        found.append((losses, [v.numpy().tobytes() for v in before], drawn))
        for variable, value in before.items():
            variable.assign(value)
    assert found[0][:2] == found[1][:2]
    assert found[1][2] > found[0][2] == 6


def test_gradients_are_jax_s():
    rng = np.random.default_rng(2)
    kernels = [rng.normal(size=(12, 12)).astype("float32") / 3 for _ in range(12)]
    x = input_node((Dim.symbol("batch"), 12), name="x")
    states = [Variable(k, f"k{i}", "float32") for i, k in enumerate(kernels)]
    y = x
    for state in states:
        y = ops.tanh(y @ state)
    gradients = grad(ops.mean(ops.square(y)), states)
    graph = Graph((x,), tuple((f"g{i}", g) for i, g in enumerate(gradients)))
    run = compile(graph, memory_budget=0.7)
    data = rows(64, 12)

    def loss(weights):
        z = data
        for k in weights:
            z = jnp.tanh(z @ k)
        return jnp.mean(z**2)

    report = run.memory({"batch": 64})
    assert report.flops_again > 0
    for got, want in zip(run(data), jax.grad(loss)(kernels), strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=1e-7)
    for got, want in zip(run(data), compile(graph)(data), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("part", [None, 0.5])
def test_a_run_takes_no_more_than_was_planned(part):
    """By tracemalloc: the arrays of a plan are its arena and what is fed; a run adds nothing."""
    x = rows(256, 64)
    run = perceptron(part, units=64).executable(x, x)
    data = run.bind({"batch": 256}).data
    numpy_s = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    tracemalloc.start()
    try:
        plan = Plan(data)
        arrays = tracemalloc.take_snapshot().filter_traces([numpy_s])
        for buffer in plan.inputs:
            buffer[...] = x
        plan.run()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        plan.run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    held = sum(t.size for t in arrays.traces)
    assert data.arena_bytes <= held <= data.arena_bytes + 2 * x.nbytes + 50_000
    assert peak - before <= 50_000


def test_every_binding_keeps_to_its_budget():
    x = rows(256, 16)
    plain = perceptron(None).executable(x, x)
    full = plain.memory({"batch": 256}).planned
    run = perceptron(full // 2).executable(x, x)
    assert run.memory({"batch": 256}).planned <= full // 2
    assert run.memory({"batch": 256}).flops_again > 0
    assert run.memory({"batch": 100}).flops_again == 0
    with pytest.raises(MemoryBudgetError, match=r"at most \d[\d,]+ bytes") as info:
        run.bind({"batch": 2048})
    assert "a smaller batch" in str(info.value)


def test_a_model_that_cannot_fit_says_so_in_fit():
    x = rows(64, 16)
    model = perceptron(1000)
    with pytest.raises(ValueError, match="no choice of what to compute twice fits") as info:
        model.fit(x, x, verbose=0)
    assert "1,000 bytes" in str(info.value)
    model.compile("sgd", "mse")
    model.fit(x, x, verbose=0)


@pytest.mark.parametrize("budget", [np.int64(1000), np.float32(1.0)])
def test_budgets_may_be_numpys_numbers(budget):
    x = input_node((2,), name="x")
    assert compile(Graph((x,), (("y", x + 1),)), memory_budget=budget)([1.0, 2.0])[0][1] == 3


@pytest.mark.parametrize("budget", [0, -1, 2.0, True, float("nan"), "half"])
def test_budgets_are_checked_at_once(budget):
    x = input_node((2,), name="x")
    with pytest.raises(ValueError, match="memory_budget is an amount of memory"):
        compile(Graph((x,), (("y", x + 1),)), memory_budget=budget)
    with pytest.raises(ValueError, match="memory_budget is an amount of memory"):
        Executable(Graph((x,), (("y", x + 1),)), memory_budget=budget)
    with pytest.raises(ValueError, match="memory_budget is an amount of memory"):
        Sequential([Dense(1, input_dim=2)]).compile("sgd", "mse", memory_budget=budget)
