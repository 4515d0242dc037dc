"""Ops that change nothing but how gradients flow: `stop_gradient` and `identity`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import View


class Same(View):
    """An op whose output is its operand."""

    differentiable = True

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0]

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray | None:
        return array

    def samples(self) -> Iterable[Sample]:
        def draw(rng: np.random.Generator) -> np.ndarray:
            return rng.uniform(-3.0, 3.0, (2, 3)).astype("float32")

        yield Sample((draw,), differentiable=self.differentiable)
        yield Sample((np.arange(4, dtype="int32"),), differentiable=False)


class Identity(Same):
    """The tensor itself, as a node of its own; another `tag` makes another node."""

    name = "identity"

    def __call__(self, x: Any, tag: int = 0) -> Any:
        return self.apply((x,), tag=tag)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"tag": int(attrs.get("tag", 0))}

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (g,)


class StopGradient(Same):
    """The tensor itself, through which no gradient flows back."""

    name = "stop_gradient"
    differentiable = False

    def __call__(self, variable: Any) -> Any:
        return self.apply((variable,))

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)


identity, stop_gradient = register(Identity()), register(StopGradient())
