"""Where a node comes from: its name, layer path, the user's line, and the rule that made it.

An origin is a label, never part of a node's identity: two equal nodes are one node, and the first
origin stays. While `making(...)` is active, new nodes take that origin instead of the call stack's.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

# Files that are never the user's: kgraph's own, and the frames that `with` puts between.
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BESIDE = (os.path.join(os.path.dirname(_HERE), name) for name in ("passes", "runtime"))
_INSIDE = (*(os.path.join(folder, "") for folder in (_HERE, *_BESIDE)), contextlib.__file__)


@dataclass(frozen=True, slots=True)
class Lineage:
    """One step of a node's history: made by pass `pass_name`, rule `rule`, from `sources`."""

    pass_name: str
    rule: str
    sources: tuple[str, ...] = ()

    def __str__(self) -> str:
        sources = f" from {', '.join(self.sources)}" if self.sources else ""
        return f"{self.pass_name}/{self.rule}{sources}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Label of a node.

    Args:
        name: what the user called it, or None.
        scope: path of the layers around it, such as `model_1/dense_1`.
        file: the user's source file, or None.
        line: the line in that file.
        lineage: the rewrites that led to it, oldest first.
        history: Keras's `(layer, node_index, tensor_index)` of an input tensor.
    """

    name: str | None = None
    scope: str = ""
    file: str | None = None
    line: int = 0
    lineage: tuple[Lineage, ...] = ()
    history: tuple[object, int, int] | None = None

    @property
    def where(self) -> str | None:
        """The user's place as `file:line`, or None."""
        return f"{self.file}:{self.line}" if self.file else None

    def made_by(self, lineage: tuple[Lineage, ...]) -> Origin:
        """The same label with another lineage."""
        return Origin(self.name, self.scope, self.file, self.line, lineage, self.history)

    def inside(self, scope: str) -> Origin:
        """The same place, one layer deeper."""
        return replace(self, scope=f"{self.scope}/{scope}" if self.scope else scope)


_CURRENT: contextvars.ContextVar[Origin | None] = contextvars.ContextVar("origin", default=None)


def here(name: str | None = None) -> Origin:
    """The origin that a node made now gets."""
    current = _CURRENT.get()
    if current is not None:
        return current if name is None else replace(current, name=name)
    return _origin_at(name, *user_line())


@functools.lru_cache(maxsize=4096)
def _origin_at(name: str | None, file: str | None, line: int) -> Origin:
    """One object a source line, however many nodes it makes."""
    return Origin(name, "", file, line)


@functools.lru_cache(maxsize=4096)
def _is_ours(file: str) -> bool:
    return file.startswith(_INSIDE)


def user_line() -> tuple[str | None, int]:
    """File and line of the innermost caller outside kgraph."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not _is_ours(file):
            return file, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None, 0


@contextlib.contextmanager
def making(origin: Origin) -> Iterator[None]:
    """Gives every node made in the block this origin."""
    token = _CURRENT.set(origin)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Puts every node made in the block one layer deeper."""
    with making(here().inside(name)):
        yield
