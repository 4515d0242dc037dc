"""ReduceLROnPlateau: a smaller learning rate when a logged value has stopped improving."""

from __future__ import annotations

from typing import Any, ClassVar

from kgraph.callbacks.monitored import Monitored


class ReduceLROnPlateau(Monitored):
    """Multiplies the learning rate when a logged value has not improved for some epochs.

    Args:
        monitor: name of the value.
        factor: what the rate is multiplied by, below 1.
        patience: number of epochs without improvement after which that happens.
        verbose: 1 prints a line when it does.
        mode: "min", "max", or "auto": by the name.
        min_delta: by how much the value must change to count as improved.
        cooldown: number of epochs after a change during which nothing is counted.
        min_lr: the smallest rate.
        options: `epsilon` is an older name of `min_delta`.

    Raises:
        ValueError: the factor is not below 1.
        TypeError: an argument is unknown.

    Example:
        >>> ReduceLROnPlateau("loss", factor=0.5).factor
        0.5
    """

    resumable: ClassVar[tuple[str, ...]] = ("wait", "best", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **options: float,
    ) -> None:
        super().__init__(monitor, mode, options.pop("epsilon", min_delta))
        if options:
            raise TypeError(f"ReduceLROnPlateau got an unexpected argument: {next(iter(options))}")
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Got factor={factor}"
            )
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self._begin()

    def _begin(self) -> None:
        self.wait = self.cooldown_counter = 0
        self.best = self.worst

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        value = self.find(logs, "Learning rate reduction is conditioned on")
        if logs is not None:
            logs["lr"] = rate
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self._reduce(epoch, rate)

    def _reduce(self, epoch: int, rate: float) -> None:
        reduced = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = reduced
        if self.verbose > 0:
            print(
                f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to {reduced}."
            )
        self.cooldown_counter, self.wait = self.cooldown, 0
