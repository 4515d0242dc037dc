"""TerminateOnNaN: ends training when the loss is no number any more."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.callbacks.base import Callback


class TerminateOnNaN(Callback):
    """Stops training after a batch whose loss is NaN or infinite.

    Example:
        >>> TerminateOnNaN().on_batch_end(0, {"loss": 0.5})
    """

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True
