"""Where numbers belong in a sorted sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, promote_operands, register
from kgraph.ir.types import TensorType


class SearchSorted(Op):
    """The places at which `values` can be put into a sorted sequence, which then stays sorted.

    Args:
        sorted_sequence: a rising sequence, shape (n,).
        values: numbers of any shape.
        side: "left" for the first of such places, "right" for the last.

    Returns:
        int64 of the shape of `values`. NumPy searches without `out=`, so the kernel allocates.

    Example:
        >>> searchsorted([1.0, 2.0, 2.0, 3.0], [2.0, 9.0], side="right").tolist()
        [3, 4]
    """

    name = "searchsorted"

    def __call__(self, sorted_sequence: Any, values: Any, side: str = "left") -> Any:
        return self.apply((sorted_sequence, values), side=side)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"side": str(attrs.get("side", "left"))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        sequence, values = types
        if sequence.ndim != 1 or sequence.dtype != values.dtype:
            raise InferenceError("needs a sequence of one axis, and values of its dtype")
        if attrs["side"] not in ("left", "right"):
            raise InferenceError(f"side must be 'left' or 'right', not {attrs['side']!r}")
        return values.with_dtype("int64")

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        sequence, values = arrays
        found = np.asarray(np.searchsorted(sequence, values, attrs["side"]))
        if out is None:
            return found
        np.copyto(out, found)
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return None, None

    def samples(self) -> Iterable[Sample]:
        rising = np.array([-1.0, 0.0, 0.0, 2.0], "float32")
        yield Sample((rising, lambda rng: rng.normal(size=(3, 2)).astype("float32")))
        yield Sample((np.arange(5), np.array([0, 4, 7, 2])), {"side": "right"})


searchsorted = SearchSorted()
register(searchsorted)
