"""Keras's progress bar for a user's own loops, which keeps the averages that it shows."""

from __future__ import annotations

import time
from collections.abc import Iterable

from kgraph.callbacks.progress import INTERVAL, WIDTH, ProgressBar


class Progbar:
    """A bar that shows how far a loop is, and averages of what it measured.

    Where the output is not a terminal only the last line is written.

    Args:
        target: number of steps, None where it is unknown.
        width: characters of the bar.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        interval: seconds between two drawings, at least.
        stateful_metrics: names of the values that are shown as they are, not averaged.

    Example:
        >>> bar = Progbar(3, width=10, stateful_metrics=["best"])
        >>> for step, loss in enumerate([0.5, 0.3, 0.1]):
        ...     bar.update(step + 1, [("loss", loss), ("best", loss)])
        3/3 [==========] - 0s ...s/step - loss: 0.3000 - best: 0.1000
    """

    def __init__(
        self,
        target: int | None,
        width: int = WIDTH,
        verbose: int = 1,
        interval: float = INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
    ) -> None:
        self.target, self.interval = target, interval
        self.stateful_metrics = frozenset(stateful_metrics or ())
        self._bar = ProgressBar(target, verbose, width)
        self._sums: dict[str, tuple[float, float]] = {}
        self._seen = 0
        self._finished = False

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, float]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Shows that steps are done.

        Args:
            current: steps that are done in all.
            values: names and numbers; each counts as often as there are new steps.
            finalize: whether this is the end; default when `target` is reached.
        """
        weight = max(current - self._seen, 1)
        for name, value in values or ():
            if name in self.stateful_metrics:
                self._sums[name] = float(value), 1.0
            else:
                total, count = self._sums.get(name, (0.0, 0.0))
                self._sums[name] = total + float(value) * weight, count + weight
        self._seen = current
        shown = {name: total / count for name, (total, count) in self._sums.items()}
        reached = self.target is not None and current >= self.target
        if not self._finished and (reached if finalize is None else finalize):
            self._finished = True
            self._bar.finish(shown, current)
        elif not self._finished and time.perf_counter() >= self._bar.due:
            self._bar.refresh(current, shown)
            self._bar.due = time.perf_counter() + self.interval

    def add(self, n: int, values: Iterable[tuple[str, float]] | None = None) -> None:
        """Shows that `n` more steps are done.

        Args:
            n: steps.
            values: as for `update`.
        """
        self.update(self._seen + n, values)
