"""Rematerialization: less memory, because some values are computed twice instead of kept.

The second computation reads a `recompute(x, after)` of its operand: another node than the operand,
so that interning does not make it the first computation again, and one that does not exist before
the backward pass has come to `after`, so that nobody runs it early. Kernels, operands and keys of
random ops are the same, hence so are the bits; updates of states are not touched.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kgraph.errors import MemoryBudgetError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import item
from kgraph.ir.node import Node, build, rebuild
from kgraph.ir.origin import Lineage
from kgraph.ops.recompute import recompute
from kgraph.passes.checkpoints import Checkpoints, Choice, Replay
from kgraph.passes.journal import Journal, Tank, current_journal
from kgraph.passes.liveness import Liveness
from kgraph.passes.manager import Pass
from kgraph.passes.report import SIZE_HINT
from kgraph.runtime.schedule import shares_storage

# Estimates of a choice come from the order before it is made; so many of the choices that promise
# to fit are made and measured in the order that they really give.
TRIALS = 6


@dataclass(frozen=True)
class Rematerialize(Pass):
    """Computes values twice rather than keep more than `memory_budget` bytes at once.

    Args:
        memory_budget: bytes as an int, or as a float from 0 to 1 the part of what the graph needs
            when it computes nothing twice. Inputs, states and constants count as nothing.
        binding: (symbol, number) pairs; a symbol without one counts as 32.

    Raises:
        MemoryBudgetError: it cannot be done.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x = input_node((1024,), name="x")
        >>> a = ops.tanh(x)
        >>> b = ops.sum(ops.exp(ops.cumsum(ops.exp(ops.cumsum(a)))))
        >>> graph = Graph((x,), (("y", ops.sum(a * b)),), (), Stage.FUSED)
        >>> better = Rematerialize(8192).run(graph)
        >>> [n.op.name for n in graph.nodes].count("tanh")
        1
        >>> [n.op.name for n in better.nodes].count("tanh")
        2
    """

    needs: ClassVar[Stage] = Stage.FUSED
    gives: ClassVar[Stage] = Stage.FUSED

    memory_budget: int | float = 1.0
    binding: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        check_budget(self.memory_budget)

    def run(self, graph: Graph) -> Graph:
        """The graph with the least second work that fits; itself if it fits as it is."""
        live = Liveness(graph, dict.fromkeys(graph.symbols, SIZE_HINT) | dict(self.binding))
        budget = allowed_bytes(self.memory_budget, live.peak)
        journal = current_journal() or Journal()
        if live.peak <= budget or journal.exhausted:
            return graph
        options = Checkpoints(live)
        choice = _choose(options, budget)
        return _Rewriter(options, choice, journal).run()


def check_budget(budget: object) -> None:
    """Refuses what is neither bytes nor a part of the whole.

    Raises:
        ValueError: it is neither.
    """
    whole = isinstance(budget, (int, np.integer)) and not isinstance(budget, bool) and budget > 0
    part = isinstance(budget, (float, np.floating)) and 0 < budget <= 1
    if not whole and not part:
        raise ValueError(
            explain(
                "memory_budget is an amount of memory",
                expected="bytes as an int, or a part as a float above 0 and up to 1.0",
                got=repr(budget),
            )
        )


def allowed_bytes(budget: int | float, peak: int) -> int:
    """A budget in bytes, of which a float is a part of the peak."""
    return int(budget) if isinstance(budget, (int, np.integer)) else int(budget * peak)


def _choose(options: Checkpoints, budget: int) -> Choice:
    """The choice of least work whose graph fits, as its own order measures it."""
    found = list({c.saved: c for c in options.choices(budget)}.values())
    fitting = sorted((c for c in found if c.peak <= budget), key=lambda c: (c.work, c.peak))
    closest = heapq.nsmallest(TRIALS, found, key=lambda c: (c.peak, c.work))
    smallest = options.live.peak
    for choice in dict.fromkeys([*fitting[:TRIALS], *closest]):
        graph = _Rewriter(options, choice, Journal(Tank())).run()
        peak = Liveness(graph, options.live.binding).peak
        if peak <= budget:
            return choice
        smallest = min(smallest, peak)
    raise MemoryBudgetError(
        explain(
            "no choice of what to compute twice fits the memory budget",
            expected=f"at most {budget:,} bytes at once",
            got=f"{smallest:,} bytes, the least of {len(found)} choices tried; "
            f"{options.live.peak:,} without computing anything twice",
            hint="a smaller batch needs less, in proportion to its activations",
        )
    )


class _Rewriter:
    """Makes the second computations, and hands them to whoever reads late.

    Args:
        options: the graph's values.
        choice: what to keep.
        journal: is told of each second computation; without fuel the first one serves.
    """

    def __init__(self, options: Checkpoints, choice: Choice, journal: Journal) -> None:
        self.live, self.turn = options.live, options.turn
        self.clones: Replay = options.replay(choice.saved)
        self.rule, self.journal = choice.rule, journal
        self.second: dict[Node, Node] = {}  # what stands for a node after the turn
        self.gates: dict[Node, Node] = {}  # second computation -> what it waits for

    def run(self) -> Graph:
        wanted: Mapping[int, list[int]] = _inverted(self.clones.clones)
        for number in range(self.turn + 1, len(self.live.nodes)):
            node = self.live.nodes[number]
            if number in wanted:
                gate = self._gate(number)
                for value in wanted[number]:
                    self._compute_again(self.live.nodes[value], gate)
            self.second[node] = self._over_seconds(node)
        graph = self.live.graph
        return graph.with_roots([self._root(r) for r in graph.roots])

    def _root(self, node: Node) -> Node:
        value = self.live.value(node)
        return node if value is None or value <= self.turn else self._late(node)

    def _late(self, node: Node) -> Node:
        """What stands for a node when it is read after the turn."""
        views = []
        while node not in self.second and shares_storage(node):
            views.append(node)
            node = node.inputs[0]
        found = self.second.get(node, node)
        for view in reversed(views):
            found = rebuild(view, (found, *map(self._late, view.inputs[1:])))
            self.second[view] = found
        return found

    def _over_seconds(self, node: Node) -> Node:
        return rebuild(node, tuple(map(self._late, node.inputs)))

    def _gate(self, number: int) -> Node:
        """What the second computations for a late node wait for: its own latest operand.

        Where all that it reads is early, they wait for what the order has just before it.
        """
        values = (self.live.value(n) for n in self.live.nodes[number].inputs)
        latest = max((v for v in values if v is not None), default=-1)
        chosen = latest if latest > self.turn else number - 1
        node = self.live.nodes[chosen]
        return item(self.second.get(node, node), 0)

    def _compute_again(self, node: Node, gate: Node) -> None:
        if self.journal.exhausted:
            return
        operands = list(map(self._late, node.inputs))
        if not any(self.gates.get(self.live.root(n)) is gate for n in operands):
            first = next(n for n in operands if n.op.name != "const")
            held = recompute(first, gate)
            operands = [held if n is first else n for n in operands]
        step = Lineage("rematerialize", self.rule, (node.name,))
        origin = node.origin.made_by((*node.origin.lineage, step))
        clone = build(node.op, tuple(operands), node.attrs, origin)
        self.second[node], self.gates[clone] = clone, gate
        self.journal.fired(self.rule, "exact", node, clone)


def _inverted(clones: Mapping[int, int]) -> dict[int, list[int]]:
    """Late computation -> the values to make again for it, in order."""
    found: dict[int, list[int]] = {}
    for value, number in clones.items():
        found.setdefault(number, []).append(value)
    return found
