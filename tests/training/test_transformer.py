"""A transformer learns: blocks of attention, normalization and dense layers on a toy task."""

from __future__ import annotations

import numpy as np

from kgraph.layers import (
    Dense,
    Embedding,
    Input,
    LayerNormalization,
    MultiHeadAttention,
    add,
)
from kgraph.models import Model
from kgraph.optimizers import Adam

LENGTH, DIGITS, WIDTH = 6, 8, 32


def block(x, **named):
    """Attention and two dense layers, each with a way around it."""
    x = LayerNormalization()(add([x, MultiHeadAttention(4, WIDTH // 4)(x, x, **named)]))
    inner = Dense(2 * WIDTH, activation="relu")(x)
    return LayerNormalization()(add([x, Dense(WIDTH)(inner)]))


def transformer(**named):
    """Digits and their places -> a distribution over digits at each place."""
    digits, places = (Input((LENGTH,), dtype="int32") for _ in range(2))
    x = add([Embedding(DIGITS, WIDTH)(digits), Embedding(LENGTH, WIDTH)(places)])
    for _ in range(2):
        x = block(x, **named)
    model = Model([digits, places], Dense(DIGITS, activation="softmax")(x))
    model.compile(Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def drawn(count, seed):
    """Inputs of the model: rows of digits, and the places 0, 1, ..."""
    digits = np.random.RandomState(seed).randint(0, DIGITS, (count, LENGTH)).astype("int32")
    return [digits, np.tile(np.arange(LENGTH, dtype="int32"), (count, 1))]


def test_sorts():
    np.random.seed(0)
    model, train, test = transformer(), drawn(4096, 1), drawn(500, 2)
    model.fit(train, np.sort(train[0]), batch_size=64, epochs=2, verbose=0)
    assert model.evaluate(test, np.sort(test[0]), verbose=0)[1] > 0.95


def test_repeats_what_came_before_and_sees_no_more():
    """With a causal mask, each place can say the largest digit so far, and nothing of the rest."""
    np.random.seed(0)
    model, train, test = transformer(use_causal_mask=True), drawn(2048, 1), drawn(500, 2)
    largest = np.maximum.accumulate(train[0], 1)
    model.fit(train, largest, batch_size=64, epochs=2, verbose=0)
    assert model.evaluate(test, np.maximum.accumulate(test[0], 1), verbose=0)[1] > 0.95
    changed = [test[0].copy(), test[1]]
    changed[0][:, 4:] = 0
    before, after = model.predict(test), model.predict(changed)
    np.testing.assert_allclose(before[:, :4], after[:, :4], rtol=1e-4, atol=1e-5)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 0.1
