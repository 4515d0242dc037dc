"""Functional models: order, sharing, nesting, structures, splicing, losses."""

import gc
import weakref

import numpy as np
import pytest
from model_samples import names, ones, two_headed

from kgraph import Variable, ops
from kgraph.ir import const
from kgraph.layers import (
    Activation,
    Add,
    BatchNormalization,
    Dense,
    Dropout,
    Input,
    Layer,
    Masking,
)
from kgraph.layers.naming import reset_uids
from kgraph.models import Model, Sequential


# -- order ---------------------------------------------------------------------------------------
def test_layers_come_in_keras_s_order():
    reset_uids()
    model = two_headed()
    assert names(model) == [
        "main_input", "embedding_1", "flatten_1", "aux_input", "concatenate_1",
        "dense_1", "dense_2", "dense_3", "main_output", "aux_output",
    ]  # fmt: skip
    assert model.output_names == ["main_output", "aux_output"]
    assert model.input_names == ["main_input", "aux_input"]
    main, aux = model([np.zeros((2, 100), "int32"), ones(2, 5)])
    assert main.shape == aux.shape == (2, 1)


def test_get_layer_by_name_and_index():
    model = two_headed()
    assert model.get_layer("aux_output").units == 1
    assert model.get_layer(index=0).name == "main_input"
    assert model.get_layer("main_input", index=-1).name == "aux_output"
    text = "Was asked to retrieve layer at index 99 but model only has 10 layers."
    with pytest.raises(ValueError, match=text):
        model.get_layer(index=99)
    with pytest.raises(ValueError, match=r"Provide either a layer name or layer index."):
        model.get_layer()
    with pytest.raises(ValueError, match="No such layer: x\n  expected: main_input, embedding"):
        model.get_layer("x")


def test_an_unused_input_is_kept():
    a, b = Input((2,), name="a"), Input((3,), name="b")
    model = Model([a, b], Dense(1, name="d")(a))
    assert sorted(names(model)) == ["a", "b", "d"]
    assert model.input_names == ["a", "b"]
    assert model([ones(1, 2), ones(1, 3)]).shape == (1, 1)


def test_only_nodes_between_inputs_and_outputs_belong_to_a_model():
    x = Input((2,))
    layer = Dense(2, name="d")
    layer(Input((2,)))
    model = Model(x, layer(x))
    config = model.get_config()
    assert config["layers"][1]["inbound_nodes"] == [[[x.name, 0, 0, {}]]]
    assert config["output_layers"] == [["d", 0, 0]]


# -- sharing and nesting -------------------------------------------------------------------------
def test_shared_weights_count_once():
    a, b = Input((3,)), Input((3,))
    shared = Dense(2, kernel_regularizer="l2")
    model = Model([a, b], Add()([shared(a), shared(b)]))
    assert model.count_params() == 8
    assert len(model.get_weights()) == 2
    assert len(model.losses) == 1


def test_calling_a_model_adds_one_node():
    x = Input((3,))
    dense = Dense(2)
    inner = Model(x, dense(x))
    a, b = Input((3,)), Input((3,))
    ya, yb = inner(a), inner(b)
    assert len(dense.inbound_nodes) == 1
    assert len(inner.inbound_nodes) == 3
    outer = Model([a, b], [ya, yb])
    left, right = outer([ones(1, 3), 2 * ones(1, 3)])
    kernel, bias = dense.get_weights()
    assert np.allclose(left, kernel.sum(0) + bias, atol=1e-6)
    assert np.allclose(right, 2 * kernel.sum(0) + bias, atol=1e-6)
    assert outer.count_params() == 8


def test_a_nested_model_may_hold_a_layer_of_the_outer_one():
    x = Input((3,))
    shared = Dense(3, name="shared")
    inner = Model(x, shared(x))
    y = Input((3,))
    outer = Model(y, inner(shared(y)))
    assert len(outer.weights) == 2
    assert len(outer.get_weights()) == 2
    assert len(outer.trainable_weights) == 2


def test_weights_in_two_orders():
    x = Input((3,))
    model = Model(x, Dense(2)(BatchNormalization()(Dense(4)(x))))
    kinds = [v.name.rpartition("/")[2] for v in model.weights]
    state = ["moving_mean", "moving_variance"]
    assert kinds == ["kernel", "bias", "gamma", "beta", "kernel", "bias", *state]
    shapes = [w.shape for w in model.get_weights()]
    assert shapes == [(3, 4), (4,), (4,), (4,), (4,), (4,), (4, 2), (2,)]
    model.set_weights([np.full_like(w, i) for i, w in enumerate(model.get_weights())])
    assert model.layers[2].get_weights()[2][0] == 4
    with pytest.raises(ValueError, match="with a weight list of length 1, but the layer was expec"):
        model.set_weights([np.zeros(1)])


