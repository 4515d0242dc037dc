"""Layers that make ones among zeros of class ids, and class ids of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.base import Layer
from kgraph.layers.preprocessing import as_float, plain

_ENCODINGS = ("one_hot", "multi_hot", "count")


class CategoryEncoding(Layer):
    """Turns class ids into ones among zeros; an id outside of the range gives only zeros.

    Args:
        num_tokens: number of classes.
        output_mode: "one_hot" gives each id a row, in place of a last axis of size 1 or after all
            axes; "multi_hot" gives the ids along the last axis one row; "count" counts there.
        **kwargs: what every layer takes.

    Raises:
        ValueError: there are no classes, or the mode is unknown.

    Example:
        >>> CategoryEncoding(4, "count")(np.array([[0, 1, 1], [3, 3, 3]])).tolist()
        [[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0]]
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_tokens is None or num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}.")
        self.num_tokens, self.output_mode = int(num_tokens), _checked_mode(output_mode, _ENCODINGS)

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "`count_weights` is not used when `output_mode` is not `'count'`. "
                f"Received `count_weights={count_weights}`."
            )
        return _encode(self, inputs, self.num_tokens, count_weights)

    def get_config(self) -> dict[str, Any]:
        config = {"num_tokens": self.num_tokens, "output_mode": self.output_mode}
        return {**super().get_config(), **config}


class Discretization(Layer):
    """Turns numbers into the ids of the bins that they lie in.

    Bin i holds the numbers from boundary i - 1 on, up to boundary i and without it.

    Args:
        bin_boundaries: rising numbers; one bin more than there are of them.
        num_bins: number of bins that `adapt` finds boundaries for.
        epsilon: accepted for Keras 3, whose boundaries are approximate; here they are exact.
        output_mode: "int" for ids, or a mode of CategoryEncoding.
        **kwargs: what every layer takes.

    Raises:
        ValueError: not exactly one of bin_boundaries and num_bins is given, or the mode is unknown.

    Example:
        >>> Discretization([0.0, 1.0])(np.array([-1.5, 0.0, 3.4], "float32")).tolist()
        [0, 1, 2]
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        **kwargs: Any,
    ) -> None:
        self.output_mode = _checked_mode(output_mode, ("int", *_ENCODINGS))
        if kwargs.get("dtype") is None and output_mode == "int":
            kwargs["dtype"] = "int64"
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                "You need to set either `num_bins` or `bin_boundaries`, and not both. "
                f"Received: num_bins={num_bins}, bin_boundaries={bin_boundaries}"
            )
        self.bin_boundaries, self.num_bins = plain(bin_boundaries), num_bins
        self.epsilon = epsilon

    def adapt(self, data: Any) -> None:
        """Sets the boundaries to the quantiles of data.

        Args:
            data: an array, or arrays that are its batches.

        Raises:
            ValueError: the boundaries were given, or the layer has been called.

        Example:
            >>> layer = Discretization(num_bins=4)
            >>> layer.adapt(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]))
            >>> layer.bin_boundaries
            [0.0, 0.5, 1.3]
        """
        if self.num_bins is None or self._inbound_nodes or self._eager:
            reason = "has boundaries already" if self.num_bins is None else "has been called"
            raise ValueError(f"Layer {self.name} cannot adapt: it {reason}.")
        batches = [data] if isinstance(data, np.ndarray) else [np.asarray(part) for part in data]
        values = np.concatenate([part.ravel() for part in batches])
        wanted = np.arange(1, self.num_bins) / self.num_bins
        self.bin_boundaries = np.quantile(values, wanted, method="inverted_cdf").tolist()

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            raise ValueError(f"Layer {self.name} has no boundaries yet: call `adapt` first.")
        x = as_float(inputs, self)
        below = ops.less(ops.expand_dims(x, -1), np.array(self.bin_boundaries, x.dtype))
        ids = len(self.bin_boundaries) - ops.sum(ops.cast(below, "int32"), axis=-1)
        if self.output_mode == "int":
            return ops.cast(ids, self.dtype)
        return _encode(self, ids, len(self.bin_boundaries) + 1, None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins if self.bin_boundaries is None else None,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
        }


def _checked_mode(mode: str, known: Sequence[str]) -> str:
    mode = "multi_hot" if mode == "binary" else mode
    if mode not in known:
        raise ValueError(
            f"Unknown arg for output_mode: {mode}. Expected one of: {', '.join(known)}"
        )
    return mode


def _encode(layer: Any, inputs: Any, depth: int, count_weights: Any) -> Any:
    """Ids as ones among zeros, in the layer's mode."""
    ids = ops.cast(inputs, "int32") if inputs.type.is_float else inputs
    if layer.output_mode == "one_hot":
        if ids.ndim > 1 and ids.shape[-1] == 1:
            ids = ops.squeeze(ids, -1)
        return ops.one_hot(ids, depth, dtype=layer.dtype)
    if ids.ndim < 2:
        raise ValueError(
            explain(
                f"Layer {layer.name}: output_mode {layer.output_mode!r} joins the ids of a sample",
                expected="inputs of shape (batch, ..., ids)",
                got=f"{inputs.type}",
                hint='use output_mode="one_hot" for one id a sample',
            )
        )
    rows = ops.one_hot(ids, depth, dtype=layer.dtype)
    if layer.output_mode == "multi_hot":
        return ops.max(rows, axis=-2)
    if count_weights is not None:
        rows = rows * ops.expand_dims(ops.cast(count_weights, layer.dtype), -1)
    return ops.sum(rows, axis=-2)
