"""Models and weights that real versions of Keras wrote, and exchange with a live Keras 3."""

import json
import os
import pathlib

import h5py
import numpy as np
import pytest

from kgraph.layers import Activation, Add, Concatenate, Dense, Dropout, Input
from kgraph.models import Model, model_from_json

os.environ.setdefault("KERAS_BACKEND", "jax")
DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "keras"


def read_model(name):
    """The model of a fixture, from its JSON or from inside its .h5."""
    path = DATA / f"{name}.json"
    if path.exists():
        return model_from_json(path.read_text())
    with h5py.File(DATA / f"{name}.h5") as file:
        return model_from_json(file.attrs["model_config"])


def arrays(name, prefix):
    with np.load(DATA / f"{name}.io.npz") as stored:
        return [stored[key] for key in sorted(stored) if key.startswith(prefix)]


def outputs(model, inputs):
    found = model(inputs if len(inputs) > 1 else inputs[0])
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize(
    "name",
    [
        "k122_mlp",
        "k208_rnn",
        "k224_multi",
        "k231_mlp",
        "k231_rnn",
        "k231_lstm",
        "k231_cudnn",
        "k2_mlp",
        "k3_mlp",
        "k3_multi_io",
        "k3_mlp_train",
        "k3_rnn",
    ],
)
def test_models_of_every_keras_predict_the_same(name):
    model = read_model(name)
    model.load_weights(DATA / f"{name}.weights_legacy.h5")
    found, expected = outputs(model, arrays(name, "in_")), arrays(name, "out_")
    assert len(found) == len(expected)
    for p, q in zip(found, expected, strict=True):
        assert np.allclose(p, q, rtol=1e-4, atol=1e-5)
    again = model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    for p, q in zip(found, outputs(again, arrays(name, "in_")), strict=True):
        assert np.array_equal(p, q)


@pytest.mark.parametrize("name", ["k231_mlp", "k231_rnn", "k231_lstm"])
def test_a_json_of_keras_2_3_is_written_back_as_it_was(name):
    stored = json.loads((DATA / f"{name}.json").read_text())
    assert json.loads(read_model(name).to_json()) == stored


def test_a_functional_json_of_keras_2_2_is_written_back_with_dtypes():
    def compare(old, new):
        if isinstance(old, dict):
            assert set(new) - set(old) <= {"dtype"}
            for key in old:
                if key != "keras_version":
                    compare(old[key], new[key])
        elif isinstance(old, list):
            assert len(old) == len(new)
            for one, other in zip(old, new, strict=True):
                compare(one, other)
        else:
            assert old == new

    stored = json.loads((DATA / "k224_multi.json").read_text())
    compare(stored, json.loads(read_model("k224_multi").to_json()))


def test_weights_come_out_of_a_file_of_a_whole_model():
    model = read_model("k2_mlp")
    model.load_weights(DATA / "k2_mlp.h5")
    found, expected = outputs(model, arrays("k2_mlp", "in_")), arrays("k2_mlp", "out_")
    assert np.allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in Keras
def test_live_exchange_with_keras_3(tmp_path):
    import keras

    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(4, activation="relu", name="shared")
    both = Concatenate(name="both")([shared(a), shared(b)])
    last = Dropout(0.5, name="drop")(Dense(4, name="last")(both))
    out = Activation("softmax", name="out")(Add(name="sum")([shared(b), last]))
    model = Model([a, b], [out, last], name="exchange")
    path = tmp_path / "kgraph.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.3.1", "tensorflow"
        file.attrs["model_config"] = model.to_json().encode()
        model.save_weights(file.create_group("model_weights"))
    theirs = keras.models.load_model(path, compile=False)
    data = [np.random.default_rng(i).normal(size=(5, 3)).astype("float32") for i in range(2)]
    ours = model(data)
    for p, q in zip(ours, theirs(data), strict=True):
        assert np.allclose(p, np.asarray(q), atol=1e-6)

    again = model_from_json(theirs.to_json())
    assert again.to_json() == model.to_json()
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    again.load_weights(tmp_path / "keras.h5")
    for p, q in zip(ours, again(data), strict=True):
        assert np.array_equal(p, q)


def test_the_training_argument_of_keras_3_s_calls_says_nothing():
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": {"shape": [300], "name": "x"}},
        {
            "module": "keras.layers",
            "class_name": "Dropout",
            "name": "d",
            "config": {"rate": 0.5, "name": "d"},
            "inbound_nodes": [{"args": [tensor], "kwargs": {"training": False}}],
        },
    ]
    config = {"layers": layers, "input_layers": ["x", 0, 0], "output_layers": ["d", 0, 0]}
    model = Model.from_config(config)
    ones = np.ones((1, 300), "float32")
    assert (model(ones, training=True) == 0).any()
    assert (model(ones) == 1).all()


def random_model(layers, make_input, make_model, rng):
    """A graph with shared layers, nested models and unused inputs, built with either library."""
    inputs = [make_input((3,), name=f"in{i}") for i in range(int(rng.integers(1, 4)))]
    shared = [layers.Dense(3, name=f"shared{i}") for i in range(3)]
    inner = make_input((3,), name="inner_in")
    shared.append(make_model(inner, layers.Dense(3, name="inside")(inner), name="inner"))
    tensors = list(inputs)
    for i in range(int(rng.integers(3, 15))):
        picked = [tensors[int(k)] for k in rng.integers(0, len(tensors), 2)]
        kind = int(rng.integers(3))
        if kind == 0:
            tensors.append(layers.Add(name=f"add{i}")(picked))
        elif kind == 1:
            tensors.append(layers.Dense(3, name=f"dense{i}")(picked[0]))
        else:
            tensors.append(shared[int(rng.integers(len(shared)))](picked[0]))
    chosen = rng.choice(len(tensors) - len(inputs), int(rng.integers(1, 4))) + len(inputs)
    outputs = [tensors[int(k)] for k in dict.fromkeys(chosen)]
    return make_model(inputs, outputs, name="random")


# In 76 and 93 a nested model is an output, which Keras 3 numbers in its own way.
@pytest.mark.parametrize("seed", [*range(20), 76, 93])
def test_layers_of_random_graphs_come_in_keras_s_order(seed):
    import keras

    import kgraph.layers

    ours = random_model(kgraph.layers, Input, Model, np.random.default_rng(seed))
    theirs = random_model(keras.layers, keras.Input, keras.Model, np.random.default_rng(seed))
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    again = model_from_json(theirs.to_json())
    assert again.to_json() == ours.to_json()
