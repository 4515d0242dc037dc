"""BackupAndRestore: runs that were stopped anywhere end with the bits of runs that were not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kgraph.callbacks import BackupAndRestore, Callback, EarlyStopping
from kgraph.layers import Dense, Dropout
from kgraph.models import Sequential
from kgraph.optimizers import SGD, Adam

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("resumed_run.py")


def start(folder, pause=0.0):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), str(folder), str(pause)]
    return subprocess.Popen(command, env=environment)


def until_backup(process, path, before):
    """Waits until a new backup is there or the process has ended."""
    while process.poll() is None:
        if path.exists() and path.stat().st_mtime_ns != before:
            return path.stat().st_mtime_ns
        time.sleep(0.002)
    return before


def test_a_process_that_is_killed_anywhere_goes_on_with_the_same_bits(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    reference, moments, kills, seen = start(whole), random.Random(1), 0, 0
    backup = killed / "backup" / "training.npz"
    for _ in range(3):
        process = start(killed, pause=0.01)
        seen = until_backup(process, backup, seen)
        time.sleep(moments.uniform(0.0, 0.2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    last = start(killed)
    assert last.wait() == 0
    assert reference.wait() == 0
    assert kills >= 2
    expected, found = np.load(whole / "weights.npz"), np.load(killed / "weights.npz")
    assert len(expected["loss"]) == len(found["loss"])
    for name in expected.files:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert not backup.exists()


class Stop(Callback):
    """Ends a run as a power cut would: with an exception."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if not self.batches:
            raise InterruptedError


def run(folder=None, stop=None, save_freq="epoch", **options):
    np.random.seed(0)
    x = np.random.normal(size=(10, 3)).astype("float32")
    model = Sequential([Dense(4, input_dim=3), Dropout(0.5), Dense(1)])
    model.compile(Adam(0.1), "mse", metrics=["mae"])
    callbacks = [] if folder is None else [BackupAndRestore(folder, save_freq)]
    callbacks += [] if stop is None else [Stop(stop)]
    history = model.fit(
        x, x[:, 0], batch_size=3, epochs=4, verbose=0, callbacks=callbacks, **options
    )
    return model.get_weights(), history


@pytest.mark.parametrize("save_freq", ["epoch", 1, 3])
@pytest.mark.parametrize("stop", [1, 4, 6, 16])
def test_a_run_that_broke_off_goes_on(tmp_path, stop, save_freq):
    expected, history = run()
    with pytest.raises(InterruptedError):
        run(tmp_path / "b", stop, save_freq)
    found, again = run(tmp_path / "b", None, save_freq)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.history == history.history
    assert again.epoch == history.epoch
    assert list((tmp_path / "b").iterdir()) == []


def test_a_run_that_had_stopped_early_stays_stopped(tmp_path):
    x, seen = np.zeros((4, 1)), []
    for _ in range(2):
        model = Sequential([Dense(1, input_dim=1)])
        model.compile(SGD(0.0), "mse")
        stop = EarlyStopping("loss", patience=1)
        backup = BackupAndRestore(tmp_path, delete_checkpoint=False)
        seen.append(model.fit(x, x, epochs=9, verbose=0, callbacks=[stop, backup]).epoch)
    assert seen == [[0, 1], [0, 1]]


def test_a_backup_of_another_model_is_refused(tmp_path):
    with pytest.raises(InterruptedError):
        run(tmp_path, stop=5)
    model = Sequential([Dense(5, input_dim=3)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="The backup is of another model or optimizer"):
        model.fit(
            np.ones((2, 3)), np.ones((2, 5)), verbose=0, callbacks=[BackupAndRestore(tmp_path)]
        )
    with pytest.raises(ValueError, match="Empty `backup_dir`"):
        BackupAndRestore("")
    with pytest.raises(ValueError, match="Invalid value for argument `save_freq`"):
        BackupAndRestore(tmp_path, save_freq=0)
