"""`kgraph.function` and `kgraph.gradients` on nodes of models and of raw ops."""

from __future__ import annotations

import numpy as np
import pytest

import kgraph
from kgraph import layers, ops
from kgraph.errors import GradientError
from kgraph.ir import Dim, Op, Variable, input_node, toposort
from kgraph.ir.call import LAYER_CALL
from kgraph.runtime.unfuse import unfuse_all
from kgraph.testing import check_gradients

BATCH = Dim.symbol("batch")


def leaf(*shape, dtype="float32", name="x"):
    return input_node(shape, dtype, name)


class Opaque(Op):
    """An op without a gradient."""

    name = "test_opaque_function"

    def infer(self, *types, **attrs):
        return types[0]


class TestStructure:
    def test_a_node_gives_an_array(self):
        x = leaf(BATCH)
        result = kgraph.function(x, x * 2)([1.0, 2.0])
        assert isinstance(result, np.ndarray)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, [2, 4])

    def test_nested_structures(self):
        x, y = leaf(2), leaf(2, name="y")
        f = kgraph.function([x, y], {"sum": x + y, "pair": [x, (y,)], "nothing": None})
        result = f([1.0, 2.0], [3.0, 4.0])
        assert list(result) == ["sum", "pair", "nothing"]
        assert result["nothing"] is None
        assert isinstance(result["pair"][1], tuple)
        np.testing.assert_array_equal(result["sum"], [4, 6])
        np.testing.assert_array_equal(result["pair"][1][0], [3, 4])

    def test_numbers_among_the_outputs(self):
        assert kgraph.function([], [3.0])()[0] == 3.0

    def test_arrays_by_name(self):
        x, y = leaf(2), leaf(2, name="y")
        f = kgraph.function([x, y], x - y)
        np.testing.assert_array_equal(f([5.0, 5.0], y=[1.0, 2.0]), [4, 3])
        np.testing.assert_array_equal(f(y=[1.0, 2.0], x=[5.0, 5.0]), [4, 3])

    def test_results_do_not_change_later(self):
        x = leaf(2)
        f = kgraph.function(x, [x, x + 1])
        first = f([1.0, 2.0])
        f([7.0, 8.0])
        np.testing.assert_array_equal(first[0], [1, 2])
        np.testing.assert_array_equal(first[1], [2, 3])


class TestGraphs:
    def test_layers_are_lowered(self):
        x = layers.Input((3,))
        dense = layers.Dense(2, activation="tanh")
        y = dense(x)
        data = np.ones((4, 3), "f")
        kernel, bias = dense.get_weights()
        np.testing.assert_allclose(
            kgraph.function(x, y)(data), np.tanh(data @ kernel + bias), rtol=1e-6
        )

    def test_dropout_is_off(self):
        x = layers.Input((3,))
        y = layers.Dropout(0.9)(x)
        np.testing.assert_array_equal(kgraph.function(x, y)(np.ones((2, 3))), np.ones((2, 3)))

    def test_a_tensor_in_the_middle_can_be_fed(self):
        x = layers.Input((3,))
        h = layers.Dense(2)(x)
        y = ops.exp(h) + 1
        f = kgraph.function(h, y)
        np.testing.assert_array_equal(f(np.zeros((1, 2))), [[2, 2]])
        g = leaf(2)
        s = ops.sin(g)
        np.testing.assert_array_equal(kgraph.function(s, s * 3)([1.0, 2.0]), [3, 6])

    def test_updates_read_old_values(self):
        a, b = Variable([1.0], "a"), Variable([10.0], "b")
        x = leaf(1)
        step = kgraph.function(x, a + b, updates=[(a, b + x), (b, a)])
        np.testing.assert_array_equal(step([0.5]), [11])
        np.testing.assert_array_equal(a.numpy(), [10.5])
        np.testing.assert_array_equal(b.numpy(), [1])

    def test_an_update_may_be_a_number(self):
        count = Variable(0, "count", "int64")
        kgraph.function([], [], updates=[(count, count + 1)])()
        assert count.numpy() == 1
        reset = kgraph.function([], [], updates=[(count, 7)])
        reset()
        assert count.numpy() == 7

    def test_variables_are_read_live(self):
        w = Variable([1.0, 2.0], "w")
        x = leaf(2)
        f = kgraph.function(x, w * x)
        w.assign([3.0, 4.0])
        np.testing.assert_array_equal(f([1.0, 1.0]), [3, 4])

    def test_batches_of_any_size(self):
        x = leaf(BATCH, 2)
        f = kgraph.function(x, ops.sum(x, axis=0))
        for n in (0, 1, 5):
            np.testing.assert_array_equal(f(np.ones((n, 2), "f")), [n, n])


