"""Attention of one head without projections: by products of queries and keys, or by sums.

`multi_head.py` and `group_query.py` have the layers with projections, under Keras's path too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.layers.base import Layer
from kgraph.layers.core import Dropout
from kgraph.layers.group_query import GroupQueryAttention
from kgraph.layers.multi_head import MultiHeadAttention
from kgraph.layers.scores import causal_mask, fitted, joined, large

__all__ = ["AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"]


class Attention(Layer):
    """Weights values by how well their keys match each query.

    Called on [query, value] or [query, value, key]; shapes (batch, queries, dim) and
    (batch, keys, dim). The key is the value unless it is given. Masks are [query mask, value mask]:
    masked values get no weight, masked queries zeros. `call` also takes
    `return_attention_scores` (the weights are a second output, shape (batch, queries, keys)) and
    `use_causal_mask` (no query sees a key behind its own place).

    Args:
        use_scale: whether a trained number multiplies the scores, or the sums in mode "concat".
        score_mode: "dot" for `query @ key`, "concat" for `weight * sum(tanh(query + key))`.
        dropout: the part of the weights to drop while training.
        seed: of the dropout.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument is none of these, or the layer is not called on 2 or 3 tensors.

    Example:
        >>> import numpy as np
        >>> query, value = np.zeros((1, 1, 2), "float32"), np.array([[[1.0, 3.0], [3.0, 5.0]]])
        >>> Attention()([query, value]).tolist()
        [[[2.0, 4.0]]]
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. "
                f"Received: score_mode={score_mode}"
            )
        self.use_scale, self.score_mode = use_scale, score_mode
        self.dropout, self.seed = dropout, seed
        self._dropout_layer = Dropout(dropout, seed=seed, dtype=self.dtype)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight("scale", (), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                "concat_score_weight", (), initializer="ones"
            )
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check_inputs(inputs, mask)
        query, value, key = (*inputs, inputs[1])[:3]
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        value = fitted(value, (*value.shape[:-2], key.shape[-2], value.shape[-1]))
        scores = self.scores(query, key)
        seen = joined(
            None if value_mask is None else ops.expand_dims(value_mask, -2),
            causal_mask(*scores.shape[-2:]) if use_causal_mask else None,
        )
        if seen is not None:
            scores = scores + ops.where(seen, 0.0, ops.cast(-large(scores.dtype), scores.dtype))
        weights = ops.softmax(scores)
        outputs = ops.matmul(self._dropout_layer(weights, training=training), value)
        if query_mask is not None:
            outputs = ops.where(ops.expand_dims(query_mask, -1), outputs, 0.0)
        return (outputs, weights) if return_attention_scores else outputs

    def scores(self, query: Any, key: Any) -> Any:
        """How well each key matches each query, shape (batch, queries, keys)."""
        if self.score_mode == "dot":
            if self.scale is not None:
                query = query * self.scale
            return ops.matmul(query, ops.swapaxes(key, -2, -1))
        sums = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        if self.scale is not None:
            sums = sums * self.scale
        return ops.sum(ops.tanh(sums), axis=-1) * self.concat_score_weight

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def _check_inputs(self, inputs: Any, mask: Any = None) -> None:
        kind = type(self).__name__
        if not isinstance(inputs, Sequence) or not 2 <= len(inputs) <= 3:
            raise ValueError(
                f"{kind} layer must be called on a list of inputs, namely [query, value] or "
                f"[query, value, key]. Received: inputs={inputs}."
            )
        if mask is not None and (not isinstance(mask, Sequence) or not 2 <= len(mask) <= 3):
            raise ValueError(
                f"{kind} layer mask must be a list, namely [query_mask, value_mask]. "
                f"Received: mask={mask}."
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class AdditiveAttention(Attention):
    """Attention whose scores are `sum(scale * tanh(query + key))`, also called Bahdanau's.

    Inputs, masks and what else `call` takes are those of `Attention`.

    Args:
        use_scale: whether a trained vector multiplies the features; else they count alike.
        dropout: the part of the weights to drop while training.
        seed: of the dropout.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the layer is not called on 2 or 3 tensors.

    Example:
        >>> import numpy as np
        >>> query, value = np.ones((1, 3, 2), "float32"), np.ones((1, 5, 2), "float32")
        >>> AdditiveAttention()([query, value]).shape
        (1, 3, 2)
    """

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight("scale", input_shape[0][-1:], initializer="glorot_uniform")
        self.built = True

    def scores(self, query: Any, key: Any) -> Any:
        """How well each key matches each query, shape (batch, queries, keys)."""
        curved = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        if self.scale is not None:
            curved = curved * self.scale
        return ops.sum(curved, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "score_mode"}
