"""Mutants of rules: wrong conditions, wrong results, and kinds that promise too much."""

from __future__ import annotations

from typing import Any

import numpy as np
from mutants import mutant

from kgraph import ops
from kgraph.ir import OPS, const
from kgraph.ops.draws import RandomOp
from kgraph.ops.slicing import slice_
from kgraph.passes import CORE, P, Rewrite, movement, rule, share, stabilize, unknowns
from kgraph.passes.matching import Finder
from kgraph.passes.rules import FunctionRule, at

EXACT = ("passes/test_rules_exact.py", "passes/test_must_not_rewrite.py")
STABLE = ("passes/test_rules_stable.py", "passes/test_rule_axes.py")
NEVER = ("passes/test_must_not_rewrite.py", "fuzz/test_differential.py")


def find_rule(name: str) -> Any:
    """A rule of the default pipeline."""
    for step in CORE:
        for found in getattr(step, "rules", ()):
            if found.name == name:
                return found
    raise LookupError(f"no rule {name}")


def change(name: str, **fields: Any) -> None:
    """Gives a rule other fields, frozen as it is."""
    found = find_rule(name)
    for field, value in fields.items():
        if not hasattr(found, field):
            raise AttributeError(field)
        object.__setattr__(found, field, value)


def add(pass_name: str, new: Any) -> None:
    """Gives every pass of that name in the pipeline one rule more."""
    steps = [s for s in CORE if s.name == pass_name and isinstance(s, Rewrite)]
    if not steps:
        raise LookupError(f"no pass {pass_name}")
    for step in steps:
        object.__setattr__(step, "rules", (*step.rules, new))


x, y, p, q = unknowns("x y p q")
n, k = (*unknowns("n", dtypes="i"), *unknowns("k", dtypes="i", constant=True))
(c,) = unknowns("c", constant=True)


@mutant("dropped-user-check", *STABLE)
def dropped_user_check() -> None:
    change("exp-log-softmax", users=None)


@mutant("axis-off-by-one", *STABLE)
def axis_off_by_one() -> None:
    change("log-softmax", right=lambda x, p: ops.log_softmax(x, axis=(p + 1) % x.ndim))


@mutant("softmax-over-another-axis-than-the-sum", *STABLE)
def softmax_over_another_axis() -> None:
    change("softmax", right=lambda x, p: ops.softmax(x, axis=-1))


@mutant("maximum-over-another-axis-accepted", *STABLE)
def maximum_over_another_axis() -> None:
    def find(node: Any) -> Any:
        x, shift = node.inputs[0].inputs
        if shift.op is not ops.max or shift.inputs[0] is not x:
            return None
        return lambda: ops.softmax(x, axis=node.attrs["axis"])

    change("softmax-shifted", find=find)


@mutant("loss-over-another-axis-accepted", *STABLE)
def loss_over_another_axis() -> None:
    change("sum-negated-logs", where=None)


@mutant("softmax-with-an-epsilon", *NEVER)
def softmax_with_an_epsilon() -> None:
    e = P.exp(x)
    left = e / (P.sum(e, axis=p, keepdims=True) + c)
    add("stabilize", rule("softmax-epsilon", left, lambda x, p: ops.softmax(x, axis=p[0]),
                          kind="stable"))  # fmt: skip


@mutant("own-clipping-ignored", "passes/test_cross_entropy.py", *STABLE)
def own_clipping_ignored() -> None:
    stabilize._default_clip = lambda root: True


@mutant("swapped-where-branches", *EXACT)
def swapped_where_branches() -> None:
    change("where-not", right=lambda c, a, b: ops.where(c, a, b))


@mutant("where-true-takes-the-other", *EXACT)
def where_true_takes_the_other() -> None:
    change("where-true", right=lambda a, root: ops.where(False, a, a) * 0 + a
           if root.type.is_float else ops.logical_not(a) if a.dtype == "bool" else -a)  # fmt: skip


@mutant("wrong-sign", *EXACT)
def wrong_sign() -> None:
    change("sub-negative", right=lambda s, t: s - t)


@mutant("operands-exchanged", *EXACT)
def operands_exchanged() -> None:
    change("add-negative", right=lambda s, t: t - s)


@mutant("log-exp-as-exact", *NEVER)
def log_exp_as_exact() -> None:
    change("log-exp", kind="exact")


@mutant("mul-zero-as-exact", *NEVER)
def mul_zero_as_exact() -> None:
    change("mul-zero", kind="exact")


@mutant("sub-same-as-exact", *NEVER)
def sub_same_as_exact() -> None:
    change("sub-same", kind="exact")


@mutant("div-same-as-exact", *NEVER)
def div_same_as_exact() -> None:
    change("div-same", kind="exact")


