"""Recurrent models as users write them: sizes, summaries, fitting, masks, old configurations."""

import numpy as np
import pytest

from kgraph import layers
from kgraph.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Embedding,
    Input,
    SimpleRNN,
    TimeDistributed,
)
from kgraph.layers.dialects import translate
from kgraph.models import Model, Sequential
from kgraph.optimizers import Adam

RNG = np.random.default_rng(0)


def reviews():
    """Seed 000's model of film reviews."""
    model = Sequential()
    model.add(Embedding(20000, 128))
    model.add(LSTM(128, dropout=0.2, recurrent_dropout=0.2))
    model.add(Dense(1, activation="sigmoid"))
    return model


def two_heads():
    """Seed 003's model with two inputs and two outputs."""
    main_input = Input(shape=(100,), dtype="int32", name="main_input")
    x = Embedding(output_dim=512, input_dim=10000, input_length=100)(main_input)
    lstm_out = LSTM(32)(x)
    auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(lstm_out)
    auxiliary_input = Input(shape=(5,), name="aux_input")
    x = layers.concatenate([lstm_out, auxiliary_input])
    for _ in range(3):
        x = Dense(64, activation="relu")(x)
    main_output = Dense(1, activation="sigmoid", name="main_output")(x)
    return Model([main_input, auxiliary_input], [main_output, auxiliary_output])


@pytest.mark.parametrize(("make", "count"), [(reviews, "2,691,713"), (two_heads, "5,200,610")])
def test_sizes_of_the_published_models(make, count):
    lines = []
    model = make()
    model.summary(print_fn=lines.append)
    assert f"Total params: {count}" in lines
    assert model.count_params() == int(count.replace(",", ""))


def test_the_reviews_model_learns_and_predicts():
    model = reviews()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    x, y = RNG.integers(1, 20000, (8, 5)), np.array([0, 1] * 4)
    first = model.evaluate(x, y, verbose=0)[0]
    model.fit(x, y, epochs=3, batch_size=4, verbose=0)
    assert model.evaluate(x, y, verbose=0)[0] < first
    assert model.predict(x).shape == (8, 1)


def test_the_two_headed_model_trains_with_dictionaries():
    model = two_heads()
    loss = "binary_crossentropy"
    model.compile("rmsprop", {"main_output": loss, "aux_output": loss},
                  loss_weights={"main_output": 1.0, "aux_output": 0.2})  # fmt: skip
    x = {"main_input": RNG.integers(0, 10000, (4, 100)), "aux_input": RNG.normal(size=(4, 5))}
    y = np.array([[0], [1], [1], [0]])
    targets = {"main_output": y, "aux_output": y}
    history = model.fit(x, targets, epochs=2, batch_size=4, verbose=0)
    assert set(history.history) == {"loss", "main_output_loss", "aux_output_loss"}
    names = [layer.name for layer in model.layers]
    assert names[0] == "main_input"
    assert names.index("aux_input") == names.index(model.layers[2].name) + 1
    assert names[-2:] == ["main_output", "aux_output"]


@pytest.mark.parametrize(
    "layer",
    [SimpleRNN(8), GRU(8, reset_after=True), Bidirectional(LSTM(4))],
    ids=["SimpleRNN", "GRU", "Bidirectional"],
)
def test_fit_finds_the_first_symbol(layer):
    x = np.eye(2)[RNG.integers(0, 2, (64, 6))]
    y = x[:, 0, 1]
    model = Sequential([layer, Dense(1, activation="sigmoid")])
    model.build((None, 6, 2))
    model.compile(Adam(0.03), "binary_crossentropy", metrics=["acc"])
    history = model.fit(x, y, epochs=25, batch_size=32, verbose=0)
    assert history.history["acc"][-1] == 1


def test_a_tagger_ignores_what_is_masked():
    model = Sequential([
        Embedding(9, 4, mask_zero=True), LSTM(5, return_sequences=True), TimeDistributed(Dense(3)),
        Activation("softmax"),
    ])  # fmt: skip
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.array([[1, 2, 3], [4, 5, 0]]), np.array([[0, 1, 2], [2, 1, 0]])
    other = y.copy()
    other[1, 2] = 1
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, other, verbose=0)


# -- configurations of other versions ------------------------------------------------------------
def test_arguments_of_keras_1():
    old = {
        "class_name": "LSTM",
        "config": {
            "name": "old", "trainable": True, "batch_input_shape": [None, 7, 3],
            "input_dtype": "float32", "output_dim": 4, "init": "glorot_uniform",
            "inner_init": "orthogonal", "forget_bias_init": "one", "activation": "tanh",
            "inner_activation": "hard_sigmoid", "W_regularizer": None, "U_regularizer": None,
            "b_regularizer": None, "dropout_W": 0.1, "dropout_U": 0.2, "consume_less": "gpu",
            "return_sequences": True, "go_backwards": False, "stateful": False, "unroll": False,
            "input_dim": 3, "input_length": None,
        },
    }  # fmt: skip
    layer = layers.deserialize(old)
    assert (layer.units, layer.dropout, layer.recurrent_dropout) == (4, 0.1, 0.2)
    assert (layer.implementation, layer.unit_forget_bias) == (2, True)
    assert layer.recurrent_activation.__name__ == "hard_sigmoid"
    assert translate(LSTM, {"forget_bias_init": "zero"}) == {"unit_forget_bias": False}
    simple = {"class_name": "SimpleRNN", "config": {"output_dim": 2, "consume_less": "cpu"}}
    assert layers.deserialize(simple).units == 2


def test_arguments_of_keras_3():
    config = {**GRU(3, reset_after=True).get_config(), "zero_output_for_mask": True, "seed": None,
              "time_major": False, "use_cudnn": "auto"}  # fmt: skip
    layer = layers.deserialize({"module": "keras.layers", "class_name": "GRU", "config": config})
    assert (layer.zero_output_for_mask, layer.reset_after) == (True, True)
    with pytest.raises(ValueError, match="time first"):
        layers.deserialize({"class_name": "GRU", "config": {**config, "time_major": True}})


def test_cudnn_layers_become_plain_ones():
    lstm = layers.deserialize({"class_name": "CuDNNLSTM", "config": {"units": 3}})
    gru = layers.deserialize({"class_name": "CuDNNGRU", "config": {"units": 3}})
    assert (type(lstm), type(gru), gru.reset_after) == (LSTM, GRU, True)


def test_the_shape_of_a_first_layer():
    model = Sequential([LSTM(4, input_dim=3, input_length=7)])
    assert model.input_shape == (None, 7, 3)
    assert Sequential([GRU(4, input_dim=3)]).input_shape == (None, None, 3)
    assert Sequential([GRU(4, batch_input_shape=(2, 7, 3))]).output_shape == (2, 4)
    assert Sequential([TimeDistributed(Dense(2), input_shape=(7, 3))]).output_shape == (None, 7, 2)
