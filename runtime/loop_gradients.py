"""Gradients of loops: a `scan` the other way round over what the forward steps left behind.

Two loops are built. The **loop with residuals** is the forward one with more outputs: the values of
its steps that the backward steps read. The **backward loop** carries the carry's cotangent. What a
constant's cotangent is a sum of over time leaves it where it can: factors of matrix products go out
as sequences and are multiplied once, over time and rows together (`loop_sums.py`).

Invariant, for `merge-loops` in `passes/loop_parts.py`: both are `scan` nodes of the very same
operands and attributes except `body`, the parameters of their bodies are equal, and the outputs of
the forward body are, node for node, the first outputs of the other. So `item(with_residuals, i)`
may stand for `item(forward, i)`.

A loop inside a step is run again, with residuals, in each step of the outer backward loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from kgraph.ir.body import Body
from kgraph.ir.leaves import arg, const, item, items
from kgraph.ir.node import Node, build
from kgraph.ir.walk import substitute, toposort
from kgraph.ops.loops import Loop, Nodes, dependents, placeholder
from kgraph.ops.shapes import broadcast_to
from kgraph.runtime.loop_sums import Sums

# (outputs, their cotangents, wrt) -> cotangents of wrt.
PullBack = Callable[[Sequence[Node], Sequence[Node | None], Sequence[Node]], Sequence[Node | None]]
# Ops of one operand whose output is the operand seen in another way: it is saved instead.
_VIEWS = ("transpose", "reshape", "expand_dims", "squeeze", "broadcast_to", "flip")


def loop_cotangents(
    node: Node, arrived: Sequence[Node | None], wanted: Sequence[bool], pull_back: PullBack
) -> list[Node | None]:
    """The cotangents of a loop's operands.

    Args:
        node: a `scan` node.
        arrived: cotangents of its outputs, or None.
        wanted: for each operand whether its cotangent is asked for.
        pull_back: differentiates expressions; the engine's.

    Returns:
        A node or None for each operand.
    """
    step = _Step.open(node)
    alive = step.alive(wanted)
    seeds, cotangents = _fixpoint(step, arrived, alive, pull_back)
    if not cotangents:
        return [None] * len(node.inputs)
    found = _Backward(step, arrived, seeds, cotangents).build(wanted)
    return [found.get(leaf) if want else None for leaf, want in zip(step.leaves, wanted)]


@dataclass(frozen=True)
class _Step:
    """A loop's body over placeholders.

    Args:
        node: the loop.
        leaves: placeholders of the parameters: consts, carry, elements.
        outputs: the body's outputs over them.
    """

    node: Node
    leaves: Nodes
    outputs: Nodes

    @staticmethod
    def open(node: Node) -> _Step:
        body = node.attrs["body"]
        leaves = tuple(placeholder(t, f"p{i}") for i, t in enumerate(body.parameters))
        return _Step(node, leaves, body.apply(leaves))

    @property
    def consts(self) -> Nodes:
        return self.leaves[: self.node.attrs["consts"]]

    @property
    def carry(self) -> Nodes:
        n = self.node.attrs["consts"]
        return self.leaves[n : n + self.node.attrs["carry"]]

    @property
    def xs(self) -> Nodes:
        return self.leaves[len(self.consts) + len(self.carry) :]

    def alive(self, wanted: Sequence[bool]) -> Nodes:
        """The float parameters that depend on a wanted operand, through earlier steps too."""
        found = {n for n, want in zip(self.leaves, wanted, strict=True) if want and n.type.is_float}
        order, grown = toposort(self.outputs), True
        while grown:
            reached = set(found)
            for node in order:
                if any(n in reached for n in node.inputs) and any(t.is_float for t in node.types):
                    reached.add(node)
            more = {h for h, y in zip(self.carry, self.outputs) if y in reached} - found
            grown = bool(more)
            found |= more
        return tuple(n for n in self.leaves if n in found)


def _fixpoint(
    step: _Step, arrived: Sequence[Node | None], alive: Nodes, pull_back: PullBack
) -> tuple[list[Node | None], dict[Node, Node]]:
    """Placeholders of the outputs' cotangents, and the parameters' cotangents in one step.

    A carry has a cotangent when the loop's result has one, or when a later step sends it one.
    """
    m = len(step.carry)
    seeds: list[Node | None] = [None] * len(step.outputs)
    for i, (g, y) in enumerate(zip(arrived, step.outputs, strict=True)):
        if g is not None and (i >= m or step.carry[i] in alive):
            seeds[i] = placeholder(y.type, f"g{i}")
    while True:
        cotangents = zip(alive, pull_back(step.outputs, seeds, alive), strict=True)
        found = {n: g for n, g in cotangents if g is not None}
        missing = [i for i, h in enumerate(step.carry) if h in found and seeds[i] is None]
        if not missing:
            return seeds, found
        for i in missing:
            seeds[i] = placeholder(step.outputs[i].type, f"g{i}")


class _Backward:
    """The backward loop of one step."""

    def __init__(
        self,
        step: _Step,
        arrived: Sequence[Node | None],
        seeds: Sequence[Node | None],
        cotangents: dict[Node, Node],
    ) -> None:
        self.step, self.arrived, self.seeds, self.cotangents = step, arrived, seeds, cotangents
        self.node, m = step.node, len(step.carry)
        self.carried = [i for i in range(m) if seeds[i] is not None]
        self.given = [i for i in range(m, len(seeds)) if seeds[i] is not None]

    def build(self, wanted: Sequence[bool]) -> dict[Node, Node]:
        """Parameter -> the cotangent of its operand in the whole loop."""
        step, node = self.step, self.node
        want = {leaf for leaf, w in zip(step.leaves, wanted, strict=True) if w}
        want &= self.cotangents.keys()
        consts = {c: self.cotangents[c] for c in step.consts if c in want}
        xs = [x for x in step.xs if x in want]
        seeds = [g for g in self.seeds if g is not None]
        moving = dependents(consts.values(), (*step.carry, *step.xs, *seeds))
        sums = Sums(moving, node.attrs["length"])
        for c, g in consts.items():
            sums.add(c, g)
        states = [step.carry[i] for i in self.carried]
        after = [self.cotangents[h] if h in self.cotangents else _zeros(h) for h in states]
        elements = [self.cotangents[x] for x in xs]
        loop = self._loop((*after, *sums.carried), (*elements, *sums.emitted), sums.accumulators)
        finals, ys = loop.build(stop=node.inputs)
        n, k = len(states), len(xs)
        found = dict(zip(states, finals[:n], strict=True)) | dict(zip(xs, ys[:k], strict=True))
        outer = dict(zip(step.consts, node.inputs))
        return found | sums.totals(finals[n:], ys[k:], outer)

    def _loop(self, after: Nodes, ys: Nodes, accumulators: Sequence[Node]) -> Loop:
        """The backward loop: values of the forward steps are read from their sequences."""
        step, node = self.step, self.node
        table, read = self._residuals((*after, *ys))
        table |= zip(step.consts, node.inputs)
        roots = substitute((*after, *ys), table)
        carry = (*(self._seed(i) for i in self.carried), *accumulators)
        given = {self._seed(i): self._arrived(i) for i in self.given}
        starts = [self.arrived[i] for i in self.carried] + [None] * len(accumulators)
        return Loop(
            carry=carry,
            before=tuple(_zeros(n) if g is None else g for n, g in zip(carry, starts)),
            after=roots[: len(after)],
            xs=(*read, *given),
            sequences=(*read.values(), *given.values()),
            ys=roots[len(after) :],
            length=node.attrs["length"],
            reverse=not node.attrs["reverse"],
        )

    def _seed(self, i: int) -> Node:
        seed = self.seeds[i]
        assert seed is not None
        return seed

    def _arrived(self, i: int) -> Node:
        g = self.arrived[i]
        assert g is not None
        return g

    def _residuals(self, roots: Sequence[Node]) -> tuple[dict[Node, Node], dict[Node, Node]]:
        """What stands for values of the forward step, and the sequences it is read from.

        Returns:
            Forward value -> placeholder, and placeholder -> sequence.
        """
        step = self.step
        saved = _saved(step, roots)
        table: dict[Node, Node] = {}
        read: dict[Node, Node] = dict(zip(step.xs, self.node.inputs[-len(step.xs) :]))
        given = {y: i for i, y in enumerate(step.outputs) if i >= len(step.carry)}
        extra = [v for v in saved if v not in given]
        sequences = dict(zip(extra, self._with_residuals(extra), strict=True))
        for value in saved:
            table[value] = placeholder(value.type, value.op.name)
            known = given.get(value)
            sequence = sequences[value] if known is None else item(self.node, known)
            read[table[value]] = sequence
        return table, read

    def _with_residuals(self, extra: Sequence[Node]) -> Nodes:
        """The sequences of more values of the forward steps; see the file's invariant."""
        if not extra:
            return ()
        node, body = self.node, self.node.attrs["body"]
        parameters = {n: arg(i, n.type) for i, n in enumerate(self.step.leaves)}
        larger = Body(body.parameters, (*body.outputs, *substitute(extra, parameters)))
        again = build(node.op, node.inputs, {**node.attrs, "body": larger}, node.origin)
        return items(again)[len(body.outputs) :]


