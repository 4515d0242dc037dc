"""fit and evaluate: what is trained, measured, logged and returned."""

from __future__ import annotations

import numpy as np
import pytest
from fit_models import RNG, linear, regression

from kgraph import layers, ops
from kgraph.layers import Dense, Dropout, Input
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD
from kgraph.training.loop import epoch_order


# -- what a step is ------------------------------------------------------------------------------
def test_gradient_step_by_hand():
    x, y = regression()
    model = linear(optimizer=SGD(0.1))
    w, b = model.get_weights()
    error = x @ w + b - y
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(np.mean(error**2), rel=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], w - 0.1 * 2 * x.T @ error / 10, rtol=1e-4)
    np.testing.assert_allclose(model.get_weights()[1], b - 0.1 * 2 * error.mean(0), rtol=1e-4)


def test_weights_shared_by_nested_models_get_the_sum_of_their_gradients():
    shared = Dense(1, use_bias=False, kernel_initializer="ones")
    inner_in = Input((1,))
    inner = Model(inner_in, shared(inner_in))
    x = Input((1,))
    model = Model(x, inner(shared(inner(x))))
    model.compile(SGD(0.1), "mse")
    model.train_on_batch(np.array([[2.0]]), np.array([[0.0]]))
    # y = w^3 x: d(y^2)/dw = 2 y 3 w^2 x = 24 at w = 1, x = 2.
    np.testing.assert_allclose(shared.get_weights()[0], [[1.0 - 0.1 * 24.0]], rtol=1e-5)


def test_updates_read_old_values():
    class Previous(layers.Layer):
        def build(self, input_shape):
            self.last = self.add_weight("last", (), initializer="zeros", trainable=False)
            self.before = self.add_weight("before", (), initializer="zeros", trainable=False)
            super().build(input_shape)

        def call(self, inputs):
            self.add_update([(self.last, ops.mean(inputs)), (self.before, self.last)])
            return inputs + 0.0 * self.last

    layer = Previous()
    model = Sequential([Dense(1, input_dim=1, kernel_initializer="ones"), layer])
    model.compile(SGD(0.0), "mse")
    for value in (1.0, 2.0, 3.0):
        model.train_on_batch(np.array([[value]]), np.array([[0.0]]))
    assert [float(w) for w in layer.get_weights()] == [3.0, 2.0]
    model.test_on_batch(np.array([[9.0]]), np.array([[0.0]]))
    assert float(layer.get_weights()[0]) == 3.0


def test_a_batch_normalisation_that_is_shared_updates_twice():
    norm = layers.BatchNormalization(momentum=0.5)
    a, b = Input((1,)), Input((1,))
    model = Model([a, b], layers.add([norm(a), norm(b)]))
    model.compile(SGD(0.0), "mse")
    x = [np.array([[1.0], [3.0]]), np.array([[5.0], [7.0]])]
    model.train_on_batch(x, np.zeros((2, 1)))
    mean = float(norm.get_weights()[2][0])
    assert mean in (0.5 * (0.5 * 2.0) + 0.5 * 6.0, 0.5 * (0.5 * 6.0) + 0.5 * 2.0)


def test_dropout_is_off_outside_of_training():
    model = Sequential([Dropout(0.5, input_shape=(50,)), Dense(1, kernel_initializer="ones")])
    model.compile(SGD(0.0), "mae")
    x, y = np.ones((4, 50)), np.zeros((4, 1))
    assert model.test_on_batch(x, y) == pytest.approx(50.0)
    rows = RNG.normal(size=(4, 50))
    assert len({model.train_on_batch(rows, y) for _ in range(3)}) == 3
    np.testing.assert_allclose(model.predict(x), 50.0)


def test_penalties_are_part_of_every_loss():
    model = Sequential([Dense(1, input_dim=1, kernel_initializer="ones", kernel_regularizer="l2")])
    model.compile(SGD(0.0), "mse")
    x = np.array([[1.0]])
    assert model.train_on_batch(x, x) == pytest.approx(0.01)
    assert model.evaluate(x, x, verbose=0) == pytest.approx(0.01)
    assert model.fit(x, x, verbose=0).history["loss"] == [pytest.approx(0.01)]


def test_a_model_may_have_only_added_losses():
    x = Input((2,))
    y = Dense(2, kernel_initializer="ones", use_bias=False)(x)
    model = Model(x, y)
    model.add_loss(ops.mean(ops.square(y - x)))
    model.compile("sgd")
    data = np.array([[1.0, 2.0]])
    assert model.train_on_batch(data) == pytest.approx((4 + 1) / 2)
    assert model.fit(data, epochs=2, verbose=0, validation_data=(data, None)).history["val_loss"]


