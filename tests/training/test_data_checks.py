"""Data that does not fit, and data in unusual forms; `test_messages.py` has the table of texts."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from kgraph.layers import Dense, Embedding, Flatten, Input
from kgraph.models import Model, Sequential


def dense(units=1, loss="mse", width=4, activation=None):
    model = Sequential([Dense(units, input_dim=width, name="head", activation=activation)])
    model.compile("sgd", loss)
    return model


def two_inputs():
    a, b = Input((2,), name="main_input"), Input((2,), name="aux_input")
    model = Model([a, b], [Dense(1, name="one")(a), Dense(1, name="two")(b)])
    model.compile("sgd", "mse")
    return model


def zeros(*shape):
    return np.zeros(shape)


def expect_error(error, text, run):
    with pytest.raises(error, match=re.escape(text)):
        run()


def test_not_compiled():
    model = Sequential([Dense(1, input_dim=4)])
    text = "You must compile a model before training/testing. Use `model.compile(optimizer, loss)`."
    for run in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        expect_error(RuntimeError, text, lambda run=run: run(zeros(2, 4), zeros(2, 1)))
    assert model.predict(zeros(2, 4)).shape == (2, 1)


def test_not_built():
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    expect_error(ValueError, "This model has not yet been built.", lambda: model.metrics_names)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_wrong_shape_of_an_input(method):
    run = getattr(dense(), method)
    expect_error(
        ValueError,
        "Error when checking input: expected head_input to have shape (4,) "
        "but got array with shape (28,)",
        lambda: run(zeros(3, 28), zeros(3, 1)),
    )
    expect_error(
        ValueError,
        "Error when checking input: expected head_input to have 2 dimensions, "
        "but got array with shape (3, 4, 1)",
        lambda: run(zeros(3, 4, 1), zeros(3, 1)),
    )


def test_wrong_shape_of_an_input_of_predict():
    for run in (dense().predict, dense().predict_on_batch):
        expect_error(
            ValueError,
            "to have shape (4,) but got array with shape (5,)",
            lambda run=run: run(zeros(3, 5)),
        )


def test_unknown_sizes_are_shown_as_none():
    x = Input((None, 3), name="steps")
    model = Model(x, Dense(1)(x))
    expect_error(
        ValueError,
        "expected steps to have shape (None, 3) but got array with shape (5, 2)",
        lambda: model.predict(zeros(2, 5, 2)),
    )


def test_losses_of_the_users_take_any_target():
    model = dense(2, lambda t, p: (p - t[:, :2]) ** 2)
    assert model.train_on_batch(zeros(3, 4), zeros(3, 5)) == 0.0


def test_class_ids_out_of_range():
    model = dense(3, "sparse_categorical_crossentropy", activation="softmax")
    text = 'class id {} for output "head" is out of range: it has 3 classes, ids 0 to 2'
    expect_error(ValueError, text.format(3), lambda: model.fit(zeros(2, 4), np.array([0, 3])))
    expect_error(ValueError, text.format(-1), lambda: model.fit(zeros(2, 4), np.array([-1, 0])))


def test_ids_out_of_range_of_an_embedding():
    model = Sequential([Embedding(10, 2, input_length=3), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(IndexError, match="10"):
        model.fit(np.array([[1, 2, 10]]), zeros(1, 1), verbose=0)


def test_wrong_number_of_arrays():
    text = (
        "Error when checking model {}: the list of Numpy arrays that you are passing to your model "
        "is not the size the model expected. Expected to see {} array(s)"
    )
    model, y = two_inputs(), [zeros(3, 1), zeros(3, 1)]
    expect_error(ValueError, text.format("input", 2), lambda: model.fit([zeros(3, 2)], y))
    expect_error(ValueError, text.format("input", 2), lambda: model.fit(zeros(3, 2), y))
    expect_error(ValueError, text.format("input", 1), lambda: dense().predict([zeros(3, 4)] * 2))
    x = [zeros(3, 2), zeros(3, 2)]
    expect_error(ValueError, text.format("target", 2), lambda: model.fit(x, zeros(3, 1)))
    with pytest.raises(ValueError, match="instead got the following list of 3 arrays"):
        model.fit(x, [*y, zeros(3, 1)])


def test_lists_of_numbers_are_no_arrays():
    text = (
        "Error when checking model {}: you are passing a list as input to your model, but the "
        "model expects a list of {} Numpy arrays instead."
    )
    expect_error(ValueError, text.format("target", 1), lambda: dense().fit(zeros(2, 4), [0, 1]))
    expect_error(ValueError, text.format("input", 1), lambda: dense().predict([[1, 2, 3, 4]]))
    expect_error(ValueError, text.format("input", 2), lambda: two_inputs().predict([1, 2]))


def test_things_that_are_no_arrays():
    text = "data should be a Numpy array, or list/dict of Numpy arrays. Found: "
    expect_error(TypeError, text + "hello", lambda: dense().predict("hello"))
    expect_error(TypeError, text + "3", lambda: dense().predict(3))
    expect_error(
        TypeError, text, lambda: two_inputs().predict({"main_input": [1], "aux_input": zeros(1, 2)})
    )
    expect_error(
        ValueError,
        "expected head_input to hold numbers, but got array with dtype",
        lambda: dense().predict(np.array([["a"] * 4])),
    )


def test_missing_and_unknown_names():
    model, x = two_inputs(), {"main_input": zeros(3, 2), "aux_input": zeros(3, 2)}
    expect_error(
        ValueError,
        "Unknown entries in input dictionary: ['foo']. Only expected following keys: "
        "['main_input', 'aux_input']",
        lambda: model.predict({**x, "foo": zeros(3, 2)}),
    )
    expect_error(ValueError, 'No data provided for "one"', lambda: model.fit(x))
    expect_error(ValueError, 'No data provided for "main_input"', lambda: model.fit())


def test_numbers_of_samples():
    model, y = two_inputs(), [zeros(3, 1), zeros(4, 1)]
    expect_error(
        ValueError,
        "All target arrays (y) should have the same number of samples.",
        lambda: model.fit([zeros(3, 2), zeros(3, 2)], y),
    )
    expect_error(
        ValueError,
        "All input arrays (x) should have the same number of samples.",
        lambda: model.predict([zeros(3, 2), zeros(4, 2)]),
    )


def test_batch_sizes():
    expect_error(
        ValueError,
        "`batch_size` must be at least 1. Received: 0",
        lambda: dense().fit(zeros(2, 4), zeros(2, 1), batch_size=0),
    )


def test_vectors_are_columns():
    model = dense(width=1)
    assert model.predict(zeros(5)).shape == (5, 1)
    assert model.train_on_batch(zeros(5), zeros(5)) == 0.0


def test_pandas_objects():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "c": [0, 1], "d": [1, 1]})
    model = dense()
    assert model.predict(frame).shape == (2, 1)
    history = model.fit(frame, frame["a"], verbose=0, validation_split=0.5)
    assert set(history.history) == {"loss", "val_loss"}
    assert model.predict([frame]).shape == (2, 1)


def test_strided_data_is_used_as_it_is():
    x, y = np.ones((8, 8), "float32")[:, ::2], np.ones((8, 1), "float32")[::-1]
    model = dense()
    expected = model.predict(np.ascontiguousarray(x))
    np.testing.assert_array_equal(model.predict(x), expected)
    model.fit(x, y, batch_size=3, verbose=0)


def test_empty_data_is_no_data():
    model = dense()
    before = model.get_weights()
    x, y = zeros(0, 4), zeros(0, 1)
    for run in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        expect_error(ValueError, "Empty data: the arrays for ['head_input'] hold no samples.",
                  lambda run=run: run(x, y))  # fmt: skip
    expect_error(ValueError, "Empty data",
              lambda: model.fit(zeros(2, 4), zeros(2, 1), validation_data=(x, y)))  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.predict(x).shape == (0, 1)


def test_sparse_matrices_are_made_dense():
    model, x = dense(), np.eye(4, dtype="float32")
    y = scipy.sparse.csr_matrix(np.ones((4, 1)))
    assert np.array_equal(model.predict(scipy.sparse.csr_matrix(x)), model.predict(x))
    assert model.evaluate(scipy.sparse.csr_matrix(x), y, verbose=0) == model.evaluate(
        x, np.ones((4, 1)), verbose=0
    )


def test_counts_and_callbacks_of_the_wrong_kind():
    model = dense()
    x, y = zeros(4, 4), zeros(4, 1)
    for name, wrong in (("batch_size", 1.5), ("batch_size", "2"), ("epochs", 2.5)):
        text = f"`{name}` must be a whole number. Received: {wrong!r}"
        expect_error(ValueError, text, lambda n=name, w=wrong: model.fit(x, y, **{n: w}))
    assert model.fit(x, y, batch_size=4 / 2, epochs=4 / 2, verbose=0).epoch == [0, 1]
    text = "`shuffle` must be True, False or \"batch\". Received: 'rows'"
    expect_error(ValueError, text, lambda: model.fit(x, y, shuffle="rows", verbose=0))
    text = "`callbacks` must be a list of `Callback` objects. Found: 5"
    for run in (model.fit, model.evaluate):
        expect_error(TypeError, text, lambda run=run: run(x, y, callbacks=[5], verbose=0))
