"""Embedding: rows, gradients, masks, lengths, and ids that do not exist."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, mask_values, random

from kgraph.layers import Embedding, Input
from kgraph.models import Sequential

IDS = np.array([[1, 2, 1], [0, 9, 1]], "int32")


@pytest.mark.parametrize("ids", [IDS, IDS[:, 0], IDS[:, None, :], IDS[:0]])
def test_like_keras(ids):
    check_like_keras(Embedding(10, 4), keras.layers.Embedding(10, 4), ids)


def test_floats_and_long_integers_are_ids_too():
    layer = Embedding(10, 4)
    expected = layer(IDS)
    np.testing.assert_array_equal(layer(IDS.astype("float32")), expected)
    np.testing.assert_array_equal(layer(IDS.astype("int64")), expected)
    np.testing.assert_array_equal(layer(IDS.astype("uint8")), expected)


def test_initial_values_are_uniform():
    layer = Embedding(1000, 20)
    layer(IDS)
    values = layer.get_weights()[0]
    assert 0.0495 < abs(values).max() <= 0.05
    table = random(10, 4)
    np.testing.assert_array_equal(Embedding(10, 4, weights=[table])(IDS), table[IDS])


@pytest.mark.parametrize("wrong", [10, 10_000, -1])
def test_ids_outside_the_table_are_errors(wrong):
    layer = Embedding(10, 4)
    ids = IDS.copy()
    ids[1, 1] = wrong
    with pytest.raises(IndexError, match=rf"id {wrong} is out of bounds for an axis of size 10"):
        layer(ids)


def test_masks():
    np.testing.assert_array_equal(
        mask_values(Embedding(10, 4, mask_zero=True), [IDS], [None]), IDS != 0
    )
    assert mask_values(Embedding(10, 4), [IDS], [None]) is None


def test_a_sequential_model_feeds_it_integers():
    model = Sequential([Embedding(10, 4)])
    assert model.inputs[0].dtype == "int32"
    assert model.output_shape == (None, None, 4)


def test_shapes():
    assert Embedding(10, 4).batch_input_shape == (None, None)
    assert Embedding(10, 4, input_length=7).batch_input_shape == (None, 7)
    assert Embedding(10, 4, input_length=(7, None)).batch_input_shape == (None, 7, None)
    assert Embedding(10, 4, batch_input_shape=(2, 3)).batch_input_shape == (2, 3)
    assert Embedding(10, 4)(Input((5,), dtype="int32"))._keras_shape == (None, 5, 4)
    assert Embedding(10, 4).compute_output_shape((None, 5)) == (None, 5, 4)
    assert Embedding(10, 4, input_length=7).compute_output_shape((2, None)) == (2, 7, 4)
    two = Embedding(10, 4, input_length=(7, None))
    assert two.compute_output_shape((2, 7, 3)) == (2, 7, 3, 4)
    for length, shape in ((3, (None, 4)), ((3, 4), (None, 3))):
        with pytest.raises(ValueError, match=r'"input_length" is .* but received input has shape'):
            Embedding(10, 4, input_length=length).compute_output_shape(shape)
    with pytest.raises(ValueError, match='"input_length" is 3'):
        Embedding(10, 4, input_length=3)(IDS[:, :2])


def test_configuration():
    layer = Embedding(10, 4, mask_zero=True, input_length=3, embeddings_constraint="unit_norm",
                      embeddings_regularizer="l2")  # fmt: skip
    again = check_config(layer)
    assert again.batch_input_shape == (None, 3)
    assert layer.get_config()["embeddings_initializer"] == {
        "class_name": "RandomUniform",
        "config": {"minval": -0.05, "maxval": 0.05, "seed": None},
    }
    for arguments in ((0, 4), (10, -1), (2.5, 1)):
        with pytest.raises(ValueError, match="expected a positive integer"):
            Embedding(*arguments)
