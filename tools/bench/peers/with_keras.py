"""Keras on its current backend, through `fit` and `predict`."""

from __future__ import annotations

import keras

from .builders import build
from .timing import Subject, by_fit


def run(name: str) -> Subject:
    """The model of a workload, ready to be timed."""
    return by_fit(lambda: build(keras, name), name)
