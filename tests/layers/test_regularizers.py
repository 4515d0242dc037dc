"""Penalties against NumPy's formulas and Keras 3, on arrays and in graphs."""

import json

import keras
import numpy as np
import pytest
from layer_harness import random

from kgraph import regularizers
from kgraph.ir import Graph, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

W = random(4, 3)
L1, L2 = abs(W).sum(), (W**2).sum()


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (regularizers.l1(), 0.01 * L1),
        (regularizers.l2(), 0.01 * L2),
        (regularizers.l1_l2(), 0.01 * (L1 + L2)),
        (regularizers.l1(0.5), 0.5 * L1),
        (regularizers.l2(l=0.5), 0.5 * L2),
        (regularizers.L1(l1=0.5), 0.5 * L1),
        (regularizers.L2(l2=0.5), 0.5 * L2),
        (regularizers.l1_l2(l1=0.1, l2=0.2), 0.1 * L1 + 0.2 * L2),
        (regularizers.L1L2(l2=0.2), 0.2 * L2),
        (regularizers.L1L2(), 0.0),
        (regularizers.get("l2"), 0.01 * L2),
        (regularizers.get("L1L2"), 0.0),
    ],
)
def test_values(penalty, value):
    assert float(penalty(W)) == pytest.approx(value, rel=1e-6)
    node = input_node((4, 3), name="w")
    (found,), _ = interpret(Graph((node,), (("loss", penalty(node)),)), [W])
    assert found.shape == ()
    assert float(found) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_regularizer(mode):
    mine, theirs = (m.OrthogonalRegularizer(0.3, mode) for m in (regularizers, keras.regularizers))
    assert float(mine(W)) == pytest.approx(float(theirs(keras.ops.array(W))), rel=1e-5)
    assert regularizers.serialize(mine)["config"] == {"factor": 0.3, "mode": mode}


def test_orthogonal_regularizer_has_a_gradient_at_a_zero_row():
    node = input_node((3, 3), name="w")
    slope = grad(regularizers.OrthogonalRegularizer()(node), [node])[0]
    (found,), _ = interpret(Graph((node,), (("slope", slope),)), [np.diag([1.0, 1.0, 0.0])])
    assert np.isfinite(found).all()


def test_configurations_have_the_layout_of_keras_2():
    config = regularizers.serialize(regularizers.l2(0.25))
    assert config == {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.25}}
    again = regularizers.get(json.loads(json.dumps(config)))
    assert again.get_config() == config["config"]


@pytest.mark.parametrize("name", ["L1", "L2", "L1L2", "OrthogonalRegularizer"])
def test_keras_3_configurations_load(name):
    theirs = getattr(keras.regularizers, name)()
    mine = regularizers.get(keras.regularizers.serialize(theirs))
    assert float(mine(W)) == pytest.approx(float(theirs(W)), rel=1e-5)


def test_what_get_accepts():
    assert regularizers.get(None) is None
    assert regularizers.get(np.sum) is np.sum
    assert isinstance(regularizers.get(regularizers.L1L2), regularizers.L1L2)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: regularizers.get("l3"), "Unknown regularizer: l3"),
        (lambda: regularizers.get(0.1), "Could not interpret regularizer identifier: 0.1"),
        (lambda: regularizers.l1(-1.0), "argument l1: expected a non-negative float"),
        (lambda: regularizers.l2("much"), "argument l2: expected a non-negative float"),
        (lambda: regularizers.L1L2(l2=float("nan")), "argument l2"),
        (lambda: regularizers.OrthogonalRegularizer(mode="both"), "argument mode"),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones(3)), "must have rank 2"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_base_says_what_to_define():
    with pytest.raises(NotImplementedError, match="must define __call__"):
        regularizers.Regularizer()(W)
