"""ConvLSTM1D, 2D and 3D against Keras 3: values, gradients, masks, states, configurations."""

import keras
import numpy as np
import pytest
from layer_harness import build_call, check_config, check_like_keras, random

from kgraph import layers
from kgraph.ir.graph import toposort
from kgraph.layers import (
    RNN,
    Bidirectional,
    ConvLSTM1D,
    ConvLSTM1DCell,
    ConvLSTM2D,
    ConvLSTM2DCell,
    ConvLSTM3D,
    Dense,
    Flatten,
    Input,
    Masking,
)
from kgraph.layers.convolutional_recurrent import ConvLSTM
from kgraph.models import Model, Sequential, model_from_json
from kgraph.optimizers import Adam

X1, X1F = random(2, 3, 6, 2), random(2, 3, 2, 6)
X2, X3 = random(2, 3, 5, 4, 2), random(2, 2, 3, 4, 3, 1)
FIRST = {"data_format": "channels_first"}
LIKE_KERAS = [
    ("ConvLSTM1D", {"kernel_size": 3, "return_sequences": True, "go_backwards": True}, X1),
    ("ConvLSTM1D", {"kernel_size": 2, "dilation_rate": 2, "use_bias": False, **FIRST}, X1F),
    ("ConvLSTM2D", {"kernel_size": (3, 2), "padding": "same", "return_sequences": True}, X2),
    ("ConvLSTM2D", {"kernel_size": 2, "strides": (2, 1), "recurrent_activation": "relu"}, X2),
    ("ConvLSTM2D", {"kernel_size": (3, 1), "activation": "softmax", **FIRST}, X2),
    ("ConvLSTM3D", {"kernel_size": 2, "padding": "same", "strides": 2}, X3),
]


def both(kind, **arguments):
    """The layer here and in Keras 3, with two filters."""
    return getattr(layers, kind)(2, **arguments), getattr(keras.layers, kind)(2, **arguments)


@pytest.mark.parametrize(("kind", "arguments", "x"), LIKE_KERAS)
def test_like_keras(kind, arguments, x):
    layer, other = both(kind, **arguments)
    expected = tuple(other.compute_output_shape(x.shape))
    assert layer.compute_output_shape(x.shape) == expected
    check_like_keras(layer, other, x)
    assert layer(x).shape == expected
    check_config(layer)
    theirs, mine = other.get_config(), layer.get_config()
    for key in set(mine) & set(theirs) - {"name", "dtype"}:
        if not key.endswith(("initializer", "regularizer", "constraint")):
            assert mine[key] == theirs[key], key
    assert set(theirs) - set(mine) <= {"zero_output_for_mask", "seed", "build_config"}


class Here:
    """This package in the shape of Keras."""

    Input, Model, layers = staticmethod(Input), Model, layers


def test_states_in_and_out_like_keras():
    mine, other = both("ConvLSTM1D", kernel_size=2, padding="same", return_state=True)
    states = [random(2, 6, 2, seed=i) for i in (1, 2)]

    def joined(package, layer):
        x, *h = [package.Input(a.shape[1:]) for a in (X1, *states)]
        return package.Model([x, *h], package.layers.Concatenate()(layer(x, initial_state=h)))

    check_like_keras(joined(Here, mine), joined(keras, other), X1, *states)


def test_masked_steps_are_as_good_as_none():
    # Keras 3 on JAX fails here: it does not spread a mask of steps over images.
    x, mask = np.concatenate([X1, X1], 1), np.array([[True, False] * 3, [False, True] * 3])
    layer = Bidirectional(ConvLSTM1D(3, 2, return_sequences=True, return_state=True))
    y, *states = layer(x, mask=mask)
    assert y.shape == (2, 6, 5, 6)
    assert not y[~mask].any()
    for i in range(2):
        wanted, *after = layer(x[i : i + 1, mask[i]])
        np.testing.assert_allclose(y[i, mask[i]], wanted[0], 1e-5, 1e-6)
        for a, b in zip(states, after, strict=True):
            np.testing.assert_allclose(a[i], b[0], 1e-5, 1e-6)
    # Masking says of each cell whether it is masked, which is no mask of steps.
    with pytest.raises(ValueError, match="a flag for each sample and time step"):
        Sequential([Masking(input_shape=(None, 6, 2)), ConvLSTM1D(2, 3)])


def test_models_go_through_files():
    model = Sequential([
        ConvLSTM1D(2, 3, return_sequences=True, input_shape=(None, 6, 2)),
        Bidirectional(ConvLSTM1D(3, 2, name="film")), Flatten(), Dense(1),
    ])  # fmt: skip
    assert [layer.output_shape for layer in model.layers[:2]] == [(None, None, 4, 2), (None, 3, 6)]
    again = model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X1), model.predict(X1))


def test_one_convolution_for_all_steps_and_one_in_the_loop():
    layer = ConvLSTM2D(2, 3, padding="same")
    _, output, _, _ = build_call(layer, [X2])
    names = [n.op.name for n in toposort([output])]
    assert (names.count("conv"), names.count("scan")) == (1, 1)
    (loop,) = [n for n in toposort([output]) if n.op.name == "scan"]
    inner = [n.op.name for n in loop.attrs["body"].nodes]
    assert inner.count("conv") == 1


def test_states_go_from_batch_to_batch():
    whole = ConvLSTM2D(2, 2, padding="same", return_sequences=True)
    wanted = whole(X2)
    model = Sequential([ConvLSTM2D(2, 2, padding="same", return_sequences=True, stateful=True,
                                   batch_input_shape=(2, None, 5, 4, 2))])  # fmt: skip
    model.set_weights(whole.get_weights())
    for _ in range(2):
        found = [model.predict(X2[:, :2], verbose=0), model.predict(X2[:, 2:], verbose=0)]
        np.testing.assert_allclose(np.concatenate(found, 1), wanted, 1e-5, 1e-6)
        model.reset_states()
    assert model.layers[0].states[0].shape == (2, 5, 4, 2)


