"""`steps_per_execution`: the same training, with fewer calls of batch hooks."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph.callbacks import BackupAndRestore, Callback
from kgraph.layers import Dense, Dropout
from kgraph.models import Sequential

X = np.random.default_rng(0).normal(size=(27, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Watch(Callback):
    """Notes what the hooks are told."""

    def __init__(self):
        super().__init__()
        self.seen, self.logs = [], []
        for mode in ("train", "test", "predict"):
            setattr(self, f"on_{mode}_batch_begin", lambda i, logs, m=mode: self.note(m, i, logs))
            setattr(self, f"on_{mode}_batch_end", lambda i, logs, m=mode: self.note(m, i, logs))

    def note(self, mode, index, logs):
        self.seen.append((mode, index))
        self.logs.append(dict(logs))


def model(together):
    np.random.seed(0)
    made = Sequential([Dense(4, "relu", input_dim=3), Dropout(0.2), Dense(1)])
    made.compile("adam", "mse", metrics=["mae"], steps_per_execution=together)
    return made


def batches():
    while True:
        for start in range(0, 27, 4):
            yield X[start : start + 4], Y[start : start + 4]


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_the_weights_are_those_of_single_steps(watched, stream):
    found = []
    for together in (1, 3, 100):
        made = model(together)
        data = {"x": batches(), "steps_per_epoch": 7} if stream else {"x": X, "y": Y}
        if not stream:
            data["batch_size"] = 4
        calls = [Watch()] if watched else []
        history = made.fit(**data, epochs=3, verbose=0, callbacks=calls).history
        found.append((made.get_weights(), history))
    for weights, history in found[1:]:
        assert history == found[0][1]
        for a, b in zip(weights, found[0][0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_hooks_are_told_the_first_and_the_last_batch():
    """As in Keras 3, but for the last round, whose last batch Keras counts beyond the end."""
    made, watch = model(3), Watch()
    made.fit(X, Y, batch_size=4, verbose=0, callbacks=[watch])
    assert watch.seen == [("train", i) for i in (0, 2, 3, 5, 6, 6)]
    assert [logs["size"] for logs in watch.logs] == [12, 12, 12, 12, 3, 3]
    assert [sorted(logs) for logs in watch.logs[:2]] == [
        ["batch", "size"],
        ["batch", "loss", "mae", "size"],
    ]
    for run in ("evaluate", "predict"):
        watch.seen.clear()
        data = (X, Y) if run == "evaluate" else (X,)
        getattr(made, run)(*data, batch_size=4, verbose=0, callbacks=[watch])
        mode = "test" if run == "evaluate" else run
        assert watch.seen == [(mode, i) for i in (0, 2, 3, 5, 6, 6)]
    np.testing.assert_allclose(made.predict(X, batch_size=4), made.predict(X), rtol=1e-6)


def test_the_loss_of_a_round_is_that_of_its_samples():
    frozen, watch = model(3), Watch()
    frozen.optimizer.learning_rate = 0.0
    frozen.fit(X, Y, batch_size=4, verbose=0, callbacks=[watch], shuffle=False)
    first, single = watch.logs[1]["loss"], Watch()
    same = model(1)
    same.set_weights(frozen.get_weights())
    same.optimizer.learning_rate = 0.0
    same.fit(X, Y, batch_size=4, verbose=0, callbacks=[single], shuffle=False)
    losses = [logs["loss"] for logs in single.logs[1:6:2]]
    assert first == pytest.approx(np.mean(losses), rel=1e-6)


def test_a_run_stops_and_goes_on_between_rounds(tmp_path):
    class Break(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.run.position.epoch == 1 and batch == 5:
                raise InterruptedError

    expected = model(3)
    expected.fit(X, Y, batch_size=4, epochs=3, verbose=0)
    with pytest.raises(InterruptedError):
        model(3).fit(X, Y, batch_size=4, epochs=3, verbose=0,
                     callbacks=[BackupAndRestore(tmp_path, save_freq=1), Break()])  # fmt: skip
    again = model(3)
    again.fit(X, Y, batch_size=4, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    for a, b in zip(again.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_is_a_number_of_batches():
    with pytest.raises(ValueError, match="`steps_per_execution` must be at least 1"):
        model(0)
    assert model(None).steps_per_execution == 1
