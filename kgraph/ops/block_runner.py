"""Running a program block by block: what one instruction writes the next one finds in the cache.

Every instruction is its own op's `specialize` for the types in a block, so each element sees the
calls that it would see alone. The calls of all blocks, with their windows on the arrays, are made
once and kept for as long as the same arrays come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from kgraph.ir.op import Op
from kgraph.ir.types import TensorType
from kgraph.ops.blocks import Block, Layout, Shape, count
from kgraph.ops.program import Instruction
from kgraph.ops.reductions import Mean

Call = tuple[Callable[..., Any], tuple[Any, ...]]


class BlockRunner:
    """A function of (*operands, *results, *scratch) that runs a program.

    Args:
        layout: the program for known types; its `scratch` says which buffers are needed.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        # One tuple, so that whoever reads it sees arrays and calls that belong together.
        self._built: tuple[tuple[np.ndarray, ...], list[Call]] = ((), [])

    def __call__(self, *arrays: np.ndarray) -> None:
        held, calls = self._built
        if len(held) != len(arrays) or not all(map(is_, held, arrays)):
            calls = list(_Calls(self.layout, arrays))
            self._built = (arrays, calls)
        for function, operands in calls:
            function(*operands)


class _Calls:
    """The calls of one run on certain arrays, in their order."""

    def __init__(self, layout: Layout, arrays: Sequence[np.ndarray]) -> None:
        self.layout, self.program = layout, layout.program
        program, rest = self.program, iter(arrays)
        self.values = {k: next(rest) for k in range(program.operands)}
        self.values.update({k: next(rest) for k in program.results})
        for head in program.heads:
            if head.number in layout.hosts:
                self.values[head.number] = self.values[layout.hosts[head.number]]
            elif head.number not in self.values:
                self.values[head.number] = next(rest)
        self.slots = [next(rest) for _ in layout.slots]
        self.parts = {t.number: next(rest) for t in program.tails if t.number in layout.partial}
        read = {k for step in program.body for k in step.operands}
        self.outer = [k for k in self.values if k in read or k in program.writers]
        self.lent = self._lend()
        self.kernels: dict[tuple[int, tuple[Shape, ...]], Callable[..., Any]] = {}

    def _lend(self) -> dict[int, int]:
        """Inner value -> the result whose memory it may use, which saves a way to another buffer.

        It may if what lies in that memory, such as an old state, has been read by then.
        """
        lent: dict[int, int] = {}
        for result, chain in self.program.chains.items():
            memory = self.values[result]
            below = [
                k for k in self.outer if k != result and np.may_share_memory(self.values[k], memory)
            ]
            for inner in chain:
                same_type = self.layout.types[inner].dtype == self.layout.types[result].dtype
                if not same_type or not all(self.program.is_last(k, inner) for k in below):
                    break
                lent[inner] = result
        return lent

    def __iter__(self) -> Iterator[Call]:
        layout, program = self.layout, self.program
        for head in program.heads:
            operands = tuple(self.values[k] for k in head.operands)
            yield self._call(head.op, head, operands, self.values[head.number])
        values = {k: self.values[k] for k in self.outer}
        if layout.elements and all(a.flags.c_contiguous for a in values.values()):
            # A number without axes stays one: some ops have a kernel of their own for it.
            joined = {k: a.reshape(-1) if a.ndim else a for k, a in values.items()}
            for block in layout.flat_blocks():
                yield from self._run_block(joined, (count(layout.shape),), block, 0)
        else:
            for index, block in enumerate(layout.blocks()):
                yield from self._run_block(values, layout.shape, block, index)
        for tail in program.tails:
            if tail.number in self.parts:
                yield from self._join_parts(tail)

    def _run_block(
        self, values: Mapping[int, np.ndarray], whole: Shape, block: Block, index: int
    ) -> Iterator[Call]:
        """The calls of one block.

        Args:
            values: the arrays that body and tails read and write.
            whole: the shape that they broadcast to.
            block: slices of the leading axes.
            index: which block it is.
        """
        local = {k: _window(a, block, len(whole)) for k, a in values.items()}
        shape = (*(s.stop - s.start for s in block), *whole[len(block) :])
        for step in self.program.body:
            if step.number in self.lent:
                local[step.number] = local[self.lent[step.number]]
            elif step.number not in local:
                slot = self.slots[self.layout.place[step.number]]
                local[step.number] = slot[: count(shape)].reshape(shape)
            operands = tuple(local[k] for k in step.operands)
            yield self._call(step.op, step, operands, local[step.number])
        for step in self.program.tails:
            operands = tuple(local[k] for k in step.operands)
            target = self._target(step, block, index)
            yield self._call(self.layout.block_op(step), step, operands, target)

    def _target(self, tail: Instruction, block: Block, index: int) -> np.ndarray:
        """Where a block's reduction goes: a part of its own, or the block's rows of the result."""
        if tail.number in self.parts:
            return self.parts[tail.number][index, ...]  # an array, also of a single number
        result = self.values[tail.number]
        return result if 0 in tail.attrs["axis"] else result[block[:1]]

    def _call(
        self, op: Op, step: Instruction, operands: tuple[np.ndarray, ...], target: np.ndarray
    ) -> Call:
        types = [TensorType(a.shape, a.dtype.name) for a in operands]
        key = (step.number, tuple(a.shape for a in operands))
        if key not in self.kernels:
            result = TensorType(target.shape, target.dtype.name)
            self.kernels[key] = op.specialize(types, [result], step.attrs)
        work = []
        if step.number in self.layout.work:
            wanted = op.scratch(*types, **step.attrs)
            for slot, type_ in zip(self.layout.work[step.number], wanted, strict=True):
                buffer = self.slots[slot][: count(type_.shape)]
                work.append(buffer.reshape(type_.shape))  # type: ignore[arg-type]
        return self.kernels[key], (*operands, target, *work)

    def _join_parts(self, tail: Instruction) -> Iterator[Call]:
        """Puts the parts of a reduction together, always in the same order."""
        parts, result = self.parts[tail.number], self.values[tail.number]
        reduce: Any = tail.op.ufunc.reduce  # type: ignore[attr-defined]
        averages = isinstance(tail.op, Mean)
        total = parts[0, ...] if averages else result
        yield reduce, (parts, 0, parts.dtype, total)
        if averages:
            shape = self.layout.types[tail.operands[0]].shape
            number = count([shape[axis] for axis in tail.attrs["axis"]])
            yield np.true_divide, (total, np.array(number, parts.dtype), result)


def _window(array: np.ndarray, block: Block, rank: int) -> np.ndarray:
    """What a block sees of an array that broadcasts to `rank` axes."""
    lead = rank - array.ndim
    index = tuple(
        slice(None) if array.shape[axis - lead] == 1 else block[axis]
        for axis in range(lead, len(block))
    )
    return array[index] if any(s != slice(None) for s in index) else array
