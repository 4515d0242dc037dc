"""Training: from `compile`, `fit`, `evaluate` and `predict` to compiled graphs and back."""

from kgraph.training.trainer import Trainer

__all__ = ["Trainer"]
