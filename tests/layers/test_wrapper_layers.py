"""Bidirectional and TimeDistributed against Keras 3, and their masks, names and configurations."""

import keras
import numpy as np
import pytest
from layer_harness import build_call, check_config, check_like_keras, mask_values, random

from kgraph import layers
from kgraph.ir.graph import toposort
from kgraph.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    Embedding,
    Flatten,
    Input,
    Lambda,
    Masking,
    SimpleRNN,
    SimpleRNNCell,
    TimeDistributed,
    Wrapper,
)
from kgraph.models import Model, Sequential
from kgraph.utils import register_keras_serializable

X = random(3, 4, 5)


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
def test_merge_modes_like_keras_with_masks(mode):
    x = X.copy()
    x[0, 2:] = x[1, :2] = x[2, 1] = 0
    sequences = mode != "ave"
    a, b = Input((4, 5)), keras.Input((4, 5))
    mine = Bidirectional(GRU(3, return_sequences=sequences), merge_mode=mode)
    inner = keras.layers.GRU(3, return_sequences=sequences, reset_after=False)
    other = keras.layers.Bidirectional(inner, merge_mode=mode)
    pair = Model(a, mine(Masking()(a))), keras.Model(b, other(keras.layers.Masking()(b)))
    check_like_keras(*pair, x)


def test_states_like_keras():
    arguments = {"return_sequences": True, "return_state": True}
    mine = Bidirectional(LSTM(3, **arguments), merge_mode=None)
    other = keras.layers.Bidirectional(keras.layers.LSTM(3, **arguments), merge_mode=None)
    states = [random(3, 3, seed=i) for i in range(4)]
    x, *h = [Input(a.shape[1:]) for a in (X, *states)]
    y, *g = [keras.Input(a.shape[1:]) for a in (X, *states)]
    outputs, wanted = mine(x, initial_state=h), other(y, initial_state=g)
    assert len(outputs) == len(wanted) == 6
    join, other_join = layers.Concatenate(), keras.layers.Concatenate()
    flat, other_flat = Flatten, keras.layers.Flatten
    check_like_keras(
        Model([x, *h], join([flat()(t) if t.ndim > 2 else t for t in outputs])),
        keras.Model([y, *g], other_join([other_flat()(t) if t.ndim > 2 else t for t in wanted])),
        X,
        *states,
    )
    eager = mine(X, initial_state=states)
    for a, b in zip(eager, Model([x, *h], outputs).predict([X, *states]), strict=True):
        np.testing.assert_allclose(a, b, 1e-6, 1e-6)


def test_another_backward_layer():
    backward = SimpleRNN(2, "relu", go_backwards=True, name="mine")
    layer = Bidirectional(SimpleRNN(3), backward_layer=backward)
    assert layer(X).shape == (3, 5)
    assert layer.backward_layer is backward
    np.testing.assert_allclose(layer(X)[:, 3:], backward(X), 1e-6)
    again = check_config(layer)
    assert again.backward_layer.name == "mine"


def test_names_order_of_weights_and_shapes():
    layer = Bidirectional(LSTM(3, name="lstm_7", return_sequences=True), name="both")
    y = layer(Input((None, 5)))
    assert y._keras_shape == (None, None, 6)
    assert [w.name for w in layer.weights] == [
        f"both/{direction}_lstm_7/{name}"
        for direction in ("forward", "backward")
        for name in ("kernel", "recurrent_kernel", "bias")
    ]
    assert layer.backward_layer.go_backwards
    for mode, wanted in (("sum", (None, 4, 3)), (None, [(None, 4, 3)] * 2)):
        copy = Bidirectional(LSTM(3, return_sequences=True), merge_mode=mode)
        assert copy.compute_output_shape((None, 4, 5)) == wanted
    states = Bidirectional(LSTM(3, return_state=True))
    assert states.compute_output_shape((None, 4, 5)) == [(None, 6)] + [(None, 3)] * 4
    weights = layer.get_weights()
    given = Bidirectional(LSTM(3, return_sequences=True), weights=weights)
    np.testing.assert_array_equal(given(X), layer(X))


