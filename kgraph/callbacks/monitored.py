"""What callbacks share that watch one logged value: its name, and which way is better.

Under "auto" a larger value is better for names that say so, such as "val_acc", else a smaller one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from kgraph.callbacks.base import Callback

LARGER = (
    "acc", "auc", "fmeasure", "precision", "recall", "f1_score", "fbeta", "io_u", "iou", "r2_score",
    "specificity", "sensitivity",
)  # fmt: skip


class Monitored(Callback):
    """A callback that follows one logged value.

    Args:
        monitor: name of the value.
        mode: "min", "max", or "auto": by the name.
        min_delta: by how much it must change to count as improved.

    Example:
        >>> Monitored("val_auc").better(0.9, than=0.8)
        True
    """

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode {mode} is unknown, fallback to auto mode.",
                RuntimeWarning,
                stacklevel=3,
            )
            mode = "auto"
        largest = any(n in monitor for n in LARGER) if mode == "auto" else mode == "max"
        self.sign = 1.0 if largest else -1.0
        self.monitor, self.min_delta = monitor, abs(min_delta)

    @property
    def worst(self) -> float:
        """What every value improves on."""
        return -self.sign * math.inf

    def better(self, value: float, than: float) -> bool:
        """Whether a value improves on another by more than `min_delta`."""
        return self.sign * (value - than) > self.min_delta

    def find(self, logs: Mapping[str, Any] | None, missing: str) -> float | None:
        """The value, or None and a warning.

        Args:
            logs: logged values.
            missing: beginning of the warning.
        """
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{missing} metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                RuntimeWarning,
                stacklevel=3,
            )
        return value
