"""Executables: caches, threads, errors, profiles, and no allocation in the steady state."""

import gc
import linecache
import threading
import weakref

import numpy as np
import pytest

from kgraph import config, ops
from kgraph.errors import StageError, UndecidableError
from kgraph.ir import Dim, Graph, Variable, input_node, size
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import build
from kgraph.ir.origin import scope
from kgraph.runtime.executable import compile
from kgraph.runtime.memory import ALIGNMENT
from kgraph.runtime.planning import make_plan

BATCH = Dim.symbol("batch")


def mlp(units=16):
    """A small training-like graph: two layers, a loss, a gradient-like update of the weights."""
    x = input_node((BATCH, 8), name="x")
    w1 = Variable(
        np.linspace(-1, 1, 8 * units).reshape(8, units), dtype="float32", name="d1/kernel"
    )
    w2 = Variable(
        np.linspace(-1, 1, units * 4).reshape(units, 4), dtype="float32", name="d2/kernel"
    )
    with scope("d1"):
        h = ops.tanh(x @ w1)
    with scope("d2"):
        y = h @ w2
    return x, y, ((w2, w2 - 0.01 * (ops.transpose(h) @ y)), (w1, w1 * 0.99))


def test_runs_on_any_batch_and_sees_new_weights():
    x, y, updates = mlp()
    predict, train = compile(Graph((x,), (("y", y),))), compile(Graph((x,), (), updates))
    data = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    before = predict(data)[0]
    np.testing.assert_allclose(predict(data[:2])[0], before[:2], rtol=1e-5)
    train(data)
    assert not np.allclose(predict(data)[0], before)


def test_outputs_are_the_callers_own():
    x, y, _ = mlp()
    run = compile(Graph((x,), (("y", y),)))
    first = run(np.ones((2, 8)))[0]
    kept = first.copy()
    run(np.zeros((2, 8)))
    np.testing.assert_array_equal(first, kept)


def test_plans_are_bounded(monkeypatch):
    monkeypatch.setattr(config, "plan_cache_size", 3)
    x, y, _ = mlp()
    run = compile(Graph((x,), (("y", y),)))
    for n in range(1, 9):
        assert run(np.ones((n, 8)))[0].shape == (n, 4)
    assert len(run._data) == 3
    assert set(run._idle) <= set(run._data)


