"""Batches come in order, errors where their batch would have come, and workers end."""

import multiprocessing
import threading
from itertools import islice

import pytest

from kgraph.utils import GeneratorEnqueuer, OrderedEnqueuer, PyDataset


class Squares:
    """A sequence that counts its epochs and can be pickled."""

    def __init__(self, length=5, fails_at=None):
        self.length, self.fails_at, self.epoch = length, fails_at, 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == self.fails_at:
            raise ZeroDivisionError(f"batch {index}")
        return self.epoch, index * index

    def on_epoch_end(self):
        self.epoch += 1


class Staggered(Squares):
    """Batch 0 waits until batch 1 is done."""

    def __init__(self):
        super().__init__(2)
        self.second_is_done = threading.Event()

    def __getitem__(self, index):
        if index == 0:
            assert self.second_is_done.wait(10)
        self.second_is_done.set()
        return index


def threads_of(name):
    """Running threads of a class."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_epochs_in_order(workers):
    enqueuer = OrderedEnqueuer(Squares())
    assert not enqueuer.is_running()
    enqueuer.start(workers, max_queue_size=3)
    assert enqueuer.is_running()
    found = list(islice(enqueuer.get(), 12))
    assert found == [(i // 5, (i % 5) ** 2) for i in range(12)]
    enqueuer.stop()
    assert not enqueuer.is_running()
    assert not threads_of("OrderedEnqueuer")


def test_order_does_not_depend_on_speed():
    enqueuer = OrderedEnqueuer(Staggered())
    enqueuer.start(workers=2)
    assert list(islice(enqueuer.get(), 2)) == [0, 1]
    enqueuer.stop()


def test_shuffled_epochs_hold_every_batch():
    enqueuer = OrderedEnqueuer(Squares(50), shuffle=True)
    enqueuer.start(workers=2)
    found = list(islice(enqueuer.get(), 100))
    enqueuer.stop()
    assert found[:50] != sorted(found[:50])
    assert sorted(found) == [(epoch, i * i) for epoch in range(2) for i in range(50)]


class Endless(PyDataset):
    """A data set without an end."""

    num_batches = None

    def __getitem__(self, index):
        return index


def test_endless_data_sets_have_no_epochs():
    enqueuer = OrderedEnqueuer(Endless(), shuffle=True)
    enqueuer.start(workers=2)
    assert list(islice(enqueuer.get(), 30)) == list(range(30))
    enqueuer.stop()


def test_processes():
    enqueuer = OrderedEnqueuer(Squares(3), use_multiprocessing=True)
    enqueuer.start(workers=2)
    found = list(islice(enqueuer.get(), 4))
    enqueuer.stop()
    assert found == [(0, 0), (0, 1), (0, 4), (1, 0)]
    assert not multiprocessing.active_children()


def test_what_has_no_pickle_is_left_to_threads():
    enqueuer = OrderedEnqueuer(Staggered(), use_multiprocessing=True)
    with pytest.warns(UserWarning, match="threads are used: the sequence has no pickle"):
        enqueuer.start(workers=2)
    assert next(enqueuer.get()) == 0
    enqueuer.stop()


@pytest.mark.parametrize("processes", [False, True])
def test_errors_reach_the_consumer(processes):
    enqueuer = OrderedEnqueuer(Squares(5, fails_at=2), use_multiprocessing=processes)
    enqueuer.start(workers=2)
    batches = enqueuer.get()
    assert [next(batches), next(batches)] == [(0, 0), (0, 1)]
    with pytest.raises(ZeroDivisionError, match="batch 2"):
        next(batches)
    assert not enqueuer.is_running()
    assert list(batches) == []


def test_it_prepares_no_more_than_it_may():
    taken = []

    def numbers():
        for number in range(100):
            taken.append(number)
            yield number

    enqueuer = GeneratorEnqueuer(numbers())
    enqueuer.start(workers=4, max_queue_size=3)
    batches = enqueuer.get()
    assert next(batches) == 0
    enqueuer.stop()
    assert taken == list(range(len(taken)))
    assert len(taken) <= 4
    assert list(batches) == []


def test_generators_end():
    enqueuer = GeneratorEnqueuer(iter("abc"))
    enqueuer.start()
    assert list(enqueuer.get()) == ["a", "b", "c"]
    assert not enqueuer.is_running()
    assert not threads_of("GeneratorEnqueuer")


def test_errors_of_generators():
    enqueuer = GeneratorEnqueuer(1 / n for n in (1, 0))
    enqueuer.start()
    batches = enqueuer.get()
    assert next(batches) == 1
    with pytest.raises(ZeroDivisionError):
        next(batches)
    assert not threads_of("GeneratorEnqueuer")


def test_wrong_use_is_explained():
    with pytest.raises(ValueError, match="cannot move to another process"):
        GeneratorEnqueuer(iter(()), use_multiprocessing=True)
    enqueuer = OrderedEnqueuer(Squares())
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        next(enqueuer.get())
    enqueuer.start()
    with pytest.raises(RuntimeError, match="runs already"):
        enqueuer.start()
    enqueuer.stop()
    enqueuer.start()
    assert next(enqueuer.get()) == (0, 0)
    enqueuer.stop(timeout=0)
    empty = OrderedEnqueuer([])
    empty.start()
    with pytest.raises(ValueError, match="the sequence is empty"):
        next(empty.get())
    assert not empty.is_running()
