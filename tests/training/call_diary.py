"""A callback that writes down which hooks are called, and with which logs."""

from __future__ import annotations

from kgraph.callbacks import Callback


class Diary(Callback):
    """Writes down the hooks that are called."""

    def __init__(self):
        super().__init__()
        self.lines, self.logs = [], []

    def _note(self, word, logs):
        self.lines.append(word)
        self.logs.append((word, dict(logs or {})))

    def on_train_begin(self, logs=None):
        self._note("train(", logs)

    def on_train_end(self, logs=None):
        self._note(")train", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._note(f"epoch{epoch}(", logs)

    def on_epoch_end(self, epoch, logs=None):
        self._note(f")epoch{epoch}", logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._note(f"b{batch}(", logs)

    def on_train_batch_end(self, batch, logs=None):
        self._note(f")b{batch}", logs)

    def on_test_begin(self, logs=None):
        self._note("test(", logs)

    def on_test_end(self, logs=None):
        self._note(")test", logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._note(f"t{batch}(", logs)

    def on_test_batch_end(self, batch, logs=None):
        self._note(f")t{batch}", logs)

    def on_predict_begin(self, logs=None):
        self._note("predict(", logs)

    def on_predict_end(self, logs=None):
        self._note(")predict", logs)

    def on_predict_batch_begin(self, batch, logs=None):
        self._note(f"p{batch}(", logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._note(f")p{batch}", logs)
