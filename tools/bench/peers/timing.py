"""What a process that times one framework offers: bursts of steps and of predictions, on demand."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .workloads import WORKLOADS, batch_of

Burst = Callable[[], list[float]]


class Subject(NamedTuple):
    """A framework with a workload's model, warmed up.

    `step` and `predict` run a burst of training steps or of predicted batches, and give the seconds
    of each. `memory` is how far the peak of resident memory rose over what there was before the
    model, with the framework imported and the data there: weights, the optimizer's slots, what
    compiling took and all that a step keeps. None where the system does not say.
    """

    step: Burst
    predict: Burst
    memory: int | None = None


def bursts_of(call: Callable[[], object], count: int, batches: int = 1) -> Burst:
    """Bursts of `count` calls, each of which handles `batches` batches."""

    def burst() -> list[float]:
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            call()
            seconds.append((time.perf_counter() - start) / batches)
        return seconds

    return burst


def in_a_loop(
    name: str, step: Callable[[], object], predict: Callable[[], object], before: int | None
) -> Subject:
    """A framework whose users write the loop: a bare step and a bare forward pass.

    Args:
        name: of the workload.
        step: trains on the batch and waits for the loss.
        predict: computes the outputs of the batch.
        before: what `forget_peak` said before the model was built.
    """
    count = max(3, WORKLOADS[name].steps // 4)
    train = bursts_of(step, count)
    train()
    memory = growth(before)
    predict()
    return Subject(train, bursts_of(predict, count), memory)


def by_fit(build: Callable[[], Any], name: str) -> Subject:
    """A Keras-like model: a step of `fit` and a batch of `predict`, as users run them.

    Args:
        build: makes the compiled model.
        name: of the workload.
    """
    size, steps = WORKLOADS[name].batch, WORKLOADS[name].steps
    whole = [[np.concatenate([a] * steps) for a in arrays] for arrays in batch_of(name)]
    x, y = (arrays if len(arrays) > 1 else arrays[0] for arrays in whole)
    before = forget_peak()
    model = build()
    fit = bursts_of(lambda: model.fit(x, y, batch_size=size, epochs=1, verbose=0), 1, steps)
    fit()
    memory = growth(before)
    guess = bursts_of(lambda: model.predict(x, batch_size=size, verbose=0), 1, steps)
    guess()
    return Subject(fit, guess, memory)


def converse(framework: str, name: str, subject: Subject, lines: Iterable[str]) -> None:
    """Says what there is in a line of JSON, then a list of seconds for each line that asks.

    Args:
        framework, name: of the workload.
        subject: what is timed.
        lines: each is `step` or `predict`.
    """
    row = {"framework": framework, "workload": name, "memory_bytes": subject.memory}
    print(json.dumps(row), flush=True)
    for line in lines:
        print(json.dumps(getattr(subject, line.strip())()), flush=True)


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
