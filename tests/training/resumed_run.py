"""A training run for a process of its own, which may be killed.

It has all that a run can depend on: shuffling, dropout, moving statistics, slots, a learning rate
that callbacks change, early stopping.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from kgraph.callbacks import (
    BackupAndRestore,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    ReduceLROnPlateau,
)
from kgraph.ir.files import atomic_write
from kgraph.layers import BatchNormalization, Dense, Dropout
from kgraph.models import Sequential
from kgraph.optimizers import Adam

EPOCHS = 18


class Story:
    """What a run says of itself while it is slowed down.

    Args:
        pipe: gets "batch" before each batch, and "file" when a file is complete but not named yet.
        pause: seconds for which the run stays there.
    """

    def __init__(self, pipe: Any, pause: float) -> None:
        self.pipe, self.pause, self.sync = pipe, pause, os.fsync
        os.fsync = self.slow_sync

    def tell(self, word: str) -> None:
        self.pipe.send(word)
        time.sleep(self.pause)

    def slow_sync(self, number: int) -> None:
        self.sync(number)
        self.tell("file")


def train(folder: str, pipe: Any = None, pause: float = 0.0) -> None:
    """Trains with backups and checkpoints in the folder, then writes the weights there."""
    story = Story(pipe, pause) if pause else None
    np.random.seed(3)
    x = np.random.normal(size=(40, 6)).astype("float32")
    y = (x[:, :1] * x[:, 1:2] > 0).astype("float32")
    model = Sequential(
        [
            Dense(8, input_dim=6, activation="relu"),
            BatchNormalization(),
            Dropout(0.3),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(Adam(0.02, use_ema=True), "binary_crossentropy", metrics=["acc"])
    callbacks = [
        BackupAndRestore(Path(folder, "backup"), save_freq=2),
        ReduceLROnPlateau("loss", patience=1, factor=0.7, min_delta=0.05),
        EarlyStopping("acc", patience=EPOCHS - 2, restore_best_weights=True),
        ModelCheckpoint(Path(folder, "last.h5"), save_freq=3),
        ModelCheckpoint(Path(folder, "best.h5"), "loss", save_best_only=True),
        ModelCheckpoint(Path(folder, "epoch-{epoch:02d}.h5"), save_weights_only=True),
    ]
    if story is not None:
        callbacks.append(LambdaCallback(on_batch_begin=lambda batch, logs: story.tell("batch")))
    history = model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    weights = dict(zip("abcdefgh", model.get_weights(), strict=False))
    with atomic_write(Path(folder, "weights.npz")) as file:
        np.savez(file, loss=history.history["loss"], lr=history.history["lr"], **weights)
