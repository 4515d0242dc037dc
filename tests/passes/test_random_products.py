"""Random graphs of products, with shared weights, shared operands and what lies between them."""

from __future__ import annotations

import numpy as np
import pytest
from product_checks import BATCH, Maker, feeds

from kgraph import ops
from kgraph.ir import Graph
from kgraph.ir.verify import verify
from kgraph.passes import DropMarkers, Finish, Pipeline, Simplify, optimize
from kgraph.passes.batch_norm import FoldBatchNorm
from kgraph.passes.contraction import Contract
from kgraph.passes.horizontal import MergeProducts
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile as compile_graph
from kgraph.runtime.interp import interpret

WIDTHS = (1, 3, 4, 40)
PASSES = (FoldBatchNorm(), Contract(), MergeProducts())


class Grower:
    """Adds one random node after the other to what is there."""

    def __init__(self, seed, dtype):
        self.rng, self.maker = np.random.default_rng(seed), Maker(dtype)
        self.values = [self.maker.input(f"x{i}", BATCH, w) for i, w in enumerate((3, 4, 40))]
        self.states = {}

    def grow(self, count):
        steps = (self.product, self.product, self.product, self.between, self.channel, self.both,
                 self.reshaped, self.total)  # fmt: skip
        for _ in range(count):
            self.rng.choice(steps)()
        # Values that nobody reads, and some that somebody does.
        read = {n for v in self.values for n in v.inputs}
        ends = [v for v in self.values if v not in read] + [self.pick(), self.pick()]
        outputs = tuple((f"y{i}", n) for i, n in enumerate(dict.fromkeys(ends)))
        return Graph(tuple(self.maker.inputs), outputs)

    def pick(self):
        return self.values[self.rng.integers(len(self.values))]

    def state(self, *shape):
        """One of a few variables of that shape, so that many values share them."""
        key = (*shape, int(self.rng.integers(2)))
        if key not in self.states:
            self.states[key] = self.maker.state(str(key), *shape, low=0.2)
        return self.states[key]

    def product(self):
        x = self.pick()
        self.values.append(x @ self.state(x.shape[-1], int(self.rng.choice(WIDTHS))))

    def between(self):
        self.values.append(self.rng.choice([ops.relu, ops.tanh, ops.negative])(self.pick()))

    def channel(self):
        x, op = self.pick(), self.rng.choice([ops.add, ops.multiply, ops.subtract, ops.divide])
        shape = [(x.shape[-1],), (1, x.shape[-1]), (1,), ()][self.rng.integers(4)]
        self.values.append(op(x, self.state(*shape)))

    def both(self):
        x = self.pick()
        partners = [v for v in self.values if v.shape == x.shape]
        other = partners[self.rng.integers(len(partners))]
        self.values.append(self.rng.choice([ops.add, ops.subtract, ops.multiply])(x, other))

    def reshaped(self):
        x = self.pick()
        self.values.append(ops.tanh(ops.reshape(x, (BATCH, 1, x.shape[-1])))[:, 0])

    def total(self):
        x = self.pick()
        self.values.append(x * ops.mean(x @ self.state(x.shape[-1], 4), axis=1, keepdims=True))


def grown(seed, dtype):
    """A graph and, for every third seed, the gradients of its outputs by inputs and variables."""
    graph = Grower(seed, dtype).grow(int(12 + seed % 13))
    if seed % 3:
        return graph
    wrt = [*graph.inputs, *graph.states]
    slopes = [
        s for s in grad([ops.sum(ops.tanh(n)) for _, n in graph.outputs], wrt) if s is not None
    ]
    return Graph(graph.inputs, tuple((f"d{i}", s) for i, s in enumerate(slopes)))


@pytest.mark.parametrize("seed", range(120))
def test_values_stay(seed):
    graph = grown(seed, "float64")
    results = [Pipeline((step,)).run(graph)[0] for step in PASSES]
    results.append(
        Pipeline((DropMarkers(), Simplify(), *PASSES, Simplify(), Finish())).run(graph)[0]
    )
    for result, step in zip(results, PASSES):
        verify(result)
        assert step.run(result) is result
    for batch in (0, 1, 4):
        arrays = feeds(graph, batch)
        expected = interpret(graph, arrays)[0]
        for result in results:
            for value, wanted in zip(interpret(result, arrays)[0], expected):
                np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-9 * _scale(wanted))


def _scale(array):
    return max(1.0, np.abs(array).max(initial=0))


@pytest.mark.parametrize("seed", range(200, 220))
def test_compiled_plans_agree(seed):
    graph = grown(seed, "float32")
    arrays = feeds(graph, 4)
    expected = interpret(grown(seed, "float64"), [a.astype("float64") for a in arrays])[0]
    for value, wanted in zip(compile_graph(optimize(graph)[0])(*arrays), expected):
        np.testing.assert_allclose(value, wanted, rtol=1e-3, atol=1e-4 * _scale(wanted))


@pytest.mark.parametrize("seed", range(300, 310))
def test_strict_changes_nothing(seed):
    graph = grown(seed, "float32")
    for step in PASSES:
        assert type(step)(numerics="strict").run(graph) is graph
