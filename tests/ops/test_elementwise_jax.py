"""Elementwise ops: values and gradients are JAX's, also at zeros, ties, infinities and NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jax.scipy.special import erf

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

SHAPE = (16,)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, np.inf, -np.inf, np.nan, 1e-30, 1e30]
NUMBERS = st.one_of(st.sampled_from(SPECIAL), st.floats(-10, 10, width=16, allow_subnormal=False))
ARRAYS = hnp.arrays("float64", SHAPE, elements=NUMBERS)

TABLE = {
    "abs": jnp.abs,
    "add": jnp.add,
    "arccos": jnp.arccos,
    "arccosh": jnp.arccosh,
    "arcsin": jnp.arcsin,
    "arcsinh": jnp.arcsinh,
    "arctan": jnp.arctan,
    "arctan2": jnp.arctan2,
    "arctanh": jnp.arctanh,
    "ceil": jnp.ceil,
    "cos": jnp.cos,
    "cosh": jnp.cosh,
    "divide": jnp.divide,
    "erf": erf,
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "floor": jnp.floor,
    "floor_divide": jnp.floor_divide,
    "log": jnp.log,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "logaddexp": jnp.logaddexp,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "mod": jnp.mod,
    "multiply": jnp.multiply,
    "negative": jnp.negative,
    "power": jnp.power,
    "reciprocal": jnp.reciprocal,
    "round": jnp.round,
    "rsqrt": jax.lax.rsqrt,
    "sigmoid": jax.nn.sigmoid,
    "sign": jnp.sign,
    "sin": jnp.sin,
    "sinh": jnp.sinh,
    "sqrt": jnp.sqrt,
    "square": jnp.square,
    "subtract": jnp.subtract,
    "tan": jnp.tan,
    "tanh": jnp.tanh,
}
# Where JAX's convention is not ours: its |x| has slope 1 at 0, its 0**p slope NaN at p = 0, its
# logaddexp slope 1 beside an infinite operand; and slopes outside of a function's domain.
APART = {
    "abs": lambda x: (x == 0) | np.isnan(x),
    "arccosh": lambda x: x <= -1,
    "logaddexp": lambda a, b: (a == np.inf) | (b == np.inf) | ((a == b) & np.isinf(a)),
    "mod": lambda a, b: np.isinf(a) | np.isinf(b) | (b == 0),
    "power": lambda a, b: b == 0,
}


def ours(function, arity):
    """A function of arrays: the value and the gradients of its sum."""
    inputs = tuple(input_node(SHAPE, "float64", f"x{i}") for i in range(arity))
    value = function(*inputs)
    slopes = grad(value, inputs)
    slopes = [s if s is not None else ops.zeros_like(x) for s, x in zip(slopes, inputs)]
    graph = Graph(inputs, tuple((str(i), n) for i, n in enumerate((value, *slopes))))
    return lambda *arrays: interpret(graph, arrays)[0]


def theirs(function, arity):
    """The same by JAX."""

    def both(*arrays):
        value, pull = jax.vjp(function, *arrays)
        return (value, *pull(jnp.ones(SHAPE)))

    return jax.jit(both)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_values_and_gradients(name):
    op = getattr(ops, name)
    with jax.enable_x64(True):
        mine, other = ours(op, op.arity), theirs(TABLE[name], op.arity)

        @settings(max_examples=12, deadline=None, derandomize=True, database=None)
        @given(st.tuples(*[ARRAYS] * op.arity))
        def check(arrays):
            kept = ~APART.get(name, lambda *_: np.zeros(SHAPE, bool))(*arrays)
            for a, b in zip(mine(*arrays), other(*arrays), strict=True):
                np.testing.assert_allclose(a[kept], np.asarray(b)[kept], rtol=1e-9, atol=1e-12)

        check()


PREDICATES = {
    "equal": jnp.equal,
    "not_equal": jnp.not_equal,
    "less": jnp.less,
    "less_equal": jnp.less_equal,
    "greater": jnp.greater,
    "greater_equal": jnp.greater_equal,
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "isfinite": jnp.isfinite,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "logical_not": jnp.logical_not,
}


@pytest.mark.parametrize("name", sorted(PREDICATES))
def test_questions_have_jaxs_answers(name):
    op, theirs = getattr(ops, name), jax.jit(PREDICATES[name])
    bools = name.startswith("logical")
    operand = hnp.arrays("bool", SHAPE) if bools else ARRAYS
    with jax.enable_x64(True):

        @settings(max_examples=12, deadline=None, derandomize=True, database=None)
        @given(st.tuples(*[operand] * op.arity))
        def check(arrays):
            found = op(*arrays)
            assert found.dtype == bool
            np.testing.assert_array_equal(found, np.asarray(theirs(*arrays)))

        check()
