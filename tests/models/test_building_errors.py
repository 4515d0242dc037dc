"""Models that cannot be built: every complaint, in the words that users of Keras search for."""

import re

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import const, input_node
from kgraph.layers import (
    Concatenate,
    Dense,
    Input,
)
from kgraph.layers.naming import reset_uids
from kgraph.models import Model


def test_graph_disconnected_names_the_input_and_the_path():
    reset_uids()
    a, b = Input((3,), name="a"), Input((3,), name="b")
    left = Dense(2)(a)
    both = Concatenate()([left, Dense(2)(b)])
    with pytest.raises(ValueError) as error:
        Model(a, Dense(1)(both))
    text = str(error.value)
    assert text.startswith(
        "Graph disconnected: cannot obtain value for tensor <b = input: f32[batch, 3]> at layer "
        "\"b\". The following previous layers were accessed without issue: ['a', 'dense_1']"
    )
    assert "the path from it is b -> dense_2 -> concatenate_1 -> dense_3" in text
    assert f"{__file__}:" in text


def test_redundant_inputs():
    x = Input((3,))
    with pytest.raises(ValueError) as error:
        Model([x, x], Dense(1)(x))
    assert str(error.value).startswith(
        "The list of inputs passed to the model is redundant. All inputs should only appear once. "
        "Found: "
    )


@pytest.mark.parametrize(
    "wrong",
    [np.ones((2, 3)), "x", None, input_node((2, 3)), const(1.0)],
    ids=lambda v: str(type(v)),
)
def test_inputs_that_come_from_nowhere(wrong):
    y = Dense(1)(Input((3,)))
    with pytest.raises(ValueError) as error:
        Model([wrong], y)
    assert re.match(
        r"Input tensors to a Model must come from `keras.layers.Input`. Received: .* "
        r"\(missing previous layer metadata\).",
        str(error.value),
        re.DOTALL,
    )


@pytest.mark.parametrize("wrong", [np.ones(2), const(1.0), ops.exp(const(1.0)), 3])
def test_outputs_that_come_from_nowhere(wrong):
    with pytest.raises(ValueError) as error:
        Model(Input((3,)), [wrong])
    assert str(error.value).startswith(
        "Output tensors to a Model must be the output of a Keras `Layer` "
        "(thus holding past layer metadata). Found: "
    )


def test_two_layers_of_one_name():
    x = Input((3,))
    with pytest.raises(ValueError) as error:
        Model(x, Dense(1, name="d")(Dense(2, name="d")(x)))
    assert str(error.value) == (
        'The name "d" is used 2 times in the model. All layer names should be unique.'
    )


def test_a_model_needs_both_ends():
    with pytest.raises(TypeError, match="needs `inputs` and `outputs`"):
        Model(Input((3,)))
    x = Input((3,))
    with pytest.warns(UserWarning, match="Update your `Model` call to the Keras 2 API"):
        assert Model(input=x, output=Dense(1)(x)).output_shape == (None, 1)
    with pytest.raises(TypeError, match="`output` is the old name of `outputs`, and both were"):
        Model(x, Dense(1)(x), output=x)
