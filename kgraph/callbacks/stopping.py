"""EarlyStopping: ends training when a logged value has stopped improving."""

from __future__ import annotations

from typing import Any, ClassVar

from kgraph.callbacks.monitored import Monitored


class EarlyStopping(Monitored):
    """Stops training when a logged value has not improved for some epochs.

    Args:
        monitor: name of the value.
        min_delta: by how much it must change to count as improved.
        patience: number of epochs without improvement after which training stops; with 0 the
            first one stops it.
        verbose: 1 prints a line when it stops.
        mode: "min", "max", or "auto": by the name.
        baseline: a value that an epoch must beat, besides the best one, for the wait to end.
        restore_best_weights: whether the model gets the weights of its best epoch when training
            ends, for whatever reason.
        start_from_epoch: epochs before this one are not looked at.

    Example:
        >>> stop = EarlyStopping(monitor="val_acc", patience=2)
        >>> stop.better(0.9, than=0.8)
        True
    """

    resumable: ClassVar[tuple[str, ...]] = (
        "wait",
        "stopped_epoch",
        "best_epoch",
        "best",
        "best_weights",
    )

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose, self.baseline = verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._begin()

    def _begin(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.worst
        self.best_weights: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = self.find(logs, "Early stopping conditioned on")
        if value is None:
            return
        if epoch < self.start_from_epoch:
            return
        improved = self.better(value, self.best)
        if improved:
            self.best, self.best_epoch = value, epoch
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights = self.model.get_weights()
        if improved and (self.baseline is None or self.better(value, self.baseline)):
            self.wait = 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print("Restoring model weights from the end of the best epoch")
            self.model.set_weights(self.best_weights)
