"""Cross-entropies against Keras, JAX and SciPy: values, gradients, extreme logits, wrong ids."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_oracle import check_agree, gradients, run

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir import Dim, input_node

RNG = np.random.default_rng(0)
BATCH = Dim.symbol("batch")
SHAPES = [(7, 5), (2, 3, 4), (6,)]


def rows(shape):
    raw = RNG.uniform(0.05, 1, shape)
    return raw / raw.sum(-1, keepdims=True)


def classes(shape):
    return RNG.integers(0, shape[-1], shape[:-1]).astype("int32")


def weighted(loss, p):
    """Uses both outputs, so that a cotangent comes to each."""
    return loss[..., None] * p


def softmax_loss(z, t):
    return -jnp.sum(t * jax.nn.log_softmax(z), -1)


def sparse_loss(z, ids):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), ids[..., None], -1)[..., 0]


def sigmoid_loss(z, t):
    return -t * jax.nn.log_sigmoid(z) - (1 - t) * jax.nn.log_sigmoid(-z)


@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_cross_entropy(shape):
    z, t = RNG.normal(size=shape) * 3, RNG.normal(size=shape)
    check_agree(lambda z, t: ops.softmax_cross_entropy(z, t)[0], softmax_loss, z, t)
    check_agree(
        lambda z, t: ops.softmax_cross_entropy(z, t)[1], lambda z, t: jax.nn.softmax(z), z, t
    )

    check_agree(
        lambda z, t: weighted(*ops.softmax_cross_entropy(z, t)),
        lambda z, t: weighted(softmax_loss(z, t), jax.nn.softmax(z)),
        z,
        t,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_sparse_softmax_cross_entropy(shape):
    z, ids = RNG.normal(size=shape) * 3, classes(shape)
    check_agree(lambda z, i: ops.sparse_softmax_cross_entropy(z, i)[0], sparse_loss, z, ids)
    check_agree(
        lambda z, i: weighted(*ops.sparse_softmax_cross_entropy(z, i)),
        lambda z, i: weighted(sparse_loss(z, i), jax.nn.softmax(z)),
        z,
        ids,
    )


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=6), st.integers(0, 5), st.booleans())
def test_extreme_logits(logits, label, wide):
    z = np.array([logits], "float64" if wide else "float32")
    label %= z.shape[1]
    target = np.eye(z.shape[1], dtype=z.dtype)[[label]]
    expected = -scipy.special.log_softmax(z.astype("float64"))[:, label]
    close = {"rtol": 1e-12, "atol": 1e-11} if wide else {"rtol": 1e-5, "atol": 1e-6}
    dense, sparse = ops.softmax_cross_entropy(z, target), ops.sparse_softmax_cross_entropy
    np.testing.assert_allclose(dense[0], expected, **close)
    np.testing.assert_allclose(sparse(z, [label])[0], expected, **close)
    slope = scipy.special.softmax(z.astype("float64"), -1) - target
    found = gradients(lambda z: ops.softmax_cross_entropy(z, target)[0], z)[0]
    np.testing.assert_allclose(found, slope, **close)


@pytest.mark.parametrize("shape", [*SHAPES, ()])
def test_sigmoid_cross_entropy(shape):
    z, t = RNG.normal(size=shape) * 3, RNG.uniform(size=shape)
    check_agree(ops.sigmoid_cross_entropy, sigmoid_loss, z, t)


def test_sigmoid_cross_entropy_at_the_extremes():
    z = np.array([1e4, -1e4, 30, -30, 0], "float32")
    for target in (0.0, 1.0, 0.25):
        t = np.full_like(z, target)
        expected = np.logaddexp(0, z.astype("float64")) - z.astype("float64") * target
        expected = np.where(np.abs(z) == 30, np.maximum(z, 0) - z * target, expected)
        np.testing.assert_allclose(ops.sigmoid_cross_entropy(z, t), expected, rtol=1e-6, atol=1e-12)
        slope = gradients(ops.sigmoid_cross_entropy, z, t)[0]
        cosine = np.cos(np.arange(5, dtype="float32"))
        np.testing.assert_allclose(slope, cosine * (scipy.special.expit(z) - t), rtol=1e-6)
    # a small loss keeps its digits
    tiny = ops.sigmoid_cross_entropy(np.float32([30, -30]), np.float32([1, 0]))
    np.testing.assert_allclose(tiny, [np.log1p(np.exp(-30.0))] * 2, rtol=1e-6)


def test_stable_forms_equal_keras_from_logits():
    z, t = RNG.normal(size=(6, 5)).astype("float32") * 4, rows((6, 5)).astype("float32")
    ids = classes((6, 5))
    pairs = [
        (ops.softmax_cross_entropy(z, t)[0], keras.ops.categorical_crossentropy, (t, z)),
        (ops.sparse_softmax_cross_entropy(z, ids)[0],
         keras.ops.sparse_categorical_crossentropy, (ids, z)),
        (ops.sigmoid_cross_entropy(z, t), keras.ops.binary_crossentropy, (t, z)),
    ]  # fmt: skip
    for mine, theirs, args in pairs:
        np.testing.assert_allclose(mine, np.asarray(theirs(*args, from_logits=True)), rtol=1e-5)


# -- probabilities -----------------------------------------------------------------------------
def keras_form(function):
    return lambda t, x: function(t, x, from_logits=False)


@pytest.mark.parametrize("shape", SHAPES)
def test_probability_forms_are_keras_s(shape):
    t, ids = rows(shape), classes(shape)
    x = RNG.uniform(0.05, 2, shape)  # rows do not add up to 1: Keras divides by their sum
    check_agree(ops.categorical_crossentropy, keras_form(keras.ops.categorical_crossentropy), t, x)
    if len(shape) > 1:
        sparse = keras_form(keras.ops.sparse_categorical_crossentropy)
        check_agree(ops.sparse_categorical_crossentropy, sparse, ids, x)
    p = RNG.uniform(0.01, 0.99, shape)
    check_agree(ops.binary_crossentropy, keras_form(keras.ops.binary_crossentropy), t, p)


def test_saturated_probabilities_are_clipped_as_in_keras():
    x = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 - 1e-9, 1e-9, 0]])
    for label in (0, 2):
        t = np.eye(3)[[label] * 3]
        ids = np.full(3, label, "int32")
        check_agree(
            ops.categorical_crossentropy, keras_form(keras.ops.categorical_crossentropy), t, x
        )
        sparse = keras_form(keras.ops.sparse_categorical_crossentropy)
        check_agree(ops.sparse_categorical_crossentropy, sparse, ids, x)
        check_agree(
            ops.binary_crossentropy, keras_form(keras.ops.binary_crossentropy), t, x, rtol=1e-7
        )
    worst = ops.categorical_crossentropy(np.float32([[0, 1]]), np.float32([[1, 0]]))
    np.testing.assert_allclose(worst, 16.118095, rtol=1e-6)


def test_epsilon_is_an_attribute():
    t, x = np.float32([[0, 1]]), np.float32([[1, 0]])
    for op in (ops.categorical_crossentropy, ops.binary_crossentropy):
        assert np.allclose(op(t, x, epsilon=1e-3).max(), -np.log(1e-3))
    found = ops.sparse_categorical_crossentropy([1], x, epsilon=1e-3)
    np.testing.assert_allclose(found, -np.log(1e-3), rtol=1e-5)


@pytest.mark.parametrize(
    "op", [ops.sparse_softmax_cross_entropy, lambda z, i: ops.sparse_categorical_crossentropy(i, z)]
)
@pytest.mark.parametrize("wrong", [5, -1, 2**31 - 1])
def test_wrong_class_ids_are_named(op, wrong):
    with pytest.raises(IndexError, match=f"class id {wrong} is out of bounds for 5 classes"):
        op(np.ones((3, 5), "float32"), np.array([0, wrong, 4]))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ops.softmax_cross_entropy(np.ones((2, 3)), np.ones((2, 4))), "do not fit"),
        (lambda: ops.softmax_cross_entropy(np.ones(()), np.ones(())), "last axis are the classes"),
        (lambda: ops.sparse_softmax_cross_entropy(np.ones((2, 3)), [[0], [1]]), "do not fit"),
        (lambda: ops.sparse_softmax_cross_entropy(np.ones((2, 3)), [0.0, 1.0]), "integers"),
        (lambda: ops.categorical_crossentropy(np.ones((2, 3)), np.ones((3,))), "do not fit"),
        (lambda: ops.sparse_categorical_crossentropy([0.5], np.ones((1, 3))), "integers"),
    ],
)
def test_refusals_say_what_is_required(build, text):
    with pytest.raises(InferenceError, match=text):
        build()


def test_symbolic_batch_and_an_empty_one():
    z, t = input_node((BATCH, 5)), input_node((BATCH, 5))
    loss, p = ops.softmax_cross_entropy(z, t)
    assert (loss.shape, p.shape) == ((BATCH,), (BATCH, 5))
    ids = input_node((BATCH,), "int64")
    assert ops.sparse_softmax_cross_entropy(z, ids)[0].shape == (BATCH,)
    assert ops.sparse_categorical_crossentropy(ids, z).shape == (BATCH,)
    loss, p = run(ops.softmax_cross_entropy, np.ones((0, 5)), np.ones((0, 5)))
    assert (loss.shape, p.shape) == ((0,), (0, 5))


def test_targets_of_another_dtype_are_cast():
    z, t = np.ones((2, 3), "float32"), np.eye(3)[:2].astype("int64")
    loss, _ = ops.softmax_cross_entropy(z, t)
    assert loss.dtype == "float32"
    np.testing.assert_allclose(loss, np.log(3), rtol=1e-6)
