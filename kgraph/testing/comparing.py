"""When two results of one graph agree: bit by bit, or as near to the truth as each other.

The truth is the graph in float64. The new error may be four times the old one and eight units of
rounding more; in a long graph also what the result moves when every value on the way is jittered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import is_const
from kgraph.ir.node import Node
from kgraph.runtime.binding import bind_shapes
from kgraph.runtime.interp import interpret
from kgraph.testing.widening import in_float64, values_for

LEEWAY = 4.0  # how many times the old error the new one may be
UNITS = 8.0  # units of rounding that it may be larger still
JITTERS = 3
# Of these NumPy leaves open whether 0.0 or -0.0 wins a tie: its loops differ there.
TYING = frozenset(["maximum", "minimum", "max", "min", "clip", "relu", "relu6"])


def bits_differ(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Where two arrays of one shape and dtype differ in bits, payloads of NaNs aside.

    Args:
        old: any array.
        new: another one.

    Returns:
        A boolean array of their shape.

    Example:
        >>> bits_differ(np.array([0.0, np.nan]), np.array([-0.0, np.nan])).tolist()
        [True, False]
    """
    if old.dtype.kind != "f":
        return old != new
    both_nan = np.isnan(old) & np.isnan(new)
    return ~both_nan & ((old != new) | (np.signbit(old) != np.signbit(new)))


@dataclass(frozen=True)
class Difference:
    """Two results that do not agree.

    Args:
        output: name of the output.
        old: as the graph stood.
        new: as it was rewritten.
        where: where they disagree, or None if types do.
        truth: the output in float64, where that is what counts.
    """

    output: str
    old: np.ndarray
    new: np.ndarray
    where: np.ndarray | None = None
    truth: np.ndarray | None = None

    @property
    def place(self) -> tuple[int, ...]:
        """The first element that disagrees."""
        if self.where is None or not self.where.any():
            return ()
        return tuple(int(i) for i in np.argwhere(self.where)[0])

    def facts(self) -> list[tuple[str, object]]:
        """Lines for an error message, about the first element that disagrees."""
        if self.where is None:
            return [(label, f"{a.dtype.name}{list(a.shape)}")
                    for label, a in (("before", self.old), ("after", self.new))]  # fmt: skip
        at = self.place
        name = f"{self.output}{list(at)}" if at else self.output
        facts: list[tuple[str, object]] = [
            (f"{name} before", self.old[at]),
            (f"{name} after", self.new[at]),
        ]
        return facts if self.truth is None else [*facts, ("in float64", self.truth[at])]


def compare_bits(
    old: Graph, new: Graph, arrays: Sequence[np.ndarray], step: int = 0
) -> Difference | None:
    """The first output that differs in a bit.

    Args:
        old: a CORE graph without states.
        new: the same signature over other nodes.
        arrays: one an input.
        step: what random ops take as their counter.

    Returns:
        The difference, or None.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((), name="x")
        >>> old, new = (Graph((x,), (("y", n),)) for n in (x + 0.0, x))
        >>> compare_bits(old, new, [np.float32(-0.0)]).facts()[1]
        ('y after', np.float32(-0.0))
    """
    before, after = (interpret(g, arrays, step=step)[0] for g in (old, new))
    for (name, _), a, b in zip(old.outputs, before, after, strict=True):
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return Difference(name, a, b)
        where = bits_differ(a, b)
        if where.any():
            return Difference(name, a, b, where)
    return None


def compare_values(
    old: Graph,
    new: Graph,
    arrays: Sequence[np.ndarray],
    step: int = 0,
    unit: float | None = None,
    overflows: bool = False,
) -> Difference | None:
    """The first output whose new error is too large, or whose NaNs and infinities are not the old.

    Args:
        old: a CORE graph without states.
        new: the same signature over other nodes.
        arrays: one an input.
        step: what random ops take as their counter.
        unit: of rounding, for float64 graphs, whose own error no wider float shows.
        overflows: whether the new form may have numbers where the old one has none.

    Returns:
        The difference, or None.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x = input_node((), name="x")
        >>> old, new = (Graph((x,), (("y", n),)) for n in (ops.log(1 + x), ops.log1p(x)))
        >>> compare_values(old, new, [np.float32(1e-8)]) is None
        True
    """
    before, after = (interpret(g, arrays, step=step)[0] for g in (old, new))
    wide = in_float64(old)
    truths = interpret(wide, values_for(old, arrays), step=step)[0]
    for i, (name, node) in enumerate(old.outputs):
        a, b, truth = before[i], after[i], truths[i]
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return Difference(name, a, b)
        if a.dtype.kind != "f":
            if (a != b).any():
                return Difference(name, a, b, a != b)
            continue
        where = _too_far(a, b, truth, unit)
        if overflows:
            where &= np.isfinite(a)
        if where.any():
            where &= _beyond_jitter(wide, values_for(old, arrays), i, b, truth, step, node)
        if where.any():
            return Difference(name, a, b, where, truth)
    return None


