"""Constraints against NumPy's formulas and Keras 3, on arrays and in graphs."""

import json

import keras
import numpy as np
import pytest
from layer_harness import random

from kgraph import constraints
from kgraph.ir import Graph, input_node
from kgraph.runtime.interp import interpret

W = random(3, 3, 2, 4)
CASES = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": [0, 1, 2]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": [0, 1, 2]}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.0, "rate": 0.25, "axis": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_like_keras(name, arguments):
    mine = getattr(constraints, name)(**arguments)
    theirs = getattr(keras.constraints, name)(**arguments)
    np.testing.assert_allclose(mine(W), theirs(W), rtol=1e-5, atol=1e-7)
    node = input_node(W.shape, name="w")
    (found,), _ = interpret(Graph((node,), (("w", mine(node)),)), [W])
    np.testing.assert_allclose(found, theirs(W), rtol=1e-5, atol=1e-7)
    assert found.dtype == np.float32
    config = json.loads(json.dumps(constraints.serialize(mine)))
    assert config == {"class_name": name, "config": theirs.get_config()}
    np.testing.assert_array_equal(constraints.get(config)(W), mine(W))
    again = constraints.get(keras.constraints.serialize(theirs))
    np.testing.assert_array_equal(again(W), mine(W))


def test_the_formulas():
    w = np.array([[3.0, 0.3], [4.0, 0.4]])
    norm = np.array([5.0, 0.5])
    eps = 1e-7
    np.testing.assert_allclose(constraints.MaxNorm(2)(w), w * np.clip(norm, 0, 2) / (eps + norm))
    np.testing.assert_allclose(constraints.UnitNorm()(w), w / (eps + norm))
    desired = 0.5 * np.clip(norm, 1, 2) + 0.5 * norm
    np.testing.assert_allclose(
        constraints.MinMaxNorm(1, 2, rate=0.5)(w), w * desired / (eps + norm)
    )


def test_zero_weights_stay_zero():
    for name in ("max_norm", "unit_norm", "min_max_norm", "non_neg"):
        assert not constraints.get(name)(np.zeros((3, 2), "float32")).any()


@pytest.mark.parametrize("name", constraints.NAMES)
def test_every_name_gives_a_constraint(name):
    assert isinstance(constraints.get(name), constraints.Constraint)


def test_what_get_accepts():
    assert constraints.get(None) is None
    assert constraints.get(np.abs) is np.abs
    assert constraints.Constraint()(W) is W
    with pytest.raises(ValueError, match="Unknown constraint: max"):
        constraints.get("max")
    with pytest.raises(ValueError, match="Could not interpret constraint identifier: 3"):
        constraints.get(3)