def test_the_gan_idiom():
    """The discriminator is compiled while trainable, frozen inside the combined model."""
    discriminator = Sequential([Dense(1, input_dim=2, activation="sigmoid", name="judge")])
    discriminator.compile("sgd", "binary_crossentropy")
    noise = Input((3,))
    generator = Sequential([Dense(2, input_dim=3, name="make")])
    discriminator.trainable = False
    combined = Model(noise, discriminator(generator(noise)))
    combined.compile("sgd", "binary_crossentropy")
    z, real, ones = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2)), np.ones((4, 1))

    def changed(train):
        before = discriminator.get_weights(), generator.get_weights()
        train()
        after = discriminator.get_weights(), generator.get_weights()
        return [
            any((a != b).any() for a, b in zip(*pair, strict=True)) for pair in zip(before, after)
        ]

    assert changed(lambda: combined.train_on_batch(z, ones)) == [False, True]
    with pytest.warns(UserWarning, match="Discrepancy between trainable weights"):
        assert changed(lambda: discriminator.train_on_batch(real, ones)) == [True, False]


def test_weights_that_the_loss_does_not_reach():
    x = Input((2,))
    a, b = Dense(1, name="used")(x), Dense(1, name="unused")(x)
    model = Model(x, [a, b])
    model.compile("sgd", ["mse", None])
    with pytest.warns(UserWarning, match="Gradients do not exist for variables .*unused/kernel"):
        model.train_on_batch(np.ones((1, 2)), np.ones((1, 1)))
    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", lambda t, p: ops.round(ops.stop_gradient(p)))
    with pytest.raises(ValueError, match="does not depend on any trainable weight"):
        model.train_on_batch(np.ones((1, 2)), np.ones((1, 1)))


def test_adding_a_layer_after_compile_trains_the_new_graph():
    model = linear(2, 3)
    model.train_on_batch(np.ones((2, 2)), np.ones((2, 3)))
    model.add(Dense(1))
    model.train_on_batch(np.ones((2, 2)), np.ones((2, 1)))
    assert model.predict(np.ones((2, 2))).shape == (2, 1)


def test_a_model_without_input_shape_takes_it_from_the_data():
    model = Sequential([Dense(4, activation="relu"), Dense(1)])
    model.compile("sgd", "mse", ["mae"])
    x, y = regression(8)
    assert set(model.fit(x, y, verbose=0).history) == {"loss", "mae"}
    assert Sequential([Dense(2)]).predict(x).shape == (8, 2)


# -- batches and epochs ---------------------------------------------------------------------------
@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_the_last_smaller_batch_counts_by_its_samples(shuffle):
    x, y = regression(10)
    model = linear(metrics=["mae"])
    error = x @ model.get_weights()[0] + model.get_weights()[1] - y
    history = model.fit(x, y, batch_size=4, shuffle=shuffle, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.mean(error**2), rel=1e-6)
    assert history["mae"][0] == pytest.approx(np.mean(np.abs(error)), rel=1e-6)
    assert model.optimizer.iterations.value == 3


def test_shuffling_moves_whole_rows_and_keeps_inputs_and_targets_together():
    x, y = np.arange(12.0).reshape(12, 1), np.arange(12.0).reshape(12, 1)
    model = Sequential([Dense(1, input_dim=1, kernel_initializer="ones")])
    model.compile(SGD(0.0), "mse")
    history = model.fit(x, y, batch_size=5, epochs=3, verbose=0).history
    assert history["loss"] == [0.0] * 3


def test_orders_of_an_epoch():
    assert epoch_order(5, 2, False) is None
    np.random.seed(0)
    assert sorted(epoch_order(5, 2, True)) == [0, 1, 2, 3, 4]
    blocks = epoch_order(11, 3, "batch")
    assert sorted(blocks) == list(range(11))
    assert blocks[9:].tolist() == [9, 10]
    assert all(b[0] % 3 == 0 and (np.diff(b) == 1).all() for b in blocks[:9].reshape(3, 3))


