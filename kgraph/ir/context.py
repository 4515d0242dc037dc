"""What a layer's `call` may leave behind besides its result: updates, losses, metrics and masks.

While a LAYERS graph is inlined, one `CallContext` is active; layers reach it through
`current_context()`. Outside, layers build calls instead of inlining themselves.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kgraph.ir.node import Node
from kgraph.ir.variable import Variable


@dataclass(frozen=True)
class AddedMetric:
    """What `add_metric` was told.

    Args:
        name: in the logs.
        value: of any shape; the mean of its elements is logged.
        layer: the layer that added it.
    """

    name: str
    value: Node
    layer: Any


@dataclass
class CallContext:
    """Collects the side results of inlining.

    Attributes:
        training: whether dropout and batch statistics are on.
        updates: (variable, new value) pairs, in the order added.
        losses: scalars that `add_loss` added.
        metrics: what `add_metric` added.
        masks: masks of tensors inside a layer's `call`.
        built: layers that got their weights while a layer around them was called.
        frozen: whether a layer around the present one has `trainable = False`.
    """

    training: bool
    updates: list[tuple[Variable, Node]] = field(default_factory=list)
    losses: list[Node] = field(default_factory=list)
    metrics: list[AddedMetric] = field(default_factory=list)
    masks: dict[Node, Node] = field(default_factory=dict)
    built: list[Any] = field(default_factory=list)
    frozen: bool = False
    sites: int = 0

    @property
    def effects(self) -> list[Node]:
        """All tensors that layers left behind, apart from masks."""
        return [*self.losses, *(n for _, n in self.updates), *(m.value for m in self.metrics)]

    def next_site(self) -> int:
        """Numbers the places that draw random numbers, so that no two share a stream."""
        self.sites += 1
        return self.sites


_CONTEXT: contextvars.ContextVar[CallContext | None] = contextvars.ContextVar("call", default=None)


_PENDING: contextvars.ContextVar[list[tuple[Variable, Node]] | None] = contextvars.ContextVar(
    "pending", default=None
)


@contextlib.contextmanager
def collecting_updates() -> Iterator[list[tuple[Variable, Node]]]:
    """Collects what `note_updates` is told while a function is traced outside of any layer."""
    pending: list[tuple[Variable, Node]] = []
    token = _PENDING.set(pending)
    try:
        yield pending
    finally:
        _PENDING.reset(token)


def note_updates(updates: Iterable[tuple[Variable, Node]]) -> bool:
    """Hands changes of state to the graph that is being traced; False if there is none."""
    context, pending = _CONTEXT.get(), _PENDING.get()
    target = pending if context is None else context.updates
    if target is None:
        return False
    target.extend(updates)
    return True


def current_context() -> CallContext | None:
    """The context of the inlining that is under way, or None."""
    return _CONTEXT.get()


@contextlib.contextmanager
def calling(context: CallContext | None) -> Iterator[None]:
    """Makes `context` the current one."""
    token = _CONTEXT.set(context)
    try:
        yield
    finally:
        _CONTEXT.reset(token)
