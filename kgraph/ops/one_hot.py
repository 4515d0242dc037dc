"""One-hot rows, and tensors less them: what a gradient of class ids is made of.

Taking ones off allocates a number for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, as_node, promote_operands, register
from kgraph.ir.types import TensorType, canonical_dtype
from kgraph.ops.indexing import ids, largest_unsigned, require_ids
from kgraph.ops.shapes import draw, moveaxis
from kgraph.ops.specialized import Prepared, Specialized


class OneHot(Specialized):
    """Rows of zeros with a one at each id; an id outside [0, num_classes) gives only zeros.

    Example:
        >>> one_hot([1, -1], 2).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """

    name = "one_hot"

    def __call__(
        self, x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
    ) -> Any:
        if sparse:
            raise InferenceError("one_hot: there are no sparse tensors; leave out sparse=True")
        found = self.apply((x,), num_classes=num_classes, dtype=dtype or "float32")
        return found if axis == -1 else moveaxis(found, -1, axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        dtype = canonical_dtype(attrs.get("dtype", "float32"))
        return {"num_classes": int(attrs["num_classes"]), "dtype": dtype}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        require_ids(types[0])
        return TensorType((*types[0].shape, attrs["num_classes"]), attrs["dtype"])

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (self.infer(*types, **attrs).with_dtype("bool"),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        classes = np.arange(attrs["num_classes"], dtype=inputs[0].dtype)

        def kernel(x: np.ndarray, out: np.ndarray, hits: np.ndarray) -> None:
            np.equal(x[..., None], classes, hits)
            np.copyto(out, hits)

        return kernel

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    def samples(self) -> Iterable[Sample]:
        yield Sample((ids(4, 3),), {"num_classes": 4})
        yield Sample((ids(4, 2, 3),), {"num_classes": 5, "dtype": "int32"})


class SubtractOneHot(Specialized):
    """`x` less one at each row's id along the last axis; ids outside it take nothing off.

    The same bits as `x - one_hot(indices, x.shape[-1])`, without that array.

    Example:
        >>> subtract_one_hot(np.array([[0.25, 0.75]]), [1]).tolist()
        [[0.25, -0.25]]
    """

    name = "subtract_one_hot"
    reuse = (0,)

    def __call__(self, x: Any, indices: Any) -> Any:
        return self.apply((x, indices))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return *promote_operands(operands[:1], floating=True), as_node(operands[1])

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        x, indices = types
        require_ids(indices)
        if not x.is_float or indices.shape != x.shape[:-1] or not x.ndim:
            raise InferenceError("needs floats and an id for each row")
        return x

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (types[1].with_dtype("int64"),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        shape: Any = inputs[0].shape
        if 0 in shape:
            return lambda *buffers: None
        count, one = shape[-1], np.ones((), inputs[0].dtype)
        starts = np.arange(0, int(np.prod(shape)), count).reshape(shape[:-1])

        def views(
            x: np.ndarray, indices: np.ndarray, out: np.ndarray, places: np.ndarray
        ) -> tuple[Any, ...]:
            source = None if np.may_share_memory(out, x) else x
            return source, indices, out, out.reshape(-1), places

        def kernel(
            source: np.ndarray | None,
            indices: np.ndarray,
            out: np.ndarray,
            flat: np.ndarray,
            places: np.ndarray,
        ) -> None:
            places[...] = indices
            if source is not None:
                out[...] = source
            if largest_unsigned(places) < count:
                np.add(places, starts, places)
                flat[places] -= one
            else:
                fits = (places >= 0) & (places < count)
                flat[(places + starts)[fits]] -= one

        return Prepared(views, kernel)

    def reference(self, x: Any, indices: Any) -> Any:
        return x - one_hot(indices, x.shape[-1], dtype=str(x.dtype))

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, None

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(3, 5)))
        yield Sample((draw(2, 4, 3), lambda rng: rng.integers(0, 3, (2, 4))))
        yield Sample((draw(3), np.array(2, "int32")))


one_hot, subtract_one_hot = register(OneHot()), register(SubtractOneHot())
