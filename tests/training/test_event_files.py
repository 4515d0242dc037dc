"""TensorBoard's own reader reads what the callback writes; curves are drawn by matplotlib."""

from __future__ import annotations

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kgraph.callbacks import TensorBoard, plot_history
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import SGD

X = np.random.default_rng(0).normal(size=(10, 3)).astype("float32")


def fit(callbacks, **options):
    model = Sequential([Dense(1, input_dim=3, name="out")])
    model.compile(SGD(0.25), "mse", metrics=["mae"])
    settings = {"epochs": 3, "batch_size": 5, "verbose": 0, **options}
    return model, model.fit(X, X[:, 0], callbacks=callbacks, **settings)


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"histograms": 0})  # all of them
    events.Reload()
    return events


def test_event_files_hold_the_history(tmp_path):
    board = TensorBoard(tmp_path, histogram_freq=2, update_freq="batch", write_graph=False)
    model, record = fit([board], validation_split=0.2)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    for events, prefix in ((train, ""), (validation, "val_")):
        for name in ("loss", "mae"):
            points = events.Scalars(f"epoch_{name}")
            assert [p.step for p in points] == [0, 1, 2]
            expected = record.history[prefix + name]
            np.testing.assert_allclose([p.value for p in points], expected, rtol=1e-6)
    assert [p.value for p in train.Scalars("epoch_learning_rate")] == [0.25] * 3
    assert [p.step for p in train.Scalars("batch_loss")] == list(range(6))
    histograms = train.Histograms("out/kernel/histogram")
    assert [h.step for h in histograms] == [0, 2]
    last = histograms[-1].histogram_value
    assert last.num == 3
    assert last.sum == pytest.approx(float(model.get_weights()[0].sum()), rel=1e-6)


def test_event_files_without_batches(tmp_path):
    board = TensorBoard(tmp_path, batch_size=32, write_images=True)
    fit([board])
    assert "batch_loss" not in read(tmp_path / "train").Tags()["scalars"]
    assert not (tmp_path / "validation").exists()
    with pytest.raises(TypeError, match="unexpected argument: foo"):
        TensorBoard(tmp_path, foo=1)


def test_curves_of_a_history(tmp_path):
    _, record = fit([], validation_split=0.2, initial_epoch=1)
    figure = plot_history(record, path=tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"
    loss, mae = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [2, 3])
    np.testing.assert_array_equal(mae.lines[1].get_ydata(), record.history["val_mae"])
    assert [a.get_title() for a in plot_history(record, ["mae"]).axes] == ["mae"]
    with pytest.raises(ValueError, match="There is no curve to draw"):
        plot_history(record, ["acc"])
