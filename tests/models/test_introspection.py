"""What a layer tells about its calls: Keras 2's properties and their exact errors."""

import pytest

from kgraph.layers import Activation, Add, Dense, Embedding, Input, InputLayer
from kgraph.models import Model, Sequential


def shared(widths=(3, 3)):
    layer = Activation("relu", name="lay")
    tensors = [Input((w,)) for w in widths]
    return layer, tensors, [layer(t) for t in tensors]


def test_a_layer_called_once():
    x, layer = Input((3,), name="x"), Dense(2)
    y = layer(x)
    assert layer.input is x
    assert layer.output is y
    assert (layer.input_shape, layer.output_shape) == ((None, 3), (None, 2))
    assert (layer.input_mask, layer.output_mask) == (None, None)
    assert y._keras_history == (layer, 0, 0)
    assert x._keras_history[1:] == (0, 0)
    assert isinstance(x._keras_history[0], InputLayer)
    assert y._keras_shape == (None, 2)


def test_a_layer_called_twice_has_its_nodes_one_by_one():
    layer, inputs, outputs = shared((3, 4))
    for i in (0, 1, -1):
        assert layer.get_input_at(i) is inputs[i]
        assert layer.get_output_at(i) is outputs[i]
        assert layer.get_input_shape_at(i) == (None, (3, 4)[i])
        assert layer.get_output_shape_at(i) == (None, (3, 4)[i])
        assert layer.get_input_mask_at(i) is None
        assert layer.get_output_mask_at(i) is None


@pytest.mark.parametrize(
    ("name", "notion", "instead"),
    [
        ("input", "layer input", "get_input_at(node_index)"),
        ("output", "layer output", "get_output_at(node_index)"),
        ("input_mask", "layer input mask", "get_input_mask_at(node_index)"),
        ("output_mask", "layer output mask", "get_output_mask_at(node_index)"),
    ],
)
def test_one_input_of_a_shared_layer_is_ill_defined(name, notion, instead):
    layer, _, _ = shared()
    with pytest.raises(AttributeError) as error:
        getattr(layer, name)
    assert str(error.value) == (
        f'Layer lay has multiple inbound nodes, hence the notion of "{notion}" is ill-defined. '
        f"Use `{instead}` instead."
    )


@pytest.mark.parametrize("kind", ["input", "output"])
def test_shapes_of_a_shared_layer_may_agree(kind):
    layer, _, _ = shared((3, 3))
    assert getattr(layer, f"{kind}_shape") == (None, 3)
    layer, _, _ = shared((3, 4))
    with pytest.raises(AttributeError) as error:
        getattr(layer, f"{kind}_shape")
    assert str(error.value) == (
        f'The layer "lay has multiple inbound nodes, with different {kind} shapes. Hence the '
        f'notion of "{kind} shape" is ill-defined for the layer. Use '
        f"`get_{kind}_shape_at(node_index)` instead."
    )


def test_a_layer_that_was_never_called():
    layer = Dense(2, name="d")
    with pytest.raises(AttributeError, match=r"^Layer d is not connected, no input to return.$"):
        _ = layer.input
    with pytest.raises(AttributeError, match=r"^Layer d has no inbound nodes.$"):
        _ = layer.output
    for kind in ("input", "output"):
        text = f"^The layer has never been called and thus has no defined {kind} shape.$"
        with pytest.raises(AttributeError, match=text):
            getattr(layer, f"{kind}_shape")
    for what in ("input", "output", "input_shape", "output_shape", "input_mask", "output_mask"):
        text = f"never been called and thus has no defined {what.replace('_', ' ')}.$"
        with pytest.raises(RuntimeError, match=text):
            getattr(layer, f"get_{what}_at")(0)


def test_a_node_out_of_range():
    layer = Dense(2)
    layer(Input((3,)))
    text = "^Asked to get input at node 2, but the layer has only 1 inbound nodes.$"
    with pytest.raises(ValueError, match=text):
        layer.get_input_at(2)


def test_several_inputs_come_as_a_list():
    a, b = Input((3,)), Input((3,))
    layer = Add()
    layer([a, b])
    assert layer.input == [a, b]
    assert layer.input_shape == [(None, 3), (None, 3)]


def test_the_mask_of_an_output_is_a_tensor():
    layer = Embedding(5, 2, mask_zero=True)
    layer(Input((7,)))
    assert layer.output_mask.dtype == "bool"
    assert layer.output_mask._keras_shape == (None, 7)
    after = Activation("relu")
    after(layer.output)
    assert after.input_mask is layer.output_mask


def test_a_model_counts_its_calls_from_one():
    x = Input((3,))
    model = Model(x, Dense(2)(x))
    other = Input((3,))
    y = model(other)
    assert model.get_output_at(0) is model.output
    assert (model.get_input_at(1), model.get_output_at(1)) == (other, y)
    assert y._keras_history == (model, 1, 0)
    assert model.input is x


def test_an_unbuilt_sequential_has_no_input():
    for what in ("input", "output", "input_shape", "output_shape"):
        with pytest.raises(AttributeError, match="has no defined " + what.replace("_", " ")):
            getattr(Sequential([Dense(2)]), what)
