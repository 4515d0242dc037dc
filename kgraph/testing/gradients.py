"""`check_gradients`: derivatives along random directions against differences, in float64.

For functions, ops, layers, models and graphs, first and second order. A mismatch counts only where
the function is smooth: at a kink the one-sided differences disagree, and another point is drawn. A
failure is reduced to the smallest graph that shows it, most often a single op.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample
from kgraph.ir.types import TensorType
from kgraph.layers.base import Layer
from kgraph.models.model import Model
from kgraph.passes.lower import lower
from kgraph.testing.directional import NONE_REACHED, Mismatch, Probe
from kgraph.testing.failures import CheckError, expression
from kgraph.testing.points import draw_point, moved
from kgraph.testing.reduction import smallest
from kgraph.testing.targets import as_type, function_graph, layer_graph, model_graph
from kgraph.testing.widening import in_float64, values_for, with_wide_bodies

ATTEMPTS = 8  # points that are tried where the function has kinks

# A graph and the arrays of its inputs.
Case = tuple[Graph, list[np.ndarray]]


def check_gradients(
    target: Callable[..., Any] | Layer | Graph | Op,
    *inputs: Any,
    order: int = 2,
    directions: int = 3,
    seed: int = 0,
    tolerance: float = 1e-6,
    training: bool = False,
    batch: int = 3,
    attrs: Mapping[str, Any] | None = None,
) -> int:
    """Compares gradients with central differences along random directions, in float64.

    All float inputs and all variables (weights, moving statistics) are moved at once, and the
    outputs are weighted with random numbers. What is under `stop_gradient` is held fixed.

    Args:
        target: a function of tensors as for `jax.grad`, a layer, a model, a graph or an op.
        inputs: arrays, or for a function also structures of them; types such as "f32[batch, 4]"
            for points that are drawn. A model, a graph and an op need none; an op without any is
            checked on all its samples.
        order: how often to differentiate.
        directions: how many directions to try.
        seed: of points, weights and directions.
        tolerance: of the comparison, relative to the derivative's size.
        training: how layers are called.
        batch: number of rows where inputs are drawn.
        attrs: further arguments of a function or op.

    Returns:
        How many derivatives were compared.

    Raises:
        CheckError: a derivative is wrong, with the smallest graph that shows it; or every point
            that was tried is a kink; or nothing at all can be differentiated.
        ValueError: `order` or `directions` is below 1.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.layers import Dense
        >>> check_gradients(lambda x, w: ops.tanh(x @ w), np.ones((2, 3)), np.ones((3, 2)))
        6
        >>> check_gradients(Dense(4, activation="gelu"), "f32[batch, 3]", order=1)
        3
    """
    if order < 1 or directions < 1:
        raise ValueError(
            explain("check_gradients: order and directions are at least 1",
                    got=f"order={order}, directions={directions}")
        )  # fmt: skip
    compared = 0
    for number, case in enumerate(_cases(target, inputs, training, batch, seed, attrs or {})):
        check = _Check(order, seed + number, tolerance)
        compared += check.run(*case, directions)
    if not compared:
        raise CheckError(NONE_REACHED, [("target", target)])
    return compared


# -- what is checked ---------------------------------------------------------------------------
def _cases(
    target: Any,
    inputs: tuple[Any, ...],
    training: bool,
    batch: int,
    seed: int,
    attrs: Mapping[str, Any],
) -> Iterator[Case]:
    """The target as pure graphs in float64, with a first point for each."""
    rng = np.random.default_rng(seed)
    if isinstance(target, Op) and not inputs:
        for sample in target.samples():
            if sample.differentiable:
                yield _of_sample(target, sample, rng)
        return
    if isinstance(target, Graph):
        graph = lower(target, training) if target.stage is Stage.LAYERS else target
    elif isinstance(target, Model) and not inputs:
        graph = model_graph(target, training)
    elif isinstance(target, Layer):
        graph = layer_graph(target, [as_type(x, batch=True) for x in inputs], training)
    elif callable(target):
        graph, leaves = function_graph(lambda *xs: target(*xs, **attrs), inputs, training)
        inputs = tuple(leaves)
    else:
        raise TypeError(
            explain("check_gradients takes no such target",
                    expected="a function, layer, model, graph or op", got=repr(target))
        )  # fmt: skip
    arrays = _given_or_drawn(graph, inputs, rng, batch)
    yield in_float64(graph), values_for(graph, arrays)


def _given_or_drawn(
    graph: Graph, inputs: Sequence[Any], rng: np.random.Generator, batch: int
) -> list[np.ndarray]:
    """The arrays among the inputs, and drawn ones for the others."""
    arrays = draw_point(graph, rng, batch)
    for i, given in enumerate(inputs):
        if not isinstance(given, (TensorType, str)):
            arrays[i] = np.asarray(given)
    return arrays


def _of_sample(op: Op, sample: Sample, rng: np.random.Generator) -> Case:
    """An op on the arrays of a sample."""
    arrays = [np.asarray(a(rng) if callable(a) else a) for a in sample.inputs]
    attrs = with_wide_bodies(sample.attrs)
    graph, arrays = function_graph(lambda *xs: op.apply(xs, **attrs), arrays)
    return in_float64(graph), values_for(graph, arrays)


# -- the check ---------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class _Check:
    order: int
    seed: int
    tolerance: float

    def run(self, graph: Graph, arrays: list[np.ndarray], directions: int) -> int:
        """Tries several directions at points away from kinks."""
        probe = Probe(graph, self.order)
        if not probe.floats:
            return 0
        return sum(self.try_direction(probe, arrays, number) for number in range(directions))

    def try_direction(self, probe: Probe, arrays: list[np.ndarray], number: int) -> int:
        """Compares along one direction, at the first point that is no kink."""
        rng = np.random.default_rng([self.seed, number])
        kink: Mismatch | None = None
        for attempt in range(ATTEMPTS):
            point = arrays if not attempt else [moved(rng, a) for a in arrays]
            found = probe.compare(point, (self.seed, number, attempt), self.tolerance)
            if isinstance(found, int):
                return found
            if found.smooth:
                raise self.failure(probe.graph, point, (self.seed, number, attempt))
            kink = found
        assert kink is not None
        what, hint = "a kink or jump", "give inputs away from the kinks"
        if not np.isfinite(kink.numeric):
            what, hint = "no finite value", "give inputs inside the domain of the function"
        raise CheckError(
            f"derivative {kink.order}: {what} at every one of {ATTEMPTS} points",
            [*kink.facts(), ("seed", self.seed), ("hint", hint)],
            *smallest(probe.graph, point, self.kinks((self.seed, number, ATTEMPTS - 1))),
        )

    def fails(self, key: tuple[int, ...]) -> Callable[[Graph, list[np.ndarray]], bool]:
        """Whether a graph has a wrong derivative at a point where it is smooth."""

        def wrong(graph: Graph, arrays: list[np.ndarray]) -> bool:
            probe = Probe(graph, self.order)
            found = probe.compare(arrays, key, self.tolerance) if probe.floats else 0
            return isinstance(found, Mismatch) and found.smooth

        return wrong

    def kinks(self, key: tuple[int, ...]) -> Callable[[Graph, list[np.ndarray]], bool]:
        """Whether a graph has a kink at a point."""

        def rough(graph: Graph, arrays: list[np.ndarray]) -> bool:
            probe = Probe(graph, self.order)
            found = probe.compare(arrays, key, self.tolerance) if probe.floats else 0
            return isinstance(found, Mismatch) and not found.smooth

        return rough

    def failure(self, graph: Graph, point: list[np.ndarray], key: tuple[int, ...]) -> CheckError:
        """The error, with the smallest graph that shows it."""
        small, arrays = smallest(graph, point, self.fails(key))
        found = Probe(small, self.order).compare(arrays, key, self.tolerance)
        assert isinstance(found, Mismatch)
        culprit = _culprit(small)
        origin = culprit.origin
        facts = [("expression", expression(small.outputs[0][1])), *found.facts()]
        facts += [("seed", self.seed), *([("at", origin.where)] if origin.where else [])]
        place = f" in layer {origin.scope}" if origin.scope else ""
        summary = f"derivative {found.order} of {culprit.op.name}{place} is wrong"
        return CheckError(summary, facts, small, arrays)


def _culprit(graph: Graph) -> Node:
    """The op of the output, be it one of several outputs."""
    root = graph.outputs[0][1]
    return root.inputs[0] if root.op.name == "item" else root
