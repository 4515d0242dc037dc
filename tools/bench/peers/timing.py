"""Seconds of calls, the peak of this process's memory, and a measurement as a row."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .workloads import WORKLOADS, batch_of

Times = tuple[float, float]  # median, minimum


class Measured(NamedTuple):
    """Seconds of a training step and of predicting a batch; bytes that building and training took.

    `memory` is how far the peak of resident memory rose over what there was before the model, with
    the framework imported and the data there: weights, the optimizer's slots, what compiling took
    and all that a step keeps. None where the system does not say.
    """

    step: Times
    predict: Times
    memory: int | None = None


def time_calls(call: Callable[[], object], count: int) -> Times:
    """Median and minimum seconds of a call, after three to warm up."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    return seconds[len(seconds) // 2], seconds[0]


def time_loop(
    name: str, step: Callable[[], object], predict: Callable[[], object], before: int | None
) -> Measured:
    """Times a bare step and a bare forward pass.

    Args:
        name: of the workload.
        step: trains on the batch and waits for the loss.
        predict: computes the outputs of the batch.
        before: what `forget_peak` said before the model was built.
    """
    steps = WORKLOADS[name].steps
    trained = time_calls(step, steps)
    memory = growth(before)
    return Measured(trained, time_calls(predict, steps), memory)


def time_fit(build: Callable[[], Any], name: str) -> Measured:
    """Times a step of `fit` and a batch of `predict` of a Keras-like model, as users run it.

    Args:
        build: makes the compiled model.
        name: of the workload.
    """
    size, steps = WORKLOADS[name].batch, WORKLOADS[name].steps
    whole = [[np.concatenate([a] * steps) for a in arrays] for arrays in batch_of(name)]
    x, y = (arrays if len(arrays) > 1 else arrays[0] for arrays in whole)
    before = forget_peak()
    model = build()
    fit = time_calls(lambda: model.fit(x, y, batch_size=size, epochs=1, verbose=0), 5)
    memory = growth(before)
    guess = time_calls(lambda: model.predict(x, batch_size=size, verbose=0), 5)
    return Measured((fit[0] / steps, fit[1] / steps), (guess[0] / steps, guess[1] / steps), memory)


def forget_peak() -> int | None:
    """Lets the peak of resident memory start again from here, where Linux allows it.

    Returns:
        The peak in bytes: what is resident now, or at most what was before.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


def growth(before: int | None) -> int | None:
    """Bytes by which the peak of resident memory has risen."""
    now = peak_bytes()
    return None if now is None or before is None else now - before


def peak_bytes() -> int | None:
    """The most bytes that were resident in this process; None where there is no /proc.

    `resource.getrusage` would do elsewhere, but it also counts the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def as_row(framework: str, name: str, measured: Measured) -> dict[str, Any]:
    """What a run prints: microseconds, rounded, and bytes."""
    keys = ("step_us", "step_min_us", "predict_us", "predict_min_us")
    seconds = (*measured.step, *measured.predict)
    numbers = {key: round(t * 1e6, 1) for key, t in zip(keys, seconds, strict=True)}
    row = {"framework": framework, "workload": name, **numbers}
    return {**row, "memory_bytes": measured.memory}
