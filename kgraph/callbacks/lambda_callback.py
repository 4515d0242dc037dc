"""LambdaCallback: functions as a callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.callbacks.base import Callback


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        on_epoch_begin: function of (epoch, logs).
        on_epoch_end: function of (epoch, logs).
        on_batch_begin: function of (batch, logs).
        on_batch_end: function of (batch, logs).
        on_train_begin: function of (logs).
        on_train_end: function of (logs).
        hooks: functions under the names of other hooks, such as `on_train_batch_end`.

    Raises:
        TypeError: there is no hook of that name.

    Example:
        >>> losses = []
        >>> keep = LambdaCallback(on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))
        >>> keep.on_epoch_end(0, {"loss": 0.5})
        >>> losses
        [0.5]
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_batch_begin: Callable[..., Any] | None = None,
        on_batch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        **hooks: Callable[..., Any],
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_batch_begin": on_batch_begin,
            "on_batch_end": on_batch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            **hooks,
        }
        for name, function in given.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"LambdaCallback has no hook {name!r}")
            if function is not None:
                setattr(self, name, function)
