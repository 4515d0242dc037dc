"""Mutants of convolutions, pools, their folding, and of the layouts around them."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
from mutants import mutant
from rule_faults import add, change, x

from kgraph import ops
from kgraph.ops import convolution_kernels, patches, phases, windows
from kgraph.passes import P, axes, batch_norm, pooling, rule, unknowns
from kgraph.passes import transposes as layouts

CONVOLUTION = ("ops/test_convolution.py",)
POOLING = ("ops/test_pooling.py",)
LAYOUTS = ("passes/test_layouts.py",)
max_pool = importlib.import_module("kgraph.ops.max_pool")  # the package's attribute is the op


@mutant("kernel-not-turned-on-the-way-back", *CONVOLUTION)
def kernel_not_turned() -> None:
    flip = np.flip

    class Numpy:
        def __getattr__(self, name: str) -> Any:
            return (lambda a, axis: flip(a, axis[1:])) if name == "flip" else getattr(np, name)

    phases.np = Numpy()


@mutant("padding-left-over-from-the-last-block", *CONVOLUTION)
def padding_left_over() -> None:
    """Between blocks of rows nobody clears what the block before wrote."""
    original = patches.Patches._hold

    def hold(self: Any, *arguments: Any) -> Any:
        calls, held = original(self, *arguments)
        return [c for c in calls if getattr(c[0], "__name__", "") != "fill"], held

    patches.Patches._hold = hold


@mutant("blocks-of-a-kernel-s-gradient-not-added", *CONVOLUTION)
def blocks_not_added() -> None:
    original = convolution_kernels.FilterGrad.calls

    def calls(self: Any, *arrays: Any) -> Any:
        return [c for c in original(self, *arrays) if c[0] is not np.add]

    convolution_kernels.FilterGrad.calls = calls


@mutant("odd-cell-of-padding-in-front", *CONVOLUTION, *POOLING)
def odd_cell_in_front() -> None:
    original = windows.same_padding

    def same_padding(size: Any, extent: int, stride: int) -> Any:
        found = original(size, extent, stride)
        return found if isinstance(found, str) else found[::-1]

    windows.same_padding = same_padding


@mutant("all-that-tie-get-the-gradient", *POOLING)
def all_that_tie() -> None:
    original = max_pool.first_hits

    def first_hits(*arguments: Any) -> Any:
        for those, place, calls in original(*arguments):
            kept = [c for c in calls if getattr(c, "func", None) is not np.greater]
            yield those, place, kept

    max_pool.first_hits = first_hits


@mutant("pool-first-where-others-read-relu", "passes/test_pool_first.py")
def pool_first_where_others_read() -> None:
    change("pool-relu", users=None)


@mutant("pool-first-whatever-the-dtype", "passes/test_pool_first.py",
        "testing/test_check_rule.py")  # fmt: skip
def pool_first_whatever_the_dtype() -> None:
    """The signs of zeros of float16 change."""
    change("pool-relu", where=lambda x, steps: max(steps) > 1)


@mutant("bias-of-every-place-waits", "passes/test_pool_first.py")
def bias_of_every_place_waits() -> None:
    pooling._is_bias = lambda node, beside: node.ndim <= beside.ndim


@mutant("mean-of-relu-as-relu-of-the-mean", "passes/test_pool_first.py")
def mean_of_relu() -> None:
    names = ("pool_size", "strides", "padding")
    left = P.average_pool(P.relu(x), **dict(zip(names, unknowns("p q r"))))
    mean = rule("mean-relu", left, lambda x, p, q, r: ops.relu(ops.average_pool(x, p, q, r)))
    add("pool_first", mean)


@mutant("shift-moved-behind-a-padded-convolution", "passes/test_batch_norm.py")
def shift_behind_padding() -> None:
    row = batch_norm.LINEAR[ops.conv]
    batch_norm.LINEAR[ops.conv] = dataclasses.replace(row, is_uniform=lambda node: True)


@mutant("axis-stays-when-its-tensor-moves", *LAYOUTS)
def axis_stays() -> None:
    axes.RENAMED[ops.concatenate] = axes.RENAMED[ops.softmax] = axes._nothing


@mutant("axis-moves-the-other-way", *LAYOUTS)
def axis_moves_the_other_way() -> None:
    axes._axes = lambda attrs, order: {"axis": tuple(sorted(order[a] for a in attrs["axis"]))}


@mutant("place-in-any-layout", *LAYOUTS)
def place_in_any_layout() -> None:
    """What is left beside the axis may come in another order than before."""
    original = axes.reduced

    def reduced(node: Any, order: Any) -> Any:
        found = original(node, order)
        if found is None and node.op in axes._PLACES and node.attrs["axis"] is not None:
            return {**node.attrs, **axes._one_axis(node.attrs, order)}
        return found

    axes.reduced = layouts.reduced = reduced