class TestErrors:
    def test_wrong_dtype(self):
        x = leaf(2, dtype="int32", name="ids")
        f = kgraph.function(x, x + 1)
        with pytest.raises(TypeError) as caught:
            f(np.array([0.5, 1.5]))
        text = str(caught.value)
        assert "ids" in text
        assert "expected: i32[2]" in text
        assert "got: float64[2]" in text
        assert "hint: convert it" in text

    def test_no_numbers(self):
        x = leaf(1)
        f = kgraph.function(x, x)
        with pytest.raises(TypeError, match="wrong dtype"):
            f(["text"])

    def test_integers_and_bools_become_floats(self):
        x = leaf(2)
        f = kgraph.function(x, x / 2)
        np.testing.assert_array_equal(f([1, 2]), [0.5, 1])
        np.testing.assert_array_equal(f([True, False]), [0.5, 0])

    def test_wrong_rank(self):
        x = leaf(BATCH, 3, name="images")
        f = kgraph.function(x, x)
        with pytest.raises(ValueError, match="images") as caught:
            f(np.zeros(3))
        text = str(caught.value)
        assert "expected: f32[batch, 3]" in text
        assert "images: float64[3]" in text
        assert "hint: one sample needs an axis for the batch" in text

    def test_symbols_agree_across_inputs(self):
        x, y = leaf(BATCH, 2), leaf(BATCH, name="y")
        f = kgraph.function([x, y], ops.sum(x, axis=1) + y)
        with pytest.raises(ValueError, match="batch = 3") as caught:
            f(np.zeros((3, 2)), np.zeros(4))
        assert "y: float64[4]" in str(caught.value)
        assert "hint:" in str(caught.value)

    def test_wrong_number_of_arrays(self):
        x, y = leaf(2), leaf(2, name="y")
        f = kgraph.function([x, y], x + y)
        with pytest.raises(TypeError, match=r"takes 2 arrays\n.*x: f32\[2\], y: f32\[2\]"):
            f([1.0, 2.0])
        with pytest.raises(TypeError, match="got: x, z"):
            f([1.0, 2.0], z=[1.0, 2.0])

    def test_an_input_that_is_not_fed(self):
        x, y = leaf(2), leaf(2, name="other")
        with pytest.raises(ValueError, match="need the input 'other'"):
            kgraph.function(x, x + y)

    def test_an_input_twice(self):
        x = leaf(2)
        with pytest.raises(ValueError, match="twice"):
            kgraph.function([x, x], x)


class TestGradients:
    def test_of_raw_ops(self):
        x, w = leaf(2), Variable([3.0, 4.0], "w")
        gx, gw = kgraph.gradients(ops.sum(x * x * w), [x, w])
        f = kgraph.function(x, [gx, gw])
        np.testing.assert_array_equal(f([1.0, 2.0])[0], [6, 16])
        np.testing.assert_array_equal(f([1.0, 2.0])[1], [1, 4])

    def test_of_layers_by_weights_inputs_and_layer_outputs(self):
        x = layers.Input((3,))
        dense = layers.Dense(4, activation="tanh")
        h = dense(x)
        out = layers.Dense(1)
        y = out(h)
        kernel, _ = dense.weights
        found = kgraph.gradients(y, [x, kernel, h])
        assert not any(n.op is LAYER_CALL for n in toposort(found))
        data = np.random.default_rng(0).normal(size=(5, 3)).astype("f")
        gx, gk, gh = kgraph.function(x, found)(data)
        w1, b1 = dense.get_weights()
        w2, _ = out.get_weights()
        inner = (1 - np.tanh(data @ w1 + b1) ** 2) * w2.T
        np.testing.assert_allclose(gh, np.broadcast_to(w2.T, (5, 4)), rtol=1e-5)
        np.testing.assert_allclose(gx, inner @ w1.T, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(gk, data.T @ inner, rtol=1e-4, atol=1e-6)

    def test_a_layer_output_that_lowers_to_its_input_is_a_tensor_of_its_own(self):
        x = layers.Input((2,))
        h = layers.Dropout(0.5)(x)
        y = h * h + 10 * x
        gh, gx = kgraph.function(x, kgraph.gradients(y, [h, x]))(np.array([[1.0, 2.0]]))
        np.testing.assert_array_equal(gh, [[2, 4]])
        np.testing.assert_array_equal(gx, [[12, 14]])

    def test_the_forward_pass_is_shared(self):
        x = layers.Input((2,))
        h = layers.Dense(3, activation="tanh")(x)
        y = ops.sum(ops.exp(h))
        f = kgraph.function(x, [y, *kgraph.gradients(y, [h])])
        names = [n.op.name for n in unfuse_all(f.executable.graph).nodes]
        assert names.count("tanh") == 1
        assert names.count("identity") == 0

    def test_not_connected_is_none(self):
        x, y = layers.Input((2,)), layers.Input((2,))
        assert kgraph.gradients(layers.Dense(1)(x), [y]) == [None]

    def test_a_single_node_gives_a_list_as_in_keras(self):
        x = leaf(2)
        (g,) = kgraph.gradients(ops.sin(x), x)
        assert g.type == x.type

    def test_second_order_through_layers(self):
        x = layers.Input((2,))
        y = ops.sum(layers.Dense(3, activation="sigmoid")(x) ** 2)
        (first,) = kgraph.gradients(y, x)
        (second,) = kgraph.gradients(ops.sum(first), x)
        data = np.random.default_rng(1).normal(size=(4, 2)).astype("f")
        f = kgraph.function(x, [first, second])
        step = np.full((4, 2), 1e-2, "f")
        numeric = (f(data + step)[0] - f(data - step)[0]).sum() / 2e-2
        np.testing.assert_allclose(f(data)[1].sum(), numeric, rtol=2e-3, atol=1e-4)

    def test_several_outputs_are_summed(self):
        x = leaf(2)
        f = kgraph.function(x, kgraph.gradients([ops.sin(x), x * 3], x)[0])
        np.testing.assert_allclose(f([0.0, 0.0]), [4, 4])

    def test_errors_name_the_layer(self):
        x = layers.Input((2,))
        y = layers.Lambda(Opaque(), name="strange")(x)
        with pytest.raises(GradientError, match="strange"):
            kgraph.gradients(y, [x])


def test_a_layer_in_float64_against_finite_differences():
    gamma, beta = np.array([1.5, -0.5, 2.0]), np.array([0.1, 0.2, 0.3])

    def norm(x, g, b):
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        scale = ops.rsqrt(ops.mean(centred * centred, axis=-1, keepdims=True) + 1e-3)
        return ops.relu(centred * scale * g + b)

    data = np.random.default_rng(3).normal(size=(4, 3))
    check_gradients(norm, data, gamma, beta)
