"""The report of a compilation: what each pass cost and did, and the graphs before and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph
from kgraph.ir.types import TensorType
from kgraph.passes.journal import Firing, NearMiss

# What a symbolic size counts as in estimates.
SIZE_HINT = 32


@dataclass(frozen=True)
class Cost:
    """An estimate of the work of a graph.

    Args:
        nodes: number of nodes.
        flops: floating-point operations of one run.
        bytes: bytes read and written in one run, without reuse of caches.
    """

    nodes: int
    flops: int
    bytes: int


def estimate(graph: Graph, hint: int = SIZE_HINT) -> Cost:
    """Adds up `op.cost` over a graph.

    Args:
        graph: a graph of any stage; layer calls count as nothing.
        hint: the number that every symbolic size takes.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((4,))
        >>> estimate(Graph((x,), (("y", x + x),)))
        Cost(nodes=2, flops=4, bytes=48)
    """
    binding = dict.fromkeys(graph.symbols, hint)
    flops = moved = 0
    for node in graph.nodes:
        if not node.inputs or node.op.name in ("item", "layer_call", "mask_of"):
            continue
        inputs = [_bound(t, binding) for n in node.inputs for t in n.types]
        outputs = [_bound(t, binding) for t in node.types]
        work, traffic = node.op.cost(inputs, outputs, bind_attributes(node.attrs, binding))
        flops, moved = flops + work, moved + traffic
    return Cost(len(graph), int(flops), int(moved))


def _bound(type_: TensorType, binding: Mapping[str, int]) -> TensorType:
    return type_ if all(isinstance(d, int) for d in type_.shape) else type_.bind(binding)


@dataclass(frozen=True)
class PassRecord:
    """What one pass did.

    Args:
        name: the pass's name.
        seconds: how long it ran.
        verify_seconds: how long its result was verified.
        before: the graph that it got.
        after: the graph that it returned, the same object if it changed nothing.
        firings: every replacement, in order.
        near_misses: rules that fitted but were held back, with the reason.
    """

    name: str
    seconds: float
    verify_seconds: float
    before: Graph
    after: Graph
    firings: tuple[Firing, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the pass returned another graph."""
        return self.after is not self.before

    @property
    def fired(self) -> Counter[str]:
        """Rule -> how often it fired."""
        return Counter(f.rule for f in self.firings)

    @cached_property
    def cost_before(self) -> Cost:
        """Estimated work before the pass."""
        return estimate(self.before)

    @cached_property
    def cost_after(self) -> Cost:
        """Estimated work after the pass."""
        return estimate(self.after) if self.changed else self.cost_before


@dataclass(frozen=True)
class CompileReport:
    """What the passes of one compilation did.

    Args:
        source: the graph as it came.
        passes: one record a pass, in order.
    """

    source: Graph
    passes: tuple[PassRecord, ...] = ()

    @property
    def result(self) -> Graph:
        """The graph as it left."""
        return self.passes[-1].after if self.passes else self.source

    @property
    def seconds(self) -> float:
        """Time of all passes, verification included."""
        return sum(p.seconds + p.verify_seconds for p in self.passes)

    @property
    def fired(self) -> Counter[str]:
        """Rule -> how often it fired in all passes."""
        return sum((p.fired for p in self.passes), start=Counter())

    @property
    def near_misses(self) -> tuple[NearMiss, ...]:
        """The near misses of all passes."""
        return tuple(miss for p in self.passes for miss in p.near_misses)

    def __getitem__(self, name: str) -> PassRecord:
        """The first record of the pass of that name."""
        for record in self.passes:
            if record.name == name:
                return record
        raise KeyError(f"no pass {name!r}; passes: {', '.join(p.name for p in self.passes)}")

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON data, without the graphs."""
        return {
            "version": 1,
            "passes": [_record_data(p) for p in self.passes],
        }

    def __str__(self) -> str:
        rows = [("pass", "ms", "nodes", "flops", "bytes", "rules fired")]
        for p in self.passes:
            a, b = p.cost_before, p.cost_after
            rules = ", ".join(f"{rule} x{n}" for rule, n in p.fired.items())
            rows.append((p.name, f"{p.seconds * 1e3:.2f}", _step(a.nodes, b.nodes),
                         _step(a.flops, b.flops), _step(a.bytes, b.bytes), rules))  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"held back: {miss}" for miss in self.near_misses)])


def _step(before: int, after: int) -> str:
    return str(after) if before == after else f"{before} -> {after}"


def _record_data(record: PassRecord) -> dict[str, Any]:
    before, after = record.cost_before, record.cost_after
    return {
        "pass": record.name,
        "ms": record.seconds * 1e3,
        "verify_ms": record.verify_seconds * 1e3,
        "nodes": [before.nodes, after.nodes],
        "flops": [before.flops, after.flops],
        "bytes": [before.bytes, after.bytes],
        "fired": dict(record.fired),
        "near_misses": [
            {"rule": m.rule, "reason": m.reason, "node": m.node.name, "count": m.count}
            for m in record.near_misses
        ],
    }
