"""Models die with their last reference, although layers, calls and nodes refer to each other."""

import gc
import weakref

import numpy as np

from kgraph.layers import Add, Dense, Input
from kgraph.models import Model, Sequential


def used(model):
    """Trains and runs a model once, so that all its caches are filled."""
    width = model.input_shape[-1]
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((3, width)), np.ones((3, 1)), verbose=0)
    model.predict(np.ones((2, width)))
    model(np.ones((2, width), "float32"))
    return model


def shared_and_nested():
    """A layer called on its own output, an op between layers, and a model called twice."""
    x = Input((4,))
    shared = Dense(4)
    inner = Sequential([Dense(4, input_dim=4)])
    y = shared(shared(x) * 2.0)
    return Model(x, Dense(1)(Add()([inner(y), inner(x)])))


def chain():
    return Sequential([Dense(4, input_dim=3, activation="relu"), Dense(1)])


def test_nothing_keeps_a_model_alive():
    for make in (chain, shared_and_nested):
        model = used(make())
        ghosts = [weakref.ref(part) for part in (model, *model.layers, *model.weights)]
        ghosts += [weakref.ref(node) for node in model.graph.nodes if node.op.name != "const"]
        del model
        gc.collect()
        assert [ghost() for ghost in ghosts] == [None] * len(ghosts)
