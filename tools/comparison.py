"""Two graphs compared: which nodes correspond, and what differs between those that do.

Nodes correspond by structure first (same op, attributes and operands all the way down, names
included, then without them), then by name, then by neighbourhood: the same op beside nodes that
correspond already. What is left was added or removed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict, deque
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.ir.body import Body
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.graph import Graph
from kgraph.ir.layer_codec import layer_codec
from kgraph.ir.leaves import CONST, const_value
from kgraph.ir.node import Node
from kgraph.ir.printer import name_nodes, ordered, show_value, to_text
from kgraph.ir.variable import Variable

Facts = dict[str, str]
# What `ignored` may name -> the facts that are left out then.
IGNORABLE = {"names": ("name",), "provenance": ("scope",)}
_COMMENT = re.compile(r"  # .*$", re.MULTILINE)
_OF_ANY_CLASS = ("class", "name", "type", "operands")
_ROUNDS = 4
_SHOWN = 120  # characters of a value


@dataclass(frozen=True)
class Change:
    """Two nodes that correspond and differ.

    Args:
        old: how the first graph calls the node.
        new: how the second one does.
        fields: what differs -> its text before and after.
        at: numbers of the two nodes, as kgraph JSON counts them.
    """

    old: str
    new: str
    fields: Mapping[str, tuple[str, str]]
    at: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """What differs between two graphs.

    Args:
        matched: number of nodes that correspond.
        removed: nodes of the first graph alone.
        added: nodes of the second one alone.
        changed: nodes that correspond and differ.
        signature: what differs between inputs, outputs, updates and stages.
        pairs: numbers of the nodes that correspond, as kgraph JSON counts them.
    """

    matched: int
    removed: tuple[str, ...]
    added: tuple[str, ...]
    changed: tuple[Change, ...]
    signature: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not (self.removed or self.added or self.changed or self.signature)


def compare_graphs(
    old: Graph,
    new: Graph,
    ignored: Collection[str] = (),
    values: bool = False,
    first: str = "",
) -> Comparison:
    """Compares two graphs of any stage.

    Args:
        old: the first one.
        new: the second one.
        ignored: keys of `IGNORABLE`: names of nodes, or the layers that they come from.
        values: whether variables must have equal values.
        first: "structure" to look at nothing else, "name" for names before structure.

    Returns:
        What differs; two graphs that are written the same way do not differ.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> def made(f):
        ...     x = input_node((2,), name="x")
        ...     return Graph((x,), (("y", f(x) + 1),))
        >>> compare_graphs(made(ops.tanh), made(ops.tanh)).identical
        True
        >>> compare_graphs(made(ops.tanh), made(ops.exp)).changed[0].fields
        {'op': ('tanh', 'exp')}
    """
    sides = _Side(old, ignored, values), _Side(new, ignored, values)
    pairs = _Pairs(*sides)
    if first == "name":
        pairs.by_key(*(side.names() for side in sides))
    for bare in (False, True):
        pairs.by_key(*_structures(sides, bare))
    if first != "structure":
        pairs.by_key(*(side.names() for side in sides))
        pairs.by_place()
    left, right = sides
    changes = [pairs.change(node) for node in left.nodes if node in pairs.table]
    matched = set(pairs.table.values())
    return Comparison(
        len(pairs.table),
        tuple(left.describe(n) for n in left.nodes if n not in pairs.table),
        tuple(right.describe(n) for n in right.nodes if n not in matched),
        tuple(change for change in changes if change is not None),
        tuple(_signature(pairs)),
        tuple((left.numbers[a], right.numbers[b]) for a, b in pairs.table.items()),
    )


class _Side:
    """One of the two graphs, and what there is to say of its nodes."""

    def __init__(self, graph: Graph, ignored: Collection[str], values: bool) -> None:
        self.graph, self.nodes, self.labels = graph, ordered(graph), name_nodes(graph)
        self.numbers = {node: number for number, node in enumerate(self.nodes)}
        left_out = [fact for key in ignored for fact in IGNORABLE[key]]
        layers: dict[Any, Facts] = {}  # a shared layer has one configuration
        self.facts: dict[Node, Facts] = {}
        for node in self.nodes:
            facts = _facts(node, layers, values)
            self.facts[node] = {k: v for k, v in facts.items() if k not in left_out}

    def names(self) -> dict[Node, Hashable]:
        """Node -> what it is called, for those that have a name of their own."""
        found: dict[Node, Hashable] = {}
        for node in self.nodes:
            name = self.facts[node].get("name")
            if name:
                calls = node.attrs["call"].index if node.op is LAYER_CALL else 0
                found[node] = (bool(node.inputs), name, calls)
        return found

    def describe(self, node: Node) -> str:
        """A node in a line."""
        facts = self.facts[node]
        what = facts.get("class", node.op.name)
        scope = f" in {facts['scope']}" if facts.get("scope") else ""
        name = f" {node.name}" if not node.inputs and node.op is not CONST else ""
        if node.op is LAYER_CALL:
            name = f" {node.attrs['call'].layer.name}"
        return f"{self.labels[node]} {what}{name}: {', '.join(map(str, node.types))}{scope}"


def _facts(node: Node, layers: dict[Any, Facts], values: bool) -> Facts:
    """What makes a node what it is, operands aside, as texts that can be compared."""
    facts = {"op": node.op.name, "type": ", ".join(map(str, node.types))}
    if node.op is LAYER_CALL:
        call = node.attrs["call"]
        if call.layer not in layers:
            layers[call.layer] = _layer_facts(call.layer, values)
        return {**facts, **layers[call.layer], "arguments": _dump(layer_codec().encode_call(call))}
    if isinstance(node, Variable):
        facts |= {"name": node.name, "trainable": str(node.trainable)}
        return facts | ({"value": _digest(node.value)} if values else {})
    if node.op is CONST:
        array = const_value(node)
        facts["value"] = _shown(array)
        return facts
    for key, value in node.attrs.items():
        if key != "uid":  # a number of this process
            facts[key if key == "name" else f"attribute {key}"] = _value_text(value)
    if node.inputs and node.origin.scope:
        facts["scope"] = node.origin.scope
    return facts


def _layer_facts(layer: Any, values: bool) -> Facts:
    data = dict(layer_codec().encode(layer))
    config = dict(data.get("config") or {})
    facts = {"class": str(data["class_name"]), "name": str(config.pop("name", layer.name))}
    facts |= {key: _dump(value) for key, value in config.items()}
    weights = getattr(layer, "weights", ()) if values else ()
    return facts | {f"value of {v.name}": _digest(v.value) for v in weights}


def _shown(array: np.ndarray) -> str:
    """A constant's elements; of many only a few, and the bits of all of them."""
    if array.size <= 4:
        return str(array.tolist())
    return f"{array.ravel()[:3].tolist()} and more, {_digest(array)}"


