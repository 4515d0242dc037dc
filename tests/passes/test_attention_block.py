"""An attention block of raw ops: four transposes, and one copy, that of the joined heads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rule_checks import BATCH, count

from kgraph import ops
from kgraph.ir import Graph, Stage, Variable, input_node
from kgraph.layers import Input, MultiHeadAttention
from kgraph.passes import optimize
from kgraph.passes.lower import lower
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.runtime.planning import make_plan

TIME, WIDTH, HEADS = 6, 8, 2
X = input_node((BATCH, TIME, WIDTH), name="x")


def weights():
    """The four square matrices of a block."""
    rng = np.random.default_rng(3)
    return [
        Variable(rng.normal(size=(WIDTH, WIDTH)).astype("float32") / 3, name)
        for name in ("wq", "wk", "wv", "wo")
    ]


def split(x, heads):
    """(batch, time, width) as (batch, heads, time, depth)."""
    apart = ops.reshape(x, (x.shape[0], TIME, heads, WIDTH // heads))
    return ops.transpose(apart, (0, 2, 1, 3))


def join(x):
    """(batch, heads, time, depth) as (batch, time, width)."""
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (x.shape[0], TIME, WIDTH))


def single_head(wq, wk, wv, wo):
    """softmax(q @ k.T / sqrt(d)) @ v @ wo."""
    q, k, v = X @ wq, X @ wk, X @ wv
    scores = q @ ops.swapaxes(k, -1, -2) / math.sqrt(WIDTH)
    return ops.softmax(scores) @ v @ wo


def multi_head(wq, wk, wv, wo):
    """The same in heads; queries are scaled and scores masked, as libraries do."""
    q, k, v = (split(X @ w, HEADS) for w in (wq, wk, wv))
    scores = (q / math.sqrt(WIDTH // HEADS)) @ ops.swapaxes(k, -1, -2)
    masked = ops.where(np.tril(np.ones((TIME, TIME), bool)), scores, -1e9)
    return join(ops.softmax(masked) @ v) @ wo


def split_wastefully(x, heads):
    """The same as `split` by way of transposes that undo each other around elementwise ops."""
    there = ops.transpose(ops.reshape(x, (x.shape[0], TIME, heads, WIDTH // heads)), (0, 2, 3, 1))
    return ops.swapaxes(there * 2 + 1, -1, -2)


def wasteful(wq, wk, wv, wo):
    """Ten transposes as written."""
    q, k, v = (split_wastefully(X @ w, HEADS) for w in (wq, wk, wv))
    scores = ops.swapaxes(k @ ops.swapaxes(q, -1, -2), -1, -2)
    return join(ops.softmax(scores) @ v) @ wo


BLOCKS = (single_head, multi_head, wasteful)


def graph_of_block(block):
    """The block's forward graph."""
    return Graph((X,), (("y", block(*weights())),))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_at_most_four_transposes(block):
    graph = graph_of_block(block)
    better, _ = optimize(graph)
    assert count(better, "transpose") <= 4
    assert count(better, "matmul") <= count(graph, "matmul")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_one_of_them_copies(block):
    better, _ = optimize(graph_of_block(block))
    steps = [s.op.name for s in make_plan(better, {"batch": 3}).steps]
    moving = [n for n in steps if n in ("reshape", "transpose", "copy", "expand_dims", "slice")]
    assert moving == ([] if block is single_head else ["reshape"])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_values_are_those_of_the_plain_graph(block, batch):
    graph = graph_of_block(block)
    x = np.random.default_rng(1).normal(size=(batch, TIME, WIDTH)).astype("float32")
    (expected,), _ = interpret(graph, [x])
    np.testing.assert_allclose(compile(graph)(x)[0], expected, rtol=2e-5, atol=2e-5)


def test_the_layer_is_as_good_as_raw_ops():
    """One copy forwards; one more for each of queries, keys and values on the way back."""
    x = Input((TIME, WIDTH))
    layer = MultiHeadAttention(HEADS, WIDTH // HEADS)
    y = lower(Graph((x,), (("y", layer(x, x)),), stage=Stage.LAYERS))
    slopes = grad(ops.sum(ops.sin(y.outputs[0][1])), layer.trainable_weights)
    both = Graph((x,), tuple((f"g{i}", g) for i, g in enumerate(slopes)))
    for graph, products, copies in ((y, 4, 1), (both, 14, 4)):
        better, _ = optimize(graph)
        names = [s.op.name for s in make_plan(better, {"batch": 3}).steps]
        assert names.count("matmul") <= products
        assert sum(n in ("reshape", "transpose", "copy", "einsum") for n in names) <= copies


def test_heads_are_numpys():
    wq, wk, wv, wo = weights()
    x = np.random.default_rng(2).normal(size=(4, TIME, WIDTH))
    q, k, v = (
        (x @ w.numpy()).reshape(4, TIME, HEADS, -1).transpose(0, 2, 1, 3) for w in (wq, wk, wv)
    )
    scores = np.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(WIDTH // HEADS)
    scores[..., np.triu_indices(TIME, 1)[0], np.triu_indices(TIME, 1)[1]] = -np.inf
    soft = np.exp(scores - scores.max(-1, keepdims=True))
    soft /= soft.sum(-1, keepdims=True)
    expected = (soft @ v).transpose(0, 2, 1, 3).reshape(4, TIME, WIDTH) @ wo.numpy()
    graph = Graph((X,), (("y", multi_head(wq, wk, wv, wo)),))
    np.testing.assert_allclose(compile(graph)(x.astype("float32"))[0], expected, atol=1e-4)
