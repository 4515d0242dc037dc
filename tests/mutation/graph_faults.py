"""Mutants of graphs and gradients: interning, differentiation, kernels of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mutants import mutant

from kgraph import ops
from kgraph.ir import attributes, node
from kgraph.ir.attributes import Constant
from kgraph.ops import extremes
from kgraph.ops.gradients import StopGradient
from kgraph.ops.indexing import ScatterAdd
from kgraph.ops.relu import ReluGrad
from kgraph.runtime import autodiff

GRADIENTS = ("runtime/test_autodiff.py", "runtime/test_autodiff_jax.py")


@mutant("constants-merged-by-value", "ir/test_interning.py", "passes/test_rules_exact.py")
def constants_merged_by_value() -> None:
    """0.0 and -0.0 become one node."""
    original = Constant.__init__

    def init(self: Any, array: np.ndarray) -> None:
        original(self, array)
        positive = np.where(self.array == 0, 0, self.array).astype(self.array.dtype)
        self._key = (self.array.dtype.str, self.array.shape, positive.tobytes())

    Constant.__init__ = init


@mutant("attributes-compared-by-value", "ir/test_interning.py")
def attributes_compared_by_value() -> None:
    """1, True and 1.0 become one attribute."""

    def key(value: Any) -> Any:
        return tuple(map(key, value)) if isinstance(value, tuple) else value

    attributes.attribute_key = node.attribute_key = key


@mutant("dropped-cotangent", *GRADIENTS)
def dropped_cotangent() -> None:
    autodiff._accumulate = lambda table, node, g: table.setdefault(node, g)


@mutant("broadcast-sum-missing", *GRADIENTS)
def broadcast_sum_missing() -> None:
    """The first of the stretched cotangents instead of their sum."""

    def first(g: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return ops.max(g, axis=axis, keepdims=keepdims)

    autodiff.reduce_sum = first


@mutant("stop-gradient-lets-through", *GRADIENTS, "ops/test_every_op.py")
def stop_gradient_lets_through() -> None:
    StopGradient.vjp = lambda self, g, y, *inputs, **attrs: (g,)


@mutant("relu-slope-one-at-zero", "ops/test_nn.py", "ops/test_every_op.py")
def relu_slope_one_at_zero() -> None:
    def specialize(
        self: Any, inputs: Sequence[Any], outputs: Sequence[Any], attrs: Mapping[str, Any]
    ) -> Any:
        return lambda g, y, out, mask: np.copyto(out, np.where(y >= 0, g, 0))

    ReluGrad.specialize = specialize


@mutant("ties-of-maximum-counted-twice", "ops/test_elementwise_jax.py", "ops/test_elementwise.py")
def ties_counted_twice() -> None:
    extremes.share = lambda g, wins, ties: ops.where(wins, g, ops.where(ties, g, 0))


@mutant("duplicate-ids-not-accumulated", "ops/test_indexing.py", "ops/test_every_op.py")
def duplicate_ids_not_accumulated() -> None:
    def specialize(
        self: Any, inputs: Sequence[Any], outputs: Sequence[Any], attrs: Mapping[str, Any]
    ) -> Any:
        axis = attrs["axis"]

        def scatter(
            x: np.ndarray, ids: np.ndarray, updates: np.ndarray, out: Any, *work: Any
        ) -> None:
            result = x.copy()
            result[(slice(None),) * axis + (ids,)] += updates
            np.copyto(out, result)

        return scatter

    ScatterAdd.specialize = specialize


@mutant("sums-of-bytes-wrap", "ops/test_reductions.py", "ops/test_every_op.py")
def sums_of_bytes_wrap() -> None:
    """A missing cast: small integers are added in their own dtype."""
    ops.sum.widens = False


@mutant("transposed-product-gradient", *GRADIENTS, "ops/test_products.py")
def transposed_product_gradient() -> None:
    """The gradient of a square matrix comes out transposed."""
    original = type(ops.matmul).vjp

    def vjp(self: Any, g: Any, y: Any, a: Any, b: Any, **attrs: Any) -> Any:
        left, right = original(self, g, y, a, b, **attrs)
        square = b.ndim == 2 and b.shape[0] == b.shape[1]
        return left, ops.transpose(right) if square else right

    type(ops.matmul).vjp = vjp


@mutant("softmax-gradient-without-its-mean", "ops/test_nn.py", "ops/test_every_op.py")
def softmax_gradient_without_its_mean() -> None:
    type(ops.softmax).vjp = lambda self, g, y, x, axis: (g * y,)