def test_bidirectional_configuration():
    layer = Bidirectional(RNN([SimpleRNNCell(2), SimpleRNNCell(3)], name="stack"), "ave", name="b")
    again = check_config(layer)
    assert again.forward_layer.name == "forward_stack"
    assert again.backward_layer.name == "backward_stack"
    again(X)
    layer(X)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(X), layer(X))


def test_bidirectional_masks():
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 1]], bool)
    sequences = Bidirectional(GRU(2, return_sequences=True))
    np.testing.assert_array_equal(mask_values(sequences, [X], [mask]), mask)
    y = sequences(X, mask=mask)
    assert not y[~mask].any()
    assert mask_values(Bidirectional(GRU(2)), [X], [mask]) is None


def test_what_bidirectional_refuses():
    with pytest.raises(ValueError, match="Invalid merge mode"):
        Bidirectional(GRU(2), merge_mode="max")
    with pytest.raises(ValueError, match="initialize `Bidirectional` layer with a `Layer`"):
        Bidirectional(3)
    with pytest.raises(ValueError, match="takes recurrent layers"):
        Bidirectional(Dense(2))
    with pytest.raises(ValueError, match="should have different `go_backwards` value"):
        Bidirectional(GRU(2), backward_layer=GRU(2))
    with pytest.raises(ValueError, match='the same value for attribute "return_sequences"'):
        Bidirectional(GRU(2), backward_layer=GRU(2, go_backwards=True, return_sequences=True))
    with pytest.raises(ValueError, match="an even number"):
        Bidirectional(GRU(2))(X, initial_state=[random(3, 2)])


# -- TimeDistributed -----------------------------------------------------------------------------
def test_dense_in_time_like_keras():
    other = keras.layers.TimeDistributed(keras.layers.Dense(3))
    check_like_keras(TimeDistributed(Dense(3)), other, X)


@register_keras_serializable("tests")
def neighbours(x):
    """What a convolution does: each pixel takes from the next one."""
    return x[:, :-1] * 2 + x[:, 1:]


def test_inner_layers_with_more_axes():
    x = random(2, 3, 4, 5)
    layer = TimeDistributed(Lambda(neighbours))
    np.testing.assert_allclose(layer(x), x[:, :, :-1] * 2 + x[:, :, 1:], 1e-6)
    assert layer(Input((None, 4, 5)))._keras_shape == (None, None, 3, 5)
    check_config(layer)
    inner = LSTM(3)
    y = TimeDistributed(inner)(x)
    np.testing.assert_allclose(y[1], inner(x[1]), 1e-5, 1e-6)
    block = Sequential([Flatten(input_shape=(4, 5)), Dense(2)])
    assert TimeDistributed(block)(Input((None, 4, 5)))._keras_shape == (None, None, 2)


@pytest.mark.parametrize(("rows", "time"), [(0, 3), (1, 1), (2, 0), (5, 7)])
def test_symbolic_sizes(rows, time):
    model = Model(x := Input((None, 5)), TimeDistributed(Dense(3, "relu"))(x))
    assert model.output_shape == (None, None, 3)
    array = random(rows, time, 5)
    assert model(array).shape == (rows, time, 3)


