"""Replacements that a pass has decided on the whole graph, made in one walk.

Rules look at one node and what is below it; a pass that joins nodes of different branches, or
reads a chain from its end, decides first and replaces then. The walk keeps the rules' books: kinds
that numerics admits, fuel, firings and lineage.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.errors import PassError
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, rebuild
from kgraph.ir.op import Op
from kgraph.ir.origin import Lineage, making
from kgraph.passes.journal import Journal, current_journal
from kgraph.passes.matching import Match
from kgraph.passes.rewrite import MAX_ROUNDS, Rewrite
from kgraph.passes.rules import admitted_kinds

# An old node -> what stands for it.
Lookup = Callable[[Node], Node]


@dataclass(frozen=True)
class Replacement:
    """What is to stand for a node.

    Args:
        needs: the old nodes whose replacements `build` asks for.
        build: makes the new node, of the old one's type.
        inner: the other old nodes that the replacement covers.
    """

    needs: tuple[Node, ...]
    build: Callable[[Lookup], Node]
    inner: tuple[Node, ...] = ()


Plan = Mapping[Node, Replacement]


@dataclass(frozen=True, eq=False)
class PlannedRule:
    """A rule about whole graphs, for the `rules` of a `PlannedRewrite`.

    Args:
        name: kebab-case name.
        plan: graph -> what is to be replaced; no replacement may need itself.
        kind: one of `KINDS`.
    """

    name: str
    plan: Callable[[Graph], Plan]
    kind: str = "exact"
    users: int | None = None

    def may_match(self, op: Op, operands: Sequence[Op]) -> bool:
        """No single node tells whether the rule may fire."""
        return False

    def match(self, node: Node) -> Match | None:
        """Nothing is found at a node alone."""
        return None

    def build(self, match: Match) -> Any:
        """Never asked for, as nothing matches."""
        raise NotImplementedError(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class PlannedRewrite(Rewrite):
    """Applies rules about nodes until none fires, then those about the whole graph, and again."""

    def run_level(self, graph: Graph) -> Graph:
        """The graph with all rules applied to its own nodes."""
        for _ in range(MAX_ROUNDS):
            if not all(isinstance(rule, PlannedRule) for rule in self._active()):
                graph = super().run_level(graph)
            planned = self._planned(graph)
            if planned is graph:
                return graph
            graph = planned
        raise PassError(f"{self.name}: no end after {MAX_ROUNDS} rounds")

    def _planned(self, graph: Graph) -> Graph:
        for rule in self._active():
            if isinstance(rule, PlannedRule) and rule.kind in admitted_kinds(self.numerics):
                graph = replace_planned(graph, rule, self.name)
        return graph


def operands_of(node: Node, plan: Plan) -> tuple[Node, ...]:
    """The old nodes that have to be there before a node can be made."""
    return plan[node].needs if node in plan else node.inputs


def reaches(start: Sequence[Node], targets: Collection[Node], plan: Plan) -> bool:
    """Whether some node of `start` needs one of the targets, or is one."""
    seen, stack = set[Node](), list(start)
    while stack:
        node = stack.pop()
        if node in targets:
            return True
        if node not in seen:
            seen.add(node)
            stack.extend(operands_of(node, plan))
    return False


def replace_planned(graph: Graph, rule: PlannedRule, pass_name: str) -> Graph:
    """Makes the replacements that a rule plans, operands first.

    Args:
        graph: a graph.
        rule: what to replace.
        pass_name: who is named in the lineage of new nodes.

    Returns:
        The new graph; the same one if there is nothing to replace.
    """
    journal = current_journal() or Journal()
    plan = rule.plan(graph) if journal.may_fire(rule.name) else {}
    if not plan:
        return graph
    done: dict[Node, Node] = {}
    # As often as this nothing can be waited for, unless replacements wait for each other.
    limit = 2 * sum(len(n.inputs) + len(operands_of(n, plan)) for n in graph.nodes) + 1
    for root in graph.roots:
        stack = [root]
        while stack:
            node = stack[-1]
            if len(stack) > limit:
                raise PassError(f"rule {rule.name}: what stands for {node!r} needs itself")
            if node in done:
                stack.pop()
                continue
            active = plan if journal.may_fire(rule.name) else {}
            missing = [n for n in operands_of(node, active) if n not in done]
            stack.extend(missing)
            if missing:
                continue
            if node in active:
                done[node] = _make(node, active[node], rule, done, pass_name)
                journal.fired(rule.name, rule.kind, node, done[node], active[node].inner)
            else:
                done[node] = rebuild(node, tuple([done[n] for n in node.inputs]))
    return graph.with_roots([done[root] for root in graph.roots])


def _make(
    node: Node,
    planned: Replacement,
    rule: PlannedRule,
    done: Mapping[Node, Node],
    pass_name: str,
) -> Node:
    sources = tuple(n.name for n in (node, *planned.inner))
    step = Lineage(pass_name, rule.name, sources)
    with making(node.origin.made_by((*node.origin.lineage, step))):
        new = planned.build(done.__getitem__)
    if new.types != node.types:
        raise TypeError(f"rule {rule.name}: {new!r} cannot stand for {node!r}")
    return new