def test_nested_weights_are_trainable_ones_first():
    x = Input((3,))
    inner = Model(x, Dense(2)(BatchNormalization()(Dense(4)(x))))
    y = Input((3,))
    outer = Model(y, inner(y))
    assert [w.shape for w in outer.get_weights()] == [
        (3, 4), (4,), (4,), (4,), (4, 2), (2,), (4,), (4,),
    ]  # fmt: skip


def test_a_frozen_model_hides_its_weights_and_keeps_the_flags_inside():
    x = Input((3,))
    inner = Model(x, Dense(2)(BatchNormalization()(x)))
    inner.layers[1].trainable = False
    y = Input((3,))
    outer = Model(y, Dense(1)(inner(y)))
    assert len(outer.trainable_weights) == 4
    inner.trainable = False
    assert len(outer.trainable_weights) == 2
    assert len(outer.non_trainable_weights) == 6
    inner.trainable = True
    assert len(outer.trainable_weights) == 4
    outer.trainable = False
    assert outer.trainable_weights == []


def test_a_frozen_nested_model_runs_its_normalization_as_in_inference():
    x = Input((1,))
    inner = Model(x, BatchNormalization()(x))
    y = Input((1,))
    outer = Model(y, inner(y))
    data = np.array([[1.0], [3.0]], "float32")
    assert abs(outer(data, training=True).mean()) < 1e-6
    inner.trainable = False
    assert outer(data, training=True).mean() > 1


def test_training_can_be_fixed_for_a_nested_model():
    x = Input((200,))
    inner = Model(x, Dropout(0.5)(x))
    y = Input((200,))
    always = Model(y, inner(y, training=True))
    assert (always(ones(1, 200)) == 0).any()
    assert (inner(ones(1, 200)) == 1).all()


def test_masks_pass_through_nested_models():
    class Count(Layer):
        supports_masking = True

        def call(self, inputs, mask=None):
            return ops.sum(ops.cast(mask, "float32"), axis=1)

        def compute_mask(self, inputs, mask=None):
            return None

    x = Input((4, 1))
    inner = Model(x, Activation("relu")(Masking()(x)))
    y = Input((4, 1))
    out = inner(y)
    assert inner.inbound_nodes[1].mask_types[0].dtype == "bool"
    model = Model(y, Count()(out))
    assert model(np.array([[[1], [0], [2], [0]]], "float32")).tolist() == [2]
    assert inner.compute_mask(y).dtype == "bool"


def test_a_model_is_freed_when_nobody_holds_it():
    x = Input((3,))
    model = Model(x, Dense(2)(x))
    model(ones(1, 3))
    watch = weakref.ref(model)
    del model, x
    gc.collect()
    assert watch() is None


# -- structures ----------------------------------------------------------------------------------
def test_dictionaries_of_inputs_go_by_key_in_declared_order():
    inputs = {"z": Input((2,), name="z"), "a": Input((3,), name="a")}
    outputs = {"second": Dense(1)(inputs["a"]), "first": Dense(2)(inputs["z"])}
    model = Model(inputs, outputs)
    assert model.input_names == ["z", "a"]
    assert model.output_names == ["second", "first"]
    result = model({"a": ones(4, 3), "z": ones(4, 2)})
    assert {k: v.shape for k, v in result.items()} == {"second": (4, 1), "first": (4, 2)}
    assert model([ones(4, 2), ones(4, 3)])["first"].shape == (4, 2)
    with pytest.raises(ValueError, match=r"was called without inputs \['a'\]"):
        model({"z": ones(4, 2)})
    assert list(model.input) == ["z", "a"]


def test_lists_of_one_are_unpacked():
    x = Input((2,))
    model = Model([x], [Dense(1)(x)])
    assert model(ones(3, 2)).shape == (3, 1)
    assert model([ones(3, 2)]).shape == (3, 1)
    assert model.input_shape == (None, 2)
    assert model.output_shape == (None, 1)


def test_the_number_of_inputs_is_checked():
    a, b = Input((2,)), Input((2,))
    model = Model([a, b], Add()([a, b]), name="m")
    with pytest.raises(ValueError, match="Model m takes 2 inputs, got 1"):
        model([ones(1, 2)])


def test_the_same_output_twice_gets_two_names():
    x = Input((2,))
    y = Dense(1, name="d")(x)
    model = Model(x, [y, y])
    assert model.output_names == ["d", "d_1"]


def test_inputs_of_another_dtype_are_cast():
    x = Input((2,))
    model = Model(x, Dense(1, kernel_initializer="ones")(x))
    assert model(np.array([[1, 2]], "int64")).tolist() == [[3]]
    ids = Input((2,), dtype="int32")
    assert Model(ids, model(ids))(np.array([[1, 2]])).tolist() == [[3]]


