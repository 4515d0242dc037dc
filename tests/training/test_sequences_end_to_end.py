"""Models of sequences: what only order tells, published models, lengths and batches of any size."""

import itertools

import numpy as np
import pytest

import kgraph as keras
from kgraph.errors import InferenceError
from kgraph.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    ConvLSTM1D,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    SimpleRNN,
    TimeDistributed,
)
from kgraph.models import Model, Sequential
from kgraph.optimizers import Adam

LENGTH, NOISE = 20, 20


def which_comes_first(count, rng):
    """Rows of noise with one 1 and one 2; the label is whether the 2 stands before the 1."""
    x, y = rng.integers(3, NOISE, (count, LENGTH)), rng.integers(0, 2, count)
    places = np.sort(rng.permuted(np.tile(np.arange(LENGTH), (count, 1)), axis=1)[:, :2], axis=1)
    rows = np.arange(count)
    x[rows, places[:, 0]], x[rows, places[:, 1]] = 1 + y, 2 - y
    return x, y


def accuracy_on_new_rows(*layers, epochs):
    rng = np.random.default_rng(0)
    np.random.seed(0)
    model = Sequential([Embedding(NOISE, 8), *layers, Dense(1, activation="sigmoid")])
    model.compile(Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    model.fit(*which_comes_first(2000, rng), epochs=epochs, batch_size=50, verbose=0)
    return model.evaluate(*which_comes_first(500, rng), verbose=0)[1]


def test_only_what_reads_in_order_finds_which_token_comes_first():
    assert accuracy_on_new_rows(Bidirectional(LSTM(16)), epochs=4) > 0.95
    bag = [GlobalAveragePooling1D(), Dense(16, activation="relu")]
    assert 0.4 < accuracy_on_new_rows(*bag, epochs=8) < 0.6


def copies(model, rng, steps):
    """Trains a model to say at the end of a sequence which token stood at its head."""
    for _ in range(steps):
        x = rng.integers(0, 4, (64, 12))
        model.train_on_batch(np.eye(4)[x], x[:, 0])
    x = rng.integers(0, 4, (500, 12))
    return (model.predict(np.eye(4)[x], verbose=0).argmax(-1) == x[:, 0]).mean()


def test_a_recurrent_layer_carries_the_first_token_to_the_end():
    np.random.seed(1)
    model = Sequential([GRU(24, input_shape=(12, 4)), Dense(4, activation="softmax")])
    model.compile(Adam(0.02), "sparse_categorical_crossentropy")
    assert copies(model, np.random.default_rng(1), 250) > 0.95


# -- published models, as users write them ---------------------------------------------------------
def test_the_reviews_model_of_the_cheat_sheet():
    model3 = Sequential()
    model3.add(Embedding(20000, 128))
    model3.add(LSTM(128, dropout=0.2, recurrent_dropout=0.2))
    model3.add(Dense(1, activation="sigmoid"))
    model3.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    lines = []
    model3.summary(print_fn=lines.append)
    assert any("2,691,713" in line for line in lines)
    assert model3.output_shape == (None, 1)
    x_train4, y_train4 = np.random.randint(0, 20000, (4, 8)), np.array([0, 1, 1, 0])
    before = model3.get_weights()
    history = model3.fit(x_train4, y_train4, batch_size=4, epochs=1, verbose=0,
                         validation_data=(x_train4, y_train4))  # fmt: skip
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(np.any(a != b) for a, b in zip(before, model3.get_weights(), strict=True))
    found = model3.predict(x_train4, batch_size=3, verbose=0)
    assert found.shape == (4, 1)
    np.testing.assert_allclose(found, model3.predict_on_batch(x_train4), 1e-5, 1e-6)


def test_the_headlines_model_with_two_inputs_and_two_outputs():
    main_input = Input(shape=(100,), dtype="int32", name="main_input")
    x = Embedding(output_dim=512, input_dim=10000, input_length=100)(main_input)
    lstm_out = LSTM(32)(x)
    auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(lstm_out)
    auxiliary_input = Input(shape=(5,), name="aux_input")
    x = keras.layers.concatenate([lstm_out, auxiliary_input])
    x = Dense(64, activation="relu")(x)
    x = Dense(64, activation="relu")(x)
    x = Dense(64, activation="relu")(x)
    main_output = Dense(1, activation="sigmoid", name="main_output")(x)
    model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", loss_weights=[1.0, 0.2])
    lines = []
    model.summary(print_fn=lines.append)
    assert any("5,200,610" in line for line in lines)
    headline_data, additional_data = np.random.randint(0, 10000, (4, 100)), np.ones((4, 5))
    labels = np.array([[0], [1], [1], [0]])
    history = model.fit([headline_data, additional_data], [labels, labels],
                        epochs=1, batch_size=4, verbose=0)  # fmt: skip
    loss, main, aux = (
        history.history[k][0] for k in ("loss", "main_output_loss", "aux_output_loss")
    )
    assert loss == pytest.approx(main + 0.2 * aux, 1e-5)
    by_name = {"main_input": headline_data, "aux_input": additional_data}
    for a, b in zip(
        model.predict(by_name), model.predict([headline_data, additional_data]), strict=True
    ):
        assert a.shape == (4, 1)
        np.testing.assert_array_equal(a, b)


# -- sizes at the edge -----------------------------------------------------------------------------
LAYERS = {
    "LSTM": (lambda: LSTM(3), lambda n, t: (n, 3)),
    "GRU": (lambda: GRU(3, return_sequences=True), lambda n, t: (n, t, 3)),
    "both ways": (lambda: Bidirectional(SimpleRNN(2), "sum"), lambda n, t: (n, 2)),
    "each step": (lambda: TimeDistributed(Dense(2)), lambda n, t: (n, t, 2)),
    "same": (lambda: Conv1D(2, 3, padding="same"), lambda n, t: (n, t, 2)),
    "causal": (lambda: Conv1D(2, 3, padding="causal"), lambda n, t: (n, t, 2)),
    "pool": (lambda: MaxPooling1D(2, padding="same"), lambda n, t: (n, (t + 1) // 2, 4)),
    "transposed": (lambda: Conv1DTranspose(2, 2, strides=2), lambda n, t: (n, 2 * t, 2)),
    "normalized": (LayerNormalization, lambda n, t: (n, t, 4)),
    "batch": (BatchNormalization, lambda n, t: (n, t, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_any_number_of_rows_and_steps(name):
    make, shape = LAYERS[name]
    model = Sequential([Input((None, 4)), make()])
    model.compile("sgd", "mse")
    whole = np.random.default_rng(2).normal(size=(5, 7, 4)).astype("float32")
    for rows, steps in itertools.product((0, 1, 5), (0, 1, 2, 7)):
        x = whole[:rows, :steps]
        found = model.predict(x, verbose=0)
        assert found.shape == shape(rows, steps)
        if rows and steps:
            np.testing.assert_allclose(found[:1], model.predict(x[:1], verbose=0), 1e-4, 1e-6)
            assert np.isfinite(model.train_on_batch(x, np.zeros_like(found)))
            assert all(np.isfinite(w).all() for w in model.get_weights())


def test_films_of_any_number_of_rows_and_steps():
    model = Sequential([Input((None, 5, 1)), ConvLSTM1D(2, 3)])
    model.compile("sgd", "mse")
    for rows, steps in itertools.product((0, 1, 5), (0, 1, 7)):
        x = np.ones((rows, steps, 5, 1))
        assert model.predict(x, verbose=0).shape == (rows, 3, 2)
        if rows:
            assert np.isfinite(model.train_on_batch(x, np.zeros((rows, 3, 2))))


def test_no_steps_are_the_states_before_the_first_one():
    x = Input((None, 2))
    model = Model(x, LSTM(3, return_state=True)(x))
    for found in model.predict(np.zeros((2, 0, 2)), verbose=0):
        np.testing.assert_array_equal(found, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"while running max.* of layer global_max"):
        Sequential([Input((None, 2)), GlobalMaxPooling1D()]).predict(np.zeros((2, 0, 2)))


@pytest.mark.parametrize("length", [1, 2])
def test_a_window_larger_than_the_input(length):
    with pytest.raises(ValueError, match="at least 3 cells for a window of 3"):
        Conv2D(2, 3)(Input((5, length, 1)))
    with pytest.raises(ValueError, match="at least 3 cells for a window of 3"):
        MaxPooling1D(3)(Input((length, 1)))
    with pytest.raises(ValueError, match="at least 3 cells for a window of 3"):
        ConvLSTM1D(2, 3)(Input((4, length, 1)))
    # The size is known only when the model runs.
    model = Sequential([Input((None, 4)), Conv1D(2, 3), LSTM(2)])
    with pytest.raises(InferenceError, match=r"size would be .*negative") as error:
        model.predict(np.zeros((2, length, 4)), verbose=0)
    assert "padding='same'" in str(error.value)
    same = Sequential([Input((None, 4)), Conv1D(2, 9, padding="same"), LSTM(2)])
    assert same.predict(np.ones((2, length, 4)), verbose=0).shape == (2, 2)


MASKED = {
    "LSTM": lambda: LSTM(3),
    "GRU": lambda: GRU(3, return_sequences=True),
    "both ways": lambda: Bidirectional(LSTM(2, return_sequences=True)),
    "each step": lambda: TimeDistributed(Dense(2)),
    "batch": BatchNormalization,
}


@pytest.mark.parametrize("name", MASKED)
def test_rows_that_are_masked_altogether(name):
    model = Sequential([Embedding(5, 4, mask_zero=True), MASKED[name]()])
    model.compile("sgd", "mse")
    ids = np.array([[1, 2, 3], [0, 0, 0], [2, 0, 0]])
    found = model.predict(ids, verbose=0)
    np.testing.assert_allclose(found[::2], model.predict(ids[::2], verbose=0), 1e-5, 1e-6)
    if name not in ("each step", "batch"):
        assert not found[1].any()
    for x in (ids, np.zeros_like(ids)):  # some rows, and the whole batch
        history = model.fit(x, np.ones_like(found), batch_size=3, epochs=2, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        assert all(np.isfinite(w).all() for w in model.get_weights())
    if found.ndim == 3:  # nothing counts
        assert history.history["loss"] == [0, 0]


def test_attention_to_rows_that_are_masked_altogether():
    ids = Input((3,), dtype="int32")
    x = Embedding(5, 4, mask_zero=True)(ids)
    model = Model(ids, MultiHeadAttention(2, 3)(x, x))
    model.compile("sgd", "mse")
    rows = np.array([[1, 2, 3], [0, 0, 0]])
    found = model.predict(rows, verbose=0)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:1], model.predict(rows[:1], verbose=0), 1e-5, 1e-6)
    assert np.isfinite(model.train_on_batch(rows, np.zeros_like(found)))
