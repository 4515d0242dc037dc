"""What attention layers with heads share: arguments, projections, masks, and the weights of values.

A query that may see no key gets the mean of all values. Where Keras goes through its softmax layer
(with dropout, with scores returned, with more than one axis of positions) such a query gets zeros;
so it does here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.layers.base import Layer
from kgraph.layers.core import Dropout
from kgraph.layers.einsum_dense import EinsumDense
from kgraph.layers.scores import causal_mask, fitted, joined, window_mask

Shape = tuple[int | None, ...]


class HeadAttention(Layer):
    """The base of the attention layers with heads: all that grouping does not change."""

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_options(self, flash_attention, sliding_window)
        self.dropout, self.use_bias, self.use_gate = dropout, use_bias, use_gate
        self.sliding_window, self.seed = sliding_window, seed
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        # Of the projections' outputs, as in Keras, so not under the name that `Layer` acts on.
        self._activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._dropout_layer = Dropout(dropout, seed=seed, dtype=self.dtype)
        self.supports_masking = True

    def projection(
        self,
        name: str,
        equation: str,
        sizes: Sequence[int | None],
        input_shape: Shape,
        activation: str | None = None,
    ) -> EinsumDense:
        """Makes and builds one of the inner layers; its bias runs along all that is new."""
        layer = EinsumDense(
            equation,
            sizes,
            activation,
            equation.rpartition("...")[2] if self.use_bias else None,
            self.kernel_initializer,
            self.bias_initializer,
            self.kernel_regularizer,
            self.bias_regularizer,
            self._activity_regularizer,
            self.kernel_constraint,
            self.bias_constraint,
            name=name,
            dtype=self.dtype,
        )
        self.build_inside(layer, input_shape)
        return layer

    def seen(self, lengths: tuple[Any, Any], masks: Sequence[Any], given: Any, causal: bool) -> Any:
        """Which keys each query may see: bools that end in (queries, keys), or None.

        Args:
            lengths: numbers of queries and of keys.
            masks: of queries, values and keys, each (batch, length) or None.
            given: the caller's mask, or None.
            causal: whether keys behind a query are hidden.
        """
        queries, keys = lengths
        query_mask, *key_masks = masks
        parts = [ops.expand_dims(fitted(m, (keys,)), -2) for m in key_masks if m is not None]
        if query_mask is not None:
            parts.append(ops.expand_dims(fitted(query_mask, (queries,)), -1))
        if causal:
            parts.append(causal_mask(queries, keys))
        if self.sliding_window is not None:
            parts.append(window_mask(queries, keys, self.sliding_window))
        own = joined(*parts)
        if given is None or own is None:
            return own if given is None else joined(given)
        given = fitted(given, lengths)
        # The caller's mask may have an axis for heads, before the queries.
        own = ops.expand_dims(own, 1) if own.ndim == 3 and given.ndim == 4 else own
        return joined(given, own)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "seed": self.seed,
        }


def check_lengths(value_shape: Shape, key_shape: Shape) -> None:
    """Refuses values and keys that do not pair."""
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            "All dimensions of `value` and `key`, except the last one, must be equal. "
            f"Received: value_shape={value_shape} and key_shape={key_shape}"
        )


def _check_options(layer: Layer, flash_attention: bool | None, sliding_window: Any) -> None:
    if flash_attention:
        raise ValueError(
            explain(
                f"{type(layer).__name__} layer {layer.name}: there is no flash attention",
                expected="flash_attention=None or False",
                got=f"flash_attention={flash_attention}",
                hint="the result is the same without it",
            )
        )
    if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window <= 0):
        raise ValueError(
            "`sliding_window` must be `None` or a positive integer. "
            f"Received: sliding_window={sliding_window}"
        )
