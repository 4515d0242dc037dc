"""Flatten, Reshape, Permute, RepeatVector and Lambda."""

import keras
import numpy as np
import pytest
from layer_harness import build_call, check_config, check_like_keras, mask_values, random

from kgraph import config, ops
from kgraph.ir import Graph
from kgraph.layers import Flatten, Input, Lambda, Permute, RepeatVector, Reshape
from kgraph.layers.arguments import normalize_data_format
from kgraph.utils.registry import register_keras_serializable

X = random(2, 3, 4, 5)
CASES = [
    (Flatten(), keras.layers.Flatten(), X),
    (Flatten(), keras.layers.Flatten(), X[:, 0, 0]),
    (Flatten(), keras.layers.Flatten(), X[:, 0, 0, 0]),
    (Flatten("channels_first"), keras.layers.Flatten("channels_first"), X),
    (Reshape((5, 12)), keras.layers.Reshape((5, 12)), X),
    (Reshape((-1, 6)), keras.layers.Reshape((-1, 6)), X),
    (Reshape((60,)), keras.layers.Reshape((60,)), X),
    (Reshape((5, -1)), keras.layers.Reshape((5, -1)), X[:0]),
    (Permute((3, 1, 2)), keras.layers.Permute((3, 1, 2)), X),
    (RepeatVector(3), keras.layers.RepeatVector(3), X[:, 0, 0]),
]


@pytest.mark.parametrize(("layer", "other", "x"), CASES)
def test_like_keras(layer, other, x):
    check_like_keras(layer, other, x)
    check_config(layer)
    shape = layer.compute_output_shape((None, *x.shape[1:]))
    assert shape == layer.output_shape == other.compute_output_shape((None, *x.shape[1:]))


def test_flatten_follows_the_global_format():
    assert Flatten().get_config()["data_format"] == "channels_last"
    config.set_image_data_format("channels_first")
    try:
        assert Flatten().data_format == "channels_first"
    finally:
        config.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="data_format"):
        normalize_data_format("channels_middle")


def test_unknown_sizes():
    tensor = Input((None, 6))
    assert Flatten()(tensor)._keras_shape == (None, None)
    assert Flatten().compute_output_shape((None, None, 6)) == (None, None)
    assert Reshape((-1, 3))(tensor)._keras_shape == (None, None, 3)
    assert Reshape((-1, 3)).compute_output_shape((None, None, 6)) == (None, None, 3)
    assert Permute((2, 1))(tensor)._keras_shape == (None, 6, None)
    found = Reshape((-1, 3))(random(4, 5, 6))
    assert found.shape == (4, 10, 3)


def test_reshape_errors():
    for layer in (Reshape((7, 9)), Reshape((-1, 7)), Reshape((0, -1))):
        with pytest.raises(ValueError, match="total size of new array must be unchanged"):
            layer(Input((3, 4, 5)))
        with pytest.raises(ValueError, match="total size of new array must be unchanged"):
            layer.compute_output_shape((None, 3, 4, 5))
    with pytest.raises(ValueError, match="total size of new array must be unchanged"):
        Reshape((-1, 4))(Input((None, 6)))
    with pytest.raises(ValueError, match="Can only specify one unknown dimension"):
        Reshape((-1, -1))


def test_other_errors():
    for dims in ((0, 1), (1, 3), (1, 1)):
        with pytest.raises(ValueError, match="Invalid permutation argument `dims`"):
            Permute(dims)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        Permute((2, 1))(Input((3,)))
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        RepeatVector(2)(Input((3, 4)))
    with pytest.raises(TypeError, match="Expected an integer value for `n`"):
        RepeatVector("3")
    with pytest.raises(ValueError, match="expected min_ndim=1, found ndim=0"):
        Flatten()(np.float32(3.0) * np.ones((), "f"))


def test_moving_layers_cost_no_computation():
    for layer, x in ((Flatten(), X), (Reshape((60,)), X), (RepeatVector(3), X[:, 0, 0])):
        _, output, _, _ = build_call(layer, [x])
        names = {n.op.name for n in Graph((), (("y", output),)).nodes if n.inputs}
        assert names <= {"reshape", "expand_dims", "broadcast_to"}


# -- Lambda --------------------------------------------------------------------------------------
@register_keras_serializable("layer_tests")
def halves(x, factor=0.5):
    return x * factor


@register_keras_serializable("layer_tests")
def first_axis_only(shape):
    return shape[:2]


def test_lambda_computes_and_differentiates():
    layer = Lambda(lambda x: x**2)
    other = keras.layers.Lambda(lambda x: x**2)
    check_like_keras(layer, other, random(4, 3))


def test_lambda_finds_its_shape_itself_or_is_told():
    total = Lambda(lambda x: ops.sum(x, axis=2))
    assert total(Input((3, 4)))._keras_shape == (None, 3)
    assert total.compute_output_shape((None, 3, 4)) == (None, 3)
    assert Lambda(halves, output_shape=(7,)).compute_output_shape((None, 3)) == (None, 7)
    assert Lambda(halves, output_shape=7).compute_output_shape([(5, 3), (5, 3)]) == (5, 7)
    assert Lambda(halves, first_axis_only).compute_output_shape((None, 3, 4)) == (None, 3)


def test_lambda_of_several_tensors_and_with_arguments():
    def mix(pair, weight):
        return pair[0] * weight + pair[1]

    layer = Lambda(mix, arguments={"weight": 3.0})
    assert layer([np.ones((1, 2), "f"), np.ones((1, 2), "f")]).tolist() == [[4.0, 4.0]]


def test_lambda_gets_mask_and_training():
    seen = []

    def look(x, mask=None, training=None):
        seen.append((mask, training))
        return x if mask is None else x * ops.cast(ops.expand_dims(mask, -1), x.dtype)

    x, mask = random(2, 3, 4), np.array([[True, False, True]] * 2)
    layer = Lambda(look)
    layer(x, training=True)
    assert seen[-1] == (None, True)
    assert mask_values(layer, [x], [mask]) is None
    passing = Lambda(look, mask=lambda inputs, mask: mask)
    np.testing.assert_array_equal(mask_values(passing, [x], [mask]), mask)


def test_lambda_configuration_holds_names():
    layer = Lambda(halves, output_shape=first_axis_only, arguments={"factor": 0.25}, name="half")
    found = layer.get_config()
    assert found["function"] == "layer_tests>halves"
    assert (found["function_type"], found["output_shape_type"]) == ("function", "function")
    again = check_config(layer)
    assert again.function is halves
    assert again(np.ones((1, 2), "f")).tolist() == [[0.25, 0.25]]
    assert check_config(Lambda(halves, output_shape=(3, 4))).output_shape_argument == (3, 4)


def test_lambda_functions_come_from_custom_objects_too():
    def local(x):
        return x + 1

    found = check_config(Lambda(local), custom_objects={"local": local})
    assert found.function is local


def test_lambda_never_runs_code_from_a_file():
    with pytest.raises(ValueError, match="A lambda cannot be saved"):
        Lambda(lambda x: x).get_config()
    of_keras_2 = {"name": "l", "function": ["4wEAAAAA", None, None], "function_type": "lambda"}
    of_keras_3 = {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4w"}}}
    for stored in (of_keras_2, of_keras_3):
        with pytest.raises(ValueError, match="stored as bytecode"):
            Lambda.from_config(stored)
    with pytest.raises(ValueError, match=r"Unknown function in Lambda layer: os\.system"):
        Lambda.from_config({"function": "os.system", "function_type": "function"})
