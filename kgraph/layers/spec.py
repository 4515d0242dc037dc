"""What a layer requires of its inputs' ranks, sizes and dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.layers.node import keras_shape


class InputSpec:
    """A requirement on one input of a layer.

    Args:
        dtype: element type.
        shape: sizes, None for any; the first is the batch.
        ndim: number of axes.
        max_ndim: largest number of axes.
        min_ndim: smallest number of axes.
        axes: axis -> size.

    Example:
        >>> InputSpec(min_ndim=2, axes={-1: 10})
        InputSpec(min_ndim=2, axes={-1: 10})
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}

    def __repr__(self) -> str:
        parts = [f"{key}={value!r}" for key, value in vars(self).items() if value]
        return f"InputSpec({', '.join(parts)})"

    def complaint(self, shape: tuple[int | None, ...], dtype: str) -> str | None:
        """What is wrong with an input, in Keras's words, or None."""
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}"
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtype}"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return (
                    f"expected axis {axis} of input shape to have value {size} "
                    f"but got shape {shape}"
                )
        for required, found in zip(self.shape or (), shape):
            if None not in (required, found) and required != found:
                return f"expected shape={self.shape}, found shape={shape}"
        return None


def check_inputs(layer: Any, inputs: Sequence[Node]) -> None:
    """Compares the inputs of a call with the layer's `input_spec`.

    Raises:
        ValueError: an input does not fit.
    """
    spec = layer.input_spec
    if spec is None:
        return
    specs = list(spec) if isinstance(spec, (list, tuple)) else [spec]
    if len(specs) != len(inputs):
        raise ValueError(
            f"Layer {layer.name} expects {len(specs)} inputs, but it received {len(inputs)} "
            f"input tensors. Input received: {list(inputs)}"
        )
    check_shapes(layer.name, specs, inputs)


def check_shapes(name: str, specs: Sequence[InputSpec | None], inputs: Sequence[Node]) -> None:
    """Compares tensors with as many requirements of the layer called `name`.

    Raises:
        ValueError: a tensor does not fit.
    """
    for i, (one, node) in enumerate(zip(specs, inputs, strict=True)):
        complaint = one.complaint(keras_shape(node), node.dtype) if one is not None else None
        if complaint:
            raise ValueError(
                explain(
                    f"Input {i} is incompatible with layer {name}: {complaint}",
                    got=f"{node.name}: {node.type}",
                    where=node.origin.where,
                )
            )
