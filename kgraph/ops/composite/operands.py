"""What composite functions do first with their arguments."""

from __future__ import annotations

from typing import Any

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node
from kgraph.ir.op import as_array
from kgraph.ops.select import cast
from kgraph.ops.shapes import shape_of


def tensor(x: Any) -> Any:
    """A node as it is, anything else as an array of a dtype that the IR has."""
    return x if isinstance(x, Node) else as_array(x)


def is_float(x: Any) -> bool:
    """Whether a tensor holds floats."""
    return str(x.dtype).startswith("float")


def floats(x: Any) -> Any:
    """A tensor of floats; integers and bools become float32."""
    x = tensor(x)
    return x if is_float(x) else cast(x, "float32")


def known(name: str, size: int | Dim) -> int:
    """A size that a function must know to say what it computes.

    Raises:
        InferenceError: it is symbolic.
    """
    if isinstance(size, Dim):
        raise InferenceError(
            explain(f"{name}: the size of this axis must be known", got=size,
                    hint="give the input a full shape")
        )  # fmt: skip
    return size


def known_shape(name: str, x: Any) -> tuple[int, ...]:
    """A shape all of whose sizes must be known."""
    return tuple(known(name, size) for size in shape_of(x))
