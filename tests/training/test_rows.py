"""Data whose rows are read batch by batch: HDF5 files, sparse matrices, arrays in steps."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from batch_data import X, Y
from fit_models import linear

from kgraph.optimizers import SGD
from kgraph.training.sources.rows import read_rows
from kgraph.utils import HDF5Matrix


def same_start():
    np.random.seed(0)
    model = linear(optimizer=SGD(0.1), metrics=["mae"])
    np.random.seed(1)
    return model


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = X, Y
    return tmp_path / "data.h5"


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_rows_of_a_file_train_as_arrays_do(path, shuffle):
    expected = (
        same_start()
        .fit(X, Y, 5, epochs=2, shuffle=shuffle, validation_split=0.25, verbose=0)
        .history
    )
    x, y = HDF5Matrix(path, "x"), HDF5Matrix(path, "y")
    found = same_start().fit(x, y, 5, 2, 0, shuffle=shuffle, validation_split=0.25).history
    assert found == expected
    with h5py.File(path) as file:
        given = file["x"], file["y"]
        found = same_start().fit(*given, 5, 2, 0, shuffle=shuffle, validation_split=0.25).history
    assert found == expected


def test_rows_of_a_file_are_measured(path):
    model = linear(metrics=["mae"])
    x = HDF5Matrix(path, "x", 2, 11)
    assert model.evaluate(x, Y[2:11], 4, 0) == model.evaluate(X[2:11], Y[2:11], 4, 0)
    np.testing.assert_array_equal(model.predict(x, 4), model.predict(X[2:11], 4))
    np.testing.assert_array_equal(model.predict(x, 4, steps=2), model.predict(X[2:10], 4))
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict_on_batch(X[2:11]))
    assert model.train_on_batch(x, Y[2:11]) == pytest.approx(model.test_on_batch(x, Y[2:11]))
    weights = np.arange(9.0)
    assert model.evaluate(x, Y[2:11], 4, 0, weights) == (
        model.evaluate(X[2:11], Y[2:11], 4, 0, weights)
    )


def test_only_the_rows_of_a_batch_are_read_or_made_dense():
    class Counted(scipy.sparse.csr_matrix):
        def toarray(self, *args, **kwargs):
            shapes.append(self.shape)
            return super().toarray(*args, **kwargs)

    shapes = []
    sparse = Counted(np.where(X > 0, X, 0))
    dense = sparse.toarray()
    shapes.clear()
    expected = same_start().fit(dense, Y, 5, 2, 0, validation_split=0.5).history
    assert same_start().fit(sparse, Y, 5, 2, 0, validation_split=0.5).history == expected
    assert max(shape[0] for shape in shapes) == 5
    model = linear()
    for form in ("csr", "coo", "csc", "lil", "dok"):
        given = sparse.asformat(form)
        np.testing.assert_array_equal(model.predict(given, 5), model.predict(dense, 5))
        assert model.evaluate(given, sparse[:, :1], 5, 0) == (
            model.evaluate(dense, dense[:, :1], 5, 0)
        )


def test_class_weights_of_rows():
    ids = (np.arange(12) % 2)[:, None].astype("float32")
    weights = {0: 1.0, 1: 3.0}
    sparse = scipy.sparse.csr_array(X)
    assert (
        same_start().fit(sparse, ids, 5, 1, 0, class_weight=weights).history["loss"]
        == (same_start().fit(X, ids, 5, 1, 0, class_weight=weights).history["loss"])
    )


def test_arrays_in_steps():
    model = linear()
    w, b = model.get_weights()
    error = ((X @ w + b - Y) ** 2)[:, 0]
    history = model.fit(X, Y, 4, 3, 0, shuffle=False, steps_per_epoch=2).history["loss"]
    parts = error.reshape(3, 4).mean(1)
    assert history == pytest.approx(
        [parts[:2].mean(), parts[[2, 0]].mean(), parts[1:].mean()], rel=1e-5
    )
    weights = np.linspace(0, 1, 12)
    found = model.fit(X, Y, 4, 1, 0, sample_weight=weights, steps_per_epoch=3, shuffle=False)
    assert found.history["loss"] == [pytest.approx(np.mean(weights * error), rel=1e-5)]
    assert model.evaluate(X, Y, 4, 0, steps=2) == pytest.approx(error[:8].mean(), rel=1e-5)
    assert model.predict(X, 4, steps=1).shape == (4, 1)
    history = model.fit(
        X, Y, verbose=0, batch_size=4, validation_data=(X, Y), validation_steps=1
    ).history
    assert history["val_loss"] == [pytest.approx(error[:4].mean(), rel=1e-5)]
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        model.evaluate(X, Y, 4, 0, steps=4)


def test_a_table_of_pandas_and_rows_of_a_file(path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    assert linear().fit(frame, HDF5Matrix(path, "y"), verbose=0, validation_split=0.5).epoch == [0]
    model = linear()
    assert model.evaluate(frame, pd.Series(Y[:, 0]), verbose=0) == model.evaluate(X, Y, verbose=0)


def test_rows_that_do_not_fit(path):
    x = HDF5Matrix(path, "x")
    with pytest.raises(ValueError, match="Found 12 input samples and 11 target samples"):
        linear().fit(x, Y[:11])
    with pytest.raises(ValueError, match=r"expected dense.* to have shape \(2,\) but got array"):
        linear(2).fit(x, Y, verbose=0)


def test_rows_come_in_the_order_that_is_asked_for(path):
    with h5py.File(path) as file:
        for rows in ([3, 1, 7], [2, 3, 4], [5], [11, 0]):
            np.testing.assert_array_equal(read_rows(file["x"], np.array(rows)), X[rows])
