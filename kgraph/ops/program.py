"""A program taken apart: what `fused` runs whole before its blocks, in each block, and at its end.

Heads are matrix products of operands, which run first and whole. The body is elementwise and has
one shape. Tails are reductions of what the body computes. Values are numbered: first the operands,
then the instructions in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kgraph.errors import InferenceError, ParseError, explain
from kgraph.ir.op import Op, find_op
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise
from kgraph.ops.extremes import clip
from kgraph.ops.linalg import matmul
from kgraph.ops.reductions import Reduction
from kgraph.ops.select import cast, where

# Elementwise ops that are no row of the family.
_OTHERS = frozenset([cast, where, clip])


def is_elementwise(op: Op) -> bool:
    """Whether each element of the op's output depends on the operands' elements there alone.

    Args:
        op: any op.

    Returns:
        Whether it may stand in the body of a program.

    Example:
        >>> from kgraph import ops
        >>> is_elementwise(ops.tanh), is_elementwise(ops.softmax)
        (True, False)
    """
    return isinstance(op, Elementwise) or op in _OTHERS


@dataclass(frozen=True)
class Instruction:
    """One op of a program.

    Args:
        op: the op.
        operands: numbers of the values that it reads.
        attrs: its attributes.
        number: of the value that it computes.
    """

    op: Op
    operands: tuple[int, ...]
    attrs: Mapping[str, Any]
    number: int

    def infer(self, types: Sequence[TensorType]) -> TensorType:
        """The type of its value, from the types of all values before it."""
        inferred = self.op.infer(*[types[k] for k in self.operands], **self.attrs)
        if isinstance(inferred, tuple):
            raise InferenceError(f"{self.op.name} has several outputs")
        return inferred

    def may_overwrite(self, number: int) -> bool:
        """Whether its value may take the memory of a value that it reads."""
        places = [p for p, k in enumerate(self.operands) if k == number]
        return all(p in self.op.reuse for p in places)


@dataclass(frozen=True)
class Program:
    """The parts of a program.

    Args:
        operands: how many operands there are.
        heads, body, tails: the instructions, each part in their order.
        results: numbers of the values that are outputs.
    """

    operands: int
    heads: tuple[Instruction, ...]
    body: tuple[Instruction, ...]
    tails: tuple[Instruction, ...]
    results: tuple[int, ...]

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of them by number."""
        return tuple(sorted((*self.heads, *self.body, *self.tails), key=lambda i: i.number))

    @cached_property
    def last_read(self) -> dict[int, int]:
        """Value -> place in body and tails of the last instruction that reads it."""
        steps = enumerate((*self.body, *self.tails))
        return {k: place for place, step in steps for k in step.operands}

    @cached_property
    def writers(self) -> dict[int, int]:
        """Value -> place in the body of the instruction that computes it."""
        return {step.number: place for place, step in enumerate(self.body)}

    @cached_property
    def hosts(self) -> dict[int, int]:
        """Head that is no result -> the result in whose memory it is computed, if there is one."""
        found: dict[int, int] = {}
        for head in self.heads:
            if head.number in self.results:
                continue
            for result in self.results:
                if result not in found.values() and self.is_last(head.number, result):
                    found[head.number] = result
                    break
        return found

    def is_last(self, number: int, value: int) -> bool:
        """Whether a value of the body is written when nobody reads `number` any more."""
        writer = self.writers.get(value)
        if writer is None or self.last_read[number] > writer:
            return False
        return self.last_read[number] < writer or self.body[writer].may_overwrite(number)

    @cached_property
    def chains(self) -> dict[int, tuple[int, ...]]:
        """Result -> the inner values that lead to it, each of which the next one may overwrite.

        The last comes first, so that whoever may use only some of them takes the first ones.
        """
        found: dict[int, tuple[int, ...]] = {}
        for result in self.results:
            chain: list[int] = []
            step = self.body[self.writers[result]] if result in self.writers else None
            while step is not None:
                place = self.writers[step.number]
                inner = [k for k in step.operands if k in self.writers and k not in self.results]
                over = [k for k in inner if self.last_read[k] == place and step.may_overwrite(k)]
                step = self.body[self.writers[over[0]]] if over else None
                chain += over[:1]
            found[result] = tuple(chain)
        return found

    def overwritable(self, output: int) -> tuple[int, ...]:
        """Operands of an output's shape and dtype in whose place it may be computed."""
        result = self.results[output]
        if result not in self.writers or result in self.hosts.values():
            return ()
        whole = {k for head in self.heads for k in head.operands}
        read = [k for k in range(self.operands) if k not in whole]
        return tuple(k for k in read if self.is_last(k, result))

    def infer(self, inputs: Sequence[TensorType]) -> list[TensorType]:
        """Types of all values.

        Raises:
            InferenceError: an instruction refuses its operands, or the body has several shapes.
        """
        types = list(inputs)
        for step in self.instructions:
            types.append(step.infer(types))
        shape = types[self.body[0].number].shape
        for step in (*self.heads, *self.body):
            if types[step.number].shape != shape:
                raise InferenceError(
                    explain("the body of a program has one shape",
                            expected=types[self.body[0].number],
                            got=f"{step.op.name}: {types[step.number]}")
                )  # fmt: skip
        return types


