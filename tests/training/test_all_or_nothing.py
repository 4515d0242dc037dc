"""A call that fails changes nothing: models, layers, variables and files are what they were."""

from __future__ import annotations

import json
import types

import h5py
import numpy as np
import pytest
from fit_models import linear, regression, two_outputs

from kgraph import backend, ops
from kgraph.callbacks import Callback, EarlyStopping
from kgraph.callbacks.snapshot import restore, save
from kgraph.ir import Variable
from kgraph.ir.serialize import save as save_graph
from kgraph.layers import LSTM, Bidirectional, Dense, Input, Layer
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD, Adam
from kgraph.preprocessing.text import Tokenizer

X, Y = regression()
SETTINGS = ("optimizer", "loss", "metrics", "loss_weights", "weighted_metrics", "memory_budget",
            "run_eagerly", "steps_per_execution", "sample_weight_mode")  # fmt: skip
BAD_COMPILE = [
    {"optimizer": "nonesuch"},
    {"loss": "nonesuch"},
    {"loss": ["mse"]},
    {"loss": {"nobody": "mse"}},
    {"loss": None},
    {"metrics": ["nonesuch"]},
    {"metrics": [3]},
    {"metrics": [["mae"]]},
    {"loss_weights": [1.0]},
    {"loss_weights": ["heavy", "light"]},
    {"weighted_metrics": {"nobody": "mae"}},
    {"sample_weight_mode": "often"},
    {"memory_budget": -1},
    {"steps_per_execution": 0},
    {"nonesuch": 1},
    {"target_tensors": [1]},
]


def facts_of(model) -> dict:
    """What `compile` decides."""
    return {name: getattr(model, name) for name in SETTINGS}


@pytest.mark.parametrize("wrong", BAD_COMPILE, ids=str)
def test_compile(wrong):
    model = two_outputs()
    arguments = {"optimizer": "rmsprop", "loss": "mse", "run_eagerly": True, **wrong}
    with pytest.raises((ValueError, TypeError)):
        model.compile(**arguments)
    with pytest.raises(RuntimeError, match="must compile"):
        model.metrics_names  # noqa: B018 (a property that raises)
    model.compile("adam", "mse", ["mae"], [1.0, 2.0], steps_per_execution=3)
    before, step = facts_of(model), model.executable([X[:, :2], X], [Y, X[:, :2]])
    with pytest.raises((ValueError, TypeError)):
        model.compile(**arguments)
    assert facts_of(model) == before
    assert model.executable([X[:, :2], X], [Y, X[:, :2]]) is step