# -- raw ops -------------------------------------------------------------------------------------
def test_raw_ops_stand_between_layers():
    x = Input((3,))
    y = Dense(2, kernel_initializer="ones")(x)
    model = Model(x, ops.exp(y * 0.0) + y[:, :1])
    assert model(ones(1, 3)).tolist() == [[4, 4]]
    assert [layer.name for layer in model.layers] == [x.name, model.layers[1].name]
    assert model.output_names == ["add_1"]
    found = sorted(op.op.name for op in model.network.topology.ops)
    assert found == ["add", "exp", "multiply", "slice"]


def test_a_variable_between_layers_is_a_weight_of_the_model():
    x = Input((3,))
    scale = Variable([1.0, 2.0, 3.0], name="scale")
    model = Model(x, x * scale)
    assert model.weights == [scale]
    assert model.get_weights()[0].tolist() == [1, 2, 3]


# -- intermediate tensors ------------------------------------------------------------------------
def test_an_intermediate_tensor_as_input():
    x = Input((3,))
    hidden = Dense(4, name="first")(x)
    last = Dense(2, name="second")
    tail = Model(hidden, last(Activation("relu")(hidden)))
    assert tail.input_shape == (None, 4)
    assert "first" not in names(tail)
    h = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    kernel, bias = last.get_weights()
    assert np.allclose(tail(h), np.maximum(h, 0) @ kernel + bias, atol=1e-6)
    assert last.output is not None
    head = Model(x, hidden)
    full = Model(x, last.output)
    data = ones(2, 3)
    assert np.allclose(tail(head(data)), full(data), atol=1e-6)


def test_intermediate_outputs_of_any_layer():
    model = two_headed()
    layer = model.get_layer(index=4)
    features = Model(inputs=model.input, outputs=layer.output)
    assert features([np.zeros((1, 100), "int32"), ones(1, 5)]).shape == (1, 1605)


def test_intermediate_outputs_of_a_sequential():
    model = Sequential([Dense(4, input_shape=(3,)), Activation("relu"), Dense(2)])
    features = Model(inputs=model.input, outputs=model.get_layer(index=1).output)
    assert features(ones(2, 3)).shape == (2, 4)
    assert features.layers[1] is model.layers[0]


def test_an_output_from_inside_a_nested_model():
    x = Input((3,))
    hidden = Dense(4, name="hidden")(x)
    inner = Model(x, Dense(2)(hidden), name="inner")
    y = Input((3,))
    outer = Model(y, inner(y * 2.0))
    spliced = Model(outer.input, inner.get_layer("hidden").output)
    kernel, bias = inner.get_layer("hidden").get_weights()
    assert np.allclose(spliced(ones(1, 3)), 2 * kernel.sum(0) + bias, atol=1e-6)
    assert len(inner.get_layer("hidden").inbound_nodes) == 1


def test_an_output_from_two_models_down():
    x = Input((3,))
    core = Sequential([Dense(4, input_shape=(3,), name="deep"), Dense(2)])
    middle = Model(x, core(x))
    y = Input((3,))
    outer = Model(y, middle(y))
    spliced = Model(outer.inputs, [core.get_layer("deep").output, outer.output])
    deep, last = spliced(ones(1, 3))
    assert deep.shape == (1, 4)
    assert np.allclose(last, outer(ones(1, 3)))


def test_a_nested_model_called_twice_is_ambiguous():
    x = Input((3,), name="inner_x")
    inner = Model(x, Dense(2)(Dense(3, name="h")(x)), name="twin")
    a = Input((3,))
    outer = Model(a, Add()([inner(a), inner(a * 2.0)]))
    with pytest.raises(ValueError, match="belongs to model twin, which is called several times"):
        Model(outer.input, inner.get_layer("h").output)


# -- losses --------------------------------------------------------------------------------------
def test_losses_of_a_model():
    x = Input((3,))
    shared = Dense(3, kernel_regularizer="l2", activity_regularizer="l2")
    model = Model(x, shared(shared(x)))
    assert len(model.losses) == 3
    model.add_loss(ops.mean(model.output))
    assert len(model.losses) == 4
    assert len(model.penalties()) == 2
    stranger = Input((3,), name="stranger")
    with pytest.raises(ValueError, match="depends on other inputs"):
        model.add_loss(ops.sum(stranger))


def test_added_losses_follow_a_nested_model():
    x = Input((3,))
    inner = Model(x, x * 1.0)
    inner.add_loss(ops.sum(inner.output))
    inner.add_loss(const(5.0))
    y = Input((3,))
    outer = Model(y, inner(y))
    assert len(outer.losses) == 2
    assert len(outer.penalties()) == 1


def test_updates_and_state_of_a_model():
    x = Input((3,))
    model = Model(x, BatchNormalization()(x))
    assert len(model.updates) == 2
    assert model.state_updates == []
    assert model.stateful is False
