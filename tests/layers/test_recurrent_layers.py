"""SimpleRNN, GRU and LSTM against Keras 3: values, gradients, masks, directions, states."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random

from kgraph import layers
from kgraph.ir import Graph
from kgraph.layers import GRU, LSTM, Input, Masking, SimpleRNN
from kgraph.models import Model
from kgraph.runtime.interp import interpret

X = random(3, 4, 5)


def both(kind, **arguments):
    """The layer here and in Keras 3."""
    theirs = {k: v for k, v in arguments.items() if k != "implementation"}
    return getattr(layers, kind)(3, **arguments), getattr(keras.layers, kind)(3, **theirs)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("SimpleRNN", {}),
        ("SimpleRNN", {"activation": "relu", "use_bias": False, "go_backwards": True}),
        ("GRU", {"reset_after": False, "return_sequences": True}),
        ("GRU", {"reset_after": True, "return_sequences": True, "go_backwards": True}),
        ("GRU", {"reset_after": True, "use_bias": False, "recurrent_activation": "softmax"}),
        ("LSTM", {}),
        ("LSTM", {"return_sequences": True, "go_backwards": True, "implementation": 1}),
        ("LSTM", {"use_bias": False, "recurrent_activation": "softmax", "unroll": True}),
    ],
)
def test_like_keras(kind, arguments):
    check_like_keras(*both(kind, **arguments), X)


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_many_features_are_projected_before_they_are_turned(kind):
    arguments = {"reset_after": False} if kind == "GRU" else {}
    check_like_keras(*both(kind, return_sequences=True, **arguments), random(2, 3, 20))


def masked_pair(kind, x, **arguments):
    """Models of Masking and the layer, here and in Keras 3."""
    mine, theirs = both(kind, **arguments)
    a, b = Input(x.shape[1:]), keras.Input(x.shape[1:])
    return Model(a, mine(Masking()(a))), keras.Model(b, theirs(keras.layers.Masking()(b)))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("SimpleRNN", {"return_sequences": True, "unroll": True}),
        ("GRU", {"reset_after": True}),
        ("LSTM", {"return_sequences": True}),
        ("LSTM", {"return_sequences": True, "zero_output_for_mask": True, "go_backwards": True}),
    ],
)
def test_masks_like_keras(kind, arguments):
    x = random(5, 4, 2)
    x[0, 2:] = x[1, :2] = x[2, 1] = x[3] = 0  # right, left, a hole, all
    check_like_keras(*masked_pair(kind, x, **arguments), x)


def joined(package, keep, x, states):
    """A model of a layer with states in and out, with one output."""
    inputs = [package.Input(a.shape[1:]) for a in (x, *states)]
    outputs = keep(inputs[0], initial_state=inputs[1:])
    flat = [package.layers.Flatten()(y) if len(y.shape) > 2 else y for y in outputs]
    return package.Model(inputs, package.layers.Concatenate()(flat))


class Here:
    """This package in the shape of Keras."""

    Input, Model, layers = staticmethod(Input), Model, layers


@pytest.mark.parametrize(
    ("kind", "arguments", "count"),
    [
        ("SimpleRNN", {"return_sequences": True}, 1),
        ("GRU", {"reset_after": True, "go_backwards": True}, 1),
        ("LSTM", {"return_sequences": True}, 2),
    ],
)
def test_states_in_and_out_like_keras(kind, arguments, count):
    mine, theirs = both(kind, return_state=True, **arguments)
    states = [random(3, 3, seed=i) for i in range(count)]
    models = joined(Here, mine, X, states), joined(keras, theirs, X, states)
    check_like_keras(*models, X, *states)


RNN_ARGUMENTS = {"activation": None, "kernel_initializer": "ones", "recurrent_initializer": "ones"}
STEPS = np.array([[[1.0], [2.0], [3.0], [2.0]]], "float32")
MASK = np.array([[False, True, False, True]])


@pytest.mark.parametrize("unroll", [False, True])
def test_sums_by_hand(unroll):
    def run(mask=None, **arguments):
        layer = SimpleRNN(1, return_sequences=True, unroll=unroll, **RNN_ARGUMENTS, **arguments)
        return layer(STEPS, mask=mask).ravel().tolist()

    assert run() == [1, 3, 6, 8]
    assert run(go_backwards=True) == [2, 5, 7, 8]
    assert run(MASK) == [0, 2, 2, 4]
    assert run(MASK, go_backwards=True) == [2, 2, 4, 4]
    assert run(MASK, zero_output_for_mask=True) == [0, 2, 0, 4]


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_masked_steps_put_out_zeros_before_the_first_output(unroll, sequences):
    layer = SimpleRNN(
        1, return_sequences=sequences, return_state=True, unroll=unroll, **RNN_ARGUMENTS
    )
    start = np.array([[5.0]], "float32")
    y, state = layer(STEPS, mask=MASK, initial_state=start)
    assert y.ravel().tolist() == ([0, 7, 7, 9] if sequences else [9])
    assert state.tolist() == [[9]]
    y, state = layer(STEPS, mask=np.zeros_like(MASK), initial_state=[start])
    assert not y.any()
    assert state.tolist() == [[5]]


@pytest.mark.parametrize("kind", [SimpleRNN, GRU, LSTM])
@pytest.mark.parametrize("time", [0, 1, 2, 7])
def test_sizes(kind, time):
    layer = kind(2, return_sequences=True, return_state=True)
    last = kind(2, weights=None)
    model = Model(x := Input((None, 3)), layer(x))
    for rows in (0, 1, 5):
        x = random(rows, time, 3)
        y, h, *_ = model.predict(x) if rows else layer(x)
        assert y.shape == (rows, time, 2)
        np.testing.assert_allclose(h, y[:, -1] if time else np.zeros((rows, 2)))
        last(x)
        last.set_weights(layer.get_weights())
        np.testing.assert_allclose(last(x), h, 1e-6, 1e-6)


@pytest.mark.parametrize("kind", [SimpleRNN, GRU, LSTM])
def test_written_out_steps_are_the_same(kind):
    x, mask = random(3, 4, 2), random(3, 4) > 0
    arguments = {"return_sequences": True, "return_state": True, "go_backwards": True}
    a, b = kind(2, **arguments), kind(2, unroll=True, **arguments)
    b(x)
    a(x)
    b.set_weights(a.get_weights())
    for found, wanted in zip(b(x, mask=mask), a(x, mask=mask), strict=True):
        np.testing.assert_allclose(found, wanted, 1e-6, 1e-6)


def test_identity_is_tiled_and_the_forget_bias_starts_from_one():
    layer = LSTM(2, recurrent_initializer="identity", bias_initializer="ones")
    layer(X)
    np.testing.assert_array_equal(layer.get_weights()[1], np.tile(np.eye(2), 4))
    layer = LSTM(2, bias_initializer=lambda shape, dtype=None: np.full(shape, 3.0, dtype))
    layer(X)
    assert layer.get_weights()[2].tolist() == [3, 3, 1, 1, 3, 3, 3, 3]
    layer = LSTM(2, unit_forget_bias=False)
    layer(X)
    assert not layer.get_weights()[2].any()


def test_shapes_of_weights_and_outputs():
    gru = GRU(2, reset_after=True, return_sequences=True, return_state=True)
    y, h = gru(Input((None, 5)))
    assert y._keras_shape == (None, None, 2)
    assert h._keras_shape == (None, 2)
    assert [w.shape for w in gru.get_weights()] == [(5, 6), (2, 6), (2, 6)]
    assert gru.compute_output_shape((None, 7, 5)) == [(None, 7, 2), (None, 2)]
    assert LSTM(2).compute_output_shape((None, 7, 5)) == (None, 2)
    assert [w.name for w in gru.weights] == [f"{gru.name}/{n}" for n in
                                             ("kernel", "recurrent_kernel", "bias")]  # fmt: skip
    assert (gru.units, gru.reset_after, gru.state_size) == (2, True, 2)


def test_penalties_constraints_and_activity():
    layer = LSTM(2, kernel_regularizer="l2", recurrent_regularizer="l1", bias_constraint="nonneg",
                 activity_regularizer="l2")  # fmt: skip
    other = keras.layers.LSTM(2, kernel_regularizer="l2", recurrent_regularizer="l1")
    layer(X)
    other.build(X.shape)
    other.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        sorted(np.asarray(v) for v in other.losses),
        sorted(_value(loss) for loss in layer.penalties()),
        rtol=1e-5,
    )
    assert layer.weights[2].constraint is not None
    assert layer.get_config()["activity_regularizer"]["class_name"] == "L1L2"


def _value(node):
    return float(interpret(Graph((), (("y", node),)), [])[0][0])


@pytest.mark.parametrize(
    "layer",
    [
        SimpleRNN(2, "relu", False, dropout=0.1, stateful=True),
        GRU(2, reset_after=True, seed=3, implementation=1, unroll=True),
        LSTM(2, unit_forget_bias=False, kernel_regularizer="l2", zero_output_for_mask=True,
             return_sequences=True, return_state=True, go_backwards=True, input_shape=(4, 5)),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_configuration(layer):
    again = check_config(layer)
    assert type(again) is type(layer)
    copy = layers.deserialize(layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
