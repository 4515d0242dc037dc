"""One row a rule: where it fires, into what, and where it must not; and the checks on such rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, Node, input_node
from kgraph.passes.fold import FOLD
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.rewrite import Rewrite
from kgraph.testing.rule_check import check_rule
from kgraph.testing.specials import special_values

BATCH = Dim.symbol("batch")
SHAPES = ((), (1,), (0, 3), (BATCH, 3))
KINDS = {
    "f": ("float32", "float64"),
    "i": ("int32", "int64", "uint8"),
    "s": ("float32", "float64", "int32", "uint8"),
    "j": ("float32", "float64", "int32", "int64"),
    "a": ("float32", "float64", "int32", "int64", "uint8", "bool"),
    "d": ("int32", "uint8", "bool"),
    "c": ("bool",),
}
SMALL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-3, -1e-3)
MODERATE = (*SMALL, 17.0, -17.0, 60.0, -60.0)


@dataclass(frozen=True)
class Case:
    """What one rule does.

    Args:
        rule: its name.
        inputs: a letter of `KINDS` an input; equal letters get equal dtypes.
        before: builds the expression that the rule matches.
        after: builds exactly what must come out.
        keeps: expressions just beside the pattern, which must stay as they are.
        shapes: shapes of all inputs, or one tuple of shapes for each input.
        fires: how many firings there must be.
        smooth: whether gradients are compared as well.
        numerics: the level at which the rule is admitted.
        grid: values on which a rule that is not exact is compared.
        nans: whether NaNs must stay where they were.
    """

    rule: str
    inputs: str
    before: Callable[..., Node]
    after: Callable[..., Node]
    keeps: tuple[Callable[..., Node], ...] = ()
    shapes: Sequence = SHAPES
    fires: int = 1
    smooth: bool = True
    numerics: str = "safe"
    grid: tuple[float, ...] = MODERATE
    nans: bool = True

    def __str__(self) -> str:
        return self.rule

    def variants(self):
        """Tuples of inputs: every dtype with every shape."""
        letters = sorted(set(self.inputs))
        for dtypes in itertools.product(*(KINDS[letter] for letter in letters)):
            chosen = dict(zip(letters, dtypes))
            for shape in self.shapes:
                yield make_inputs([chosen[letter] for letter in self.inputs], shape)


def make_inputs(dtypes, shape):
    """One input a dtype; `shape` is for all of them, or one for each."""
    each = shape if shape and isinstance(shape[0], tuple) else (shape,) * len(dtypes)
    return tuple(input_node(s, d, f"x{i}") for i, (s, d) in enumerate(zip(each, dtypes)))


def graph_of(inputs, node):
    """The graph of one output."""
    return Graph(tuple(inputs), (("y", node),))


def only(rule, numerics="safe"):
    """A pass of one rule."""
    return Rewrite((rule,), numerics=numerics)


def check_fires(case, rule):
    """The rule turns the row's left side into exactly its right side, once and for all."""
    step = only(rule, case.numerics)
    for inputs in case.variants():
        graph = graph_of(inputs, case.before(*inputs))
        with keeping(Journal()) as journal:
            result = step.run(graph)
        assert result.outputs[0][1] is case.after(*inputs), inputs
        assert journal.counts() == {case.rule: case.fires}
        assert step.run(result) is result


def check_keeps(case, rule):
    """The rule leaves the row's near misses as they are."""
    step = only(rule, case.numerics)
    for inputs in case.variants():
        for keep in case.keeps:
            graph = graph_of(inputs, keep(*inputs))
            assert step.run(graph) is graph


def same_bits(left, right):
    """Equal dtype, shape and bits, whatever the payload of a NaN."""
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    if left.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(left), np.isnan(right))
        left, right = (np.where(np.isnan(a), 0, a) for a in (left, right))
        np.testing.assert_array_equal(np.signbit(left), np.signbit(right))
    np.testing.assert_array_equal(left, right)


def check_meaning(case, rule):
    """The rule keeps what its kind promises, on the row's expressions and on drawn ones."""
    examples = [graph_of(inputs, case.before(*inputs)) for inputs in case.variants()]
    check_rule(
        rule,
        examples,
        instances=8,
        grid=case.grid,
        gradients=case.smooth,
        nans=case.nans,
        beside=(FOLD,),
    )


def count(graph, name):
    """How many nodes of an op a graph has."""
    return sum(n.op.name == name for n in graph.nodes)


def ops_below(*roots):
    """Op names below some nodes, sorted."""
    return sorted(
        n.op.name for n in Graph((), tuple((str(i), r) for i, r in enumerate(roots))).nodes
    )


__all__ = [
    "BATCH", "SHAPES", "Case", "check_meaning", "count", "graph_of", "make_inputs", "only",
    "ops", "ops_below", "same_bits", "special_values",
]  # fmt: skip
