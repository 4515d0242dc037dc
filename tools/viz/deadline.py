"""How long a picture may take, from its model to its file."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kgraph.errors import RenderError, explain

T = TypeVar("T")
# Seconds for all of a picture, and the part of them that `dot` gets: large graphs with many
# crossings would keep it for hours, and our own engine comes after it.
PATIENCE, _SHARE = 60.0, 1 / 3


class Deadline:
    """A time that runs from the moment it is made.

    Args:
        seconds: how long; default `PATIENCE`.

    Example:
        >>> Deadline(5).run(lambda: "drawn", "drawing")
        'drawn'
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._asked = seconds is not None
        self.seconds = PATIENCE if seconds is None else seconds
        self._end = time.monotonic() + self.seconds

    def left(self, what: str) -> float:
        """The seconds that are left.

        Args:
            what: is to be done in them.

        Raises:
            RenderError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._over(what)
        return left

    def for_dot(self, alone: bool) -> float:
        """The seconds that `dot` gets.

        Args:
            alone: whether nobody takes its place when it fails: then it gets all that was asked.
        """
        share = 1.0 if alone and self._asked else _SHARE
        return min(self.left("the picture"), self.seconds * share)

    def run(self, work: Callable[[], T], what: str) -> T:
        """What some work comes to, if it does so in time.

        Work that does not goes on in a thread of its own, which ends with the process.

        Raises:
            RenderError: the time is up.
        """
        found: list[T] = []
        raised: list[BaseException] = []

        def run() -> None:
            try:
                found.append(work())
            except BaseException as error:
                raised.append(error)

        context = contextvars.copy_context()
        worker = threading.Thread(target=context.run, args=(run,), daemon=True)
        seconds = self.left(what)
        worker.start()
        worker.join(seconds)
        if worker.is_alive():
            raise self._over(what)
        if raised:
            raise raised[0]
        return found[0]

    def _over(self, what: str) -> RenderError:
        message = f"the time is up: {what} was not done within {self.seconds:g} seconds"
        hint = "a larger --timeout; --depth or --select for fewer boxes"
        return RenderError(explain(message, hint=hint), "E0601")