def _digest(array: np.ndarray) -> str:
    """A text that arrays of equal bits share."""
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def _value_text(value: Any) -> str:
    if isinstance(value, Body):
        outputs = tuple((str(i), n) for i, n in enumerate(value.outputs))
        return _COMMENT.sub("", to_text(Graph((), outputs), None))
    return str(value) if isinstance(value, str) else show_value(value, None)


def short_value(text: str) -> str:
    """The text of a fact as one line that is not too long.

    Example:
        >>> len(short_value("line\\n" * 99))
        120
    """
    text = text.replace("\n", "; ")
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _structures(sides: Sequence[_Side], bare: bool) -> list[dict[Node, Hashable]]:
    """For each graph node -> a number that equals another one's if all below is the same."""
    numbers: dict[Hashable, int] = {}
    found = []
    for side in sides:
        known: dict[Node, Hashable] = {}
        places = {node: i for i, node in enumerate(side.graph.inputs)}
        for node in side.nodes:
            facts = {k: v for k, v in side.facts[node].items() if not bare or k != "name"}
            operands = tuple(known[n] for n in node.inputs)
            place = places.get(node) if bare else None
            key = (tuple(facts.items()), operands, place)
            known[node] = numbers.setdefault(key, len(numbers))
        found.append(known)
    return found