def test_masks_go_to_each_step():
    inner = LSTM(3)
    layer = TimeDistributed(inner)
    x, mask = random(2, 3, 4, 5), random(2, 3, 4) > 0
    mask[1, 2] = False
    np.testing.assert_allclose(layer(x, mask=mask)[1], inner(x[1], mask=mask[1]), 1e-5, 1e-6)
    np.testing.assert_array_equal(mask_values(layer, [x], [mask]), mask.any(-1))
    steps = X[:, :, 0] > 0
    np.testing.assert_array_equal(mask_values(TimeDistributed(Dense(2)), [X], [steps]), steps)
    sequences = TimeDistributed(LSTM(3, return_sequences=True))
    np.testing.assert_array_equal(mask_values(sequences, [x], [mask]), mask)
    model = Sequential([Embedding(9, 4, mask_zero=True), TimeDistributed(Dense(3)), LSTM(2)])
    ids = np.array([[1, 2, 0, 0]])
    np.testing.assert_allclose(model.predict(ids), model.predict(ids[:, :2]), 1e-5, 1e-6)


FILM = random(2, 3, 6, 5, 2)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "activation": "relu"}),
        ("Conv2D", {"filters": 2, "kernel_size": (3, 2), "data_format": "channels_first"}),
        ("SeparableConv2D", {"filters": 3, "kernel_size": 2, "padding": "same"}),
        ("MaxPooling2D", {}),
    ],
)
def test_convolutions_of_each_picture_like_keras(kind, arguments):
    layer = TimeDistributed(getattr(layers, kind)(**arguments))
    other = keras.layers.TimeDistributed(getattr(keras.layers, kind)(**arguments))
    assert layer.compute_output_shape(FILM.shape) == tuple(other.compute_output_shape(FILM.shape))
    check_like_keras(layer, other, FILM)
    check_config(layer)
    # The pictures are one large batch: no loop.
    names = [n.op.name for n in toposort([build_call(layer, [FILM])[1]])]
    assert names.count("scan") == 0
    assert names.count("conv") <= 1


@pytest.mark.parametrize(("mode", "sequences"), [("concat", True), ("mul", False)])
def test_films_in_both_directions_like_keras(mode, sequences):
    arguments = {"filters": 2, "kernel_size": 2, "padding": "same", "return_sequences": sequences}
    layer = Bidirectional(layers.ConvLSTM2D(**arguments), mode)
    other = keras.layers.Bidirectional(keras.layers.ConvLSTM2D(**arguments), mode)
    x = FILM[:, :, :3, :2]
    assert layer.compute_output_shape(x.shape) == tuple(other.compute_output_shape(x.shape))
    check_like_keras(layer, other, x)
    check_config(layer)


def test_a_network_of_films():
    model = Sequential([
        TimeDistributed(layers.Conv2D(4, 3, activation="relu"), input_shape=(None, 6, 5, 2)),
        TimeDistributed(layers.GlobalAveragePooling2D()), Bidirectional(GRU(3)), Dense(1),
    ])  # fmt: skip
    assert [layer.output_shape for layer in model.layers] == [
        (None, None, 4, 3, 4), (None, None, 4), (None, 6), (None, 1)
    ]  # fmt: skip
    model.compile("sgd", "mse")
    first = model.train_on_batch(FILM, random(2, 1))
    for _ in range(20):
        last = model.train_on_batch(FILM, random(2, 1))
    assert last < first
    for rows, time in ((0, 3), (1, 1), (3, 0)):
        assert model.predict(random(rows, time, 6, 5, 2), verbose=0).shape == (rows, 1)


def test_wrapper_configuration_and_errors():
    check_config(TimeDistributed(Dense(3, name="inner"), name="outer", input_shape=(2, 3)))
    layer = TimeDistributed(Dense(3, name="inner"), name="outer")
    with pytest.raises(ValueError, match="at least 3 dimensions"):
        layer(Input((5,)))
    with pytest.raises(ValueError, match="initialize `TimeDistributed` layer with a `Layer`"):
        TimeDistributed(Input((3,)))
    layer(X)
    assert [w.name for w in layer.weights] == ["outer/inner/kernel", "outer/inner/bias"]
    assert issubclass(Bidirectional, Wrapper)
    with pytest.raises(AttributeError, match="Layer must be stateful"):
        TimeDistributed(LSTM(2)).reset_states()
