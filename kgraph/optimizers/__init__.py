"""Optimizers: what a training step does to the weights, as graph builders."""

from __future__ import annotations

from kgraph.optimizers import schedules
from kgraph.optimizers.adadelta import Adadelta
from kgraph.optimizers.adafactor import Adafactor
from kgraph.optimizers.adagrad import Adagrad
from kgraph.optimizers.adam import Adam
from kgraph.optimizers.adamax import Adamax
from kgraph.optimizers.adamw import AdamW
from kgraph.optimizers.base import Optimizer
from kgraph.optimizers.ftrl import Ftrl
from kgraph.optimizers.lamb import Lamb
from kgraph.optimizers.lion import Lion
from kgraph.optimizers.lookup import CLASSES, deserialize, get, serialize
from kgraph.optimizers.loss_scale import LossScaleOptimizer
from kgraph.optimizers.muon import Muon
from kgraph.optimizers.nadam import Nadam
from kgraph.optimizers.rmsprop import RMSprop
from kgraph.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from kgraph.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

_ALL = (
    *(SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion, Lamb, Adafactor),
    *(Muon, ScheduleFreeAdamW, LossScaleOptimizer),
)
CLASSES.update({made.__name__.lower(): made for made in _ALL})
