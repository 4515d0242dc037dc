"""save and load_model: Keras 2.3's whole-model .h5, training that goes on, exchange with Keras."""

import io
import json
import os
import pathlib
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest
from saving_process import data, train

from kgraph import ops
from kgraph.activations import hard_sigmoid_3
from kgraph.layers import (
    LSTM,
    BatchNormalization,
    Dense,
    Dropout,
    GaussianNoise,
    Input,
    Lambda,
    Layer,
    Reshape,
)
from kgraph.losses import MeanSquaredError
from kgraph.models import Model, Sequential, load_model, save_model
from kgraph.optimizers import SGD, Adam, RMSprop

os.environ.setdefault("KERAS_BACKEND", "jax")
DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "keras"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def net(units=6):
    """What has slots to join, moving averages, penalties, and random layers without a seed."""
    x = Input((5,), name="x")
    h = Dropout(0.3)(Dense(units, activation="relu", kernel_regularizer="l2")(x))
    h = GaussianNoise(0.1)(BatchNormalization()(h))
    return Model(x, Dense(2, kernel_constraint="non_neg")(h))


def trained(optimizer="adam", steps=2, **arguments):
    model = net()
    model.compile(optimizer, "mse", **arguments)
    train(model, steps)
    return model


def again(model, **options):
    """The model after a journey through a file."""
    file = io.BytesIO()
    model.save(file)
    return load_model(file, **options)


def state(model):
    return [*model.get_weights(), *model.optimizer.get_weights()]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# -- the layout ----------------------------------------------------------------------------------
def test_the_root_is_keras_s(tmp_path):
    model = trained(metrics=["mae"])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert set(file) == {"model_weights", "optimizer_weights"}
        assert file.attrs["keras_version"] == "2.3.1"
        assert file.attrs["backend"] == "tensorflow"
        config = json.loads(file.attrs["model_config"])
        training = json.loads(file.attrs["training_config"])
    assert config == {k: json.loads(model.to_json())[k] for k in ("class_name", "config")}
    assert training == {
        "optimizer_config": {"class_name": "Adam", "config": model.optimizer.get_config()},
        "loss": "mse",
        "metrics": ["mae"],
        "weighted_metrics": None,
        "sample_weight_mode": None,
        "loss_weights": None,
    }


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (Adam(), ["m", "v", "vhat"]),
        (Adam(amsgrad=True), ["m", "v", "vhat"]),
        (SGD(momentum=0.9), ["moment"]),
        (SGD(), ["moment"]),
        (RMSprop(), ["accumulator"]),
    ],
)
def test_slots_have_keras_2_3_s_names_order_and_shapes(tmp_path, optimizer, slots):
    model = trained(optimizer)
    model.save(tmp_path / "m.h5")
    kind = type(optimizer).__name__
    shapes = [w.shape for w in model.trained_weights]
    with h5py.File(tmp_path / "m.h5") as file:
        group = file["optimizer_weights"]
        names = [n.decode() for n in group.attrs["weight_names"]]
        found = [group[n].shape for n in names]
        assert group[names[0]].dtype == "int64"
    expected = [f"training/{kind}/{s}_{i}:0" for s in slots for i in range(len(shapes))]
    assert names == [f"{kind}/iterations:0", *expected]
    # Keras 2.3 keeps one zero a weight where there is no amsgrad.
    lean = kind == "Adam" and not optimizer.amsgrad
    per_slot = [[(1,)] * len(shapes) if lean and s == "vhat" else shapes for s in slots]
    assert found == [(), *(shape for shapes in per_slot for shape in shapes)]


def test_what_was_not_compiled_or_not_asked_for_is_not_written(tmp_path):
    net().save(tmp_path / "plain.h5")
    save_model(trained(), tmp_path / "lean.h5", include_optimizer=False)
    fresh = net()
    fresh.compile("adam", "mse")
    fresh.save(tmp_path / "fresh.h5")
    for name in ("plain", "lean"):
        with h5py.File(tmp_path / f"{name}.h5") as file:
            assert "training_config" not in file.attrs
            assert set(file) == {"model_weights"}
        with pytest.warns(UserWarning, match="No training configuration found in save file"):
            model = load_model(tmp_path / f"{name}.h5")
        assert model.optimizer is None
    with h5py.File(tmp_path / "fresh.h5") as file:
        assert set(file) == {"model_weights"}
    assert int(load_model(tmp_path / "fresh.h5").optimizer.iterations) == 0


