"""Attention of several heads, each with projections of its own.

Queries, keys and values are one matrix product each; the heads are views of it, and only the joined
result of the heads is a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.dim import product
from kgraph.layers.arguments import positive_int
from kgraph.layers.heads import HeadAttention, Shape, check_lengths
from kgraph.layers.scores import fitted, weights_of


class MultiHeadAttention(HeadAttention):
    """Attention of several heads: projected queries weight projected values by projected keys.

    Called on a query (batch, queries, dim), a value (batch, keys, dim) and perhaps a key, which is
    the value unless given. `call` also takes `query_mask`, `value_mask`, `key_mask` (by default the
    masks of these tensors), `attention_mask` (which keys each query may see, shape
    (batch, queries, keys) or with the heads before the queries), `use_causal_mask` (no query sees a
    key behind its own place) and `return_attention_scores` (the weights are a second output, shape
    (batch, heads, queries, keys)). The mask of the output is the query's.

    Args:
        num_heads: number of heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; default `key_dim`.
        dropout: the part of the weights to drop while training.
        use_bias: whether the projections have biases.
        output_shape: size or sizes of the output's last axes; default that of the query.
        attention_axes: the axes of positions, default all between the batch and the last.
        sliding_window: a query sees keys that are less than this many places away; default all.
        flash_attention: only None or False.
        kernel_initializer: initial values of the projections, (dim, heads, size).
        bias_initializer: initial values of the biases, (heads, size).
        kernel_regularizer: penalty on each projection.
        bias_regularizer: penalty on each bias.
        activity_regularizer: penalty on each projection's output, divided by the batch size.
        kernel_constraint: of each projection after each update.
        bias_constraint: of each bias after each update.
        use_gate: whether a sigmoid of another projection of the query multiplies the result.
        seed: of the dropout.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument is none of these, or value and key are not of one length.

    Example:
        >>> import numpy as np
        >>> layer, x = MultiHeadAttention(num_heads=2, key_dim=3), np.ones((1, 5, 4), "float32")
        >>> y, weights = layer(x, x, return_attention_scores=True)
        >>> y.shape, weights.shape
        ((1, 5, 4), (1, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            dropout, use_bias, sliding_window, flash_attention, kernel_initializer,
            bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, use_gate, seed, **kwargs,
        )  # fmt: skip
        self.num_heads = positive_int("num_heads", num_heads)
        self.key_dim = positive_int("key_dim", key_dim)
        self.value_dim = positive_int("value_dim", value_dim or key_dim)
        self._output_shape = _as_tuple(output_shape)
        self.attention_axes = _as_tuple(attention_axes)

    def build(  # type: ignore[override]  # one shape for each tensor
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        check_lengths(value_shape, key_shape)
        keys, values = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        # Keras's order, which is that of the weights.
        into = "...x,xhk->...hk"
        self.query_dense = self.projection("query", into, keys, query_shape)
        self.key_dense = self.projection("key", into, keys, key_shape)
        if self.use_gate:
            self.gate_dense = self.projection("gate", into, values, query_shape, "sigmoid")
        self.value_dense = self.projection("value", into, values, value_shape)
        sizes = self._output_shape or query_shape[-1:]
        out = "abcdefg"[: len(sizes)]
        equation = f"...hk,hk{out}->...{out}"
        joined_shape = (*query_shape[:-1], *values)
        self.output_dense = self.projection("attention_output", equation, sizes, joined_shape)
        self.built = True

    def call(  # type: ignore[override]  # several tensors
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        axes = self._axes(query.ndim)
        masks = (query_mask, value_mask, key_mask)
        key = value if key is None else key
        value = fitted(value, (*key.shape[:-1], value.shape[-1]))
        if len(axes) == 1:
            lengths = query.shape[axes[0]], key.shape[axes[0]]
            seen = self.seen(lengths, masks, attention_mask, use_causal_mask)
        else:
            seen = self._seen_from_several(masks, attention_mask, use_causal_mask)
        if seen is not None:
            seen = self._spread(seen, query, key, axes)
        gate = self.gate_dense(query) if self.use_gate else None
        heads = self.query_dense(query) * (1.0 / math.sqrt(self.key_dim))
        keys, values = self.key_dense(key), self.value_dense(value)
        scores = ops.matmul(_split(heads, axes), ops.swapaxes(_split(keys, axes), -1, -2))
        zeros = return_attention_scores or self.dropout > 0 or query.ndim != 3
        weights = weights_of(scores, seen, zeros)
        dropped = self._dropout_layer(weights, training=training)
        outputs = _merge(ops.matmul(dropped, _split(values, axes)), query.shape[:-1], axes)
        outputs = self.output_dense(outputs if gate is None else outputs * gate)
        if not return_attention_scores:
            return outputs
        places = (query.shape[a] for a in axes), (key.shape[a] for a in axes)
        return outputs, ops.reshape(weights, (*weights.shape[:-2], *places[0], *places[1]))

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The axes of positions, counted from the front."""
        given = self.attention_axes or tuple(range(1, rank - 1))
        return tuple(a if a >= 0 else rank + a for a in given)

    def _seen_from_several(self, masks: Sequence[Any], given: Any, causal: bool) -> Any:
        """The caller's mask; masks of one axis of positions say nothing about several."""
        if causal or self.sliding_window or any(m is not None for m in masks):
            raise ValueError(
                explain(
                    f"MultiHeadAttention layer {self.name} attends over several axes",
                    expected="an attention_mask of shape (batch, *queries, *keys)",
                    got="a causal mask, a sliding window, or a mask of query, value or key",
                    hint="reshape the inputs to one axis of positions",
                )
            )
        return given

    def _spread(self, seen: Any, query: Any, key: Any, axes: tuple[int, ...]) -> Any:
        """The mask with axes of size 1 for the heads and what else it does not have."""
        lead = [d for a, d in enumerate(query.shape[:-1]) if a not in axes]
        places = [query.shape[a] for a in axes], [key.shape[a] for a in axes]
        shape = (*lead, self.num_heads, *places[0], *places[1])
        own = max(len(seen.shape) - 2 * len(axes), 0)
        missing = tuple(range(own, len(shape) - 2 * len(axes)))
        seen = fitted(ops.expand_dims(seen, missing) if missing else seen, shape)
        if len(axes) == 1:
            return seen
        sizes = seen.shape[: -2 * len(axes)]
        whole = ops.broadcast_to(seen, (*sizes, *places[0], *places[1]))
        return ops.reshape(whole, (*sizes, product(places[0]), product(places[1])))

    def compute_output_shape(  # type: ignore[override]  # as build
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        check_lengths(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": self._output_shape,
            "attention_axes": self.attention_axes,
        }


def _as_tuple(sizes: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if sizes is None or isinstance(sizes, int):
        return None if sizes is None else (sizes,)
    return tuple(sizes)


def _split(x: Any, axes: tuple[int, ...]) -> Any:
    """(batch, *places, heads, size) as (batch, heads, place, size)."""
    lead = [a for a in range(x.ndim - 2) if a not in axes]
    apart = ops.transpose(x, (*lead, x.ndim - 2, *axes, x.ndim - 1))
    if len(axes) == 1:
        return apart
    places = product(x.shape[a] for a in axes)
    return ops.reshape(apart, (*apart.shape[: len(lead) + 1], places, x.shape[-1]))


def _merge(x: Any, shape: Sequence[Any], axes: tuple[int, ...]) -> Any:
    """The way back: (batch, heads, place, size) as (*shape, heads, size)."""
    lead = [a for a in range(len(shape)) if a not in axes]
    if len(axes) > 1:
        x = ops.reshape(x, (*x.shape[:-2], *(shape[a] for a in axes), x.shape[-1]))
    order = [*lead, len(shape), *axes, len(shape) + 1]
    return ops.transpose(x, tuple(order.index(a) for a in range(len(order))))
