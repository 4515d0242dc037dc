"""Callbacks: order of the hooks, logs, History, EarlyStopping, LambdaCallback."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    History,
    LambdaCallback,
    Logs,
    ProgbarLogger,
)
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import SGD

X, Y = np.arange(10.0).reshape(10, 1), np.zeros((10, 1))


def model(rate=0.0, metrics=("mae",)):
    found = Sequential([Dense(1, input_dim=1, use_bias=False, kernel_initializer="ones")])
    found.compile(SGD(rate), "mse", list(metrics))
    return found


HOOKS = [name for name in dir(Callback) if name.startswith("on_")]


class Recorder(Callback):
    """Writes down every hook."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls


def _record(name):
    def hook(self, *arguments):
        logs = dict(arguments[-1] or {})
        self.calls.append((name, *arguments[:-1], sorted(logs)))

    return hook


for _name in HOOKS:
    if _name not in ("on_batch_begin", "on_batch_end"):
        setattr(Recorder, _name, _record(_name))


def test_order_of_the_hooks_of_fit():
    calls = []
    model().fit(X, Y, batch_size=5, validation_data=(X, Y), verbose=0, callbacks=[Recorder(calls)])
    test = [
        ("on_test_begin", []),
        ("on_test_batch_begin", 0, ["batch", "size"]),
        ("on_test_batch_end", 0, ["batch", "loss", "mae", "size"]),
        ("on_test_batch_begin", 1, ["batch", "size"]),
        ("on_test_batch_end", 1, ["batch", "loss", "mae", "size"]),
        ("on_test_end", ["loss", "mae"]),
    ]
    assert calls == [
        ("on_train_begin", []),
        ("on_epoch_begin", 0, []),
        ("on_train_batch_begin", 0, ["batch", "size"]),
        ("on_train_batch_end", 0, ["batch", "loss", "mae", "size"]),
        ("on_train_batch_begin", 1, ["batch", "size"]),
        ("on_train_batch_end", 1, ["batch", "loss", "mae", "size"]),
        *test,
        ("on_epoch_end", 0, ["loss", "mae", "val_loss", "val_mae"]),
        ("on_train_end", ["loss", "mae", "val_loss", "val_mae"]),
    ]
    calls.clear()
    model().evaluate(X, Y, batch_size=5, verbose=0, callbacks=[Recorder(calls)])
    assert calls == test
    calls.clear()
    model().predict(X, batch_size=6, callbacks=[Recorder(calls)])
    assert [c[0] for c in calls] == [
        "on_predict_begin",
        *["on_predict_batch_begin", "on_predict_batch_end"] * 2,
        "on_predict_end",
    ]


def test_older_names_of_the_batch_hooks():
    seen = []

    class Old(Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            seen.append(("end", batch, logs["size"]))

    model().fit(X, Y, batch_size=6, verbose=0, callbacks=[Old()])
    assert seen == [("begin", 0), ("end", 0, 6), ("begin", 1), ("end", 1, 4)]


def test_batch_logs_hold_the_batchs_loss_and_the_running_metrics():
    logs = []
    keep = LambdaCallback(on_batch_end=lambda batch, values: logs.append(dict(values)))
    model().fit(X, Y, batch_size=5, shuffle=False, verbose=0, callbacks=[keep])
    assert [entry["batch"] for entry in logs] == [0, 1]
    assert logs[0]["loss"] == pytest.approx(np.mean(X[:5] ** 2))
    assert logs[1]["loss"] == pytest.approx(np.mean(X[5:] ** 2))
    assert logs[1]["mae"] == pytest.approx(X.mean())


def test_hooks_that_nobody_overrides_are_not_called():
    assert not CallbackList([Callback(), History(), ProgbarLogger()]).watches_batches("train")
    on_epoch = LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    assert not CallbackList([on_epoch]).watches_batches("train")
    on_batch = LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    assert CallbackList([on_batch]).watches_batches("train")
    assert not CallbackList([on_batch]).watches_batches("test")


def test_callbacks_know_the_model_and_the_run():
    watcher, trained = Callback(), model()
    trained.fit(X, Y, epochs=3, batch_size=4, verbose=0, callbacks=watcher, validation_split=0.5)
    assert watcher.model is trained
    assert watcher.params == {
        "batch_size": 4,
        "epochs": 3,
        "steps": 2,
        "samples": 5,
        "verbose": 0,
        "do_validation": True,
        "metrics": ["loss", "mae", "val_loss", "val_mae"],
    }
    np.testing.assert_array_equal(watcher.validation_data[0], X[5:])
    np.testing.assert_array_equal(watcher.validation_data[1], Y[5:])


def test_history_comes_last_and_records_what_callbacks_add():
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(lr=0.5))
    trained = model()
    history = trained.fit(X, Y, epochs=2, verbose=0, callbacks=[add])
    assert trained.history is history
    assert list(history.history) == ["loss", "mae", "lr"]
    assert history.history["lr"] == [0.5, 0.5]
    assert history.params["epochs"] == 2


