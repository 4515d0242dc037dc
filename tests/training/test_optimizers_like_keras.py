"""Optimizers against Keras 3 on JAX over several steps, and the options that all of them share."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from kgraph import optimizers
from kgraph.ir import Graph, Stage, Variable, input_node
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.optimizers import SGD, Adam, AdamW, Nadam, schedules
from kgraph.runtime.interp import interpret

# Keras's variables answer NumPy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(5)
START = [RNG.normal(size=(2, 3)).astype("float32"), RNG.normal(size=3).astype("float32")]
GRADIENTS = [[RNG.normal(size=w.shape).astype("float32") for w in START] for _ in range(6)]


def ours(optimizer, gradients=GRADIENTS, start=START):
    """The weights after each step."""
    weights = [Variable(w, name) for w, name in zip(start, ("kernel", "bias"), strict=True)]
    inputs = [input_node(w.shape, w.dtype, f"g{i}") for i, w in enumerate(weights)]
    updates = optimizer.get_updates(inputs, weights)
    graph = Graph(tuple(inputs), (), tuple(updates), Stage.CORE)
    steps = []
    for arrays in gradients:
        for variable, value in interpret(graph, arrays)[1].items():
            variable.assign(value)
        steps.append([w.numpy() for w in weights])
    optimizer.finalize_variable_values(weights)
    return [*steps, [w.numpy() for w in weights]]


def theirs(optimizer, gradients=GRADIENTS, start=START):
    weights = [keras.Variable(w, name=n) for w, n in zip(start, ("kernel", "bias"), strict=True)]
    optimizer.build(weights)
    steps = []
    for arrays in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(a) for a in arrays])
        steps.append([np.asarray(w.value) for w in weights])
    optimizer.finalize_variable_values(weights)
    return [*steps, [np.asarray(w.value) for w in weights]]


def agree(a, b, **tolerance):
    for mine, other in zip(a, b, strict=True):
        for x, y in zip(mine, other, strict=True):
            np.testing.assert_allclose(x, y, **{"rtol": 2e-5, "atol": 2e-6, **tolerance})


CASES = [
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True, "epsilon": 1e-9}),
    ("Adagrad", {"learning_rate": 0.05, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"learning_rate": 1.0, "epsilon": 1e-3, "clipvalue": 0.5}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True, "global_clipnorm": 1.0}),
    ("AdamW", {"learning_rate": 0.01}),
    ("Adamax", {"learning_rate": 0.01, "clipnorm": 1.0}),
    ("Nadam", {"learning_rate": 0.01}),
    ("Lion", {"learning_rate": 0.01, "weight_decay": 0.01}),
    ("Ftrl", {"learning_rate": 0.1}),
    (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "l1_regularization_strength": 0.05,
            "l2_regularization_strength": 0.01,
            "l2_shrinkage_regularization_strength": 0.02,
            "beta": 0.3,
            "learning_rate_power": -0.7,
        },
    ),
    ("Ftrl", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("Lamb", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("Lamb", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "global_clipnorm": 0.5}),
    ("Adafactor", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("Muon", {"learning_rate": 0.1, "weight_decay": 0.1, "adam_lr_ratio": 0.5}),
    ("Muon", {"nesterov": False, "rms_rate": None, "ns_steps": 2, "adam_weight_decay": None}),
    ("Muon", {"learning_rate": 0.1, "exclude_layers": ["kern"], "weight_decay": None}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("ScheduleFreeAdamW", {"learning_rate": 0.1, "warmup_steps": 4, "beta_1": 0.5}),
    (
        "Adafactor",
        {
            "learning_rate": 0.9,
            "beta_2_decay": -0.5,
            "epsilon_1": 1e-2,
            "epsilon_2": 2.0,
            "clip_threshold": 0.5,
            "relative_step": False,
        },
    ),
    ("SGD", {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.7}),
    ("Adam", {"learning_rate": 0.1, "use_ema": True, "ema_overwrite_frequency": 2}),
    ("Adam", {"learning_rate": 0.1, "gradient_accumulation_steps": 3, "clipnorm": 0.5}),
    ("SGD", {"learning_rate": 0.1, "loss_scale_factor": 8.0, "momentum": 0.5}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda v: str(v)[:60])
def test_like_keras(name, options):
    reference = getattr(keras.optimizers, name)(**options)
    made = optimizers.get({"class_name": name, "config": reference.get_config()})
    agree(ours(made), theirs(reference))
    again = optimizers.deserialize(optimizers.serialize(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize(
    ("optimizer", "golden"),
    [
        (optimizers.Adagrad(), (0.99, 0.99371391, 0.99188817)),
        (optimizers.Adadelta(), (0.99858579, 0.99934511, 0.99894064)),
        (optimizers.Adamax(), (0.998, 0.99747316, 0.99699249)),
        (Nadam(), (0.9978871, 0.99854651, 0.99806719)),
        (optimizers.Lion(), (0.999, 1.0, 0.999)),
        (AdamW(), (0.99899602, 0.99864644, 0.99826306)),
        (
            optimizers.Adagrad(0.001, initial_accumulator_value=0.1),
            (0.99915487, 0.99947512, 0.99931699),
        ),
        (optimizers.Adadelta(0.001), (0.99999857, 0.99999934, 0.99999893)),
        (Nadam(0.001, schedule_decay=1.0), (0.99893719, 0.99924982, 0.99901539)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_golden_values_of_keras_2_and_3(optimizer, golden):
    weight, g = Variable(np.float32(1.0), "w"), input_node((), name="g")
    graph = Graph((g,), (), tuple(optimizer.get_updates([g], [weight])), Stage.CORE)
    for gradient, expected in zip((0.5, -0.2, 0.1), golden, strict=True):
        for variable, value in interpret(graph, [np.float32(gradient)])[1].items():
            variable.assign(value)
        assert float(weight) == pytest.approx(expected, abs=1.3e-7)


def test_a_formula_that_looks_at_whole_weights():
    """Three axes, a weight of zeros, a gradient of zeros; float16 without NaN."""
    rng = np.random.default_rng(1)
    start = [rng.normal(size=(2, 3, 2)).astype("float32"), np.zeros(3, "float32")]
    gradients = [[rng.normal(size=w.shape).astype("float32") for w in start] for _ in range(3)]
    gradients = [[np.zeros_like(g) for g in gradients[0]], *gradients]
    for name in ("Lamb", "Adafactor"):
        reference, made = getattr(keras.optimizers, name)(0.1), optimizers.get(name)
        made.lr = 0.1
        agree(ours(made, gradients, start), theirs(reference, gradients, start))
        halves = [[g.astype("float16") for g in arrays] for arrays in gradients]
        for step in ours(optimizers.get(name), halves, [w.astype("float16") for w in start]):
            assert all(w.dtype == "float16" and np.isfinite(w).all() for w in step)


def test_slots_of_other_shapes():
    optimizer = optimizers.Adafactor()
    ours(optimizer, GRADIENTS[:1])
    assert [(v.name.split("/", 1)[1], v.value.shape) for v in optimizer.weights] == [
        ("iterations", ()), ("kernel/r", (2,)), ("kernel/c", (3,)), ("bias/v", (3,)),
    ]  # fmt: skip


def test_state_in_keras_order():
    optimizer = Nadam(use_ema=True, gradient_accumulation_steps=2)
    ours(optimizer, GRADIENTS[:1])
    assert [v.name.split("/", 1)[1] for v in optimizer.weights] == [
        "iterations", "m_schedule", "kernel/m", "bias/m", "kernel/v", "bias/v",
        "kernel/average", "bias/average", "kernel/gradient_sum", "bias/gradient_sum",
    ]  # fmt: skip
    assert optimizers.Adagrad(initial_accumulator_value=0.5).slot_starts == {"accumulator": 0.5}


def test_weights_are_spared_the_decay():
    optimizer = SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    plain, decayed = ours(SGD(0.1), GRADIENTS[:1]), ours(optimizer, GRADIENTS[:1])
    np.testing.assert_array_equal(decayed[0][1], plain[0][1])
    assert not np.allclose(decayed[0][0], plain[0][0])
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"ema_momentum": 2.0, "use_ema": True}, "`ema_momentum` must be in the range"),
        ({"ema_overwrite_frequency": 0, "use_ema": True}, "`ema_overwrite_frequency` must be an"),
        ({"gradient_accumulation_steps": 1}, "`gradient_accumulation_steps` must be an integer"),
    ],
)
def test_numbers_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        SGD(**options)
    with pytest.raises(ValueError, match="`learning_rate_power` needs to be <= 0"):
        optimizers.Ftrl(learning_rate_power=0.5)


SCHEDULES = [
    ("ExponentialDecay", (0.5, 10, 0.9), {}),
    ("ExponentialDecay", (0.5, 10, 0.9), {"staircase": True}),
    ("InverseTimeDecay", (0.5, 10, 0.9), {}),
    ("InverseTimeDecay", (0.5, 10, 0.9), {"staircase": True}),
    ("PiecewiseConstantDecay", ([3, 9, 20], [1.0, 0.5, 0.25, 0.1]), {}),
    ("PolynomialDecay", (0.5, 10), {"power": 2.0}),
    ("PolynomialDecay", (0.5, 10), {"cycle": True, "end_learning_rate": 0.1}),
    ("CosineDecay", (0.5, 10), {"alpha": 0.1}),
    ("CosineDecay", (0.1, 10), {"warmup_target": 0.5, "warmup_steps": 4}),
    ("CosineDecayRestarts", (0.5, 5), {"m_mul": 0.5, "alpha": 0.1}),
    ("CosineDecayRestarts", (0.5, 5), {"t_mul": 1.0, "m_mul": 0.5}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), SCHEDULES, ids=lambda v: str(v)[:40])
def test_schedules_like_keras(name, arguments, options):
    steps = [0, 1, 3, 4, 7, 9, 11, 14, 22, 31]
    reference = getattr(keras.optimizers.schedules, name)(*arguments, **options)
    made = schedules.deserialize({"class_name": name, "config": reference.get_config()})
    expected = [float(reference(step)) for step in steps]
    np.testing.assert_allclose(made(steps), expected, rtol=2e-5, atol=1e-7)
    count = input_node((), "int64", "count")
    graph = Graph((count,), (("rate", made(count)),))
    built = [interpret(graph, [np.int64(step)])[0][0] for step in steps]
    np.testing.assert_allclose(built, made(steps), rtol=1e-12, atol=1e-15)
    assert schedules.deserialize(schedules.serialize(made)).get_config() == made.get_config()
    assert made(3) == pytest.approx(expected[2], rel=1e-5)


def test_bad_schedules():
    with pytest.raises(ValueError, match="`decay_steps` must be > 0"):
        schedules.CosineDecay(0.1, 0)
    with pytest.raises(ValueError, match="The length of boundaries should be 1 less"):
        schedules.PiecewiseConstantDecay([1], [1.0])
    with pytest.raises(TypeError, match="`learning_rate` cannot be a plain function"):
        SGD(lambda: 0.1)


def test_a_schedule_is_part_of_the_step():
    optimizer = SGD(schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.5, 0.25]))
    model = Sequential([Dense(1, input_dim=1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, lambda y_true, y_pred: y_pred)
    seen = []
    for _ in range(3):
        model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
        seen.append(float(model.get_weights()[0][0, 0]))
    assert seen == [-1.0, -1.5, -1.75]
    assert optimizer.learning_rate == 0.25
    assert optimizer.lr == 0.25
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        optimizer.learning_rate = 0.1
    again = optimizers.get(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


def test_the_learning_rate_changes_between_batches_without_a_new_compilation():
    model = Sequential([Dense(1, input_dim=1, use_bias=False, kernel_initializer="zeros")])
    model.compile(Adam(0.5), "mse")
    x = np.ones((1, 1))
    step = model.executable(x, x)
    model.train_on_batch(x, x)
    before = model.get_weights()[0].copy()
    model.optimizer.lr = 0.0
    model.train_on_batch(x, x)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert model.executable(x, x) is step


def test_fit_ends_with_the_averages_and_a_scaled_loss_changes_nothing():
    def run(**options):
        model = Sequential([Dense(1, input_dim=3, kernel_initializer="ones")])
        model.compile(SGD(0.1, **options), "mse")
        x = np.random.default_rng(0).normal(size=(12, 3))
        model.fit(x, x[:, 0], batch_size=4, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()[0]

    plain = run()
    np.testing.assert_array_equal(run(loss_scale_factor=64.0), plain)
    averaged = run(use_ema=True, ema_momentum=0.5)
    assert not np.allclose(averaged, plain)
