"""What earlier versions of Keras had, and a whole program in the style of Keras 1."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from processes import kgraph_run

from kgraph import compat, config, layers
from kgraph.compat import former
from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential

A = np.array([[1.0, 2.0], [3.0, 5.0]], "float32")
B = np.array([[2.0, 0.5], [1.0, 1.0]], "float32")
COSINES = (A * B).sum(1) / (np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1))


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        ("sum", {}, A + B),
        ("mul", {}, A * B),
        ("ave", {}, (A + B) / 2),
        ("max", {}, np.maximum(A, B)),
        ("concat", {}, np.concatenate([A, B], 1)),
        ("concat", {"concat_axis": 1}, np.concatenate([A, B], 1)),
        ("dot", {"dot_axes": 1}, (A * B).sum(1, keepdims=True)),
        ("cos", {"dot_axes": 1}, COSINES[:, None]),
        (lambda x, k: x[0] - k * x[1], {"arguments": {"k": 2}, "output_shape": (2,)}, A - 2 * B),
    ],
)
def test_merge(mode, options, expected):
    np.testing.assert_allclose(former.merge([A, B], mode=mode, **options), expected, 1e-6)
    a, b = Input((2,)), Input((2,))
    model = Model([a, b], former.Merge(mode=mode, **options)([a, b]))
    np.testing.assert_allclose(model.predict([A, B]), expected, 1e-6)


def test_merge_of_an_unknown_mode():
    with pytest.raises(ValueError, match="Invalid merge mode\n  expected: ave, max, mul, sum"):
        former.merge([A, B], mode="join")


def test_merge_of_models_begins_a_sequential_model():
    left, right = Sequential([Dense(2, input_dim=2)]), Sequential([Dense(3, input_dim=2)])
    model = Sequential([former.Merge([left, right], mode="concat"), Dense(1)])
    assert model.layers[0].output_shape == (None, 5)
    assert len(model.trainable_weights) == 6
    expected = model.layers[1](np.concatenate([left.predict(A), right.predict(B)], 1))
    np.testing.assert_allclose(model.predict([A, B]), expected, 1e-6)


def test_layers_for_graphics_cards_are_the_same_layers():
    lstm, gru = former.CuDNNLSTM(3, return_state=True), former.CuDNNGRU(3)
    assert (type(lstm), lstm.recurrent_activation.__name__) == (layers.LSTM, "sigmoid")
    assert (type(gru), gru.reset_after) == (layers.GRU, True)
    step = former.TimeDistributedDense(4, activation="relu", input_dim=3, input_length=5)
    assert step.batch_input_shape == (None, 5, 3)


def test_numbers_of_a_kernel_follow_the_installation(no_keras):
    assert config.rows_and_columns is False
    with compat.install():
        assert config.rows_and_columns is True
        with compat.install(tf=True):
            assert config.rows_and_columns is False
        assert config.rows_and_columns is True
    assert config.rows_and_columns is False


def test_a_program_of_keras_1():
    script = Path(__file__).with_name("keras_1_script.py")
    done = kgraph_run(str(script))
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    places = re.findall(r"^(\S+):(\d+): UserWarning: Update your `\w+` call", done.stderr, re.M)
    assert {file for file, _ in places} == {str(script)}
    assert len(places) == len(set(places)) == 14
