"""Constant folding: the op's own kernel, within limits, and never where the run would fail."""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH, graph_of, same_bits

from kgraph import ops
from kgraph.ir import Graph, Variable, const, const_value, input_node, is_const, size
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import build
from kgraph.ir.op import OPS, Sample
from kgraph.passes import Fold
from kgraph.passes.fold import MAX_BYTES, MAX_FLOPS
from kgraph.passes.journal import Journal, keeping
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret


def fold(node):
    """The node after folding."""
    return Fold().run(graph_of((), node)).outputs[0][1]


def reasons(node):
    """Why nothing was folded."""
    with keeping(Journal()) as journal:
        assert fold(node) is node
    return [reason for _, reason in journal.missed]


def test_chain_becomes_one_constant():
    chain = const(2.0)
    for _ in range(50):
        chain = ops.tanh(chain) * 1.5
    folded = fold(chain)
    assert is_const(folded)
    (expected,), _ = interpret(graph_of((), chain), [])
    same_bits(const_value(folded), expected)


def test_part_that_depends_on_inputs_stays():
    x = input_node((BATCH, 3), name="x")
    result = Fold().run(graph_of((x,), x * ops.exp(const(1.0)))).outputs[0][1]
    assert result is x * const(np.exp(np.float32(1.0)))


def test_variables_are_no_constants():
    weight = Variable([1.0, 2.0], "w", trainable=False)
    graph = Graph((), (("y", ops.exp(weight)),))
    assert Fold().run(graph) is graph


@pytest.mark.parametrize("name", sorted(OPS))
def test_every_op_folds_to_what_it_computes(name):
    op, rng = OPS[name], np.random.default_rng(3)
    for sample in op.samples():
        if not isinstance(sample, Sample):
            continue
        arrays = [value(rng) if callable(value) else value for value in sample.inputs]
        node = build(op, tuple(const(a) for a in arrays), dict(sample.attrs))
        if len(node.types) > 1 or not arrays:
            continue
        folded = fold(node)
        if is_const(folded):
            (expected,), _ = interpret(graph_of((), node), [])
            same_bits(const_value(folded), expected)


def test_one_output_of_several():
    values, places = ops.top_k(const([3.0, 1.0, 2.0]), 2)
    assert const_value(fold(values)).tolist() == [3, 2]
    assert const_value(fold(places)).tolist() == [0, 2]


def test_size_limit():
    at_limit = const(np.ones(MAX_BYTES // 4, "float32"))
    assert is_const(fold(-at_limit))
    beyond = const(np.ones(MAX_BYTES // 4 + 1, "float32"))
    wide = ops.cast(beyond, "float64")
    assert reasons(wide) == [f"the constant would take more than {MAX_BYTES} bytes"]


def test_large_result_that_frees_as_much_is_folded():
    beyond = const(np.ones(MAX_BYTES // 4 + 1, "float32"))
    assert is_const(fold(-beyond))


def test_work_limit():
    side = int((MAX_FLOPS / 2) ** (1 / 3)) + 1
    big = const(np.ones((side, side), "float32"))
    assert reasons(ops.sum(ops.matmul(big, big))[None]) == [
        f"computing it takes more than {MAX_FLOPS} operations"
    ]


def test_stretched_constant_stays_stretched():
    assert not reasons(ops.broadcast_to(const(1.0), (100, 100)))


@pytest.mark.parametrize("divide", [lambda n: n // 0, lambda n: n % 0])
def test_integer_division_by_zero_is_left_to_the_run(divide):
    (reason,) = reasons(divide(const([1, 2])))
    assert "FloatingPointError" in reason


def test_float_division_by_zero_is_an_infinity():
    assert const_value(fold(const(1.0) / 0)) == np.inf


def test_kernel_that_raises_is_left_to_the_run():
    (reason,) = reasons(ops.take(const([1.0, 2.0]), const([5]), axis=0))
    assert "IndexError" in reason


def test_symbolic_results_stay():
    assert not reasons(ops.broadcast_to(const(1.0), (BATCH,)))
    assert not reasons(ops.pad(const([1.0]), ((BATCH, 0),)))
    assert not reasons(size(BATCH) * 2)


def test_random_ops_stay():
    assert not reasons(OPS["random_uniform"](const(np.int64(0)), (3,), seed=1, site=2))


@pytest.mark.parametrize("name", [n for n in OPS if n.startswith("random_")])
def test_every_run_draws_anew(name):
    draw = OPS[name](build(RNG_STEP), (4, 3), seed=1, site=2)
    run = compile(Graph((), (("y", draw * 1.0),)))
    first, second = run()[0], run()[0]
    assert (first != second).any()
