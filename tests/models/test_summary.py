"""The summary, letter by letter as Keras 2.3 prints it."""

import numpy as np
import pytest

from kgraph import Variable
from kgraph.layers import Activation, BatchNormalization, Concatenate, Dense, Input, Masking
from kgraph.models import Model, Sequential
from kgraph.utils import print_summary

MNIST = """\
Model: "sequential_1"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
dense_1 (Dense)              (None, 128)               100480    
_________________________________________________________________
activation_1 (Activation)    (None, 128)               0         
_________________________________________________________________
dense_2 (Dense)              (None, 128)               16512     
_________________________________________________________________
activation_2 (Activation)    (None, 128)               0         
_________________________________________________________________
dense_3 (Dense)              (None, 10)                1290      
_________________________________________________________________
activation_3 (Activation)    (None, 10)                0         
=================================================================
Total params: 118,282
Trainable params: 118,282
Non-trainable params: 0
_________________________________________________________________
"""  # noqa: W291

TWO_INPUTS = """\
Model: "m"
__________________________________________________________________________________________________
Layer (type)                    Output Shape         Param #     Connected to                     
==================================================================================================
a (InputLayer)                  (None, 3)            0                                            
__________________________________________________________________________________________________
b (InputLayer)                  (None, 3)            0                                            
__________________________________________________________________________________________________
shared (Dense)                  (None, 2)            8           a[0][0]                          
                                                                 b[0][0]                          
__________________________________________________________________________________________________
both (Concatenate)              (None, 4)            0           shared[0][0]                     
                                                                 shared[1][0]                     
__________________________________________________________________________________________________
norm (BatchNormalization)       (None, 4)            16          both[0][0]                       
==================================================================================================
Total params: 24
Trainable params: 16
Non-trainable params: 8
__________________________________________________________________________________________________
"""  # noqa: W291


def lines_of(model, **arguments):
    lines = []
    model.summary(print_fn=lines.append, **arguments)
    return lines


def mnist():
    stack = [
        Dense(128, input_shape=(784,), name="dense_1"),
        Activation("relu", name="activation_1"),
    ]
    stack += [Dense(128, name="dense_2"), Activation("relu", name="activation_2")]
    stack += [Dense(10, name="dense_3"), Activation("softmax", name="activation_3")]
    return Sequential(stack, name="sequential_1")


def test_a_chain(capsys):
    mnist().summary()
    assert capsys.readouterr().out == MNIST


def test_a_graph_with_two_inputs_and_a_shared_layer(capsys):
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(2, name="shared")
    both = Concatenate(name="both")([shared(a), shared(b)])
    print_summary(Model([a, b], BatchNormalization(name="norm")(both), name="m"))
    assert capsys.readouterr().out == TWO_INPUTS


def test_one_call_of_print_fn_a_line():
    assert "\n".join(lines_of(mnist())) + "\n" == MNIST


def test_a_functional_chain_shows_its_input():
    x = Input((3,), name="x")
    lines = lines_of(Model(x, Dense(2, name="d")(x)))
    assert lines[4].startswith("x (InputLayer)               (None, 3)                 0")
    assert len(lines[1]) == 65


def test_columns_widen_instead_of_cutting():
    name = "a_name_that_is_longer_than_its_column"
    model = Sequential([Dense(2, input_shape=(3,), name=name)])
    lines = lines_of(model)
    assert any(line.startswith(f"{name} (Dense) (None, 2)") for line in lines)
    assert len({len(line) for line in lines[1:6]}) == 1
    cut = lines_of(model, line_length=40, positions=[0.5, 0.8, 1.0])
    assert cut[4] == "a_name_that_is_long (None, 2)   8       "
    assert lines_of(model, line_length=40, positions=[20, 32, 40])[4] == cut[4]


def test_a_shared_layer_of_two_shapes_shows_multiple():
    a, b = Input((3,)), Input((4,))
    layer = Activation("relu", name="act")
    lines = lines_of(Model([a, b], [layer(a), layer(b)]))
    assert any(line.startswith("act (Activation)") and "multiple" in line for line in lines)


def test_raw_ops_have_rows():
    x = Input((3,), name="x")
    lines = lines_of(Model(x, Dense(1, name="d")(x * 2.0)))
    assert any(line.startswith("multiply_1 (multiply)") for line in lines)
    straight = Model(x, Masking(name="mask")(Dense(2)(x)), name="straight")
    assert lines_of(straight)[0] == 'Model: "straight"'


def test_shared_and_free_weights_count_once():
    x = Input((3,))
    shared = Dense(3)
    model = Model(x, shared(shared(x)) * Variable(np.ones(3, "float32")))
    assert "Total params: 15" in lines_of(model)


def test_a_model_without_a_shape_has_no_summary():
    with pytest.raises(ValueError, match="This model has not yet been built"):
        Sequential([Dense(2)]).summary()
