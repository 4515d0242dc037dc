"""Mutants of passes: fusion, products, normalisations, sparse gradients, transposes, budget."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
from mutants import mutant
from rule_faults import change, find_rule

from kgraph import ops
from kgraph.ir import Node, Variable, const
from kgraph.ops import blocks
from kgraph.passes import (
    batch_norm,
    chains,
    contraction,
    fuse,
    gradients,
    horizontal,
    products,
    reducing,
    regions,
    rematerialize,
    rules,
    transposes,
    wholes,
)
from kgraph.runtime import planning

FUSING = ("passes/test_fuse.py", "fuzz/test_differential.py")
PRODUCTS = ("passes/test_contraction.py", "passes/test_horizontal.py", "fuzz/test_differential.py")
NORMAL = ("passes/test_batch_norm.py", "fuzz/test_differential.py")
SPARSE = ("passes/test_gradient_rules.py", "layers/test_embedding_layer.py",
          "fuzz/test_differential.py")  # fmt: skip
MOVES = ("passes/test_transposes.py", "passes/test_rules_exact.py", "fuzz/test_differential.py")


# -- fusion ------------------------------------------------------------------------------------


@mutant("fusion-across-a-reduction", *FUSING)
def fusion_across_a_reduction() -> None:
    """All nodes of one shape are one region, also where a path leaves it and comes back."""
    regions._Table.find_levels = lambda self: None


@mutant("fused-operands-in-order-of-age", *FUSING)
def fused_operands_in_order_of_age() -> None:
    original = fuse.instruction

    def instruction(node: Any, numbers: Any) -> Any:
        name, operands, attrs = original(node, numbers)
        return name, tuple(sorted(operands)) if len(operands) == 2 else operands, attrs

    fuse.instruction = instruction


@mutant("sums-by-blocks-as-exact", *FUSING, "passes/test_zoo_strict.py")
def sums_by_blocks_as_exact() -> None:
    fuse._tail_kind = lambda node: "exact"


@mutant("product-with-another-reader-in-a-region", *FUSING)
def product_with_another_reader() -> None:
    fuse._Finder._objection = lambda self, head, body, members: None


@mutant("last-block-forgotten", *FUSING)
def last_block_forgotten() -> None:
    for name in ("blocks", "flat_blocks"):
        _forget_last(name)


def _forget_last(name: str) -> None:
    original = getattr(blocks.Layout, name)

    def shorter(self: Any) -> Any:
        found = list(original(self))
        return iter(found[:-1] if len(found) > 1 else found)

    setattr(blocks.Layout, name, shorter)


@mutant("prepared-values-go-stale", "runtime/test_plan.py", "runtime/test_executable.py",
        "runtime/test_in_place.py", "fuzz/test_differential.py")  # fmt: skip
def prepared_values_go_stale() -> None:
    """What depends on a state that the graph writes is computed once for all runs."""

    def prepared_nodes(graph: Any) -> frozenset[Any]:
        found: set[Any] = set()
        for node in graph.nodes:
            computed = bool(node.inputs) and all(i in found for i in node.inputs)
            if isinstance(node, Variable) or computed or node.op.name in ("const", "size"):
                found.add(node)
        return frozenset(found)

    planning.prepared_nodes = prepared_nodes


@mutant("joined-pieces-at-one-place", "runtime/test_placement.py", "runtime/test_plan.py",
        "fuzz/test_differential.py")  # fmt: skip
def joined_pieces_at_one_place() -> None:
    original = planning._Planner._find_places

    def find_places(self: Any) -> Any:
        return {k: (whole, 0) for k, (whole, _) in original(self).items()}

    planning._Planner._find_places = find_places


# -- products and normalisations ---------------------------------------------------------------


@mutant("merged-products-that-depend-on-each-other", *PRODUCTS)
def merged_products_that_depend() -> None:
    wholes.Merger._may_merge = lambda self, twins: not any(n in self.plan for n in twins.nodes)
    horizontal._independent = lambda merger, nodes: [nodes]


@mutant("merged-parts-exchanged", *PRODUCTS)
def merged_parts_exchanged() -> None:
    original = wholes.Whole.part

    def part(self: Any, index: int) -> Any:
        alike = len({p.type for p in self.parts}) == 1
        return original(self, len(self.parts) - 1 - index if alike else index)

    wholes.Whole.part = part


@mutant("transposed-operand-of-a-chain-taken-straight", *PRODUCTS)
def transposed_operand_taken_straight() -> None:
    original = chains._Leaf.made

    def made(self: Any, lookup: Any) -> Any:
        node = self.node
        square = node.ndim == 2 and node.shape[0] == node.shape[1]
        return lookup(node) if square else original(self, lookup)

    chains._Leaf.made = made


@mutant("mean-of-a-product-as-a-sum", *PRODUCTS)
def mean_of_a_product_as_a_sum() -> None:
    original = contraction._product_of_sums

    def product_of_sums(node: Any, x: Any, w: Any, axes: Any) -> Any:
        if node.op is not ops.mean:
            return original(node, x, w, axes)
        plain = ops.sum(node.inputs[0], **node.attrs)
        return original(plain, x, w, axes)

    contraction._product_of_sums = product_of_sums


@mutant("normalisation-folded-in-training", *NORMAL)
def normalisation_folded_in_training() -> None:
    batch_norm.is_steady = lambda graph: True


@mutant("normalisation-folded-through-an-activation", *NORMAL)
def normalisation_folded_through_an_activation() -> None:
    original = batch_norm._biased

    def biased(node: Any) -> Any:
        return original(node.inputs[0] if node.op in (ops.relu, ops.tanh) else node)

    batch_norm._biased = biased


@mutant("scale-on-the-wrong-axis-of-a-weight", *NORMAL)
def scale_on_the_wrong_axis() -> None:
    def scaled(weight: Any, op: Any, vector: Any) -> Any:
        if weight.shape[0] == weight.shape[1]:
            return op(weight, vector)
        return op(weight, ops.expand_dims(vector, 1) if vector.ndim else vector)

    row = batch_norm.LINEAR[ops.matmul]
    batch_norm.LINEAR[ops.matmul] = dataclasses.replace(row, scaled_inputs=scaled)


@mutant("inputs-taken-for-fixed-weights", *NORMAL, *PRODUCTS)
def inputs_taken_for_fixed_weights() -> None:
    """Constants are no weights that training changes, but inputs are no constants either."""
    for module in (batch_norm, horizontal, products):
        module.fixed = lambda node: node.ndim < 2 or isinstance(node, Variable)


# -- gradients ---------------------------------------------------------------------------------


@mutant("sparse-step-up-instead-of-down", *SPARSE)
def sparse_step_up() -> None:
    original = gradients._Sparse.add_to
    gradients._Sparse.add_to = lambda self, table, sign: original(self, table, 1)


@mutant("sparse-gradient-under-momentum", "passes/test_gradient_rules.py",
        "passes/test_zoo_strict.py", "training/test_optimizers.py",
        "fuzz/test_differential.py")  # fmt: skip
def sparse_gradient_under_momentum() -> None:
    """Only looked-up rows of a moment decay, as a lazy Adam would have it."""
    original = find_rule("add-scatter").find

    def find(node: Any) -> Any:
        for table, sparse in (node.inputs, node.inputs[::-1]):
            found = gradients._read_sparse(sparse)
            if found is None or table.op is not ops.multiply or node.op is not ops.add:
                continue
            for state in table.inputs:
                if isinstance(state, Variable) and state.type == node.type:
                    return partial(found.add_to, state, 1), found.nodes
        return original(node)

    change("add-scatter", find=find)


@mutant("scatter-factor-forgotten", *SPARSE)
def scatter_factor_forgotten() -> None:
    original = gradients._read_factor

    def read_factor(node: Any) -> Any:
        found = original(node)
        return found if found is None else ((lambda g: g) if node.op is ops.multiply else found[0],
                                            found[1])  # fmt: skip

    gradients._read_factor = read_factor


@mutant("tiles-in-the-wrong-order", *SPARSE)
def tiles_in_the_wrong_order() -> None:
    original = gradients._tiles

    def tiles(node: Any, pieces: Any, axis: int) -> Any:
        found = original(node, pieces, axis)
        alike = found is not None and len({n.type for n in found}) == 1
        return found[::-1] if alike else found

    gradients._tiles = tiles


@mutant("mask-of-another-dropout", *SPARSE)
def mask_of_another_dropout() -> None:
    def find(node: Any, seen: Any) -> Any:
        if node.op is ops.masked_scale:
            seen[node.inputs[0], node.attrs["scale"]] = node
            return None
        dropped, y = node.inputs
        if dropped.op is not ops.masked_scale:
            return None
        (g, _), scale = dropped.inputs, dropped.attrs["scale"]
        output = seen.get((y, scale))
        if output is None:
            return None
        return (lambda: ops.relu_grad(g * scale, output)), (dropped,)

    change("relu-grad-dropout", find=find)


@mutant("one-hot-subtracted-from-any-shape", *SPARSE)
def one_hot_subtracted_from_any_shape() -> None:
    change("sub-one-hot", where=None)


# -- moves, numerics, budget -------------------------------------------------------------------


@mutant("axes-not-remapped-under-a-reduction", *MOVES)
def axes_not_remapped() -> None:
    for name in ("reduce-transpose", "reduce-transpose-int"):

        def find(node: Any) -> Any:
            source, axes = node.inputs[0].inputs[0], node.attrs["axis"]
            sizes = [d for i, d in enumerate(source.shape) if i not in axes]
            if node.attrs["keepdims"] or tuple(sizes) != node.shape:
                return None
            return (lambda: node.op(source, axis=axes)), ()

        change(name, find=find)


@mutant("transposes-undone-by-themselves", *MOVES)
def transposes_undone_by_themselves() -> None:
    """Right for two axes, wrong for three in a circle."""
    transposes.inverse = lambda order: order


@mutant("all-kinds-admitted", "passes/test_must_not_rewrite.py", "passes/test_rewriter.py",
        "passes/test_zoo_strict.py")  # fmt: skip
def all_kinds_admitted() -> None:
    for level in rules.ADMITTED:
        rules.ADMITTED[level] = frozenset(rules.KINDS)


@mutant("recomputation-merged-with-the-first", "passes/test_rematerialize.py",
        "runtime/test_memory_budget.py")  # fmt: skip
def recomputation_merged() -> None:
    """A common subexpression again: nothing is saved."""
    rematerialize.recompute = lambda x, after: x


@mutant("broadcast-sum-counted-once", "passes/test_rules_exact.py", "fuzz/test_differential.py")
def broadcast_sum_counted_once() -> None:
    """The sum of n equal numbers is one of them."""
    reducing._times = lambda one, *rest: one * const(np.asarray(1), one.dtype)


@mutant("no-copies-as-a-product-with-zero", "passes/test_rules_exact.py")
def no_copies_as_a_product_with_zero() -> None:
    """The sum of no copies of infinity is NaN."""
    times = reducing._times

    def multiplied(one: Node, number: Any, *rest: Any) -> Node:
        if number == 0:
            return one * const(np.asarray(0), one.dtype)
        return times(one, number, *rest)

    reducing._times = multiplied


@mutant("factors-leave-means-of-float16", "passes/test_short_floats.py")
def factors_leave_means_of_float16() -> None:
    """As if its sums had room enough."""
    change("mean-scaled", where=lambda k, x, p: not k.ndim)


@mutant("copies-counted-in-float16", "passes/test_short_floats.py")
def copies_counted_in_float16() -> None:
    """More than 65504 of them are infinitely many."""
    reducing._times = lambda one, number, inner, axes: one * reducing.count(inner, axes)
