"""take and its kin, one_hot, and square brackets, against NumPy and JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_oracle import check_agree, run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, input_node

BATCH = Dim.symbol("batch")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 3))
IDS = np.array([[0, 4, 4], [2, 0, 0]], "int32")


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_take(axis, shape):
    ids = RNG.integers(0, 30 if axis is None else X.shape[axis], shape).astype("int32")
    check_agree(lambda x, i: ops.take(x, i, axis), lambda x, i: jnp.take(x, i, axis), X, ids)


def test_take_counts_negative_ids_from_the_end():
    np.testing.assert_array_equal(ops.take(X, [-1, 0], 1), X[:, [-1, 0]])
    np.testing.assert_array_equal(ops.take(X, np.uint8([1]), 0), X[[1]])


@pytest.mark.parametrize("wrong", [5, -6, 2**40, -(2**62)])
def test_ids_out_of_bounds_name_id_and_bound(wrong):
    calls = (
        lambda: ops.take(X, [0, wrong], 1),
        lambda: ops.scatter_add(X[0], [0, wrong], np.ones((2, 3))),
        lambda: ops.take_along_axis(X[0], np.array([[0, 0, wrong]]), 0),
    )
    for call in calls:
        with pytest.raises(IndexError, match=f"id {wrong} is out of bounds .* size 5"):
            call()


def test_take_without_wrap_refuses_negative_ids():
    with pytest.raises(IndexError, match="id -1 is out of bounds"):
        ops.take(X, [0, -1], 1, wrap=False)


def test_take_from_and_of_nothing():
    assert ops.take(np.ones((0, 3)), np.zeros((0,), "int32"), 0).shape == (0, 3)
    assert ops.take(X, np.zeros((0,), "int32"), 1).shape == (2, 0, 3)
    with pytest.raises(IndexError, match="size 0"):
        ops.take(np.ones((0, 3)), [0], 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scatter_add_adds_repeated_ids(axis):
    ids = np.array([[1, 1], [0, 1]], "int32")
    updates = RNG.normal(size=(*X.shape[:axis], 2, 2, *X.shape[axis + 1 :]))

    def theirs(x, ids, updates):
        return x.at[(slice(None),) * axis + (ids,)].add(updates)

    check_agree(lambda x, i, u: ops.scatter_add(x, i, u, axis), theirs, X, ids, updates)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_axis(axis):
    shape = list(X.shape)
    shape[axis] = 4
    ids = RNG.integers(0, X.shape[axis], shape).astype("int32")
    check_agree(
        lambda x, i: ops.take_along_axis(x, i, axis),
        lambda x, i: jnp.take_along_axis(x, i, axis),
        X,
        ids,
    )
    added = ops.add_along_axis(np.zeros_like(X), ids, np.ones(shape), axis)
    counts = np.zeros_like(X)
    for place in np.ndindex(*shape):
        target = list(place)
        target[axis] = ids[place]
        counts[tuple(target)] += 1
    np.testing.assert_array_equal(added, counts)


def test_scatter_add_into_a_large_table_is_exact():
    ids = RNG.integers(0, 500, (32, 80)).astype("int32")
    updates = RNG.integers(-8, 8, (32, 80, 16)).astype("float32")
    expected = np.zeros((500, 16), "float32")
    np.add.at(expected, ids, updates)
    np.testing.assert_array_equal(ops.scatter_add(np.zeros_like(expected), ids, updates), expected)


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "float64"])
def test_one_hot(dtype):
    with jax.enable_x64(True):
        expected = jax.nn.one_hot(IDS, 5, dtype=dtype)
    mine = ops.one_hot(IDS, 5, dtype=dtype)
    assert mine.dtype == dtype
    np.testing.assert_array_equal(mine, np.asarray(expected))
    np.testing.assert_array_equal(ops.one_hot([-1, 5, 2], 5).sum(-1), [0, 0, 1])
    assert ops.one_hot(input_node((BATCH, 2), "int64"), 7).shape == (BATCH, 2, 7)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ops.take(X, [0.5], 0), "integers"),
        (lambda: ops.one_hot([0.5], 3), "integers"),
        (lambda: ops.take(X, [0], 3), "out of bounds"),
        (lambda: ops.scatter_add(X, [0], np.ones((2, 5, 3)), 0), "updates must be"),
        (lambda: ops.take_along_axis(X, np.zeros((2, 1, 1), "int32"), 1), "except along axis 1"),
        (lambda: ops.take_along_axis(X, np.zeros((2,), "int32"), 1), "except along axis 1"),
        (lambda: ops.add_along_axis(X, np.zeros((2, 1, 3), "int32"), X, 1), "updates must be"),
    ],
)
def test_refusals_say_what_is_required(build, text):
    with pytest.raises(InferenceError, match=text):
        build()


# -- square brackets ---------------------------------------------------------------------------
def a_slice(size):
    bound = st.one_of(st.none(), st.integers(-size - 2, size + 2))
    step = st.one_of(st.none(), st.integers(-3, 3).filter(bool))
    return st.builds(slice, bound, bound, step)


def an_index(size):
    return st.one_of(a_slice(size), st.integers(-size, size - 1))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_getitem_is_numpys(data):
    shape = (4, 1, 5)[: data.draw(st.integers(1, 3))]
    x = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    parts = [data.draw(an_index(size)) for size in shape]
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(parts)))
        parts[start : data.draw(st.integers(start, len(parts)))] = [Ellipsis]
    parts.insert(data.draw(st.integers(0, len(parts))), None)
    key = tuple(parts) if len(parts) > 1 or data.draw(st.booleans()) else parts[0]
    np.testing.assert_array_equal(run(lambda x: x[key], x), x[key])
    np.testing.assert_array_equal(ops.getitem(x, key), x[key])


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_getitem_with_one_array_of_ids_is_numpys(data):
    shape = (4, 3, 5)
    x = np.arange(60.0).reshape(shape)
    place = data.draw(st.integers(0, 2))
    ids = np.array(data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=4)), "int32")
    ids = ids[:, None] if data.draw(st.booleans()) else ids
    parts = [data.draw(a_slice(size)) for size in shape]
    parts[place] = ids
    beside = data.draw(st.sampled_from([place - 1, place, place + 1]))
    if 0 <= beside < 3 and beside != place:
        parts[beside] = data.draw(st.integers(-3, 2))
    found = run(lambda x, i: x[tuple(i if p is ids else p for p in parts)], x, ids)
    np.testing.assert_array_equal(found, x[tuple(parts)])


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        (0, (3,)),
        (-1, (3,)),
        (slice(None, None, -1), (BATCH, 3)),
        (slice(1, -1), (BATCH - 2, 3)),
        (slice(-2, None), (2, 3)),
        (slice(None, 4), (4, 3)),
        ((Ellipsis, 0), (BATCH,)),
        ((None, slice(None), None), (1, BATCH, 1, 3)),
        ([0, 0, -1], (3, 3)),
    ],
)
def test_getitem_on_a_symbolic_axis(key, shape):
    x = input_node((BATCH, 3))
    assert x[key].shape == shape
    value = np.arange(15.0).reshape(5, 3)
    np.testing.assert_array_equal(run(lambda x: x[key], value), value[key])


def test_getitem_of_everything_is_the_tensor():
    x = input_node((BATCH, 3))
    assert x[:] is x[...] is x[:, :] is x


def test_getitem_gradients():
    check_agree(lambda x: x[1, ::-2, None], lambda x: x[1, ::-2, None], X)
    check_agree(lambda x, i: x[:, i], lambda x, i: x[:, i], X, IDS)


@pytest.mark.parametrize(
    ("key", "error", "text"),
    [
        (X > 0, InferenceError, "boolean masks are not supported"),
        (True, InferenceError, "boolean masks"),
        ([True, False], InferenceError, "boolean masks"),
        (([0], [1]), InferenceError, "one array of ids"),
        ((0, slice(None), [1]), InferenceError, "ints only beside it"),
        (1.5, InferenceError, "cannot index with 1.5"),
        ("a", InferenceError, "cannot index with 'a'"),
        (slice(None, None, 0), InferenceError, "cannot be zero"),
        (2, IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        ((0, -6), IndexError, "index -6 is out of bounds for axis 1 with size 5"),
        ((0, 0, 0, 0), IndexError, "4 indices for a tensor of 3 axes"),
        ((Ellipsis, Ellipsis), IndexError, "single Ellipsis"),
    ],
)
def test_keys_that_are_refused(key, error, text):
    with pytest.raises(error, match=text):
        ops.getitem(X, key)


def test_a_bool_node_is_no_index():
    x = input_node((3,))
    with pytest.raises(InferenceError, match="boolean masks"):
        _ = x[x > 0]
    with pytest.raises(InferenceError, match="not supported on an axis of size batch"):
        _ = input_node((BATCH,))[::-2]
