"""Seeds and the progress bar of a user's own loops."""

import random

import numpy as np
import pytest

from kgraph.initializers import GlorotUniform
from kgraph.utils import Progbar, set_random_seed


def test_a_seed_repeats_everything():
    def draw():
        set_random_seed(7)
        weights = GlorotUniform()((3, 4))
        return random.random(), np.random.rand(), np.asarray(weights).tolist()

    assert draw() == draw()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", None, True])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match="expected: an integer from 0"):
        set_random_seed(seed)


def test_averages_and_last_values(capsys):
    bar = Progbar(4, width=10, stateful_metrics=["best"])
    bar.update(1, [("loss", 4.0), ("best", 4.0)])
    bar.add(3, [("loss", 0.0), ("best", 0.5)])
    bar.add(1, [("loss", 9.0)])
    shown = capsys.readouterr().out
    assert shown.startswith("4/4 [==========] - 0s ")
    assert shown.endswith(" - loss: 1.0000 - best: 0.5000\n")


def test_an_unknown_target(capsys):
    bar = Progbar(None)
    bar.add(5)
    assert capsys.readouterr().out == ""
    bar.update(12, [("loss", 1.0)], finalize=True)
    assert capsys.readouterr().out.startswith("     12/Unknown - 0s ")


def test_silence(capsys):
    bar = Progbar(2, verbose=0)
    bar.update(2)
    assert capsys.readouterr().out == ""
    bar = Progbar(2, verbose=2)
    bar.add(2, [("loss", 1.0)])
    assert capsys.readouterr().out == " - 0s - loss: 1.0000\n"


def test_it_is_drawn_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    bar = Progbar(4, width=4, interval=0)
    bar.update(2)
    bar.update(4)
    shown = capsys.readouterr().out
    assert "\r2/4 [=>..] - ETA: 0s" in shown
    assert "\r4/4 [====] - 0s" in shown