class _Pairs:
    """The nodes that correspond, as far as they are found."""

    def __init__(self, left: _Side, right: _Side) -> None:
        self.left, self.right = left, right
        self.table: dict[Node, Node] = {}
        self.taken: dict[Node, Node] = {}

    def join(self, old: Node, new: Node) -> None:
        self.table[old], self.taken[new] = new, old

    def by_key(self, old: Mapping[Node, Hashable], new: Mapping[Node, Hashable]) -> None:
        """Joins nodes of equal keys, in their order."""
        waiting: dict[Hashable, deque[Node]] = defaultdict(deque)
        for node, key in new.items():
            if node not in self.taken:
                waiting[key].append(node)
        for node, key in old.items():
            if node not in self.table and waiting.get(key):
                self.join(node, waiting[key].popleft())

    def by_place(self) -> None:
        """Joins nodes beside nodes that correspond, first of one op, then of any."""
        roots = zip(self.left.graph.roots, self.right.graph.roots, strict=False)
        for round_ in range(_ROUNDS):
            before, any_op = len(self.table), round_ % 2 == 1
            for node in self.left.nodes:
                self.try_all(node, self.above(node), any_op)
            for node in reversed(self.left.nodes):
                self.try_all(node, self.below(node), any_op)
            for old, new in roots:
                self.try_all(old, [new], any_op)
            if len(self.table) == before and any_op:
                return

    def above(self, node: Node) -> Iterable[Node]:
        """Nodes that read, in the same place, what corresponds to an operand."""
        for place, operand in enumerate(node.inputs):
            users = self.right.graph.users.get(self.table.get(operand, operand), ())
            yield from (u for u in users if u.inputs[place : place + 1] == (self.table[operand],))

    def below(self, node: Node) -> Iterable[Node]:
        """Operands, in the same place, of what corresponds to a user."""
        for user in self.left.graph.users.get(node, ()):
            if user in self.table:
                yield from self.table[user].inputs[user.inputs.index(node) :][:1]

    def try_all(self, node: Node, candidates: Iterable[Node], any_op: bool) -> None:
        if node in self.table or not (node.inputs or any_op):
            return
        for other in candidates:
            same = other.op is node.op or (any_op and len(other.inputs) == len(node.inputs) > 0)
            if other not in self.taken and same:
                self.join(node, other)
                return

    def may_be_one(self, old: Node, new: Node) -> bool:
        """Whether two nodes correspond, or are both known to have no counterpart."""
        return self.table.get(old) is new or (old not in self.table and new not in self.taken)

    def change(self, node: Node) -> Change | None:
        """What differs between a node and its counterpart."""
        other = self.table[node]
        old, new = self.left.facts[node], self.right.facts[other]
        fields = {
            key: (old.get(key, "none"), new.get(key, "none"))
            for key in dict.fromkeys((*old, *new))
            if old.get(key) != new.get(key)
        }
        if [self.table.get(n) for n in node.inputs] != list(other.inputs):
            fields["operands"] = tuple(
                ", ".join(side.labels[n] for n in each.inputs) or "none"
                for side, each in ((self.left, node), (self.right, other))
            )  # type: ignore[assignment]
        if "class" in fields:  # of another class, all arguments are others
            fields = {k: v for k, v in fields.items() if k in _OF_ANY_CLASS}
        if not fields:
            return None
        at = self.left.numbers[node], self.right.numbers[other]
        return Change(self.left.describe(node), self.right.describe(other), fields, at)


def _signature(pairs: _Pairs) -> list[str]:
    """Stages, inputs, outputs and updates that do not correspond."""
    old, new = pairs.left.graph, pairs.right.graph
    found = []
    if old.stage is not new.stage:
        found.append(f"stage: {old.stage.value} -> {new.stage.value}")
    if [pairs.table.get(n) for n in old.inputs] != list(new.inputs):
        names = [", ".join(n.name for n in g.inputs) for g in (old, new)]
        found.append(f"inputs: {names[0]} -> {names[1]}")
    named = any("name" in facts for facts in pairs.left.facts.values())
    ends = list(zip(old.outputs, new.outputs, strict=False))
    same = len(old.outputs) == len(new.outputs) and all(
        (a == b or not named) and pairs.may_be_one(x, y) for (a, x), (b, y) in ends
    )
    if not same:
        names = [", ".join(f"{n}={s.labels[e]}" for n, e in s.graph.outputs)
                 for s in (pairs.left, pairs.right)]  # fmt: skip
        found.append(f"outputs: {names[0]} -> {names[1]}")
    news = {pairs.taken.get(v): n for v, n in new.updates}
    same = len(old.updates) == len(new.updates) and all(
        v in news and pairs.may_be_one(n, news[v]) for v, n in old.updates
    )
    if not same:
        found.append(f"updates: {len(old.updates)} -> {len(new.updates)}, or of other values")
    return found
