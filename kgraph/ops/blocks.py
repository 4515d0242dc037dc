"""Where the values of a program lie: how it is cut into blocks, and which buffers a block needs.

A block is some leading rows of the body's shape, or some of its elements where all that the body
reads has that shape or is one number. What lies between the instructions takes buffers of one
block, used again as soon as nobody reads them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kgraph.ir.op import Op
from kgraph.ir.types import TensorType
from kgraph.ops.program import Instruction, Program
from kgraph.ops.reductions import Mean
from kgraph.ops.reductions import sum as reduce_sum

# What the arrays of a block take together. Each call costs half a microsecond whatever it does, so
# small blocks lose more than the cache saves: an RMSprop update of (784, 512) takes 1000, 830, 780
# and 750 us with 0.25, 0.5, 1 and 2 MiB, and 820 one op after the other, on a core with 512 KiB of
# second and much of a third cache. Larger blocks gain nothing and leave less of that to others.
BLOCK_BYTES = 3 << 19

Shape = tuple[int, ...]
Block = tuple[slice, ...]


def count(shape: Sequence[object]) -> int:
    """How many elements a shape of numbers has."""
    return math.prod(int(d) for d in shape)  # type: ignore[call-overload]


class Layout:
    """A program for operands of known types.

    Args:
        program: what is computed.
        inputs: types of the operands.

    Attributes:
        shape: the body's.
        hosts: head -> the result in whose memory it is computed.
        rows: sizes of a block along the leading axes; the axes behind them are not cut.
        elements: size of a block where arrays are contiguous; 0 where rows broadcast.
        slots: dtype and size of each buffer of a block.
        place: inner value -> its slot.
        work: value -> slots that its instruction works in.
        partial: reductions of which each block computes a part.
        scratch: types of all buffers that a run needs.
    """

    def __init__(self, program: Program, inputs: Sequence[TensorType]) -> None:
        self.program, self.types = program, program.infer(inputs)
        self.shape = _numbers(self.types[program.body[0].number])
        dtypes = [t.dtype for t in self.types]
        self.hosts = {h: r for h, r in program.hosts.items() if dtypes[h] == dtypes[r]}
        self.rows: Shape = ()
        self.elements = 0
        self.partial = frozenset[int]()
        if count(self.shape):
            # First in one block, which tells how many buffers there are.
            most = self._most_elements(_assign_slots(self, self.types)[0])
            self.rows = self._cut_rows(most)
            if not program.tails and self._reads_no_rows():
                self.elements = _even(count(self.shape), most)
            if len(self.blocks()) > 1:
                self.partial = frozenset(t.number for t in program.tails if 0 in t.attrs["axis"])
        self.slots, self.place, self.work = _assign_slots(self, self._block_types())
        if self.elements:
            flat = _assign_slots(self, self._flat_types())[0]
            pairs = zip(self.slots, flat, strict=True)
            self.slots = [(dtype, max(size, other)) for (dtype, size), (_, other) in pairs]
        self.scratch = tuple(self._scratch())

    def _reads_no_rows(self) -> bool:
        """Whether every operand of the body has its shape or a single element."""
        read = {k for step in self.program.body for k in step.operands}
        shapes = [_numbers(self.types[k]) for k in read]
        return all(s == self.shape or count(s) == 1 for s in shapes)

    def _most_elements(self, slots: Sequence[tuple[str, int]]) -> int:
        """How many elements of the body's shape a block may have."""
        program = self.program
        read = {k for step in program.body for k in step.operands}
        streams = {k for k in read if k not in program.writers} | set(program.results)
        full = [self.types[k] for k in streams if _numbers(self.types[k]) == self.shape]
        each = sum(t.itemsize for t in full)
        each += sum(np.dtype(dtype).itemsize for dtype, _ in slots)
        return max(1, BLOCK_BYTES // each)

    def _cut_rows(self, most: int) -> Shape:
        axis, row = 0, count(self.shape[1:])
        # Reductions see whole rows, so only the first axis may be cut for them.
        while not self.program.tails and row > most and axis < len(self.shape) - 1:
            axis += 1
            row = count(self.shape[axis + 1 :])
        return (*((1,) * axis), _even(self.shape[axis], most // row))

    def blocks(self) -> list[Block]:
        """The slices of the leading axes, one tuple a block."""
        cuts = [
            [slice(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(self.shape, self.rows)
        ]
        return list(itertools.product(*cuts))

    def flat_blocks(self) -> list[Block]:
        """The same for arrays with all axes joined to one."""
        size = count(self.shape)
        starts = range(0, size, self.elements)
        return [(slice(start, min(start + self.elements, size)),) for start in starts]

    def _block_types(self) -> list[TensorType]:
        rank, rows = len(self.shape), self.rows
        return [t.with_shape(_cut_shape(_numbers(t), rank, rows)) for t in self.types]

    def _flat_types(self) -> list[TensorType]:
        inner = (self.elements,)
        return [
            t.with_shape(inner if _numbers(t) == self.shape else (1,) * min(t.ndim, 1))
            for t in self.types
        ]

    def block_op(self, step: Instruction) -> Op:
        """The op that a block runs: of a mean in parts, the sum."""
        in_parts = step.number in self.partial and isinstance(step.op, Mean)
        return reduce_sum if in_parts else step.op

    def _scratch(self) -> Iterator[TensorType]:
        """Products that have no place of their own, the slots, the parts of reductions."""
        program = self.program
        for head in program.heads:
            if head.number not in self.hosts and head.number not in program.results:
                yield self.types[head.number]
        yield from (TensorType((size,), dtype) for dtype, size in self.slots)
        number = len(self.blocks())
        for tail in program.tails:
            if tail.number in self.partial:
                result = self.types[tail.number]
                if isinstance(tail.op, Mean) and result.dtype == "float16":
                    result = result.with_dtype("float32")  # a sum may exceed 65504
                yield result.with_shape((number, *result.shape))


class _Pool:
    """Buffers that are free again when nobody reads them."""

    def __init__(self) -> None:
        self.slots: list[tuple[str, int]] = []
        self.free: list[int] = []

    def take(self, type_: TensorType) -> int:
        """The number of a free buffer of the type's dtype, which grows to its size."""
        size = count(type_.shape)
        for slot in self.free:
            dtype, room = self.slots[slot]
            if dtype == type_.dtype:
                self.free.remove(slot)
                self.slots[slot] = dtype, max(room, size)
                return slot
        self.slots.append((type_.dtype, size))
        return len(self.slots) - 1

    def give_back(self, slot: int) -> None:
        # What was used last is taken first: it is still in the cache.
        self.free.insert(0, slot)


def _assign_slots(
    layout: Layout, types: Sequence[TensorType]
) -> tuple[list[tuple[str, int]], Mapping[int, int], Mapping[int, list[int]]]:
    """The slots, the one of each inner value, and those that each instruction works in.

    Args:
        layout: whose program it is.
        types: of all values in a block.
    """
    program, pool = layout.program, _Pool()
    place: dict[int, int] = {}
    work: dict[int, list[int]] = {}
    for index, step in enumerate((*program.body, *program.tails)):
        dying = [
            k for k in dict.fromkeys(step.operands) if k in place and program.last_read[k] == index
        ]
        if step.number not in program.results:
            type_ = types[step.number]
            over = [k for k in dying if types[k].dtype == type_.dtype and step.may_overwrite(k)]
            place[step.number] = place[over[0]] if over else pool.take(type_)
            dying = [k for k in dying if k not in over[:1]]
        wanted = layout.block_op(step).scratch(*[types[k] for k in step.operands], **step.attrs)
        work[step.number] = [pool.take(t) for t in wanted]
        for slot in (*work[step.number], *(place[k] for k in dying)):
            pool.give_back(slot)
    return pool.slots, place, work


def _numbers(type_: TensorType) -> Shape:
    return tuple(int(d) for d in type_.shape)  # type: ignore[arg-type]


def _even(size: int, most: int) -> int:
    """The size of pieces, at most so large, that are all nearly of one size."""
    return -(-size // -(-size // max(most, 1)))


def _cut_shape(shape: Shape, rank: int, rows: Shape) -> Shape:
    """What a block sees of an array that broadcasts to `rank` axes."""
    axes = enumerate(shape, start=rank - len(shape))
    return tuple(min(d, rows[axis]) if axis < len(rows) else d for axis, d in axes)
