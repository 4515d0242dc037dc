"""Tensor types (shape and dtype, nothing else) and the promotion table of the front end."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, ParseError, explain
from kgraph.ir.dim import Dim, evaluate, parse_dim, product

Shape = tuple[int | Dim, ...]

# NumPy name -> the short name of the IR notation.
DTYPES = {
    "bool": "bool",
    "uint8": "u8",
    "int32": "i32",
    "int64": "i64",
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
}
LONG_NAMES = {short: name for name, short in DTYPES.items()}
# NumPy takes over a microsecond to name a dtype, so the usual spellings are looked up.
_SPELLINGS: dict[object, str] = {
    spelling: name for name, short in DTYPES.items() for spelling in (name, short, np.dtype(name))
}
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("uint8", "int32", "int64")

# Row, column -> the dtype that the front end casts both operands to. An int with a float gives
# the float, so float64 appears only where somebody wrote it.
_ORDER = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64")
PROMOTION = {(a, b): max(a, b, key=_ORDER.index) for a in _ORDER for b in _ORDER}


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a tensor.

    Args:
        shape: sizes, each an int or a symbolic `Dim`.
        dtype: one of bool, uint8, int32, int64, float16, float32, float64.

    Example:
        >>> print(TensorType((Dim.symbol("batch"), 64), "float32"))
        f32[batch, 64]
    """

    shape: Shape
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InferenceError(
                explain("unknown dtype", expected=", ".join(DTYPES), got=repr(self.dtype))
            )
        for size in self.shape:
            if type(size) is Dim or (type(size) is int and size >= 0):
                continue  # most sizes, in half the time
            if isinstance(size, bool) or not isinstance(size, (int, Dim)):
                raise InferenceError(
                    explain("a size must be an int or a Dim", got=f"{size!r} in {self.shape!r}")
                )
            if isinstance(size, int) and size < 0:
                raise InferenceError(explain("a size is negative", got=repr(self.shape)))

    def __str__(self) -> str:
        return f"{DTYPES[self.dtype]}[{', '.join(map(str, self.shape))}]"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int | Dim:
        """Number of elements."""
        return product(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int | Dim:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def is_float(self) -> bool:
        """Whether the dtype is a floating-point one."""
        return self.dtype in FLOATS

    def bind(self, binding: Mapping[str, int]) -> TensorType:
        """Gives every symbol its number.

        Raises:
            InferenceError: a size becomes negative.
        """
        sizes = tuple(evaluate(d, binding) for d in self.shape)
        if any(n < 0 for n in sizes):
            numbers = ", ".join(f"{name} = {n}" for name, n in binding.items())
            raise InferenceError(
                explain(
                    "Computed output size would be negative",
                    expected=f"inputs that are large enough for a tensor of type {self}",
                    got=f"{sizes}, because {numbers}",
                    hint="windows do not fit: use padding='same', smaller windows or more cells",
                )
            )
        return TensorType(sizes, self.dtype)

    def with_dtype(self, dtype: str) -> TensorType:
        """The same shape with another dtype."""
        return TensorType(self.shape, dtype)

    def with_shape(self, shape: Shape) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(shape, self.dtype)


@functools.lru_cache(maxsize=4096)
def parse_type(text: str) -> TensorType:
    """Reads what `str` of a type prints.

    Example:
        >>> parse_type("i32[batch, 2*n]")
        TensorType(shape=(batch, 2*n), dtype='int32')
    """
    head, bracket, rest = text.strip().partition("[")
    if not bracket or not rest.endswith("]") or head not in LONG_NAMES:
        raise ParseError(explain("not a tensor type", expected="like f32[batch, 4]", got=text,
                                 hint=f"dtypes are {', '.join(LONG_NAMES)}"))  # fmt: skip
    body = rest[:-1].strip()
    shape = tuple(parse_dim(part) for part in body.split(",")) if body else ()
    return TensorType(shape, LONG_NAMES[head])


def promote(*dtypes: str) -> str:
    """The dtype that operands of these dtypes are cast to.

    Args:
        dtypes: NumPy's names.

    Returns:
        A dtype's name.

    Example:
        >>> promote("int64", "float32")
        'float32'
    """
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = PROMOTION[result, dtype]
    return result


def canonical_dtype(dtype: object) -> str:
    """The IR's name of a dtype given as a string, a NumPy dtype or a scalar type.

    Raises:
        InferenceError: kgraph has no such dtype.
    """
    if isinstance(dtype, (str, np.dtype)) and dtype in _SPELLINGS:
        return _SPELLINGS[dtype]
    name: Any = dtype
    try:
        name = np.dtype(name).name
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise InferenceError(explain("unknown dtype", expected=", ".join(DTYPES), got=repr(dtype)))
    return str(name)


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting of shapes that may hold symbols; a symbol never stretches.

    Raises:
        InferenceError: two sizes differ and neither is 1.

    Example:
        >>> broadcast_shapes((Dim.symbol("batch"), 1), (3,))
        (batch, 3)
    """
    rank = max((len(s) for s in shapes), default=0)
    result: list[int | Dim] = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, start=rank - len(shape)):
            if isinstance(size, int) and size == 1:
                continue
            known = result[axis]
            if isinstance(known, int) and known == 1:
                result[axis] = size
            elif known != size:
                texts = " ".join("(" + ", ".join(map(str, s)) + ")" for s in shapes)
                raise InferenceError(
                    f"Operands could not be broadcast together with shapes {texts}"
                )
    return tuple(result)
