"""BackupAndRestore: a run that was killed goes on where its last backup was written."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from kgraph.callbacks import snapshot
from kgraph.callbacks.base import Callback


class BackupAndRestore(Callback):
    """Writes snapshots of training, and begins with the last one if there is one.

    A run that goes on ends with the same bits as one that was never stopped, provided that the
    program builds the same model, seeds NumPy in the same way and passes the same data.

    Args:
        backup_dir: folder of the snapshot.
        save_freq: "epoch", or the number of batches between two snapshots.
        double_checkpoint: accepted; a snapshot is written whole or not at all anyway.
        delete_checkpoint: whether the snapshot is deleted when training is over.

    Raises:
        ValueError: an argument has no meaning, or the snapshot is of another model.

    Example:
        >>> BackupAndRestore("backup").path
        'backup/training.npz'
    """

    runs_last: ClassVar[bool] = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ValueError(
                "Invalid value for argument `save_freq`. Received: save_freq="
                f"{save_freq}. Expected either 'epoch' or an integer value."
            )
        del double_checkpoint
        self.path = os.path.join(os.fspath(backup_dir), "training.npz")
        self.save_freq, self.delete_checkpoint = save_freq, delete_checkpoint
        self.batches = 0
        if save_freq != "epoch":
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def _callbacks(self) -> list[Callback]:
        return [c for c in self.model.run.callbacks.callbacks if c is not self]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if os.path.exists(self.path):
            snapshot.restore(self.path, self.model.run, self._callbacks())

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches += 1
        if self.batches % int(self.save_freq) == 0:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def _save(self) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        snapshot.save(self.path, self.model.run, self._callbacks())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.delete_checkpoint and os.path.exists(self.path):
            os.remove(self.path)
