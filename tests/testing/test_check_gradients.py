"""`check_gradients` passes what is right, finds what is wrong, and says the smallest of it."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import Model, ops
from kgraph.ir import Graph, Variable, input_node, register
from kgraph.ir.node import API
from kgraph.ir.op import OPS
from kgraph.layers import Dense, Dropout, Input, Lambda
from kgraph.ops.base import Elementwise
from kgraph.runtime.interp import interpret
from kgraph.testing import CheckError, check_gradients, smallest
from kgraph.testing.points import spread

POINTS = np.linspace(-1.5, 1.5, 6)


@pytest.fixture
def wrong():
    """Makes ops with a wrong gradient, which are gone after the test."""
    made = []

    def make(vjp, name="wrong"):
        made.append(name)
        return register(Elementwise(name, np.tanh, vjp=vjp, doc="Test.", floating=True))

    yield make
    for name in made:
        del OPS[name], API[name]


def first_order(g, y, x):
    return (g * (1 - y),)


def second_order(g, y, x):
    return (g * ops.stop_gradient(1 - y * y),)


def test_targets_of_every_kind():
    x = input_node((3,), name="x")
    w = Variable([1.0, 2.0, 3.0], "w")
    model = Model(inner := Input((3,)), Dense(2, activation="tanh")(inner) * 2.0)
    targets = [
        (ops.tanh, (POINTS,), 6),
        (ops.softmax, (), 24),
        (lambda a, b: a @ b, (np.ones((2, 3)), np.ones((3, 2))), 6),
        (lambda a: {"rows": [ops.sin(a), a * a]}, ("f32[batch, 3]",), 6),
        (Dense(2), ("f32[batch, 3]",), 6),
        (Dense(2), (np.ones((4, 3), "float32"),), 6),
        (model, (), 6),
        (Graph((x,), (("y", x * w),), ((w, w + ops.exp(x)),)), (), 6),
        (Graph(tuple(model.inputs), (("y", model.outputs[0]),), (), model.graph.stage), (), 6),
    ]
    for target, inputs, count in targets:
        assert check_gradients(target, *inputs) == count


def test_float32_inside_is_checked_in_float64():
    scale = np.float32(0.1)
    assert check_gradients(lambda x: ops.cast(ops.exp(ops.cast(x, "float32") * scale), "float16"),
                           POINTS)  # fmt: skip


def test_ids_lie_on_the_axis_that_they_index():
    assert check_gradients(lambda w, ids: ops.take(w, ids, axis=0), "f32[3, 2]", "i32[40]")


def test_kinks_are_avoided():
    exactly_at_the_kink = np.array([0.0, 1.0, -1.0])
    assert check_gradients(lambda x: ops.relu(x) + ops.abs(x - 1), exactly_at_the_kink) == 6
    assert check_gradients(lambda x: ops.max(x), np.ones(4)) == 6
    assert check_gradients(lambda x: ops.floor(x) * x, np.arange(4.0)) == 6


def test_a_sharp_bend_is_no_mistake():
    assert check_gradients(lambda x: ops.sqrt(ops.sum(x * x)), np.zeros(2)) == 6


def test_points_outside_the_domain_are_no_kinks():
    with pytest.raises(CheckError, match=r"(?s)no finite value at every one.*domain"):
        check_gradients(ops.log, -np.ones(3))


@pytest.mark.parametrize("wrong", [{"order": 0}, {"directions": 0}])
def test_nothing_to_compare_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        check_gradients(ops.sin, np.ones(3), **wrong)


def test_a_kink_that_stays_is_reported():
    with pytest.raises(CheckError, match="a kink or jump at every one of 8 points"):
        check_gradients(lambda x: ops.abs(x - ops.stop_gradient(x)), POINTS)


def test_what_is_under_stop_gradient_is_held_fixed():
    assert check_gradients(lambda x: ops.stop_gradient(ops.exp(x)) * x, POINTS) == 6


def test_training_is_a_mode():
    assert check_gradients(Dropout(0.5, seed=1), "f32[batch, 8]", training=True) == 6


def test_nothing_to_differentiate_is_no_success():
    for target, inputs in [(ops.argmax, ()), (lambda x: x > 0, (POINTS,))]:
        with pytest.raises(CheckError, match="nothing to differentiate"):
            check_gradients(target, *inputs)


def test_a_function_must_return_tensors():
    with pytest.raises(TypeError, match="the function returned no tensor"):
        check_gradients(lambda x: 3, POINTS)
    with pytest.raises(TypeError, match="takes no such target"):
        check_gradients(3)


def test_the_culprit_is_found_deep_inside(wrong):
    op = wrong(first_order)
    with pytest.raises(CheckError) as caught:
        check_gradients(lambda x: ops.sin(op(ops.exp(x) * 0.1) ** 2) @ ops.transpose(x),
                        np.ones((3, 4)))  # fmt: skip
    error = caught.value
    assert str(error).startswith("derivative 1 of wrong is wrong")
    assert [n.op.name for n in error.graph.nodes] == ["input", "wrong"]
    assert error.facts["expression"] == "wrong(value of multiply)"
    assert error.facts["seed"] == 0
    assert "test_check_gradients.py" in error.facts["at"]
    assert error.facts["direction 1 of input 0"].shape == (3, 4)
    analytic, numeric = float(error.facts["analytic"]), float(error.facts["numeric"].split()[0])
    assert abs(analytic - numeric) > 1e-3


def test_a_wrong_second_derivative_is_found(wrong):
    op = wrong(second_order)
    check_gradients(op, POINTS, order=1)
    with pytest.raises(CheckError, match="derivative 2 of wrong is wrong"):
        check_gradients(op, POINTS)


def test_the_layer_of_the_culprit_is_named(wrong):
    op = wrong(first_order)
    inputs = Input((3,))
    model = Model(inputs, Dense(2, name="top")(Dense(4, activation=op, name="low")(inputs)))
    with pytest.raises(CheckError, match="derivative 1 of wrong in layer low is wrong") as caught:
        check_gradients(model)
    assert caught.value.arrays[0].shape == (1, 4)


def test_a_forgotten_path_is_found(wrong):
    op = wrong(lambda g, y, x: (None,))
    with pytest.raises(CheckError, match=r"analytic: 0\.0"):
        check_gradients(op, POINTS)


def test_a_gradient_that_fits_by_accident_at_one_point_does_not_pass(wrong):
    op = wrong(lambda g, y, x: (g * (1 - y * y) + g * x * x * 1e-4,))
    with pytest.raises(CheckError):
        check_gradients(Lambda(op), "f32[batch, 3]")


def test_smallest_keeps_what_the_failure_needs():
    x, y = input_node((2, 2), name="x"), input_node((2, 2), name="y")
    shared = ops.exp(x) @ ops.sin(y)
    graph = Graph((x, y), (("a", ops.tanh(x)), ("b", shared * shared + ops.cos(y))))
    arrays = [np.ones((2, 2), "float32")] * 2

    def squares(graph, arrays):
        """A failure of a multiplication of one value with itself."""
        interpret(graph, arrays)
        return any(n.op is ops.multiply and n.inputs[0] is n.inputs[1] for n in graph.nodes)

    small, fed = smallest(graph, arrays, squares)
    assert [n.op.name for n in small.nodes] == ["input", "multiply"]
    np.testing.assert_allclose(fed[0], (np.exp(1) * np.sin(1) * 2) * np.ones((2, 2)), rtol=1e-6)


def test_points_keep_their_distance():
    for count in (1, 2, 7, 40):
        values = np.sort(spread(np.random.default_rng(count), (count,)))
        assert (np.abs(values[:, None] - [-1, 0, 1]) >= 0.049).all()
        assert (np.diff(values) > 0).all()
