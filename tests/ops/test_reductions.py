"""Reductions, logsumexp, cumsum and ops about order, against NumPy, SciPy and JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kgraph import ops
from kgraph.errors import GradientError, InferenceError
from kgraph.ir import OPS, Dim, Graph, TensorType, const, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, database=None)
SHAPE = (2, 3, 4)
# Few different numbers, so that ties and zeros are common.
NUMBERS = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
ARRAYS = hnp.arrays("float64", SHAPE, elements=NUMBERS)
AXES = st.sampled_from([None, 0, 1, -1, (0, 1), (0, 2), (1, 2), (0, 1, 2), ()])


def weights(shape):
    """Numbers that make every element of a cotangent count differently."""
    return np.cos(np.arange(int(np.prod(shape)))).reshape(shape)


def ours(function, *arrays):
    """The value of a function of nodes, and its weighted gradients."""
    inputs = tuple(input_node(a.shape, a.dtype.name, f"x{i}") for i, a in enumerate(arrays))
    value = function(*inputs)
    slopes = grad([value], inputs, [const(weights(value.shape))])
    graph = Graph(inputs, tuple((str(i), n) for i, n in enumerate((value, *slopes))))
    return interpret(graph, arrays)[0]


def theirs(function, *arrays):
    """The same by JAX."""
    with jax.enable_x64(True):
        value, pull = jax.vjp(function, *arrays)
        return value, *pull(jnp.asarray(weights(value.shape)))


def check_agree(mine, other, tolerance=1e-12):
    """Equal up to rounding."""
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("axis", "keepdims"), [(None, False), (1, True), ((0, 2), False)])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "var"])
def test_gradients_are_jaxs(name, axis, keepdims):
    """Ties share the gradient of an extreme, zeros take theirs of a product."""
    other = jax.jit(lambda x: getattr(jnp, name)(x, axis=axis, keepdims=keepdims))

    @settings(SETTINGS, max_examples=15)
    @given(ARRAYS)
    def check(x):
        check_agree(ours(lambda v: getattr(ops, name)(v, axis, keepdims), x), theirs(other, x))

    check()


@SETTINGS
@given(ARRAYS, AXES, st.booleans())
def test_values_are_numpys(x, axis, keepdims):
    for name in ("sum", "mean", "prod", "max", "min", "any", "all", "var", "std"):
        mine = getattr(ops, name)(x, axis, keepdims)
        other = getattr(np, name)(x, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(mine, other, rtol=1e-13, atol=1e-13)


@settings(SETTINGS, max_examples=100)
@given(st.data())
def test_specialized_sums(data):
    """The products with ones sum what NumPy sums, whatever the axes and the layout."""
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    axis = data.draw(st.sets(st.integers(0, len(shape) - 1)).map(lambda s: tuple(sorted(s))))
    keepdims = data.draw(st.booleans())
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    for name in ("sum", "mean"):
        node = getattr(ops, name)(input_node(shape), axis, keepdims)
        call = OPS[name].specialize([TensorType(shape, "float32")], [node.type], node.attrs)
        for layout in (x, np.asfortranarray(x)):
            out = np.full(node.shape, 7, "float32")
            with np.errstate(all="ignore"):
                call(layout, out)
                expected = OPS[name].kernel(x, **node.attrs)
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_long_rows_keep_their_accuracy():
    x = np.random.default_rng(1).random((3, 200_000)).astype("float32")
    node = ops.sum(input_node(x.shape), axis=1)
    out = np.empty(3, "float32")
    OPS["sum"].specialize([TensorType(x.shape, "float32")], [node.type], node.attrs)(x, out)
    np.testing.assert_allclose(out, x.astype("float64").sum(1), rtol=5e-7)


def test_dtypes():
    assert ops.sum(np.ones(3, bool)).dtype == np.int32
    assert ops.sum(np.full(3, 200, "uint8")) == 600
    assert ops.prod(np.full(3, 20, "uint8")) == 8000
    assert ops.cumsum(np.ones(3, bool)).dtype == np.int32
    assert ops.sum(np.ones(3, "int64")).dtype == np.int64
    assert ops.mean(np.arange(4)).dtype == np.float32
    assert ops.max(np.ones(3, "uint8")).dtype == np.uint8
    assert ops.any(np.zeros(3)).dtype == bool
    assert ops.argmax(np.ones(3)).dtype == np.int64


@pytest.mark.parametrize(
    ("shape", "axis", "number"), [((10_000,), None, 10), ((70_000, 2), 0, 0.5)]
)
def test_a_mean_of_float16_has_no_sum_that_overflows(shape, axis, number):
    """Neither the sum nor the number of elements need be a float16, as in NumPy and JAX."""
    values, batch = np.full(shape, number, "float16"), Dim.symbol("batch")
    for rows in (shape[0], batch):
        x = input_node((rows, *shape[1:]), "float16", "x")
        mean = ops.mean(x, axis)
        (slope,) = grad(ops.sum(mean), [x])
        graph = Graph((x,), (("mean", mean), ("slope", slope)))
        expected = np.full(shape, np.float16(1 / shape[0]))
        for found in (interpret(graph, [values])[0], compile(graph)(values)):
            np.testing.assert_array_equal(found[0], values.mean(axis))
            np.testing.assert_array_equal(found[1], expected)


def test_refusals():
    x = input_node((2, 0), name="x")
    with pytest.raises(InferenceError, match="max: no elements to choose from"):
        ops.max(x, axis=1)
    with pytest.raises(InferenceError, match="argmin: no elements"):
        ops.argmin(x)
    with pytest.raises(InferenceError, match="sum: axis 2 is out of bounds for 2 axes"):
        ops.sum(x, axis=2)
    with pytest.raises(InferenceError, match="names an axis twice"):
        ops.sum(x, axis=(1, -1))
    with pytest.raises(InferenceError, match="axis must be an int"):
        ops.sum(x, axis=1.5)
    with pytest.raises(InferenceError, match="top_k: cannot choose k=3"):
        ops.top_k(input_node((4, 2)), 3)


def test_axes_have_one_spelling():
    x = input_node((2, 3), name="x")
    assert ops.sum(x) is ops.sum(x, axis=(-1, 0)) is ops.sum(x, [0, 1])
    assert ops.max(x, -1) is ops.max(x, axis=1, keepdims=0)


def test_symbolic_mean_divides_by_the_size_of_the_run():
    x = input_node((Dim.symbol("batch"), 2), "float64", "x")
    (slope,) = grad(ops.mean(x), [x])
    graph = Graph((x,), (("slope", slope),))
    for n in (1, 5):
        found = interpret(graph, [np.ones((n, 2))])[0][0]
        np.testing.assert_allclose(found, np.full((n, 2), 0.5 / n))


def test_product_with_zeros():
    x = np.array([[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0]])
    slope = ours(lambda v: ops.sum(ops.prod(v, 1)), x)[1]
    np.testing.assert_array_equal(slope, [[12, 8, 6], [0, 8, 0], [0, 0, 0]])


@SETTINGS
@given(
    hnp.arrays("float64", (3, 4), elements=st.one_of(NUMBERS, st.sampled_from([-np.inf, 800.0])))
)
def test_logsumexp(x):
    value, slope = ours(lambda v: ops.logsumexp(v, axis=-1), x)
    np.testing.assert_allclose(value, scipy.special.logsumexp(x, axis=-1), rtol=1e-14)
    live = ~np.isinf(value)
    share = scipy.special.softmax(x[live], axis=-1) * weights((3,))[live, None]
    np.testing.assert_allclose(slope[live], share, rtol=1e-12, atol=1e-15)
    assert not slope[~live].any()


def test_logsumexp_at_infinity():
    x = np.array([[np.inf, 0.0], [np.nan, 1.0], [-np.inf, -np.inf]], "float32")
    np.testing.assert_array_equal(ops.logsumexp(x, axis=1), [np.inf, np.nan, -np.inf])
    np.testing.assert_allclose(ops.logsumexp([1e38, 1e38]), 1e38)
    np.testing.assert_allclose(ops.logsumexp(np.zeros((2, 2)), keepdims=True), [[np.log(4)]])


def test_logsumexp_of_an_empty_batch():
    """As log(sum(exp(x))) has a value there, the form that replaces it must have one."""
    x = input_node((Dim.symbol("batch"), 2), name="x")
    run = compile(Graph((x,), (("y", ops.log(ops.sum(ops.exp(x), axis=0))),)))
    assert any(n.op is ops.logsumexp for n in run.graph.nodes)
    assert run(np.zeros((0, 2)))[0].tolist() == [-np.inf, -np.inf]


@SETTINGS
@given(ARRAYS, st.sampled_from([None, 0, -1]))
def test_cumsum(x, axis):
    value, slope = ours(lambda v: ops.cumsum(v, axis), x)
    np.testing.assert_allclose(value, np.cumsum(x, axis), atol=1e-14)
    w = weights(value.shape)
    tail = np.flip(np.cumsum(np.flip(w, axis or 0), axis or 0), axis or 0)
    np.testing.assert_allclose(slope, tail.reshape(SHAPE), atol=1e-13)


@SETTINGS
@given(ARRAYS, st.sampled_from([None, 0, 1, -1]))
def test_order(x, axis):
    for name in ("argmax", "argmin", "sort"):
        mine, other = getattr(ops, name)(x, axis), getattr(np, name)(x, axis)
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(ops.argsort(x, axis), np.argsort(x, axis, kind="stable"))


@settings(SETTINGS, max_examples=20)
@given(ARRAYS)
def test_sort_and_top_k_are_jaxs(x):
    check_agree(ours(lambda v: ops.sort(v, 1), x), theirs(lambda v: jnp.sort(v, 1), x))
    check_agree(ours(lambda v: ops.top_k(v, 2)[0], x), theirs(lambda v: jax.lax.top_k(v, 2)[0], x))
    np.testing.assert_array_equal(ops.top_k(x, 3)[1], np.asarray(jax.lax.top_k(x, 3)[1]))


def test_nan_sorts_last():
    x = np.array([np.nan, 1.0, np.inf, -1.0], "float32")
    np.testing.assert_array_equal(ops.sort(x), [-1, 1, np.inf, np.nan])
    values, places = ops.top_k(x, 2)
    np.testing.assert_array_equal(values, [np.nan, np.inf])
    np.testing.assert_array_equal(places, [0, 2])


def test_top_k_of_a_symbolic_size():
    x = input_node((2, Dim.symbol("n")), name="x")
    values, _ = ops.top_k(x, 2)
    assert values.shape == (2, 2)
    with pytest.raises(ValueError, match="top_k: cannot choose 2 of 1"):
        interpret(Graph((x,), (("y", values),)), [np.zeros((2, 1), "float32")])
    with pytest.raises(GradientError, match="last size is a number"):
        grad(values, [x])
