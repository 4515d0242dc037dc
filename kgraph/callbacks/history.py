"""History: the logs of every epoch, as lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from kgraph.callbacks.base import Callback
from kgraph.callbacks.logs import Logs


class History(Callback):
    """Records the logs of every epoch; `fit` returns it.

    Attributes:
        epoch: numbers of the epochs, from 0.
        history: name -> values; `acc` and `accuracy` name the same series.

    Example:
        >>> record = History()
        >>> record.on_train_begin()
        >>> record.on_epoch_end(0, {"loss": 0.5, "accuracy": 0.75})
        >>> record.history["acc"], list(record.history)
        ([0.75], ['loss', 'accuracy'])
    """

    resumable: ClassVar[tuple[str, ...]] = ("epoch", "history")

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: Logs = Logs()

    def set_state(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.history = state["epoch"], Logs(state["history"])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.epoch, self.history = [], Logs()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
