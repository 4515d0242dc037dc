"""Where tensors come into a model: `Input` and its layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kgraph import config
from kgraph.errors import explain
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.origin import here, making
from kgraph.layers.base import Layer
from kgraph.layers.naming import unique_name
from kgraph.layers.node import InputCall


class InputLayer(Layer):
    """The layer of an input tensor; it has one call, without inputs.

    Args:
        input_shape: shape without the batch (Keras 2).
        batch_size: size of the batch, None for any.
        batch_input_shape: shape with the batch (Keras 2).
        dtype: element type.
        sparse: must be false.
        name: the key under which the input is fed; default `input_1`.
        shape: the same as `input_shape` (Keras 3).
        batch_shape: the same as `batch_input_shape` (Keras 3).
        ragged: must be false.
        optional: accepted for Keras 3's files.
    """

    def __init__(
        self,
        input_shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        dtype: Any = None,
        sparse: bool = False,
        name: str | None = None,
        shape: Sequence[int | None] | None = None,
        batch_shape: Sequence[int | None] | None = None,
        ragged: bool = False,
        optional: bool = False,
        trainable: bool = True,
    ) -> None:
        full = batch_input_shape if batch_input_shape is not None else batch_shape
        if full is None:
            inner = input_shape if input_shape is not None else shape
            full = (batch_size, *_checked_shape(inner))
        if sparse or ragged:
            raise ValueError(explain("kgraph has dense tensors only", got="sparse or ragged input"))
        super().__init__(
            name=name or unique_name("input"),
            dtype=dtype,
            trainable=trainable,
            batch_input_shape=_checked_shape(full),
        )
        self.sparse, self.optional = sparse, optional
        self.built, self.supports_masking = True, True
        place = replace(here(), name=self.name, history=(self, 0, 0))
        with making(place):
            tensor = input_node(_dims(self.name, self.batch_input_shape), self.dtype, self.name)
        self._inbound_nodes.append((InputCall(self, tensor), (tensor,)))

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_input_shape": self.batch_input_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "name": self.name,
        }

    @property
    def input(self) -> Node:
        """The tensor itself."""
        return self.output

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape with the batch."""
        return self.batch_input_shape


def Input(
    shape: Sequence[int | None] | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    dtype: Any = None,
    sparse: bool = False,
    tensor: Node | None = None,
    *,
    batch_size: int | None = None,
    ragged: bool = False,
    optional: bool = False,
) -> Node:
    """A symbolic tensor that is fed when the model runs.

    Args:
        shape: sizes without the batch, None for unknown ones.
        batch_shape: sizes with the batch, instead of `shape`; an int in this place is Keras 3's
            `batch_size`.
        name: the key under which it is fed; default `input_1`, `input_2` and so on.
        dtype: element type; default `kgraph.config.floatx()`.
        sparse: must be false.
        tensor: one that is there already, which is given back: the layers called on it compute
            from it. A model that begins at it has an input in its place.
        batch_size: size of the batch, None for any.
        ragged: must be false.
        optional: accepted for Keras 3.

    Returns:
        The tensor.

    Raises:
        ValueError: neither shape is given, one is not a sequence of sizes, or `tensor` has another
            shape or dtype.
        TypeError: `tensor` is none.

    Example:
        >>> Input(shape=(32,), name="pixels")
        <pixels = input: f32[batch, 32]>
    """
    if isinstance(batch_shape, int):
        batch_size, batch_shape = batch_shape, None
    if tensor is not None:
        return _checked_tensor(tensor, shape, batch_shape, dtype)
    if shape is None and batch_shape is None:
        raise ValueError(
            "Please provide to Input either a `shape` or a `batch_shape` argument. "
            "Note that `shape` does not include the batch dimension."
        )
    layer = InputLayer(
        input_shape=shape,
        batch_size=batch_size,
        batch_input_shape=batch_shape,
        dtype=dtype or config.floatx(),
        sparse=sparse,
        name=name,
        ragged=ragged,
        optional=optional,
    )
    return layer.output


def _checked_tensor(tensor: Any, shape: Any, batch_shape: Any, dtype: Any) -> Node:
    """The tensor, if it is one and what else is said of it is true."""
    if not isinstance(tensor, Node):
        raise TypeError(
            explain(
                "Input: `tensor` is no symbolic tensor",
                expected="the output of a layer, an Input, or what kgraph.backend makes of these",
                got=type(tensor).__name__,
                hint="an array or a variable becomes one by kgraph.backend.identity",
            )
        )
    known = tensor._keras_shape
    given = known if shape is None else (known[0], *_checked_shape(shape))
    given = given if batch_shape is None else _checked_shape(batch_shape)
    unlike = [a for a, b in zip(given, known) if None not in (a, b) and a != b]
    if len(given) != len(known) or unlike or (dtype or tensor.dtype) != tensor.dtype:
        raise ValueError(
            explain(
                "Input: `tensor` is not what the other arguments say",
                expected=f"shape {given}, dtype {dtype or tensor.dtype}",
                got=tensor.type,
            )
        )
    return tensor


def _checked_shape(shape: Any) -> tuple[int | None, ...]:
    if isinstance(shape, (tuple, list)) and all(_is_size(d) for d in shape):
        return tuple(None if d is None else int(d) for d in shape)
    raise ValueError(
        explain(
            f"Cannot convert {shape!r} to a shape",
            expected="a tuple of sizes, None for unknown",
            hint="a single axis is written with a comma: shape=(784,)",
        )
    )


def _is_size(value: Any) -> bool:
    if value is None:
        return True
    return not isinstance(value, bool) and hasattr(value, "__index__") and int(value) >= 0


def _dims(name: str, shape: Sequence[int | None]) -> tuple[int | Dim, ...]:
    """Symbols for the unknown sizes: `batch` for the first axis, `<input>_<axis>` for others."""
    prefix = re.sub(r"\W", "_", name)
    prefix = prefix if prefix.isidentifier() else f"_{prefix}"
    symbols = ["batch" if axis == 0 else f"{prefix}_{axis}" for axis in range(len(shape))]
    return tuple(Dim.symbol(s) if d is None else d for s, d in zip(symbols, shape, strict=True))
