"""Ops that see the same memory through another shape; they cost nothing when a plan runs.

Sizes may be symbolic everywhere. `slice` is in `slicing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, UndecidableError
from kgraph.ir.dim import Dim, product
from kgraph.ir.leaves import const
from kgraph.ir.node import API, Node
from kgraph.ir.op import Sample, as_array, register
from kgraph.ir.types import Shape, TensorType, broadcast_shapes, canonical_dtype
from kgraph.ops.base import View, normalize_axes, normalize_axis


def draw(*shape: int, dtype: str = "float32") -> Callable[[np.random.Generator], np.ndarray]:
    """A function that draws a sample of this shape."""
    return lambda rng: rng.uniform(-3, 3, shape).astype(dtype)


def shape_of(x: Any) -> Shape:
    """The sizes of a tensor or an array; those of a tensor that are not known are symbols.

    Example:
        >>> shape_of(np.ones((2, 3)))
        (2, 3)
    """
    return x.shape if isinstance(x, Node) else as_array(x).shape


def as_shape(shape: Any) -> Shape:
    """Makes an int, a Dim or several of them a tuple of Python ints and Dims."""
    sizes = shape if isinstance(shape, (tuple, list, np.ndarray)) else (shape,)
    return tuple(d if isinstance(d, Dim) else int(d) for d in sizes)


def show(shape: Iterable[int | Dim]) -> str:
    """A shape as error messages print it."""
    return "[" + ", ".join(map(str, shape)) + "]"


class Reshape(View):
    """The same elements in the same order, in another shape; one size may be -1.

    Example:
        >>> reshape(np.arange(6), (2, -1)).tolist()
        [[0, 1, 2], [3, 4, 5]]
    """

    name = "reshape"

    def __call__(self, x: Any, newshape: Any) -> Any:
        return self.apply((x,), shape=newshape)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        shape = as_shape(attrs["shape"])
        total: Any = inputs[0].size
        unknown = [i for i, d in enumerate(shape) if isinstance(d, int) and d == -1]
        if len(unknown) > 1:
            raise InferenceError(f"only one size may be -1, not those of {show(shape)}")
        if unknown:
            rest: Any = product(d for i, d in enumerate(shape) if i != unknown[0])
            # A known number of elements is no multiple of a symbolic size.
            divisible = rest != 0 if isinstance(rest, int) else isinstance(total, Dim)
            try:
                exact = divisible and total % rest == 0
            except UndecidableError:
                exact = False
            if not exact:
                raise InferenceError(f"{total} elements do not fit into {show(shape)}")
            shape = tuple(total // rest if i == unknown[0] else d for i, d in enumerate(shape))
        return {"shape": shape}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), shape = types, attrs["shape"]
        result = TensorType(tuple(shape), x.dtype)
        if result.size != x.size:
            raise InferenceError(f"{x.size} elements do not fit into {show(shape)}")
        return result

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray | None:
        try:
            return np.reshape(array, attrs["shape"], copy=False)
        except ValueError:
            return None

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        if out is None:
            out = np.empty(attrs["shape"], x.dtype)
        np.copyto(out.reshape(x.shape), x)
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (reshape(g, inputs[0].shape),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 6),), {"shape": (3, 4)})
        yield Sample((draw(2, 3, 4),), {"shape": (2, -1)})
        yield Sample((draw(),), {"shape": (1, 1)})


class Transpose(View):
    """The axes in another order, reversed by default.

    Example:
        >>> transpose(np.array([[1, 2], [3, 4]])).tolist()
        [[1, 3], [2, 4]]
    """

    name = "transpose"

    def __call__(self, x: Any, axes: Any = None) -> Any:
        return self.apply((x,), axes=axes)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        axes, ndim = attrs.get("axes"), inputs[0].ndim
        if axes is None:
            return {"axes": tuple(reversed(range(ndim)))}
        return {"axes": tuple(normalize_axis(a, ndim) for a in axes)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), axes = types, attrs["axes"]
        if sorted(axes) != list(range(x.ndim)):
            raise InferenceError(f"axes {axes} are not an order of {x.ndim} axes")
        return x.with_shape(tuple(x.shape[a] for a in axes))

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        return array.transpose(attrs["axes"])

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (transpose(g, tuple(int(a) for a in np.argsort(attrs["axes"]))),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 3),))
        yield Sample((draw(2, 3, 4),), {"axes": (1, -1, 0)})


class ExpandDims(View):
    """New axes of size 1 at the places that they have in the result.

    Example:
        >>> expand_dims(np.ones((2, 3)), (0, -1)).shape
        (1, 2, 3, 1)
    """

    name = "expand_dims"

    def __call__(self, x: Any, axis: Any) -> Any:
        return self.apply((x,), axis=axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        axis = attrs["axis"]
        count = len(axis) if isinstance(axis, (tuple, list)) else 1
        return {"axis": normalize_axes(axis, inputs[0].ndim + count)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), axes = types, attrs["axis"]
        sizes = iter(x.shape)
        ndim = x.ndim + len(axes)
        return x.with_shape(tuple(1 if i in axes else next(sizes) for i in range(ndim)))

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        return np.expand_dims(array, attrs["axis"])

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (squeeze(g, attrs["axis"]),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 3),), {"axis": -1})
        yield Sample((draw(2, 3),), {"axis": (0, 2)})


class Squeeze(View):
    """The tensor without axes of size 1: all of them, or those named.

    Example:
        >>> squeeze(np.ones((1, 3, 1)), -1).shape
        (1, 3)
    """

    name = "squeeze"

    def __call__(self, x: Any, axis: Any = None) -> Any:
        return self.apply((x,), axis=axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("axis") is not None:
            return {"axis": normalize_axes(attrs["axis"], inputs[0].ndim)}
        return {"axis": tuple(i for i, d in enumerate(inputs[0].shape) if d == 1)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), axes = types, attrs["axis"]
        for axis in axes:
            if x.shape[axis] != 1:
                raise InferenceError(f"axis {axis} has size {x.shape[axis]}, not 1")
        return x.with_shape(tuple(d for i, d in enumerate(x.shape) if i not in axes))

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        return array.squeeze(attrs["axis"])

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (expand_dims(g, attrs["axis"]),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(1, 3, 1),))
        yield Sample((draw(1, 3, 1),), {"axis": -1})


class BroadcastTo(View):
    """The tensor repeated along axes of size 1 and new leading axes.

    Example:
        >>> broadcast_to(np.array([1, 2]), (2, 2)).tolist()
        [[1, 2], [1, 2]]
    """

    name = "broadcast_to"

    def __call__(self, x: Any, shape: Any) -> Any:
        return self.apply((x,), shape=shape)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"shape": as_shape(attrs["shape"])}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), shape = types, tuple(attrs["shape"])
        if broadcast_shapes(x.shape, shape) != shape:
            raise InferenceError(f"cannot stretch to {show(shape)}")
        return x.with_shape(shape)

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        return np.broadcast_to(array, attrs["shape"])

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (g,)  # the engine sums a cotangent back to the operand's shape

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(3),), {"shape": (2, 3)})
        yield Sample((draw(2, 1, 3),), {"shape": (4, 2, 5, 3)})
        yield Sample((draw(),), {"shape": (2,)})


class Flip(View):
    """The order of the elements reversed along all axes, or those named.

    Example:
        >>> flip(np.array([1, 2, 3])).tolist()
        [3, 2, 1]
    """

    name = "flip"

    def __call__(self, x: Any, axis: Any = None) -> Any:
        return self.apply((x,), axis=axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"axis": normalize_axes(attrs.get("axis"), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0]

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        # A scalar has nothing to flip, and indexing it would give a copy instead of a view.
        return np.flip(array, attrs["axis"]) if array.ndim else array

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (flip(g, attrs["axis"]),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(3, 2),))
        yield Sample((draw(3, 2),), {"axis": -1})


reshape, transpose = register(Reshape()), register(Transpose())
expand_dims, squeeze = register(ExpandDims()), register(Squeeze())
broadcast_to, flip = register(BroadcastTo()), register(Flip())


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchanges two axes.

    Args:
        x: tensor of any shape.
        axis1: one axis.
        axis2: the other.

    Returns:
        A transposed tensor.

    Raises:
        InferenceError: there is no such axis.

    Example:
        >>> swapaxes(np.ones((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    order = list(range(len(shape_of(x))))
    first, second = normalize_axis(axis1, len(order)), normalize_axis(axis2, len(order))
    order[first], order[second] = order[second], order[first]
    return transpose(x, order)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Moves axes to other places; the others keep their order.

    Example:
        >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    ndim = len(shape_of(x))
    given, wanted = (a if isinstance(a, Sequence) else (a,) for a in (source, destination))
    moved = {normalize_axis(d, ndim): normalize_axis(s, ndim) for s, d in zip(given, wanted)}
    if not len(given) == len(wanted) == len(moved) == len(set(moved.values())):
        raise InferenceError(f"moveaxis: cannot move axes {source} to {destination}")
    others = iter(a for a in range(ndim) if a not in moved.values())
    return transpose(x, [moved[i] if i in moved else next(others) for i in range(ndim)])


def full(shape: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """A tensor of one value; an array unless a size is symbolic.

    Example:
        >>> full((2,), 7, "int32")
        array([7, 7], dtype=int32)
    """
    value = as_array(fill_value, dtype)
    value = value if dtype is None else value.astype(canonical_dtype(dtype))
    sizes = as_shape(shape)
    symbolic = any(isinstance(d, Dim) for d in sizes)
    return broadcast_to(const(value) if symbolic else value, sizes)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of one value with the shape of `x`, and its dtype unless another one is named."""
    if not isinstance(x, Node):
        x = as_array(x)
        return np.full_like(x, fill_value, canonical_dtype(dtype or x.dtype))
    return broadcast_to(const(np.asarray(fill_value), canonical_dtype(dtype or x.dtype)), x.shape)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the shape of `x`, and its dtype unless another one is named.

    Example:
        >>> zeros_like(np.ones(2, "float32"))
        array([0., 0.], dtype=float32)
    """
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of the shape of `x`, and its dtype unless another one is named.

    Example:
        >>> ones_like(np.zeros(2, "float32"))
        array([1., 1.], dtype=float32)
    """
    return full_like(x, 1, dtype)


API.update(swapaxes=swapaxes, moveaxis=moveaxis, zeros_like=zeros_like, ones_like=ones_like)
API.update(full_like=full_like)
