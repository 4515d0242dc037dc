"""Callbacks that change the learning rate, stop at NaN, or put averages in the weights' place."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph.callbacks import (
    Callback,
    CallbackList,
    LambdaCallback,
    LearningRateScheduler,
    Logs,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import SGD, schedules

X = np.linspace(0.1, 1.0, 8, dtype="float32").reshape(8, 1)


def model(optimizer=None):
    found = Sequential([Dense(1, input_dim=1, use_bias=False, kernel_initializer="ones")])
    found.compile(optimizer or SGD(0.5), "mse")
    return found


def feed(callback, values, rate=1.0, name="val_loss"):
    """The learning rate after each of some made-up epochs."""
    target = model(SGD(rate))
    callback.set_model(target)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        logs = Logs({name: value})
        callback.on_epoch_end(epoch, logs)
        assert logs["lr"] == (rates[-1] if rates else rate)
        rates.append(float(target.optimizer.lr))
    return rates


def test_plateaus(capsys):
    flat = [1.0] * 6
    reduce = ReduceLROnPlateau(factor=0.5, patience=2, verbose=1)
    assert feed(reduce, flat) == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert (
        "Epoch 00003: ReduceLROnPlateau reducing learning rate to 0.5.\n" in capsys.readouterr().out
    )
    cooling = ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2)
    assert feed(cooling, flat) == [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    floor = ReduceLROnPlateau(factor=0.5, patience=1, min_lr=0.4)
    assert feed(floor, flat[:4]) == pytest.approx([1.0, 0.5, 0.4, 0.4])
    slow = ReduceLROnPlateau(factor=0.5, patience=1, epsilon=0.2)
    assert feed(slow, [1.0, 0.9, 0.7]) == [1.0, 0.5, 0.5]
    rising = ReduceLROnPlateau("val_acc", factor=0.5, patience=1)
    assert feed(rising, [0.5, 0.6, 0.6], name="val_accuracy") == [1.0, 1.0, 0.5]
    with pytest.raises(ValueError, match="does not support a factor"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.warns(RuntimeWarning, match="Learning rate reduction is conditioned on metric"):
        feed(ReduceLROnPlateau(), [1.0], name="loss")


def test_rates_by_epoch(capsys):
    trained = model()
    halve = LearningRateScheduler(lambda epoch, lr: lr / 2, verbose=1)
    history = trained.fit(X, X, epochs=3, verbose=0, callbacks=[halve]).history
    assert history["lr"] == [0.25, 0.125, 0.0625]
    text = "Epoch 00001: LearningRateScheduler setting learning rate to 0.25."
    assert text in capsys.readouterr().out
    table = LearningRateScheduler({0: 0.5, 1: 0.25}.__getitem__)
    assert trained.fit(X, X, epochs=2, verbose=0, callbacks=[table]).history["lr"] == [0.5, 0.25]
    with pytest.raises(ValueError, match='output of the "schedule" function should be float'):
        trained.fit(X, X, verbose=0, callbacks=[LearningRateScheduler(lambda epoch: 1)])
    fixed = model(SGD(schedules.ExponentialDecay(0.1, 10, 0.5)))
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        fixed.fit(X, X, verbose=0, callbacks=[halve])


def test_nan_ends_training(capsys):
    trained = model(SGD(1e30))
    history = trained.fit(X, 2 * X, epochs=5, batch_size=2, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert "Invalid loss, terminating training\n" in capsys.readouterr().out


def kernel(trained):
    return float(trained.get_weights()[0][0, 0])


def averaged(rates):
    """What the weight and its average are after each epoch: w' = w - rate, a' = (a + w') / 2."""
    w, a, found = 1.0, None, []
    for rate in rates:
        w -= rate
        a = w if a is None else 0.5 * a + 0.5 * w
        found.append((w, a))
    return found


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_stand_in_for_the_weights(on_epoch):
    trained = Sequential([Dense(1, input_dim=1, use_bias=False, kernel_initializer="ones")])
    optimizer = SGD(0.25, use_ema=True, ema_momentum=0.5)
    trained.compile(optimizer, lambda y_true, y_pred: y_pred)
    seen, ends = [], []
    spy = LambdaCallback(
        on_test_batch_end=lambda batch, logs: seen.append(kernel(trained)),
        on_epoch_end=lambda epoch, logs: ends.append(kernel(trained)),
    )
    ones = np.ones((1, 1))
    trained.fit(
        ones, ones, epochs=3, verbose=0, validation_data=(ones, ones),
        callbacks=[SwapEMAWeights(on_epoch), spy],
    )  # fmt: skip
    expected = averaged([0.25] * 3)
    assert seen == [a for _, a in expected]
    assert ends == [a if on_epoch else w for w, a in expected]
    assert kernel(trained) == expected[-1][1]
    with pytest.raises(ValueError, match="must be used when `use_ema=True`"):
        model().fit(X, X, verbose=0, callbacks=[SwapEMAWeights()])


def test_a_list_of_callbacks_in_a_loop_of_ones_own():
    calls = []

    class Watch(Callback):
        def on_epoch_end(self, epoch, logs=None):
            calls.append(("epoch", epoch, logs))

        def on_batch_end(self, batch, logs=None):
            calls.append(("batch", batch))

    several = CallbackList([Watch()])
    several.on_train_begin()
    several.on_train_batch_end(0)
    several.on_epoch_end(0, {"loss": 1.0})
    assert calls == [("batch", 0), ("epoch", 0, {"loss": 1.0})]
    with pytest.raises(AttributeError, match="no attribute 'on_foo'"):
        several.on_foo()


def test_some_callbacks_come_last():
    class Last(Callback):
        runs_last = True

    last, first = Last(), Callback()
    assert CallbackList([last, first]).callbacks == [first, last]
