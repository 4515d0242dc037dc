"""Models as configurations and JSON: Keras 2.3's layout, and kgraph's own for graphs of layers."""

import json

import numpy as np
import pytest

from kgraph import Variable, ops
from kgraph.errors import ParseError
from kgraph.ir.serialize import dumps, load, loads, save
from kgraph.layers import (
    Activation,
    Add,
    Concatenate,
    Dense,
    Dropout,
    Input,
    Layer,
    deserialize,
    serialize,
)
from kgraph.models import Model, Sequential, model_from_config, model_from_json
from kgraph.passes.lower import lower
from kgraph.runtime.interp import interpret
from kgraph.utils.registry import custom_object_scope


def ones(*shape):
    return np.ones(shape, "float32")


class Affine(Layer):
    """A custom layer with several tensors and plain arguments in its call."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs, shift=None, times=1):
        total = inputs["x"] if isinstance(inputs, dict) else inputs
        total = total * self.factor * times
        return total if shift is None else total + shift


def shared_model():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(2, name="shared")
    tower_in = Input((2,), name="tower_in")
    tower = Model(tower_in, Dense(2, name="inside")(tower_in), name="tower")
    left, right = tower(shared(a)), tower(shared(b))
    both = Concatenate(name="both")([left, right])
    deep = shared(Dense(3, name="wide")(left))
    chain = Sequential([Dense(1, input_shape=(4,), name="s1")], name="chain")
    return Model([a, b], [chain(both), deep], name="whole")


def check_agree(first, second, inputs):
    second.set_weights(first.get_weights())
    for p, q in zip(first(inputs), second(inputs), strict=True):
        assert np.array_equal(p, q)


# -- Keras 2.3's layout --------------------------------------------------------------------------
def test_the_layout_of_a_functional_model():
    x = Input((3,), name="x")
    y = Activation("relu", name="act")(Dense(2, name="d")(x))
    config = Model(x, y, name="m").get_config()
    assert json.loads(json.dumps(config)) == {
        "name": "m",
        "layers": [
            {
                "name": "x",
                "class_name": "InputLayer",
                "config": {
                    "batch_input_shape": [None, 3], "dtype": "float32", "sparse": False,
                    "name": "x",
                },
                "inbound_nodes": [],
            },
            {
                "name": "d",
                "class_name": "Dense",
                "config": json.loads(json.dumps(Dense(2, name="d").get_config())),
                "inbound_nodes": [[["x", 0, 0, {}]]],
            },
            {
                "name": "act",
                "class_name": "Activation",
                "config": {
                    "name": "act", "trainable": True, "dtype": "float32", "activation": "relu",
                },
                "inbound_nodes": [[["d", 0, 0, {}]]],
            },
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["act", 0, 0]],
    }  # fmt: skip


def test_the_layout_of_the_document():
    model = Sequential([Dense(2, input_shape=(3,), name="d")], name="s")
    document = json.loads(model.to_json(indent=1))
    assert (document["class_name"], document["keras_version"]) == ("Sequential", "2.3.1")
    assert document["backend"] == "tensorflow"
    assert set(document["config"]) == {"name", "layers"}
    (layer,) = document["config"]["layers"]
    assert set(layer) == {"class_name", "config"}
    assert layer["config"]["batch_input_shape"] == [None, 3]


def test_nested_models_count_their_calls_from_one():
    entries = {entry["name"]: entry for entry in shared_model().get_config()["layers"]}
    assert entries["both"]["inbound_nodes"] == [[["tower", 1, 0, {}], ["tower", 2, 0, {}]]]
    assert entries["tower"]["inbound_nodes"] == [[["shared", 0, 0, {}]], [["shared", 1, 0, {}]]]
    assert entries["shared"]["inbound_nodes"][2] == [["wide", 0, 0, {}]]


def test_shared_layers_and_nested_models_survive():
    model = shared_model()
    again = model_from_json(model.to_json())
    assert again.to_json() == model.to_json()
    assert len(again.get_layer("shared").inbound_nodes) == 3
    assert again.count_params() == model.count_params()
    check_agree(model, again, [ones(2, 3), 2 * ones(2, 3)])


def test_layers_in_any_order_of_the_file():
    model = shared_model()
    config = json.loads(json.dumps(model.get_config()))
    config["layers"].reverse()
    check_agree(model, Model.from_config(config), [ones(2, 3), 2 * ones(2, 3)])


def test_structures_of_inputs_and_outputs_survive():
    ins = {"q": Input((2,), name="q"), "p": Input((2,), name="p")}
    model = Model(ins, {"sum": Add()([ins["q"], ins["p"]]), "twice": ins["q"] * 2.0})
    again = model_from_json(model.to_json())
    assert (again.input_names, again.output_names) == (["q", "p"], ["sum", "twice"])
    assert again({"p": ones(1, 2), "q": ones(1, 2)})["twice"].tolist() == [[2, 2]]


def test_arguments_of_calls_survive():
    x, s = Input((2,)), Input((2,))
    layer = Affine(3.0)
    y = layer({"x": x}, shift=s, times=2)
    z = Dropout(0.5)(layer(y, times=5), training=True)
    model = Model([x, s], [y, z])
    again = model_from_json(model.to_json(), custom_objects={"Affine": Affine})
    assert again.to_json() == model.to_json()
    first, dropped = again([ones(1, 2), 10 * ones(1, 2)])
    assert first.tolist() == [[16, 16]]
    assert set(dropped.ravel()) <= {0, 480}


def test_what_json_cannot_hold_is_left_out_with_a_warning():
    x = Input((2,))
    model = Model(x, Affine()(x, times=np.array(2.0)))
    with pytest.warns(UserWarning, match="was passed non-serializable keyword arguments"):
        model.to_json()


def test_raw_ops_survive():
    x = Input((4,))
    left, right = ops.split(Dense(4, name="d")(x), 2, axis=1)
    y = ops.concatenate([left * 2.0, right[:, ::-1], ops.exp(left) / 3.0], axis=-1)
    model = Model(x, [y, ops.reshape(y, (x.shape[0], 3, 2))])
    again = model_from_json(model.to_json())
    assert again.to_json() == model.to_json()
    check_agree(model, again, np.random.default_rng(0).normal(size=(5, 4)).astype("float32"))


def test_a_variable_between_layers_cannot_be_saved():
    x = Input((2,))
    with pytest.raises(ValueError, match="reads a variable outside of any layer"):
        Model(x, x * Variable([1.0, 2.0])).to_json()


def test_names_are_never_renumbered():
    model = model_from_json(Sequential([Dense(1, input_shape=(2,), name="dense_77")]).to_json())
    assert model.layers[0].name == "dense_77"


def test_a_frozen_layer_stays_frozen():
    model = Sequential([Dense(1, input_shape=(2,), trainable=False), Dense(1)])
    assert len(model_from_json(model.to_json()).trainable_weights) == 2


# -- reading -------------------------------------------------------------------------------------
def test_a_list_of_layers_is_the_old_sequential():
    model = Sequential([Dense(2, input_shape=(3,)), Activation("relu")])
    layers = model.get_config()["layers"]
    assert Sequential.from_config(layers).output_shape == (None, 2)
    assert model_from_config({"class_name": "Sequential", "config": layers}).count_params() == 8
    with pytest.raises(TypeError) as error:
        model_from_config(layers)
    assert str(error.value) == (
        "model_from_config expects a dictionary, not a list. Maybe you meant to use "
        "Sequential.from_config(config)?"
    )


def test_custom_layers_are_found_by_name_only():
    x = Input((2,))
    text = Model(x, Affine(2.0)(x)).to_json()
    with pytest.raises(ValueError, match="Unknown layer: Affine"):
        model_from_json(text)
    with custom_object_scope({"Affine": Affine}):
        assert model_from_json(text)(ones(1, 2)).tolist() == [[2, 2]]
    with pytest.raises(ValueError, match="Affine is not a layer"):
        model_from_json(text, custom_objects={"Affine": print})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["layers"][1].pop("config"), "config"),
        (lambda c: c["layers"][1]["inbound_nodes"].clear(), "names a tensor that no layer makes"),
        (
            lambda c: c["layers"][1]["inbound_nodes"][0][0].__setitem__(0, "ghost"),
            "does not say where tensors come from",
        ),
        (
            lambda c: c["layers"][1]["inbound_nodes"][0][0].__setitem__(0, "d"),
            "does not say where tensors come from",
        ),
        (lambda c: c["output_layers"][0].__setitem__(2, 5), "names a tensor that no layer makes"),
        (lambda c: c["layers"].append(c["layers"][1]), 'The name "d" is used 2 times'),
    ],
)
def test_broken_configurations_are_explained(change, message):
    x = Input((3,))
    config = json.loads(json.dumps(Model(x, Dense(2, name="d")(x)).get_config()))
    change(config)
    with pytest.raises((ValueError, KeyError), match=message):
        Model.from_config(config)


def test_what_is_not_json_is_refused():
    for text in ("{", '{"class_name": "Model", "class_name": "Model"}', "NaN"):
        with pytest.raises(ParseError):
            model_from_json(text)
    with pytest.raises(ValueError, match="Improper config format"):
        model_from_json('{"class_name": "Sequential"}')


def test_serialize_and_deserialize_a_layer():
    layer = deserialize(serialize(Dense(3, activation="tanh", name="d")))
    assert (layer.name, layer.units) == ("d", 3)


def test_old_and_new_argument_names_are_translated():
    old = {"class_name": "Dense", "config": {"output_dim": 3, "init": "he_normal", "bias": False}}
    layer = deserialize(old)
    assert (layer.units, layer.use_bias) == (3, False)
    new = {"class_name": "Dense", "config": {"units": 3, "lora_rank": None}}
    assert deserialize({**new, "module": "keras.layers", "registered_name": None}).units == 3
    with pytest.raises(TypeError, match="not understood: lora_rank"):
        deserialize({"class_name": "Dense", "config": {"units": 3, "lora_rank": 4}})


def test_an_op_of_keras_3():
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    config = {
        "name": "f",
        "layers": [
            {
                "class_name": "InputLayer", "name": "x", "inbound_nodes": [],
                "config": {"batch_shape": [None, 2], "name": "x"},
            },
            {
                "module": "keras.src.ops.numpy", "class_name": "Multiply", "name": "multiply",
                "config": {"name": "multiply"},
                "inbound_nodes": [{"args": [tensor, 3.0], "kwargs": {}}],
            },
        ],
        "input_layers": ["x", 0, 0],
        "output_layers": ["multiply", 0, 0],
    }  # fmt: skip
    assert Model.from_config(config)(ones(1, 2)).tolist() == [[3, 3]]
    config["layers"][1]["class_name"] = "Frobnicate"
    with pytest.raises(ValueError, match="Unknown operation: Frobnicate"):
        Model.from_config(config)


# -- kgraph JSON of graphs with layers -----------------------------------------------------------
def test_a_graph_of_layers_survives_kgraph_json(tmp_path):
    model = shared_model()
    text = dumps(model.graph)
    assert dumps(loads(text)) == text
    save(model.graph, tmp_path / "graph.json")
    graph = load(tmp_path / "graph.json")
    inputs = [ones(2, 3), 2 * ones(2, 3)]
    expected, _ = interpret(lower(model.graph), inputs)
    got, _ = interpret(lower(graph), inputs)
    assert all(np.array_equal(p, q) for p, q in zip(expected, got, strict=True))


def test_arguments_of_calls_survive_kgraph_json():
    x, s = Input((2,)), Input((2,))
    model = Model([x, s], Affine(3.0)({"x": x}, shift=s, times=2))
    with custom_object_scope({"Affine": Affine}):
        text = dumps(model.graph)
        assert dumps(loads(text)) == text