def _saved(step: _Step, roots: Sequence[Node]) -> list[Node]:
    """The values of the forward step that expressions of the backward one need from it.

    Elements and consts are there anyway; of a cheap view its source is saved.
    """
    forward = set(toposort(step.outputs))
    forward |= {y for n in forward if len(n.types) > 1 for y in items(n)}
    moving = dependents(forward, (*step.carry, *step.xs))
    reached = toposort(roots, stop=forward)
    inside = set(reached) - forward
    heads = [*roots, *(n for node in reached if node in inside for n in node.inputs)]
    waiting = list(dict.fromkeys(n for n in heads if n in forward))
    found: dict[Node, None] = {}
    while waiting:
        value = waiting.pop()
        if value not in moving or value in step.xs or value in found:
            continue
        if value.op.name in _VIEWS:
            waiting.append(value.inputs[0])
        else:
            found[value] = None
    return [v for v in reversed(found) if not _is_part(v, found, step.xs)]


def _is_part(value: Node, saved: Collection[Node], xs: Nodes) -> bool:
    """Whether a value is a slice of one that is there anyway."""
    return value.op.name == "slice" and (value.inputs[0] in saved or value.inputs[0] in xs)


def _zeros(like: Node) -> Node:
    return broadcast_to(const(0.0, like.dtype), like.shape)
