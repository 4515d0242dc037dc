"""Real digits: the accuracies that Keras reaches with the same model, data and number of epochs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kgraph.layers import Activation, Dense, Dropout
from kgraph.models import Sequential
from kgraph.utils import to_categorical

FILE = Path(__file__).parents[1] / "data" / "mnist8k.npz"


@pytest.fixture(scope="module")
def digits():
    with np.load(FILE) as file:
        x_train, y_train, x_test, y_test = (
            file[k] for k in ("x_train", "y_train", "x_test", "y_test")
        )
    x_train = x_train.reshape(len(x_train), 784).astype("float32") / 255
    x_test = x_test.reshape(len(x_test), 784).astype("float32") / 255
    return x_train, to_categorical(y_train, 10), x_test, to_categorical(y_test, 10)


def multilayer(rate):
    model = Sequential()
    model.add(Dense(128, input_shape=(784,)))
    model.add(Activation("relu"))
    model.add(Dropout(rate))
    model.add(Dense(128))
    model.add(Activation("relu"))
    model.add(Dropout(rate))
    model.add(Dense(10))
    model.add(Activation("softmax"))
    return model


def test_plain_sgd(digits):
    x_train, y_train, x_test, y_test = digits
    np.random.seed(1671)
    model = multilayer(0.0)
    assert model.count_params() == 118_282
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=128, epochs=20, verbose=0)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    assert accuracy == pytest.approx(0.89, abs=0.015)
    assert loss < history.history["loss"][0]
    assert history.history["acc"] == history.history["accuracy"]
    predicted = model.predict_classes(x_test)
    assert np.mean(predicted == y_test.argmax(1)) == pytest.approx(accuracy)


def test_adam_with_dropout(digits):
    x_train, y_train, x_test, y_test = digits
    np.random.seed(3)
    model = multilayer(0.3)
    model.compile("adam", "categorical_crossentropy", ["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=20, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] == pytest.approx(0.945, abs=0.01)
