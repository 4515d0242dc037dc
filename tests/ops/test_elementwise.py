"""Dtypes, promotion, refusals and the corners of elementwise ops."""

import numpy as np
import pytest
import scipy.special

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import OPS, Dim, Graph, TensorType, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret


def gradient(function, *values):
    """Gradients of the sum of a function at arrays or numbers, as lists."""
    arrays = [np.asarray(v, "float64") for v in values]
    inputs = tuple(input_node(a.shape, "float64", f"x{i}") for i, a in enumerate(arrays))
    slopes = [s for s in grad(function(*inputs), inputs) if s is not None]
    graph = Graph(inputs, tuple((str(i), s) for i, s in enumerate(slopes)))
    return [s.tolist() for s in interpret(graph, arrays)[0]]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("float32", 2, "float32"),
        ("float16", 0.5, "float16"),
        ("int32", 2, "int32"),
        ("int32", 0.5, "float32"),
        ("bool", 2, "int32"),
        ("float32", np.float64(2), "float32"),
        ("int64", np.ones((), "float32"), "float32"),
        ("float32", np.ones((), "float64"), "float64"),
        ("uint8", np.ones((), "int32"), "int32"),
    ],
)
def test_operands_promote_by_the_table(left, right, expected):
    x = input_node((2,), left)
    assert ops.multiply(x, right).dtype == expected
    assert ops.multiply(np.ones(2, left), right).dtype == expected


def test_integer_semantics_are_numpys():
    a, b = np.array([7, -7, 7, -7], "int32"), np.array([2, 2, -2, 0], "int32")
    np.testing.assert_array_equal(ops.floor_divide(a, b), [3, -4, -4, 0])
    np.testing.assert_array_equal(ops.mod(a, b), [1, 1, -1, 0])
    np.testing.assert_array_equal(ops.power(a, np.abs(b)), [49, 49, 49, 1])
    np.testing.assert_array_equal(ops.add(np.array([250], "uint8"), 10), np.array([4], "uint8"))
    for name in ("add", "floor_divide", "mod", "power", "square", "floor", "round", "negative"):
        op = getattr(ops, name)
        assert op(*[np.ones(2, "int32")] * op.arity).dtype == np.int32


def test_float_functions_make_integers_float32():
    for name in ("divide", "exp", "sqrt", "reciprocal", "sigmoid", "erf", "arctan2", "logaddexp"):
        op = getattr(ops, name)
        assert op(*[np.ones(2, "int64")] * op.arity).dtype == np.float32
        assert op(*[input_node((2,), "bool")] * op.arity).dtype == "float32"


def test_bools_do_what_numpy_lets_them():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    for name in ("add", "multiply", "maximum", "minimum"):
        result = getattr(ops, name)(a, b)
        assert result.dtype == bool
        np.testing.assert_array_equal(result, getattr(np, name)(a, b))
    for name in ("subtract", "negative", "floor_divide", "mod", "power", "sign", "square", "clip"):
        op = getattr(ops, name)
        with pytest.raises(InferenceError, match=f"^{name}: .*bool"):
            op(a, 0, 1) if name == "clip" else op(*[a] * op.arity)


def test_logic_takes_bools_only():
    x = input_node((3,), "int32", "x")
    with pytest.raises(InferenceError, match="logical_and: does not take int32"):
        x & 1
    mask = ops.greater(x, 1) | ~ops.equal(x, 0) & (x < 5)
    assert mask.dtype == "bool"


def test_refusals_name_op_types_and_place():
    a, b = input_node((2, 3), name="a"), input_node((2, 4), name="b")
    with pytest.raises(InferenceError) as caught:
        a + b
    text = str(caught.value)
    assert text.startswith(
        "add: Operands could not be broadcast together with shapes (2, 3) (2, 4)"
    )
    assert "f32[2, 3], f32[2, 4]" in text
    assert "test_elementwise.py:" in text
    with pytest.raises(TypeError, match=r"exp takes 1 operands\. Got: 2"):
        ops.exp(a, b)


def test_symbols_never_stretch():
    n = Dim.symbol("n")
    x, y = input_node((n, 3)), input_node((1, 3))
    assert (x + y).type == TensorType((n, 3), "float32")
    with pytest.raises(InferenceError, match="broadcast"):
        x + input_node((2, 3))


def test_where_promotes_its_branches_only():
    mask = np.array([True, False])
    assert ops.where(mask, 1, 2.5).dtype == np.float32
    assert ops.where(mask, np.ones(2, "int32"), 0).dtype == np.int32
    np.testing.assert_array_equal(ops.where([0, 3], 1, 2), [2, 1])
    x = input_node((2,), name="x")
    assert ops.where(ops.greater(x, 0), x, 0).dtype == "float32"


