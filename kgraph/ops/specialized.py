"""Ops whose kernel is stated once, as what `specialize` returns for concrete types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kgraph.ir.op import Op
from kgraph.ir.types import TensorType


def allocate(types: Iterable[TensorType]) -> list[np.ndarray]:
    """Buffers of these types, whose sizes are numbers."""
    return [np.empty(t.shape, t.dtype) for t in types]


class Specialized(Op):
    """An op that declares `specialize` and gets its `kernel` from it."""

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        inputs = [TensorType(a.shape, a.dtype.name) for a in arrays]
        inferred = self.infer(*inputs, **attrs)
        outputs = inferred if isinstance(inferred, tuple) else (inferred,)
        given = out if isinstance(out, tuple) else (out,)
        results = tuple(allocate(outputs)) if out is None else given
        buffers = work or allocate(self.scratch(*inputs, **attrs))
        self.specialize(inputs, outputs, attrs)(*arrays, *results, *buffers)
        return results if len(outputs) > 1 else results[0]
