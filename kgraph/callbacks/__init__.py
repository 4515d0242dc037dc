"""Callbacks: what a user does at fixed points of training, evaluation and prediction."""

from kgraph.callbacks.base import Callback, CallbackList
from kgraph.callbacks.history import History
from kgraph.callbacks.lambda_callback import LambdaCallback
from kgraph.callbacks.logs import Logs
from kgraph.callbacks.progress import ProgbarLogger
from kgraph.callbacks.stopping import EarlyStopping

__all__ = [
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "Logs",
    "ProgbarLogger",
]
