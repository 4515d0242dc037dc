"""Routines of pooling along one axis: the largest of each window, and the way back to it.

In C the cells of a window are visited one after the other while its numbers are in the first
cache, where NumPy takes each cell of all windows in ten calls. Windows come from the last to the
first, so that a place gets what it gets in the order of the cells, as NumPy's calls add it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from kgraph.ops.patches import Call
from kgraph.ops.pooling import Layout
from kgraph.ops.routines import C_TYPES, EACH_ALONE, Routine

_INTEGERS = {"float32": "int32_t", "float64": "int64_t"}
_MOST_CELLS = 16  # of a window along an axis; more are left to NumPy

# Cells that lie in the padding are read from `nothing` and written to `spilt`.
_TEXT = """\
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#define WIDTH 1024
#define LEAST(a, b) ((a) < (b) ? (a) : (b))

void run(ptrdiff_t rows, ptrdiff_t columns, void *const *arrays)
{{
    const ptrdiff_t *s = arrays[{last}];
    const ptrdiff_t windows = s[0], size = s[1], stride = s[2], before = s[3];
    {t} nothing[WIDTH], spilt[WIDTH];
    for (int c = 0; c < WIDTH; c++) nothing[c] = {nothing};
    const {t} *x = arrays[{x}];
{arrays}
    for (ptrdiff_t row = 0; row < rows; row++)
    for (ptrdiff_t w = windows - 1; w >= 0; w--)
    for (ptrdiff_t start = 0; start < columns; start += WIDTH) {{
        const ptrdiff_t count = LEAST(columns - start, WIDTH);
        const ptrdiff_t at = (row * windows + w) * columns + start;
{cells}
{each_alone}
        for (ptrdiff_t c = 0; c < count; c++) {{
{body}
        }}
    }}
}}
"""
_CELL = """\
        const ptrdiff_t p{k} = w * stride + {k} - before;
        const ptrdiff_t i{k} = (row * size + p{k}) * columns + start;
        const {t} *x{k} = p{k} < 0 || p{k} >= size ? nothing : x + i{k};
"""
_TARGET = """\
        {t} *o{k} = p{k} < 0 || p{k} >= size ? spilt : out + i{k};
"""


def largest_along(
    axis: int, layout: Layout, x: np.ndarray, y: np.ndarray, calls: Sequence[Call]
) -> Routine:
    """The largest element of each window along an axis, zeros of either sign.

    Args:
        axis: of x.
        layout: windows of one cell on all other axes.
        x: what they lie on.
        y: where the largest go.
        calls: the same in NumPy.
    """
    return _along(_text_of_largest, axis, layout, x, (x, y), calls)


def back_along(
    axis: int, layout: Layout, g: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray,
    calls: Sequence[Call],
) -> Routine:  # fmt: skip
    """Adds g to `out` where x has the first element of each window along an axis that equals y.

    Args:
        axis: of x.
        layout: windows of one cell on all other axes.
        g, y: an element a window.
        x: what the windows lie on.
        out: like x; zeros, but where the first cells of windows cover it.
        calls: the same in NumPy.
    """
    return _along(_text_of_the_way_back, axis, layout, x, (g, y, x, out), calls)


def _along(
    write: Callable[[str, int, Layout], str], axis: int, layout: Layout, x: np.ndarray,
    arrays: tuple[np.ndarray, ...], calls: Sequence[Call],
) -> Routine:  # fmt: skip
    """A routine whose text is written for a dtype and as many cells as the windows have."""
    cells, name = layout.axes[axis - 1], x.dtype.name
    # The first cell that lies somewhere says how cells and places belong together.
    seen = [(i, those, place) for i, (those, place) in enumerate(cells) if those.stop > those.start]
    fits = seen and len(cells) <= _MOST_CELLS and all(a.flags.c_contiguous for a in arrays)
    text = write(name, len(cells), layout) if fits and name in _INTEGERS else ""
    number, those, place = seen[0] if seen else (0, slice(0), slice(0, 0, 1))
    before = number - (place.start - those.start * place.step)
    numbers = np.array([layout.counts[axis - 1], x.shape[axis], place.step, before], np.intp)
    rows, columns = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    work = rows * layout.counts[axis - 1] * columns * len(cells)
    return Routine(calls, text, rows, columns, (*arrays, numbers), work)


def _text_of_largest(name: str, cells: int, layout: Layout) -> str:
    """No comparison tells the zeros apart, so it does not matter which of them is the largest."""
    t = C_TYPES[name]
    body = [f"            {t} most = x0[c];"]
    for k in range(1, cells):
        body.append(f"            most = x{k}[c] > most ? x{k}[c] : most;")
        body.append(f"            most = x{k}[c] != x{k}[c] ? x{k}[c] : most;")
    body.append("            y[at + c] = most;")
    return _TEXT.format(
        t=t, x=0, last=2, nothing="-INFINITY", arrays=f"    {t} *y = arrays[1];\n    (void)spilt;",
        cells="".join(_CELL.format(t=t, k=k) for k in range(cells)),
        each_alone=EACH_ALONE, body="\n".join(body),
    )  # fmt: skip


def _text_of_the_way_back(name: str, cells: int, layout: Layout) -> str:
    """What no other cell has taken belongs to the last, where all windows are whole."""
    t, i = C_TYPES[name], _INTEGERS[name]
    body = [
        f"            const {t} most = y[at + c], given = g[at + c];",
        f"            {i} left = -1;",
    ]
    for k in range(cells):
        rest = layout.whole and k and k == cells - 1
        takes = "left" if rest else f"left & -({i})(x{k}[c] == most)"
        adds = f" + o{k}[c]" if k >= layout.apart else ""
        body += [
            f"            const {i} hit{k} = {takes};",
            f"            left &= ~hit{k};",
            f"            o{k}[c] = (hit{k} ? given : 0){adds};",
        ]
    arrays = f"    const {t} *g = arrays[0], *y = arrays[1];\n    {t} *out = arrays[3];"
    return _TEXT.format(
        t=t, x=2, last=4, nothing="NAN", arrays=arrays,
        cells="".join((_CELL + _TARGET).format(t=t, k=k) for k in range(cells)),
        each_alone=EACH_ALONE, body="\n".join(body),
    )  # fmt: skip
