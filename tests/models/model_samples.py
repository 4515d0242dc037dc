"""What the tests of models share."""

import numpy as np

from kgraph.layers import Dense, Embedding, Flatten, Input, concatenate
from kgraph.models import Model


def names(model):
    return [layer.name for layer in model.layers]


def ones(*shape):
    return np.ones(shape, "float32")


def two_headed():
    """The model of the Chinese documentation, with Flatten in place of the LSTM."""
    main = Input(shape=(100,), dtype="int32", name="main_input")
    x = Embedding(output_dim=16, input_dim=1000, input_length=100)(main)
    encoded = Flatten()(x)
    aux_out = Dense(1, activation="sigmoid", name="aux_output")(encoded)
    aux = Input(shape=(5,), name="aux_input")
    x = concatenate([encoded, aux])
    for _ in range(3):
        x = Dense(64, activation="relu")(x)
    main_out = Dense(1, activation="sigmoid", name="main_output")(x)
    return Model(inputs=[main, aux], outputs=[main_out, aux_out])
