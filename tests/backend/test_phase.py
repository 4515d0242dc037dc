"""The learning phase: inside of layers, in models, in functions, and fixed for good."""

import numpy as np
import pytest
from both_ways import normal

from kgraph import backend as K
from kgraph.layers import BatchNormalization, Dense, Dropout, Input, Lambda, Layer
from kgraph.models import Model, Sequential

X = normal(8, 4)


@pytest.fixture(autouse=True)
def free_phase():
    yield
    K.clear_session()


def test_functions_take_it_as_an_input():
    model = Sequential([Dense(50, input_shape=(4,)), Dropout(0.5), Dense(2)])
    middle = K.function([model.layers[0].input, K.learning_phase()], [model.layers[1].output])
    assert (middle([X, 0])[0] != 0).all()
    train = middle([X, 1])[0]
    assert 0.3 < (train == 0).mean() < 0.7
    np.testing.assert_allclose(train[train != 0], 2 * middle([X, False])[0][train != 0], rtol=1e-5)
    assert (middle([X, True])[0] != train).any()
    without = K.function([model.input], [model.layers[1].output])
    np.testing.assert_array_equal(without([X])[0], middle([X, 0])[0])
    for wrong in (2, [0, 1]):
        with pytest.raises(ValueError, match="phase is 0 or 1"):
            middle([X, wrong])


def test_functions_leave_moving_averages_alone():
    layer = BatchNormalization()
    model = Sequential([layer])
    model.build((None, 4))
    f = K.function([model.input, K.learning_phase()], [model.output])
    normed = f([X * 3, 1])[0]
    np.testing.assert_allclose(normed.mean(0), 0, atol=1e-6)
    assert K.get_value(layer.moving_mean).tolist() == [0, 0, 0, 0]


class Noisy(Layer):
    """Adds 1 while training."""

    def call(self, inputs, training=None):
        return K.in_train_phase(inputs + 1, inputs, training=training)


@pytest.mark.parametrize("noisy", [
    Noisy(), Lambda(lambda x: K.in_train_phase(lambda: x + 1, x)),
    Lambda(lambda x: K.in_test_phase(x, x + 1)), Lambda(lambda x: x + K.learning_phase()),
])  # fmt: skip
def test_layers_know_it(noisy):
    x = Input((4,))
    model = Model(x, noisy(x))
    np.testing.assert_array_equal(model.predict(X), X)
    np.testing.assert_allclose(noisy(X, training=True), X + 1)
    model.compile("sgd", "mse")
    assert model.train_on_batch(X, X) == pytest.approx(1, rel=1e-5)
    assert model.test_on_batch(X, X) == 0


def test_models_know_it_outside_of_layers():
    x = Input((4,))
    model = Model(x, K.in_train_phase(x * 2, x) + K.cast(K.learning_phase(), "float32"))
    np.testing.assert_array_equal(model.predict(X), X)
    f = K.function([x, K.learning_phase()], [model.output])
    np.testing.assert_allclose(f([X, 1])[0], X * 2 + 1)
    assert K.eval(K.in_train_phase(K.variable(1), K.variable(2))) == 2
    with pytest.raises(NotImplementedError, match=r"K\.in_train_phase in the `call`"):
        model.to_json()


def test_arrays_are_chosen_at_once():
    assert K.in_train_phase(1, 2, training=True) == 1
    assert K.in_train_phase(lambda: 1, lambda: 2) == 2
    assert K.in_test_phase(1, 2, training=0) == 1
    K.set_learning_phase(1)
    assert K.in_train_phase(1, 2) == 1


def test_a_fixed_phase_holds_for_layers_called_from_then_on():
    x = Input((4,))
    before = Model(x, Dropout(0.5)(x))
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    always = Model(x, Dropout(0.5)(x))
    f = K.function([x, K.learning_phase()], [Noisy()(x)])
    np.testing.assert_allclose(f([X, 1])[0], X + 1)
    with pytest.raises(ValueError, match="was fixed"):
        f([X, 0])
    assert (Dropout(0.5)(np.ones(100, "float32")) == 0).any()
    K.clear_session()
    assert (always.predict(X) == 0).any()
    assert (before.predict(X) != 0).all()
    K.set_learning_phase(0)
    never = Model(x, Dropout(0.5)(x))
    never.compile("sgd", "mse")
    assert never.train_on_batch(X, X) == 0
    with pytest.raises(ValueError, match="0 or 1"):
        K.set_learning_phase(2)
