"""Recomputation: a value that may be used again only when something else has been computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import View


class Recompute(View):
    """`x` itself, as a node of its own that does not exist before `after` does.

    What is computed from it is computed late, and is no common subexpression of what is computed
    from `x`. It costs nothing: the memory is `x`'s, and `after` is waited for, never read.
    """

    name = "recompute"

    def __call__(self, x: Any, after: Any) -> Any:
        return self.apply((x, after))

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        x, _ = types
        return x

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        return array

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (g, None)

    def samples(self) -> Iterable[Sample]:
        def draw(rng: np.random.Generator) -> np.ndarray:
            return rng.uniform(-3.0, 3.0, (2, 3)).astype("float32")

        yield Sample((draw, draw))
        yield Sample((draw, np.arange(4, dtype="int32")), differentiable=False)


recompute = Recompute()
register(recompute)
