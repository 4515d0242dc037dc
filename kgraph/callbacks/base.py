"""Callback and the list that calls them in order.

A batch hook that nobody overrides costs nothing: the loop asks the list first, and only then reads
the logs of a batch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar


class Callback:
    """Base of callbacks; a subclass overrides the hooks that it wants.

    Every hook gets `logs`, a dictionary that the hook may add to. `on_batch_begin` and
    `on_batch_end` are older names of the `on_train_batch_` hooks.

    Attributes:
        model: the model that is trained.
        params: `epochs`, `steps`, `samples`, `batch_size`, `verbose`, `metrics`, `do_validation`.
        validation_data: inputs, targets and weights of the validation set, or None.

    Example:
        >>> class Stop(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         self.model.stop_training = True
    """

    # Whether the callback comes after all others, whatever its place in the list.
    runs_last: ClassVar[bool] = False
    # Attributes with which a run that was stopped goes on: numbers, lists, dicts, lists of arrays.
    resumable: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.model: Any = None
        self.params: Mapping[str, Any] = {}
        self.validation_data: Any = None

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Tells what the run is about."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Tells which model the run is of."""
        self.model = model

    def get_state(self) -> dict[str, Any]:
        """What a backup keeps of the callback."""
        return {name: getattr(self, name) for name in self.resumable}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes what `get_state` returned."""
        for name in self.resumable:
            setattr(self, name, state[name])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """After an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a training batch."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a training batch."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a training batch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a training batch."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a batch of `evaluate` or of validation."""

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of `evaluate` or of validation."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of `predict`."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before training."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After training."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before `evaluate` or validation."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """After `evaluate` or validation."""

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """After `predict`."""


class CallbackList:
    """Callbacks, called in order; those that say `runs_last` come last.

    Every hook is also a method of the list, for loops of a user's own.

    Args:
        callbacks: the callbacks.
        model: handed to each.
        params: handed to each.

    Example:
        >>> CallbackList([Callback()]).watches_batches("train")
        False
    """

    def __init__(
        self,
        callbacks: Iterable[Callback] = (),
        model: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.callbacks = sorted(callbacks, key=lambda c: getattr(c, "runs_last", False))
        if model is not None:
            self.set_model(model)
        if params is not None:
            self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Adds a callback at the end."""
        self.callbacks.append(callback)

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Tells all what the run is about."""
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tells all which model the run is of."""
        for callback in self.callbacks:
            callback.set_model(model)

    def watches_batches(self, mode: str) -> bool:
        """Whether any callback overrides a batch hook.

        Args:
            mode: "train", "test" or "predict".
        """
        hooks = [f"on_{mode}_batch_begin", f"on_{mode}_batch_end"]
        if mode == "train":
            hooks += ["on_batch_begin", "on_batch_end"]
        return any(overrides(c, hook) for c in self.callbacks for hook in hooks)

    def call(self, hook: str, *arguments: Any) -> None:
        """Calls a hook of all callbacks.

        Args:
            hook: the method's name.
            arguments: what it gets; the last is the logs.
        """
        for callback in self.callbacks:
            method: Callable[..., None] = getattr(callback, hook)
            method(*arguments)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("on_") and hasattr(Callback, name):
            return functools.partial(self.call, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def overrides(callback: Any, hook: str) -> bool:
    """Whether a callback has a hook of its own."""
    method = getattr(callback, hook, None)
    return getattr(method, "__func__", method) is not getattr(Callback, hook)
