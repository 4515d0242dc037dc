"""Routines of pooling: the largest of each window, and the way back to it.

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

# Where cells lie in a window: how far down, how far to the right.
Cells = Sequence[tuple[int, ...]]

_INTEGERS = {"float32": "int32_t", "float64": "int64_t"}
_MOST_CELLS = 16  # of a window; more are left to NumPy

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
    const ptrdiff_t beside = s[4], width = s[5], step = s[6], ahead = s[7];
    {t} nothing[WIDTH], spilt[WIDTH];
    for (int c = 0; c < WIDTH; c++) nothing[c] = {nothing};
    const {t} *x = arrays[{x}];
{arrays}
    for (ptrdiff_t row = 0; row < rows; row++)
    for (ptrdiff_t w = windows - 1; w >= 0; w--)
    for (ptrdiff_t v = beside - 1; v >= 0; v--)
    for (ptrdiff_t start = 0; start < columns; start += WIDTH) {{
        const ptrdiff_t count = LEAST(columns - start, WIDTH);
        const ptrdiff_t at = ((row * windows + w) * beside + v) * columns + start;
{cells}
{each_alone}
        for (ptrdiff_t c = 0; c < count; c++) {{
{body}
        }}
    }}
}}
"""
_CELL = """\
        const ptrdiff_t p{k} = w * stride + {down} - before, q{k} = v * step + {right} - ahead;
        const ptrdiff_t i{k} = ((row * size + p{k}) * width + q{k}) * columns + start;
        const int in{k} = 0 <= p{k} && p{k} < size && 0 <= q{k} && q{k} < width;
        const {t} *x{k} = in{k} ? x + i{k} : nothing;
"""
_TARGET = """\
        {t} *o{k} = in{k} ? out + i{k} : spilt;
"""
_ALONE = (1, 1, 1, 0)  # the numbers of an axis of one window on one place


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
    return _routine(_text_of_largest, (axis,), layout, x, (x, y), calls)


def way_back(
    layout: Layout, g: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray,
    calls: Sequence[Call],
) -> Routine:  # fmt: skip
    """Adds g to `out` where x has the first element of each window that equals y.

    Args:
        layout: windows that overlap on one axis at most, and if so are of one cell on all others.
        g, y: an element a window.
        x: what the windows lie on.
        out: like x; zeros, but where the first cells of windows cover it.
        calls: the same in NumPy.
    """
    axes = tuple(layout.moving) or (1,)
    return _routine(_text_of_the_way_back, axes, layout, x, (g, y, x, out), calls)


def _routine(
    write: Callable[[str, Cells, Layout], str], axes: tuple[int, ...], layout: Layout,
    x: np.ndarray, arrays: tuple[np.ndarray, ...], calls: Sequence[Call],
) -> Routine:  # fmt: skip
    """A routine of windows on one axis, or on two that lie side by side; else NumPy's alone."""
    name, text = x.dtype.name, ""
    found = [_numbers(axis, layout, x) for axis in axes]
    cells = list(np.ndindex(*[len(layout.axes[axis - 1]) for axis in axes]))
    near = 0 < len(axes) <= 2 and axes[-1] - axes[0] < 2 and None not in found
    if not near or len(cells) > _MOST_CELLS or not all(a.flags.c_contiguous for a in arrays):
        return Routine(calls, "", 0, 0, (), 0)
    if name in _INTEGERS:
        text = write(name, [(*cell, 0)[:2] for cell in cells], layout)
    numbers = np.array([*found, _ALONE][:2], np.intp)
    rows, columns = math.prod(x.shape[: axes[0]]), math.prod(x.shape[axes[-1] + 1 :])
    return Routine(calls, text, rows, columns, (*arrays, numbers), arrays[0].size * len(cells))


def _numbers(axis: int, layout: Layout, x: np.ndarray) -> tuple[int, int, int, int] | None:
    """Windows, places, the step from one window to the next, the padding in front."""
    for number, (those, place) in enumerate(layout.axes[axis - 1]):
        if those.stop > those.start:
            before = number - (place.start - those.start * place.step)
            return layout.counts[axis - 1], x.shape[axis], place.step, before
    return None


def _text_of_largest(name: str, cells: Cells, layout: Layout) -> str:
    """No comparison tells the zeros apart, so it does not matter which of them is the largest."""
    t = C_TYPES[name]
    body = [f"            {t} most = x0[c];"]
    for k in range(1, len(cells)):
        body.append(f"            most = x{k}[c] > most ? x{k}[c] : most;")
        body.append(f"            most = x{k}[c] != x{k}[c] ? x{k}[c] : most;")
    body.append("            y[at + c] = most;")
    arrays = f"    {t} *y = arrays[1];\n    (void)spilt;"
    return _TEXT.format(
        t=t, x=0, last=2, nothing="-INFINITY", arrays=arrays, cells=_pointers(_CELL, t, cells),
        each_alone=EACH_ALONE, body="\n".join(body),
    )  # fmt: skip


def _text_of_the_way_back(name: str, cells: Cells, layout: Layout) -> str:
    """What no other cell has taken belongs to the last, where all windows are whole."""
    t, i = C_TYPES[name], _INTEGERS[name]
    body = [
        f"            const {t} most = y[at + c], given = g[at + c];",
        f"            {i} left = -1;",
    ]
    for k in range(len(cells)):
        rest = layout.whole and k and k == len(cells) - 1
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
        cells=_pointers(_CELL + _TARGET, t, cells), each_alone=EACH_ALONE, body="\n".join(body),
    )  # fmt: skip


def _pointers(template: str, t: str, cells: Cells) -> str:
    places = enumerate(cells)
    return "".join(template.format(t=t, k=k, down=down, right=right) for k, (down, right) in places)
