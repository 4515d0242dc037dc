"""Elementwise ops of a structure of their own: cast, where and clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import API, Node
from kgraph.ir.op import Op, Sample, as_node, cast_to, promote_operands, register
from kgraph.ir.types import TensorType, broadcast_shapes, canonical_dtype


class Cast(Op):
    """The elements in another dtype; numbers become bools by being nonzero."""

    name = "cast"

    def __call__(self, x: Any, dtype: Any) -> Any:
        if isinstance(x, Node) and x.dtype == canonical_dtype(dtype):
            return x
        return self.apply((x,), dtype=dtype)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"dtype": canonical_dtype(attrs["dtype"])}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0].with_dtype(attrs["dtype"])

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        if out is None:
            return arrays[0].astype(attrs["dtype"])
        np.copyto(out, arrays[0], "unsafe")
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        if not (y.type.is_float and inputs[0].type.is_float):
            return (None,)
        return (cast_to(g, inputs[0].dtype),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        copy = np.copyto
        return lambda x, out: copy(out, x, "unsafe")

    def samples(self) -> Iterable[Sample]:
        yield Sample((lambda rng: rng.normal(size=(2, 3)),), {"dtype": "float32"})
        yield Sample((lambda rng: rng.normal(size=(2, 3)).astype("f"),), {"dtype": "float64"})
        yield Sample((lambda rng: rng.normal(size=(2, 3)).astype("f"),), {"dtype": "int32"})
        yield Sample((lambda rng: rng.integers(0, 2, (4,)),), {"dtype": "bool"})
        yield Sample((lambda rng: rng.random((4, 1)) < 0.5,), {"dtype": "float32"})


class Where(Op):
    """`x` where the bool `condition` holds, `y` elsewhere."""

    name = "where"
    reuse = (2,)

    def __call__(self, condition: Any, x: Any, y: Any) -> Any:
        return self.apply((condition, x, y))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return (cast_to(as_node(operands[0]), "bool"), *promote_operands(operands[1:]))

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        condition, x, y = types
        if condition.dtype != "bool":
            raise InferenceError("the condition must be bool")
        if x.dtype != y.dtype:
            raise InferenceError("x and y must have one dtype")
        return TensorType(broadcast_shapes(condition.shape, x.shape, y.shape), x.dtype)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        condition, x, y = arrays
        if out is None:
            return np.where(condition, x, y)
        np.copyto(out, y)
        np.copyto(out, x, "no", condition)
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        condition = inputs[0]
        return None, where(condition, g, 0), where(condition, 0, g)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        copy = np.copyto

        def select(condition: np.ndarray, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
            if out is not y:
                copy(out, y)
            copy(out, x, "no", condition)

        return select

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        def flags(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.random(shape) < 0.5

        yield Sample((flags(2, 3), draw(2, 3), draw(2, 3)))
        yield Sample((flags(4, 1), draw(), draw(4, 3)))
        yield Sample((flags(3), draw(4, 3), draw()))
        yield Sample((flags(), draw(2), draw(2)))


class Clip(Op):
    """The elements moved into [min, max]; half the gradient passes at a bound, as in JAX."""

    name = "clip"
    reuse = (0,)

    def __call__(self, x: Any, min: Any = None, max: Any = None) -> Any:
        numbers = [isinstance(b, (int, float, np.integer)) for b in (min, max) if b is not None]
        if not numbers:
            raise TypeError("clip needs min or max")
        if False in numbers:
            x = x if min is None else API["maximum"](x, min)
            return x if max is None else API["minimum"](x, max)
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
        x = arrays[0]
        if out is None:
            out = np.empty_like(x)
        if attrs["min"] is not None:
            np.maximum(x, np.array(attrs["min"], x.dtype), out=out)
            x = out
        if attrs["max"] is not None:
            np.minimum(x, np.array(attrs["max"], x.dtype), out=out)
        return out

    def reference(self, x: Any, min: Any, max: Any) -> Any:
        x = x if min is None else API["maximum"](x, min)
        return x if max is None else API["minimum"](x, max)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, low, high = inputs[0], attrs["min"], attrs["max"]
        for bound, inside in ((low, API["greater"]), (high, API["less"])):
            if bound is not None:
                share = where(API["equal"](x, bound), 0.5 * g, 0)
                g = where(inside(x, bound), g, share)
        return (g,)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        dtype, maximum, minimum = inputs[0].dtype, np.maximum, np.minimum
        low, high = (
            None if attrs[k] is None else np.array(attrs[k], dtype) for k in ("min", "max")
        )
        if low is None:
            return lambda x, out: minimum(x, high, out=out)
        if high is None:
            return lambda x, out: maximum(x, low, out=out)
        return lambda x, out: minimum(maximum(x, low, out=out), high, out=out)

    def samples(self) -> Iterable[Sample]:
        def draw(rng: np.random.Generator) -> np.ndarray:
            return rng.normal(size=(4, 3)).astype("float32")

        yield Sample((draw,), {"min": -0.5, "max": 0.7})
        yield Sample((draw,), {"min": 0.0, "max": None})
        yield Sample((draw,), {"min": None, "max": 0.25})
        yield Sample((lambda rng: rng.integers(-5, 5, (3,)),), {"min": -2, "max": 2})


cast, clip, where = Cast(), Clip(), Where()
for _op in (cast, clip, where):
    register(_op)
