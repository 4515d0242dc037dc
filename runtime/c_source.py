"""A fused program as a function of C: one loop, whose every element takes one way through it.

NumPy runs a program call by call, and each call reads and writes arrays. Here what lies between the
instructions stays in registers, and the C compiler makes vector instructions of the loop. An op
takes part if it declares its meaning in C (`Op.c`), which it does only where IEEE 754 fixes the
result: sums, products, quotients, roots, comparisons. So the bits are those of NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kgraph.ir.types import TensorType
from kgraph.ops.program import Instruction, Program
from kgraph.ops.routines import C_TYPES, EACH_ALONE

# How the element of row j and column k is found in memory, by whether the operand has the rows and
# whether it has the columns.
_INDEX = {(True, True): "i", (False, True): "k", (True, False): "j"}
LEAST_COLUMNS = 16  # shorter inner loops leave vector registers empty

_HEAD = """\
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

void run(ptrdiff_t rows, ptrdiff_t columns, void *const *arrays)
{"""
_LOOP = f"""\
    for (ptrdiff_t j = 0; j < rows; j++) {{
{EACH_ALONE}
        for (ptrdiff_t k = 0; k < columns; k++) {{
            const ptrdiff_t i = j * columns + k;"""


@dataclass(frozen=True)
class CSource:
    """A program in C.

    Args:
        text: the definition of `run(rows, columns, arrays)`; arrays are operands, then results.
        rows, columns: how the elements of the body are cut into two axes.
    """

    text: str
    rows: int
    columns: int


def c_source(program: Program, inputs: Sequence[TensorType]) -> CSource | None:
    """Writes a program in C, if all of it has a meaning there.

    Args:
        program: elementwise instructions only.
        inputs: types of the operands, in C order in memory.

    Returns:
        The text, or None: an instruction or a dtype is not C's, or shapes broadcast in a way that
        two loops do not cover.

    Example:
        >>> from kgraph.ops.program import take_apart
        >>> parts = take_apart((("square", (0,), ()), ("add", (2, 1), ())), (3,))
        >>> x = TensorType((100, 64), "float32")
        >>> found = c_source(parts, [x, TensorType((64,), "float32")])
        >>> [line.strip() for line in found.text.splitlines() if "v3" in line]
        ['const float v3 = v2 + v1;', 'p3[i] = v3;']
    """
    types = program.infer(inputs)
    if program.heads or program.tails or not all(step.op.c for step in program.body):
        return None
    if not all(t.dtype in C_TYPES for t in types):
        return None
    shape = tuple(int(d) for d in types[program.body[0].number].shape)  # type: ignore[arg-type]
    for axis in range(len(shape) + 1):
        columns = math.prod(shape[axis:])
        places = [_place(t, shape, axis) for t in inputs]
        if columns >= LEAST_COLUMNS and None not in places:
            text = _write(program, types, [place or (False, False) for place in places])
            return CSource(text, math.prod(shape[:axis]), columns)
    return None


def _place(operand: TensorType, shape: tuple[int, ...], axis: int) -> tuple[bool, bool] | None:
    """Whether an operand has the rows and the columns of a shape cut at an axis; None: in part."""
    padded = (1,) * (len(shape) - operand.ndim) + operand.shape
    has = []
    for mine, whole in ((padded[:axis], shape[:axis]), (padded[axis:], shape[axis:])):
        if mine != whole and any(d != 1 for d in mine):
            return None
        has.append(mine == whole and math.prod(whole) > 1)
    return has[0], has[1]


def _write(
    program: Program, types: Sequence[TensorType], places: Sequence[tuple[bool, bool]]
) -> str:
    names = [C_TYPES[t.dtype] for t in types]
    before, first, last = [], [], []
    for k, place in enumerate(places):
        where, index = f"((const {names[k]} *)arrays[{k}])", _INDEX.get(place)
        if index is None:
            before.append(f"    const {names[k]} v{k} = {where}[0];")
        else:
            before.append(f"    const {names[k]} *p{k} = {where};")
            first.append(f"            const {names[k]} v{k} = p{k}[{index}];")
    for position, k in enumerate(program.results, start=len(places)):
        before.append(f"    {names[k]} *p{k} = arrays[{position}];")
        last.append(f"            p{k}[i] = v{k};")
    body = [f"            {_line(step, names)}" for step in program.body]
    return "\n".join([_HEAD, *before, _LOOP, *first, *body, *last, "        }", "    }", "}", ""])


def _line(step: Instruction, names: Sequence[str]) -> str:
    name = names[step.number]
    operands = [f"v{k}" for k in step.operands]
    value = step.op.c.format(*operands, t=name, f="f" if name == "float" else "")
    return f"const {name} v{step.number} = {value};"
