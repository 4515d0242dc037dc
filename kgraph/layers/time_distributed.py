"""TimeDistributed: a layer applied to every time step."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.call_shapes import call_parameters
from kgraph.layers.structure import map_structure
from kgraph.layers.wrapper import Wrapper

Shape = tuple[int | None, ...]


class TimeDistributed(Wrapper):
    """Applies a layer to each time step of inputs of shape (batch, time, ...).

    The steps become rows of one large batch, so that the layer runs once.

    Args:
        layer: the layer, which must treat the rows of its batch alike.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the inputs have no axis of time.

    Example:
        >>> import numpy as np
        >>> from kgraph.layers import Dense
        >>> TimeDistributed(Dense(3))(np.ones((2, 5, 4), "float32")).shape
        (2, 5, 3)
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking, self.stateful = True, layer.stateful

    def build(self, input_shape: Shape) -> None:
        self._check_rank(input_shape)
        self.build_inner(self.layer, _rows_shape(input_shape))
        self.built = True

    def _check_rank(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise ValueError(
                explain(
                    "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 "
                    f"dimensions, received: {shape}",
                    expected="(batch, time, ...)",
                    where=f"layer {self.name}",
                )
            )

    def compute_output_shape(self, input_shape: Shape) -> Any:
        self._check_rank(input_shape)
        inner = self.layer.compute_output_shape(_rows_shape(input_shape))

        def with_time(shape: Shape) -> Shape:
            return (input_shape[0], input_shape[1], *shape[1:])

        return [with_time(s) for s in inner] if isinstance(inner, list) else with_time(inner)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        lead = inputs.shape[:2]
        known = call_parameters(type(self.layer).call)
        named = {"training": training} if "training" in known else {}
        if mask is not None and "mask" in known:
            named["mask"] = _as_rows(mask)
        outputs = self.layer(_as_rows(inputs), **named)
        return map_structure(lambda y: ops.reshape(y, (*lead, *y.shape[1:])), outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The layer's mask of every step; else that a step has anything that is not masked."""
        rows = None if mask is None else _as_rows(mask)
        inner = self.layer.compute_mask(_as_rows(inputs), rows)
        if inner is not None and not isinstance(inner, (list, tuple)):
            return ops.reshape(inner, (*inputs.shape[:2], *inner.shape[1:]))
        if mask is None or mask.ndim == 2:
            return mask
        return ops.any(mask, axis=tuple(range(2, mask.ndim)))

    def reset_states(self, states: Any = None) -> None:
        """Sets the states of the layer inside back to zeros, or to the given values."""
        self.layer.reset_states(states)


def _rows_shape(shape: Shape) -> Shape:
    """(batch, time, ...) as (rows, ...)."""
    batch, time, *rest = shape
    return (None if batch is None or time is None else batch * time, *rest)


def _as_rows(x: Any) -> Any:
    """(batch, time, ...) as (batch * time, ...)."""
    batch, time, *rest = x.shape
    return ops.reshape(x, (batch * time, *rest))