def test_runs_are_reproducible_from_numpys_seed():
    x, y = regression(20)

    def run():
        np.random.seed(7)
        model = Sequential([Dense(8, input_dim=3, activation="relu"), Dropout(0.5), Dense(1)])
        model.compile("adam", "mse")
        history = model.fit(x, y, batch_size=6, epochs=3, verbose=0, validation_split=0.2)
        return history.history, model.get_weights()

    (first, weights), (second, again) = run(), run()
    assert first == second
    for a, b in zip(weights, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_initial_epoch_and_epochs_count_from_zero():
    x, y = regression()
    history = linear().fit(x, y, epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4]
    with pytest.raises(TypeError, match=r"Unrecognized keyword arguments: \{'foo': 1\}"):
        linear().fit(x, y, foo=1)
    assert linear().fit(x, y, epochs=2, verbose=0, workers=2).epoch == [0, 1]


def test_models_with_a_fixed_batch_size():
    model = Sequential([Dense(1, batch_input_shape=(5, 3))])
    model.compile("sgd", "mse")
    x, y = regression(10)
    model.fit(x, y, verbose=0)
    assert model.predict(x).shape == (10, 1)
    with pytest.raises(ValueError, match="does not fit"):
        model.predict(x[:7])


def test_empty_data():
    with pytest.raises(ValueError, match="Empty data"):
        linear().fit(np.zeros((0, 3)), np.zeros((0, 1)))
    assert linear().predict(np.zeros((0, 3))).shape == (0, 1)


# -- validation -----------------------------------------------------------------------------------
def test_validation_split_takes_the_last_samples_before_shuffling():
    x = np.arange(10.0).reshape(10, 1)
    y = np.where(x >= 7, 100.0, x)
    model = Sequential([Dense(1, input_dim=1, kernel_initializer="ones")])
    model.compile(SGD(0.0), "mae")
    history = model.fit(x, y, validation_split=0.3, epochs=2, verbose=0).history
    assert history["loss"] == [0.0, 0.0]
    assert history["val_loss"] == [pytest.approx(np.mean([93.0, 92.0, 91.0]))] * 2
    assert list(history) == ["loss", "val_loss"]
    for wrong in (-0.1, 1.0, 2):
        with pytest.raises(ValueError, match="`validation_split` must be between 0 and 1"):
            model.fit(x, y, validation_split=wrong)
    with pytest.raises(ValueError, match="Training data contains 10 samples, which is not suff"):
        model.fit(x, y, validation_split=0.95)


def test_validation_data_with_weights_and_frequency():
    x, y = regression(6)
    model = linear(metrics=["mae"])
    weights = np.array([1.0, 0, 0, 0, 0, 0])
    expected = float(np.abs(x @ model.get_weights()[0] + model.get_weights()[1] - y)[0, 0])
    history = model.fit(
        x, y, epochs=5, validation_data=(x, y, weights), validation_freq=2, verbose=0
    ).history
    assert list(history) == ["loss", "mae", "val_loss", "val_mae"]
    assert len(history["loss"]) == 5
    assert history["val_loss"] == [pytest.approx(expected**2 / 6, rel=1e-4)] * 2
    listed = model.fit(
        x, y, epochs=4, validation_data=(x, y), validation_freq=[1, 4], verbose=0
    ).history
    assert len(listed["val_loss"]) == 2
    with pytest.raises(ValueError, match=r"must contain either 2 items \(x_val, y_val\)"):
        model.fit(x, y, validation_data=x)


def test_validation_does_not_disturb_the_training_means():
    x, y = regression(6)
    model = linear()
    plain = model.fit(x, y, verbose=0).history["loss"]
    assert model.fit(x, y, verbose=0, validation_data=(x * 9, y)).history["loss"] == plain


# -- one batch ------------------------------------------------------------------------------------
def test_train_on_batch_can_go_on_with_its_means():
    x, y = regression(4)
    model = linear(metrics=["mae"])
    first, second = model.train_on_batch(x, y), model.train_on_batch(x * 2, y)
    model.train_on_batch(x, y)
    both = model.train_on_batch(x * 2, y, reset_metrics=False)
    assert both == pytest.approx(np.mean([first, second], axis=0))
    assert model.train_on_batch(x, y, return_dict=True) == dict(zip(("loss", "mae"), first))


def test_optimizer_state_survives_between_kinds_of_training():
    x, y = regression(4)
    model = linear()
    model.fit(x, y, epochs=2, verbose=0)
    model.train_on_batch(x, y)
    model.train_on_batch(x, y, sample_weight=np.ones(4))
    assert model.optimizer.iterations.value == 4


def test_learning_rate_changes_without_a_new_compilation():
    x, y = regression(4)
    model = linear(optimizer=SGD(0.0))
    before = model.get_weights()
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    program = model._program
    model.optimizer.lr = 0.1
    model.train_on_batch(x, y)
    assert model._program is program
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_other_dtypes_of_models_and_data():
    model = Sequential([Dense(1, input_dim=2, dtype="float64")])
    model.compile("adam", "mse", ["mae"])
    history = model.fit(np.ones((4, 2), "uint8"), [1, 1, 0, 0] @ np.eye(4), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model.predict(np.ones((2, 2), bool)).dtype == np.float64
