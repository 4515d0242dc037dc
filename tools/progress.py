"""What takes long says how far it is: a line on the terminal that goes away when it is done."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from kgraph.ir.graph import Graph
from kgraph.passes.manager import CompileReport, Observer, Pass, Pipeline, observing
from kgraph.tools.terminal import has_status, status

T = TypeVar("T")
_SECONDS = 0.1  # between two looks of a counter
_PATIENCE = 1.0  # seconds after which it says how long the rest may take

# What is being done, the outermost first; each text is in a list of its own, to be replaced.
_DOING: contextvars.ContextVar[tuple[list[str], ...]] = contextvars.ContextVar("doing", default=())


@contextlib.contextmanager
def doing(what: str) -> Iterator[Callable[[str], None]]:
    """Shows what takes long while the block runs, if stderr is a terminal and `-q` is not given.

    Args:
        what: a few words.

    Returns:
        A function that replaces them.

    Example:
        >>> with doing("reading m.json") as say:
        ...     say("reading m.npz")
    """
    outer, text = _DOING.get(), [what]
    _DOING.set((*outer, text))

    def say(now: str) -> None:
        text[0] = now
        _show()

    _show()
    try:
        yield say
    finally:
        _DOING.set(outer)
        _show()


def _show() -> None:
    status(" > ".join(text for (text,) in _DOING.get()))


def progress(items: Iterable[T], what: str) -> Iterator[T]:
    """The items, with their count on the terminal while they are gone through.

    Args:
        items: what is gone through.
        what: says the line.

    Example:
        >>> list(progress("ab", "letters"))
        ['a', 'b']
    """
    if not has_status():
        return iter(items)
    return _counted(items, what, len(items) if isinstance(items, Sized) else None)


def _counted(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    start = shown = time.monotonic()
    with doing(what) as say:
        for number, item in enumerate(items):
            now = time.monotonic()
            if number == 0 or now - shown > _SECONDS:
                shown = now
                say(f"{what} {number + 1}{_of(number, total, now - start)}")
            yield item


def _of(done: int, total: int | None, seconds: float) -> str:
    """How many there are, and how long the rest will take."""
    if total is None:
        return ""
    left = seconds / done * (total - done) if done else 0.0
    return f" of {total}" + (f", {left:.0f} s left" if done and seconds > _PATIENCE else "")


@contextlib.contextmanager
def watching() -> Iterator[None]:
    """Shows the passes of every compilation in the block."""
    if not has_status():
        yield
        return
    with contextlib.ExitStack() as stack, observing(_Watcher(stack)):
        yield


class _Watcher(Observer):
    """Says which pass runs; what it shows ends with the pipeline, or with the stack."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.stack, self.number, self.count = stack, 0, 0
        self.say: Callable[[str], None] = status

    def start(self, pipeline: Pipeline, graph: Graph) -> None:
        self.stack.close()
        self.number, self.count = 0, len(pipeline.passes)
        self.say = self.stack.enter_context(doing("compiling"))

    def before(self, step: Pass, graph: Graph) -> None:
        self.number += 1
        self.say(f"{step.name}, pass {self.number} of {self.count}: {len(graph):,} nodes")

    def finish(self, report: CompileReport) -> None:
        self.stack.close()
