"""Routines: parts of kernels that C runs in one pass, with the bits of the NumPy calls they are.

NumPy adds the cells of a window up call by call, and each call reads and writes a block of the
cache. In C a sum stays in a register from its first cell to its last. The order of the additions is
the same and nothing is contracted, so the bits are too; a plan takes the C where the machine has a
compiler. Sizes and strides come as an array of integers: one text serves windows of all sizes that
have as many cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgraph.ops.patches import Call, run_calls

C_TYPES = {"float32": "float", "float64": "double", "bool": "bool"}

# Before a loop whose rounds depend on no other round, also where a result takes an operand's place.
EACH_ALONE = """\
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif"""

_AXES = 4  # loops around that over the channels
_MOST_CELLS = 64  # of a window; more are left to NumPy
_NUMBERS = 3 * _AXES + 1  # before the places of the cells
_FITTING = 6912  # numbers that leave room in the first cache

# Weights and sums lie in memory of their own. There distances of powers of two, which are usual
# between cells, cannot push them out of the cache.
_HEAD = """\
#include <stddef.h>
#define LEAST(a, b) ((a) < (b) ? (a) : (b))

void run(ptrdiff_t rows, ptrdiff_t columns, void *const *arrays)
{{
    const ptrdiff_t *s = arrays[3];
{offsets}
    {t} held[{taps}][{width} + 16];
    for (ptrdiff_t start = 0; start < columns; start += {width}) {{
    const ptrdiff_t count = LEAST({width}, columns - start);
    const {t} *x = ({t} *)arrays[0] + start, *w = ({t} *)arrays[1] + start;
    {t} *y = ({t} *)arrays[2] + start;
"""
_SUMS = """\
    for (ptrdiff_t tap = 0; tap < {taps}; tap++)
    for (ptrdiff_t c = 0; c < count; c++)
        held[tap][c] = w[tap * rows + c];
    for (ptrdiff_t i = 0; i < s[0]; i++)
    for (ptrdiff_t j = 0; j < s[1]; j++)
    for (ptrdiff_t k = 0; k < s[2]; k++)
    for (ptrdiff_t l = 0; l < s[3]; l++) {{
        const {t} *from = x + i * s[4] + j * s[5] + k * s[6] + l * s[7];
        {t} *to = y + i * s[8] + j * s[9] + k * s[10] + l * s[11];
{each_alone}
        for (ptrdiff_t c = 0; c < count; c++) {{
            {t} sum = from[o0 + c] * held[0][c];
{additions}
            to[c] = sum;
        }}
    }}
    }}
}}
"""
_PRODUCTS = """\
    for (ptrdiff_t strip = 0; strip < s[3]; strip += s[12]) {{
    const ptrdiff_t end = LEAST(strip + s[12], s[3]);
    for (ptrdiff_t i = 0; i < s[0]; i++)
    for (ptrdiff_t j = 0; j < s[1]; j++)
    for (ptrdiff_t k = 0; k < s[2]; k++)
    for (ptrdiff_t l = strip; l < end; l++) {{
        const {t} *from = x + i * s[4] + j * s[5] + k * s[6] + l * s[7];
        const {t} *g = w + i * s[8] + j * s[9] + k * s[10] + l * s[11];
        const ptrdiff_t h = (l - strip) * count;
        if (i + j + k == 0) {{
{each_alone}
            for (ptrdiff_t c = 0; c < count; c++) {{
{first}
            }}
        }} else {{
{each_alone}
            for (ptrdiff_t c = 0; c < count; c++) {{
{others}
            }}
        }}
    }}
    for (ptrdiff_t tap = 0; tap < {taps}; tap++)
    for (ptrdiff_t l = strip; l < end; l++)
    for (ptrdiff_t c = 0; c < count; c++)
        y[tap * rows + l * columns + c] = held[tap][(l - strip) * count + c];
    }}
    }}
}}
"""


@dataclass(frozen=True, eq=False)
class Routine:
    """Calls of NumPy, and a function of C that gives the same bits.

    Args:
        calls: NumPy's calls, one after the other: what the routine means.
        text: C that defines `run(rows, columns, arrays)`; "" where it has no meaning there.
        rows, columns: the first arguments.
        arrays: what it reads and writes, each from its first element on.
        work: multiplications.
    """

    calls: Sequence[Call]
    text: str
    rows: int
    columns: int
    arrays: tuple[np.ndarray, ...]
    work: int

    def __call__(self) -> None:
        run_calls(self.calls)


def weighted_sums(
    cells: Sequence[np.ndarray], weights: np.ndarray, out: np.ndarray, buffer: np.ndarray
) -> Routine:
    """out = cells[0] * weights[0] + cells[1] * weights[1] + ..., added from the left.

    Args:
        cells: views (images, *counts, channels) of one array, for each cell of a window.
        weights: (taps, last of counts, channels): a row of weights is repeated for each window.
        out: like a cell.
        buffer: like a cell.
    """
    calls: list[Call] = []
    for i, cell in enumerate(cells):
        calls.append((np.multiply, cell, weights[i], buffer if i else out))
        if i:
            calls.append((np.add, out, buffer, out))
    taps = range(1, len(cells))
    additions = [f"            sum = sum + from[o{i} + c] * held[{i}][c];" for i in taps]
    text = _written(_SUMS, cells, out, additions="\n".join(additions))
    numbers = _numbers(cells, out)
    rows, work = weights[0].size, out.size * len(cells)
    return Routine(calls, text, rows, out.shape[-1], (cells[0], weights, out, numbers), work)


def sums_of_products(
    cells: Sequence[np.ndarray], g: np.ndarray, out: np.ndarray, buffer: np.ndarray
) -> Routine:
    """out[i] = sum of cells[i] * g over all axes but the last two, in row-major order.

    Args:
        cells: views (images, *counts, channels) of one array, for each cell of a window.
        g: like a cell.
        out: (taps, last of counts, channels), contiguous.
        buffer: like a cell, contiguous.
    """
    calls: list[Call] = []
    for cell, total in zip(cells, out):
        calls.append((np.multiply, cell, g, buffer))
        calls.append((np.add.reduce, buffer.reshape(-1, total.size), 0, None, total.reshape(-1)))
    places = range(len(cells))
    first = [f"                held[{i}][h + c] = from[o{i} + c] * g[c];" for i in places]
    others = [line.replace("= ", f"= held[{i}][h + c] + ") for i, line in enumerate(first)]
    text = _written(_PRODUCTS, cells, g, first="\n".join(first), others="\n".join(others))
    channels = g.shape[-1]
    numbers = _numbers(cells, g, max(1, _width(cells) // channels))
    arrays = (cells[0], g, out, numbers)
    return Routine(calls, text, out[0].size, channels, arrays, g.size * len(cells))


def _written(template: str, cells: Sequence[np.ndarray], other: np.ndarray, **parts: str) -> str:
    """The text, or "" where channels do not lie side by side or windows have many cells."""
    name, taps = C_TYPES[other.dtype.name], len(cells)
    alone = cells[0].strides[-1] == other.strides[-1] == other.itemsize
    if taps > _MOST_CELLS or not alone:
        return ""
    offsets = "\n".join(f"    const ptrdiff_t o{i} = s[{_NUMBERS + i}];" for i in range(taps))
    parts |= {"t": name, "offsets": offsets, "each_alone": EACH_ALONE}
    return (_HEAD + template).format(taps=taps, width=_width(cells), **parts)


def _width(cells: Sequence[np.ndarray]) -> int:
    """How many channels, of one place or of neighbours, are worked on at a time."""
    return max(16, _FITTING // len(cells))


def _numbers(cells: Sequence[np.ndarray], other: np.ndarray, strip: int = 0) -> np.ndarray:
    """Counts, the steps of a cell's view and of the other array, the strip, where each cell lies.

    Axes that are missing have one place. Steps count elements.
    """
    first, itemsize = cells[0], cells[0].itemsize
    missing = (0,) * (_AXES + 1 - first.ndim)
    counts = [max(n, 1) for n in missing] + list(first.shape[:-1])
    steps = [step // itemsize for a in (first, other) for step in (*missing, *a.strides[:-1])]
    start = first.ctypes.data
    offsets = [(cell.ctypes.data - start) // itemsize for cell in cells]
    return np.array([*counts, *steps, strip, *offsets], np.intp)
