"""predict and its relatives: values, memory, classes, threads, one compilation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fit_models import linear, regression, two_outputs, two_outputs_data

from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD


def test_predict_concatenates_batches_of_all_outputs():
    model, (x, _) = two_outputs(), two_outputs_data(9)
    whole, parts = model.predict(x), model.predict(x, batch_size=4)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert a.dtype == np.float32
    alone = model.predict_on_batch({k: v[:1] for k, v in x.items()})
    np.testing.assert_allclose(alone[0], whole[0][:1], rtol=1e-6)


def test_predictions_do_not_share_memory():
    model = linear()
    x, _ = regression(4)
    first = model.predict(x)
    kept = first.copy()
    model.predict(x * 2)
    np.testing.assert_array_equal(first, kept)


def test_predict_sees_the_trained_weights():
    x, y = regression(8)
    model = linear(optimizer=SGD(0.1))
    before = model.predict(x)
    model.fit(x, y, epochs=3, verbose=0)
    assert not np.allclose(model.predict(x), before)
    np.testing.assert_allclose(
        model.predict(x), x @ model.get_weights()[0] + model.get_weights()[1], rtol=1e-5
    )


def test_predict_classes_and_proba():
    model = Sequential([Dense(3, input_dim=3, activation="softmax")])
    x, _ = regression(5)
    assert model.predict_classes(x).tolist() == model.predict(x).argmax(-1).tolist()
    np.testing.assert_array_equal(model.predict_proba(x), model.predict(x))
    single = Sequential([Dense(1, input_dim=3, activation="sigmoid")])
    assert single.predict_classes(x).tolist() == (single.predict(x) > 0.5).astype(int).tolist()
    assert single.predict_classes(x).dtype == np.int32
    with pytest.warns(UserWarning, match="Network returning invalid probability values"):
        linear().predict_proba(x * 100)
    with pytest.raises(ValueError, match="needs a model with one output"):
        two_outputs().predict_classes(two_outputs_data()[0])


def test_predicting_in_a_loop_compiles_once():
    model = linear()
    x, _ = regression(40)
    step = model._predict_step()
    for size in (*range(1, 40), *range(1, 40)):
        model.predict(x[:size])
    assert model._predict_step() is step
    assert len(step._plans) <= 16


def test_predicting_in_a_loop_keeps_no_memory(measure_allocations):
    model, (x, _) = linear(), regression(4)
    for _ in range(100):
        model.predict(x)
    kept = [measure_allocations(lambda: model.predict(x), runs)[1] for runs in (200, 2000)]
    assert max(kept) < 16_000  # Python's own free lists
    assert kept[1] - kept[0] < 1_000


def test_threads_may_predict_with_one_model():
    x, _ = regression(64)
    model = Sequential([Dense(16, input_dim=3, activation="tanh"), Dense(2)])
    parts = [x[i : i + 5 + i % 3] for i in range(40)]
    expected = [model.predict(p) for p in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for found, wanted in zip(pool.map(model.predict, parts), expected, strict=True):
                np.testing.assert_array_equal(found, wanted)


def test_an_input_that_no_output_needs():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model([a, b], Dense(1)(a))
    model.compile("sgd", "mse")
    x, y = [np.ones((5, 2)), np.ones((5, 2))], np.ones((5, 1))
    model.fit(x, y, batch_size=2, verbose=0)
    assert model.predict(x).shape == (5, 1)
