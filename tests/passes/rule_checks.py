"""One row a rule: where it fires, into what, and where it must not; and the checks on such rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, Node, input_node
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.rewrite import Rewrite
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

BATCH = Dim.symbol("batch")
SHAPES = ((), (1,), (0, 3), (BATCH, 3))
BATCHES = (0, 1, 65)
KINDS = {
    "f": ("float32", "float64"),
    "i": ("int32", "int64", "uint8"),
    "s": ("float32", "float64", "int32", "uint8"),
    "j": ("float32", "float64", "int32", "int64"),
    "a": ("float32", "float64", "int32", "int64", "uint8", "bool"),
    "d": ("int32", "uint8", "bool"),
    "c": ("bool",),
}
# Where the naive forms are at their limits: exp overflows float32 above 88.7, float64 above 709.
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-8, -1e-8, 88.7, -88.7, 710.0, -710.0)
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


def special_values(dtype):
    """The values at which rewrites go wrong."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype.startswith("float"):
        info = np.finfo(dtype)
        ends = (info.max, info.tiny, info.smallest_subnormal, info.eps, np.inf)
        values = [*EDGES, *ends, *(-e for e in ends), np.nan]
        with np.errstate(over="ignore"):
            return np.array(values).astype(dtype)
    info = np.iinfo(dtype)
    values = {0, 1, 2, 3, 7, info.min, info.max, info.max // 2 + 1, *([] if not info.min else [-1])}
    return np.array(sorted(values), dtype)


def draw(rng, node, batch, values):
    """An array for an input, filled from a grid of values; every second one is not contiguous."""
    shape = tuple(d if isinstance(d, int) else d.substitute({"batch": batch}) for d in node.shape)
    if len(shape) and batch % 2:
        return rng.choice(values, (2 * shape[0], *shape[1:]))[::2]
    return rng.choice(values, shape)


def batches_of(inputs):
    """Numbers for the batch worth trying with these inputs."""
    return BATCHES if any(BATCH in n.shape for n in inputs) else (1,)


def same_bits(left, right):
    """Equal dtype, shape and bits, whatever the payload of a NaN."""
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    if left.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(left), np.isnan(right))
        left, right = (np.where(np.isnan(a), 0, a) for a in (left, right))
        np.testing.assert_array_equal(np.signbit(left), np.signbit(right))
    np.testing.assert_array_equal(left, right)


def check_exact(inputs, before, after):
    """The two expressions agree in every bit, on the grid of special values."""
    rng = np.random.default_rng(5)
    for batch in batches_of(inputs):
        arrays = [draw(rng, n, batch, special_values(n.dtype)) for n in inputs]
        values = [interpret(graph_of(inputs, n), arrays)[0][0] for n in (before, after)]
        same_bits(*values)


def check_close(case, inputs, before, after):
    """The new form is as near to the truth as the old one or nearer.

    The truth is the old form in float64, which is better than float32; for float64 itself the two
    forms are compared where neither has any trouble.
    """
    rng = np.random.default_rng(6)
    wide = tuple(input_node(n.shape, _widened(n.dtype), n.name) for n in inputs)
    is_wide = after.dtype == "float64"
    values = SMALL if is_wide else case.grid
    for batch in batches_of(inputs):
        arrays = [
            draw(rng, n, batch, np.array(values, n.dtype) if n.type.is_float
                 else special_values(n.dtype))
            for n in inputs
        ]  # fmt: skip
        old, new = (interpret(graph_of(inputs, n), arrays)[0][0] for n in (before, after))
        (truth,), _ = interpret(graph_of(wide, case.before(*wide)), arrays)
        assert (new.dtype, new.shape) == (old.dtype, old.shape)
        finite = np.isfinite(truth)
        if not finite.any():
            continue
        with np.errstate(invalid="ignore"):
            old_error = np.abs(np.where(np.isfinite(old), old, 0) - truth)[finite].max()
            new_error = np.abs(new - truth)[finite].max()
        unit = 1e-9 if is_wide else 8 * np.finfo(new.dtype).eps
        assert new_error <= 4 * old_error + unit * max(np.abs(truth[finite]).max(), 1)


def _widened(dtype):
    return "float64" if dtype.startswith("float") else dtype


def check_gradient(case, rule):
    """Differentiating and then rewriting gives what rewriting and then differentiating gives."""
    shape = case.shapes[-1]
    letters = {k: "float64" if "float64" in KINDS[k] else KINDS[k][-1] for k in KINDS}
    inputs = make_inputs([letters[k] for k in case.inputs], shape)
    floats = [n for n in inputs if n.type.is_float]
    before = case.before(*inputs)
    if not floats or not before.type.is_float:
        return
    step = only(rule, case.numerics)
    late = step.rewrite(_gradients(before, floats))
    early = _gradients(step.rewrite([before])[0], floats)
    rng = np.random.default_rng(7)
    for batch in (1, 4):
        arrays = [_smooth(rng, n, batch) for n in inputs]
        for left, right in zip(late, early):
            values = [interpret(graph_of(inputs, n), arrays)[0][0] for n in (left, right)]
            np.testing.assert_allclose(*values, rtol=1e-9, atol=1e-9)


def _gradients(node, wrt):
    """The gradients, zeros where nothing flows back."""
    return [ops.zeros_like(x) if g is None else g for g, x in zip(grad(node, wrt), wrt)]


def _smooth(rng, node, batch):
    if not node.type.is_float:
        return draw(rng, node, batch, special_values(node.dtype)[:2])
    shape = tuple(d if isinstance(d, int) else d.substitute({"batch": batch}) for d in node.shape)
    return rng.uniform(0.3, 1.7, shape)


def count(graph, name):
    """How many nodes of an op a graph has."""
    return sum(n.op.name == name for n in graph.nodes)


def ops_below(*roots):
    """Op names below some nodes, sorted."""
    return sorted(
        n.op.name for n in Graph((), tuple((str(i), r) for i, r in enumerate(roots))).nodes
    )


__all__ = [
    "BATCH", "SHAPES", "Case", "check_close", "check_exact", "check_gradient", "count",
    "graph_of", "make_inputs", "only", "ops", "ops_below", "same_bits", "special_values",
]  # fmt: skip
