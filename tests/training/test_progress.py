"""What fit, evaluate and predict write to the console."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pytest

from kgraph.callbacks import LambdaCallback
from kgraph.callbacks.progress import ProgressBar, show_values
from kgraph.layers import Dense
from kgraph.models import Sequential

X, Y = np.arange(20.0).reshape(20, 1), np.zeros((20, 1))
TIME = r"\d+s \d+(us|ms|s)/step"
BAR = r"20/20 \[={30}\] - " + TIME


class Terminal(io.StringIO):
    def isatty(self):
        return True


def model():
    found = Sequential([Dense(1, input_dim=1)])
    found.compile("sgd", "mse", ["mae"])
    return found


def test_a_file_gets_one_line_an_epoch(capsys):
    model().fit(X / 100, Y, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Train on 20 samples", "Epoch 1/2"]
    assert re.fullmatch(BAR + r" - loss: \d\.\d{4}(e-\d\d)? - mae: \d\.\d{4}", lines[2])
    assert lines[3] == "Epoch 2/2"
    assert len(lines) == 5


def test_validation_is_announced_and_shown(capsys):
    model().fit(X / 100, Y, validation_data=(X[:5] / 100, Y[:5]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Train on 20 samples, validate on 5 samples"
    assert re.search(r" - val_loss: \S+ - val_mae: \S+$", lines[2])


def test_verbose_2_and_0(capsys):
    model().fit(X / 100, Y, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r" - \d+s - loss: \S+ - mae: \S+", lines[2])
    model().fit(X / 100, Y, verbose=0)
    model().predict(X)
    assert capsys.readouterr().out == ""
    model().fit(X / 100, Y, verbose="auto")
    assert "20/20" in capsys.readouterr().out


def test_evaluate_and_predict_show_the_bar_alone(capsys):
    model().evaluate(X, Y)
    assert re.fullmatch(BAR, capsys.readouterr().out.strip())
    model().predict(X, verbose=1)
    assert re.fullmatch(BAR, capsys.readouterr().out.strip())


@pytest.mark.parametrize("watch", [False, True])
def test_a_terminal_gets_the_bar_in_place(monkeypatch, watch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr("kgraph.callbacks.progress.INTERVAL", 0.0)
    hooks = [LambdaCallback(on_batch_end=lambda batch, logs: None)] if watch else None
    model().fit(X / 100, Y, batch_size=5, callbacks=hooks)
    parts = screen.getvalue().split("\r")
    assert [p.split(" ")[0] for p in parts[1:]] == ["", "10/20", "15/20", "20/20", "20/20"]
    assert re.search(r" - ETA: \d+s - loss: ", parts[2])
    assert parts[-1].endswith("\n")


def test_the_bar_is_redrawn_twenty_times_a_second_at_most(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    bar = ProgressBar(100, verbose=1)
    bar.refresh(1, {})
    assert bar.due >= bar.started + 0.05


def test_a_shorter_line_covers_a_longer_one(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    bar = ProgressBar(10, verbose=1)
    bar.refresh(1, {"loss": 1000.0})
    bar.refresh(2, {})
    first, second = screen.getvalue().split("\r")[1:]
    assert len(second) == len(first)


def test_numbers():
    assert show_values({"a": 0.0, "b": 1e-3, "c": -2.5, "d": np.float32(0.25)}) == (
        " - a: 0.0000 - b: 1.0000e-03 - c: -2.5000 - d: 0.2500"
    )
