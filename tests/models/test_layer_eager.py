"""Layers called on arrays."""

import numpy as np
import pytest

from kgraph import config
from kgraph.layers import Add, BatchNormalization, Dense, Dropout, Lambda, Layer


def test_a_layer_runs_on_arrays_and_casts_float64():
    layer = Dense(2, kernel_initializer="ones")
    out = layer(np.ones((3, 4)))
    assert out.dtype == np.float32
    assert out.tolist() == [[4, 4]] * 3
    assert layer(np.ones((5, 4))).shape == (5, 2)
    assert layer.inbound_nodes == []


def test_numbers_in_lists_are_one_array():
    assert Lambda(lambda x: x * 2)([[1.0, 2.0]]).tolist() == [[2, 4]]


def test_lists_of_arrays_stay_lists():
    total = Add()([np.ones((2, 3), "float32"), np.ones((2, 3), "float32")])
    assert total.tolist() == [[2, 2, 2]] * 2


def test_arrays_of_different_lengths_work():
    out = Lambda(lambda x: x[0] * x[1])([np.ones((4, 1)), np.ones((1, 3))])
    assert out.shape == (4, 3)
    assert Lambda(lambda x: x * 2)(np.float32(3)) == 6


def test_training_updates_state_and_draws_anew():
    layer = BatchNormalization()
    x = np.random.default_rng(0).normal(5, 1, (64, 3)).astype("float32")
    layer(x, training=True)
    assert (layer.get_weights()[2] > 0.01).all()
    drop = Dropout(0.5)
    ones = np.ones((4, 50), "float32")
    assert not np.array_equal(drop(ones, training=True), drop(ones, training=True))
    assert np.array_equal(drop(ones), ones)


def test_new_weights_are_seen_by_the_compiled_call():
    layer = Dense(1, kernel_initializer="zeros")
    x = np.ones((1, 2), "float32")
    assert layer(x)[0, 0] == 0
    layer.set_weights([np.ones((2, 1)), np.ones(1)])
    assert layer(x)[0, 0] == 3


def test_freezing_is_seen_by_the_compiled_call():
    layer = BatchNormalization()
    x = np.array([[1.0], [3.0]], "float32")
    assert abs(layer(x, training=True).mean()) < 1e-6
    layer.trainable = False
    frozen = layer(x, training=True)
    assert frozen.mean() > 1


def test_the_cache_of_compiled_calls_is_bounded(monkeypatch):
    monkeypatch.setattr(config, "plan_cache_size", 3)
    layer = Lambda(lambda x: x + 1)
    for width in range(1, 7):
        layer(np.ones((2, width), "float32"))
    assert len(layer._eager) == 3


def test_structures_come_back_as_call_returned_them():
    class Split(Layer):
        def call(self, inputs):
            return {"a": inputs, "b": [inputs * 2, (inputs * 3,)]}

    out = Split()(np.ones((1,), "float32"))
    assert out["b"][1][0].tolist() == [3]


def test_nothing_to_compute_on_is_an_error():
    with pytest.raises(ValueError, match="isn't a symbolic tensor"):
        Dense(2)([])