# -- training goes on ----------------------------------------------------------------------------
OPTIMIZERS = {
    "adam": lambda: Adam(0.01, decay=1e-3),
    "amsgrad": lambda: Adam(0.01, amsgrad=True, clipnorm=1.0),
    "momentum": lambda: SGD(0.05, momentum=0.9, nesterov=True),
    "plain": lambda: SGD(0.05, weight_decay=0.01),
    "rmsprop": lambda: RMSprop(0.01),
    "centered": lambda: RMSprop(0.01, momentum=0.5, centered=True),
}


def test_training_goes_on_bit_for_bit_in_another_process(tmp_path):
    models = {name: trained(make()) for name, make in OPTIMIZERS.items()}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.h5")
        train(model, 3)
    script = pathlib.Path(__file__).with_name("saving_process.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, tmp_path], check=True, env=environment)
    for name, model in models.items():
        with np.load(tmp_path / f"{name}.npz") as found:
            stored = [found[f"arr_{i}"] for i in range(len(found))]
        assert equal(stored, state(model)), name


def test_dropout_inside_of_a_recurrent_layer_goes_on():
    """The cell has a name of its own, which no configuration holds."""
    lstm = LSTM(3, dropout=0.2, recurrent_dropout=0.2)
    model = Sequential([Reshape((5, 1), input_shape=(5,)), lstm, Dense(2)])
    model.compile("sgd", "mse")
    train(model, 1)
    other = again(model)
    train(model, 2)
    train(other, 2)
    assert equal(state(model), state(other))


def test_changing_the_learning_rate_and_saving_again_keeps_everything():
    model = trained(SGD(0.1, momentum=0.5))
    model.optimizer.lr = 0.025
    third = again(again(model))
    assert float(third.optimizer.lr) == pytest.approx(0.025)
    train(model, 1)
    train(third, 1)
    assert equal(state(model), state(third))


def test_frozen_layers_and_frozen_nested_models_stay_frozen():
    inner = Sequential([Dense(4, input_dim=5), Dense(3)])
    inner.trainable = False
    model = Sequential([inner, Dense(4), Dense(2)])
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    train(model, 1)
    loaded = again(model)
    assert [v.shape for v in loaded.trained_weights] == [(4, 2), (2,)]
    train(model, 2)
    train(loaded, 2)
    assert equal(state(model), state(loaded))


def test_what_compile_was_told_comes_back():
    x = Input((5,), name="x")
    a, b = Dense(2, name="a")(x), Dense(2, name="b")(x)
    model = Model(x, [a, b])
    model.compile(
        SGD(0.1),
        {"a": "mse", "b": MeanSquaredError()},
        metrics={"a": ["mae", "acc"]},
        loss_weights={"a": np.float32(0.5), "b": 2},
        sample_weight_mode="temporal",
    )
    loaded = again(model)
    assert loaded.metrics_names == model.metrics_names
    assert loaded.loss_weights == {"a": 0.5, "b": 2.0}
    assert loaded.sample_weight_mode == "temporal"
    x, y = data()
    assert loaded.test_on_batch(x, [y, y]) == model.test_on_batch(x, [y, y])


def test_functions_and_layers_of_the_user_are_found_by_name():
    class Twice(Layer):
        def call(self, inputs):
            return inputs * 2

    def my_loss(y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)

    model = Sequential([Dense(2, input_dim=5), Twice(), Lambda(my_scale)])
    model.compile("sgd", my_loss, metrics=[lambda t, p: ops.mean(t - p, axis=-1)])
    file = io.BytesIO()
    with pytest.warns(UserWarning, match="A lambda is saved as the name '<lambda>'"):
        model.save(file)
    with pytest.raises(ValueError, match="Unknown layer: Twice"):
        load_model(file)
    own = {"Twice": Twice, "my_scale": my_scale}
    with pytest.raises(ValueError, match="Unknown loss function: my_loss") as error:
        load_model(file, own)
    assert "compile=False" in str(error.value)
    assert "training_config" in str(error.value)
    loaded = load_model(file, {**own, "my_loss": my_loss, "<lambda>": my_loss})
    assert loaded.loss is my_loss
    x, _ = data()
    assert np.array_equal(loaded.predict(x), model.predict(x))


def my_scale(x):
    return x * 3


def test_weights_without_a_step_have_slots_of_zeros():
    x = Input((5,), name="x")
    outputs = [Dense(2, name="a")(x), Dense(2, name="b")(x)]
    model = Model(x, outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.compile("adam", {"a": "mse"})
        x, y = data()
        model.train_on_batch(x, {"a": y})
        loaded = again(model)
        model.train_on_batch(x, {"a": y})
        loaded.train_on_batch(x, {"a": y})
    assert equal(model.get_weights(), loaded.get_weights())


def test_a_state_that_does_not_fit_is_warned_of(tmp_path):
    trained().save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["optimizer_weights"]
        del group["training/Adam/m_0:0"]
        group["training/Adam/m_0:0"] = np.ones((2, 2), "float32")
    with pytest.warns(UserWarning, match="Error in loading the saved optimizer state") as caught:
        model = load_model(tmp_path / "m.h5")
    assert caught[0].filename == __file__
    assert int(model.optimizer.iterations) == 0


# -- writing -------------------------------------------------------------------------------------
def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.h5"
    model = trained()
    model.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda number: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.h5"]


def test_overwriting_asks_when_told_to(tmp_path, monkeypatch):
    path = str(tmp_path / "m.h5")
    net().save(path, overwrite=False)
    before = pathlib.Path(path).read_bytes()
    monkeypatch.setattr("builtins.input", lambda text: "n")
    net().save(path, overwrite=False)
    assert pathlib.Path(path).read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda text: "y")
    net().save(path, overwrite=False)
    assert pathlib.Path(path).read_bytes() != before


def test_what_cannot_be_saved_says_so(tmp_path):
    with pytest.raises(ValueError, match=r"`\.keras` files are not written"):
        net().save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="has not"):
        Sequential([Dense(2)]).save(tmp_path / "m.h5")
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError, match="No such file"):
        load_model(tmp_path / "m.h5")
    net().save_weights(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="No model configuration found"):
        load_model(tmp_path / "w.h5")