@pytest.mark.parametrize(
    "wrong",
    [
        {"y": Y[:-1]},
        {"x": X[:, :-1]},
        {"y": Y.astype("U8")},
        {"sample_weight": np.ones(3)},
        {"class_weight": {0: "heavy"}},
        {"callbacks": [EarlyStopping(), "nonesuch"]},
        {"verbose": "loud"},
        {"epochs": -1},
        {"batch_size": 0},
        {"validation_data": (X, Y[:-1])},
        {"validation_split": 1.5},
        {"steps_per_epoch": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_fit(wrong):
    model = linear(optimizer=Adam(0.1))
    history = model.fit(X, Y, verbose=0)
    model.stop_training = True
    weights, slots = model.get_weights(), model.optimizer.get_weights()
    with pytest.raises((ValueError, TypeError)):
        model.fit(**{"x": X, "y": Y, "verbose": 0, **wrong})
    assert model.history is history
    assert (model.stop_training, model.run) == (True, None)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(slots, model.optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "bad",
    [np.ones(3), np.array(["a", "b"]), np.array([1j, 2]), Input(()), [[1.0], [2.0, 3.0]]],
    ids=["shape", "text", "complex", "symbolic", "ragged"],
)
def test_values_of_variables(bad):
    """Whatever the call, the second value does not fit and the first is not written."""
    a, b = Variable([1.0, 2.0]), Variable([3.0, 4.0])
    dense = Dense(2, kernel_initializer="ones")
    model = Sequential([Input((1,)), dense])
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.build([a, b])
    old, good = optimizer.get_weights(), [np.full_like(v, 7) for v in optimizer.get_weights()]
    for call, arguments in (
        (backend.batch_set_value, [(a, [5.0, 6.0]), (b, bad)]),
        (dense.set_weights, [np.zeros((1, 2)), bad]),
        (model.set_weights, [np.zeros((1, 2)), bad]),
        (optimizer.set_weights, [*good[:-1], bad]),
    ):
        with pytest.raises((ValueError, TypeError)):
            call(arguments)
    assert (a.numpy().tolist(), b.numpy().tolist()) == ([1.0, 2.0], [3.0, 4.0])
    assert dense.get_weights()[0].tolist() == [[1.0, 1.0]]
    for before, after in zip(old, optimizer.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_states_of_recurrent_layers():
    layer = LSTM(2, stateful=True)
    layer(np.ones((1, 3, 2), "float32"))
    before = [v.numpy() for v in layer.states]
    for bad in (np.ones((2, 2)), np.array([["a", "b"]])):
        with pytest.raises((ValueError, TypeError)):
            layer.reset_states([np.zeros((1, 2)), bad])
    for old, variable in zip(before, layer.states, strict=True):
        np.testing.assert_array_equal(old, variable.value)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("damage", ["shape", "text", "missing", "link", "cut"])
def test_load_weights(damage, by_name, tmp_path):
    path = tmp_path / "w.h5"
    layers = [Dense(3, input_dim=2, name="one"), Dense(300, name="two")]
    model = Sequential(layers)
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        kernel, name = file["two/two/kernel:0"][()], "two/two/kernel:0"
        if damage != "cut":
            del file[name]
        if damage == "shape":
            file[name] = kernel.T
        if damage == "text":
            file[name] = np.full(kernel.shape, b"a")
        if damage == "link":
            file[name] = h5py.ExternalLink("elsewhere.h5", "kernel")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    model.set_weights([np.full_like(w, 5) for w in model.get_weights()])
    with pytest.raises((ValueError, OSError)):
        model.load_weights(path, by_name=by_name)
    assert all((w == 5).all() for w in model.get_weights())


class Fussy(Layer):
    """Makes a weight and one inside, and fails in the middle if it is told to."""

    fails = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Dense(2)

    def build(self, input_shape):
        self.scale = self.add_weight("scale", (1,), initializer="ones")
        self.build_inside(self.inner, input_shape)
        if self.fails:
            raise ValueError("not today")
        self.shift = self.add_weight("shift", (1,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        return self.inner(inputs) * self.scale + self.shift


def test_a_build_that_fails_leaves_no_weights():
    layer, x = Fussy(name="fussy"), Input((3,))
    with pytest.raises(ValueError, match="not today"):
        layer(x)
    assert (layer.built, layer.inner.built, layer.weights) == (False, False, [])
    layer.fails = False
    model = Model(x, layer(x))
    assert [v.name for v in layer.weights] == [
        "fussy/scale", "fussy/shift", f"fussy/{layer.inner.name}/kernel",
        f"fussy/{layer.inner.name}/bias",
    ]  # fmt: skip
    assert model.predict(np.ones((2, 3))).shape == (2, 2)


def test_weights_given_to_a_layer_that_do_not_fit():
    layer = Dense(2, weights=[np.ones((4, 2)), np.ones(2)])
    with pytest.raises(ValueError, match="not compatible"):
        layer(Input((3,)))
    assert (layer.built, layer.weights) == (False, [])
    np.testing.assert_array_equal(layer(np.ones((1, 4))), [[5.0, 5.0]])


def test_layers_that_do_not_fit_on_a_stack():
    model = Sequential()
    with pytest.raises(ValueError, match="ndim"):
        model.add(LSTM(2, input_shape=(3,)))
    with pytest.raises(TypeError, match="single output"):
        model.add(LSTM(2, return_state=True, input_shape=(4, 3)))
    model.add(Dense(2, input_shape=(3,)))
    with pytest.raises(ValueError, match="ndim"):
        model.add(LSTM(2))
    model.add(Dense(1))
    assert [layer.output_shape for layer in model.layers] == [(None, 2), (None, 1)]


def test_data_of_a_shape_that_the_stack_does_not_take():
    model = Sequential([Dense(4), Bidirectional(LSTM(2)), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="last dimension"):
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert (model.built, model.graph, [layer.built for layer in model.layers]) == (
        False, None, [False] * 3
    )  # fmt: skip
    model.fit(np.ones((4, 5, 6)), np.ones((4, 1)), verbose=0)
    assert model.input_shape == (None, 5, 6)


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_targets_that_do_not_fit_a_stack_without_a_shape(call):
    model = Sequential([Dense(4, name="low"), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="samples"):
        getattr(model, call)(np.ones((4, 3)), np.ones((3, 1)))
    assert (model.built, model.graph, model.layers[0].built) == (False, None, False)
    getattr(model, call)(np.ones((4, 5)), np.ones((4, 1)))
    assert [v.name for v in model.layers[0].weights] == ["low/kernel", "low/bias"]
    assert model.layers[0].weights[0].shape == (5, 4)


def test_losses_and_metrics_that_are_added():
    x, other = Input((3,)), Input((3,), name="other")
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse", metrics=["mae"])
    before = model.evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match="other"):
        model.add_loss([ops.sum(x), ops.sum(other)])
    with pytest.raises((ValueError, TypeError)):
        model.add_loss([ops.sum(x), "nonesuch"])
    with pytest.raises(ValueError, match="mae"):
        model.add_metric(ops.sum(x), name="mae")
    assert model.losses == []
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.evaluate(X, Y, verbose=0) == before


def test_files_that_cannot_be_written(tmp_path, monkeypatch):
    model = linear()
    model.save(tmp_path / "m.h5")
    model.save_weights(tmp_path / "w.h5")
    save_graph(model.graph, tmp_path / "g.json")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"m.h5", "w.h5", "g.json", "g.npz"}
    model.set_weights([w + 1 for w in model.get_weights()])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    for target, write in (
        ("h5py.Group.create_dataset", lambda: model.save(tmp_path / "m.h5")),
        ("h5py.Group.create_dataset", lambda: model.save_weights(tmp_path / "w.h5")),
        ("os.fsync", lambda: model.save(tmp_path / "m.h5")),
        ("os.fsync", lambda: save_graph(model.graph, tmp_path / "g.json")),
        ("numpy.savez", lambda: save_graph(model.graph, tmp_path / "g.json")),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, full)
            with pytest.raises(OSError, match="No space"):
                write()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


class Forgetful(Callback):
    """Takes no state."""

    resumable = ("count",)
    count = 0

    def set_state(self, state):
        raise ValueError("not mine")


def a_run(model) -> types.SimpleNamespace:
    """What a snapshot asks of a run of `fit`."""
    position = types.SimpleNamespace(epoch=2, batch=1, before=None)
    return types.SimpleNamespace(model=model, variables=model.weights, position=position)


@pytest.mark.parametrize("damage", ["variable/1", "random/now", "callback"])
def test_a_backup_that_cannot_be_read(damage, tmp_path):
    model, path = linear(), tmp_path / "b.npz"
    save(path, a_run(model), [Forgetful()])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != damage}
    np.savez(path, **arrays)
    model.set_weights([np.full_like(w, 5) for w in model.get_weights()])
    run, random = a_run(model), np.random.get_state()[1].tolist()
    run.position.epoch, model.stop_training = 0, True
    with pytest.raises((KeyError, ValueError)):
        restore(path, run, [Forgetful()] if damage == "callback" else [])
    assert all((w == 5).all() for w in model.get_weights())
    assert (run.position.epoch, model.stop_training) == (0, True)
    assert np.random.get_state()[1].tolist() == random


def test_texts_that_cannot_be_counted():
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(["a b", "b"])
    before = json.loads(tokenizer.to_json())
    for call, wrong in (
        (tokenizer.fit_on_texts, ["a c", 3]),
        (tokenizer.fit_on_sequences, [[1, 2], 3]),
        (tokenizer.fit_on_sequences, [[1, 2], [[3]]]),
    ):
        with pytest.raises((TypeError, AttributeError)):
            call(wrong)
    assert json.loads(tokenizer.to_json()) == before
