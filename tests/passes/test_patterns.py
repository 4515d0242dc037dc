"""Patterns match what they say: numbers, repeated unknowns, both orders, attributes, conditions."""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH, graph_of, only, special_values

from kgraph import config, ops
from kgraph.errors import ParseError
from kgraph.ir import const, input_node
from kgraph.ir.types import DTYPES
from kgraph.passes import P, rule, unknowns
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.matching import Finder
from kgraph.passes.rules import admitted_kinds
from kgraph.passes.values import (
    exact_cast,
    not_negative,
    powers_of_two,
    uniform_value,
)

x, y, p, q = unknowns("x y p q")
A, B = input_node((BATCH, 3), name="a"), input_node((BATCH, 3), name="b")


def bound(pattern, node):
    """What the unknowns stand for, None without a match."""
    finder = Finder(pattern)
    if not finder.may_match(node.op, [n.op for n in node.inputs]):
        return None
    match = finder.find(node)
    return None if match is None or match.reasons else match.bound


def misses(pattern, node, **options):
    """The reasons why a rule with this pattern does not fire at the node."""
    with keeping(Journal()) as journal:
        graph = graph_of((A, B), node)
        assert only(rule("r", pattern, lambda root: root * 1, **options)).run(graph) is graph
    return [reason for _, reason in journal.missed]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (x * 1, "x * 1"),
        (1 / (1 + P.exp(-x)), "1 / (1 + exp(-x))"),
        (-(x * y) - (1 - y) * (-x), "(-(x * y)) - ((1 - y) * (-x))"),
        (P.log(P.softmax(x, axis=p)), "log(softmax(x, axis=p))"),
        (abs(~(x < y)), "abs(logical_not(x < y))"),
        ((x**2) @ y, "(x ** 2) @ y"),
    ],
)  # fmt: skip
def test_patterns_print_as_they_are_written(pattern, text):
    assert str(pattern) == text


def test_unknown_op_is_refused():
    with pytest.raises(ParseError, match="no_such_op"):
        P.no_such_op(x)
    with pytest.raises(ParseError, match=r"sigmod'\n  hint: did you mean 'sigmoid'"):
        P.sigmod(x)


def test_what_is_no_pattern_is_refused():
    with pytest.raises(TypeError, match="an unknown"):
        P.exp("x")
    with pytest.raises(TypeError, match="right sides call ops, not P"):
        P.exp(A)


def test_ops_refuse_patterns():
    with pytest.raises(TypeError, match=r"(?s)a pattern is no tensor.*P\.exp"):
        ops.exp(x)
    with pytest.raises(TypeError, match="not a pattern"):
        np.float32(2) * x


@pytest.mark.parametrize(
    "value", [2, 2.0, np.float32(2), const(2.0), const(np.full((1, 1), 2.0), "float32")]
)
def test_number_matches_constants_of_its_value(value):
    assert bound(x * 2, A * value)["x"] is A


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_number_is_rounded_to_the_dtype(dtype):
    node = ops.cast(A, dtype)
    assert bound(x * 0.1, node * const(0.1, dtype))["x"] is node


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_number_matches_in_every_dtype(dtype):
    (n,) = unknowns("n", dtypes="bi")
    node = ops.cast(A, dtype)
    assert bound(n * 1, node * const(1, dtype))["n"] is node


def test_fraction_is_no_integer():
    (n,) = unknowns("n", dtypes="bi")
    assert bound(n * 0.5, ops.cast(A, "int32") * 0) is None


def test_signs_of_zero_are_two_values():
    assert bound(x + 0, A + 0.0) is not None
    assert bound(x + 0, A + -0.0) is None
    assert bound(x + -0.0, A + -0.0) is not None


def test_number_seen_through_broadcast_but_not_when_it_widens():
    stretched = ops.broadcast_to(const(1.0), (BATCH, 3))
    assert bound(x * 1, A * stretched)["x"] is A
    assert misses(x * 1, A * const(np.ones((1, 1, 1), "float32"))) == [
        "the constant's shape widens the result"
    ]
    assert bound(x * 1, A * const([1.0, 1.0, 2.0])) is None


def test_number_inside_a_pattern_must_not_widen_either():
    widened = 1 / (const(np.ones((1, 1, 1), "float32")) + ops.exp(-A))
    assert misses(1 / (1 + P.exp(-x)), widened) == ["the constant's shape widens the result"]


def test_empty_constant_has_no_value():
    assert uniform_value(const(np.ones((0, 3), "float32"))) is None


def test_large_constants_are_scanned():
    assert uniform_value(const(np.full((300, 300), 7.0))) == 7.0
    signs = np.zeros(2000, "float32")
    signs[-1] = -0.0
    assert uniform_value(const(signs)) is None
    assert uniform_value(const(np.full(3, np.nan))) is None