def test_two_threads_may_call_one_executable():
    x, y, _ = mlp(64)
    run = compile(Graph((x,), (("y", y),)))
    inputs = [np.full((32, 8), i / 10, "float32") for i in range(8)]
    expected = [run(a)[0] for a in inputs]
    wrong = []

    def work(i):
        for _ in range(100):
            if not np.array_equal(run(inputs[i])[0], expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_updates_of_two_threads_are_all_counted():
    count = Variable(0, "count", "int64")
    run = compile(Graph((), (("old", count),), ((count, count + 1),)))
    seen = []

    def work():
        seen.extend(int(run()[0]) for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.numpy() == 800
    assert sorted(seen) == list(range(800))


def test_steady_state_allocates_nothing(measure_allocations):
    x, y, updates = mlp(256)
    total = Variable(0.0, "total")
    loss = ops.mean(ops.square(y))
    train = compile(Graph((x,), (), (*updates, (total, total + loss))))
    plan = train.bind({"batch": 1024})
    plan.inputs[0][...] = 0.1
    borrowed, kept = measure_allocations(plan.run, 50)
    # NumPy's iterators and errstate take about 2 kB for a moment; no array but the scalars is
    # smaller than 4 kB, and those of the batch take 16 kB and more.
    assert borrowed < 3000
    assert kept < 256


def test_a_failing_kernel_names_node_layer_and_line():
    x = input_node((BATCH,), "int32", name="ids")
    table = Variable(np.ones((10, 2)), dtype="float32", name="embedding_1/embeddings")
    with scope("embedding_1"):
        y = ops.take(table, x, axis=0)
    run = compile(Graph((x,), (("y", y),)))
    with pytest.raises(IndexError, match="10") as caught:
        run([3, 10])
    note = "\n".join(caught.value.__notes__)
    assert "while running take(f32[10, 2], i32[2]) of layer embedding_1" in note
    assert __file__ in note
    assert run([3, 9])[0].tolist() == [[1.0, 1.0], [1.0, 1.0]]  # and the plan works on


def test_wrong_inputs_are_named():
    x, y, _ = mlp()
    run = compile(Graph((x,), (("y", y),)))
    with pytest.raises(ValueError, match=r"input x does not fit\n  expected: f32\[batch, 8\]"):
        run(np.ones((2, 7)))
    with pytest.raises(TypeError, match="input x is not numeric"):
        run(np.array([["a"] * 8]))


def test_too_few_arrays_and_sizes_without_a_number_are_named():
    x, y, _ = mlp()
    with pytest.raises(ValueError, match=r"wrong number of arrays\n  expected: x: f32\[batch, 8\]"):
        compile(Graph((x,), (("y", y),)))()
    hidden = compile(Graph((), (("n", size(Dim.symbol("n"))),)))
    with pytest.raises(UndecidableError, match="The size 'n' has no number"):
        hidden()
    plan = hidden.bind({"n": 7})
    plan.run()
    assert int(plan.outputs[0]) == 7


def test_an_executable_takes_its_plans_and_their_source_with_it():
    x, y, _ = mlp()
    run = compile(Graph((x,), (("y", y),)))
    run(np.ones((2, 8)))
    plan = run.bind({"batch": 3})
    names, alive = [plan.filename], weakref.ref(plan)
    names += [p.filename for plans in run._idle.values() for p in plans]
    assert all(name in linecache.cache for name in names)
    del plan, run
    gc.collect()
    assert alive() is None
    assert not any(name in linecache.cache for name in names)


@pytest.mark.parametrize(
    "name", ["x²", "ﬁlter", "a b", "1", "", "class", "run_0", "errstate", "__debug__", "é", "a\nb"]
)
def test_any_name_may_stand_on_inputs_and_states(name):
    x, w = input_node((2,), name=name), Variable([1.0, 2.0], name)
    got = compile(Graph((x,), (("y", ops.square(x) * w),)))([1.0, 2.0])[0]
    assert got.tolist() == [1.0, 8.0]


@pytest.mark.parametrize("end", ["\n", "\r", "\x0c\n", "\r\n"])
def test_a_layer_name_is_never_run(end):
    """Names come from files, and a file must not bring code."""
    x = input_node((2,), name="x")
    with scope(f"layer{end}        raise SystemExit  #"):
        y = ops.square(x)
    run = compile(Graph((x,), (("y", y),)))
    assert run([1.0, 2.0])[0].tolist() == [1.0, 4.0]
    assert run.source.count("SystemExit") == 1
    assert len(run.source.splitlines()) == 2


def test_arenas_start_at_a_cache_line():
    x, y, _ = mlp()
    plan = compile(Graph((x,), (("y", y),))).bind({"batch": 5})
    assert plan._arena.ctypes.data % ALIGNMENT == 0
    assert len(plan._arena) == plan.data.arena_bytes


def test_a_graph_of_layers_is_not_executable():
    from kgraph.ir import Stage
    from kgraph.runtime.executable import Executable

    x, y, _ = mlp()
    with pytest.raises(StageError, match="lower it first"):
        Executable(Graph((x,), (("y", y),), stage=Stage.LAYERS))


def test_random_ops_step_with_every_run():
    step = build(RNG_STEP)
    run = compile(Graph((), (("step", step + 0),)))
    assert [int(run()[0]) for _ in range(3)] == [0, 1, 2]


def test_profile_counts_by_layer_and_keeps_the_weights():
    x, y, updates = mlp()
    train = compile(Graph((x,), (("y", y),), updates))
    before = [v.numpy() for v, _ in updates]
    profile = train.profile({"batch": 32}, runs=3)
    layers = {row.name: row for row in profile.by_layer()}
    assert {"d1", "d2"} <= set(layers)
    assert layers["d1"].flops >= 2 * 32 * 8 * 16
    assert "d1" in str(profile)
    assert {row.name for row in profile.by_op()} >= {"matmul", "tanh"}
    for (variable, _), value in zip(updates, before, strict=True):
        np.testing.assert_array_equal(variable.value, value)


def test_source_is_readable_python():
    x, y, _ = mlp()
    run = compile(Graph((x,), (("y", y),)))
    with pytest.raises(StageError, match="No plan yet"):
        _ = run.source
    run(np.ones((2, 8)))
    assert "matmul(x, d1_kernel, t0)  # d1" in run.source


def test_a_size_is_planned_once(monkeypatch):
    """B = 32, 32, 7, 32, 0 needs three plans, and a mean over nothing is NaN as in NumPy."""
    made = []

    def counted(graph, binding):
        made.append(binding["batch"])
        return make_plan(graph, binding)

    monkeypatch.setattr("kgraph.runtime.executable.make_plan", counted)
    x = input_node((Dim.symbol("batch"), 3), name="x")
    exe = compile(Graph((x,), (("mean", ops.mean(x, axis=0)),)))
    for n in (32, 32, 7, 32, 0):
        (mean,) = exe(np.ones((n, 3)))
        np.testing.assert_array_equal(mean, np.full(3, 1.0 if n else np.nan))
    assert made == [32, 7, 0]
