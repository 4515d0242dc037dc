"""What `grad` promises beyond numbers: None, items, broadcasting, references, errors, origins."""

from __future__ import annotations

import numpy as np
import pytest
from derivatives import evaluate

from kgraph import ops
from kgraph.errors import GradientError
from kgraph.ir import (
    Dim,
    Graph,
    Op,
    TensorType,
    Variable,
    build,
    const,
    input_node,
    item,
    toposort,
)
from kgraph.ir.origin import scope
from kgraph.ops.base import Elementwise
from kgraph.runtime.autodiff import PASS_NAME, grad, is_backward
from kgraph.runtime.interp import interpret


def leaf(*shape, dtype="float32", name="x"):
    return input_node(shape, dtype, name)


def value(node, inputs, *arrays):
    return evaluate([node], inputs, arrays)[0]


class TestNoneIsTheOnlyZero:
    def test_unconnected_is_none(self):
        x, z = leaf(2), leaf(2, name="z")
        assert grad(ops.sin(x), [z]) == [None]
        assert grad(const([1.0, 2.0]), [x]) == [None]

    def test_integer_and_bool_nodes_get_none(self):
        x, n = leaf(3), leaf(3, dtype="int32", name="n")
        y = x * ops.cast(n, "float32")
        assert grad(y, [n]) == [None]
        assert grad(ops.cast(ops.cast(x, "int32"), "float32"), [x]) == [None]
        assert grad(ops.where(x > 0, 1.0, 2.0), [x]) == [None]

    def test_integer_outputs_give_none(self):
        x = leaf(3)
        assert grad(ops.argmax(x, axis=0), [x]) == [None]

    def test_stop_gradient(self):
        x = leaf(2)
        assert grad(ops.stop_gradient(x), [x]) == [None]
        (g,) = grad(x * ops.stop_gradient(x), [x])
        np.testing.assert_array_equal(value(g, [x], np.array([3.0, 4.0], "f")), [3, 4])

    def test_rounding_gives_none(self):
        x = leaf(2)
        assert grad(ops.floor(x), [x]) == [None]
        (g,) = grad(ops.floor(x) + 2 * x, [x])
        np.testing.assert_array_equal(value(g, [x], np.array([0.5, 1.5], "f")), [2, 2])

    def test_a_none_cotangent_carries_nothing(self):
        x = leaf(2)
        assert grad([ops.sin(x)], [x], [None]) == [None]

    def test_no_zeros_are_built(self):
        x, w = leaf(2), leaf(2, name="w")
        gx, gw = grad(x * 2 + ops.stop_gradient(w), [x, w])
        assert gw is None
        consts = [n.attrs["value"].array for n in toposort([gx]) if n.op.name == "const"]
        assert all((c != 0).all() for c in consts)


class TestPaths:
    def test_diamond_and_shared_nodes_add_up(self):
        x = leaf(2, dtype="float64")
        h = ops.exp(x)
        y = h * h + h + x * h
        (g,) = grad(y, [x])
        a = np.array([0.3, -0.4])
        e = np.exp(a)
        np.testing.assert_allclose(value(g, [x], a), 2 * e * e + e + e + a * e, rtol=1e-14)

    def test_the_same_operand_twice(self):
        x = leaf(2)
        (g,) = grad(x * x, [x])
        np.testing.assert_array_equal(value(g, [x], np.array([3.0, 4.0], "f")), [6, 8])

    def test_output_is_wrt(self):
        x = leaf(2, 3)
        (g,) = grad(x, [x])
        np.testing.assert_array_equal(value(g, [x], np.zeros((2, 3), "f")), np.ones((2, 3)))

    def test_an_output_twice_counts_twice(self):
        x = leaf(2)
        (g,) = grad([x, x], [x])
        np.testing.assert_array_equal(value(g, [x], np.zeros(2, "f")), [2, 2])

    def test_intermediate_wrt_and_total_derivative_through_another(self):
        x = leaf(2, dtype="float64")
        h = ops.sin(x)
        gh, gx = grad(h * h * x, [h, x])
        a = np.array([0.5, 2.0])
        s, c = np.sin(a), np.cos(a)
        np.testing.assert_allclose(value(gh, [x], a), 2 * s * a, rtol=1e-14)
        np.testing.assert_allclose(value(gx, [x], a), 2 * s * c * a + s * s, rtol=1e-14)

    def test_variables(self):
        w = Variable(np.array([2.0, 3.0]), "w")
        x = leaf(2, dtype="float64")
        (g,) = grad(w * w * x, [w])
        np.testing.assert_array_equal(value(g, [x], np.array([1.0, 10.0])), [4, 60])

    def test_given_cotangents(self):
        x = leaf(2)
        (g,) = grad([2 * x, 3 * x], [x], [const([1.0, 2.0]), None])
        np.testing.assert_array_equal(value(g, [x], np.zeros(2, "f")), [2, 4])

    def test_only_needed_nodes_are_differentiated(self):
        x, frozen = leaf(2), Variable([1.0, 2.0], "frozen")
        (g,) = grad(ops.tanh(frozen) * x, [x])
        assert {n.op.name for n in toposort([g])} <= {
            "tanh",
            "state",
            "multiply",
            "const",
            "broadcast_to",
        }