@pytest.mark.parametrize(("typed", "other"), [("acc", "accuracy"), ("accuracy", "acc")])
def test_acc_and_accuracy_are_one_series(typed, other):
    history = model(metrics=[typed]).fit(X, Y, verbose=0, validation_split=0.2).history
    assert list(history) == ["loss", typed, "val_loss", f"val_{typed}"]
    assert history[other] is history[typed]
    assert history.get(f"val_{other}") == history[f"val_{typed}"]
    assert other in history
    assert "val_mae" not in history
    with pytest.raises(KeyError):
        history["val_mae"]
    assert history.get("missing", 3) == 3
    assert f"{Logs(history)}" == f"{dict(history)}"


def test_stop_training_in_mid_epoch_skips_validation():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    trained = model()
    history = trained.fit(
        X, Y, batch_size=2, epochs=5, verbose=0, validation_data=(X, Y), callbacks=[Stop()],
        shuffle=False,
    )  # fmt: skip
    assert history.epoch == [0]
    assert history.history["loss"] == [pytest.approx(np.mean(X[:4] ** 2))]
    assert "val_loss" not in history.history
    assert trained.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1]


def feed(callback, values, name="val_loss", target=None):
    """Runs the callback over made-up epochs; returns how many were run."""
    target = target or model()
    target.stop_training = False
    callback.set_model(target)
    callback.on_train_begin()
    ran = 0
    for epoch, value in enumerate(values):
        target.set_weights([[[float(epoch)]]])
        callback.on_epoch_end(epoch, Logs({name: value}))
        ran += 1
        if target.stop_training:
            break
    callback.on_train_end()
    return ran


def test_early_stopping_waits_for_its_patience():
    values = [1.0, 0.9, 0.95, 0.92, 0.8, 0.85, 0.86, 0.87]
    assert feed(EarlyStopping(), values) == 3
    assert feed(EarlyStopping(patience=1), values) == 3
    assert feed(EarlyStopping(patience=2), values) == 4
    assert feed(EarlyStopping(patience=3), values) == 8
    assert feed(EarlyStopping(patience=2, min_delta=0.15), values) == 3
    assert feed(EarlyStopping(mode="max", patience=2), values) == 3
    assert feed(EarlyStopping(start_from_epoch=4, patience=1), values) == 6


@pytest.mark.parametrize("monitor", ["val_acc", "val_accuracy"])
def test_early_stopping_on_accuracy_under_either_name(monitor):
    values = [0.5, 0.6, 0.55, 0.7]
    assert feed(EarlyStopping(monitor), values, "val_accuracy") == 3
    assert feed(EarlyStopping(monitor), values, "val_acc") == 3


def test_early_stopping_restores_the_best_weights_whenever_training_ends():
    stop, trained = EarlyStopping(patience=1, restore_best_weights=True), model()
    feed(stop, [1.0, 0.5, 0.7, 0.6], target=trained)
    assert trained.get_weights()[0] == 1.0
    stop = EarlyStopping(patience=9, restore_best_weights=True)
    feed(stop, [1.0, 0.5, 0.7], target=trained)
    assert trained.get_weights()[0] == 1.0
    # Used again, it starts from the beginning.
    assert feed(stop, [3.0, 2.0], target=trained) == 2
    assert stop.best == 2.0


def test_early_stopping_with_a_baseline():
    assert feed(EarlyStopping(baseline=0.5, patience=2), [0.9, 0.8, 0.7]) == 2
    assert feed(EarlyStopping(baseline=0.5, patience=2), [0.9, 0.4, 0.3]) == 3
    assert feed(EarlyStopping(baseline=0.5, patience=1), [0.9, 0.8]) == 1


def test_early_stopping_says_so(capsys):
    feed(EarlyStopping(verbose=1, restore_best_weights=True), [1.0, 2.0])
    assert capsys.readouterr().out == (
        "Epoch 00002: early stopping\nRestoring model weights from the end of the best epoch\n"
    )


def test_early_stopping_without_its_value():
    text = "metric `val_loss` which is not available. Available metrics are: loss,mae"
    with pytest.warns(RuntimeWarning, match=text):
        model().fit(X, Y, verbose=0, callbacks=[EarlyStopping()])
    with pytest.warns(RuntimeWarning, match="mode foo is unknown, fallback to auto mode"):
        EarlyStopping(mode="foo")


def test_early_stopping_ends_fit():
    history = model(rate=1e-3).fit(
        X, Y, epochs=50, verbose=0, validation_data=(X, -Y + 5), callbacks=[EarlyStopping()]
    )
    assert 2 <= len(history.epoch) < 50


def test_lambda_callbacks():
    calls = []
    callback = LambdaCallback(
        on_train_begin=lambda logs: calls.append("start"),
        on_epoch_begin=lambda epoch, logs: calls.append(epoch),
        on_test_end=lambda logs: calls.append("tested"),
        on_train_end=lambda logs: calls.append("end"),
    )
    model().fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[callback])
    assert calls == ["start", 0, "tested", 1, "tested", "end"]
    with pytest.raises(TypeError, match="LambdaCallback has no hook 'on_foo'"):
        LambdaCallback(on_foo=print)


def test_a_callback_may_evaluate_in_the_middle_of_an_epoch():
    measured = []

    class Measure(Callback):
        def on_train_batch_end(self, batch, logs=None):
            measured.append(self.model.evaluate(X[:2], Y[:2], verbose=0))

    history = model().fit(X, Y, batch_size=5, verbose=0, callbacks=[Measure()]).history
    assert history["loss"] == [pytest.approx(np.mean(X**2))]
    assert measured == [[0.5, 0.5]] * 2
