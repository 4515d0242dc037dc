"""The progress display of Keras 2: a bar that counts samples, redrawn in place on a terminal.

Where the output is not a terminal only the final line of each epoch is written. The loop calls
`refresh` no more often than the bar asks for with `due`, so that showing progress costs nothing
per batch.
"""

from __future__ import annotations

import math
import numbers
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from kgraph.callbacks.base import Callback

WIDTH, INTERVAL = 30, 0.05


class ProgressBar:
    """One line that shows how much of a job is done.

    Args:
        target: number of samples, None where it is unknown.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        width: characters of the bar.

    Attributes:
        due: time, as of `time.perf_counter`, from which the next refresh is wanted.

    Example:
        >>> bar = ProgressBar(4, verbose=1)
        >>> bar.line(2, {"loss": 0.5}, elapsed=4.0)
        '2/4 [==============>...............] - ETA: 4s - loss: 0.5000'
        >>> bar.line(4, {"loss": 0.5}, elapsed=8.0)
        '4/4 [==============================] - 8s 2s/step - loss: 0.5000'
    """

    def __init__(self, target: int | None, verbose: int, width: int = WIDTH) -> None:
        self.target, self.verbose, self.width = target, verbose, width
        self.started = time.perf_counter()
        self.live = verbose == 1 and hasattr(sys.stdout, "isatty") and sys.stdout.isatty()
        self.due = self.started if self.live else math.inf
        self._width = 0

    def refresh(self, seen: int, values: Mapping[str, float]) -> None:
        """Redraws the line in place."""
        now = time.perf_counter()
        self._write(self.line(seen, values, now - self.started), end="")
        self.due = now + INTERVAL

    def finish(self, values: Mapping[str, float], seen: int | None = None) -> None:
        """Writes the last line, by default for a job that is wholly done."""
        elapsed = time.perf_counter() - self.started
        if self.verbose == 1:
            self._write(self.line(seen or self.target or 0, values, elapsed), end="\n")
        elif self.verbose == 2:
            print(f" - {elapsed:.0f}s{show_values(values)}", flush=True)

    def line(self, seen: int, values: Mapping[str, float], elapsed: float) -> str:
        """The text of the bar when `seen` samples are done after `elapsed` seconds."""
        each = elapsed / seen if seen else 0.0
        if self.target is None:
            took = f"{elapsed:.0f}s {show_time(each)}/step"
            return f"{seen:7d}/Unknown - {took}{show_values(values)}"
        done = seen >= self.target
        filled = self.width if done else int(self.width * seen / self.target)
        bar = "=" * filled if done else "=" * max(filled - 1, 0) + ">" * (filled > 0)
        count = f"{seen:{len(str(self.target))}d}/{self.target}"
        took = (
            f"{elapsed:.0f}s {show_time(each)}/step"
            if done
            else (f"ETA: {show_duration(each * (self.target - seen))}")
        )
        return f"{count} [{bar.ljust(self.width, '.')}] - {took}{show_values(values)}"

    def _write(self, line: str, end: str) -> None:
        start = "\r" if self.live else ""
        sys.stdout.write(start + line.ljust(self._width if self.live else 0) + end)
        sys.stdout.flush()
        self._width = len(line)


def show_time(seconds: float) -> str:
    """A time with the unit that suits it.

    Example:
        >>> show_time(2.0), show_time(0.0123), show_time(0.000024)
        ('2s', '12ms', '24us')
    """
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def show_duration(seconds: float) -> str:
    """A duration as hours, minutes and seconds.

    Example:
        >>> show_duration(42), show_duration(130), show_duration(3700)
        ('42s', '2:10', '1:01:40')
    """
    whole = int(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole > 60 else f"{whole}s"


def show_values(values: Mapping[str, Any]) -> str:
    """Named numbers in Keras's format.

    Example:
        >>> show_values({"loss": 0.25, "lr": 1e-5})
        ' - loss: 0.2500 - lr: 1.0000e-05'
    """
    texts = []
    for name, value in values.items():
        if np.ndim(value):  # such as one score a class
            continue
        text = f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"
        texts.append(f" - {name}: {text}")
    return "".join(texts)


class ProgbarLogger(Callback):
    """Shows the progress of training; `fit` adds one unless `verbose` is 0.

    Attributes:
        bar: the present epoch's bar.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar = ProgressBar(0, 0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        print(f"Epoch {epoch + 1}/{self.params['epochs']}", flush=True)
        self.bar = ProgressBar(self.params["samples"], self.params["verbose"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        shown = {n: float(v) for n, v in (logs or {}).items() if isinstance(v, numbers.Real)}
        self.bar.finish(shown)
