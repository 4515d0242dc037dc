"""Nodes: what they show, what they refuse, and where they say they come from."""

from __future__ import annotations

import copy
import inspect
import math

import numpy as np
import pytest

from kgraph import ops
from kgraph.errors import InferenceError, KGraphError
from kgraph.ir import Dim, Variable, input_node, item, items
from kgraph.ir.origin import Lineage, Origin, here, making, scope

B = Dim.symbol("batch")
X = input_node((B, 3), name="x")


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (bool, "`if`"),
        (float, "no value"),
        (int, "no value"),
        (len, ".shape"),
        (list, "unstack"),
        (np.asarray, "array"),
        (math.sqrt, "no value"),
        (lambda x: range(9)[x], "no value"),
        (np.fft.fft, "array"),
        (np.linalg.norm, "norm"),
        (lambda x: np.add(x, 1, where=True), "add"),
        (np.spacing, "spacing"),
    ],
)
def test_a_symbolic_tensor_has_no_value(use, word):
    with pytest.raises(TypeError, match=word):
        use(X)


def test_properties():
    assert (X.shape, X.dtype, X.ndim, X.size, X.name) == ((B, 3), "float32", 2, 3 * B, "x")
    assert repr(X) == "<x = input: f32[batch, 3]>"
    assert repr(X + X) == "<add: f32[batch, 3]>"
    assert X._keras_shape == (None, 3)
    assert X._keras_history is None


def test_copies_are_the_node():
    assert copy.copy(X) is X
    assert copy.deepcopy([X])[0] is X
    assert copy.deepcopy(X.op) is X.op


def test_equality_is_identity():
    other = input_node((B, 3), name="x")
    assert other != X
    assert {X: 1, other: 2}[X] == 1


def test_several_outputs():
    both = ops.top_k(X, 2)
    node = both[0].inputs[0]
    assert items(node) == both
    assert item(node, 1) is both[1]
    assert item(X, 0) is X
    for question in ("type", "shape", "dtype", "size"):
        with pytest.raises(KGraphError, match="2 outputs"):
            getattr(node, question)
    with pytest.raises(InferenceError, match="output 5"):
        item(node, 5)


def test_refusals_name_op_operands_and_the_users_line():
    line = inspect.currentframe().f_lineno + 2
    with pytest.raises(InferenceError) as caught:
        ops.add(X, input_node((B, 4), name="y"))
    message = str(caught.value)
    for part in ("add", "f32[batch, 3]", "f32[batch, 4]", f"test_node.py:{line}"):
        assert part in message


def test_origin_is_the_users_line():
    line = inspect.currentframe().f_lineno + 1
    node = ops.tanh(X * 17.25)
    assert node.origin.where == f"{__file__}:{line}"
    assert node.inputs[0].origin is node.origin
    assert Origin().where is None


def test_scopes_nest_and_keep_the_line():
    with scope("model_1"), scope("dense_1"):
        line = inspect.currentframe().f_lineno + 1
        node = ops.tanh(X * 18.25)
    assert node.origin.scope == "model_1/dense_1"
    assert node.origin.file == __file__
    assert node.origin.line <= line
    assert here().scope == ""


def test_making_sets_the_label():
    label = Origin("n", "s", "f.py", 3, (Lineage("simplify", "mul-one", ("%1", "%2")),))
    with making(label):
        node = ops.tanh(X * 19.25)
        assert here("other").name == "other"
    assert node.origin is label
    assert node.name == "n"
    assert str(label.lineage[0]) == "simplify/mul-one from %1, %2"


def test_the_first_label_stays():
    with scope("first"):
        node = X * 20.25
    with scope("second"):
        assert X * 20.25 is node
    assert node.origin.scope == "first"


def test_variables():
    weight = Variable(np.arange(3), name="w", dtype="float32", trainable=False)
    assert repr(weight) == "<Variable w: f32[3]>"
    array = weight.value
    weight.numpy()[0] = 9
    assert weight.assign([4, 5, 6]).value is array
    assert weight.numpy().tolist() == [4, 5, 6]
    with pytest.raises(ValueError, match=r"(?s)variable w.*\(3,\).*\(2,\)"):
        weight.assign([1, 2])
    source = np.zeros(2, "float32")
    Variable(source).assign([1, 1])
    assert source.tolist() == [0, 0]