def _too_far(old: np.ndarray, new: np.ndarray, truth: np.ndarray, unit: float | None) -> np.ndarray:
    """Where the new value is farther from the truth than the old one explains."""
    with np.errstate(all="ignore"):
        usable = np.isfinite(truth)
        # What is no number, and was none, must stay what it was.
        odd = ~usable & ~np.isfinite(old)
        changed = odd & ~((new == truth) | (np.isnan(new) & np.isnan(truth)) | _same(old, new))
        errors = [np.abs(np.where(usable, a, 0).astype("float64") - np.where(usable, truth, 0))
                  for a in (old, new)]  # fmt: skip
        known = np.where(np.isfinite(errors[0]), errors[0], 0.0)
        scale = np.abs(truth[usable]).max(initial=0.0)
        rounding = UNITS * float(np.finfo(new.dtype).eps) * scale if unit is None else unit * scale
        allowed = LEEWAY * known.max(initial=0.0) + rounding
        # Where the old form overflowed, nothing that the new one gives is worse.
        far = usable & np.isfinite(old) & ~(errors[1] <= allowed)
    return changed | far


def _same(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    return (old == new) | (np.isnan(old) & np.isnan(new))


def _beyond_jitter(
    wide: Graph,
    arrays: Sequence[np.ndarray],
    index: int,
    new: np.ndarray,
    truth: np.ndarray,
    step: int,
    node: Node,
) -> np.ndarray:
    """Where the distance to the truth is more than jittered values on the way explain."""
    dtypes = {t.dtype for n in Graph((), (("y", node),)).nodes for t in n.types if t.is_float}
    eps = max(float(np.finfo(d).eps) for d in dtypes)
    moved = np.zeros(truth.shape)
    for number in range(JITTERS):
        found = _jittered(wide, arrays, index, eps, step, np.random.default_rng(number))
        with np.errstate(all="ignore"):
            gap = np.abs(found - truth)
        moved = np.maximum(moved, np.where(np.isnan(gap), np.inf, gap))
    with np.errstate(all="ignore"):
        return ~(np.abs(new.astype("float64") - truth) <= LEEWAY * moved.max(initial=0.0))


def _jittered(
    graph: Graph,
    arrays: Sequence[np.ndarray],
    index: int,
    eps: float,
    step: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """An output of a float64 graph, each rough value on the way moved by about a last bit."""
    sizes = bind_shapes(graph.inputs, [a.shape for a in arrays])
    values: dict[Node, object] = dict(zip(graph.inputs, arrays, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node in values:
                continue
            operands = [values[n] for n in node.inputs]
            if node.op.name == "rng_step":
                values[node] = np.array(step, np.int64)
                continue
            if node.op.name == "item":
                values[node] = operands[0][node.attrs["index"]]  # type: ignore[index]
                continue
            attrs = bind_attributes(node.attrs, sizes)
            found = node.op.kernel(*operands, **attrs)  # type: ignore[arg-type]
            if is_const(node) or isinstance(found, tuple):
                values[node] = found
            else:
                values[node] = _moved(np.asarray(found), eps, rng)
    return np.asarray(values[graph.outputs[index][1]], dtype="float64")


def _moved(array: np.ndarray, eps: float, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers and what is no float stay: no rounding touches them."""
    if array.dtype.kind != "f":
        return array
    noise = array * (1 + eps * rng.uniform(-1, 1, array.shape))
    return np.where(array == np.round(array), array, noise)
