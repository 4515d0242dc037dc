"""The rewriter: fires rules bottom-up until none matches any more.

Operands are brought to their normal form before a node is looked at, and so are the nodes that a
rule makes. As patterns look down only, one walk reaches the fixpoint; conditions on the number of
users may need more, so the walk is repeated while such rules fire. Explicit stacks: a chain of
100,000 nodes is no deeper than one of three.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kgraph import config
from kgraph.errors import PassError, explain
from kgraph.ir.graph import Graph, toposort
from kgraph.ir.node import Node, rebuild
from kgraph.ir.op import Op
from kgraph.ir.origin import Lineage, making
from kgraph.passes.journal import Journal, current_journal
from kgraph.passes.manager import Pass
from kgraph.passes.matching import Match
from kgraph.passes.rules import Rule, admitted_kinds

MAX_ROUNDS = 50
# A rule may fire this often for each node that there was, and the graph grow by this factor.
MAX_FIRINGS_PER_NODE, MAX_GROWTH, SLACK = 8, 4, 1000


@dataclass(frozen=True)
class Rewrite(Pass):
    """Applies rules until none fires; a pass of rules is a subclass with another default.

    Args:
        rules: what to apply; at one node, earlier rules are tried first.
        without: names of rules to leave out.
        numerics: "strict", "safe" or "fast" instead of `config.numerics`.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import P, Rewrite, rule, unknowns
        >>> (x,) = unknowns("x")
        >>> double = rule("double", x + x, lambda x: x * 2)
        >>> a = input_node((3,), name="a")
        >>> Rewrite((double,)).run(Graph((a,), (("y", a + a),))).outputs[0][1].op
        <op multiply>
    """

    rules: tuple[Rule, ...] = field(default=(), repr=False)
    without: tuple[str, ...] = ()
    numerics: str | None = None

    def run(self, graph: Graph) -> Graph:
        """The graph with all rules applied."""
        roots = apply_rules(graph.roots, self._active(), self.name, self.numerics, graph.nodes)
        return graph.with_roots(roots)

    def rewrite(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """The same on bare nodes, for code that has no graph yet."""
        return apply_rules(roots, self._active(), self.name, self.numerics)

    def _active(self) -> tuple[Rule, ...]:
        known = [r.name for r in self.rules]
        doubled = {n for n in known if known.count(n) > 1}
        if doubled:
            raise ValueError(f"{self.name}: two rules are called {', '.join(sorted(doubled))}")
        for name in self.without:
            if name not in known:
                raise ValueError(explain(f"{self.name} has no rule {name!r}",
                                         expected=", ".join(known)))  # fmt: skip
        return tuple(r for r in self.rules if r.name not in self.without)


def apply_rules(
    roots: Sequence[Node],
    rules: Sequence[Rule],
    pass_name: str,
    numerics: str | None = None,
    order: Sequence[Node] | None = None,
) -> tuple[Node, ...]:
    """Rewrites the nodes below the roots until no rule matches.

    Args:
        roots: the nodes that are needed.
        rules: what to apply; at one node, earlier rules are tried first.
        pass_name: who is named in the lineage of new nodes.
        numerics: "strict", "safe" or "fast" instead of `config.numerics`.
        order: the nodes below the roots, operands first, if the caller has them.

    Returns:
        The roots' replacements.

    Raises:
        PassError: a rule failed, changed a type, or there is no end.
    """
    journal = current_journal() or Journal(fuel=config.fuel)
    admitted = admitted_kinds(numerics)
    repeat = any(r.users is not None for r in rules)
    roots, order = tuple(roots), toposort(roots) if order is None else order
    budget = _Budget(len(order), pass_name)
    for _ in range(MAX_ROUNDS):
        fired = len(journal.firings)
        journal.missed.clear()
        roots = _Walk(rules, admitted, journal, budget).run(roots, order)
        if not repeat or len(journal.firings) == fired or journal.exhausted:
            return roots
        order = toposort(roots)
    names = ", ".join(journal.counts())
    raise PassError(f"{pass_name}: no end after {MAX_ROUNDS} rounds; rules: {names}")


@dataclass
class _Budget:
    """Stops rewriting that would never end."""

    nodes: int
    pass_name: str
    firings: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    made: int = 0

    def spend(self, rule: Rule, made: int) -> None:
        self.firings[rule.name] += 1
        self.made += made
        limit = MAX_FIRINGS_PER_NODE * self.nodes + SLACK
        if self.firings[rule.name] > limit or self.made > MAX_GROWTH * self.nodes + limit:
            often = sorted(self.firings, key=lambda n: -self.firings[n])[:5]
            raise PassError(
                explain(f"{self.pass_name} does not end: rule {rule.name} keeps firing",
                        expected=f"at most {limit} firings in a graph of {self.nodes} nodes",
                        got=", ".join(f"{n} x{self.firings[n]}" for n in often),
                        hint="one rule's result matches the other's pattern")
            )  # fmt: skip


class _Walk:
    """One bottom-up pass over the nodes below some roots."""

    def __init__(
        self,
        rules: Sequence[Rule],
        admitted: frozenset[str],
        journal: Journal,
        budget: _Budget,
    ) -> None:
        self.rules = rules
        # Ops of a node and its operands -> the rules that are worth a look.
        self.candidates: dict[tuple[Op, ...], list[Rule]] = {}
        self.admitted, self.journal, self.budget = admitted, journal, budget
        self.counts_users = any(r.users is not None for r in rules)
        self.users: dict[Node, int] = {}
        # Node -> its normal form; a node maps to itself once no rule matches it.
        self.done: dict[Node, Node] = {}
        # Node -> what it was replaced by, whose normal form is not known yet; and the rule.
        self.pending: dict[Node, Node] = {}
        self.maker: dict[Node, str] = {}

    def run(self, roots: Sequence[Node], order: Sequence[Node]) -> tuple[Node, ...]:
        """The normal forms of the roots; `order` holds the nodes below them, operands first."""
        done = self.done
        if self.counts_users:
            self.users = _count_users(roots, order)
        for node in order:
            new = rebuild(node, tuple([done[i] for i in node.inputs])) if node.inputs else node
            found = done.get(new)
            if found is None:
                found = done[new] = self.settle(new) if self.rules_for(new) else new
            done[node] = found
            if self.counts_users and found is not node:
                self.users[found] = self.users.get(found, 0) + self.users[node]
        return tuple(done[r] for r in roots)

    def rules_for(self, node: Node) -> list[Rule]:
        """The rules that are worth a look at the node."""
        key = (node.op, *[i.op for i in node.inputs])
        found = self.candidates.get(key)
        if found is None:
            found = [r for r in self.rules if r.may_match(node.op, key[1:])]
            self.candidates[key] = found
        return found

    def settle(self, root: Node) -> Node:
        """The normal form of a node, and of whatever the rules make on the way to it."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self.done:
                stack.pop()
                continue
            next_ = self._advance(node)
            if next_ is None:
                stack.pop()
                continue
            for other in next_:
                if other in self.pending:
                    raise self._loop(other, stack)
            stack.extend(next_)
        return self.done[root]

    def _advance(self, node: Node) -> list[Node] | None:
        """What must be settled before the node is; None when it is settled now."""
        done = self.done
        replacement = self.pending.get(node)
        if replacement is not None:
            done[node] = done[replacement]
            del self.pending[node]
            return None
        missing = [i for i in node.inputs if i not in done]
        if missing:
            return missing
        new: Node | None = rebuild(node, tuple([done[i] for i in node.inputs]))
        if new is node:
            new = self.fire(node)
        if new is None:
            done[node] = node
            return None
        if new in done:
            done[node] = done[new]
            return None
        self.pending[node] = new
        return [new]

    def fire(self, node: Node) -> Node | None:
        """The replacement by the first rule that may fire at the node."""
        if self.journal.exhausted:
            return None
        refused = []
        for rule in self.rules_for(node):
            try:
                match = rule.match(node)
                if match is None:
                    continue
                reason = self._objection(rule, match)
                if reason is None:
                    return self._replace(rule, node, match)
            except Exception as error:
                raise self._blame(rule, node, error) from error
            refused.append((rule.name, reason))
        for name, reason in refused:
            self.journal.refused(name, reason, node)
        return None

    def _objection(self, rule: Rule, match: Match) -> str | None:
        """Why the rule may not fire, or None."""
        if match.reasons:
            return match.reasons[0]
        if rule.kind not in self.admitted:
            return f"a {rule.kind} rule, which numerics does not admit"
        if rule.users is not None:
            for inner in match.inner:
                if self.users.get(inner, 1) > rule.users:
                    return f"{inner.op.name} has {self.users[inner]} users"
        return None

    def _replace(self, rule: Rule, node: Node, match: Match) -> Node:
        sources = tuple(n.name for n in (node, *match.inner))
        step = Lineage(self.budget.pass_name, rule.name, sources)
        with making(replace(node.origin, lineage=(*node.origin.lineage, step))):
            new = rule.build(match)
        if not isinstance(new, Node) or new.types != node.types:
            got = ", ".join(map(str, new.types)) if isinstance(new, Node) else repr(new)[:200]
            expected = ", ".join(map(str, node.types))
            raise PassError(explain("the replacement has another type", expected=expected, got=got))
        self.journal.fired(rule.name, rule.kind, node, new)
        self.maker[node] = rule.name
        self.budget.spend(rule, self._new_nodes(new))
        return new

    def _new_nodes(self, root: Node) -> int:
        """How many nodes below a replacement the walk has not seen yet."""
        seen: set[Node] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            if node not in self.done and node not in seen:
                seen.add(node)
                stack.extend(node.inputs)
        return len(seen)

    def _loop(self, node: Node, stack: Iterable[Node]) -> PassError:
        rules = list(dict.fromkeys(self.maker[n] for n in stack if n in self.maker))
        return PassError(
            explain(f"{self.budget.pass_name} does not end: rules {', '.join(rules)} go in circles",
                    got=f"{node!r} again, from itself", where=node.origin.where)
        )  # fmt: skip

    def _blame(self, rule: Rule, node: Node, error: Exception) -> PassError:
        return PassError(
            f"rule {rule} failed at {node!r}"
            + (f" ({node.origin.where})" if node.origin.where else "")
            + f": {error}"
        )


def _count_users(roots: Sequence[Node], order: Sequence[Node]) -> dict[Node, int]:
    """Node -> how many nodes read it; being an output or an update counts as one more each."""
    counts = dict.fromkeys(order, 0)
    for root in roots:
        counts[root] += 1
    for node in order:
        for operand in set(node.inputs):
            counts[operand] += 1
    return counts