@mutant("add-zero-as-exact", *NEVER)
def add_zero_as_exact() -> None:
    change("add-zero-fast", kind="exact")


@mutant("minus-zero-is-zero", *EXACT)
def minus_zero_is_zero() -> None:
    change("add-minus-zero", finder=Finder(x + 0))


@mutant("recip-recip-as-exact", *NEVER)
def recip_recip_as_exact() -> None:
    change("recip-recip", kind="exact")


@mutant("square-as-exact", *NEVER)
def square_as_exact() -> None:
    change("power-two", kind="exact")


@mutant("division-by-any-constant-as-product", *NEVER)
def division_by_any_constant() -> None:
    change("div-power-of-two", where=lambda k: True)


@mutant("floor-division-cancelled", *NEVER)
def floor_division_cancelled() -> None:
    left = P.floor_divide(n, k) * k
    add(
        "simplify",
        rule("floor-div-mul", left, lambda n: n, where=lambda n, root: n.type == root.type),
    )


@mutant("cast-chain-through-a-narrower-type", *EXACT)
def cast_chain_through_a_narrower_type() -> None:
    change("cast-cast", where=lambda a, p, q: True)


@mutant("byte-negated-under-abs", *NEVER)
def byte_negated_under_abs() -> None:
    add("simplify", rule("abs-negative-byte", P.abs(-n), lambda n: ops.abs(n)))


@mutant("nan-equals-itself", *NEVER)
def nan_equals_itself() -> None:
    left = P.equal(x, x)
    add("simplify", rule("equal-same-float", left, lambda root: ops.broadcast_to(True, root.shape)))


@mutant("relu-kept-from-argmax", *NEVER)
def relu_kept_from_argmax() -> None:
    left = P.argmax(P.relu(x), axis=p, keepdims=q)
    add("simplify", rule("argmax-relu", left, lambda x, p, q: ops.argmax(x, axis=p, keepdims=q)))


@mutant("negative-zero-loses-its-sign", *EXACT)
def negative_zero_loses_its_sign() -> None:
    change("add-zero-positive", where=lambda x: True)


@mutant("sum-of-one-byte-keeps-its-dtype", *NEVER)
def sum_of_one_byte() -> None:
    change("sum-one-int", where=lambda i, p, root: True)


@mutant("transposes-composed-backwards", *EXACT)
def transposes_composed_backwards() -> None:
    movement._composed = lambda p, q: tuple(q[axis] for axis in p)


@mutant("reshape-between-other-symbols-dropped", *EXACT, *NEVER)
def reshape_between_other_symbols() -> None:
    change("reshape-same", where=lambda a, root: a.ndim == root.ndim)


@mutant("slice-of-slice-off-by-one", *EXACT, "passes/test_slices.py")
def slice_of_slice_off_by_one() -> None:
    original = find_rule("slice-slice").find

    def find(node: Any) -> Any:
        make = original(node)
        if not callable(make):
            return make

        def build() -> Any:
            right = make()
            starts = [s - (s > 0) for s in right.attrs["starts"]]
            stops = [s - (a > 0) for s, a in zip(right.attrs["stops"], right.attrs["starts"])]
            return slice_(right.inputs[0], starts, stops, right.attrs["steps"])

        return build

    change("slice-slice", find=find)


@mutant("slices-joined-in-any-order", *EXACT, "passes/test_slices.py", *NEVER)
def slices_joined_in_any_order() -> None:
    def find(node: Any) -> Any:
        parts = node.inputs
        if any(part.op is not ops.slice for part in parts):
            return None
        whole = parts[0].inputs[0]
        same = all(part.inputs[0] is whole for part in parts) and whole.type == node.type
        return (lambda: whole) if same else None

    change("concatenate-slices", find=find)


@mutant("two-dropouts-merged", "passes/test_must_not_rewrite.py", "ops/test_random.py",
        "layers/test_core_layers.py")  # fmt: skip
def two_dropouts_merged() -> None:
    original = RandomOp.normalize
    RandomOp.normalize = lambda self, inputs, attrs: {**original(self, inputs, attrs), "site": 0}


@mutant("random-numbers-folded", "passes/test_fold.py", "runtime/test_executable.py")
def random_numbers_folded() -> None:
    def fold(node: Any) -> Any:
        if not all(isinstance(d, int) for d in node.shape):
            return None
        return lambda: const(node.op.kernel(np.array(0, np.int64), **node.attrs))

    draws = [op for name, op in OPS.items() if name.startswith("random_")]
    add("simplify", FunctionRule("fold-random", fold, at(*draws)))


@mutant("loss-shares-a-softmax-that-it-needs", "passes/test_cross_entropy.py")
def loss_shares_a_softmax_that_it_needs() -> None:
    share._first_free = lambda softmax, losses, source: losses[0] if losses else None