# -- other versions of Keras ---------------------------------------------------------------------
WHOLE = [
    "k122_cnn", "k224_cnn", "k224_fixedstr", "k2_cnn", "k2_mlp", "k2_slash", "k3_mlp",
    "k3_mlp_train", "k3_multi_io",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:No training configuration")
@pytest.mark.parametrize("name", WHOLE)
def test_whole_models_of_every_keras_predict_the_same(name):
    model = load_model(DATA / f"{name}.h5")
    with np.load(DATA / f"{name}.io.npz") as stored:
        inputs, expected = (
            [stored[k] for k in sorted(stored) if k.startswith(p)] for p in ("in_", "out_")
        )
    for loaded in (model, again(model)):
        found = loaded.predict(inputs if len(inputs) > 1 else inputs[0])
        found = found if isinstance(found, list) else [found]
        for p, q in zip(found, expected, strict=True):
            assert np.allclose(p, q, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "iterations", "slot"),
    [
        ("k2_cnn", 1, ("momentum", "SGD/conv2d/kernel/momentum:0")),
        ("k2_mlp", 6, ("v", "Adam/v/dense/kernel:0")),
        ("k3_mlp", 4, ("v", "adam/mlp_h1_kernel_velocity")),
        ("k3_mlp_train", 15, ("momentum", "sgd/mlp_train_a_kernel_momentum")),
    ],
)
def test_the_state_of_other_kerases_is_found_by_its_names(name, iterations, slot):
    optimizer = (model := load_model(DATA / f"{name}.h5")).optimizer
    assert int(optimizer.iterations) == iterations
    with h5py.File(DATA / f"{name}.h5") as file:
        stored = file["optimizer_weights"][slot[1]][()]
    assert stored.any()
    assert np.array_equal(optimizer.slots[model.trained_weights[0]][slot[0]].value, stored)


