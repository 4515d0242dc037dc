"""The rewriter: fires rules bottom-up until none matches any more.

Operands are brought to their normal form before a node is looked at, and so are the nodes that a
rule makes. As patterns look down only, one walk reaches the fixpoint; conditions on the number of
users may need more, so the walk is repeated while such rules fire. Explicit stacks: a chain of
100,000 nodes is no deeper than one of three.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kgraph import config
from kgraph.errors import PassError, explain, told
from kgraph.ir.graph import Graph, toposort
from kgraph.ir.node import Node, rebuild
from kgraph.ir.op import Op
from kgraph.ir.origin import Lineage, making
from kgraph.passes.bodies import through_bodies
from kgraph.passes.journal import Journal, Tally, current_journal
from kgraph.passes.manager import Pass
from kgraph.passes.matching import Match
from kgraph.passes.options import unknown
from kgraph.passes.rules import MemoryRule, Rule, admitted_kinds
from kgraph.passes.values import same_layout

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

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The rules that may fire, those left out as well."""
        return tuple(r.name for r in self.rules)

    def run(self, graph: Graph) -> Graph:
        """The graph with all rules applied, first inside of loops."""
        inside = through_bodies(graph.roots, self.run_level, graph.bodies)
        return self.run_level(graph.with_roots(inside))

    def run_level(self, graph: Graph) -> Graph:
        """The graph with all rules applied to its own nodes, none inside the bodies they hold."""
        if not self._table.looks_at(graph.kinds):
            return graph
        roots = apply_rules(graph.roots, self._table, self.name, self.numerics, graph.nodes)
        return graph.with_roots(roots)

    def rewrite(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """The same on bare nodes, for code that has no graph yet."""
        return self.rewrite_level(through_bodies(roots, self.run_level))

    def rewrite_level(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """What `run_level` does, on bare nodes."""
        return apply_rules(roots, self._table, self.name, self.numerics)

    # Kept with the pass, so that what it learns about ops serves every graph.
    @cached_property
    def _table(self) -> RuleTable:
        return RuleTable(self._active())

    def _active(self) -> tuple[Rule, ...]:
        known = [r.name for r in self.rules]
        doubled = {n for n in known if known.count(n) > 1}
        if doubled:
            raise ValueError(f"{self.name}: two rules are called {', '.join(sorted(doubled))}")
        for name in self.without:
            if name not in known:
                raise unknown(f"{self.name} has no rule", name, known)
        return tuple(r for r in self.rules if r.name not in self.without)


class RuleTable:
    """Rules with what is known about the ops that they look at.

    Args:
        rules: earlier ones are tried first.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        # Ops of a node and its operands -> the rules that are worth a look.
        self._candidates: dict[tuple[Op, ...], tuple[Rule, ...]] = {}

    def candidates(self, key: tuple[Op, ...]) -> tuple[Rule, ...]:
        """The rules worth a look at a node with this op and these ops of its operands."""
        found = self._candidates.get(key)
        if found is None:
            found = tuple([r for r in self.rules if r.may_match(key[0], key[1:])])
            self._candidates[key] = found
        return found

    def looks_at(self, kinds: Iterable[tuple[Op, ...]]) -> bool:
        """Whether some rule is worth a look at some node of these kinds; see `Graph.kinds`."""
        return any(map(self.candidates, kinds))

    def without(self, names: frozenset[str]) -> RuleTable:
        """The table less the rules of these names; itself if it has none of them."""
        left = [r for r in self.rules if r.name not in names]
        return self if len(left) == len(self.rules) else RuleTable(left)


def apply_rules(
    roots: Sequence[Node],
    rules: Sequence[Rule] | RuleTable,
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
    journal = current_journal() or Journal()
    table = rules if isinstance(rules, RuleTable) else RuleTable(rules)
    table = table.without(journal.excluded)
    admitted = admitted_kinds(numerics)
    roots, order = tuple(roots), toposort(roots) if order is None else order
    budget = _Budget(len(order), pass_name)
    for round_ in range(MAX_ROUNDS):
        fired = len(journal.firings)
        walk = _Walk(table, admitted, journal, budget)
        if round_:
            journal.forget(walk.settled)
        roots = walk.run(roots, order)
        if not walk.crowded or len(journal.firings) == fired or journal.exhausted:
            return roots
        order = toposort(roots)
        users = _count_users(roots, order)
        if all(users.get(node, limit + 1) > limit for node, limit in walk.crowded):
            return roots
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
                        hint="what a rule makes must not fit its own left side again"
                        if len(often) == 1 else "one rule's result matches the other's pattern")
            )  # fmt: skip


class _Walk:
    """One bottom-up pass over the nodes below some roots."""

    def __init__(
        self,
        table: RuleTable,
        admitted: frozenset[str],
        journal: Journal,
        budget: _Budget,
    ) -> None:
        self.table = table
        # Ops of a node and its operands -> the rules that are worth a look, with their counts.
        self.candidates: dict[tuple[Op, ...], list[tuple[Rule, Tally]]] = {}
        self.admitted, self.journal, self.budget = admitted, journal, budget
        self.strict = admitted == admitted_kinds("strict")
        self.users: dict[Node, int] = {}
        self.counts_users = any(map(self._counts_users, table.rules))
        # Nodes that are read too often for a rule to fire, and how often they may be.
        self.crowded: set[tuple[Node, int]] = set()
        # Nodes that no rule matches, whoever reads them: known from earlier walks by these rules.
        self.settled = journal.settled.setdefault((table.rules, admitted), set())
        # Node -> its normal form; a node maps to itself once no rule matches it.
        self.done: dict[Node, Node] = {}
        # Node -> what it was replaced by, whose normal form is not known yet; and the rule.
        self.pending: dict[Node, Node] = {}
        self.maker: dict[Node, str] = {}

    def run(self, roots: Sequence[Node], order: Sequence[Node]) -> tuple[Node, ...]:
        """The normal forms of the roots; `order` holds the nodes below them, operands first."""
        done, counts_users, settled = self.done, self.counts_users, self.settled
        candidates = self.candidates
        if counts_users:
            self.users = _count_users(roots, order)
        moved: set[Node] = set()  # those whose normal form is another node
        for node in order:
            if node in settled and not counts_users:  # and so is all below it
                done[node] = node
                continue
            same = moved.isdisjoint(node.inputs)
            new = node if same else rebuild(node, tuple([done[i] for i in node.inputs]))
            found = done.get(new)
            if found is None:
                rules = candidates.get((new.op, *[i.op for i in new.inputs]))
                if new not in settled and (self.rules_for(new) if rules is None else rules):
                    found = self.settle(new)
                else:
                    found = done[new] = new
                    settled.add(new)
            done[node] = found
            if found is not node:
                moved.add(node)
                if counts_users:
                    self.users[found] = self.users.get(found, 0) + self.users[node]
        return tuple(done[r] for r in roots)

    def _counts_users(self, rule: Rule) -> bool:
        return rule.users is not None and rule.kind in self.admitted

    def rules_for(self, node: Node) -> list[tuple[Rule, Tally]]:
        """The rules that are worth a look at the node."""
        key = (node.op, *[i.op for i in node.inputs])
        found = self.candidates.get(key)
        if found is None:
            tally = self.journal.tally
            candidates = [self._started(r) for r in self.table.candidates(key)]
            found = [(r, tally(r.name, r.kind)) for r in candidates]
            self.candidates[key] = found
        return found

    def _started(self, rule: Rule) -> Rule:
        if not isinstance(rule, MemoryRule):
            return rule
        return rule.started(self.journal.memory.setdefault(rule, {}))

    def settle(self, root: Node) -> Node:
        """The normal form of a node on settled operands, and of what the rules make of it."""
        new = self.fire(root)
        if new is None:
            self.done[root] = root
            return root
        next_, stack = self._take(root, new), [root]
        while stack:
            if next_ is None:
                stack.pop()
            else:
                for other in next_:
                    if other in self.pending:
                        raise self._loop(other, stack)
                stack.extend(next_)
            next_ = self._advance(stack[-1]) if stack else None
        return self.done[root]

    def _advance(self, node: Node) -> list[Node] | None:
        """What must be settled before the node is; None when it is settled now."""
        done = self.done
        if node in done:
            return None
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
            new = None if node in self.settled else self.fire(node)
        return self._take(node, new)

    def _take(self, node: Node, new: Node | None) -> list[Node] | None:
        """Notes what a node was replaced by; what must be settled first, as `_advance` says."""
        if new is None:
            self.done[node] = node
        elif new in self.done:
            self.done[node] = self.done[new]
        else:
            self.pending[node] = new
            return [new]
        return None

    def fire(self, node: Node) -> Node | None:
        """The replacement by the first rule that may fire at the node."""
        if self.journal.exhausted:
            return None
        refused, lasting, timed = [], True, config.stats
        for rule, tally in self.rules_for(node):
            start = time.perf_counter() if timed else 0.0
            tally.looked += 1
            try:
                match = rule.match(node)
                if match is None:
                    continue
                tally.matched += 1
                reason = self._objection(rule, match)
                if reason is None:
                    new = self._build(rule, node, match)
                    if not self.strict or same_layout(node, new):
                        return self._replace(rule, node, match, new)
                    reason = "strict numerics keep how elements lie, for sums depend on it"
            except Exception as error:
                raise self._blame(rule, node, error) from error
            finally:
                if start:
                    tally.seconds += time.perf_counter() - start
            # Only the number of users can change without making another node.
            lasting = lasting and bool(match.reasons or rule.kind not in self.admitted)
            refused.append((rule.name, reason))
        for name, reason in refused:
            self.journal.refused(name, reason, node)
        if lasting:
            self.settled.add(node)
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
                    self.crowded.add((inner, rule.users))
                    return f"{inner.op.name} has {self.users[inner]} users"
        return None

    def _build(self, rule: Rule, node: Node, match: Match) -> Node:
        sources = tuple(n.name for n in (node, *match.inner))
        step = Lineage(self.budget.pass_name, rule.name, sources)
        with making(node.origin.made_by((*node.origin.lineage, step))):
            new = rule.build(match)
        if not isinstance(new, Node):
            raise PassError(
                explain("the replacement is no node", got=repr(new)[:200],
                        hint="a right side calls ops: lambda x: -ops.tanh(x)")
            )  # fmt: skip
        if new.types != node.types:
            got, expected = (", ".join(map(str, n.types)) for n in (new, node))
            raise PassError(explain("the replacement has another type", expected=expected, got=got))
        return new

    def _replace(self, rule: Rule, node: Node, match: Match, new: Node) -> Node:
        made = self._new_nodes(new)
        self.journal.fired(rule.name, rule.kind, node, new, tuple(match.inner), made)
        self.maker[node] = rule.name
        self.budget.spend(rule, len(made))
        return new

    def _new_nodes(self, root: Node) -> tuple[Node, ...]:
        """The nodes below a replacement that the walk has not seen yet."""
        seen: dict[Node, None] = {}
        stack = [root]
        while stack:
            node = stack.pop()
            if node not in self.done and node not in seen:
                seen[node] = None
                stack.extend(node.inputs)
        return tuple(seen)

    def _loop(self, node: Node, stack: Iterable[Node]) -> PassError:
        rules = list(dict.fromkeys(self.maker[n] for n in stack if n in self.maker))
        who = f"rules {', '.join(rules)} go" if len(rules) > 1 else f"rule {rules[0]} goes"
        return PassError(
            explain(f"{self.budget.pass_name} does not end: {who} in circles",
                    got=f"{node!r} again, from itself", where=node.origin.where,
                    hint="what a rule makes must not fit a left side again; "
                         "commutative ops fit in both orders")
        )  # fmt: skip

    def _blame(self, rule: Rule, node: Node, error: Exception) -> PassError:
        return PassError(
            f"rule {rule} failed at {node!r}"
            + (f" ({node.origin.where})" if node.origin.where else "")
            + f": {told(error)}"
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
