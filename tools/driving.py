"""What `fit` and `predict` add to the compiled step: microseconds of the processor for each call.

A machine that does other things too slows everything down at times. So the step alone and the loop
around it take turns of equal length, time is that of the processor, and the pair whose loop adds
least is believed.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kgraph.layers import Dense
from kgraph.models import Sequential

ROWS, FEATURES, BATCH = 1_000_000, 20, 32
CALLS = 10_000  # of predict
TURNS = 5


def small_model() -> Sequential:
    """An MLP with 16 hidden units and one output, for binary targets."""
    hidden = Dense(16, activation="relu", input_shape=(FEATURES,))
    model = Sequential([hidden, Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def seconds_of(call: Callable[[], Any], runs: int = 1) -> float:
    """Processor seconds of one of several calls in a row."""
    with np.errstate(all="ignore"):
        start = time.process_time()
        for _ in range(runs):
            call()
        return (time.process_time() - start) / runs


def fit_seconds() -> tuple[float, float]:
    """Seconds of a compiled training step alone, and of a step of `fit` on shuffled rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    model, steps = small_model(), -(-ROWS // BATCH)
    plan = model.executable(x[:BATCH], y[:BATCH]).bind({"batch": BATCH})
    plan.fill([x[:BATCH], y[:BATCH]])
    model.fit(x[:BATCH], y[:BATCH], verbose=0)

    def epoch() -> None:
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)

    pairs = [(seconds_of(plan.run_bare, steps), seconds_of(epoch) / steps) for _ in range(TURNS)]
    return min(pairs, key=lambda pair: pair[1] / pair[0])


def predict_seconds() -> tuple[float, float]:
    """Seconds of the plan of a prediction for one row, and of a call of `predict`."""
    model, row = small_model(), np.ones((1, FEATURES), "float32")
    model.predict(row)
    plan = model._predict_step().plan((row.shape,))
    runs = max(CALLS // TURNS, 1)
    pairs = [
        (seconds_of(plan.run_bare, runs), seconds_of(lambda: model.predict(row), runs))
        for _ in range(TURNS)
    ]
    return min(pairs, key=lambda pair: pair[1] - pair[0])


def predict_growth() -> int:
    """Bytes by which the process has grown after as many calls of `predict`."""
    model, row = small_model(), np.ones((1, FEATURES), "float32")
    for _ in range(CALLS // 10):
        model.predict(row)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(CALLS):
        model.predict(row)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def measure() -> dict[str, float]:
    """Seconds by what was timed."""
    alone, step = fit_seconds()
    plan, call = predict_seconds()
    return {
        "a compiled training step alone": alone,
        "a step of fit": step,
        "the plan of a prediction alone": plan,
        "a call of predict": call,
    }
