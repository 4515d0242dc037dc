"""Strategies: everything drawn is valid, everything worth drawing is drawn, examples are small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from kgraph.errors import ParseError
from kgraph.ir import Graph, Stage, TensorType, Variable
from kgraph.ir.dim import Dim
from kgraph.ir.op import OPS
from kgraph.ir.types import broadcast_shapes, parse_type
from kgraph.ir.verify import verify
from kgraph.layers import Dense
from kgraph.models import Model
from kgraph.passes.rules import PatternRule
from kgraph.passes.simplify import SIMPLIFY
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.testing import (
    arrays,
    draw_graph,
    draw_layer,
    draw_model,
    draw_op_call,
    dtypes,
    feed,
    graphs,
    layers,
    models,
    op_calls,
    seeds,
    shapes,
    special_values,
)

QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
THOROUGH = settings(QUICK, max_examples=1000)
PLANTS = tuple(r for r in SIMPLIFY if isinstance(r, PatternRule))


@QUICK
@given(st.data())
def test_arrays_are_of_their_type(data):
    shape = data.draw(shapes())
    dtype = data.draw(dtypes())
    array = data.draw(arrays(TensorType(shape, dtype), batch=4))
    assert array.dtype == dtype
    assert array.shape == tuple(4 if isinstance(d, Dim) else d for d in shape)


@QUICK
@given(arrays("f16[batch, 2]", batch=4))
def test_types_may_be_text(array):
    assert (array.dtype.name, array.shape) == ("float16", (4, 2))


@QUICK
@given(shapes(3))
def test_shapes_broadcast(drawn):
    broadcast_shapes(*drawn)


def test_special_values_hold_what_they_promise():
    values = special_values("float32")
    assert {0.0, 1.0, -1.0, np.inf, -np.inf} <= set(values.tolist())
    assert np.isnan(values).sum() == 1
    assert np.signbit(values[values == 0]).any()
    assert np.nanmin(np.abs(values[values != 0])) < np.finfo("float32").tiny
    assert (np.abs(values - np.float32(88.7)) < 1e-4).any()


@pytest.mark.parametrize(
    "options", [{}, {"patterns": PLANTS}, {"tame": False}], ids=["plain", "planted", "wild"]
)
def test_graphs_are_valid_and_run_at_every_size(options):
    for rng in seeds(60):
        graph = draw_graph(rng, **options)
        verify(graph)
        assert len(graph.inputs) <= len({*graph.nodes, *graph.inputs})
        kind = "whole" if options.get("tame", True) else "special"
        for batch in (0, 1, 5):
            outputs, _ = interpret(graph, feed(graph, rng, batch=batch, kind=kind))
            if kind == "whole":
                assert all(np.isfinite(y.astype("float64")).all() for y in outputs)


def test_tame_states_stay_small_run_after_run():
    for rng in seeds(20):
        graph = draw_graph(rng)
        run = compile(graph)
        for _ in range(5):
            run(*feed(graph, rng))
        for variable, _ in graph.updates:
            assert np.abs(variable.value.astype("float64")).max(initial=0) <= 128


def test_equal_seeds_give_equal_graphs():
    for first, second in zip(seeds(10, seed=3), seeds(10, seed=3)):
        names = [[n.op.name for n in draw_graph(rng).nodes] for rng in (first, second)]
        assert names[0] == names[1]


def features(graph: Graph) -> set[str]:
    """What a graph has that breaks compilers."""
    found = {n.op.name for n in graph.nodes}
    users = graph.users
    if len(graph.outputs) > 1:
        found.add("several outputs")
    if graph.updates:
        found.add("updates")
    if any(len(n.types) > 1 for n in graph.nodes):
        found.add("multi-output op")
    if any(len(set(u)) > 1 for n, u in users.items() if n.inputs):
        found.add("diamond")
    if any(0 in n.shape for n in graph.nodes if len(n.types) == 1):
        found.add("empty tensor")
    found |= {f"dtype {t.dtype}" for n in graph.nodes for t in n.types}
    if any(isinstance(n, Variable) for _, n in graph.outputs):
        found.add("a state is an output")
    return found


WANTED = [
    "several outputs", "updates", "multi-output op", "diamond", "empty tensor",
    "a state is an output", "random_bernoulli", "scatter_add", "take", "sum", "cast", "less",
    "concatenate", "matmul", "top_k", "softmax_cross_entropy", "where", "slice", "clip", "cumsum",
    *(f"dtype {d}" for d in ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")),
]  # fmt: skip


def test_everything_worth_drawing_is_drawn():
    found: set[str] = set()
    for rng in seeds(250, seed=1):
        found |= features(draw_graph(rng))
    assert set(WANTED) <= found


@QUICK
@given(graphs(most=15))
def test_graphs_under_hypothesis(graph):
    verify(graph)
    interpret(graph, feed(graph, np.random.default_rng(0)))


def test_graphs_shrink():
    def has_product(graph):
        return any(n.op.name == "matmul" for n in graph.nodes)

    smallest = find(graphs(), has_product, settings=THOROUGH)
    assert len(smallest.nodes) <= 6
    assert len(smallest.outputs) == 1
    assert not smallest.updates


@pytest.mark.parametrize(
    ("strategy", "shown"),
    [
        (graphs(most=8), ["graph core", "input %0", "output 'y0'"]),
        (layers(Dense), ["LayerCase(Dense", "'units': 2", "f32[batch, "]),
        (op_calls("matmul"), ["OpCall(matmul(", "= matmul(%0, %1)", "x1 = float32 ["]),
    ],
)
def test_hypothesis_shows_all_of_a_failing_example(strategy, shown):
    @QUICK
    @given(strategy)
    def fails(example):
        raise LookupError

    with pytest.raises(LookupError) as caught:
        fails()
    told = "\n".join(caught.value.__notes__)
    assert all(part in told for part in shown), told


def test_ops_that_are_not_there_are_none_to_draw():
    with pytest.raises(ParseError, match="did you mean 'matmul'"):
        draw_op_call(np.random.default_rng(0), "matmull")


def test_planted_patterns_are_found():
    chosen = [r for r in PLANTS if r.name == "div-negatives"]

    def has_pattern(graph):
        return any(chosen[0].match(n) for n in graph.nodes if n.op.name == "divide")

    assert sum(has_pattern(draw_graph(rng, patterns=chosen)) for rng in seeds(20)) > 10
    smallest = find(graphs(patterns=chosen, tame=False), has_pattern, settings=THOROUGH)
    assert sorted(n.op.name for n in smallest.nodes)[0] == "divide"
    assert len(smallest.nodes) <= 4


def test_every_op_is_called():
    with_samples = {name for name, op in OPS.items() if list(op.samples())}
    for name in with_samples:
        for rng in seeds(3):
            call = draw_op_call(rng, name)
            assert call.op.name == name
            interpret(call.graph, list(call.arrays))


@QUICK
@given(op_calls())
def test_op_calls_under_hypothesis(call):
    outputs, _ = interpret(call.graph, list(call.arrays))
    assert len(outputs) == len(call.graph.outputs)


def test_layers_are_drawn_with_inputs_that_fit():
    for rng in seeds(30):
        case = draw_layer(rng)
        assert [parse_type(t) for t in case.inputs] == list(case.types)
        assert type(case.layer).__name__ in repr(case)


def test_models_have_what_breaks_compilers():
    found: set[str] = set()
    for rng in seeds(80):
        model = draw_model(rng)
        found |= {type(layer).__name__ for layer in model.layers}
        found |= {"two heads"} if len(model.outputs) > 1 else set()
        found |= {"two inputs"} if len(model.inputs) > 1 else set()
        found |= {"shared"} if any(len(x.inbound_nodes) > 1 for x in model.layers) else set()
        assert model.graph.stage is Stage.LAYERS
    wanted = {"two heads", "two inputs", "shared", "Add", "Concatenate", "Embedding", "Dropout"}
    assert wanted <= found
    assert found & {"Model", "Functional"}


@settings(QUICK, max_examples=10)
@given(models(most=4))
def test_models_under_hypothesis(model):
    assert isinstance(model, Model)
    xs = feed(model.graph, np.random.default_rng(0), batch=2)
    assert model.predict(xs if len(xs) > 1 else xs[0]) is not None
