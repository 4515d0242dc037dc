"""Functions of square matrices, made of inverses, solutions and Cholesky factors."""

from __future__ import annotations

from typing import Any

from kgraph.ops.composite.diagonals import tril, triu
from kgraph.ops.composite.operands import floats
from kgraph.ops.elementwise import add, multiply, sign
from kgraph.ops.linalg import matmul
from kgraph.ops.matrices import cholesky_factor, det, inv, logabsdet, solve
from kgraph.ops.shapes import swapaxes


def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangle L with L L^T = x, or its transpose.

    Args:
        x: positive definite matrices, shape (..., n, n).
        upper: whether to return the transpose.

    Returns:
        Matrices like x.

    Raises:
        numpy.linalg.LinAlgError: a matrix is not positive definite.

    Example:
        >>> cholesky([[4.0, 2.0], [2.0, 2.0]]).tolist()
        [[2.0, 0.0], [1.0, 1.0]]
    """
    x = floats(x)
    # The op reads one half; both count, so that the gradient is symmetric too.
    found = cholesky_factor(multiply(add(x, swapaxes(x, -1, -2)), 0.5))
    return swapaxes(found, -1, -2) if upper else found


def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of the matrix whose Cholesky factor is given.

    Example:
        >>> cholesky_inverse([[2.0, 0.0], [0.0, 1.0]]).tolist()
        [[0.25, 0.0], [0.0, 1.0]]
    """
    half = inv(triu(floats(x)) if upper else tril(floats(x)))
    turned = swapaxes(half, -1, -2)
    return matmul(half, turned) if upper else matmul(turned, half)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The x with `a @ x = b`, of which only one half of a is read.

    Example:
        >>> solve_triangular([[2.0, 9.0], [1.0, 1.0]], [2.0, 2.0], lower=True).tolist()
        [1.0, 1.0]
    """
    return solve(tril(floats(a)) if lower else triu(floats(a)), b)


def slogdet(x: Any) -> tuple[Any, Any]:
    """The sign of a determinant, and the logarithm of its size.

    Example:
        >>> [float(part) for part in slogdet([[-1.0, 0.0], [0.0, 1.0]])]
        [-1.0, 0.0]
    """
    return sign(det(x)), logabsdet(x)


def logdet(x: Any) -> Any:
    """The logarithm of the determinant of positive definite matrices.

    Example:
        >>> float(logdet([[1.0, 0.0], [0.0, 1.0]]))
        0.0
    """
    return logabsdet(x)
