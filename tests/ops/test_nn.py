"""Activations and softmax against JAX, SciPy and Keras: values, gradients, and the extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from jax_oracle import check_agree, gradients, run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import OPS, input_node
from kgraph.ir.types import TensorType
from kgraph.ops import nn
from kgraph.ops.relu import Activation, hard_sigmoid

X = np.concatenate([np.linspace(-9.13, 9.17, 61), [-1e-9, 1e-9, 40.0, -40.0]])
EXTREME = np.array([-np.inf, -1e4, -100.0, -0.0, 0.0, 100.0, 1e4, np.inf, np.nan], "float32")
ACTIVATIONS = sorted(name for name, op in OPS.items() if isinstance(op, Activation))


def _hard_sigmoid(x):
    return jnp.clip(0.2 * x + 0.5, 0, 1)


JAX = {
    "relu": (ops.relu, jax.nn.relu),
    "relu6": (ops.relu6, jax.nn.relu6),
    "leaky_relu": (ops.leaky_relu, lambda x: jax.nn.leaky_relu(x, 0.2)),
    "leaky_relu 0": (lambda x: ops.leaky_relu(x, 0.0), jax.nn.relu),
    "leaky_relu 1.5": (lambda x: ops.leaky_relu(x, 1.5), lambda x: jax.nn.leaky_relu(x, 1.5)),
    "elu": (ops.elu, jax.nn.elu),
    "elu .5": (lambda x: ops.elu(x, alpha=0.5), lambda x: jax.nn.elu(x, 0.5)),
    "selu": (ops.selu, jax.nn.selu),
    "gelu": (lambda x: ops.gelu(x, False), lambda x: jax.nn.gelu(x, False)),
    "gelu tanh": (lambda x: ops.gelu(x, True), lambda x: jax.nn.gelu(x, True)),
    "softplus": (ops.softplus, jax.nn.softplus),
    "softsign": (ops.softsign, jax.nn.soft_sign),
    "silu": (ops.silu, jax.nn.silu),
    "mish": (ops.mish, jax.nn.mish),
    "hard_sigmoid": (hard_sigmoid, _hard_sigmoid),
}


def test_every_activation_is_compared():
    assert {name.split()[0] for name in JAX} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", JAX)
def test_values_and_gradients_are_jax_s(name):
    mine, theirs = JAX[name]
    check_agree(mine, theirs, X, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", JAX)
def test_extremes_are_jax_s(name):
    mine, theirs = JAX[name]
    expected = np.asarray(theirs(jnp.asarray(EXTREME)))
    np.testing.assert_allclose(mine(EXTREME), expected, rtol=1e-6, atol=1e-38)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_plan_s_kernel_agrees_at_the_extremes(name, dtype):
    op, x = OPS[name], EXTREME.astype(dtype)
    type_ = TensorType(x.shape, dtype)
    out = np.empty_like(x)
    work = [np.empty(t.shape, t.dtype) for t in op.scratch(type_, **op.defaults)]
    with np.errstate(all="ignore"):
        op.specialize([type_], [type_], op.defaults)(x, out, *work)
    np.testing.assert_array_equal(out, op(x))


@pytest.mark.parametrize("name", ["elu", "selu", "softplus", "silu", "mish", "softsign"])
def test_float32_keeps_its_digits(name):
    """The kernels in place of expm1 and log1p are as accurate, from 1e-30 to 80."""
    sizes = np.geomspace(1e-30, 80, 4001).astype("float32")
    x = np.concatenate([sizes, -sizes])
    wide = x.astype("float64")
    exact = {
        "elu": np.where(x > 0, wide, np.expm1(wide)),
        "selu": nn.SELU_SCALE * np.where(x > 0, wide, nn.SELU_ALPHA * np.expm1(wide)),
        "softplus": np.logaddexp(wide, 0),
        "silu": wide * scipy.special.expit(wide),
        "mish": wide * np.tanh(np.logaddexp(wide, 0)),
        "softsign": wide / (1 + np.abs(wide)),
    }[name]
    np.testing.assert_allclose(OPS[name](x), exact, rtol=6e-7, atol=1e-37)
    np.testing.assert_allclose(OPS[name](wide), exact, rtol=2e-15)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(arrays("float32", array_shapes(max_dims=3, max_side=5), elements=st.floats(width=32)))
def test_relu_and_its_gradient_are_exact(x):
    np.testing.assert_array_equal(ops.relu(x), np.maximum(x, np.float32(0)))
    g = x.ravel()[::-1].reshape(x.shape)
    np.testing.assert_array_equal(ops.relu_grad(g, x), np.where(x > 0, g, np.float32(0)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_relu_grad_keeps_infinities_out(dtype):
    g = np.array([np.inf, np.nan, 2, -np.inf, np.nan, 3], dtype)
    y = np.array([-1, 0, 1, np.nan, 1, np.inf], dtype)
    np.testing.assert_array_equal(ops.relu_grad(g, y), [0, 0, 2, 0, np.nan, 3])


def test_relu_of_integers_stays_integer():
    assert ops.relu(np.array([-2, 3], "int32")).tolist() == [0, 3]
    assert ops.relu(np.array([-2, 3], "int32")).dtype == "int32"
    assert ops.softplus(np.array([0], "int32")).dtype == "float32"


def test_constants_of_selu_keep_a_standard_normal_standard():
    x = scipy.special.ndtri((np.arange(200_000) + 0.5) / 200_000)
    y = ops.selu(x)
    assert abs(y.mean()) < 1e-4
    assert abs(y.var() - 1) < 1e-3


def test_gelu_is_x_times_the_normal_distribution_function():
    exact = X * scipy.special.ndtr(X)
    np.testing.assert_allclose(ops.gelu(X, False), exact, rtol=1e-12, atol=1e-14)


def test_attributes_have_one_spelling():
    x = input_node((3,))
    assert ops.elu(x) is ops.elu(x, 1) is ops.elu(x, alpha=1.0)
    assert ops.gelu(x, True) is ops.gelu(x, approximate=1)
    assert ops.leaky_relu(x).attrs["negative_slope"] == 0.2


def test_activations_refuse_bools():
    with pytest.raises(InferenceError, match="relu: does not take bool"):
        ops.relu(np.array([True]))


# -- softmax -----------------------------------------------------------------------------------
SHAPES = [((4, 5), -1), ((4, 5), 0), ((2, 3, 4), 1), ((2, 3, 4), 2), ((6,), 0), ((3, 1), 1)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_softmax_is_jax_s(shape, axis):
    x = np.random.default_rng(1).normal(size=shape) * 3
    check_agree(lambda x: ops.softmax(x, axis), lambda x: jax.nn.softmax(x, axis), x)
    check_agree(lambda x: ops.log_softmax(x, axis), lambda x: jax.nn.log_softmax(x, axis), x)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    arrays(
        "float64",
        array_shapes(min_dims=1, max_dims=3, max_side=6),
        elements=st.floats(-1e4, 1e4),
    ),
    st.data(),
)
def test_softmax_is_scipy_s(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    close = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(ops.softmax(x, axis), scipy.special.softmax(x, axis), **close)
    log = scipy.special.log_softmax(x, axis)
    np.testing.assert_allclose(ops.log_softmax(x, axis), log, **close)


def test_softmax_at_the_extremes():
    x = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], "float32")
    np.testing.assert_allclose(ops.softmax(x), [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)
    np.testing.assert_allclose(ops.log_softmax(x)[0], [0, -2e4, -1e4])
    masked = np.array([[0, -np.inf, 0], [-np.inf] * 3, [np.nan, 0, 1]], "float32")
    np.testing.assert_array_equal(ops.softmax(masked), np.asarray(jax.nn.softmax(masked)))
    assert np.isfinite(gradients(ops.log_softmax, x.astype("float64"))[0]).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (0,)])
def test_softmax_of_nothing(shape):
    assert ops.softmax(np.zeros(shape)).shape == shape
    assert ops.log_softmax(np.zeros(shape), 0).shape == shape


def test_softmax_of_a_strided_view():
    wide = np.random.default_rng(2).normal(size=(6, 8))
    for x in (wide[:, ::2], wide.T, wide[::-1]):
        np.testing.assert_allclose(ops.softmax.kernel(x, axis=1), scipy.special.softmax(x, 1))


def test_softmax_refuses_scalars():
    with pytest.raises(InferenceError, match="out of bounds for 0 axes"):
        ops.softmax(np.float32(1))


def test_l2_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [1e-3, 0]])
    np.testing.assert_allclose(run(ops.l2_normalize, x), [[0.6, 0.8], [0, 0], [1, 0]])
    check_agree(
        ops.l2_normalize, lambda x: x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True)), x[[0, 2]]
    )
