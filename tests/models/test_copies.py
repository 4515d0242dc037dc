"""Copies of models: what they share, and what is their own."""

import copy

import numpy as np
import pytest
from model_samples import ones, two_headed

from kgraph.layers import (
    Add,
    Dense,
    Dropout,
    Input,
    Lambda,
)
from kgraph.models import Model, Sequential, clone_model


def test_deepcopy_keeps_values_and_shares_nothing():
    model = two_headed()
    again = copy.deepcopy(model)
    data = [np.ones((2, 100), "int32"), ones(2, 5)]
    for a, b in zip(model(data), again(data), strict=True):
        assert np.array_equal(a, b)
    assert not set(model.weights) & set(again.weights)


def test_clone_model_has_fresh_weights_and_the_same_sharing():
    a, b = Input((3,)), Input((3,))
    shared = Dense(2)
    inner = Sequential([Dense(2, input_shape=(2,), name="in_inner")], name="inner")
    model = Model([a, b], Add()([inner(shared(a)), shared(b)]))
    copy_ = clone_model(model)
    assert copy_.to_json() == model.to_json()
    assert not set(model.weights) & set(copy_.weights)
    assert len(copy_.get_layer(shared.name).inbound_nodes) == 2
    assert copy_.get_layer("inner").layers[0] is not inner.layers[0]


def test_clone_model_with_a_function():
    x = Input((3,))
    model = Model(x, Dense(1, name="out")(Dropout(0.5, name="drop")(x)))

    def weaker(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, "rate": 0.1} if layer.name == "drop" else config)

    assert clone_model(model, clone_function=weaker).get_layer("drop").rate == 0.1
    chain = Sequential([Dropout(0.5, name="drop"), Dense(2)])
    assert clone_model(chain, clone_function=weaker).layers[0].rate == 0.1
    chain.build((None, 3))
    assert clone_model(chain, clone_function=weaker).input_shape == (None, 3)


def test_clone_model_on_given_tensors():
    x = Input((3,))
    model = Model(x, Dense(2)(x))
    y = Input((3,), name="fresh")
    copied = clone_model(model, input_tensors=y)
    assert copied.input is y
    assert [type(layer).__name__ for layer in copied.layers] == ["InputLayer", "Dense"]
    with pytest.raises(ValueError, match="to be a `Model` instance"):
        clone_model(Dense(2))


def test_clones_of_lambdas_keep_their_functions():
    x = Input((3,))

    def triple(t):
        return t * 3

    model = Model(x, Lambda(lambda t: t + 1)(Lambda(triple)(x)))
    for copied in (clone_model(model), copy.copy(model), copy.deepcopy(model)):
        assert copied(ones(1, 3)).tolist() == [[4, 4, 4]]