@pytest.mark.parametrize("names", ["Variable", "Adam"])
def test_states_from_before_keras_2_3_go_by_their_order(tmp_path, names):
    model = trained()
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["optimizer_weights"]
        old = [n.decode() for n in group.attrs["weight_names"]]
        new = ["Adam/iterations:0", *(f"training/{names}_{i}:0" for i in range(len(old) - 1))]
        for a, b in zip(old[1:], new[1:], strict=True):
            group.move(a, b)
        group.attrs["weight_names"] = [n.encode() for n in new]
    assert equal(state(load_model(tmp_path / "m.h5")), state(model))


def keras_net(keras):
    layers = keras.layers
    x = keras.Input((5,), name="x")
    h = layers.Dense(6, activation="tanh", name="h")(x)
    # No bias before the normalization: its gradient is rounding, which Adam takes for a slope.
    first = layers.Dense(3, use_bias=False, name="i")
    inner = keras.Sequential([first, layers.BatchNormalization(name="n")])
    return keras.Model(x, layers.Dense(2, activation="hard_sigmoid", name="y")(inner(h)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in Keras
@pytest.mark.parametrize("name", ["Adam", "RMSprop", "SGD"])
def test_training_that_a_live_keras_3_began_goes_on(tmp_path, name):
    import keras

    # Keras 3's RMSprop adds epsilon below the root, Keras 2's to it: a tiny one is the same.
    options = {"SGD": {"momentum": 0.9}, "RMSprop": {"epsilon": 1e-12}}.get(name, {})
    theirs = keras_net(keras)
    theirs.compile(getattr(keras.optimizers, name)(0.01, **options), "mean_squared_error")
    x, y = data()
    for _ in range(3):
        theirs.train_on_batch(x, y)
    theirs.save(tmp_path / "theirs.h5")
    ours = load_model(tmp_path / "theirs.h5")
    assert np.allclose(ours.predict(x), theirs(x), atol=1e-6)
    for _ in range(2):
        theirs.train_on_batch(x, y)
        ours.train_on_batch(x, y)
    assert int(ours.optimizer.iterations) == 5
    assert np.allclose(ours.predict(x), theirs(x), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in Keras
@pytest.mark.filterwarnings("ignore:Argument `decay` is no longer supported")
def test_a_live_keras_3_reads_what_kgraph_wrote(tmp_path):
    import keras

    x = Input((5,), name="x")
    shared = Dense(5, activation="relu")
    h = BatchNormalization()(Dropout(0.5)(shared(shared(x))))
    model = Model(x, Dense(2)(h))
    model.compile(Adam(0.01), "mean_squared_error", metrics=["accuracy"])
    train(model, 2)
    model.save(tmp_path / "ours.h5")
    theirs = keras.models.load_model(tmp_path / "ours.h5")
    x, y = data()
    assert np.allclose(model.predict(x), theirs([x]), atol=1e-6)
    assert theirs.optimizer.get_config()["learning_rate"] == pytest.approx(0.01)
    assert np.allclose(theirs.evaluate([x], y, verbose=0), model.evaluate(x, y, verbose=0), 1e-4)


def test_hard_sigmoid_is_keras_3_s_in_files_of_keras_3():
    import keras

    x = np.linspace(-4, 4, 33, dtype="float32")
    assert np.allclose(hard_sigmoid_3(x), keras.activations.hard_sigmoid(x), atol=1e-7)
    ours = Model.from_config(Model(i := Input((5,)), Dense(2)(i)).get_config())
    assert "hard_sigmoid_3" not in ours.to_json()
