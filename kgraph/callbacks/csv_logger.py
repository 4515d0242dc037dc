"""CSVLogger: the logs of every epoch as a row of a file."""

from __future__ import annotations

import csv
import os
from typing import IO, Any

import numpy as np

from kgraph.callbacks.base import Callback


class CSVLogger(Callback):
    """Writes the logs of every epoch to a file of separated values.

    Args:
        filename: where to.
        separator: what stands between two values.
        append: whether rows are added to a file that is there; a header is written once.

    Example:
        >>> log = CSVLogger("log.csv", separator=";")
        >>> log.on_train_begin()
        >>> log.on_epoch_end(0, {"loss": 0.5, "acc": 1.0})
        >>> log.on_train_end()
        >>> with open("log.csv") as file:
        ...     file.read().split()
        ['epoch;acc;loss', '0;1.0;0.5']
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self.keys: list[str] | None = None
        self.file: IO[str] | None = None
        self._new = True

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        there = os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self._new = not (self.append and there)
        if not self._new:
            with open(self.filename, newline="") as old:
                header = next(csv.reader(old, delimiter=self.separator))
            self.keys = header[1:]
        mode = "a" if self.append else "w"
        self.file = open(self.filename, mode, newline="")  # noqa: SIM115  # until training ends

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert self.file is not None
        values = logs or {}
        writer = csv.writer(self.file, delimiter=self.separator, lineterminator=os.linesep)
        if self.keys is None:
            # An epoch without validation has no such values, but a later one may.
            self.keys = sorted(values)
            if self.params.get("do_validation"):
                names = [key for key in self.params["metrics"] if key not in self.keys]
                self.keys = sorted([*self.keys, *names])
        if self._new:
            writer.writerow(["epoch", *self.keys])
            self._new = False
        writer.writerow([epoch, *(_text(values.get(key, "NA")) for key in self.keys)])
        self.file.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.file is not None:
            self.file.close()
        self.file = None


def _text(value: Any) -> Any:
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return f"[{', '.join(map(str, value))}]"
    return value
