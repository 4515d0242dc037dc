"""Callbacks: what a user does at fixed points of training, evaluation and prediction."""

import importlib
from typing import Any

from kgraph.callbacks.averages import SwapEMAWeights
from kgraph.callbacks.backup import BackupAndRestore
from kgraph.callbacks.base import Callback, CallbackList
from kgraph.callbacks.checkpoint import ModelCheckpoint
from kgraph.callbacks.csv_logger import CSVLogger
from kgraph.callbacks.history import History
from kgraph.callbacks.lambda_callback import LambdaCallback
from kgraph.callbacks.logs import Logs
from kgraph.callbacks.nan import TerminateOnNaN
from kgraph.callbacks.plateau import ReduceLROnPlateau
from kgraph.callbacks.progress import ProgbarLogger
from kgraph.callbacks.rates import LearningRateScheduler
from kgraph.callbacks.stopping import EarlyStopping

# Imported when they are first used: they need an optional library or the network.
_HOME = {
    "RemoteMonitor": "kgraph.callbacks.remote",
    "TensorBoard": "kgraph.callbacks.tensorboard",
    "plot_history": "kgraph.callbacks.plotting",
}

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "plot_history",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
