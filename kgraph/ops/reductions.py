"""Reductions: one row an op, over all axes, one or several, keeping them as size 1 or not.

Sums and products of bools and of uint8 are int32 (NumPy would widen to 64 bits, which the IR never
does silently). The gradient of `prod` is right at zeros, its second derivative only away from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.dim import product
from kgraph.ir.leaves import size
from kgraph.ir.node import API, Node
from kgraph.ir.op import Op, Sample, as_node, cast_to, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import normalize_axes, reduced_shape
from kgraph.ops.comparison import equal
from kgraph.ops.elementwise import divide, sqrt, square, subtract
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import broadcast_to, expand_dims
from kgraph.ops.specialized import Prepared

WIDENED = {"bool": "int32", "uint8": "int32"}


def spread(node: Node, axis: tuple[int, ...], keepdims: bool) -> Node:
    """Puts the reduced axes of a result back as axes of size 1, so that it broadcasts."""
    return node if keepdims or not axis else expand_dims(node, axis)


def count(x: Node, axis: tuple[int, ...]) -> Any:
    """The number of elements that a reduction joins: a Python number, or a node of x's dtype."""
    number = product(x.shape[a] for a in axis)
    return number if isinstance(number, int) else cast_to(size(number), x.dtype)


class Reduction(Op):
    """A ufunc's `reduce` over axes: None for all of them, an int or several.

    Args:
        name: NumPy's name.
        ufunc: the binary ufunc.
        vjp: (g, y, x, axis, keepdims) -> cotangent of x, or None.
        doc: one sentence.
        takes: dtype that every operand is cast to, "float" for float32 unless it is floating,
            None for the operand's own.
        widens: whether small integers become int32.
        empty: whether there is a result for no elements.

    Called, an op takes `initial`, one more element, and `dtype`, to which x is cast first.

    Example:
        >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=1, keepdims=True)
        array([[3.],
               [7.]], dtype=float32)
        >>> float(max([1.0, 2.0], initial=5.0))
        5.0
    """

    def __init__(
        self,
        name: str,
        ufunc: np.ufunc,
        vjp: Callable[..., Node] | None,
        doc: str,
        *,
        takes: str | None = None,
        widens: bool = False,
        empty: bool = True,
    ) -> None:
        self.name, self.doc, self.__doc__ = name, doc, doc
        self.ufunc, self.rule = ufunc, vjp
        self.takes, self.widens, self.empty = takes, widens, empty

    def __call__(
        self,
        x: Any,
        axis: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        dtype: Any = None,
    ) -> Any:
        x = x if dtype is None else cast(x, dtype)
        found = self.apply((x,), axis=axis, keepdims=keepdims)
        return found if initial is None else API[self.ufunc.__name__](found, initial)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        if self.takes == "float":
            return promote_operands(operands, floating=True)
        node = as_node(operands[0])
        return (node if self.takes is None else cast_to(node, self.takes),)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        axes = normalize_axes(attrs.get("axis"), inputs[0].ndim)
        return {"axis": axes, "keepdims": bool(attrs.get("keepdims", False))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        x = types[0]
        if (self.takes == "bool" and x.dtype != "bool") or (
            self.takes == "float" and not x.is_float
        ):
            raise InferenceError(f"does not take {x.dtype}")
        if not self.empty and 0 in [x.shape[a] for a in attrs["axis"]]:
            raise InferenceError("no elements to choose from")
        dtype = WIDENED.get(x.dtype, x.dtype) if self.widens else x.dtype
        return TensorType(reduced_shape(x.shape, attrs["axis"], attrs["keepdims"]), dtype)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        x, axis, keepdims = arrays[0], attrs["axis"], attrs["keepdims"]
        if out is None:
            dtype = WIDENED.get(x.dtype.name, x.dtype) if self.widens else x.dtype
            out = np.empty(reduced_shape(x.shape, axis, keepdims), dtype)
        reduce: Any = self.ufunc.reduce
        reduce(x, axis, out.dtype, out, keepdims)
        return out

    @property
    def has_vjp(self) -> bool:
        return self.rule is not None

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        if self.rule is None:
            return (None,)
        x, axis, keepdims = inputs[0], attrs["axis"], attrs["keepdims"]
        return (self.rule(spread(g, axis, keepdims), spread(y, axis, keepdims), x, axis),)

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        return inputs[0].size, super().cost(inputs, outputs, attrs)[1]

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        axis, keepdims = short_axis(attrs["axis"]), attrs["keepdims"]
        reduce: Any = self.ufunc.reduce
        dtype = np.dtype(outputs[0].dtype)
        return lambda x, out: reduce(x, axis, dtype, out, keepdims)

    def samples(self) -> Iterable[Sample]:
        dtype = "bool" if self.takes == "bool" else "float32"

        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: (rng.normal(size=shape) + 0.5 * (dtype == "bool")).astype(dtype)

        yield Sample((draw(4, 3),), {"axis": None, "keepdims": False})
        yield Sample((draw(4, 3),), {"axis": 0, "keepdims": False})
        yield Sample((draw(2, 3, 4),), {"axis": -1, "keepdims": True})
        yield Sample((draw(2, 3, 4),), {"axis": (2, 0), "keepdims": False})
        yield Sample((draw(2, 3, 4),), {"axis": (0, 1), "keepdims": True})
        yield Sample((draw(),), {"axis": None, "keepdims": False})
        if self.takes is None:
            ints = lambda rng: rng.integers(-4, 5, (2, 3)).astype("int32")  # noqa: E731
            yield Sample((ints,), {"axis": 1, "keepdims": False}, differentiable=False)


class Sum(Reduction):
    """Sum; bool and uint8 give int32."""

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        (x,) = inputs
        if x.dtype == "bool" and len(attrs["axis"]) == x.ndim:
            count = np.count_nonzero
            return lambda x, out: out.fill(count(x))
        plain = super().specialize(inputs, outputs, attrs)
        return product_with_ones(x, attrs["axis"], plain) or plain


# What is longer is summed pairwise, as NumPy does, for its accuracy.
_LONGEST_ROW, _LONGEST_SUM = 1 << 12, 1 << 16


def product_with_ones(
    x: TensorType, axis: tuple[int, ...], plain: Callable[..., Any]
) -> Callable[..., Any] | None:
    """The sum over all, all leading or all trailing axes as a product with a vector of ones.

    BLAS is two to ten times as fast as `add.reduce` and rounds no worse: over leading axes both
    add row after row. `plain` sums what is not contiguous.
    """
    shape, n = x.shape, len(axis)
    leading, trailing = axis == tuple(range(n)), axis == tuple(range(x.ndim - n, x.ndim))
    if x.dtype not in ("float32", "float64") or not n or not (leading or trailing):
        return None
    length: Any = product(shape[a] for a in axis)
    if trailing and length > (_LONGEST_SUM if leading else _LONGEST_ROW):
        return None
    rest: Any = product(d for a, d in enumerate(shape) if a not in axis)
    ones = np.ones(length, x.dtype)

    def views(x: np.ndarray, out: np.ndarray) -> tuple[Any, ...]:
        # A matrix or a vector of any strides is what BLAS takes; else reshaping would copy.
        as_it_is = x.ndim == 1 or (x.ndim == 2 and n == 1)
        if not (as_it_is or x.flags.c_contiguous) or not out.flags.c_contiguous:
            return lambda x, _, out: plain(x, out), x, None, out
        if leading and trailing:
            return np.ndarray.dot, x.reshape(length), ones, out.reshape(())
        if leading:
            return np.ndarray.dot, ones, x.reshape(length, rest), out.reshape(rest)
        return np.ndarray.dot, x.reshape(rest, length), ones, out.reshape(rest)

    return Prepared(views, lambda function, a, b, out: function(a, b, out))


def short_axis(axis: tuple[int, ...]) -> Any:
    """The spelling of axes that ufunc.reduce parses fastest."""
    return axis[0] if len(axis) == 1 else axis


class Mean(Sum):
    """Arithmetic mean; integers give float32.

    That of float16 is taken in float32: the sum or the number of elements may exceed 65504.
    """

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        x = arrays[0]
        number = product(x.shape[a] for a in attrs["axis"])
        if x.dtype != "float16":
            out = super().kernel(x, out=out, **attrs)
            return np.true_divide(out, np.array(number, out.dtype), out)
        if out is None:
            out = np.empty(reduced_shape(x.shape, attrs["axis"], attrs["keepdims"]), x.dtype)
        average_half(attrs, number)(x, out, np.empty(out.shape, "float32"))
        return out

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        (x,) = types
        if x.dtype != "float16":
            return ()
        return (TensorType(reduced_shape(x.shape, attrs["axis"], attrs["keepdims"]), "float32"),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        if inputs[0].dtype == "float16":
            return average_half(attrs, product(inputs[0].shape[a] for a in attrs["axis"]))
        total = super().specialize(inputs, outputs, attrs)
        number = np.array(product(inputs[0].shape[a] for a in attrs["axis"]), inputs[0].dtype)
        divide = np.true_divide

        if isinstance(total, Prepared):
            views, run = total.views, total.run
        else:
            views, run = (lambda *buffers: buffers), total

        def average(out: np.ndarray, *operands: Any) -> None:
            run(*operands)
            divide(out, number, out)

        return Prepared(lambda x, out: (out, *views(x, out)), average)


def average_half(attrs: Mapping[str, Any], number: Any) -> Callable[..., None]:
    """A function of (x, out, work) that writes the mean of float16 by way of float32."""
    axis, keepdims, divisor = attrs["axis"], attrs["keepdims"], np.array(number, "float32")
    reduce: Any = np.add.reduce

    def average(x: np.ndarray, out: np.ndarray, work: np.ndarray) -> None:
        reduce(x, axis, work.dtype, work, keepdims)
        np.true_divide(work, divisor, out, casting="same_kind")

    return average


def _stretch(g: Node, y: Node, x: Node, axis: tuple[int, ...]) -> Node:
    return broadcast_to(g, x.shape)


def _mean_vjp(g: Node, y: Node, x: Node, axis: tuple[int, ...]) -> Node:
    if x.dtype == "float16":  # which has no number above 65504
        wide = cast(g, "float32") / count(cast(x, "float32"), axis)
        return broadcast_to(cast(wide, x.dtype), x.shape)
    return broadcast_to(g / count(x, axis), x.shape)


def _extreme_vjp(g: Node, y: Node, x: Node, axis: tuple[int, ...]) -> Node:
    # Equal extremes share the gradient equally, as in JAX.
    hit = cast(equal(x, y), x.dtype)
    return hit * (g / sum(hit, axis=axis, keepdims=True))


def _prod_vjp(g: Node, y: Node, x: Node, axis: tuple[int, ...]) -> Node:
    # The product of the others: y / x without zeros; at a single zero, the product of the rest.
    zero = equal(x, 0)
    zeros = sum(cast(zero, x.dtype), axis=axis, keepdims=True)
    filled = where(zero, 1, x)
    rest = prod(filled, axis=axis, keepdims=True)
    return g * where(equal(zeros - cast(zero, x.dtype), 0), rest / filled, 0)


sum = Sum("sum", np.add, _stretch, "Sum; bool and uint8 give int32.", widens=True)
mean = Mean("mean", np.add, _mean_vjp, "Arithmetic mean; integers give float32.", takes="float")
prod = Reduction("prod", np.multiply, _prod_vjp, "Product; bool and uint8 give int32.", widens=True)
max = Reduction("max", np.maximum, _extreme_vjp, "Largest element; NaN wins.", empty=False)
min = Reduction("min", np.minimum, _extreme_vjp, "Smallest element; NaN wins.", empty=False)
any = Reduction("any", np.logical_or, None, "Whether any element is nonzero.", takes="bool")
all = Reduction("all", np.logical_and, None, "Whether all elements are nonzero.", takes="bool")
for _op in (sum, mean, prod, max, min, any, all):
    register(_op)


def var(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Variance: the mean square distance from the mean.

    Args:
        x: a tensor; integers give float32.
        axis: None for all axes, an int or several.
        keepdims: whether the reduced axes stay as size 1.
        ddof: what is taken off the number of elements before dividing.

    Returns:
        A tensor of x's dtype.

    Example:
        >>> float(var(np.array([1.0, 3.0])))
        1.0
    """
    squares = square(subtract(x, mean(x, axis, keepdims=True)))
    if not ddof:
        return mean(squares, axis, keepdims)
    number = count(squares, normalize_axes(axis, squares.ndim))
    return divide(sum(squares, axis, keepdims), subtract(number, ddof))


def std(x: Any, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Standard deviation: the square root of `var`, with its arguments.

    Example:
        >>> float(std(np.array([1.0, 3.0])))
        1.0
    """
    return sqrt(var(x, axis, keepdims, ddof))


API.update(var=var, std=std)
