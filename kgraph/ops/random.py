"""Random tensors as pure functions of (seed, site, step): equal arguments give equal bits.

Each call site is a Philox stream of its own, keyed by (seed, site); the step, an int64 scalar that
counts the runs, selects the place in the stream. A tensor of another size draws other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.context import current_context
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import RNG_STEP, const
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import TensorType, canonical_dtype
from kgraph.ops.shapes import as_shape

Fill = Callable[[np.random.Generator, np.ndarray], None]
_WORD = 1 << 64


class Stream:
    """A generator that is put back to the start of any step of its stream.

    Each step has 2**128 blocks of random bits to itself.
    """

    def __init__(self, seed: int, site: int) -> None:
        self.bits = np.random.Philox(key=[seed % _WORD, site % _WORD])
        self.generator = np.random.Generator(self.bits)
        self.state = self.bits.state
        self.counter = self.state["state"]["counter"]

    def at(self, step: int) -> np.random.Generator:
        """The generator at the start of a step."""
        self.counter[2] = step
        self.bits.state = self.state
        return self.generator


class RandomOp(Op):
    """A float tensor drawn anew at each step; `defaults` are the distribution's parameters."""

    defaults: Mapping[str, float] = {}

    def __call__(self, step: Any, shape: Any, **attrs: Any) -> Any:
        return self.apply((step,), shape=shape, **attrs)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {
            "shape": as_shape(attrs["shape"]),
            "dtype": canonical_dtype(attrs.get("dtype", "float32")),
            "seed": int(attrs.get("seed", 0)),
            "site": int(attrs.get("site", 0)),
            **{k: float(attrs.get(k, v)) for k, v in self.defaults.items()},
        }

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (step,) = types
        if step != TensorType((), "int64"):
            raise InferenceError("the step must be an int64 scalar")
        result = TensorType(tuple(attrs["shape"]), attrs["dtype"])
        if not result.is_float:
            raise InferenceError(f"draws floats, not {result.dtype}")
        return result

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        # NumPy's generators fill float32 and float64 only.
        half = attrs["dtype"] == "float16"
        return (TensorType(tuple(attrs["shape"]), "float32"),) if half else ()

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        out = np.empty(attrs["shape"], attrs["dtype"]) if out is None else out
        wide = work or [np.empty(t.shape, t.dtype) for t in self.scratch(**attrs)]
        self.specialize([], [TensorType(out.shape, out.dtype.name)], attrs)(*arrays, out, *wide)
        return out

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        half = attrs["dtype"] == "float16"
        stream = Stream(attrs["seed"], attrs["site"])
        fill = self.fill("float32" if half else attrs["dtype"], attrs)

        def draw(step: np.ndarray, out: np.ndarray, *wide: np.ndarray) -> None:
            fill(stream.at(int(step)), out)

        def draw_half(step: np.ndarray, out: np.ndarray, wide: np.ndarray) -> None:
            fill(stream.at(int(step)), wide)
            np.copyto(out, wide, "same_kind")

        return draw_half if half else draw

    def fill(self, dtype: str, attrs: Mapping[str, Any]) -> Fill:
        """The function that fills an array of float32 or float64 from a generator."""
        raise NotImplementedError(self.name)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    def samples(self) -> Iterable[Sample]:
        step = np.array(3, np.int64)
        yield Sample((step,), {"shape": (2, 3), "seed": 5, "site": 1})
        yield Sample((step,), {"shape": (4,), "dtype": "float64", "seed": 5})
        yield Sample((step,), {"shape": (3,), "dtype": "float16"})
