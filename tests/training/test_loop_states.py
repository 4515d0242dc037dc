"""What goes on between batches, epochs and runs: states of layers, means, backups of streams."""

from __future__ import annotations

import numpy as np
import pytest
from batch_data import Parts, X, Y, forever
from fit_models import linear

from kgraph.callbacks import BackupAndRestore, LambdaCallback
from kgraph.layers import Dense, Dropout, Flatten, SimpleRNN
from kgraph.models import Sequential
from kgraph.optimizers import SGD, Adam
from kgraph.preprocessing.image import ImageDataGenerator


def counter():
    """A stateful model that adds up its inputs."""
    rnn = SimpleRNN(
        1, activation=None, use_bias=False, stateful=True, batch_input_shape=(2, 1, 1),
        kernel_initializer="ones", recurrent_initializer="ones",
    )  # fmt: skip
    model = Sequential([rnn])
    model.compile(SGD(0.0), "mse")
    return model


def test_states_go_on_from_batch_to_batch_and_from_run_to_run():
    model, x, y = counter(), np.ones((6, 1, 1)), np.zeros((6, 1))
    assert model.predict(x, batch_size=2).ravel().tolist() == [1, 1, 2, 2, 3, 3]
    assert model.predict(x[:2]).ravel().tolist() == [4, 4]
    model.reset_states()
    assert model.predict(x[:2]).ravel().tolist() == [1, 1]
    model.reset_states()
    # Nothing resets them between epochs: sums 1 to 3, then 4 to 6; validation goes on with 7.
    history = model.fit(
        x, y, epochs=2, shuffle=False, validation_data=(x[:2], y[:2]), validation_freq=2, verbose=0
    ).history
    assert history["loss"] == pytest.approx([(1 + 4 + 9) / 3, (16 + 25 + 36) / 3])
    assert history["val_loss"] == [pytest.approx(49)]
    reset = LambdaCallback(on_epoch_begin=lambda epoch, logs: model.reset_states())
    losses = model.fit(x, y, epochs=2, shuffle=False, callbacks=[reset], verbose=0).history["loss"]
    assert losses == [pytest.approx((1 + 4 + 9) / 3)] * 2
    model.reset_states()
    batches = ((x[:2], y[:2]) for _ in range(3))
    assert model.evaluate(batches, steps=3, verbose=0) == pytest.approx((1 + 4 + 9) / 3)


def test_means_of_single_batches_start_anew_when_told():
    model = linear(metrics=["mae"])
    first = model.train_on_batch(X[:4], Y[:4])
    model.train_on_batch(X[4:8], Y[4:8])
    model.reset_metrics()
    assert model.train_on_batch(X[:4], Y[:4], reset_metrics=False) == first
    model.test_on_batch(X, Y)
    model.reset_metrics()
    assert model.test_on_batch(X[:4], Y[:4], reset_metrics=False) == pytest.approx(first)


def test_a_run_is_over_after_an_error():
    def fail(batch, logs):
        assert model.run is not None
        raise KeyError("stop")

    model = linear()
    for data in ((X, Y), (forever(),)):
        with pytest.raises(KeyError):
            model.fit(
                *data, steps_per_epoch=2, callbacks=[LambdaCallback(on_batch_end=fail)], verbose=0
            )
        assert model.run is None
    assert model.fit(X, Y, verbose=0).epoch == [0]


class KilledError(Exception):
    """The end of a run that is killed."""


@pytest.mark.parametrize("kind", ["data set", "generator", "rows"])
@pytest.mark.parametrize(("stop", "freq"), [(4, 1), (7, 1), (8, "epoch")])
def test_a_backup_of_a_run_on_batches_goes_on_with_the_same_bits(tmp_path, kind, stop, freq):
    def train(*callbacks):
        np.random.seed(3)
        model = Sequential([Dense(4, activation="relu", input_dim=3), Dropout(0.5), Dense(1)])
        model.compile(Adam(0.01), "mse")
        given, options = {
            "data set": ((Parts(3),), {}),
            "generator": ((forever(3),), {"steps_per_epoch": 4}),
            "rows": ((X, Y, 3), {"steps_per_epoch": 4}),
        }[kind]
        model.fit(*given, epochs=3, callbacks=list(callbacks), verbose=0, workers=0, **options)
        return [*model.get_weights(), model.history.history["loss"]]

    def kill(batch, logs):
        done.append(batch)
        if len(done) == stop:
            raise KilledError

    done, backup = [], BackupAndRestore(tmp_path, save_freq=freq)
    expected = train()
    # A backup is written after all other callbacks, so the last batch is not in it.
    with pytest.raises(KilledError):
        train(backup, LambdaCallback(on_batch_end=kill))
    for found, value in zip(train(BackupAndRestore(tmp_path)), expected, strict=True):
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("workers", [0, 1])
def test_images_that_are_drawn_anew_in_each_epoch(workers):
    images = np.random.default_rng(0).random((10, 4, 4, 1)).astype("float32")
    labels = np.arange(10) % 2
    flips = ImageDataGenerator(horizontal_flip=True)
    model = Sequential([Flatten(input_shape=(4, 4, 1)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", ["acc"])
    history = model.fit_generator(
        flips.flow(images, labels, batch_size=4, seed=1), epochs=2, verbose=0, workers=workers,
        validation_data=flips.flow(images, labels, batch_size=4, seed=2),
    )  # fmt: skip
    assert list(history.history) == ["loss", "acc", "val_loss", "val_acc"]
    plain = ImageDataGenerator().flow(images, labels, batch_size=4, shuffle=False)
    assert model.evaluate_generator(plain, workers=workers) == pytest.approx(
        model.evaluate(images, labels, batch_size=4, verbose=0)
    )
    assert model.predict_generator(plain, workers=workers).shape == (10, 1)
