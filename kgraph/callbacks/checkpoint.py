"""ModelCheckpoint: writes the model or its weights after epochs or batches."""

from __future__ import annotations

import os
import string
from typing import Any, ClassVar

from kgraph.callbacks.logs import Logs
from kgraph.callbacks.monitored import Monitored
from kgraph.errors import explain


class ModelCheckpoint(Monitored):
    """Writes the model while it is trained; a file appears whole or not at all.

    Args:
        filepath: where to; `{epoch}` (from 1), `{batch}` and logged values may stand in it, as in
            "weights.{epoch:02d}-{val_loss:.2f}.h5".
        monitor: name of the value that says which model is the best.
        verbose: 1 prints a line for each file.
        save_best_only: whether only a model better than all before is written.
        save_weights_only: whether `save_weights` is called, else `save`.
        mode: "min", "max", or "auto": by the name.
        save_freq: "epoch", or the number of batches between two files.
        initial_value_threshold: what the first value must improve on.
        period: number of epochs between two files.

    Raises:
        ValueError: `save_freq` has no meaning.

    Example:
        >>> ModelCheckpoint("model-{epoch:02d}-{val_acc:.2f}.h5").path(
        ...     0, Logs(val_accuracy=0.5)
        ... )
        'model-01-0.50.h5'
    """

    resumable: ClassVar[tuple[str, ...]] = ("best", "since", "batches")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        *,
        period: int = 1,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ValueError(
                f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer "
                "values"
            )
        self.save_freq, self.period = save_freq, period
        self.best = self.worst if initial_value_threshold is None else initial_value_threshold
        self.since = self.batches = self.epoch = 0
        if save_freq != "epoch":
            # Only now, for a loop whose batches nobody watches is faster.
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq != "epoch":
            return
        self.since += 1
        if self.since >= self.period:
            self.since = 0
            self._save(epoch, Logs(logs or {}))

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches += 1
        if self.batches % int(self.save_freq) == 0:
            values = {k: v for k, v in (logs or {}).items() if k not in ("batch", "size")}
            self._save(self.epoch, Logs(values, batch=batch + 1))

    def path(self, epoch: int, logs: Logs) -> str:
        """The file of an epoch, counted from 0, with these logs.

        Raises:
            KeyError: the path names a value that is not logged.
        """
        try:
            return string.Formatter().vformat(self.filepath, (), Logs({**logs, "epoch": epoch + 1}))
        except KeyError as missing:
            raise KeyError(
                explain(
                    f'Failed to format this callback filepath: "{self.filepath}"',
                    expected=f"names among {['epoch', *logs]}",
                    got=missing.args[0],
                )
            ) from missing

    def _save(self, epoch: int, logs: Logs) -> None:
        if not self.save_best_only:
            self._say(epoch, f"saving model to {self.path(epoch, logs)}")
            self._write(self.path(epoch, logs))
            return
        value = self.find(logs, "Can save best model only with")
        if value is None:
            return
        if not self.better(value, self.best):
            self._say(epoch, f"{self.monitor} did not improve from {self.best:0.5f}")
            return
        path, change = self.path(epoch, logs), f"from {self.best:0.5f} to {value:0.5f}"
        self._say(epoch, f"{self.monitor} improved {change}, saving model to {path}")
        self.best = value
        self._write(path)

    def _say(self, epoch: int, text: str) -> None:
        if self.verbose:
            print(f"\nEpoch {epoch + 1:05d}: {text}")

    def _write(self, path: str) -> None:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        write = self.model.save_weights if self.save_weights_only else self.model.save
        write(path, overwrite=True)