class TestItems:
    def test_items_route_their_cotangents(self):
        x = leaf(2, 6, dtype="float64")
        parts = ops.split(x, 3, axis=1)
        (g,) = grad(ops.exp(parts[0]) * parts[2], [x])
        a = np.random.default_rng(0).normal(size=(2, 6))
        expected = np.zeros((2, 6))
        expected[:, :2], expected[:, 4:] = np.exp(a[:, :2]) * a[:, 4:], np.exp(a[:, :2])
        np.testing.assert_allclose(value(g, [x], a), expected, rtol=1e-14)

    def test_a_float_item_beside_an_integer_item(self):
        x = leaf(4)
        values, places = ops.top_k(x, 2)
        (g,) = grad(values * ops.cast(places, "float32"), [x])
        np.testing.assert_array_equal(
            value(g, [x], np.array([1.0, 9.0, 3.0, 7.0], "f")), [0, 1, 0, 3]
        )

    def test_missing_cotangents_are_none(self):
        seen = []

        class Pair(Op):
            """Two copies."""

            name = "test_pair"

            def infer(self, *types, **attrs):
                return types[0], types[0]

            def kernel(self, *arrays, out=None, **attrs):
                return arrays[0] * 1, arrays[0] * 2

            def vjp(self, g, y, *inputs, **attrs):
                seen.append((g, y))
                return (g[1] * 2,)

        x = leaf(2)
        node = build(Pair(), (x,))
        (slope,) = grad(item(node, 1), [x])
        ((g, y),) = seen
        assert g[0] is None
        assert g[1].type == x.type
        assert y == (item(node, 0), item(node, 1))
        np.testing.assert_array_equal(value(slope, [x], np.zeros(2, "f")), [2, 2])


class TestBroadcasting:
    @pytest.mark.parametrize(
        ("shape", "summed"),
        [
            ((), (0, 1)),
            ((1,), (0, 1)),
            ((4,), (0,)),
            ((1, 4), (0,)),
            ((3, 1), (1,)),
            ((1, 1), (0, 1)),
            ((1, 3, 4), ()),
            ((1, 1, 1), (0, 1)),
        ],
    )
    def test_operands_get_their_own_type(self, shape, summed):
        x, b = leaf(3, 4), leaf(*shape, name="b")
        gx, gb = grad(ops.multiply(x, b), [x, b])
        assert (gx.type, gb.type) == (x.type, b.type)
        a = np.arange(12, dtype="f").reshape(3, 4)
        found = value(gb, [x, b], a, np.ones(shape, "f"))
        np.testing.assert_array_equal(found.ravel(), a.sum(summed).ravel())

    def test_symbols_never_stretch(self):
        batch = Dim.symbol("batch")
        x, b, column = leaf(batch, 3), leaf(3, name="b"), leaf(batch, 1, name="c")
        gx, gb, gc = grad(ops.tanh(x * column + b), [x, b, column])
        assert (gx.type, gb.type, gc.type) == (x.type, b.type, column.type)
        for n in (0, 1, 5):
            arrays = [np.ones((n, 3), "f"), np.zeros(3, "f"), np.ones((n, 1), "f")]
            found = value(gb, [x, b, column], *arrays)
            np.testing.assert_allclose(found, n * (1 - np.tanh(1.0) ** 2) * np.ones(3), rtol=1e-6)

    def test_ones_for_symbolic_outputs(self):
        batch = Dim.symbol("batch")
        x = leaf(batch, 2)
        (g,) = grad(x, [x])
        np.testing.assert_array_equal(value(g, [x], np.zeros((3, 2), "f")), np.ones((3, 2)))


