"""maximum, minimum and clip: NaN wins, and operands that tie share the gradient, as in JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, as_node, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise
from kgraph.ops.comparison import equal, greater, less
from kgraph.ops.select import where


def share(g: Node, wins: Node, ties: Node) -> Node:
    """The part of `g` that flows to an operand: all where it wins, half where it ties."""
    return where(wins, g, where(ties, 0.5 * g, 0))


def ends(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest value of a number type, as 0-d arrays."""
    if dtype.startswith("float"):
        return np.array(-np.inf, dtype), np.array(np.inf, dtype)
    return np.array(np.iinfo(dtype).min, dtype), np.array(np.iinfo(dtype).max, dtype)


# NumPy deprecates a positional `out` for these two.
def _maximum(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.maximum(a, b, out=out)


def _minimum(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.minimum(a, b, out=out)


def _maximum_vjp(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    ties = equal(a, b)
    return share(g, greater(a, b), ties), share(g, less(a, b), ties)


def _minimum_vjp(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    ties = equal(a, b)
    return share(g, less(a, b), ties), share(g, greater(a, b), ties)


class Extreme(Elementwise):
    """The larger or the smaller of two operands."""

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        a, b = inputs
        if a.dtype == "bool" or a.ndim == b.ndim or 0 not in (a.ndim, b.ndim):
            return self.function
        # Against a scalar `clip` is twice as fast as the ufunc.
        clip, (lowest, highest) = np.ndarray.clip, ends(a.dtype)
        if self.name == "maximum":
            if a.ndim:
                return lambda x, s, out: clip(x, s, highest, out)
            return lambda s, x, out: clip(x, s, highest, out)
        if a.ndim:
            return lambda x, s, out: clip(x, lowest, s, out)
        return lambda s, x, out: clip(x, lowest, s, out)

    def samples(self) -> Iterable[Sample]:
        yield from super().samples()
        special = np.array([np.nan, -np.inf, np.inf, 0.0, 0.5], "float32")
        for scalar in (np.nan, np.inf, -np.inf, 0.5):
            number = np.array(scalar, "float32")
            yield Sample((special, number), differentiable=False)
            yield Sample((number, special), differentiable=False)


class Clip(Op):
    """The elements moved into [min, max]; half the gradient passes at a bound, as in JAX.

    Args:
        x: a tensor.
        x_min, x_max: a number, a tensor, or None for no bound.
        min, max: NumPy's names of these.

    Example:
        >>> clip([-1.0, 0.5, 2.0], 0, 1)
        array([0. , 0.5, 1. ], dtype=float32)
    """

    name = "clip"
    reuse = (0,)

    def __call__(
        self, x: Any, x_min: Any = None, x_max: Any = None, *, min: Any = None, max: Any = None
    ) -> Any:
        min, max = (x_min if min is None else min), (x_max if max is None else max)
        numbers = [isinstance(b, (int, float, np.integer)) for b in (min, max) if b is not None]
        if not numbers:
            raise TypeError("clip needs min or max")
        if False in numbers:
            x = x if min is None else maximum(x, min)
            return x if max is None else minimum(x, max)
        return self.apply((x,), min=min, max=max)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return (as_node(operands[0]),)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        bounds = {name: attrs.get(name) for name in ("min", "max")}
        if inputs[0].type.is_float:
            return {k: None if b is None else float(b) for k, b in bounds.items()}
        return bounds

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        for name, bound in attrs.items():
            if types[0].dtype == "bool" or (isinstance(bound, float) and not types[0].is_float):
                raise InferenceError(f"{name}={bound} does not fit {types[0].dtype}")
        return types[0]

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        if out is None:
            out = np.empty_like(x)
        source = x
        if attrs["min"] is not None:
            source = np.maximum(x, np.array(attrs["min"], x.dtype), out=out)
        if attrs["max"] is not None:
            np.minimum(source, np.array(attrs["max"], x.dtype), out=out)
        return out

    def reference(self, x: Any, min: Any, max: Any) -> Any:
        x = x if min is None else maximum(x, min)
        return x if max is None else minimum(x, max)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        (x,) = inputs
        for bound, inside in ((attrs["min"], greater), (attrs["max"], less)):
            if bound is not None:
                g = share(g, inside(x, bound), equal(x, bound))
        return (g,)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        lowest, highest = ends(inputs[0].dtype)
        low = lowest if attrs["min"] is None else np.array(attrs["min"], lowest.dtype)
        high = highest if attrs["max"] is None else np.array(attrs["max"], lowest.dtype)
        clip = np.ndarray.clip
        return lambda x, out: clip(x, low, high, out)

    def samples(self) -> Iterable[Sample]:
        def draw(rng: np.random.Generator) -> np.ndarray:
            return rng.normal(size=(4, 3)).astype("float32")

        yield Sample((draw,), {"min": -0.5, "max": 0.7})
        yield Sample((draw,), {"min": 0.0, "max": None})
        yield Sample((draw,), {"min": None, "max": 0.25})
        yield Sample((lambda rng: rng.integers(-5, 5, (3,)),), {"min": -2, "max": 2})


maximum = Extreme(
    "maximum", _maximum, _maximum_vjp, doc="Larger operand; NaN wins.", arity=2, reuse=(0, 1)
)
minimum = Extreme(
    "minimum", _minimum, _minimum_vjp, doc="Smaller operand; NaN wins.", arity=2, reuse=(0, 1)
)
clip = Clip()
for _op in (maximum, minimum, clip):
    register(_op)