# Number of an attribute -> the attributes and what they mean. By identity, because equal tuples
# need not be equal attributes (0.0 and -0.0); the entry keeps its key's object alive.
_READ: dict[int, tuple[Any, Any, Program]] = {}
_MOST_READ = 4096


def take_apart(program: Any, results: Any) -> Program:
    """Reads the attributes of `fused`.

    Args:
        program: a tuple of (op name, operand numbers, sorted (name, value) pairs).
        results: numbers of the outputs.

    Returns:
        The parts.

    Raises:
        InferenceError: they are no valid program.

    Example:
        >>> parts = take_apart((("tanh", (0,), ()), ("multiply", (1, 1), ())), (2,))
        >>> parts.operands, [step.op.name for step in parts.body]
        (1, ['tanh', 'multiply'])
    """
    known = _READ.get(id(program))
    if known is not None and known[0] is program and known[1] == results:
        return known[2]
    found = _take_apart(program, results)
    if len(_READ) >= _MOST_READ:
        _READ.clear()
    _READ[id(program)] = (program, results, found)
    return found


def _take_apart(program: Any, results: Any) -> Program:
    try:
        read = [_read(*instruction) for instruction in program]
        numbers = {k for _, operands, _ in read for k in operands} | set(results)
    except (TypeError, ValueError, ParseError) as error:
        raise InferenceError(f"not a program: {error}") from None
    if not all(type(k) is int for k in numbers) or len(set(results)) != len(results):
        raise InferenceError("operands and results of a program must be numbers")
    # Every value is read or a result, so the largest number is the last instruction's.
    operands = max(numbers, default=-1) + 1 - len(read)
    if not read or operands < 1 or numbers != set(range(operands + len(read))):
        raise InferenceError("every operand and value of a program must be used")
    steps = [Instruction(*row, operands + i) for i, row in enumerate(read)]
    heads, body, tails = (tuple(s for s in steps if _part(s) == part) for part in range(3))
    found = Program(operands, heads, body, tails, tuple(results))
    _check_order(found)
    return found


def _read(name: Any, operands: Any, pairs: Any) -> tuple[Op, tuple[int, ...], dict[str, Any]]:
    return find_op(name), tuple(operands), dict(pairs)


def _part(step: Instruction) -> int:
    if is_elementwise(step.op):
        return 1
    if step.op is matmul:
        return 0
    if isinstance(step.op, Reduction):
        return 2
    raise InferenceError(f"{step.op.name} cannot be part of a program")


def _check_order(program: Program) -> None:
    inner = set(program.writers)
    early = set(range(program.operands)) | {head.number for head in program.heads}
    wrong = [s for s in program.heads if max(s.operands) >= program.operands]
    wrong += [s for s in program.tails if not inner.issuperset(s.operands)]
    wrong += [s for s in program.tails if s.number not in program.results]
    wrong += [s for s in program.body[:1] if min(program.results) < program.operands]
    for step in program.body:
        known = early | {k for k in inner if k < step.number}
        wrong += [] if known.issuperset(step.operands) else [step]
    if wrong or not program.body:
        name = wrong[0].op.name if wrong else "no elementwise op"
        raise InferenceError(
            explain("a program reads what it has computed",
                    expected="products of operands, elementwise ops, reductions of these",
                    got=name)
        )  # fmt: skip
