"""The weak table behind interning: for each key the one living object.

`weakref.WeakValueDictionary` does the same in more than twice the time, and the table is asked for
every node that anybody builds.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Hashable
from typing import Any


class _Reference(weakref.ref):
    """A weak reference that knows its key."""

    __slots__ = ("key",)

    key: Hashable


class Interner:
    """Maps keys to objects without keeping the objects alive; safe to share between threads.

    Example:
        >>> table = Interner()
        >>> class Thing: pass
        >>> first = table.add("a", Thing())
        >>> table.add("a", Thing()) is first
        True
        >>> del first
        >>> table.get("a") is None
        True
    """

    def __init__(self) -> None:
        self._references: dict[Hashable, _Reference] = {}
        # Reentrant, for the garbage collector may call `_forget` while `add` runs.
        self._lock = threading.RLock()

    def get(self, key: Hashable) -> Any:
        """The living object of that key, or None."""
        reference = self._references.get(key)
        return None if reference is None else reference()

    def add(self, key: Hashable, value: Any) -> Any:
        """Enters `value` unless the key has a living object; returns the one that stays."""
        made = _Reference(value, self._forget)
        made.key = key
        with self._lock:
            present = self._references.setdefault(key, made)()
            if present is None:  # it has died, but is not forgotten yet
                self._references[key] = made
                return value
            return present

    def _forget(self, reference: _Reference) -> None:
        with self._lock:
            # A successor may have been entered since the object died.
            if self._references.get(reference.key) is reference:
                del self._references[reference.key]

    def __len__(self) -> int:
        return len(self._references)
