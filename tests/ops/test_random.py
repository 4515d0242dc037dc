"""Random ops: distributions by Kolmogorov-Smirnov tests, purity, streams and their separation."""

import numpy as np
import pytest
import scipy.stats

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import CallContext, Dim, Graph, calling, input_node
from kgraph.ops import random
from kgraph.runtime.interp import interpret

STEP = np.array(0, "int64")
BATCH = Dim.symbol("batch")
COUNT = 40_000
DRAWS = [random.uniform, random.normal, random.truncated_normal, random.bernoulli]
OPS = [
    ops.random_uniform,
    ops.random_normal,
    ops.random_truncated_normal,
    ops.random_bernoulli,
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", [0, 7])
def test_distributions(dtype, seed):
    drawn = {
        "uniform": random.uniform((COUNT,), -2, 3, dtype, seed),
        "normal": random.normal((COUNT,), 1, 2, dtype, seed),
        "truncated": random.truncated_normal((COUNT,), -1, 0.5, dtype, seed),
    }
    exact = {
        "uniform": scipy.stats.uniform(-2, 5),
        "normal": scipy.stats.norm(1, 2),
        "truncated": scipy.stats.truncnorm(-2, 2, -1, 0.5),
    }
    for name, values in drawn.items():
        assert values.dtype == dtype
        assert scipy.stats.kstest(values, exact[name].cdf).pvalue > 1e-3, name
    assert drawn["uniform"].min() >= -2
    assert np.abs(drawn["truncated"] + 1).max() <= 1 + 1e-6


@pytest.mark.parametrize("p", [0.0, 0.03, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_bernoulli(p, dtype):
    values = random.bernoulli((COUNT,), p, dtype, seed=3)
    assert values.dtype == dtype
    assert set(np.unique(values)) <= {0.0, 1.0}
    assert scipy.stats.binomtest(int(values.sum(dtype="float64")), COUNT, p).pvalue > 1e-3


@pytest.mark.parametrize("size", [1000, 8192, 200_001])
@pytest.mark.parametrize("p", [0.0, 0.25, 0.8, 0.999, 1.0])
def test_bernoulli_of_a_byte_an_element(size, p):
    """Each byte of the random bits decides alone: the counts of pairs are those of two draws."""
    step = input_node((), "int64")
    node = ops.random_bernoulli(step, (size,), p=p, dtype="bool", seed=4, site=2)
    assert [t.dtype for t in (*node.types, *node.op.scratch(**node.attrs))] == ["bool"]
    hits = ops.random_bernoulli(STEP, (size,), p=p, dtype="bool", seed=4, site=2)
    assert hits.dtype == bool
    assert scipy.stats.binomtest(int(hits.sum()), size, p).pvalue > 1e-4
    numbers = ops.random_bernoulli(STEP, (size,), p=p, seed=4, site=2)
    np.testing.assert_array_equal(numbers, hits)
    pairs = np.bincount(2 * hits[1::2][: size // 2] + hits[: size // 2 * 2 : 2], minlength=4)
    expected = np.outer([1 - p, p], [1 - p, p]).ravel() * pairs.sum()
    if expected.min() > 5:  # below, the statistic's distribution is another
        assert scipy.stats.chisquare(pairs, expected).pvalue > 1e-4


def test_bernoulli_is_exact_beyond_its_16_bits():
    hits = int(random.bernoulli((3_000_000,), 1e-5, seed=1).sum())
    assert scipy.stats.binomtest(hits, 3_000_000, 1e-5).pvalue > 1e-3
    misses = int((1 - random.bernoulli((3_000_000,), 1 - 1e-5, seed=1)).sum())
    assert scipy.stats.binomtest(misses, 3_000_000, 1e-5).pvalue > 1e-3


@pytest.mark.parametrize("op", OPS)
def test_equal_keys_give_equal_bits_and_others_do_not(op):
    def draw(step=0, seed=1, site=1):
        return op(np.array(step, "int64"), (64,), seed=seed, site=site).tobytes()

    assert draw() == draw()
    drawn = [draw(), draw(step=1), draw(step=2**40), draw(seed=2), draw(site=2), draw(-1, -1, -1)]
    assert len(set(drawn)) == len(drawn)


def test_steps_sites_and_seeds_are_uncorrelated():
    rows = [
        ops.random_uniform(np.array(step, "int64"), (4000,), seed=seed, site=site)
        for step in range(3)
        for seed in range(3)
        for site in range(3)
    ]
    off = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(off).max() < 5 / np.sqrt(4000)


def test_the_step_is_the_run_s():
    step = input_node((), "int64", "step")
    y = ops.random_normal(step, (BATCH, 3), seed=4, site=2)
    x = input_node((BATCH,))
    graph = Graph((step, x), (("y", y),))
    first, again, other = (interpret(graph, [n, np.zeros(5)])[0][0] for n in (8, 8, 9))
    assert first.shape == (5, 3)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("op", OPS)
def test_a_plan_s_kernel_goes_back_to_its_step(op):
    attrs = dict(op(input_node((), "int64"), (33,), seed=9, site=5).attrs)
    out = np.empty(33, "float32")
    work = [np.empty(t.shape, t.dtype) for t in op.scratch(**attrs)]
    call = op.specialize([], [], attrs)
    seen = []
    for step in (0, 1, 0):
        call(np.array(step, "int64"), out, *work)
        seen.append(out.copy())
        np.testing.assert_array_equal(out, op(np.array(step, "int64"), **attrs))
    np.testing.assert_array_equal(seen[0], seen[2])
    assert (seen[0] != seen[1]).any()


@pytest.mark.parametrize("draw", DRAWS)
def test_seeds_come_from_numpy_s_global_generator(draw):
    np.random.seed(5)
    first, second = draw((50,)), draw((50,))
    np.random.seed(5)
    np.testing.assert_array_equal(draw((50,)), first)
    assert (first != second).any()
    np.testing.assert_array_equal(draw((50,), seed=2), draw((50,), seed=2))


def test_calls_inside_a_layer_have_sites_of_their_own():
    context = CallContext(training=True)
    with calling(context):
        a, b = random.bernoulli((BATCH, 3), seed=1), random.bernoulli((BATCH, 3), seed=1)
    assert a is not b
    assert [n.attrs["site"] for n in (a, b)] == [1, 2]
    assert a.inputs[0].op.name == "rng_step"
    outside = [random.uniform((BATCH,), seed=1) for _ in range(2)]
    assert outside[0] is not outside[1]


def test_shapes_of_any_rank():
    assert random.normal(()).shape == ()
    assert random.truncated_normal((0, 3)).shape == (0, 3)
    assert random.uniform([2, np.int64(3)], dtype="float16").dtype == "float16"


def test_refusals():
    with pytest.raises(InferenceError, match="draws floats, not int32"):
        random.uniform((2,), dtype="int32")
    with pytest.raises(InferenceError, match="step must be an int64 scalar"):
        ops.random_uniform(np.float32(0), (2,))
