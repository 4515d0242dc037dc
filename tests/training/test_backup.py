"""BackupAndRestore: runs that were stopped anywhere end with the bits of runs that were not."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.forkserver
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from resumed_run import train

from kgraph.callbacks import BackupAndRestore, Callback, EarlyStopping
from kgraph.layers import Dense, Dropout
from kgraph.models import Sequential, load_model
from kgraph.optimizers import SGD, Adam

HERE = Path(__file__).resolve().parent
KILLS = 20


@pytest.fixture(scope="module")
def start():
    """Starts runs; they are forked from a process that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["resumed_run"])
    with pytest.MonkeyPatch.context() as patch:  # it imports before it hears of our paths
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE, HERE.parents[1]))))
        multiprocessing.forkserver.ensure_running()

    def begin(folder, pause=0.0):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=train, args=(str(folder), writer, pause))
        process.start()
        writer.close()
        return process, reader

    yield begin
    multiprocessing.forkserver._forkserver._stop()  # it would outlive the module


def wait_for(reader, word, times):
    """Reads what the run says of itself until it has said it so often, or has ended."""
    with contextlib.suppress(EOFError):
        while times:
            times -= reader.recv() == word


def kill_somewhere(start, folder, moments, number):
    """Starts the run and kills it: at its start, among its batches, or while it writes a file."""
    process, reader = start(folder, pause=0.004)
    place = ("batch", "file", "file", None)[number % 4]
    if place:
        wait_for(reader, place, moments.randrange(1, 6))
    time.sleep(moments.uniform(0.0, 0.008 if place else 0.4))
    process.kill()
    process.join()
    reader.close()
    return process.exitcode


def load_all(folder, seen):
    """Loads every file under its own name that the run has written since the last time."""
    for path in folder.glob("*.h5"):
        if seen.get(path) == (stamp := path.stat().st_mtime_ns):
            continue
        seen[path] = stamp
        if path.name.startswith("epoch"):
            load_model(folder / "best.h5").load_weights(path)
        else:
            assert int(load_model(path).optimizer.iterations) > 0
    for path in (folder / "backup").glob("*.npz"):
        with np.load(path) as file:
            assert all(file[name].size >= 0 for name in file.files)


def test_a_process_that_is_killed_anywhere_goes_on_with_the_same_bits(tmp_path, start):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    reference, moments, seen, left = start(whole)[0], random.Random(1), {}, []
    for number in range(KILLS):
        ended = kill_somewhere(start, killed, moments, number)
        assert ended == -signal.SIGKILL, "the run was over before"
        load_all(killed, seen)
        left += killed.glob(".*.partial")
    assert left, "no kill came while a file was written"
    for process in (reference, start(killed)[0]):
        process.join()
        assert process.exitcode == 0
    expected, found = np.load(whole / "weights.npz"), np.load(killed / "weights.npz")
    for name in expected.files:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    files = sorted(path.name for path in whole.glob("*.h5"))
    assert sorted(path.name for path in killed.glob("*.h5")) == files
    for name in ("last.h5", "best.h5"):
        ours, theirs = load_model(killed / name), load_model(whole / name)
        for model, other in ((ours, theirs), (ours.optimizer, theirs.optimizer)):
            for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
    assert not (killed / "backup" / "training.npz").exists()
    assert not list(killed.glob("**/.*.partial"))


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


@functools.cache
def whole_run():
    """The run that nothing stops; its results are only looked at."""
    return run()


@pytest.mark.parametrize("save_freq", ["epoch", 1, 3])
@pytest.mark.parametrize("stop", [1, 4, 6, 16])
def test_a_run_that_broke_off_goes_on(tmp_path, stop, save_freq):
    expected, history = whole_run()
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
