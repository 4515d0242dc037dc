"""Rematerialization: the same bits from fewer bytes, and clones that nobody merges again."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from zoo import ZOO, training_core

from kgraph import config, ops
from kgraph.errors import MemoryBudgetError, PassError
from kgraph.ir import Dim, Graph, Stage, Variable, input_node
from kgraph.ir.verify import verify
from kgraph.passes import DropMarkers, Pipeline, Rematerialize, Simplify, optimize
from kgraph.passes.checkpoints import Checkpoints
from kgraph.passes.journal import Journal
from kgraph.passes.liveness import Liveness
from kgraph.passes.min_cut import cheapest_cut
from kgraph.passes.rematerialize import _Rewriter
from kgraph.runtime.autodiff import grad
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import count_runs
from kgraph.runtime.planning import make_plan
from kgraph.testing.choices import seeds
from kgraph.testing.drawn_graphs import draw_graph
from kgraph.testing.feeds import feed


def chain(layers, units=16, batch=64):
    """The training step of a deep network, as outputs: a loss and the gradients of all weights."""
    x = input_node((batch, units), name="x")
    rng = np.random.default_rng(0)
    weights = [
        Variable(rng.normal(size=(units, units)) / units**0.5, f"w{i}", "float32")
        for i in range(layers)
    ]
    y = x
    for w in weights:
        y = ops.tanh(y @ w)
    loss = ops.mean(ops.square(y))
    found = grad(loss, weights)
    updates = tuple((w, w - 0.1 * g) for w, g in zip(weights, found, strict=True))
    graph = Graph((x,), (("loss", loss),), updates)
    return optimize(graph)[0]


def count(graph, name):
    return sum(n.op.name == name for n in graph.nodes)


def run_twice(graph, arrays, binding):
    """Outputs and states after two runs over poisoned memory; the states are left as they were."""
    before = {v: v.numpy() for v in graph.states}
    plan = Plan(make_plan(graph, binding))
    plan._arena[...] = 0xFF
    outputs = []
    for _ in range(2):
        plan.fill(arrays)
        plan.run()
        outputs += [a.tobytes() for a in plan.outputs]
    found = {v: v.numpy().tobytes() for v in before}
    for variable, value in before.items():
        variable.assign(value)
    return outputs, found


def every_choice(graph, binding):
    """The graphs of all choices that are tried when no budget is small enough."""
    live = Liveness(graph, binding)
    if not live.nodes:
        return
    options = Checkpoints(live)
    for choice in options.choices(0):
        yield choice, _Rewriter(options, choice, Journal()).run()


# -- the same bits -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ZOO))
def test_every_choice_gives_the_bits_of_the_plain_step(name):
    model, (inputs, targets) = ZOO[name].model(), ZOO[name].arrays(33)
    core = count_runs(training_core(model, inputs, targets), None)
    graph, _ = optimize(core)
    binding, arrays = dict.fromkeys(graph.symbols, 33), [*inputs, *targets]
    plain = run_twice(graph, arrays, binding)
    changed = 0
    for choice, other in every_choice(graph, binding):
        verify(other)
        assert run_twice(other, arrays, binding) == plain, choice.rule
        changed += other is not graph
    assert changed


def test_random_graphs_keep_their_bits():
    changed = 0
    for rng in seeds(40, seed=3):
        graph = draw_graph(rng, most=30)
        graph = graph.with_roots(graph.roots, stage=Stage.FUSED)
        arrays = feed(graph, rng, batch=4)
        binding = dict.fromkeys(graph.symbols, 4)
        plain = run_twice(graph, arrays, binding)
        for choice, other in itertools.islice(every_choice(graph, binding), 6):
            verify(other)
            assert run_twice(other, arrays, binding) == plain, choice.rule
            changed += other is not graph
    assert changed > 30


def test_without_fuel_the_first_computation_serves(monkeypatch):
    graph = chain(16)
    x = np.random.default_rng(1).normal(size=(64, 16)).astype("float32")
    plain = run_twice(graph, [x], {})
    for fuel in (0, 1, 2, 5):
        monkeypatch.setattr(config, "fuel", fuel)
        other, report = Pipeline((Rematerialize(0.6),)).run(graph)
        assert sum(report.fired.values()) == fuel
        assert count(other, "recompute") <= fuel
        assert run_twice(other, [x], {}) == plain


# -- less memory -------------------------------------------------------------------------------


def test_estimates_are_the_planner_s():
    for name, specimen in ZOO.items():
        model, (inputs, targets) = specimen.model(), specimen.arrays(64)
        core = count_runs(training_core(model, inputs, targets), None)
        graph, _ = optimize(core)
        binding = dict.fromkeys(graph.symbols, 64)
        peak, bound = Liveness(graph, binding).peak, make_plan(graph, binding).lower_bound
        assert 0.75 * bound <= peak <= 1.1 * bound, name


def test_a_budget_is_met_with_the_least_work():
    graph = chain(24)
    plain = Liveness(graph, {}).peak
    peaks, flops = [], []
    for part in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45):
        better, report = Pipeline((Rematerialize(part),)).run(graph)
        peaks.append(Liveness(better, {}).peak)
        flops.append(report.passes[0].cost_after.flops)
        assert peaks[-1] <= part * plain
        assert make_plan(better, {}).lower_bound <= 1.02 * part * plain
        assert (better is graph) == (part == 1.0)
    assert peaks == sorted(peaks, reverse=True)
    assert flops == sorted(flops)
    assert flops[-1] <= 1.34 * flops[0]  # one more forward pass of three that a step costs


def test_memory_grows_with_the_root_of_the_depth():
    activation = 64 * 16 * 4
    for layers in (16, 64):
        least = min(Liveness(g, {}).peak for _, g in every_choice(chain(layers), {}))
        assert least <= (2 * math.sqrt(layers) + 5) * activation


def test_a_cut_recomputes_cheap_ops_and_no_products():
    x = input_node((256, 64), name="x")
    w = [Variable(np.eye(64), f"w{i}", "float32") for i in range(6)]
    y = x
    for kernel in w:
        y = ops.exp(ops.sin(ops.tanh(y @ kernel)))
    gradients = grad(ops.sum(y), w)
    graph, _ = optimize(Graph((x,), tuple((f"g{i}", g) for i, g in enumerate(gradients))))
    products, plain = count(graph, "matmul"), Liveness(graph, {}).peak
    cheap = [g for choice, g in every_choice(graph, {}) if choice.rule == "recompute-cheap"]
    assert {count(g, "matmul") for g in cheap} == {products}
    assert min(Liveness(g, {}).peak for g in cheap) < 0.75 * plain


def test_a_minimal_cut_is_the_best_of_all_subsets():
    rng = np.random.default_rng(5)
    for _ in range(30):
        x = input_node((4,), name="x")
        values = [x]
        for _ in range(8):
            a, b = (values[i] for i in rng.integers(0, len(values), 2))
            shape = (int(rng.integers(1, 9)), 4)
            values.append(ops.broadcast_to(ops.sum(a, keepdims=False), shape) * ops.sum(b))
        ends = [values[i] for i in rng.integers(1, len(values), 3)]
        outputs = tuple((f"y{i}", ops.sum(e)) for i, e in enumerate(ends))
        graph = Graph((x,), outputs, (), Stage.FUSED)
        live = Liveness(graph, {})
        needed = [v for v in {live.value(e) for e in ends} if v is not None]
        cheap = {i for i in range(len(live.nodes)) if rng.random() < 0.7}
        cut = cheapest_cut(live, needed, (), cheap.__contains__)
        assert follows(live, needed, cut, cheap)
        sizes = sorted(
            sum(live.sizes[v] for v in subset)
            for r in range(len(live.nodes) + 1)
            for subset in itertools.combinations(range(len(live.nodes)), r)
            if r < 4 and follows(live, needed, set(subset), cheap)
        )
        if sizes:
            assert sum(live.sizes[v] for v in cut) <= sizes[0]


def follows(live, needed, saved, cheap):
    """Whether everything needed is saved or follows from what is saved by cheap ops."""
    stack = list(needed)
    while stack:
        value = stack.pop()
        if value not in saved:
            if value not in cheap:
                return False
            stack.extend(live.runs[value].reads)
    return True


# -- clones ------------------------------------------------------------------------------------


def test_clones_survive_the_passes_that_merge_and_simplify():
    graph = chain(12)
    better, _ = Pipeline((Rematerialize(0.6),)).run(graph)
    assert count(better, "tanh") > count(graph, "tanh") == 12
    core = better.with_roots(better.roots, stage=Stage.CORE)
    again, _ = optimize(core)
    for name in ("recompute", "tanh", "matmul"):
        assert count(again, name) == count(better, name)
    same, _ = Pipeline((DropMarkers(), Simplify())).run(core)
    assert same.roots == better.roots


def test_a_clone_says_where_it_comes_from():
    graph = chain(12)
    better, report = Pipeline((Rematerialize(0.6),)).run(graph)
    clones = [f.new for f in report.passes[0].firings]
    assert clones
    assert set(clones) <= set(better.nodes)
    for clone in clones:
        last = clone.origin.lineage[-1]
        assert (last.pass_name, last.rule) == ("rematerialize", "recompute-segments")
    assert {f.kind for f in report.passes[0].firings} == {"exact"}


def test_recompute_is_another_node_of_the_same_value():
    x, t = input_node((3,), name="x"), input_node((), name="t")
    late = ops.recompute(x, t)
    assert late is not x
    assert late is ops.recompute(x, t)
    assert ops.tanh(late) is not ops.tanh(x)
    (slope,) = grad(ops.sum(ops.tanh(late)), [x])
    assert slope.type == x.type
    assert grad(ops.sum(ops.tanh(late)), [t]) == [None]


def test_waiting_costs_no_step_and_keeps_nothing_alive():
    x = input_node((1024,), name="x")
    gate = ops.exp(x)
    total = ops.sum(gate)
    tail = ops.recompute(x, gate)
    for _ in range(3):
        tail = ops.cumsum(tail)
    plan = make_plan(Graph((x,), (("y", ops.sum(tail) + total),)), {})
    assert "recompute" not in [s.op.name for s in plan.steps]
    names = [s.op.name for s in plan.steps]
    assert names.index("exp") < names.index("cumsum")
    assert plan.lower_bound == 2 * 4096 + 4  # of two cumsums; the gate has died


# -- options and refusals ----------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, -5, 0.0, 1.5, True, "1MB", None])
def test_a_budget_is_bytes_or_a_part(budget):
    with pytest.raises(ValueError, match="memory_budget is an amount of memory"):
        Rematerialize(budget)


def test_an_impossible_budget_names_the_smallest_peak():
    message = r"at most 1,000 bytes.*\n.*the least of \d+ choices"
    with pytest.raises(PassError, match=message) as info:
        Pipeline((Rematerialize(1000),)).run(chain(8))
    assert isinstance(info.value.__cause__, MemoryBudgetError)


def test_a_graph_that_fits_is_left_alone():
    graph = chain(8)
    assert Rematerialize(10**9).run(graph) is graph
    assert Rematerialize(1.0).run(graph) is graph
    nothing = Graph((), (), (), Stage.FUSED)
    assert Rematerialize(1).run(nothing) is nothing


def test_symbolic_sizes_count_as_the_hint_unless_bound():
    x = input_node((Dim.symbol("batch"), 64), name="x")
    w = [Variable(np.eye(64), f"w{i}", "float32") for i in range(8)]
    y = x
    for kernel in w:
        y = ops.tanh(y @ kernel)
    gradients = grad(ops.sum(y), w)
    updates = tuple((v, v - g) for v, g in zip(w, gradients, strict=True))
    core = Graph((x,), (), updates)
    graph, _ = optimize(core)
    peak = Liveness(graph, {"batch": 32}).peak
    assert Rematerialize(peak).run(graph) is graph
    assert Rematerialize(peak, (("batch", 64),)).run(graph) is not graph
    _, report = optimize(core, memory_budget=0.8)
    assert report.passes[-1].name == "rematerialize"
    assert report.passes[-1].changed
