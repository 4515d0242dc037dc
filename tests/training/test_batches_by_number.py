"""fit, evaluate and predict on a Sequence or PyDataset: order, workers, errors, ends of epochs."""

from __future__ import annotations

import multiprocessing
import os
import threading

import numpy as np
import pytest
from batch_data import Constant, Endless, Parts, Told, X, Y
from fit_models import linear

from kgraph.callbacks import LambdaCallback
from kgraph.optimizers import SGD
from kgraph.training.sources.sequences import Batched
from kgraph.utils import PyDataset


def same_start():
    np.random.seed(0)
    return linear(optimizer=SGD(0.1), metrics=["mae"])


def running():
    threads = [t.name for t in threading.enumerate() if "Enqueuer" in t.name]
    return threads + multiprocessing.active_children()


@pytest.mark.parametrize("options", [{"workers": 0}, {}, {"workers": 2}])
def test_a_sequence_trains_as_arrays_do(options):
    model, other, parts = same_start(), same_start(), Parts(5)
    found = model.fit(
        parts, epochs=2, shuffle=False, validation_data=Parts(4), verbose=0, **options
    )
    expected = other.fit(
        X, Y, 5, epochs=2, shuffle=False, validation_data=(X, Y), validation_batch_size=4, verbose=0
    )
    assert found.history == expected.history
    assert parts.ends == 2
    assert not running()


def test_batches_from_processes():
    model, other, parts = same_start(), same_start(), Parts(4)
    options = {"workers": 2, "use_multiprocessing": True}
    found = model.fit(parts, epochs=1, shuffle=False, verbose=0, **options)
    assert found.history == other.fit(X, Y, 4, shuffle=False, verbose=0).history
    assert parts.asked == []  # but in the other processes
    assert not running()


def test_processes_stay_while_the_data_set_does_not_change():
    source = Batched(Constant(4), False, 1, True, 10)
    rounds = [np.concatenate(list(source.round(None))) for _ in range(2)]
    assert (rounds[0] == rounds[1]).all()
    assert rounds[0][0, 0] != os.getpid()
    source.close()
    assert not running()
    source = Batched(Told(6), False, 1, True, 10)
    rounds = [np.concatenate(list(source.round(None))) for _ in range(2)]
    assert [r[:, 1].tolist() for r in rounds] == [[0, 0], [1, 1]]
    source.close()
    assert not running()


def test_evaluate_and_predict_on_a_sequence():
    model = linear(metrics=["mae"])
    for options in ({}, {"workers": 2}, {"workers": 0}):
        parts = Parts(5)
        assert model.evaluate(parts, verbose=0, **options) == model.evaluate(X, Y, 5, verbose=0)
        np.testing.assert_array_equal(model.predict(parts, **options), model.predict(X, 5))
        assert model.evaluate(parts, steps=1, verbose=0) == model.evaluate(X[:5], Y[:5], verbose=0)
        assert model.predict(parts, steps=2).shape == (10, 1)
    assert model.evaluate_generator(Parts(3), workers=2) == model.evaluate(X, Y, 3, verbose=0)
    assert model.predict_generator(Parts(3)).shape == (12, 1)


def test_shuffling_draws_an_order_from_numpys_state():
    def run(workers):
        np.random.seed(3)
        parts = Parts(2)
        linear().fit_generator(parts, epochs=3, verbose=0, workers=workers)
        return parts.asked

    first = run(1)
    epochs = [first[i : i + 6] for i in (0, 6, 12)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert run(0) == run(1) == first


def test_losses_do_not_depend_on_the_number_of_workers():
    histories = []
    for workers in (0, 1, 4):
        model = same_start()
        np.random.seed(1)
        histories.append(model.fit(Parts(2), epochs=2, verbose=0, workers=workers).history)
    assert histories[0] == histories[1] == histories[2]


def test_an_epoch_of_steps_goes_on_in_the_next():
    parts, seen = Parts(3), []
    model = linear()
    model.fit(
        parts, steps_per_epoch=3, epochs=3, shuffle=False, verbose=0, workers=0,
        callbacks=[LambdaCallback(on_epoch_end=lambda e, logs: seen.append(list(parts.asked)))],
    )  # fmt: skip
    assert seen[0] == [0, 1, 2]
    assert seen[1] == [0, 1, 2, 3, 0, 1]
    assert seen[2] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert parts.ends == 2
    model.fit(Endless(), steps_per_epoch=2, epochs=2, verbose=0, workers=2)
    with pytest.raises(ValueError, match="`steps_per_epoch=None` is only valid"):
        model.fit(Endless())
    assert model.evaluate(Endless(), steps=2, workers=0, verbose=0) == pytest.approx(
        model.evaluate(X[:4], Y[:4], verbose=0)
    )


@pytest.mark.parametrize("processes", [False, True])
def test_errors_of_workers(processes):
    model = linear()
    with pytest.raises(ZeroDivisionError, match="batch 1") as caught:
        model.fit(
            Parts(4, fails_at=1), shuffle=False, verbose=0, workers=2,
            use_multiprocessing=processes,
        )  # fmt: skip
    place = str(caught.value.__cause__) if processes else str(caught.traceback[-1].path)
    assert "batch_data.py" in place
    assert model.optimizer.iterations.value == 1
    assert not running()


def test_nothing_is_left_where_training_stops():
    def stop(batch, logs):
        model.stop_training = True

    model, parts = linear(), Parts(1)
    callback = LambdaCallback(on_batch_end=stop)
    model.fit(parts, epochs=3, verbose=0, workers=2, max_queue_size=2, callbacks=[callback])
    assert not running()
    assert len(parts.asked) <= 4
    assert parts.ends == 0


def test_a_data_set_says_how_it_is_read():
    model, names = linear(), set()

    class Own(Parts):
        workers = 3

        def __getitem__(self, index):
            names.add(threading.current_thread() is threading.main_thread())
            return super().__getitem__(index)

    model.fit(Own(), verbose=0)
    assert names == {False}
    names.clear()
    model.fit(Own(), verbose=0, workers=0)
    assert names == {True}


def test_epochs_of_a_data_set_begin_and_end_around_its_batches():
    lines = []

    class Told(PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            lines.append(index)
            return X, Y

        def on_epoch_begin(self):
            lines.append("(")

        def on_epoch_end(self):
            lines.append(")")

    linear().fit(Told(), epochs=2, shuffle=False, verbose=0)
    assert lines == ["(", 0, 1, ")"] * 2


def test_a_data_set_may_grow_between_epochs():
    class Growing(Parts):
        def on_epoch_end(self):
            super().on_epoch_end()
            self.size = 3

    parts, model = Growing(6), linear()
    model.fit(parts, epochs=3, shuffle=False, verbose=0)
    assert parts.asked == [0, 1, *range(4), *range(4)]
    assert model.optimizer.iterations.value == 10


def test_an_empty_data_set():
    with pytest.raises(ValueError, match="Empty data: the data set yields no batches"):
        linear().fit(Parts(4, X[:0], Y[:0]), verbose=0)