@pytest.mark.parametrize("arguments", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout(arguments):
    # One pixel whose gates would be alike but for their masks; all time steps share a mask.
    layer = ConvLSTM1D(1, 1, activation=None, recurrent_activation="linear", use_bias=False,
                       kernel_initializer="ones", return_sequences=True, seed=3,
                       **arguments)  # fmt: skip
    x = np.ones((400, 2, 1, 1), "float32")
    plain, dropped = layer(x), layer(x, training=True)
    assert np.unique(plain[:, 0]).size == 1
    if "dropout" in arguments:  # h = (o)(i g), each 0 or 2
        assert set(np.unique(dropped[:, 0])) == {0, 8}
        assert abs((dropped[:, 0] == 8).mean() - 1 / 8) < 0.06
    else:
        np.testing.assert_array_equal(dropped[:, 0], plain[:, 0])
        assert np.unique(dropped[:, 1]).size > 4


def test_images_of_any_size():
    model = Model(x := Input((None, None, None, 2)), ConvLSTM2D(2, 3, padding="same")(x))
    assert model.output_shape == (None, None, None, 2)
    for rows, time, high, wide in ((2, 3, 5, 4), (1, 1, 1, 2), (0, 3, 5, 4), (2, 0, 3, 3)):
        assert model(random(rows, time, high, wide, 2)).shape == (rows, high, wide, 2)
    sized = ConvLSTM2D(2, 3, padding="same", weights=model.get_weights())
    np.testing.assert_allclose(model(X2), sized(X2), 1e-6, 1e-6)


def test_a_cell_is_a_step():
    cell, layer = ConvLSTM2DCell(2, 2), ConvLSTM2D(2, 2, return_state=True)
    states = [random(2, 4, 3, 2, seed=i) for i in (1, 2)]
    y, new = cell(X2[:, 0], states)
    layer(X2)
    layer.set_weights(cell.get_weights())
    for a, b in zip([y, *new], layer(X2[:, :1], initial_state=states), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    around = RNN(cell, return_state=True)
    for a, b in zip(around(X2), layer(X2), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    check_config(around)
    stack = RNN([ConvLSTM1DCell(3, 2), ConvLSTM1DCell(2, 2)])
    assert stack(X1).shape == (2, 4, 2)


def test_names_weights_and_shapes():
    layer = ConvLSTM3D(2, (1, 2, 3), name="film")
    layer(Input((None, 4, 5, 6, 3)))
    assert [(w.name, w.shape) for w in layer.weights] == [
        ("film/kernel", (1, 2, 3, 3, 8)),
        ("film/recurrent_kernel", (1, 2, 3, 2, 8)),
        ("film/bias", (8,)),
    ]
    np.testing.assert_array_equal(layer.get_weights()[2], [0, 0, 1, 1, 0, 0, 0, 0])
    assert layer.states is None
    assert (layer.filters, layer.padding, layer.data_format) == (2, "valid", "channels_last")
    states = ConvLSTM3D(2, 2, return_state=True).compute_output_shape((None, 7, 4, None, 4, 3))
    assert states == [(None, 3, None, 3, 2)] * 3
    assert issubclass(ConvLSTM3D, ConvLSTM)


def test_what_is_refused():
    with pytest.raises(ValueError, match="expected ndim=5, found ndim=4"):
        ConvLSTM2D(2, 2)(Input((3, 4, 5)))
    with pytest.raises(ValueError, match="window"):
        ConvLSTM1D(2, 7)(X1)
    with pytest.raises(ValueError, match="channel dimension of the inputs should be defined"):
        ConvLSTM1D(2, 2)(Input((3, 6, None)))
    with pytest.raises(ValueError, match="`strides > 1` not supported"):
        ConvLSTM1D(2, 2, strides=2, dilation_rate=2)
    with pytest.raises(ValueError, match="`padding` argument must be one of 'valid', 'same'"):
        ConvLSTM1D(2, 2, padding="causal")
    with pytest.raises(ValueError, match="needs to know its batch size"):
        ConvLSTM1D(2, 2, stateful=True)(Input((3, 6, 2)))
    with pytest.raises(ValueError, match="needs to know the sizes of its images"):
        ConvLSTM1D(2, 2, stateful=True)(Input(batch_shape=(2, 3, None, 2)))
    with pytest.raises(ValueError, match="State 1 is incompatible with layer"):
        ConvLSTM1D(2, 2)(X1, initial_state=[random(2, 5, 2), random(2, 6, 2)])


def test_it_learns_where_a_dot_goes():
    """A dot moves up or down by one pixel a step; one picture does not tell which way."""
    start, down = np.arange(16) % 6 + 1, np.arange(16) % 2
    x = np.zeros((16, 3, 8, 1), "float32")
    for t in range(3):
        x[np.arange(16), t, (start + (2 * down - 1) * t) % 8] = 1
    model = Sequential([ConvLSTM1D(4, 3, padding="same", input_shape=(3, 8, 1)),
                        layers.GlobalMaxPooling1D(), Dense(1, activation="sigmoid")])  # fmt: skip
    model.compile(Adam(0.05), "binary_crossentropy", metrics=["acc"])
    history = model.fit(x, down, epochs=60, batch_size=16, verbose=0)
    assert history.history["acc"][-1] == 1
