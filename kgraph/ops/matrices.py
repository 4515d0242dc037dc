"""Inverses, determinants and Cholesky factors of the last two axes.

LAPACK computes them by way of NumPy, which allocates, and float16 by way of float32. A singular
matrix raises `numpy.linalg.LinAlgError` when the kernel runs; its determinant, 0, has no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.linalg import matmul
from kgraph.ops.shapes import expand_dims, swapaxes


def _near_identity(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    def draw(rng: np.random.Generator) -> np.ndarray:
        noise = rng.uniform(-0.3, 0.3, shape)
        return (noise + np.swapaxes(noise, -1, -2) + 2 * np.eye(shape[-1])).astype("float32")

    return draw


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype("float32") if x.dtype == "float16" else x


class OfMatrices(Op):
    """A function of square matrices along the last two axes.

    Args:
        name: NumPy's name.
        function: of (..., n, n).
        rule: (g, y, x) -> cotangent of x.
        doc: one sentence.
        keeps: whether the result is a matrix too, rather than a number.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[np.ndarray], np.ndarray],
        rule: Callable[[Any, Any, Node], Node],
        doc: str,
        keeps: bool = True,
    ) -> None:
        self.name, self.function, self.rule, self.keeps = name, function, rule, keeps
        self.doc = self.__doc__ = doc

    def __call__(self, x: Any) -> Any:
        return self.apply((x,))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,) = types
        require_square(x)
        return x if self.keeps else x.with_shape(x.shape[:-2])

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        found = np.asarray(self.function(_wide(x)))
        if out is None:
            return found.astype(x.dtype)
        np.copyto(out, found, "same_kind")
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (self.rule(g, y, inputs[0]),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_near_identity(2, 3, 3),))
        yield Sample((_near_identity(4, 4),))


def require_square(x: TensorType) -> None:
    """Refuses what is no float matrix of equal sizes."""
    if not x.is_float or x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise InferenceError(f"needs square matrices of floats, not {x}")


class Solve(Op):
    """The x with `a @ x = b`, for vectors or matrices b.

    Example:
        >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).tolist()
        [1.0, 0.5]
    """

    name = "solve"

    def __call__(self, a: Any, b: Any) -> Any:
        return self.apply((a, b))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        a, b = types
        require_square(a)
        vectors = b.ndim == a.ndim - 1
        if b.dtype != a.dtype or not (vectors or b.ndim == a.ndim):
            raise InferenceError("b must be floats of a's dtype with as many axes, or one less")
        if b.shape[: a.ndim - 1] != a.shape[:-1]:
            raise InferenceError("the rows of b are not those of a")
        return b

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        a, b = arrays
        columns = b[..., None] if b.ndim < a.ndim else b
        found = np.linalg.solve(_wide(a), _wide(columns)).reshape(b.shape)
        if out is None:
            return found.astype(b.dtype)
        np.copyto(out, found, "same_kind")
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        a, b = inputs
        back = solve(swapaxes(a, -1, -2), g)
        left, right = (expand_dims(x, -1) if b.ndim < a.ndim else x for x in (back, y))
        return -matmul(left, swapaxes(right, -1, -2)), back

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        yield Sample((_near_identity(2, 3, 3), draw(2, 3, 4)))
        yield Sample((_near_identity(2, 3, 3), draw(2, 3)))
        yield Sample((_near_identity(4, 4), draw(4)))


def _inv_vjp(g: Any, y: Any, x: Node) -> Node:
    turned = swapaxes(y, -1, -2)
    return -matmul(matmul(turned, g), turned)


def _det_vjp(g: Any, y: Any, x: Node) -> Node:
    return expand_dims(g * y, (-1, -2)) * swapaxes(inv(x), -1, -2)


def _logabsdet(x: np.ndarray) -> np.ndarray:
    return np.linalg.slogdet(x)[1]


def _logabsdet_vjp(g: Any, y: Any, x: Node) -> Node:
    return expand_dims(g, (-1, -2)) * swapaxes(inv(x), -1, -2)


def _cholesky_vjp(g: Any, y: Any, x: Node) -> Node:
    # Murray 2016: S = L^-T P L^-1 with the lower half P, its diagonal halved, of L^T g; what
    # S + S^T has above its diagonal belongs to the elements below, which alone are read.
    lower = _lower_half(x.shape[-1], x.dtype)
    back = inv(y)
    inner = matmul(swapaxes(y, -1, -2), g) * lower
    half = matmul(swapaxes(back, -1, -2), matmul(inner, back))
    return (half + swapaxes(half, -1, -2)) * lower


def _lower_half(size: Any, dtype: str) -> np.ndarray:
    return (np.tri(size) - 0.5 * np.eye(size)).astype(dtype)


inv = OfMatrices("inv", np.linalg.inv, _inv_vjp, "Inverse matrices.")
det = OfMatrices("det", np.linalg.det, _det_vjp, "Determinants.", keeps=False)
logabsdet = OfMatrices(
    "logabsdet",
    _logabsdet,
    _logabsdet_vjp,
    "Logarithms of the sizes of determinants.",
    keeps=False,
)
cholesky_factor = OfMatrices(
    "cholesky_factor",
    np.linalg.cholesky,
    _cholesky_vjp,
    "Lower triangles L with L L^T = x, for positive definite matrices, whose lower half is read.",
)
solve = Solve()
for _op in (inv, det, logabsdet, cholesky_factor, solve):
    register(_op)
