"""A promise about sizes that only the run can check: two unknown sizes are the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import View
from kgraph.ops.shapes import as_shape, draw, show


class EnsureShape(View):
    """The tensor itself under a shape that it must turn out to have when sizes get their numbers.

    Two unknown sizes are different symbols, which no op broadcasts; this makes them one. A plan
    for numbers that break the promise raises ValueError.
    """

    name = "ensure_shape"

    def __call__(self, x: Any, shape: Any) -> Any:
        if isinstance(x, Node) and x.shape == as_shape(shape):
            return x
        return self.apply((x,), shape=shape)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"shape": as_shape(attrs["shape"])}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), shape = types, tuple(attrs["shape"])
        numbers = [{d for d in pair if isinstance(d, int)} for pair in zip(x.shape, shape)]
        if len(shape) != x.ndim or any(len(pair) > 1 for pair in numbers):
            raise InferenceError(f"the shape cannot be {show(shape)}")
        return x.with_shape(shape)

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        if array.shape != tuple(attrs["shape"]):
            raise ValueError(
                explain(
                    "ensure_shape: unknown sizes that must be equal are not",
                    expected=show(attrs["shape"]),
                    got=show(array.shape),
                )
            )
        return array

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (ensure_shape(g, inputs[0].shape),)

    def samples(self) -> Iterable[Sample]:
        # The harness leaves a leading size of 1 a number; this op refuses other numbers.
        yield Sample((draw(1, 3),), {"shape": (1, 3)})
        yield Sample((draw(),), {"shape": ()})


ensure_shape = EnsureShape()
register(ensure_shape)
