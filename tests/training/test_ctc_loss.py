"""CTC against Keras 3 on JAX, against the sum over all alignments, and in training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import kgraph
from kgraph import losses, ops
from kgraph.backend import ctc_batch_cost
from kgraph.layers import Dense, Input
from kgraph.losses.ctc import ctc, ctc_loss
from kgraph.models import Model
from kgraph.optimizers import Adam

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(4, 6, 5)).astype("float32")
LABELS = np.array([[1, 2, 3], [1, 1, 0], [4, 0, 0], [0, 0, 0]])
LENGTHS, STEPS = np.array([3, 2, 1, 0]), np.array([6, 4, 1, 5])


def probability(labels, logits, blank):
    """The sum over all alignments, one by one, in float64."""
    p = np.exp(logits.astype("float64"))
    p /= p.sum(axis=-1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        merged = [s for s, _ in itertools.groupby(path)]
        if [s for s in merged if s != blank] == list(labels):
            total += np.prod(p[range(len(p)), path])
    return total


@pytest.mark.parametrize("blank", [0, 2])
def test_it_is_the_sum_over_all_alignments(blank):
    scores = SCORES[:, :5, :4]
    labels = np.array([[1, 3, 1], [3, 3, 1], [1, 0, 0], [0, 0, 0]])
    steps = np.array([5, 4, 3, 5])
    if blank == 0:
        labels[2:, 1:] = 1
    found = ctc_loss(labels, scores, LENGTHS, steps, mask_index=blank)
    for row, value in enumerate(found):
        given = labels[row][: LENGTHS[row]], scores[row][: steps[row]]
        expected = probability(*given, blank)
        if expected:
            assert value == pytest.approx(-np.log(expected), rel=1e-5), row
        else:
            assert value > 1e4


def test_values_and_gradients_are_keras_3_s():
    import jax
    import keras

    def theirs(scores):
        return keras.ops.sum(keras.ops.ctc_loss(LABELS, scores, LENGTHS, STEPS))

    def ours(scores):
        return ops.sum(ctc_loss(LABELS, scores, LENGTHS, STEPS))

    value, slope = kgraph.value_and_grad(ours)(SCORES)
    expected, wanted = jax.value_and_grad(theirs)(SCORES)
    assert value == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ctc(LABELS, SCORES), keras.losses.ctc(LABELS, SCORES), rtol=1e-5)
    assert losses.get("ctc") is ctc
    assert float(losses.CTC()(LABELS, SCORES)) == pytest.approx(
        float(keras.losses.CTC()(LABELS, SCORES)), rel=1e-5
    )


def test_labels_that_do_not_fit_into_the_steps_cost_much_but_stay_numbers():
    value, slope = kgraph.value_and_grad(lambda s: ops.sum(ctc([[1, 1, 1]], s)))(SCORES[:1, :4])
    assert 1e4 < value < 1e6
    assert np.isfinite(slope).all()


def test_it_is_the_cost_of_the_backend_whose_blank_is_the_last_class():
    p = np.exp(SCORES) / np.exp(SCORES).sum(axis=-1, keepdims=True)
    labels = np.where(LABELS > 0, LABELS - 1, 0)
    found = ctc_batch_cost(labels, p, STEPS[:, None], LENGTHS[:, None])
    expected = ctc_loss(labels, SCORES, LENGTHS, STEPS, mask_index=4)
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-4)


@pytest.mark.parametrize("steps", [8, None])
def test_a_model_learns_to_write_its_labels(steps):
    np.random.seed(0)
    x = Input((steps, 6))
    model = Model(x, Dense(5)(Dense(16, "tanh")(x)))
    model.compile(Adam(0.05), "ctc")
    rng = np.random.default_rng(1)
    labels = rng.integers(1, 5, size=(10, 3))
    data = rng.normal(size=(10, 8, 6)).astype("float32")
    data[:, [1, 3, 5], :5] += 6 * np.eye(5)[labels]
    history = model.fit(data, labels, epochs=60, batch_size=4, verbose=0).history["loss"]
    assert history[-1] < 0.3 < 3 < history[0]
    best = model.predict(data).argmax(axis=-1)
    read = [[int(s) for s, _ in itertools.groupby(row) if s] for row in best]
    assert np.mean([a == list(b) for a, b in zip(read, labels, strict=True)]) >= 0.8


def test_operands_of_other_forms_are_refused():
    with pytest.raises(ValueError, match="wrong number of axes"):
        ctc([1, 2], SCORES)
    with pytest.raises(ValueError, match="wrong number of axes"):
        ctc(LABELS, SCORES[0])
