"""Data sets of the tests of generators, in a module that processes can import."""

from __future__ import annotations

import os

import numpy as np

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


class Told(Parts):
    """Batches that say which process made them, and how many epochs had ended for it."""

    def __getitem__(self, index):
        return np.array([[os.getpid(), self.ends, index]])


class Constant(Told):
    """The same, without anything that changes between epochs."""

    def on_epoch_end(self):
        """Changes nothing."""


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
