"""`check_rule`: right rules of every kind pass, wrong ones fall with a counter-example."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Graph, const, input_node
from kgraph.passes import P, rule, unknowns
from kgraph.passes.rules import FunctionRule, at
from kgraph.testing import CheckError, check_rule

x, y, z, p, q = unknowns("x y z p q")
n, m = unknowns("n m", dtypes="i")
a, b = unknowns("a b", dtypes="bif")
(k,) = unknowns("k", constant=True)
(c,) = unknowns("c", dtypes="b")


def zeros(root):
    return ops.zeros_like(root)


RIGHT = [
    rule("sub-zero", x - 0, lambda x: x),
    rule("mul-one", a * 1, lambda a: a),
    rule("mul-exp", P.exp(x) * P.exp(y), lambda x, y: ops.exp(x + y), kind="fast"),
    rule("log-one-plus", P.log(1 + x), lambda x: ops.log1p(x), kind="stable"),
    rule("factor", x * z + y * z, lambda x, y, z: (x + y) * z, kind="rounding"),
    rule("log-softmax", P.log(P.softmax(x, axis=p)), lambda x, p: ops.log_softmax(x, axis=p),
         kind="stable"),
    rule("transposes", P.transpose(P.transpose(a, axes=p), axes=q),
         lambda a, p, q: ops.transpose(a, tuple(p[i] for i in q))),
    rule("where-same", P.where(c, a, a), lambda a, root: ops.broadcast_to(a, root.shape)),
    rule("product", x @ (y @ z), lambda x, y, z: (x @ y) @ z, kind="rounding"),
]  # fmt: skip

# Rules of which each is wrong, and what the message must show.
WRONG = [
    (rule("mul-exp", P.exp(x) * P.exp(y), lambda x, y: ops.exp(x * y), kind="fast"),
     "the value of y"),
    (rule("zero", x * 0, zeros), "a bit of y"),
    (rule("add-zero", x + 0, lambda x: x), r"float32 -0\.0"),
    (rule("sub-same", x - x, zeros), "nan|inf"),
    (rule("div-same", x / x, lambda root: ops.ones_like(root)), "a bit of"),
    (rule("tenth", x / 10, lambda x: x * 0.1), "a bit of y"),
    (rule("sqrt-square", P.sqrt(P.square(x)), lambda x: x, kind="fast"), "-"),
    (rule("halves", P.floor_divide(n, 2) * 2, lambda n: n), "a bit of y"),
    (rule("not-less", ~(x < y), lambda x, y: x >= y), "nan"),
    (rule("max-order", P.maximum(x, y), lambda x, y: ops.where(x > y, x, y)), "a bit of y"),
    (rule("axis", P.sum(x, axis=p, keepdims=True),
          lambda x, root: ops.broadcast_to(ops.sum(x, axis=0, keepdims=True), root.shape),
          kind="rounding"), "the value of y|fails"),
    (rule("cancels", P.log1p(x), lambda x: ops.log(1 + x), kind="stable"), "in float64"),
    (rule("shifted", P.softmax(x, axis=p), lambda x, p: ops.exp(ops.log_softmax(x * 1.001, axis=p)),
          kind="rounding"), "the value of y"),
    (rule("clip", P.minimum(P.maximum(x, 0), 6), lambda x: ops.relu(x)), "a bit of y"),
    (rule("drops-where", P.where(c, x, y), lambda x, root: ops.broadcast_to(x, root.shape)),
     "a bit of y"),
    (rule("transposed", x @ y, lambda x, y: ops.transpose(ops.transpose(x) @ ops.transpose(y)),
          kind="rounding"), "the value of y|fails"),
    (rule("constants", x * k * k, lambda x, k: x * (k + k), kind="rounding"), "the value of y"),
    (rule("cast", P.cast(P.cast(x, dtype=p), dtype=q), lambda x, q: ops.cast(x, q)), "a bit of y"),
]  # fmt: skip


@pytest.mark.parametrize("right", RIGHT, ids=lambda r: r.name)
def test_right_rules_pass(right):
    assert check_rule(right) >= 5


@pytest.mark.parametrize(("wrong", "shown"), WRONG, ids=lambda v: getattr(v, "name", ""))
def test_wrong_rules_fall(wrong, shown):
    with pytest.raises(CheckError, match=rf"(?s)rule {wrong.name}.*({shown})"):
        check_rule(wrong)


def test_the_message_holds_the_smallest_example():
    with pytest.raises(CheckError) as caught:
        check_rule(rule("zero", x * 0, zeros))
    error = caught.value
    assert str(error).startswith("rule zero (exact) changes a bit of y")
    assert error.facts["before"] == "x * 0.0"
    assert error.facts["after"] in ("0.0", "broadcast_to(0.0, shape=())")
    assert [n.op.name for n in error.graph.nodes] == ["input", "const", "multiply"]
    assert error.arrays[0].shape == ()
    assert error.facts["y before"] != error.facts["y after"] or np.signbit(error.facts["y before"])


def test_rows_are_reduced_where_scalars_do_not_fit():
    with pytest.raises(CheckError, match="rule plus-zero") as caught:
        check_rule(rule("plus-zero", x + 0, lambda x: x))
    assert caught.value.arrays[0].size == 1
    assert np.signbit(caught.value.arrays[0]).all()


def test_what_is_no_rule_is_refused():
    with pytest.raises(TypeError, match="check_rule: no rule"):
        check_rule("mul-one")


def test_nans_are_part_of_a_rounding_rule():
    keeps = rule("relu", P.relu(x) * 1, lambda x: ops.where(x > 0, x, 0.0), kind="rounding")
    with pytest.raises(CheckError, match="nan"):
        check_rule(keeps)
    assert check_rule(keeps, nans=False) > 0


def test_a_gradient_that_a_rule_loses_is_found():
    stops = rule("stops", P.tanh(x), lambda x: ops.stop_gradient(ops.tanh(x)))
    with pytest.raises(CheckError, match=r"fails|circles"):
        check_rule(stops)
    marks = rule("marks", -P.negative(x), lambda x: ops.stop_gradient(x))
    with pytest.raises(CheckError, match="changes the gradient with respect to x"):
        check_rule(marks)
    assert check_rule(marks, gradients=False) > 0


def test_rules_must_end():
    with pytest.raises(CheckError, match=r"(?s)rule swap fails.*in circles"):
        check_rule(rule("swap", x + y, lambda x, y: y + x))


def test_a_rule_that_changes_a_type_fails():
    with pytest.raises(CheckError, match="another type"):
        check_rule(rule("flat", P.transpose(x, axes=p), lambda x: ops.reshape(x, (-1,))))


def test_a_rule_that_never_fires_is_not_checked():
    never = rule("never", P.exp(x), lambda x: x, where=lambda x: "it is Monday")
    with pytest.raises(CheckError, match=r"(?s)never fired.*it is Monday"):
        check_rule(never)


def square_of(node):
    """x * x as a function rule."""
    return (lambda: ops.square(node.inputs[0])) if node.inputs[0] is node.inputs[1] else None


def wrong_square_of(node):
    """x * y as x squared, where the types agree."""
    same = node.inputs[0].type == node.inputs[1].type
    return (lambda: ops.square(node.inputs[0])) if same else None


def test_function_rules_need_examples():
    right = FunctionRule("square", square_of, at(ops.multiply))
    u, v = input_node((3,), name="u"), input_node((3,), name="v")
    with pytest.raises(CheckError, match="has no pattern: give examples"):
        check_rule(right)
    assert check_rule(right, [Graph((u,), (("y", u * u),))]) == 1
    with pytest.raises(CheckError, match=r"(?s)does not fire on an example.*nothing matched"):
        check_rule(right, [Graph((u, v), (("y", u * v),))])
    wrong = FunctionRule("square", wrong_square_of, at(ops.multiply))
    with pytest.raises(CheckError, match=r"before: u \* v") as caught:
        check_rule(wrong, [Graph((u, v), (("y", u * v),))])
    assert caught.value.arrays[0].shape == ()


def test_examples_may_hold_constants():
    thrice = rule("thrice", x * k, lambda x, k: x * k + 0 * x, kind="fast",
                  where=lambda k: k.ndim == 0)  # fmt: skip
    u = input_node((2, 2), name="u")
    with pytest.raises(CheckError, match=r"circles|fails|done"):
        check_rule(thrice, [Graph((u,), (("y", u * const(3.0)),))])
