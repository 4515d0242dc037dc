"""Input and its layer."""

import numpy as np
import pytest

from kgraph.ir import Dim
from kgraph.layers import Dense, Input, InputLayer
from kgraph.layers.naming import reset_uids
from kgraph.models import Model


def test_the_batch_is_one_symbol_and_other_sizes_have_their_own():
    x, y = Input((None, 3), name="words"), Input((4,))
    assert x.shape == (Dim.symbol("batch"), Dim.symbol("words_1"), 3)
    assert y.shape[0] is x.shape[0] or y.shape[0] == x.shape[0]
    odd = Input((None,), name="2/x y")
    assert odd.shape[1] == Dim.symbol("_2_x_y_1")
    assert odd.name == "2/x y"


def test_names_and_dtypes():
    reset_uids()
    assert [Input((1,)).name, Input((1,)).name] == ["input_1", "input_2"]
    assert Input((1,), dtype="int32").dtype == "int32"
    assert Input((1,)).dtype == "float32"


def test_both_generations_order_of_arguments():
    assert Input((3,), 5)._keras_shape == (5, 3)
    assert Input((3,), batch_size=5)._keras_shape == (5, 3)
    assert Input(batch_shape=(2, 3))._keras_shape == (2, 3)
    assert Input(None, (2, 3), "n", "int64").dtype == "int64"
    assert Input(())._keras_shape == (None,)


def test_what_is_no_shape_is_refused():
    with pytest.raises(ValueError, match="either a `shape` or a `batch_shape` argument"):
        Input()
    for wrong in (784, "abc", (3.5,), (-1,), (True,)):
        with pytest.raises(ValueError, match=r"Cannot convert .* to a shape"):
            Input(wrong)
    with pytest.raises(ValueError, match="dense tensors only"):
        Input((3,), sparse=True)


def test_a_tensor_that_is_there_is_given_back():
    x = Input((3,)) * 2.0
    assert Input(tensor=x) is x
    assert Input((3,), None, "n", "float32", False, x) is x
    model = Model(Input(tensor=x), Dense(2)(x))
    assert model.predict(np.ones((4, 3))).shape == (4, 2)
    for wrong in ({"shape": (4,)}, {"batch_shape": (None, 3, 1)}, {"dtype": "int32"}):
        with pytest.raises(ValueError, match="not what the other arguments say"):
            Input(tensor=x, **wrong)
    with pytest.raises(TypeError, match="no symbolic tensor"):
        Input(tensor=np.ones((2, 3)))


def test_the_layer_of_an_input():
    layer = InputLayer((3,), name="x")
    assert layer.input is layer.output
    assert layer.input_shape == layer.output_shape == (None, 3)
    assert layer.get_config() == {
        "batch_input_shape": (None, 3), "dtype": "float32", "sparse": False, "name": "x",
    }  # fmt: skip
    assert layer.count_params() == 0
    assert layer.inbound_nodes[0].inputs == ()
