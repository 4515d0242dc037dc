"""Data sets and callbacks of the tests of generators; a module, so that processes can import it."""

from __future__ import annotations

import numpy as np

from kgraph.callbacks import Callback
from kgraph.utils import PyDataset, Sequence

RNG = np.random.default_rng(5)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Parts(Sequence):
    """Batches of rows; remembers which were asked for, and the ends of epochs."""

    def __init__(self, size=4, x=X, y=Y, fails_at=None):
        super().__init__()
        self.size, self.x, self.y, self.fails_at = size, x, y, fails_at
        self.asked, self.ends = [], 0

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, index):
        if index == self.fails_at:
            raise ZeroDivisionError(f"batch {index}")
        self.asked.append(index)
        rows = slice(index * self.size, (index + 1) * self.size)
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.ends += 1


class Endless(PyDataset):
    """The same batch without an end."""

    num_batches = None

    def __getitem__(self, index):
        return X[:4], Y[:4]


def forever(size=4, *extra):
    """Batches of rows again and again."""
    while True:
        yield from once(size, *extra)


def once(size=4, *extra):
    """Batches of rows."""
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        yield (X[rows], Y[rows], *[e[rows] for e in extra])


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
