"""Attention: values averaged by how well their keys fit the queries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ops.comparison import logical_and
from kgraph.ops.composite.creation import band
from kgraph.ops.composite.operands import floats, known, tensor
from kgraph.ops.einsum import einsum
from kgraph.ops.elementwise import add, divide, multiply, tanh
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import shape_of
from kgraph.ops.softmax import softmax


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """softmax(scale query key^T + bias) value, for each head by itself.

    Args:
        query: shape (batch, steps, heads, depth).
        key: shape (batch, others, heads, depth).
        value: shape (batch, others, heads, size).
        bias: what is added to the scores, broadcasting with (batch, heads, steps, others).
        mask: bools that broadcast with it; a key counts where they hold.
        scale: default 1 / sqrt(depth).
        is_causal: whether a step sees no later ones.
        flash_attention: must not be True: there is one way to compute attention here.
        attn_logits_soft_cap: scores become cap * tanh(score / cap).

    Returns:
        Shape (batch, steps, heads, size).

    Raises:
        InferenceError: flash attention is asked for, or operands do not have four axes.

    Example:
        >>> x = np.ones((1, 3, 2, 4), "float32")
        >>> dot_product_attention(x, x, x).shape
        (1, 3, 2, 4)
    """
    query, key, value = floats(query), floats(key), floats(value)
    ranks = [len(shape_of(x)) for x in (query, key, value)]
    if ranks != [4, 4, 4] or flash_attention:
        raise InferenceError(
            explain("dot_product_attention: needs three tensors (batch, steps, heads, depth), and "
                    "flash_attention=None or False", got=f"{ranks} axes, {flash_attention}")
        )  # fmt: skip
    depth = known("dot_product_attention", shape_of(query)[-1])
    scores = einsum("btnh,bsnh->bnts", query, key)
    scores = multiply(scores, 1 / math.sqrt(depth) if scale is None else scale)
    scores = scores if bias is None else add(scores, bias)
    if attn_logits_soft_cap is not None:
        scores = multiply(tanh(divide(scores, attn_logits_soft_cap)), attn_logits_soft_cap)
    seen = None if mask is None else cast(tensor(mask), "bool")
    if is_causal:
        past = band(shape_of(query)[1], shape_of(key)[1], 0)
        seen = past if seen is None else logical_and(seen, past)
    if seen is not None:
        # As far away as the dtype allows; a row that sees nothing takes the mean of all values.
        scores = where(seen, scores, 0.7 * float(np.finfo(str(scores.dtype)).min))
    return einsum("bnts,bsnh->btnh", softmax(scores, -1), value)