def test_repeated_unknown_is_one_node():
    assert bound(x - x, A - A)["x"] is A
    assert bound(x - x, A - B) is None
    assert bound(P.exp(x) / P.sum(P.exp(x), axis=p, keepdims=True),
                 ops.exp(A) / ops.sum(ops.exp(B), axis=1, keepdims=True)) is None  # fmt: skip


def test_both_orders_of_commutative_ops():
    pattern = x * P.exp(y) + P.tanh(x)
    for node in (
        A * ops.exp(B) + ops.tanh(A),
        ops.tanh(A) + ops.exp(B) * A,
        ops.exp(B) * A + ops.tanh(A),
    ):
        assert bound(pattern, node)["x"] is A
    assert bound(x - P.exp(y), ops.exp(A) - B) is None


def test_too_many_orders_are_refused():
    tower = x + y
    for _ in range(4):
        tower = tower * (tower + 1)
    with pytest.raises(ValueError, match="more than 64 orders"):
        rule("tower", tower, lambda x: x)


def test_attributes_bind_and_compare():
    pattern = P.sum(P.sum(x, axis=p, keepdims=True), axis=p, keepdims=q)
    node = ops.sum(ops.sum(A, axis=1, keepdims=True), axis=1)
    assert bound(pattern, node) | {"root": 0} == {"root": 0, "x": A, "p": (1,), "q": False}
    other = ops.sum(ops.sum(A, axis=1, keepdims=True), axis=0)
    assert bound(pattern, other) is None
    assert bound(P.sum(x, axis=(0,), keepdims=False), ops.sum(A, axis=0))["x"] is A
    assert bound(P.sum(x, axis=(0,), keepdims=0), ops.sum(A, axis=0)) is None


def test_attribute_that_is_not_named_holds_the_rule_back():
    assert misses(P.sum(x, axis=p), ops.sum(A, axis=0)) == [
        "the pattern does not name attribute keepdims of sum"
    ]
    assert bound(P.sum(x, axes=p), ops.sum(A, axis=0)) is None


def test_dtype_holds_the_rule_back():
    assert misses(x * 1, ops.cast(A, "int32") * 1) == ["x is i32, the rule takes floats"]


def test_constants_only():
    (k,) = unknowns("k", constant=True)
    assert bound(x * k, A * const([1.0, 2.0, 3.0])) is not None
    assert bound(x * k, A * B) is None


def test_where_gives_a_reason_or_nothing():
    assert misses(P.exp(x), ops.exp(A), where=lambda x: x.ndim == 3 or "too flat") == ["too flat"]
    assert misses(P.exp(x), ops.exp(A), where=lambda x: False) == []


def test_root_is_the_whole_node():
    assert misses(P.exp(x), ops.exp(A), where=lambda root: f"it is {root.op.name}") == ["it is exp"]


def test_users_hold_the_rule_back():
    node = ops.exp(A) * B + ops.exp(A)
    assert misses(P.exp(x) * y, node, users=1) == ["exp has 2 users"]


def test_rule_arguments_are_checked():
    with pytest.raises(TypeError, match="z is not in the pattern"):
        rule("r", x * y, lambda x, z: x)
    with pytest.raises(TypeError, match="z is not in the pattern"):
        rule("r", x * y, lambda x: x, where=lambda z: True)
    with pytest.raises(ValueError, match="unknown kind"):
        rule("r", x * y, lambda x: x, kind="roughly")
    with pytest.raises(TypeError, match="must be an op"):
        rule("r", x, lambda x: x)
    for name in ("", "two words", "a,b", "braces{}"):
        with pytest.raises(ValueError, match="the name of a rule is one word"):
            rule(name, x * y, lambda x: x)


def test_numerics_level_is_checked(monkeypatch):
    assert admitted_kinds("strict") == {"exact"}
    assert admitted_kinds("fast") == {"exact", "stable", "rounding", "fast"}
    monkeypatch.setattr(config, "numerics", "sloppy")
    with pytest.raises(ValueError, match="unknown numerics"):
        admitted_kinds()


def test_not_negative_knows_what_it_says():
    mask = ops.cast(A > B, "float32")
    for node in (ops.exp(A), ops.abs(A), A * A, ops.sigmoid(A), const([0.0, np.nan]), mask):
        assert not_negative(node)
    for node in (A, ops.sqrt(A), A * B, const([-0.0]), ops.relu(A)):
        assert not not_negative(node)


def test_powers_of_two():
    assert powers_of_two(np.array([2.0, -0.25, 1024], "float32"))
    tiny = np.finfo("float32").smallest_subnormal
    for wrong in (3.0, 0.0, np.inf, np.nan, tiny):
        assert not powers_of_two(np.array([2.0, wrong], "float32"))


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("middle", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_exact_casts_are_exact(source, middle, target):
    if not exact_cast(source, middle, target):
        return
    array = special_values(source)
    with np.errstate(all="ignore"):
        direct, through = array.astype(target), array.astype(middle).astype(target)
    np.testing.assert_array_equal(direct, through)
