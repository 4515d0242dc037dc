"""Loops taken apart: what rules about `scan` nodes look at, and how they put a loop together again.

A form names the parts of a loop by the `arg` leaves of its body, so a rule drops, adds and joins
parts without counting places; those are counted once, when the new loop is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from kgraph.ir.body import Body
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import ITEM, arg, item
from kgraph.ir.node import Node, build
from kgraph.ir.walk import substitute
from kgraph.ops.scan import scan
from kgraph.passes.planned import Lookup, Plan, Replacement

Nodes = tuple[Node, ...]


@dataclass(frozen=True)
class Source:
    """Something outside of a loop that does not exist yet.

    Args:
        needs: the old nodes that it is made of.
        make: makes it of what stands for them.
    """

    needs: Nodes
    make: Callable[[Lookup], Node]

    @staticmethod
    def of(node: Node) -> Source:
        """What stands for an old node."""
        return Source((node,), lambda find: find(node))


@dataclass(frozen=True)
class Form:
    """A loop in parts.

    Args:
        consts, carry, xs: leaves of the body, each with what it stands for outside: what all steps
            read, the first value of what is handed on, the sequence of which a step reads one part.
        after: what each step hands on, one node a carry, over the leaves.
        ys: what each step gives, over the leaves.
        length: number of steps.
        reverse: whether the last element comes first.
    """

    consts: Mapping[Node, Source]
    carry: Mapping[Node, Source]
    xs: Mapping[Node, Source]
    after: Nodes
    ys: Nodes
    length: int | Dim
    reverse: bool

    @staticmethod
    def of(node: Node) -> Form:
        """Takes a `scan` node apart."""
        attrs, body = node.attrs, node.attrs["body"]
        n, m = attrs["consts"], attrs["consts"] + attrs["carry"]
        leaves = [arg(i, t) for i, t in enumerate(body.parameters)]
        parts = list(zip(leaves, map(Source.of, node.inputs), strict=True))
        after, ys = body.outputs[: m - n], body.outputs[m - n :]
        consts, carry, xs = dict(parts[:n]), dict(parts[n:m]), dict(parts[m:])
        return Form(consts, carry, xs, after, ys, attrs["length"], attrs["reverse"])

    @property
    def sources(self) -> tuple[Source, ...]:
        """What the leaves stand for, in the order of the body's parameters."""
        return (*self.consts.values(), *self.carry.values(), *self.xs.values())

    @cached_property
    def needs(self) -> Nodes:
        """The old nodes that the loop is made of."""
        return tuple(dict.fromkeys(n for s in self.sources for n in s.needs))

    @cached_property
    def body(self) -> Body:
        """The step over parameters that are counted anew."""
        leaves = (*self.consts, *self.carry, *self.xs)
        table = {leaf: arg(i, leaf.type) for i, leaf in enumerate(leaves)}
        return Body([n.type for n in leaves], substitute((*self.after, *self.ys), table))

    def build(self, find: Lookup) -> Node:
        """The `scan` node over what stands for the old nodes."""
        counts = {"consts": len(self.consts), "carry": len(self.carry), "xs": len(self.xs)}
        steps = {"length": self.length, "reverse": self.reverse}
        operands = tuple([source.make(find) for source in self.sources])
        return build(scan, operands, {"body": self.body, **counts, **steps})

    def final(self, leaf: Node) -> Source:
        """The last value of a carry."""
        return self._output(list(self.carry).index(leaf))

    def sequence(self, y: Node) -> Source:
        """What the steps give, stacked."""
        return self._output(len(self.carry) + self.ys.index(y))

    def _output(self, index: int) -> Source:
        return Source(self.needs, lambda find: item(self.build(find), index))


@dataclass(frozen=True)
class Found:
    """A loop of a graph, and who reads which of its outputs.

    Args:
        node: the `scan` node.
        form: its parts.
        finals: carry leaf -> the node that is its last value, where that is read.
        stacks: for each of the form's `ys` the node that is its sequence, or None.
    """

    node: Node
    form: Form
    finals: Mapping[Node, Node]
    stacks: tuple[Node | None, ...]

    def redirect(
        self, final: Callable[[Node], Source], stack: Callable[[Node], Source]
    ) -> Iterator[tuple[Node, Replacement]]:
        """Replacements of all outputs that are read.

        Args:
            final: carry leaf -> what stands for its last value.
            stack: body output -> what stands for its sequence.
        """
        for leaf, old in self.finals.items():
            yield old, self._stand_in(final(leaf))
        for y, node in zip(self.form.ys, self.stacks, strict=True):
            if node is not None:
                yield node, self._stand_in(stack(y))

    def _stand_in(self, source: Source) -> Replacement:
        return Replacement(source.needs, source.make, (self.node,))


def find_loops(graph: Graph) -> list[Found]:
    """The loops of a graph, operands first."""
    found = []
    for node in graph.nodes:
        if node.op is scan:
            form = Form.of(node)
            read = {n.attrs["index"]: n for n in graph.users[node] if n.op is ITEM}
            if len(node.types) == 1:
                read = {0: node}
            m = len(form.carry)
            finals = {leaf: read[i] for i, leaf in enumerate(form.carry) if i in read}
            stacks = tuple([read.get(m + i) for i in range(len(form.ys))])
            found.append(Found(node, form, finals, stacks))
    return found


def plan_loops(graph: Graph, improve: Callable[[Found], Plan]) -> Plan:
    """Plans every loop of a graph by itself."""
    plan: dict[Node, Replacement] = {}
    for found in find_loops(graph):
        plan.update(improve(found))
    return plan


def each_loop(improve: Callable[[Found], Plan]) -> Callable[[Graph], Plan]:
    """The plan of a rule that looks at one loop at a time.

    Args:
        improve: a loop -> what is to stand for its outputs; nothing where it may stay.
    """
    return partial(plan_loops, improve=improve)
