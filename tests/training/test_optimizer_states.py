"""Every optimizer, with drawn options: training goes on from a file or backup to the same bits."""

from __future__ import annotations

import random

import h5py
import keras
import numpy as np
import pytest

from kgraph import optimizers
from kgraph.callbacks import BackupAndRestore, Callback, LambdaCallback, SwapEMAWeights
from kgraph.layers import Dense, Embedding, Flatten
from kgraph.models import Sequential, load_model
from kgraph.optimizers import Adam, LossScaleOptimizer, schedules

NAMES = sorted(name for name in optimizers.__all__ if name in dir(optimizers) and name[0].isupper())
NAMES.remove("Optimizer")
OWN = {
    "SGD": {"momentum": [0.0, 0.9], "nesterov": [False, True]},
    "RMSprop": {"momentum": [0.0, 0.5], "centered": [False, True]},
    "Adagrad": {"initial_accumulator_value": [0.0, 0.1]},
    "Adam": {"amsgrad": [False, True]},
    "AdamW": {"amsgrad": [False, True]},
    "Nadam": {"schedule_decay": [0.004, 1.0]},
    "Adafactor": {"clip_threshold": [1.0, 0.3], "epsilon_2": [1e-3, 0.1]},
    "Muon": {"rms_rate": [0.2, None], "exclude_layers": [[], ["dense"]]},
    "ScheduleFreeAdamW": {"warmup_steps": [0, 4]},
    "Lamb": {"beta_2": [0.999, 0.9]},
    "Ftrl": {"beta": [0.0, 0.1], "l1_regularization_strength": [0.0, 0.01]},
}
SHARED = {
    "decay": [0.0, 0.01],
    "weight_decay": [None, 0.01],
    "use_ema": [False, True],
    "ema_overwrite_frequency": [None, 3],
    "loss_scale_factor": [None, 8.0],
    "gradient_accumulation_steps": [None, 2, 3],
}
CLIPS = [{}, {"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.5}]


def rates():
    return [0.02, schedules.ExponentialDecay(0.02, 3, 0.8), schedules.CosineDecay(0.02, 9)]


def drawn(name, seed):
    """An optimizer; the first of each class has all that it can keep."""
    if name == "LossScaleOptimizer":
        return LossScaleOptimizer(drawn("Adam", seed), 2.0**seed, 2)
    rng = random.Random(f"{name}{seed}")
    choices = {**SHARED, **OWN.get(name, {})}
    pick = rng.choice if seed else lambda values: values[-1]
    options = {key: pick(values) for key, values in choices.items()}
    return getattr(optimizers, name)(rng.choice(rates()), **rng.choice(CLIPS), **options)


def data():
    """Five equal batches: another size would need a plan of its own."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 7, size=(25, 3)), rng.normal(size=(25, 1)).astype("float32")


def make(optimizer):
    """Small weights share slots, the table has its own."""
    np.random.seed(1)
    layers = [Embedding(7, 600, input_length=3), Flatten(), Dense(3, "tanh"), Dense(1)]
    model = Sequential(layers)
    model.compile(optimizer, "mse")
    return model


def fit(model, callbacks=(), **options):
    model.fit(*data(), batch_size=5, verbose=0, callbacks=list(callbacks), **options)
    return state(model)


def state(model):
    return [*model.get_weights(), *model.optimizer.get_weights()]


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_after_the_first_epoch_goes_on(tmp_path, name, seed):
    path = tmp_path / "m.h5"
    model = make(drawn(name, seed))

    def write(epoch, logs):
        if not epoch:
            model.save(path)

    expected = fit(model, [LambdaCallback(on_epoch_end=write)], epochs=3, shuffle=False)
    loaded = load_model(path)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert_same(fit(loaded, initial_epoch=1, epochs=3, shuffle=False), expected)


@pytest.mark.parametrize("name", NAMES)
def test_fit_save_load_fit_is_one_fit(tmp_path, name):
    optimizer = drawn(name, 1)
    config = optimizer.get_config()
    config.get("inner_optimizer", {"config": config})["config"]["use_ema"] = False
    # for averages become weights when fit ends
    models = [make(type(optimizer).from_config(config)) for _ in range(2)]
    expected = fit(models[0], epochs=3, shuffle=False)
    fit(models[1], epochs=1, shuffle=False)
    models[1].save(tmp_path / "m.h5")
    loaded = load_model(tmp_path / "m.h5")
    assert_same(fit(loaded, initial_epoch=1, epochs=3, shuffle=False), expected)


class Break(Callback):
    """Ends a run in the second epoch as a power cut would."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.run.position.epoch == 1 and batch == 2:
            raise InterruptedError


@pytest.mark.parametrize("name", NAMES)
def test_a_backup_goes_on_with_shuffled_rows(tmp_path, name):
    expected = fit(make(drawn(name, 0)), epochs=3)
    with pytest.raises(InterruptedError):
        fit(make(drawn(name, 0)), [BackupAndRestore(tmp_path), Break()], epochs=3)
    assert_same(fit(make(drawn(name, 0)), [BackupAndRestore(tmp_path)], epochs=3), expected)


def test_weights_in_the_place_of_their_averages_find_back(tmp_path):
    path, optimizer = tmp_path / "m.h5", Adam(0.05, use_ema=True)
    model = make(optimizer)

    def write(epoch, logs):
        if not epoch:
            assert optimizer.averages.swapped
            model.save(path)

    swap = SwapEMAWeights(swap_on_epoch=True)
    expected = fit(model, [swap, LambdaCallback(on_epoch_end=write)], epochs=3, shuffle=False)
    loaded = load_model(path)
    assert loaded.optimizer.averages.swapped
    found = fit(loaded, [SwapEMAWeights(swap_on_epoch=True)], initial_epoch=1, epochs=3,
                shuffle=False)  # fmt: skip
    assert_same(found, expected)
    kinds = [SwapEMAWeights(swap_on_epoch=True), BackupAndRestore(tmp_path)]
    with pytest.raises(InterruptedError):
        fit(make(Adam(0.05, use_ema=True)), [*kinds, Break()], epochs=3, shuffle=False)
    assert_same(fit(make(Adam(0.05, use_ema=True)), kinds, epochs=3, shuffle=False), expected)


# -- files of other programs ---------------------------------------------------------------------
def order(path):
    with h5py.File(path) as file:
        return [n.decode() for n in file["optimizer_weights"].attrs["weight_names"]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RMSprop", ["accumulator"]),
        ("Adagrad", ["accumulator"]),
        ("Adadelta", ["accumulator", "delta_accumulator"]),
        ("Adamax", ["m", "u"]),
        ("Nadam", ["m", "v"]),
    ],
)
def test_arrays_have_keras_2_3_s_names_and_order(tmp_path, name, words):
    model = make(getattr(optimizers, name)())
    fit(model)
    model.save(tmp_path / "m.h5")
    product = ["Nadam/m_schedule:0"] if name == "Nadam" else []
    arrays = [f"training/{name}/{w}_{i}:0" for w in words for i in range(5)]
    assert order(tmp_path / "m.h5") == [f"{name}/iterations:0", *product, *arrays]


@pytest.mark.parametrize("name", ["RMSprop", "Adagrad", "Adadelta", "Nadam"])
@pytest.mark.parametrize("nameless", [False, True])
def test_keras_2_2_keeps_one_number_too_few(tmp_path, name, nameless):
    """No counter for three classes, and not Nadam's product: these start anew, the slots go on."""
    model, path = make(getattr(optimizers, name)()), tmp_path / "m.h5"
    fit(model)
    model.save(path)
    lost = "Nadam/m_schedule:0" if name == "Nadam" else f"{name}/iterations:0"
    with h5py.File(path, "r+") as file:
        group = file["optimizer_weights"]
        names = [n for n in order(path) if n != lost]
        slots = [n for n in names if n.startswith("training/")]
        for i, slot in enumerate(slots if nameless else ()):
            group.move(slot, f"training/{name}/Variable_{i}:0")
            names[names.index(slot)] = f"training/{name}/Variable_{i}:0"
        group.attrs["weight_names"] = [n.encode() for n in names]
    loaded, own = load_model(path).optimizer, model.optimizer
    assert int(loaded.iterations) == (5 if name == "Nadam" else 0)
    assert [float(s) for s in loaded.states] == [1.0] * len(own.states)
    begin = 1 + len(own.states)
    assert_same(loaded.get_weights()[begin:], own.get_weights()[begin:])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in Keras
def test_the_states_of_keras_3_find_their_places(tmp_path):
    """Its arrays stand weight by weight, Nadam's product last and without a telling name."""
    names = ("Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "AdamW", "Lamb", "Muon")
    for name in (*names, "ScheduleFreeAdamW", "LossScaleOptimizer"):
        layers = [keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)]
        theirs, path = keras.Sequential(layers), tmp_path / f"{name}.h5"
        scaling = name == "LossScaleOptimizer"
        made = getattr(keras.optimizers, "Adam" if scaling else name)(use_ema=True)
        made = keras.optimizers.LossScaleOptimizer(made, 8.0) if scaling else made
        theirs.compile(made, "mean_squared_error")
        for _ in range(2):
            theirs.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
        theirs.save(path)
        loaded = load_model(path)
        own, values = loaded.optimizer, {v.path: np.array(v) for v in theirs.optimizer.variables}
        used = [own.iterations]
        for slot in (*own.slot_names, "average"):
            kept = [own.arrays_of(w) for w in loaded.trained_weights]
            used += [arrays[slot] for arrays in kept if slot in arrays]
        ours = {v.value.tobytes() for v in [*used, *own.states]}
        sizes = [(v.astype("int64") if "iteration" in k else v) for k, v in values.items()]
        lost = [v for v in sizes if v.tobytes() not in ours and v.shape]
        assert lost == [], name
        if scaling:
            assert [float(v) for v in own.states] == [2.0, 8.0]
        if name == "Nadam":
            product = next(v for k, v in values.items() if k.startswith("variable"))
            assert float(own.m_schedule) == pytest.approx(float(product), rel=1e-6)
