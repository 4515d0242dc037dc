"""Plan: the schedule with an address for every operand, as plain data.

Every value is an `Operand`: a strided window on an arena, an input buffer, a state or a constant.
An emitter reads the steps and nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.types import TensorType
from kgraph.runtime.memory import Buffer


@dataclass(frozen=True, slots=True)
class Operand:
    """A window on memory.

    Args:
        base: index of a buffer, or the input, state or constant node itself.
        offset: bytes from the base's start.
        shape, strides: of the window, strides in bytes.
        dtype: NumPy name.
    """

    base: Any
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def type(self) -> TensorType:
        """Shape and dtype of the window."""
        return _type_of(self.shape, self.dtype)


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call: `op` with `attrs` reads `inputs`, writes `outputs`, may use `scratch`.

    A loop's `loop` is the plan of one of its steps, whose arena is the scratch. `moment` is when it
    runs, as the lifetimes of buffers count time.
    """

    op: Op
    attrs: Mapping[str, Any]
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    scratch: tuple[Operand, ...]
    node: Node
    loop: PlanData | None = None
    moment: int = 0


@dataclass
class PlanData:
    """Everything an emitter needs.

    Attributes:
        steps: in order of execution.
        buffers: the arena's pieces, by index of their operands' `base`.
        arena_bytes: size of the arena.
        lower_bound: the most bytes that live at once; no arena is smaller.
        known: values that follow from constants and the binding alone, such as a batch's size.
        prepared: how many of the first steps follow from states alone, so that runs between which
            nobody writes a state may leave them out.
        inputs, outputs: operands of the graph's inputs and outputs.
    """

    graph: Graph
    binding: Mapping[str, int]
    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    arena_bytes: int = 0
    lower_bound: int = 0
    known: dict[Node, np.ndarray] = field(default_factory=dict)
    prepared: int = 0
    inputs: tuple[Operand, ...] = ()
    outputs: tuple[Operand, ...] = ()


def contiguous(base: Any, type_: TensorType) -> Operand:
    """The window on all of a base in C order."""
    return Operand(base, 0, *_in_c_order(type_), type_.dtype)


# A plan asks for the types of all operands of all steps, and most of these are alike.
_type_of = functools.lru_cache(maxsize=1024)(TensorType)


@functools.lru_cache(maxsize=1024)
def _in_c_order(type_: TensorType) -> tuple[tuple[int, ...], tuple[int, ...]]:
    strides, step = [], type_.itemsize
    for dim in reversed(type_.shape):
        strides.append(step)
        step *= int(dim)  # type: ignore[arg-type]
    shape = tuple([int(d) for d in type_.shape])  # type: ignore[arg-type]
    return shape, tuple(reversed(strides))


def view_operand(operand: Operand, op: Op, attrs: Mapping[str, Any]) -> Operand | None:
    """What a view op makes of a window, or None when it needs a copy."""
    template = as_strided(np.empty(1, operand.dtype), operand.shape, operand.strides)
    assert op.view is not None
    viewed = op.view(template, **attrs)
    if viewed is None:
        return None
    moved = viewed.__array_interface__["data"][0] - template.__array_interface__["data"][0]
    offset = operand.offset + (moved if viewed.size else 0)
    return Operand(operand.base, offset, viewed.shape, viewed.strides, viewed.dtype.name)
