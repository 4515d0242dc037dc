"""CTC against the sum over all paths, written out; gradients; decoding."""

import itertools

import keras
import numpy as np
import pytest
from both_ways import both, normal

from kgraph import backend as K
from kgraph.layers import Dense, Input, Lambda
from kgraph.models import Model


def probabilities(batch, time, classes, seed=0):
    """Softmax of normally distributed numbers."""
    logits = np.exp(normal(batch, time, classes, seed=seed) * 2)
    return logits / logits.sum(-1, keepdims=True)


def collapse(path, blank):
    """What a path stands for."""
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def all_labels(p):
    """The probability of every label sequence of one sample."""
    p = (p + 1e-7) / (p + 1e-7).sum(-1, keepdims=True)
    found, blank = {}, p.shape[-1] - 1
    for path in itertools.product(range(blank + 1), repeat=len(p)):
        labels = collapse(path, blank)
        found[labels] = found.get(labels, 0) + np.prod([p[t, c] for t, c in enumerate(path)])
    return found


LABELS = np.int32([[0, 1, -1], [2, 2, 0], [1, -1, -1], [0, 0, 0]])
COUNTS, STEPS = np.int32([[2], [3], [1], [0]]), np.int32([[5], [4], [2], [3]])


def test_cost_is_the_sum_over_all_paths():
    p = probabilities(4, 5, 4)
    found = both(K.ctc_batch_cost, LABELS, p, STEPS, COUNTS)
    assert found.shape == (4, 1)
    for row, sample, labels, steps, count in zip(found, p, LABELS, STEPS[:, 0], COUNTS[:, 0]):
        expected = all_labels(sample[:steps])[tuple(labels[:count])]
        assert row[0] == pytest.approx(-np.log(expected), rel=1e-5)


def test_cost_of_unknown_sizes_is_that_of_keras():
    p = probabilities(3, 6, 5, seed=1)
    labels, counts, steps = (
        np.int32([[0, 1, 3], [3, 3, 0], [2, 1, 0]]),
        [[3], [2], [1]],
        [[6], [5], [6]],
    )
    x, y = K.placeholder((None, None, 5)), K.placeholder((None, None))
    n, m = K.placeholder((None, 1), dtype="int32"), K.placeholder((None, 1), dtype="int64")
    cost = K.function([y, x, n, m], [K.ctc_batch_cost(y, x, n, m)])
    found = cost([labels.astype("float32"), p, steps, counts])[0]
    expected = keras.ops.ctc_loss(
        labels, np.log(p), np.int32(counts)[:, 0], np.int32(steps)[:, 0], mask_index=4
    )
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4)


def test_what_is_impossible_costs_infinitely_much_and_moves_nothing():
    p = probabilities(2, 3, 4)
    x = K.placeholder((2, 3, 4))
    cost = K.ctc_batch_cost([[1, 1], [0, 1]], x, [[2], [2]], [[2], [2]])
    value, slope = K.function([x], [cost, K.gradients(cost, x)[0]])([p])
    assert value[0, 0] == np.inf
    assert np.isfinite(value[1, 0])
    assert (slope[0] == 0).all()
    assert np.isfinite(slope).all()
    assert (slope[1, :2] != 0).any()
    assert (slope[1, 2] == 0).all()


def test_gradients():
    p = probabilities(4, 5, 4).astype("float64")
    x = K.placeholder((4, 5, 4), dtype="float64")
    cost = K.sum(K.ctc_batch_cost(LABELS, x, STEPS, COUNTS))
    f = K.function([x], [cost, K.gradients(cost, x)[0]])
    slope = f([p])[1]
    for place in [(0, 0, 0), (0, 4, 3), (1, 2, 2), (1, 4, 1), (2, 1, 1), (3, 0, 3), (3, 2, 0)]:
        step = np.zeros_like(p)
        step[place] = 1e-6
        numeric = (f([p + step])[0] - f([p - step])[0]) / 2e-6
        assert slope[place] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_the_optical_character_model_of_the_examples():
    x, labels = Input((8, 4)), Input((2,), name="the_labels")
    input_length, label_length = Input((1,), dtype="int64"), Input((1,), dtype="int64")
    y = Dense(4, activation="softmax")(x)
    cost = Lambda(lambda a: K.ctc_batch_cost(a[1], a[0][:, 2:], a[2], a[3]), output_shape=(1,))(
        [y, labels, input_length, label_length]
    )
    model = Model([x, labels, input_length, label_length], cost)
    model.compile("adam", loss={model.output_names[0]: lambda y_true, y_pred: y_pred})
    classes = np.int32([[0, 1], [2, 0], [1, 2], [2, 1]] * 4)
    images = np.eye(4, dtype="float32")[np.repeat(classes, 4, axis=1)]
    feeds = [images, classes, np.full((16, 1), 6), np.full((16, 1), 2)]
    model.optimizer.lr = 0.1
    losses = model.fit(feeds, np.zeros(16), epochs=30, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]
    predict = K.function([x], [y])
    (decoded,), _ = K.ctc_decode(predict([images])[0][:, 2:], np.full(16, 6))
    np.testing.assert_array_equal(K.get_value(decoded), classes)


def test_greedy_decoding():
    p = (
        np.eye(4, dtype="float32")[[[0, 0, 3, 0, 1], [3, 2, 2, 1, 1], [3, 3, 3, 3, 3]]] * 0.9
        + 0.025
    )
    (found,), score = K.ctc_decode(p, [5, 3, 5])
    assert found.tolist() == [[0, 0, 1], [2, -1, -1], [-1, -1, -1]]
    np.testing.assert_allclose(score[:, 0], -np.log(0.925) * np.array([5, 3, 5]), rtol=1e-5)
    x = K.placeholder((3, 5, 4))
    labels, symbolic = K.function(
        [x], [K.ctc_decode(x, [5, 3, 5])[0][0], K.ctc_decode(x, [5, 3, 5])[1]]
    )([p])
    assert labels.tolist() == [[0, 0, 1, -1, -1], [2] + [-1] * 4, [-1] * 5]
    np.testing.assert_allclose(symbolic, score)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_wide_search_finds_the_best_labels(seed):
    p = probabilities(2, 4, 3, seed)
    decoded, scores = K.ctc_decode(p, [4, 3], greedy=False, beam_width=200, top_paths=3)
    for i, steps in enumerate((4, 3)):
        ranked = sorted(all_labels(p[i, :steps]).items(), key=lambda pair: -pair[1])[:3]
        for (labels, value), array, score in zip(ranked, decoded, scores[i]):
            assert tuple(array[i][array[i] >= 0]) == labels
            assert score == pytest.approx(np.log(value), rel=1e-5)


def test_a_narrow_search_and_few_results():
    p = probabilities(1, 6, 4)
    (best,), (score,) = K.ctc_decode(p, [6], greedy=False, beam_width=2)
    assert best.shape[0] == 1
    assert score[0] <= np.log(max(all_labels(p[0]).values())) + 1e-6
    decoded, scores = K.ctc_decode(p[:, :0], [0], greedy=False, top_paths=2)
    assert [d.shape for d in decoded] == [(1, 0)] * 2
    assert scores.tolist() == [[0, -np.inf]]


def test_searching_needs_arrays():
    with pytest.raises(TypeError, match=r"K\.ctc_decode searches on arrays only"):
        K.ctc_decode(K.placeholder((None, 5, 4)), [5], greedy=False)
    with pytest.raises(AttributeError, match="dense labels"):
        _ = K.ctc_label_dense_to_sparse
