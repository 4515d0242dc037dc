"""Attention in which several heads of queries share one head of keys and values."""

from __future__ import annotations

import math
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.arguments import positive_int
from kgraph.layers.heads import HeadAttention, Shape, check_lengths
from kgraph.layers.scores import fitted, weights_of


class GroupQueryAttention(HeadAttention):
    """Attention of several heads of queries that share fewer heads of keys and values.

    Inputs, masks and what else `call` takes are those of `MultiHeadAttention`.

    Args:
        head_dim: size of a head.
        num_query_heads: number of heads of queries.
        num_key_value_heads: number of heads of keys and values, a divisor of the former.
        dropout: the part of the weights to drop while training.
        use_bias: whether the projections have biases.
        sliding_window: a query sees keys that are less than this many places away; default all.
        flash_attention: only None or False.
        kernel_initializer: initial values of the projections, (dim, heads, head_dim).
        bias_initializer: initial values of the biases, (heads, head_dim).
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
        >>> layer, x = GroupQueryAttention(3, 4, 2), np.ones((1, 5, 8), "float32")
        >>> layer(x, x).shape
        (1, 5, 8)
        >>> [w.shape for w in layer.weights if "kernel" in w.name]
        [(8, 4, 3), (8, 2, 3), (8, 2, 3), (4, 3, 8)]
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
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
        self.head_dim = positive_int("head_dim", head_dim)
        self.num_query_heads = positive_int("num_query_heads", num_query_heads)
        self.num_key_value_heads = positive_int("num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(
                explain(
                    "`num_query_heads` must be divisible by `num_key_value_heads`.",
                    got=f"num_query_heads={num_query_heads}, "
                    f"num_key_value_heads={num_key_value_heads}",
                    where=f"GroupQueryAttention layer {self.name}",
                )
            )

    def build(  # type: ignore[override]  # one shape for each tensor
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        check_lengths(value_shape, key_shape)
        many, few = (
            (count, self.head_dim) for count in (self.num_query_heads, self.num_key_value_heads)
        )
        # Keras's order, which is that of the weights.
        into = "...x,xhk->...hk"
        self.query_dense = self.projection("query", into, many, query_shape)
        self.key_dense = self.projection("key", into, few, key_shape)
        if self.use_gate:
            self.gate_dense = self.projection("gate", into, many, query_shape, "sigmoid")
        self.value_dense = self.projection("value", into, few, value_shape)
        self.output_dense = self.projection(
            "attention_output", "...hk,hka->...a", query_shape[-1:], (*query_shape[:-1], *many)
        )
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
        key = value if key is None else key
        value = fitted(value, (*key.shape[:-1], value.shape[-1]))
        batch, length, _ = query.shape
        masks = (query_mask, value_mask, key_mask)
        seen = self.seen((length, key.shape[1]), masks, attention_mask, use_causal_mask)
        gate = self.gate_dense(query) if self.use_gate else None
        # (batch, shared head, head of its group, place, size): keys and values have one a group.
        heads = self._grouped(self.query_dense(query) * (1.0 / math.sqrt(self.head_dim)))
        keys, values = self._grouped(self.key_dense(key)), self._grouped(self.value_dense(value))
        scores = ops.matmul(heads, ops.swapaxes(keys, -1, -2))
        if seen is not None:
            seen = self._spread(seen, (batch, self.num_query_heads, length, key.shape[1]))
        weights = weights_of(scores, seen, return_attention_scores or self.dropout > 0)
        outputs = ops.matmul(self._dropout_layer(weights, training=training), values)
        outputs = ops.transpose(outputs, (0, 3, 1, 2, 4))
        outputs = ops.reshape(outputs, (batch, length, self.num_query_heads, self.head_dim))
        outputs = self.output_dense(outputs if gate is None else outputs * gate)
        if not return_attention_scores:
            return outputs
        shape = (batch, self.num_query_heads, *weights.shape[-2:])
        return outputs, ops.reshape(weights, shape)

    def _grouped(self, x: Any) -> Any:
        """(batch, places, heads, size) as (batch, shared heads, heads a group, places, size)."""
        shared = self.num_key_value_heads
        shape = (*x.shape[:2], shared, x.shape[2] // shared, self.head_dim)
        return ops.transpose(ops.reshape(x, shape), (0, 2, 3, 1, 4))

    def _spread(self, seen: Any, shape: tuple[Any, ...]) -> Any:
        """The mask with an axis for the shared heads and one for the heads of a group."""
        if seen.ndim == 4:
            seen = fitted(seen, shape)
            if seen.shape[1] != 1:
                groups = (self.num_key_value_heads, shape[1] // self.num_key_value_heads)
                return ops.reshape(seen, (seen.shape[0], *groups, *seen.shape[2:]))
            return ops.expand_dims(seen, 1)
        if seen.ndim == 3:
            return ops.expand_dims(fitted(seen, (shape[0], *shape[2:])), (1, 2))
        return fitted(seen, shape)

    def compute_output_shape(  # type: ignore[override]  # as build
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        check_lengths(value_shape, value_shape if key_shape is None else key_shape)
        return query_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }
