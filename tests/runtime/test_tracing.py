"""`kgraph.jit`, `grad` and `value_and_grad` on plain Python functions of arrays."""

from __future__ import annotations

import functools
import threading
from collections import namedtuple

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kgraph
from kgraph import layers, ops
from kgraph.ir import Variable
from kgraph.ir.structure import flatten

Point = namedtuple("Point", "x y")


def traces(function):
    return function.cache_info().misses


class TestJit:
    def test_values_and_dtypes(self):
        f = kgraph.jit(lambda x, y: np.tanh(x) @ y)
        x, y = np.ones((2, 3)), np.ones((3, 2))
        np.testing.assert_allclose(f(x, y), np.tanh(x) @ y, rtol=1e-15)
        assert f(x, y).dtype == np.float64
        assert f(x.astype("f"), y.astype("f")).dtype == np.float32

    def test_one_trace_for_equal_types(self):
        calls = []

        def fun(x, scale):
            calls.append(x)
            return x * scale

        f = kgraph.jit(fun)
        for i in range(4):
            np.testing.assert_array_equal(f(np.full(3, i, "f"), i), [i * i] * 3)
        assert len(calls) == traces(f) == 1
        f(np.zeros(4, "f"), 1)
        f(np.zeros(3), 1)
        f(np.zeros(3, "f"), 1.0)
        f(np.zeros(3, "f"), True)
        assert len(calls) == traces(f) == 5

    def test_structures_are_preserved(self):
        @kgraph.jit
        def f(tree, point):
            return {"sum": tree["a"][0] + tree["a"][1][0], "point": Point(point.y, point.x)}, None

        one = np.ones(2, "f")
        result, nothing = f({"a": [one, (one,)]}, Point(one, 2 * one))
        assert nothing is None
        assert isinstance(result["point"], Point)
        np.testing.assert_array_equal(result["sum"], [2, 2])
        np.testing.assert_array_equal(result["point"].x, [2, 2])

    def test_numbers_are_traced(self):
        f = kgraph.jit(lambda x, n: (x + n, n))
        x, n = f(np.zeros(2), 3)
        np.testing.assert_array_equal(x, [3, 3])
        assert (x.dtype, n.dtype) == (np.float64, np.int32)
        assert kgraph.jit(lambda x: x)(2.5).dtype == np.float32

    def test_python_floats_are_not_rounded_beside_float64(self):
        f = kgraph.jit(lambda x, rate: x * rate)
        assert f(np.ones(1), 0.1)[0] == 0.1
        assert f(np.ones(1, "f"), 0.1)[0] == np.float32(0.1)
        assert f(np.ones(1, "f"), np.float64(0.1)).dtype == np.float32
        assert kgraph.jit(lambda x: x)(np.float64(0.1)) == 0.1

    def test_keyword_arguments(self):
        f = kgraph.jit(lambda x, *, scale=2.0: x * scale)
        assert f(np.float32(3)) == 6
        assert f(np.float32(3), scale=3) == 9

    def test_static_arguments(self):
        def power(x, n, mode="up"):
            for _ in range(n):
                x = x * x if mode == "up" else -x
            return x

        for f in (
            kgraph.jit(power, static_argnums=(1, 2)),
            kgraph.jit(power, static_argnames=("n", "mode")),
            kgraph.jit(power, static_argnums=-2, static_argnames="mode"),
        ):
            assert f(3.0, 1) == 9
            assert f(3.0, 2) == 81
            assert f(3.0, n=2) == 81
            assert f(3.0, 2, "down") == 3
            assert f(3.0, 2, mode="down") == 3
            assert f(3.0, 2) == 81

    def test_static_values_keep_their_type(self):
        f = kgraph.jit(lambda x, s: x + (0 if isinstance(s, bool) else s), static_argnums=1)
        assert f(1.0, 1) == 2
        assert f(1.0, True) == 1
        assert traces(f) == 2

    def test_static_arguments_are_hashable(self):
        f = kgraph.jit(lambda x, s: x, static_argnums=1)
        with pytest.raises(ValueError, match="hashable"):
            f(1.0, [1])

    def test_leaves_are_arrays(self):
        f = kgraph.jit(lambda params, mode: params["w"])
        with pytest.raises(TypeError, match="Argument mode of") as caught:
            f({"w": 1.0}, "train")
        assert "static_argnums" in str(caught.value)

    def test_results_are_arrays(self):
        with pytest.raises(TypeError, match="Result out_1"):
            kgraph.jit(lambda x: (x, "text"))(1.0)

    def test_constants_among_the_results(self):
        _, one, row = kgraph.jit(lambda x: (x, 1.0, np.arange(3.0)))(np.zeros(1))
        assert one == 1
        np.testing.assert_array_equal(row, [0, 1, 2])

    def test_control_flow_on_values_is_refused(self):
        with pytest.raises(TypeError, match="has no value"):
            kgraph.jit(lambda x: x if x > 0 else -x)(1.0)
        with pytest.raises(TypeError, match="has no value"):
            kgraph.jit(lambda x: [x for _ in range(x)])(3)

    def test_control_flow_on_shapes(self):
        f = kgraph.jit(lambda x: sum(x[i] for i in range(x.shape[0])) if x.ndim else x)
        assert f(np.arange(4.0)) == 6
        assert f(np.float32(2)) == 2

    def test_closures(self):
        array, w = np.array([1.0, 2.0], "f"), Variable([1.0, 1.0], "w")
        f = kgraph.jit(lambda x: x * array + w)
        np.testing.assert_array_equal(f(np.ones(2, "f")), [2, 3])
        array[:] = 100
        w.assign([5.0, 5.0])
        np.testing.assert_array_equal(f(np.ones(2, "f")), [6, 7])
        assert traces(f) == 1

    def test_layers_inside(self):
        dense = layers.Dense(2)
        f = kgraph.jit(lambda x: ops.softmax(dense(x)))
        data = np.ones((3, 4), "f")
        before = f(data)
        kernel, bias = dense.get_weights()
        scores = np.exp(data @ kernel + bias)
        np.testing.assert_allclose(before, scores / scores.sum(1, keepdims=True), rtol=1e-5)

    def test_numpy_functions_and_array_methods(self):
        x = np.random.default_rng(0).uniform(0.5, 2, (3, 4))

        def fun(x):
            y = np.concatenate([x.T, np.log(x).T]).reshape(2, 4, 3)
            return np.where(y > 1, y, -y).sum(axis=0).max(), np.mean(x, axis=1), x[:, ::-1]

        for found, expected in zip(kgraph.jit(fun)(x), fun(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-14)

    def test_methods(self):
        class Scaler:
            def __init__(self, scale):
                self.scale = scale

            @kgraph.jit
            def fixed(self, x):
                return x * 2

            @functools.partial(kgraph.jit, static_argnums=0)
            def scaled(self, x):
                return x * self.scale

        with pytest.raises(TypeError, match="Argument self of fixed"):
            Scaler(2.0).fixed(1.0)
        assert Scaler(2.0).scaled(1.5) == 3
        assert Scaler(3.0).scaled(1.5) == 4.5

    def test_names_and_inspection(self):
        @kgraph.jit
        def documented(x, params):
            """Adds."""
            return x + params["b"]

        assert documented.__name__ == "documented"
        assert documented.__doc__ == "Adds."
        graph = documented.executable(1.0, {"b": 2.0}).graph
        assert [n.name for n in graph.inputs] == ["x", "params_b"]

    def test_caches_are_bounded(self, monkeypatch):
        monkeypatch.setattr(kgraph.config, "plan_cache_size", 2)
        f = kgraph.jit(lambda x: x + 1)
        for n in (1, 2, 3, 1):
            f(np.zeros(n))
        assert f.cache_info().currsize == 2
        assert traces(f) == 4

    def test_the_rules_that_may_fire_are_part_of_the_key(self, monkeypatch):
        f = kgraph.jit(lambda x: x * 2)
        f(1.0)
        monkeypatch.setattr(kgraph.config, "numerics", "strict")
        assert f(1.0) == 2
        assert traces(f) == 2

    def test_threads(self):
        f = kgraph.jit(lambda x: np.tanh(x) * x.shape[0])
        failures = []

        def work(seed):
            rng = np.random.default_rng(seed)
            for _ in range(20):
                x = rng.normal(size=rng.integers(1, 4))
                if not np.allclose(f(x), np.tanh(x) * len(x)):
                    failures.append(x)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


def loss(np_, params, x, y):
    hidden = np_.tanh(np_.matmul(x, params["w1"]) + params["b1"])
    out = np_.matmul(hidden, params["w2"])
    return np_.mean(np_.square(out - y))


def problem(dtype="float64"):
    rng = np.random.default_rng(0)
    params = {
        "w1": rng.normal(size=(3, 5)).astype(dtype),
        "b1": rng.normal(size=5).astype(dtype),
        "w2": rng.normal(size=(5, 2)).astype(dtype),
    }
    return params, rng.normal(size=(4, 3)).astype(dtype), rng.normal(size=(4, 2)).astype(dtype)


class TestGrad:
    def test_structure_and_values_equal_jax(self):
        args = problem()
        found = kgraph.grad(lambda *a: loss(ops, *a), argnums=(0, 1))(*args)
        with jax.enable_x64(True):
            expected = jax.grad(lambda *a: loss(jax.numpy, *a), argnums=(0, 1))(*args)
        assert isinstance(found, tuple)
        assert list(found[0]) == ["w1", "b1", "w2"]
        for name, array in expected[0].items():
            np.testing.assert_allclose(found[0][name], array, rtol=1e-12)
            assert found[0][name].dtype == np.float64
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)

    def test_value_and_grad(self):
        args = problem("float32")
        value, slopes = kgraph.value_and_grad(lambda *a: loss(ops, *a))(*args)
        np.testing.assert_allclose(value, loss(np, *args), rtol=1e-5)
        assert value.shape == ()
        assert {g.dtype.name for g in slopes.values()} == {"float32"}

    def test_has_aux(self):
        def fun(x):
            return np.sum(x * x), {"double": 2 * x, "shape": x.shape[0]}

        x = np.array([1.0, 2.0])
        slope, aux = kgraph.grad(fun, has_aux=True)(x)
        np.testing.assert_array_equal(slope, [2, 4])
        np.testing.assert_array_equal(aux["double"], [2, 4])
        assert aux["shape"] == 2
        (value, aux), slope = kgraph.value_and_grad(fun, has_aux=True)(x)
        assert value == 5
        np.testing.assert_array_equal(slope, [2, 4])

    def test_argnums(self):
        f = lambda x, y: x * y * y  # noqa: E731
        assert kgraph.grad(f)(2.0, 3.0) == 9
        assert kgraph.grad(f, argnums=1)(2.0, 3.0) == 12
        assert kgraph.grad(f, argnums=-1)(2.0, 3.0) == 12
        assert kgraph.grad(f, argnums=[1])(2.0, 3.0) == (12,)

    def test_an_argument_that_does_not_matter_has_zeros(self):
        slope = kgraph.grad(lambda x, y: y * 1.0)(np.ones((2, 2)), 3.0)
        np.testing.assert_array_equal(slope, np.zeros((2, 2)))
        assert slope.dtype == np.float64
        assert kgraph.grad(lambda x: 3.0)(1.0) == 0

    def test_other_arguments_may_be_anything(self):
        def fun(x, mode, flag=False):
            y = x * 2 if mode == "double" else x
            return -y if flag else y

        slope = kgraph.grad(fun)
        assert slope(1.0, "double") == 2
        assert slope(1.0, "double", flag=True) == -2
        assert slope(1.0, None) == 1

    def test_integers_beside_are_traced(self):
        slope = kgraph.grad(lambda x, n: x * n)
        assert [float(slope(1.0, n)) for n in range(5)] == [0, 1, 2, 3, 4]
        assert traces(slope) == 1

    def test_numpy_functions(self):
        assert kgraph.grad(np.sin)(0.0) == 1
        assert kgraph.grad(kgraph.ops.exp)(0.0) == 1

    def test_errors(self):
        square = lambda x: x * x  # noqa: E731
        with pytest.raises(TypeError, match=r"scalar-output functions. Output had shape: \(3,\)"):
            kgraph.grad(square)(np.ones(3))
        with pytest.raises(TypeError, match=r"scalar-output functions. Output was: "):
            kgraph.grad(lambda x: (x, x))(1.0)
        with pytest.raises(TypeError, match=r"real-valued inputs .* but got int32"):
            kgraph.grad(square)(3)
        with pytest.raises(TypeError, match=r"real-valued inputs .* but got str"):
            kgraph.grad(square)("x")
        with pytest.raises(TypeError, match=r"real-valued outputs .* but got int"):
            kgraph.grad(lambda x: np.argmax(x))(np.ones(3))
        with pytest.raises(ValueError, match="at least 2 positional arguments"):
            kgraph.grad(square, argnums=1)(1.0)
        with pytest.raises(TypeError, match="must return a pair"):
            kgraph.grad(square, has_aux=True)(1.0)
        with pytest.raises(TypeError, match="has no value"):
            kgraph.grad(lambda x: x if x > 0 else -x)(1.0)

    def test_through_layers(self):
        dense = layers.Dense(1)
        x = np.ones((2, 3), "f")
        slope = kgraph.grad(lambda x: ops.sum(dense(x)))(x)
        np.testing.assert_allclose(slope, np.tile(dense.get_weights()[0].T, (2, 1)), rtol=1e-6)

    def test_variables_are_read_live(self):
        w = Variable(2.0, "w")
        slope = kgraph.grad(lambda x: x * x * w)
        assert slope(1.0) == 4
        w.assign(5.0)
        assert slope(1.0) == 10


def test_the_gradient_is_that_of_the_stable_form():
    def loss(z):
        return -ops.log(ops.softmax(z, axis=-1))[0]

    z = np.array([-200.0, 0.0], "f")
    np.testing.assert_allclose(kgraph.grad(loss)(z), [-1.0, 1.0])


class TestNesting:
    @settings(max_examples=10, deadline=None)
    @given(st.floats(-2, 2))
    def test_derivatives_of_derivatives(self, x):
        f = lambda x: np.sin(x) * x * x  # noqa: E731
        second = kgraph.grad(kgraph.grad(f))
        expected = -np.sin(x) * x * x + 4 * x * np.cos(x) + 2 * np.sin(x)
        np.testing.assert_allclose(second(np.array(x)), expected, rtol=1e-9, atol=1e-12)

    def test_third_derivative_equals_jax(self):
        f = lambda np_, x: np_.exp(np_.sin(x) * x)  # noqa: E731
        mine = kgraph.grad(kgraph.grad(kgraph.grad(lambda x: f(ops, x))))(np.array(0.7))
        with jax.enable_x64(True):
            theirs = jax.grad(jax.grad(jax.grad(lambda x: f(jax.numpy, x))))(0.7)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)

    def test_jit_and_grad_compose_both_ways(self):
        f = lambda x, y: np.sum(np.sin(x) * y)  # noqa: E731
        x, y = np.linspace(0, 1, 3), np.arange(3.0)
        for slope in (
            kgraph.jit(kgraph.grad(f)),
            kgraph.grad(kgraph.jit(f)),
            kgraph.jit(kgraph.grad(kgraph.jit(f))),
        ):
            np.testing.assert_allclose(slope(x, y), np.cos(x) * y, rtol=1e-14)

    def test_a_closure_over_the_argument_is_constant(self):
        # d/dx [x * d/dy (x * y)] at y = x is d/dx x^2, not 2 x^2.
        f = lambda x: x * kgraph.grad(lambda y: x * y)(x)  # noqa: E731
        assert kgraph.grad(f)(3.0) == 6
        assert f(3.0) == 9

    def test_hessian_vector_product(self):
        f = lambda np_, x: np_.sum(np_.exp(x) * x[::-1])  # noqa: E731

        def product(x, v):
            return kgraph.grad(lambda x: np.sum(kgraph.grad(lambda z: f(ops, z))(x) * v))(x)

        x, v = np.array([0.1, 0.5, -0.3]), np.array([1.0, -2.0, 0.5])
        with jax.enable_x64(True):
            expected = jax.hessian(lambda x: f(jax.numpy, x))(x) @ v
        np.testing.assert_allclose(kgraph.jit(product)(x, v), expected, rtol=1e-12)
        np.testing.assert_allclose(product(x, v), expected, rtol=1e-12)

    def test_static_arguments_pass_through(self):
        f = lambda x, n: x**n  # noqa: E731
        slope = kgraph.jit(kgraph.grad(f), static_argnums=1)
        assert slope(2.0, 3) == 12

    def test_value_and_grad_inside_jit_is_one_graph(self):
        @kgraph.jit
        def step(w, x):
            value, slope = kgraph.value_and_grad(lambda w: np.mean((x @ w) ** 2))(w)
            return w - 0.1 * slope, value

        w, x = np.ones(3), np.eye(3)
        for _ in range(3):
            expected = w - 0.1 * (2 / 3) * w
            w, _ = step(w, x)
            np.testing.assert_allclose(w, expected, rtol=1e-14)
        assert traces(step) == 1


@given(
    st.recursive(
        st.integers(0, 9),
        lambda t: (
            st.lists(t, max_size=3)
            | st.tuples(t, t)
            | st.dictionaries(st.text(max_size=2), t, max_size=3)
            | st.none()
            | st.builds(Point, t, t)
        ),
        max_leaves=8,
    )
)
def test_structures_pack_what_they_flattened(tree):
    leaves, structure = flatten(tree)
    packed = structure.pack(leaves)
    assert packed == tree
    assert type(packed) is type(tree)
    assert flatten(packed)[1] == structure
    assert hash(flatten(packed)[1]) == hash(structure)
    assert len(structure.paths("x")) == len(leaves)
