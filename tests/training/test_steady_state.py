"""A step that runs again and again allocates nothing: no array of the batch or of the weights."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph.layers import (
    BatchNormalization,
    Dense,
    Dropout,
    Input,
    LayerNormalization,
    MultiHeadAttention,
    add,
)
from kgraph.models import Model, Sequential

BATCH, RUNS = 4096, 20
# NumPy's iterators borrow 34 kB where an operand is broadcast, and raw random bits come in pieces
# of 64 kB. The smallest matrices of this model are larger: 128 kB of weights, 160 kB of logits.
BORROWED = 110_000


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_a_training_step_allocates_nothing(optimizer, measure_allocations):
    model = Sequential(
        [
            Dense(512, activation="relu", input_dim=64),
            Dropout(0.3),
            BatchNormalization(),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer, "categorical_crossentropy", ["accuracy"])
    step = model.executable(np.zeros((4, 64)), np.zeros((4, 10)))
    check_allocations(step.bind({"batch": BATCH}), measure_allocations)


def check_allocations(plan, measure_allocations):
    """Runs a plan and looks at what it borrows and keeps."""
    for array in plan.inputs:
        array[...] = 0.1
    borrowed, kept = measure_allocations(plan.run, RUNS)
    assert borrowed < BORROWED
    assert kept < 16_000  # Python's own free lists; it does not grow with the runs


def test_a_step_of_attention_allocates_nothing(measure_allocations):
    x = Input((16, 32))
    y = MultiHeadAttention(4, 8, dropout=0.1)(x, x, use_causal_mask=True)
    model = Model(x, LayerNormalization()(add([x, y])))
    model.compile("adam", "mse")
    step = model.executable(np.zeros((4, 16, 32)), np.zeros((4, 16, 32)))
    check_allocations(step.bind({"batch": 256}), measure_allocations)
