"""A training run of a process of its own, which may be killed: `python resumed_run.py FOLDER`.

It has all that a run can depend on: shuffling, dropout, moving statistics, slots, a learning rate
that callbacks change, early stopping.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from kgraph.callbacks import (
    BackupAndRestore,
    EarlyStopping,
    LambdaCallback,
    ReduceLROnPlateau,
)
from kgraph.ir.files import atomic_write
from kgraph.layers import BatchNormalization, Dense, Dropout
from kgraph.models import Sequential
from kgraph.optimizers import Adam

EPOCHS = 12


def main(folder: str, pause: float) -> None:
    """Trains with backups in the folder, then writes the weights there."""
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
        LambdaCallback(on_batch_end=lambda batch, logs: time.sleep(pause)),
    ]
    history = model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    weights = dict(zip("abcdefgh", model.get_weights(), strict=False))
    with atomic_write(Path(folder, "weights.npz")) as file:
        np.savez(file, loss=history.history["loss"], lr=history.history["lr"], **weights)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
