"""Sums over time of a constant's cotangents, taken out of the backward loop where they can be.

A cotangent is split at additions. Under linear ops (views, signs, factors that do not move), the
sum over time of `matmul(left, right)` is one product over time and rows together, that of
`sum(x, axis)` of a matrix or vector one sum of the sequence of `x`; what is neither is added up in
the loop's carry. No step's matrix is ever kept: sequences hold factors, not products.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kgraph.ir.dim import Dim
from kgraph.ir.leaves import size
from kgraph.ir.node import Node, build
from kgraph.ir.op import cast_to
from kgraph.ir.walk import substitute
from kgraph.ops.elementwise import add
from kgraph.ops.linalg import matmul
from kgraph.ops.loops import Nodes, placeholder
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.shapes import reshape, swapaxes

# Linear ops of one operand.
_LINEAR = ("negative", "transpose", "reshape", "expand_dims", "squeeze", "broadcast_to", "flip")
# Ops that are linear in the operand at each of these places when the other one does not move.
_FACTORS = {"multiply": (0, 1), "divide": (0,), "matmul": (0, 1)}

# The most axes of what is summed outside of the loop: the sequence of a larger value would take
# much more memory than its sum.
_ROWS = 2


@dataclass(frozen=True)
class _Term:
    """One summand of a constant's cotangent.

    Args:
        const: the placeholder of the constant.
        above: the linear ops over it, outermost first, each with the place of their operand.
        value: the term below them.
        parts: what leaves the loop as sequences; none for a term that is carried or never moves.
    """

    const: Node
    above: tuple[tuple[Node, int], ...]
    value: Node
    parts: Nodes


class Sums:
    """The terms of all constants of one loop.

    Args:
        moving: the nodes that differ from step to step.
        length: number of steps.

    Attributes:
        emitted: expressions whose sequences `totals` needs.
        accumulators, carried: further values of the carry, and what the next step finds.
    """

    def __init__(self, moving: Collection[Node], length: int | Dim) -> None:
        self.moving, self.length = moving, length
        self.terms: list[_Term] = []
        self.emitted: list[Node] = []
        self.accumulators: list[Node] = []
        self.carried: list[Node] = []
        self._places: dict[tuple[Node, tuple[tuple[Node, int], ...]], int] = {}

    def add(self, const: Node, cotangent: Node) -> None:
        """Takes in the cotangent of a constant in one step."""
        waiting: list[tuple[Node, tuple[tuple[Node, int], ...]]] = [(cotangent, ())]
        while waiting:
            value, above = waiting.pop()
            name = value.op.name
            if value not in self.moving:
                self.terms.append(_Term(const, above, value, ()))
            elif name == "add" and all(n.shape == value.shape for n in value.inputs):
                waiting += [(n, above) for n in reversed(value.inputs)]
            elif (place := self._linear_place(value)) is not None:
                waiting.append((value.inputs[place], (*above, (value, place))))
            elif name == "sum" and value.inputs[0].ndim <= _ROWS:
                self._emit(_Term(const, above, value, value.inputs))
            elif name == "matmul" and all(n.ndim == 2 for n in value.inputs):
                left, right = value.inputs
                self._emit(_Term(const, above, value, (_transposed(left), right)))
            else:
                self._carry(const, above, value)

    def _linear_place(self, value: Node) -> int | None:
        """The operand that the value is linear in, the others being the same in all steps."""
        if value.op.name in _LINEAR:
            return 0
        for place in _FACTORS.get(value.op.name, ()):
            if value.inputs[1 - place] not in self.moving:
                return place
        return None

    def _emit(self, term: _Term) -> None:
        self.terms.append(term)
        self.emitted += term.parts

    def _carry(self, const: Node, above: tuple[tuple[Node, int], ...], value: Node) -> None:
        """Adds the value to the accumulator of its kind."""
        key = const, above
        if key not in self._places or self.accumulators[self._places[key]].type != value.type:
            self._places[key] = len(self.accumulators)
            self.accumulators.append(placeholder(value.type, "sum"))
            self.carried.append(self.accumulators[-1])
            self.terms.append(_Term(const, above, self.accumulators[-1], ()))
        place = self._places[key]
        self.carried[place] = add(self.carried[place], value)

    def totals(
        self, finals: Sequence[Node], sequences: Sequence[Node], outer: Mapping[Node, Node]
    ) -> dict[Node, Node]:
        """The constants' cotangents outside of the loop.

        Args:
            finals: last values of the accumulators.
            sequences: one an emitted expression.
            outer: placeholder of a constant -> the constant.
        """
        known = dict(zip(self.accumulators, finals, strict=True))
        rest = iter(sequences)
        found: dict[Node, Node] = {}
        for term in self.terms:
            parts = [next(rest) for _ in term.parts]
            total = known.get(term.value)
            total = self._total(term.value, parts, outer) if total is None else total
            for node, place in reversed(term.above):
                operands = [
                    total if i == place else substitute([n], outer)[0]
                    for i, n in enumerate(node.inputs)
                ]
                total = build(node.op, tuple(operands), node.attrs)
            before = found.get(term.const)
            found[term.const] = total if before is None else add(before, total)
        return found

    def _total(self, value: Node, parts: Sequence[Node], outer: Mapping[Node, Node]) -> Node:
        if not parts:
            (value,) = substitute([value], outer)
            return value * cast_to(size(self.length), value.dtype)
        if value.op.name == "sum":
            axes = (0, *(a + 1 for a in value.attrs["axis"]))
            total = reduce_sum(parts[0], axis=axes)
            return total if total.shape == value.shape else reshape(total, value.shape)
        left, right = (reshape(p, (p.shape[0] * p.shape[1], p.shape[2])) for p in parts)
        return matmul(swapaxes(left, 0, 1), right)


def _transposed(matrix: Node) -> Node:
    if matrix.op.name == "transpose":
        return matrix.inputs[0]
    return swapaxes(matrix, 0, 1)
