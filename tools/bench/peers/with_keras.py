"""Keras on its current backend, through `fit` and `predict`."""

from __future__ import annotations

import keras

from .builders import build
from .timing import Measured, time_fit


def run(name: str) -> Measured:
    """Times a workload."""
    return time_fit(lambda: build(keras, name), name)
