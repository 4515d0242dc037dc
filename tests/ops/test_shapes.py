"""Shape ops, joining and slicing against NumPy and JAX, with fixed and symbolic sizes."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_oracle import check_agree, run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, Graph, input_node
from kgraph.ops.slicing import slice_
from kgraph.runtime.interp import interpret

BATCH = Dim.symbol("batch")
WIDTHS = ((0, 2), (1, 0), (3, 1))
X = np.random.default_rng(0).normal(size=(2, 3, 4))


def of(*shape):
    return input_node(shape)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (lambda x: ops.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
        (lambda x: ops.reshape(x, 24), lambda x: x.reshape(24)),
        (lambda x: ops.transpose(x), jnp.transpose),
        (lambda x: ops.transpose(x, (1, -1, 0)), lambda x: x.transpose(1, 2, 0)),
        (lambda x: ops.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, 2)),
        (lambda x: ops.moveaxis(x, 0, -1), lambda x: jnp.moveaxis(x, 0, -1)),
        (lambda x: ops.moveaxis(x, 2, 0), lambda x: jnp.moveaxis(x, 2, 0)),
        (lambda x: ops.expand_dims(x, (0, -1)), lambda x: jnp.expand_dims(x, (0, -1))),
        (lambda x: ops.squeeze(ops.expand_dims(x, 1)), lambda x: x),
        (lambda x: ops.broadcast_to(x, (5, 2, 3, 4)), lambda x: jnp.broadcast_to(x, (5, 2, 3, 4))),
        (lambda x: ops.flip(x, (0, 2)), lambda x: jnp.flip(x, (0, 2))),
        (lambda x: slice_(x, (0, 1, 0), (2, 3, 4), (1, 1, 3)), lambda x: x[:, 1:, ::3]),
        (lambda x: ops.concatenate([x, 2 * x, x], -1), lambda x: jnp.concatenate([x, 2 * x, x], 2)),
        (lambda x: ops.stack([x, x * x], 1), lambda x: jnp.stack([x, x * x], 1)),
        (lambda x: ops.split(x, 2, -1)[1], lambda x: jnp.split(x, 2, -1)[1]),
        (lambda x: ops.split(x, [1, 3], -1)[1], lambda x: jnp.split(x, [1, 3], -1)[1]),
        (lambda x: ops.unstack(x, axis=1)[2], lambda x: x[:, 2]),
        (lambda x: ops.pad(x, 1, constant_values=7), lambda x: jnp.pad(x, 1, constant_values=7)),
        (lambda x: ops.pad(x, WIDTHS), lambda x: jnp.pad(x, WIDTHS)),
        (lambda x: ops.tile(x, (2, 1, 3)), lambda x: jnp.tile(x, (2, 1, 3))),
        (lambda x: ops.tile(x, (2, 1, 1, 2)), lambda x: jnp.tile(x, (2, 1, 1, 2))),
        (lambda x: ops.tile(x, 2), lambda x: jnp.tile(x, 2)),
        (lambda x: ops.repeat(x, 3, 1), lambda x: jnp.repeat(x, 3, 1)),
        (lambda x: ops.repeat(x, 2), lambda x: jnp.repeat(x, 2)),
        (lambda x: x * ops.ones_like(x) + ops.zeros_like(x), lambda x: x),
        (lambda x: x * ops.full_like(x, 3), lambda x: x * 3),
    ],
)
def test_values_and_gradients_are_jax_s(mine, theirs):
    check_agree(mine, theirs, X)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_pad_slice_and_concatenate_are_inverse(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3)))
    width = [tuple(data.draw(st.tuples(*[st.integers(0, 3)] * 2))) for _ in shape]
    x = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    padded = ops.pad(x, width, constant_values=-1)
    np.testing.assert_array_equal(padded, np.pad(x, width, constant_values=-1))
    starts = [a for a, _ in width]
    back = slice_(padded, starts, [a + d for a, d in zip(starts, shape)])
    np.testing.assert_array_equal(back, x)
    axis = data.draw(st.integers(0, len(shape) - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    parts = ops.split(x, cuts, axis)
    for mine, theirs in zip(parts, np.split(x, cuts, axis), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(ops.concatenate(parts, axis), x)


def test_reshape_solves_for_the_unknown_size():
    x = of(BATCH, 20, 4)
    assert ops.reshape(x, (-1, 80)).shape == (BATCH, 80)
    assert ops.reshape(x, (-1, 4)).shape == (20 * BATCH, 4)
    assert ops.reshape(ops.reshape(x, (-1, 4)), (BATCH, -1)).shape == (BATCH, 80)
    assert ops.reshape(x, (-1, 40)).shape == (2 * BATCH, 40)


@pytest.mark.parametrize(
    ("shape", "target"),
    [((BATCH, 4), (-1, 3)), ((2, 3), (4, -1)), ((2, 3), (-1, -1)), ((BATCH, 4), (4, 4))],
)
def test_reshape_refuses(shape, target):
    with pytest.raises(InferenceError, match="reshape"):
        ops.reshape(of(*shape), target)


def test_reshape_of_nothing():
    assert ops.reshape(np.ones((0, 3)), (-1, 3)).shape == (0, 3)
    assert ops.reshape(np.ones((0, 3)), (3, -1)).shape == (3, 0)
    with pytest.raises(InferenceError, match="do not fit"):
        ops.reshape(np.ones((0, 3)), (0, -1))


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda x: ops.concatenate([x, x], 0), (2 * BATCH, 3)),
        (lambda x: ops.pad(x, ((1, 2), (0, 0))), (BATCH + 3, 3)),
        (lambda x: ops.tile(x, (2, 2)), (2 * BATCH, 6)),
        (lambda x: ops.repeat(x, 4, 0), (4 * BATCH, 3)),
        (lambda x: ops.repeat(x, BATCH, 1), (BATCH, 3 * BATCH)),
        (lambda x: ops.split(x, [1], 0)[1], (BATCH - 1, 3)),
        (lambda x: ops.transpose(x), (3, BATCH)),
        (lambda x: ops.flip(x, 0), (BATCH, 3)),
        (lambda x: ops.broadcast_to(ops.expand_dims(x, 0), (BATCH, BATCH, 3)), (BATCH, BATCH, 3)),
        (lambda x: ops.full((x.shape[0], 2), 1.5), (BATCH, 2)),
    ],
)
def test_symbolic_sizes_come_out_as_the_run_s(build, shape):
    x = of(BATCH, 3)
    y = build(x)
    assert y.shape == shape
    for size in (1, 2, 5):
        (value,) = interpret(Graph((x,), (("y", y),)), [np.ones((size, 3))])[0]
        assert value.shape == tuple(
            d if isinstance(d, int) else d.substitute({"batch": size}) for d in shape
        )


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ops.transpose(of(2, 3), (0, 0)), "are not an order"),
        (lambda: ops.squeeze(of(2, 3), 0), "axis 0 has size 2"),
        (lambda: ops.squeeze(of(BATCH, 3), 0), "axis 0 has size batch"),
        (lambda: ops.expand_dims(of(2), 3), "out of bounds"),
        (lambda: ops.broadcast_to(of(2, 3), (2, 4)), "broadcast"),
        (lambda: ops.broadcast_to(of(2, 3), (3,)), "stretch"),
        (lambda: ops.broadcast_to(of(BATCH), (4,)), "broadcast"),
        (lambda: ops.concatenate([of(2, 3), of(2, 4)], 0), "equal except along axis 0"),
        (lambda: ops.concatenate([of(2, 3), of(2)], 0), "equal except along axis 0"),
        (lambda: slice_(of(4), (1,), (5,)), "no part of axis 0"),
        (lambda: slice_(of(4), (0,), (4,), (0,)), "not positive"),
        (lambda: slice_(of(BATCH), (0,), (BATCH,), (2,)), "no regular part"),
        (lambda: slice_(of(4, 4), (0,), (4,)), "2 axes"),
        (lambda: ops.pad(of(2), -1), "negative"),
        (lambda: ops.pad(of(2), 1, mode="wrap"), "constant"),
        (lambda: ops.pad(of(2, 2), ((1, 1),) * 3), "2 axes"),
        (lambda: ops.split(of(2, 5), 2, 1), "no 2 equal parts"),
        (lambda: ops.split(of(BATCH, 5), 2, 0), "no 2 equal parts"),
        (lambda: ops.flip(of(2), 1), "out of bounds"),
    ],
)
def test_refusals_say_what_is_required(build, text):
    with pytest.raises(InferenceError, match=text):
        build()


def test_concatenate_promotes_and_refuses_nothing():
    y = ops.concatenate([input_node((2,), "int32"), of(1)])
    assert (y.dtype, y.shape) == ("float32", (3,))
    with pytest.raises(InferenceError, match="at least one"):
        ops.concatenate([])


def test_slice_of_a_symbolic_axis_checks_its_bounds_when_it_runs():
    x = of(BATCH, 2)
    graph = Graph((x,), (("y", x[3:]),))
    assert graph.outputs[0][1].shape == (BATCH - 3, 2)
    assert interpret(graph, [np.ones((5, 2))])[0][0].shape == (2, 2)
    with pytest.raises(IndexError, match="3:2 is no part of axis 0"):
        interpret(graph, [np.ones((2, 2))])


def test_views_share_memory_and_reshape_copies_only_where_it_must():
    a = np.arange(12.0).reshape(3, 4)
    assert np.shares_memory(ops.reshape.view(a, shape=(4, 3)), a)
    assert ops.reshape.view(a.T, shape=(12,)) is None
    np.testing.assert_array_equal(ops.reshape.kernel(a.T, shape=(12,)), a.T.reshape(12))
    assert np.shares_memory(ops.slice.view(a, starts=(1, 0), stops=(3, 4), steps=(1, 2)), a)


def test_numpy_functions_on_nodes_build():
    x = of(BATCH, 3)
    assert np.concatenate([x, x], axis=1).shape == (BATCH, 6)
    assert np.stack([x, x]).shape == (2, BATCH, 3)
    assert np.transpose(x).shape == x.T.shape == (3, BATCH)
    assert np.zeros_like(x).shape == (BATCH, 3)
    assert np.pad(x, 1).shape == (BATCH + 2, 5)
    assert np.moveaxis(x, 0, 1).shape == (3, BATCH)
    np.testing.assert_array_equal(run(lambda x: np.tile(x, (1, 2)), X[0]), np.tile(X[0], (1, 2)))


def test_equal_shape_ops_are_one_node():
    x = of(2, 3)
    assert ops.transpose(x) is ops.transpose(x, (1, 0)) is ops.transpose(x, [-1, 0])
    assert ops.expand_dims(x, -1) is ops.expand_dims(x, (2,))
    assert ops.reshape(x, (-1,)) is ops.reshape(x, 6)
    assert ops.pad(x, 1) is ops.pad(x, ((1, 1), (1, 1)))


def test_shape_of_tensors_and_arrays():
    x = input_node((Dim.symbol("batch"), 3))
    assert ops.shape(x) == x.shape
    assert ops.shape(np.ones((2, 3))) == (2, 3)
    noise = ops.random.normal((ops.shape(x)[0], 2), seed=1)
    assert noise.shape == (x.shape[0], 2)