def test_where_hides_what_it_does_not_choose():
    """Infinite values of the other branch leave value and gradient alone, at any size."""
    for n in (3, 2000):
        x = np.linspace(-1, 1, n)

        def safe(v):
            return ops.where(ops.greater(v, 0), ops.log(ops.where(ops.greater(v, 0), v, 1)), 0)

        (slope,) = gradient(safe, x)
        np.testing.assert_allclose(slope, np.divide(1, x, where=x > 0, out=np.zeros(n)))
        call = OPS["where"].specialize(
            [TensorType((n,), "bool"), *[TensorType((n,), "float64")] * 2],
            [TensorType((n,), "float64")],
            {},
        )
        out = np.empty(n)
        call(x > 0, x, np.full(n, np.nan), out)
        np.testing.assert_array_equal(out, np.where(x > 0, x, np.nan))


def test_clip_takes_numbers_and_tensors():
    x = np.array([-2.0, 0.5, np.nan, 3.0], "float32")
    np.testing.assert_array_equal(ops.clip(x, 0, 1), np.clip(x, 0, 1))
    np.testing.assert_array_equal(ops.clip(x, None, 1), np.minimum(x, 1))
    np.testing.assert_array_equal(ops.clip(x, ops.abs(x) - 1, 2), np.clip(x, np.abs(x) - 1, 2))
    assert ops.clip(np.arange(3, dtype="int32"), 0, 1).dtype == np.int32
    with pytest.raises(TypeError, match="min or max"):
        ops.clip(x)
    with pytest.raises(InferenceError, match="does not fit int32"):
        ops.clip(np.arange(3, dtype="int32"), 0.5, 1)


def test_cast_builds_nothing_when_the_dtype_is_right():
    x = input_node((2,), "float32")
    assert ops.cast(x, "float32") is x
    np.testing.assert_array_equal(ops.cast([0.0, 0.5, -2.0], "bool"), [False, True, True])
    with pytest.raises(InferenceError, match="unknown dtype"):
        ops.cast(x, "complex64")


def test_slopes_at_corners():
    zero = np.zeros(())
    assert gradient(ops.abs, 0.0) == [0]
    assert gradient(ops.maximum, 1.0, 1.0) == [0.5, 0.5]
    assert gradient(ops.minimum, 1.0, 1.0) == [0.5, 0.5]
    assert gradient(lambda x: ops.clip(x, 0.0, 1.0), [0.0, 0.5, 1.0, 2.0]) == [[0.5, 1, 0.5, 0]]
    assert gradient(ops.power, zero, zero) == [0, 0]
    assert gradient(ops.power, 0.0, 1.0) == [1, 0]
    assert gradient(lambda x: x**2, 0.0) == [0]
    assert gradient(lambda x: x**0, 0.0) == [0]
    assert gradient(lambda x: gradient_node(x**2, x), -3.0) == [2]


def gradient_node(y, x):
    """dy/dx as a node."""
    return grad(y, [x])[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_against_scipy(dtype):
    x = np.concatenate([np.linspace(-7, 7, 20001), np.logspace(-30, 1, 1000)]).astype(dtype)
    found, exact = ops.erf(x), scipy.special.erf(x.astype("float64"))
    error = np.abs(found - exact) / np.maximum(np.abs(exact), np.finfo(dtype).tiny)
    assert error.max() < {"float32": 4.5e-7, "float64": 4e-16}[dtype]
    assert abs(np.abs(found).max() - 1) <= {"float32": 0, "float64": 2e-16}[dtype]
    special = np.array([np.nan, np.inf, -np.inf, -0.0], dtype)
    np.testing.assert_allclose(ops.erf(special), [np.nan, 1, -1, 0], rtol=2e-16)
    assert np.signbit(ops.erf(special)[3])


def test_sigmoid_keeps_its_negative_tail():
    x = np.array([-80.0, -40.0, -5.0, 0.0, 5.0, 90.0], "float32")
    np.testing.assert_allclose(ops.sigmoid(x), scipy.special.expit(x.astype("d")), rtol=3e-7)


def test_numpy_functions_build_on_nodes():
    x = input_node((2, 3), name="x")
    assert np.exp(x) is ops.exp(x)
    assert np.absolute(x) is ops.abs(x)
    assert np.remainder(x, 2) is ops.mod(x, 2)
    assert np.where(ops.greater(x, 0), x, 0) is ops.where(ops.greater(x, 0), x, 0)
    assert np.sum(x, axis=1) is ops.sum(x, 1)
    assert np.einsum("ij->ji", x) is ops.transpose(x)
    assert (np.ones((4, 2), "float32") @ x).shape == (4, 3)
    assert np.var(x, axis=0) is ops.var(x, 0)