class TestReferences:
    def test_ops_without_a_rule_are_differentiated_through_their_reference(self):
        cube = Elementwise(
            "test_cube",
            lambda x, out: np.multiply(x * x, x, out),
            doc="Cube.",
            arity=1,
            reference=lambda x: x * x * x,
        )
        x = leaf(2, dtype="float64")
        y = cube(ops.sin(x))
        (g,) = grad(y, [x])
        (second,) = grad(g, [x])
        a = np.array([0.5, 1.5])
        s, c = np.sin(a), np.cos(a)
        np.testing.assert_allclose(value(g, [x], a), 3 * s * s * c, rtol=1e-14)
        np.testing.assert_allclose(value(second, [x], a), 6 * s * c * c - 3 * s**3, rtol=1e-13)

    def test_an_operand_twice_and_an_operand_that_depends_on_another(self):
        fused = Elementwise(
            "test_fused",
            lambda a, b, out: np.multiply(np.exp(a), b, out),
            doc="exp(a) * b.",
            arity=2,
            reference=lambda a, b: ops.exp(a) * b,
        )
        x = leaf(2, dtype="float64")
        a = np.array([0.5, 1.5])
        (g,) = grad(fused(x, x), [x])
        np.testing.assert_allclose(value(g, [x], a), np.exp(a) * (1 + a), rtol=1e-14)
        # The second operand is a node that the reference builds itself.
        (g,) = grad(fused(x, ops.exp(x)), [x])
        np.testing.assert_allclose(value(g, [x], a), 2 * np.exp(2 * a), rtol=1e-14)

    def test_composites_of_several_outputs(self):
        class Both(Op):
            """Square and sine."""

            name = "test_both"

            def infer(self, *types, **attrs):
                return types[0], types[0]

            def kernel(self, *arrays, out=None, **attrs):
                return arrays[0] ** 2, np.sin(arrays[0])

            def reference(self, x):
                return x * x, ops.sin(x)

        x = leaf(2, dtype="float64")
        square, sine = Both()(x)
        a = np.array([0.5, 1.5])
        np.testing.assert_allclose(value(grad(square, [x])[0], [x], a), 2 * a)
        np.testing.assert_allclose(
            value(grad(square * sine, [x])[0], [x], a), 2 * a * np.sin(a) + a * a * np.cos(a)
        )


def rule(name, vjp, reference=None):
    """An elementwise op of one operand with a rule of the test's own."""
    return Elementwise(
        name, lambda x, out: np.copyto(out, x), vjp, doc="Test.", arity=1, reference=reference
    )


class Opaque(Op):
    """An op without a gradient."""

    name = "test_opaque"

    def infer(self, *types, **attrs):
        return types[0]

    def kernel(self, *arrays, out=None, **attrs):
        return arrays[0]


