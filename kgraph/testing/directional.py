"""One derivative along a direction, from the graph and from differences, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph, substitute
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.binding import bind_shapes
from kgraph.runtime.interp import interpret

STEP = 1e-4
# Central difference of fourth order: f(x + k h) times w, over 12 h.
_STENCIL = ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0))
NONE_REACHED = "nothing to differentiate: no float input or variable reaches a float output"


@dataclass(frozen=True)
class Mismatch:
    """A derivative that disagrees with the differences.

    Args:
        order: how often the graph was differentiated.
        analytic: what the graph says.
        numeric: what central differences say.
        smooth: whether the differences agree with themselves, so that there is no kink.
        directions: the direction of each order, one array an input.
        weights: what the outputs were weighted with.
    """

    order: int
    analytic: float
    numeric: float
    smooth: bool
    directions: tuple[tuple[np.ndarray, ...], ...]
    weights: tuple[np.ndarray, ...]

    def facts(self) -> list[tuple[str, Any]]:
        """Lines for an error message."""
        facts: list[tuple[str, Any]] = [
            ("analytic", repr(self.analytic)),
            ("numeric", f"{self.numeric!r} (central differences, step {STEP})"),
        ]
        for number, arrays in enumerate(self.directions[: self.order], start=1):
            facts += [(f"direction {number} of input {i}", array) for i, array in enumerate(arrays)]
        return facts + [(f"weights of output {i}", w) for i, w in enumerate(self.weights)]


class Probe:
    """A graph in float64, and the graphs of its derivatives along directions.

    Args:
        graph: a CORE graph without states whose floats are all float64.
        order: how often to differentiate.

    Attributes:
        graph: as given.
        floats: positions of the inputs that are moved; empty if there is nothing to do.
    """

    def __init__(self, graph: Graph, order: int) -> None:
        self.graph, self.order = graph, order
        self.frozen = [n for n in graph.nodes if n.op.name == "stop_gradient"]
        leaves = [input_node(n.shape, n.dtype, "held fixed") for n in self.frozen]
        table = dict(zip(self.frozen, leaves, strict=True))
        roots = substitute([n for _, n in graph.outputs], table)
        self.outputs = [n for n in roots if n.type.is_float]
        reached = set(Graph((), tuple((str(i), n) for i, n in enumerate(self.outputs))).nodes)
        inputs = graph.inputs
        self.floats = [i for i, n in enumerate(inputs) if n.type.is_float and n in reached]
        self.wrt = [inputs[i] for i in self.floats]
        self.weights = [input_node(n.shape, n.dtype, "weight") for n in self.outputs]
        self.steps = [
            [input_node(n.shape, n.dtype, "direction") for n in self.wrt] for _ in range(order)
        ]
        self.inputs = (*inputs, *leaves, *self.weights, *(n for s in self.steps for n in s))
        found = self._derivatives() if self.floats else []
        # One graph an order, which sorts its nodes once for all the points.
        self.values = [n if n is None else Graph(self.inputs, (("v", n),)) for n in found]

    def _derivatives(self) -> list[Node | None]:
        """The weighted sum of the outputs, and its derivatives as far as they are not zero."""
        found = [_inner(self.outputs, self.weights)]
        for step in self.steps:
            slope = _inner(grad(found[-1], self.wrt), step) if found[-1] is not None else None
            found.append(slope)
        return found

    def compare(
        self, arrays: Sequence[np.ndarray], key: Sequence[int], tolerance: float
    ) -> int | Mismatch:
        """Compares all orders at one point.

        Args:
            arrays: the point, one array an input of the graph.
            key: seed of the weights and directions.
            tolerance: relative.

        Returns:
            How many derivatives agree, or the first that does not.
        """
        rng = np.random.default_rng(list(key))
        fixed = self._held(arrays)
        binding = bind_shapes(self.graph.inputs, [a.shape for a in arrays])
        drawn = [_normal(rng, n, binding) for n in self.weights]
        moves = [[_normal(rng, n, binding) for n in step] for step in self.steps]
        fed = [*arrays, *fixed, *drawn, *(a for step in moves for a in step)]
        for number, step in enumerate(moves, start=1):
            line = _Line(self, fed, step, number)
            analytic = line.value(0.0, number)
            if line.agrees(analytic, tolerance):
                continue
            smooth = line.is_smooth(tolerance)
            directions = tuple(tuple(s) for s in moves)
            return Mismatch(
                number, analytic, line.difference(STEP), smooth, directions, tuple(drawn)
            )
        return self.order

    def _held(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The values of what is under `stop_gradient`."""
        named = tuple((str(i), n) for i, n in enumerate(self.frozen))
        return list(interpret(Graph(self.graph.inputs, named), arrays)[0])


@dataclass(frozen=True)
class _Line:
    """A derivative of lower order as a function of the distance along a direction."""

    probe: Probe
    fed: list[np.ndarray]
    step: list[np.ndarray]
    number: int
    known: dict[float, float] = field(default_factory=dict)

    def value(self, distance: float, order: int) -> float:
        """A derivative, so far along the direction."""
        graph = self.probe.values[order]
        if graph is None:
            return 0.0
        moved = list(self.fed)
        for i, direction in zip(self.probe.floats, self.step, strict=True):
            moved[i] = moved[i] + distance * direction
        return float(interpret(graph, moved)[0][0])

    def at(self, distance: float) -> float:
        """The derivative of one order less, so far along the direction."""
        if distance not in self.known:
            self.known[distance] = self.value(distance, self.number - 1)
        return self.known[distance]

    def difference(self, width: float) -> float:
        """The derivative by central differences of fourth order."""
        return sum(w * self.at(k * width) for k, w in _STENCIL) / (12 * width)

    def scale(self, analytic: float, numeric: float) -> float:
        """What errors are relative to."""
        return max(abs(analytic), abs(numeric), abs(self.at(0.0)), 1e-2)

    def is_near(self, analytic: float, numeric: float, tolerance: float) -> bool:
        """Whether two derivatives agree; the value itself is asked for only if they seem not to."""
        error = abs(analytic - numeric)
        if error <= tolerance * max(abs(analytic), abs(numeric), 1e-2):
            return True
        return error <= tolerance * self.scale(analytic, numeric)

    def agrees(self, analytic: float, tolerance: float) -> bool:
        """Whether the differences of one of two widths come near: the wide ones err in bends."""
        found = (self.difference(width) for width in (STEP, STEP / 8))
        return any(self.is_near(analytic, n, tolerance) for n in found)

    def is_smooth(self, tolerance: float) -> bool:
        """Whether differences of two widths agree, and the jump of the slope shrinks with them."""
        wide, narrow = self.difference(STEP), self.difference(STEP / 8)
        allowed = 10 * tolerance * self.scale(wide, narrow)
        steady = abs(wide - narrow) <= allowed
        return bool(steady and self.jump(STEP / 8) <= max(self.jump(STEP) / 2, allowed))

    def jump(self, width: float) -> float:
        """How far the slopes to the right and to the left are from each other."""
        middle = self.at(0.0)
        return abs(self.at(width) + self.at(-width) - 2 * middle) / width


def _inner(left: Sequence[Node | None], right: Sequence[Node]) -> Node | None:
    """The inner product of two lists of nodes, None standing for zeros."""
    parts = [ops.sum(a * b) for a, b in zip(left, right, strict=True) if a is not None]
    return reduce(ops.add, parts) if parts else None


def _normal(rng: np.random.Generator, node: Node, binding: Mapping[str, int]) -> np.ndarray:
    return rng.normal(size=tuple(evaluate(d, binding) for d in node.shape))
