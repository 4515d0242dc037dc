"""When two results of one graph agree: bit by bit, or as far as rounding explains the difference.

The truth is the graph in float64. Rounding explains an error that is not much larger than that of
the graph as written, or than what the result moves when every rough value on the way is jittered by
about its last bit. Whole numbers are never jittered: no rounding touches them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.ir import Graph, Node, Variable, toposort
from kgraph.ir.attributes import bind_attributes
from kgraph.runtime.binding import bind_shapes, feed_arrays
from kgraph.runtime.interp import interpret
from kgraph.testing.comparing import bits_differ

# Ops that add up in an order which depends on how their operands lie in memory.
ORDERED = frozenset(
    [
        "sum", "mean", "prod", "matmul", "einsum", "cumsum", "logsumexp", "softmax", "log_softmax",
        "softmax_cross_entropy", "sparse_softmax_cross_entropy", "scatter_add", "add_along_axis",
        "categorical_crossentropy", "sparse_categorical_crossentropy",
    ]
)  # fmt: skip
# Those of them that add up exponentials, so that whole numbers as operands do not make sums exact.
EXPONENTIAL = frozenset(
    [
        "logsumexp", "softmax", "log_softmax", "softmax_cross_entropy",
        "sparse_softmax_cross_entropy",
    ]
)  # fmt: skip
# Ops of which NumPy leaves open whether 0.0 or -0.0 wins a tie: its loops differ there.
TYING = frozenset(
    ["maximum", "minimum", "max", "min", "clip", "relu", "relu6", "leaky_relu", "hard_sigmoid"]
)
# Losses of probabilities clip them into [epsilon, 1 - epsilon]; their stable forms need not.
CLIPPING = frozenset(
    ["categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"]
)
CLIPPED = 2e-7
JITTERS = 3
LEEWAY = 4.0  # how many times the error as written the new error may be


class DisagreementError(AssertionError):
    """Two results that ought to agree do not."""


@dataclass
class Case:
    """A graph, what is fed to it, and what it must compute.

    Args:
        graph: a CORE graph.
        arrays: one an input.
        tame: whether values are bounded; only bits can be compared of others.
        variant: chooses among the passes and levels; set by the seed.
        step: what random ops take as their counter.
    """

    graph: Graph
    arrays: list[np.ndarray]
    tame: bool
    variant: int = 0
    step: int = 0

    @functools.cached_property
    def binding(self) -> dict[str, int]:
        """The numbers of the symbols."""
        return bind_shapes(self.graph.inputs, [a.shape for a in self.arrays])

    @functools.cached_property
    def base(self) -> tuple[np.ndarray, ...]:
        """What the interpreter makes of the roots."""
        return run_roots(self.graph, self.arrays, self.step)

    @functools.cached_property
    def truth(self) -> tuple[np.ndarray, ...]:
        """The roots in float64."""
        return evaluate(self)

    @functools.cached_property
    def wobble(self) -> tuple[np.ndarray, ...]:
        """How far each root's elements move when rough values are jittered."""
        moved = [np.zeros(t.shape) for t in self.truth]
        for number in range(JITTERS):
            rng = np.random.default_rng(number)
            for i, found in enumerate(evaluate(self, rng)):
                with np.errstate(all="ignore"):
                    gap = np.abs(found.astype("float64") - self.truth[i].astype("float64"))
                moved[i] = np.maximum(moved[i], np.where(np.isnan(gap), np.inf, gap))
        return tuple(moved)

    def check(self, found: Sequence[np.ndarray], exact: bool, fast: bool = False) -> None:
        """Compares results with the graph's own.

        Args:
            found: one array a root of the graph.
            exact: whether every bit must agree where the order of additions cannot matter.
            fast: whether infinities and NaNs may change.

        Raises:
            DisagreementError: they do not agree.
        """
        for index, (got, want) in enumerate(zip(found, self.base, strict=True)):
            if (got.dtype, got.shape) != (want.dtype, want.shape):
                raise DisagreementError(f"root {index}: {got.dtype}{got.shape} instead of "
                                        f"{want.dtype}{want.shape}")  # fmt: skip
            if not same_bits(got, want):
                self._explain(index, got, exact, fast)

    def _explain(self, index: int, got: np.ndarray, exact: bool, fast: bool) -> None:
        """Raises unless rounding explains why a root differs."""
        want, node = self.base[index], self.graph.roots[index]
        if exact and not self.is_open(node):
            raise DisagreementError(f"root {index} differs in its bits\n{sketch(got, want)}")
        if not self.tame:
            return
        if want.dtype.kind != "f":
            raise DisagreementError(f"root {index} differs\n{sketch(got, want)}")
        if not self._is_close(index, got, fast):
            truth, wobble = (a[index].ravel()[:12] for a in (self.truth, self.wobble))
            raise DisagreementError(
                f"root {index} is wrong\n{sketch(got, want)}\ntruth {truth}\nwobble {wobble}"
            )

    def is_open(self, root: Node) -> bool:
        """Whether bits of a root are left open: by an order of additions, or the sign of a zero."""
        nodes = [n for n in toposort([root]) if n.op.name in ORDERED | TYING]
        if not nodes or any(n.op.name in EXPONENTIAL for n in nodes):
            return bool(nodes)
        values: dict[Node, Any] = {}
        evaluate(self, keep=values, wide=False)
        for node in nodes:
            operands = [values[i] for i in node.inputs]
            if any(has_minus_zero(a) for a in operands):
                return True
            # BLAS starts from the first product, `add.reduce` from 0.0: -0.0 * 1 may be either.
            if node.op.name in ORDERED and (
                any(is_rough(a) for a in operands) or np.any(values[node] == 0)
            ):
                return True
        return False

    def _is_close(self, index: int, got: np.ndarray, fast: bool) -> bool:
        want, truth = (a.astype("float64") for a in (self.base[index], self.truth[index]))
        new = got.astype("float64")
        usable = np.isfinite(truth) & np.isfinite(want)
        if fast:
            usable &= np.isfinite(new)
        odd = ~usable & ~np.isfinite(truth)
        if not fast and not np.array_equal(new[odd], truth[odd], equal_nan=True):
            return (
                bool(np.array_equal(new[odd], want[odd], equal_nan=True))
                or not np.isfinite(self.wobble[index][odd]).all()
            )
        if not usable.any():
            return True
        with np.errstate(all="ignore"):
            error = np.where(usable, np.abs(new - truth), 0.0)
            old = np.where(usable, np.abs(want - truth), 0.0).max()
        error = np.where(np.isnan(error), np.inf, error)
        scale = max(np.abs(truth[usable]).max(), 1e-30)
        limit = LEEWAY * old + 8 * np.finfo(got.dtype).eps * scale
        if (error <= limit).all():
            return True
        moved = np.where(usable, self.wobble[index], 0.0)
        limit += LEEWAY * moved.max() + 8 * self._coarsest(index) * scale
        return bool((error <= limit).all())

    def _coarsest(self, index: int) -> float:
        """The unit of rounding of the shortest floats on the way to a root."""
        dtypes = {t.dtype for n in toposort([self.graph.roots[index]]) for t in n.types}
        return max(float(np.finfo(d).eps) for d in dtypes if d.startswith("float"))