class TestErrors:
    def test_a_wrong_dtype_is_caught(self):
        op = rule("test_wide", lambda g, y, x: (ops.cast(g, "float64"),))
        x = leaf(2)
        with pytest.raises(GradientError, match=r"test_wide: its vjp rule \(.*test_autodiff.py"):
            grad(op(x), [x])
        with pytest.raises(GradientError, match=r"expected: f32\[2\]\n  got: f64\[2\]"):
            grad(op(x), [x])

    @pytest.mark.parametrize("shape", [(2,), (3, 2), (6,), (3, 1), ()])
    def test_a_wrong_shape_is_caught(self, shape):
        op = rule("test_shape", lambda g, y, x: (const(np.zeros(shape, "f")),))
        x = leaf(2, 3)
        with pytest.raises(GradientError, match=r"expected: f32\[2, 3\]"):
            grad(op(x), [x])

    def test_a_symbol_is_not_summed_to_one(self):
        batch = Dim.symbol("batch")
        op = rule("test_symbol", lambda g, y, x: (ops.sum(g, axis=0),))
        x = leaf(batch, 3)
        with pytest.raises(GradientError, match=r"expected: f32\[batch, 3\]"):
            grad(op(x), [x])

    def test_a_number_is_not_a_cotangent(self):
        op = rule("test_number", lambda g, y, x: (1.0,))
        x = leaf(2)
        with pytest.raises(GradientError, match="cotangent of operand 0"):
            grad(op(x), [x])

    def test_a_rule_returns_one_cotangent_an_operand(self):
        x = leaf(2)
        for result in ((None, None), None):
            op = rule("test_count", lambda g, y, x, result=result: result)
            with pytest.raises(GradientError, match="a tuple of 1"):
                grad(op(x), [x])

    def test_no_gradient_names_op_layer_and_line(self):
        x = leaf(2)
        with scope("encoder"), scope("dense_1"):
            y = Opaque()(ops.sin(x))
        with pytest.raises(GradientError, match="test_opaque has no gradient") as caught:
            grad(y, [x])
        assert "encoder/dense_1" in str(caught.value)
        assert "test_autodiff.py:" in str(caught.value)
        assert "stop_gradient" in str(caught.value)

    def test_no_gradient_only_where_one_is_needed(self):
        x, z = leaf(2), leaf(2, name="z")
        opaque = Opaque()(z)
        assert grad(opaque * x, [x])[0] is not None
        assert grad(ops.stop_gradient(Opaque()(x)) * z, [x]) == [None]
        n = leaf(2, dtype="int32", name="n")
        assert grad(Opaque()(n), [n]) == [None]

    def test_cotangents_are_checked(self):
        x = leaf(2)
        with pytest.raises(GradientError, match="one cotangent an output"):
            grad([x, x], [x], [const([1.0, 1.0])])
        with pytest.raises(GradientError, match=r"expected: f32\[2\]\n  got: f32\[3\]"):
            grad([x], [x], [const([1.0, 1.0, 1.0])])


class TestOrigins:
    def test_backward_nodes_keep_layer_and_line_and_are_marked(self):
        x = leaf(2)
        with scope("dense_1"):
            y = ops.tanh(ops.exp(x))
        (g,) = grad(y, [x])
        made = [n for n in toposort([g]) if is_backward(n)]
        assert made
        assert not any(is_backward(n) for n in toposort([y]))
        for node in made:
            assert node.origin.scope == "dense_1"
            assert node.origin.where == y.origin.where
            assert node.origin.name is None
        rules = {(s.pass_name, s.rule, s.sources) for n in made for s in n.origin.lineage}
        assert rules == {(PASS_NAME, "tanh", ("tanh",)), (PASS_NAME, "exp", ("exp",))}

    def test_a_second_derivative_is_marked_twice(self):
        x = leaf(2)
        (g,) = grad(ops.exp(ops.sin(x)), [x])
        (second,) = grad(g, [x])
        assert max(len(n.origin.lineage) for n in toposort([second])) == 2


def test_types_of_gradients_are_those_of_the_nodes():
    w = Variable(np.ones((3, 2), "float16"), "w")
    x = leaf(4, 3)
    y = ops.matmul(x, ops.cast(w, "float32"))
    (g,) = grad(y, [w])
    assert g.type == TensorType((3, 2), "float16")


def test_gradients_are_graphs_like_others():
    x = leaf(3)
    (g,) = grad(ops.sum(x * x), [x])
    graph = Graph((x,), (("g", g),))
    np.testing.assert_array_equal(interpret(graph, [[1.0, 2.0, 3.0]])[0][0], [2, 4, 6])
