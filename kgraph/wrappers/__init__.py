"""Models as estimators of scikit-learn."""

import importlib as _importlib

from kgraph.wrappers.scikit_learn import KerasClassifier, KerasRegressor

# Imported when they are first used: their base classes are scikit-learn's.
_ESTIMATORS = ("SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer")

__all__ = [
    "KerasClassifier",
    "KerasRegressor",
    "SKLearnClassifier",
    "SKLearnRegressor",
    "SKLearnTransformer",
]


def __getattr__(name: str) -> object:
    if name in _ESTIMATORS:
        return getattr(_importlib.import_module("kgraph.wrappers.estimators"), name)
    raise AttributeError(f"module 'kgraph.wrappers' has no attribute {name!r}")