def run_roots(graph: Graph, arrays: Sequence[np.ndarray], step: int = 0) -> tuple[np.ndarray, ...]:
    """Outputs and updates of a graph by the interpreter."""
    outputs, updates = interpret(graph, arrays, step=step)
    return (*outputs, *updates.values())


def evaluate(
    case: Case,
    jitter: np.random.Generator | None = None,
    keep: dict[Node, Any] | None = None,
    wide: bool = True,
) -> tuple[np.ndarray, ...]:
    """The roots in float64, maybe with every rough value moved by about a last bit.

    Args:
        case: graph and arrays.
        jitter: draws the movements.
        keep: filled with every node's value.
        wide: False for the dtypes as they are.
    """
    graph = case.graph
    values: dict[Node, Any] = {} if keep is None else keep
    fed = feed_arrays(graph.inputs, case.arrays)
    values.update((n, _widened(a) if wide else a) for n, a in zip(graph.inputs, fed))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node not in values:
                values[node] = _value(node, values, case, wide)
            if jitter is not None and node.inputs and len(node.types) == 1:
                values[node] = _jittered(values[node], node, jitter)
    return tuple(np.asarray(values[r]) for r in graph.roots)


def _value(node: Node, values: Mapping[Node, Any], case: Case, wide: bool) -> Any:
    if isinstance(node, Variable):
        return _widened(node.value) if wide else node.value
    if node.op.name == "rng_step":
        return np.array(case.step, np.int64)
    operands = [values[n] for n in node.inputs]
    if node.op.name == "item":
        return operands[0][node.attrs["index"]]
    attrs = dict(bind_attributes(node.attrs, case.binding))
    if not wide:
        return node.op.kernel(*operands, **attrs)
    if str(attrs.get("dtype", "")).startswith("float") and "seed" not in attrs:
        attrs["dtype"] = "float64"
    found = node.op.kernel(*operands, **attrs)
    return tuple(map(_widened, found)) if isinstance(found, tuple) else _widened(found)


def _widened(array: Any) -> Any:
    array = np.asarray(array)
    return array.astype("float64") if array.dtype.kind == "f" else array


def _jittered(array: Any, node: Node, rng: np.random.Generator) -> Any:
    if node.op.name in CLIPPING:
        array = array + CLIPPED * rng.uniform(-1, 1, array.shape)
    if not node.type.is_float or not is_rough(array):
        return array
    return array * (1 + np.finfo(node.dtype).eps * rng.uniform(-1, 1, array.shape))


def is_rough(array: Any) -> bool:
    """Whether an array holds other numbers than small whole ones."""
    if array.dtype.kind != "f":
        return False
    with np.errstate(all="ignore"):
        return bool(np.any((array != np.rint(array)) | (np.abs(array) > 1 << 20)))


def has_minus_zero(array: Any) -> bool:
    """Whether an array holds a zero below zero."""
    return array.dtype.kind == "f" and bool(np.any((array == 0) & np.signbit(array)))


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal bits, whatever the payload of a NaN."""
    return left.shape == right.shape and not bits_differ(left, right).any()


def sketch(got: np.ndarray, want: np.ndarray) -> str:
    """The first elements of both."""
    return f"got   {got.ravel()[:12]}\nwant  {want.ravel()[:12]}"
