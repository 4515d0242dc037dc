"""Max and average pooling against JAX, ties included; sizes that are not known; float16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_oracle import check_agree, gradients, run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, Graph, input_node
from kgraph.ir.parser import parse
from kgraph.ir.printer import to_text
from kgraph.ir.serialize import dumps, loads
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

RNG = np.random.default_rng(0)
# Shape, size, strides, padding: gaps, overlaps, padding on both sides, 1 to 3 axes.
CASES = [
    ((2, 7, 3), (2,), (2,), "VALID"),
    ((2, 7, 1), (3,), (2,), "SAME"),
    ((2, 8, 2), (2,), (3,), "VALID"),
    ((2, 6, 6, 2), (2, 2), (2, 2), "VALID"),
    ((2, 7, 5, 3), (2, 2), (2, 2), "SAME"),
    ((2, 7, 5, 3), (3, 3), (1, 1), "SAME"),
    ((1, 6, 9, 2), (3, 2), (2, 3), "VALID"),
    ((1, 4, 4, 2), (4, 4), (4, 4), "VALID"),
    ((1, 3, 2, 2), (4, 5), (1, 1), "SAME"),
    ((2, 4, 5, 3, 2), (2, 3, 2), (2, 1, 1), "SAME"),
]
IDS = [f"{len(k)}d-{k}-{s}-{p}".replace(" ", "") for _, k, s, p in CASES]


def jax_max(x, size, strides, padding):
    window = (1, *size, 1), (1, *strides, 1), padding
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, *window)


def jax_sum(x, size, strides, padding):
    window = (1, *size, 1), (1, *strides, 1), padding
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, *window)


def jax_average(x, size, strides, padding):
    window = size, strides, padding
    return jax_sum(x, *window) / jax_sum(jnp.ones_like(x), *window)


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), CASES, ids=IDS)
def test_max_is_jax_s_with_ties(shape, size, strides, padding):
    for x in (RNG.normal(size=shape), RNG.integers(0, 3, shape).astype("float64")):
        check_agree(
            lambda x: ops.max_pool(x, size, strides, padding.lower()),
            lambda x: jax_max(x, size, strides, padding),
            x,
        )


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), CASES, ids=IDS)
def test_average_is_jax_s(shape, size, strides, padding):
    check_agree(
        lambda x: ops.average_pool(x, size, strides, padding.lower()),
        lambda x: jax_average(x, size, strides, padding),
        RNG.normal(size=shape),
    )


@pytest.mark.parametrize(
    ("size", "strides", "padding"),
    [((2, 2), (2, 2), "VALID"), ((3, 2), (1, 1), "SAME"), ((2, 3), (2, 2), "SAME")],
)
def test_second_derivatives_are_jax_s(size, strides, padding):
    x = RNG.normal(size=(1, 5, 4, 2))

    def mine(x):
        where = size, strides, padding.lower()
        y = ops.max_pool(x, *where) ** 2 + ops.average_pool(x, *where) ** 3
        return grad(y, [x])[0] ** 2

    def theirs(x):
        def total(x):
            y = jax_max(x, size, strides, padding) ** 2
            return jnp.sum(y + jax_average(x, size, strides, padding) ** 3)

        return jax.grad(total)(x) ** 2

    check_agree(mine, theirs, x)


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), CASES[:3], ids=IDS[:3])
def test_sum_is_jax_s(shape, size, strides, padding):
    check_agree(
        lambda x: ops.sum_pool(x, size, strides, padding.lower()),
        lambda x: jax_sum(x, size, strides, padding),
        RNG.normal(size=shape),
    )


def test_third_derivatives_come_back_to_the_second():
    x = RNG.normal(size=(1, 4, 6, 2))
    g = RNG.normal(size=(1, 2, 3, 2))
    y = ops.max_pool(x, 2)
    spread = ops.max_pool_grad(g, y, x, 2)
    np.testing.assert_array_equal(ops.max_pool_select(spread, y, x, 2), g)
    np.testing.assert_array_equal(ops.max_pool_select(x, y, x, 2), y)
    nodes = [input_node(a.shape, "float64") for a in (x, y, x)]
    picked = ops.max_pool_select(*nodes, 2)
    slopes = grad(picked * g, nodes)
    assert slopes[1:] == [None, None]
    found = interpret(Graph(tuple(nodes), (("s", slopes[0]),)), [x, y, x])[0][0]
    np.testing.assert_array_equal(found, spread)


def test_published_values():
    x = np.arange(4.0).reshape(1, 4, 1)
    assert run(ops.average_pool, x, pool_size=3, strides=2, padding="same").ravel().tolist() == [
        1,
        2.5,
    ]
    assert run(ops.max_pool, -x, pool_size=3, strides=2, padding="same").ravel().tolist() == [0, -2]


def test_the_first_of_equal_elements_gets_the_gradient():
    x = np.zeros((1, 2, 4, 1))
    (slope,) = gradients(lambda x: ops.max_pool(x, 2), x)
    assert np.flatnonzero(slope).tolist() == [0, 2]
    x[0, 1, 0] = x[0, 0, 1] = 1  # row-major: (0, 1) comes before (1, 0)
    (slope,) = gradients(lambda x: ops.max_pool(x, 2), x)
    assert np.flatnonzero(slope).tolist() == [1, 2]


@pytest.mark.parametrize("pool", [ops.max_pool, ops.average_pool])
@pytest.mark.parametrize(
    ("size", "strides", "padding"),
    [(2, 2, "same"), (3, 1, "valid"), (2, 3, "same"), (3, 2, "valid")],
)
def test_sizes_may_be_unknown(pool, size, strides, padding):
    batch, height, width = (Dim.symbol(name) for name in ("batch", "h", "w"))
    x = input_node((batch, height, width, 2), name="x")
    y = pool(x, size, strides, padding)
    graph = Graph((x,), (("y", y), ("g", grad(y * y, [x])[0])))
    for again in (graph, loads(dumps(graph)), parse(to_text(graph))):
        assert dumps(again, labels=False) == dumps(graph, labels=False)
    executable = compile(graph)
    for shape in ((2, 5, 7, 2), (1, 4, 4, 2), (0, 6, 3, 2), (3, 5, 7, 2)):
        fed = RNG.normal(size=shape).astype("float32")
        known = input_node(shape, name="x")
        exact = pool(known, size, strides, padding)
        plain = Graph((known,), (("y", exact), ("g", grad(exact * exact, [known])[0])))
        expected = interpret(plain, [fed])[0]
        for found in (executable(fed), interpret(graph, [fed])[0]):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, 1e-6, 1e-6)


def test_means_of_float16_are_taken_in_float32():
    x = np.full((1, 64, 1), 60000, "float16")
    assert run(ops.average_pool, x, pool_size=64).tolist() == [[[60000]]]
    x = RNG.normal(size=(2, 9, 3)).astype("float16")
    y, slope = run(ops.max_pool, x, pool_size=2), gradients(lambda x: ops.max_pool(x, 2), x)[0]
    assert (y.dtype, slope.dtype, ops.average_pool(x, 3).dtype) == ("float16",) * 3
    assert slope.astype("float64").any(1).all()


def test_infinities_and_nan():
    x = np.array([-np.inf, -np.inf, 1, np.nan, 2, np.inf], "float32").reshape(1, 6, 1)
    found = run(ops.max_pool, x, pool_size=2).ravel()
    np.testing.assert_array_equal(found, [-np.inf, np.nan, np.inf])
    g = np.array([1, 0, np.inf], "float32").reshape(1, 3, 1)
    slope = ops.max_pool_grad(g, found.reshape(1, 3, 1), x, 2).ravel()
    np.testing.assert_array_equal(slope, [1, 0, 0, 0, 0, np.inf])


def test_integers():
    x = np.arange(6).reshape(1, 6, 1)
    assert ops.max_pool(x, 3, padding="same").ravel().tolist() == [2, 5]
    assert ops.average_pool(x, 2).dtype == "float32"


def test_errors():
    for pool in (ops.max_pool, ops.average_pool):
        with pytest.raises(InferenceError, match="Computed output size would be zero or negative"):
            pool(np.ones((1, 3, 1)), 4)
        with pytest.raises(InferenceError, match="takes a tensor of a batch, spatial axes and"):
            pool(np.ones((3, 1)), 2)
        with pytest.raises(ValueError, match="`pool_size` argument must be a tuple of 2 integers"):
            pool(np.ones((1, 3, 3, 1)), (2, 2, 2))
        with pytest.raises(ValueError, match="`strides` argument must be a tuple of 1 integers"):
            pool(np.ones((1, 3, 1)), 2, 0)
        with pytest.raises(ValueError, match="`padding` argument must be one of"):
            pool(np.ones((1, 3, 1)), 2, padding="full")
    with pytest.raises(InferenceError, match="does not take bool"):
        ops.max_pool(np.ones((1, 2, 1), bool), 2)
    with pytest.raises(InferenceError, match="needs floats of shape"):
        ops.average_pool_grad(np.ones((1, 3, 1)), (1, 4, 1), 2)
    with pytest.raises(InferenceError, match="needs floats: "):
        ops.max_pool_grad(np.ones((1, 3, 1)), np.ones((1, 2, 1)), np.ones((1, 4, 1)), 2)


def test_plans_allocate_nothing_of_the_size_of_tensors(measure_allocations):
    x = input_node((Dim.symbol("batch"), 28, 28, 16), name="x")
    y = ops.average_pool(ops.max_pool(ops.max_pool(x, 2), 3, 2, "same"), 2)
    plan = compile(Graph((x,), (("g", grad(y * y, [x])[0]),))).bind({"batch": 64})
    plan.inputs[0][...] = RNG.normal(size=(64, 28, 28, 16))
    borrowed, kept = measure_allocations(plan.run, 5)
    # Three buffers of NumPy's iterators; the largest tensors take 3 MB, the smallest 200 kB.
    assert borrowed < 120_000
    # Python's free lists of argument tuples: the same after 5 and 50 runs.
    assert kept < 10_000
