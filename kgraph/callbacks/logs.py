"""Logs: a dictionary in which `acc` and `accuracy` are one key.

Keras 2.2 logged "acc" whatever the user typed, later versions log what the user typed. A value is
stored under the typed name and found under both.
"""

from __future__ import annotations

from typing import Any


def other_spelling(key: Any) -> Any:
    """The key with `acc` for `accuracy` or the other way round, or the key itself.

    Example:
        >>> [other_spelling(key) for key in ("val_main_output_acc", "accuracy", "loss")]
        ['val_main_output_accuracy', 'acc', 'loss']
    """
    if not isinstance(key, str):
        return key
    head, underscore, last = key.rpartition("_")
    return head + underscore + {"acc": "accuracy", "accuracy": "acc"}.get(last, last)


class Logs(dict[str, Any]):
    """A dictionary of logged values.

    Example:
        >>> logs = Logs(loss=0.5, accuracy=0.9)
        >>> logs["acc"], "val_acc" in logs, list(logs)
        (0.9, False, ['loss', 'accuracy'])
    """

    def __missing__(self, key: str) -> Any:
        other = other_spelling(key)
        if other != key and dict.__contains__(self, other):
            return dict.__getitem__(self, other)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or dict.__contains__(self, other_spelling(key))

    def get(self, key: str, default: Any = None) -> Any:
        """The value under either spelling, or the default."""
        try:
            return self[key]
        except KeyError:
            return default
