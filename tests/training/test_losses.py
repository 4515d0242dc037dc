"""Losses and metrics against Keras 3 and the formulas."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from kgraph import losses, metrics
from kgraph.ir import Dim, Graph, input_node
from kgraph.losses.reduction import REDUCTIONS
from kgraph.runtime.interp import interpret

RNG = np.random.default_rng(3)
BATCH = Dim.symbol("batch")


def probabilities(*shape):
    raw = RNG.uniform(0.05, 1.0, shape).astype("float32")
    return raw / raw.sum(-1, keepdims=True)


def one_hot(*shape):
    return np.eye(shape[-1], dtype="float32")[RNG.integers(0, shape[-1], shape[:-1])]


def both_ways(function, y_true, y_pred):
    """The function on arrays; on nodes it must give the same."""
    eager = np.asarray(function(y_true, y_pred))
    nodes = [
        input_node((BATCH, *a.shape[1:]), a.dtype.name, name)
        for a, name in ((y_true, "t"), (y_pred, "p"))
    ]
    graph = Graph(tuple(nodes), (("loss", function(*nodes)),))
    built = interpret(graph, [y_true, y_pred])[0][0]
    np.testing.assert_allclose(built, eager, rtol=1e-6)
    assert built.dtype == eager.dtype
    return eager


SHAPES = [(6, 4), (6, 1), (5, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error"])
def test_regression_losses(name, shape):
    y_true, y_pred = RNG.normal(size=(2, *shape)).astype("float32")
    ours = both_ways(losses.get(name), y_true, y_pred)
    np.testing.assert_allclose(ours, getattr(keras.losses, name)(y_true, y_pred), rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_binary_crossentropy(shape, logits, smoothing):
    y_true = RNG.integers(0, 2, shape).astype("float32")
    y_pred = RNG.normal(size=shape).astype("float32")
    y_pred = y_pred if logits else 1 / (1 + np.exp(-y_pred))
    options = {"from_logits": logits, "label_smoothing": smoothing}
    ours = both_ways(lambda t, p: losses.binary_crossentropy(t, p, **options), y_true, y_pred)
    theirs = keras.losses.binary_crossentropy(y_true, y_pred, **options)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("shape", [(6, 4), (5, 3, 4)])
def test_categorical_crossentropy(shape, logits, smoothing):
    y_true = one_hot(*shape)
    y_pred = RNG.normal(size=shape).astype("float32") if logits else probabilities(*shape)
    options = {"from_logits": logits, "label_smoothing": smoothing}
    ours = both_ways(lambda t, p: losses.categorical_crossentropy(t, p, **options), y_true, y_pred)
    theirs = keras.losses.categorical_crossentropy(y_true, y_pred, **options)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("shape", [(6, 4), (5, 3, 4)])
def test_sparse_categorical_crossentropy(shape, logits, column):
    ids = RNG.integers(0, 4, (*shape[:-1], 1) if column else shape[:-1]).astype("int32")
    y_pred = RNG.normal(size=shape).astype("float32") if logits else probabilities(*shape)
    ours = both_ways(
        lambda t, p: losses.sparse_categorical_crossentropy(t, p, from_logits=logits), ids, y_pred
    )
    theirs = keras.losses.sparse_categorical_crossentropy(ids, y_pred, from_logits=logits)
    assert ours.shape == shape[:-1]
    np.testing.assert_allclose(ours, np.asarray(theirs).reshape(ours.shape), rtol=2e-5)


def test_sparse_categorical_crossentropy_ignores_a_class():
    ids, y_pred = np.array([0, 3, 1], "int32"), probabilities(3, 2)
    ours = both_ways(
        lambda t, p: losses.sparse_categorical_crossentropy(t, p, ignore_class=3), ids, y_pred
    )
    expected = [-np.log(y_pred[0, 0]), 0.0, -np.log(y_pred[2, 1])]
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_crossentropy_over_another_axis():
    y_true, y_pred = one_hot(5, 3, 4), probabilities(5, 3, 4)
    usual = losses.categorical_crossentropy(y_true, y_pred)
    moved = losses.categorical_crossentropy(y_true.swapaxes(1, 2), y_pred.swapaxes(1, 2), axis=1)
    np.testing.assert_allclose(moved, usual, rtol=1e-6)
    binary = losses.binary_crossentropy(y_true, y_pred, axis=1)
    np.testing.assert_allclose(
        binary, losses.binary_crossentropy(y_true.swapaxes(1, 2), y_pred.swapaxes(1, 2)), rtol=1e-5
    )


def test_impossible_predictions_cost_as_much_as_the_clip_allows():
    worst = -np.log(np.float32(1e-7))
    found = losses.categorical_crossentropy([[1.0, 0.0]], [[0.0, 1.0]])
    np.testing.assert_allclose(found, [worst], rtol=1e-5)
    np.testing.assert_allclose(losses.binary_crossentropy([[1.0]], [[0.0]]), [worst], rtol=1e-5)


def test_unnormalised_outputs_are_divided_by_their_sum():
    y_true, y_pred = one_hot(4, 3), probabilities(4, 3)
    np.testing.assert_allclose(
        losses.categorical_crossentropy(y_true, 7 * y_pred),
        losses.categorical_crossentropy(y_true, y_pred),
        rtol=1e-5,
    )


def test_a_vector_of_targets_follows_a_column_of_predictions():
    found = losses.mean_squared_error(np.array([0.0, 1.0, 2.0]), np.zeros((3, 1), "float32"))
    np.testing.assert_allclose(found, [0.0, 1.0, 4.0])
    found = losses.mean_squared_error(np.zeros((2, 1, 1), "float32"), np.ones((2, 1), "float32"))
    assert found.shape == (2,)


CLASSES = [
    ("MeanSquaredError", {}),
    ("MeanAbsoluteError", {}),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}),
    ("SparseCategoricalCrossentropy", {}),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "options"), CLASSES)
def test_loss_classes(name, options, reduction, weighted):
    y_pred = probabilities(5, 3)
    y_true = one_hot(5, 3) if "Sparse" not in name else np.array([0, 2, 1, 1, 0], "int32")
    weight = np.array([1.0, 0.0, 2.0, 0.5, 3.0], "float32") if weighted else None
    options = {**options, "reduction": reduction}
    ours = getattr(losses, name)(**options)(y_true, y_pred, sample_weight=weight)
    theirs = getattr(keras.losses, name)(**options)(y_true, y_pred, sample_weight=weight)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "mask", [[[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, 0]]]
)
def test_masked_reduction_is_keras_3s(mask, weighted):
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32")
    mask = np.array(mask, bool)
    weight = np.array([[2.0, 1.0, 1.0], [0.5, 0.0, 1.0]], "float32") if weighted else None
    from_keras = keras.src.losses.loss.reduce_weighted_values
    theirs = from_keras(values, sample_weight=weight, mask=mask, dtype="float32")
    np.testing.assert_allclose(losses.reduce_loss(values, weight, mask), theirs, rtol=1e-5)


def test_weights_of_samples_broadcast_over_their_steps():
    values, weight = np.ones((2, 3), "float32"), np.array([1.0, 3.0], "float32")
    assert float(losses.reduce_loss(values, weight)) == 2.0
    # A mask with more axes than the values is averaged.
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    values = np.array([2.0, 4.0], "float32")
    np.testing.assert_allclose(losses.reduce_loss(values, None, mask), (1 + 4) / 1.5, rtol=1e-6)


def test_reduction_names():
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`"):
        losses.MeanSquaredError(reduction="average")
    assert losses.MeanSquaredError(reduction=None).reduction == "none"


def test_get_and_serialize():
    for name in ("mse", "MSE", "mean_squared_error"):
        assert losses.get(name) is losses.mean_squared_error
    assert losses.get(None) is None
    assert isinstance(losses.get(losses.MeanAbsoluteError), losses.MeanAbsoluteError)
    assert isinstance(losses.get("MeanAbsoluteError"), losses.MeanAbsoluteError)
    assert losses.get(min) is min
    assert losses.serialize(losses.mean_squared_error) == "mean_squared_error"
    smooth = losses.BinaryCrossentropy(label_smoothing=0.2, name="bce")
    again = losses.deserialize(losses.serialize(smooth))
    assert again.get_config() == smooth.get_config()
    with pytest.raises(ValueError, match="Unknown loss function: foo"):
        losses.get("foo")
    with pytest.raises(ValueError, match="Could not interpret loss function identifier: 3"):
        losses.get(3)


def test_a_loss_class_of_the_users():
    class Cubed(losses.Loss):
        def call(self, y_true, y_pred):
            return (y_pred - y_true) ** 3

    assert float(Cubed()(np.zeros((1, 1), "float32"), np.full((1, 1), 2.0, "float32"))) == 8.0
    assert Cubed().name == "Cubed"
    with pytest.raises(NotImplementedError, match="Loss must define call"):
        losses.Loss()(np.zeros(1), np.zeros(1))


def test_binary_accuracy():
    y_true = np.array([[1.0, 0.0], [1.0, 1.0]], "float32")
    y_pred = np.array([[0.6, 0.5], [0.5, 0.2]], "float32")
    np.testing.assert_array_equal(both_ways(metrics.binary_accuracy, y_true, y_pred), [1.0, 0.0])
    low = both_ways(lambda t, p: metrics.binary_accuracy(t, p, threshold=0.4), y_true, y_pred)
    np.testing.assert_array_equal(low, [0.5, 0.5])
    column = both_ways(metrics.binary_accuracy, y_true[:, :1], y_pred[:, :1])
    np.testing.assert_array_equal(column, [1.0, 0.0])


@pytest.mark.parametrize("shape", [(20, 4), (7, 3, 4)])
def test_categorical_accuracies(shape):
    y_true, y_pred = one_hot(*shape), probabilities(*shape)
    theirs = keras.metrics.categorical_accuracy(y_true, y_pred)
    np.testing.assert_array_equal(
        both_ways(metrics.categorical_accuracy, y_true, y_pred), np.asarray(theirs)
    )
    ids = y_true.argmax(-1).astype("int32")
    for sparse in (ids, ids[..., None], ids.astype("float32")):
        found = both_ways(metrics.sparse_categorical_accuracy, sparse, y_pred)
        np.testing.assert_array_equal(found, np.asarray(theirs))


def test_metrics_get():
    assert metrics.get("mae") is metrics.mean_absolute_error
    assert (
        metrics.deserialize(metrics.serialize(metrics.binary_accuracy)) is metrics.binary_accuracy
    )
    with pytest.raises(ValueError, match="Unknown metric function: foo"):
        metrics.get("foo")


@pytest.mark.parametrize(
    ("loss", "target", "output", "accuracy", "entropy"),
    [
        ("binary_crossentropy", (1,), (1,), "binary", "binary"),
        ("binary_crossentropy", (4,), (4,), "binary", "binary"),
        ("mse", (1,), (1,), "binary", "binary"),
        ("categorical_crossentropy", (4,), (4,), "categorical", "categorical"),
        ("mse", (4,), (4,), "categorical", "categorical"),
        ("sparse_categorical_crossentropy", (1,), (4,), "sparse_categorical", "sparse_categorical"),
        (lambda t, p: p, (1,), (4,), "sparse_categorical", "sparse_categorical"),
        (losses.BinaryCrossentropy(), (4,), (4,), "binary", "binary"),
    ],
)
def test_accuracy_and_crossentropy_depend_on_the_loss(loss, target, output, accuracy, entropy):
    y_true, y_pred = input_node((BATCH, *target)), input_node((BATCH, *output))
    loss = losses.get(loss)
    for name in ("acc", "accuracy"):
        found = metrics.resolve(name, loss, y_true, y_pred)
        assert found is getattr(metrics, f"{accuracy}_accuracy")
    for name in ("ce", "crossentropy"):
        found = metrics.resolve(name, loss, y_true, y_pred)
        assert found is getattr(losses, f"{entropy}_crossentropy")
    assert metrics.resolve("mse", loss, y_true, y_pred) is losses.mean_squared_error
