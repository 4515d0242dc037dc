"""What dropout does to a tensor, and to its cotangent, in one op that keeps a byte an element."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, as_node, promote_operands, register
from kgraph.ir.types import TensorType, broadcast_shapes
from kgraph.ops.select import where
from kgraph.ops.shapes import draw
from kgraph.ops.specialized import Prepared, Specialized


class MaskedScale(Specialized):
    """`x * scale` where a mask of bools is True, else 0: also where `x` is infinite or NaN.

    The mask may have fewer elements than the tensor and broadcast.

    Example:
        >>> masked_scale(np.array([1.0, 2.0]), np.array([True, False]), 1.25).tolist()
        [1.25, 0.0]
    """

    name = "masked_scale"
    reuse = (0,)

    def __call__(self, x: Any, mask: Any, scale: float = 1.0) -> Any:
        return self.apply((x, mask), scale=scale)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return *promote_operands(operands[:1], floating=True), as_node(operands[1])

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"scale": float(attrs.get("scale", 1.0))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        x, mask = types
        if not x.is_float or mask.dtype != "bool":
            raise InferenceError("takes floats and a mask of bools")
        if broadcast_shapes(x.shape, mask.shape) != x.shape:
            raise InferenceError("the mask must broadcast to the tensor")
        return x

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x, mask = types
        if mask.shape != x.shape or not isinstance(x.size, int):
            return ()
        return (x.with_shape((min(x.size, _BLOCK),)),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        multiply, scale = np.multiply, np.array(attrs["scale"], inputs[0].dtype)

        def views(
            x: np.ndarray, mask: np.ndarray, out: np.ndarray, *work: np.ndarray
        ) -> tuple[Any, ...]:
            return x, out, list(blocks(mask, out.view(f"i{x.itemsize}"), *work))

        def kernel(x: np.ndarray, out: np.ndarray, parts: list[tuple[np.ndarray, ...]]) -> None:
            multiply(x, scale, out)
            for mask, chosen, ones in parts:
                # The product of the bits with 0 or 1 is exact, and much faster than a masked copy.
                if ones is not mask:
                    ones[...] = mask
                multiply(chosen, ones, chosen)

        return Prepared(views, kernel)

    def reference(self, x: Any, mask: Any, scale: float) -> Any:
        return where(mask, x * scale, 0)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return masked_scale(g, inputs[1], attrs["scale"]), None

    def samples(self) -> Iterable[Sample]:
        def mask(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.random(shape) < 0.5

        yield Sample((draw(2, 3), mask(2, 3)), {"scale": 1.25})
        yield Sample((draw(2, 3, 4), mask(1, 4)), {"scale": 2.0})


# Elements of a mask that are turned into integers at a time: both fit the cache.
_BLOCK = 1 << 14


def blocks(
    mask: np.ndarray, chosen: np.ndarray, *work: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Parts of a mask and of integers of its size, each with a buffer of integers.

    A mask that broadcasts, or that is not contiguous, is its own buffer.
    """
    if not work or not (mask.flags.c_contiguous and chosen.flags.c_contiguous):
        yield mask, chosen, mask
        return
    ones, places, flat = work[0].view(chosen.dtype), mask.reshape(-1), chosen.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        yield places[start : start + _BLOCK], part, ones[: part.size]


masked_scale = register(MaskedScale())
