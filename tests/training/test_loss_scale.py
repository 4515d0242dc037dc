"""LossScaleOptimizer: against Keras 3 on JAX, and what a step that is not finite leaves alone."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from kgraph import backend, optimizers
from kgraph.callbacks import LearningRateScheduler
from kgraph.initializers import Constant
from kgraph.ir import Variable
from kgraph.layers import Dense
from kgraph.models import Sequential, load_model
from kgraph.optimizers import SGD, Adam, LossScaleOptimizer, schedules

# Keras's variables answer NumPy in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(7)
START = RNG.normal(size=(2, 3)).astype("float32")
GRADIENTS = [16 * RNG.normal(size=START.shape).astype("float32") for _ in range(7)]
GRADIENTS[3][0, 1], GRADIENTS[5][1, 2] = np.inf, np.nan


def ours(optimizer):
    weight, steps = Variable(START, "w"), []
    for gradient in GRADIENTS:
        optimizer.apply([gradient], [weight])
        numbers = [float(v) for v in (optimizer.dynamic_scale, optimizer.step_counter)]
        steps.append([weight.numpy(), *numbers, int(optimizer.iterations)])
    return steps


def theirs(optimizer):
    weight = keras.Variable(START, name="w")
    optimizer.build([weight])
    states, values, steps = [v.value for v in optimizer.variables], [weight.value], []
    names = [v.name for v in optimizer.variables]
    places = [names.index("dynamic_scale"), names.index("step_counter")]
    places.append(len(names) - 1 - names[::-1].index("iteration"))  # the inner one's
    for gradient in GRADIENTS:
        values, states = optimizer.stateless_apply(states, [gradient], values)
        steps.append([np.asarray(values[0]), *(float(states[i]) for i in places)])
    return steps


@pytest.mark.parametrize("inner", ["Adam", "SGD"])
def test_like_keras(inner):
    options = {"learning_rate": 0.1, "weight_decay": 0.1, "clipnorm": 0.5}
    if inner == "SGD":
        options["momentum"] = 0.9
    made = getattr(keras.optimizers, inner)(**options)
    reference = keras.optimizers.LossScaleOptimizer(made, 32.0, 2)
    config = keras.optimizers.serialize(reference)
    mine = optimizers.deserialize(config)
    assert type(mine.inner_optimizer).__name__ == inner
    for a, b in zip(ours(mine), theirs(reference), strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=2e-5, atol=2e-6)
        assert a[1:] == b[1:]
    again = optimizers.deserialize(optimizers.serialize(mine))
    assert again.get_config() == mine.get_config()


def test_the_scale_begins_and_grows_as_in_keras():
    optimizer, weight = LossScaleOptimizer("sgd"), Variable([1.0], "w")
    assert float(optimizer.dynamic_scale) == 2.0**15
    assert optimizer.dynamic_growth_steps == 2000
    optimizer.apply([np.ones(1)], [weight])
    optimizer.step_counter.assign(1999)
    optimizer.apply([np.ones(1)], [weight])
    assert float(optimizer.dynamic_scale) == 2.0**16
    assert int(optimizer.step_counter) == 0


def test_a_step_that_is_not_finite_changes_nothing_but_the_scale():
    inner = Adam(0.1, use_ema=True, gradient_accumulation_steps=2, amsgrad=True)
    optimizer, weight = LossScaleOptimizer(inner, 8.0), Variable(START, "w")
    for gradient in GRADIENTS[:3]:
        optimizer.apply([gradient], [weight])
    before = [weight.numpy(), *optimizer.get_weights()]
    optimizer.apply([np.full_like(START, np.nan)], [weight])
    after = [weight.numpy(), *optimizer.get_weights()]
    names = ["w", *(v.name.rpartition("/")[2] for v in optimizer.weights)]
    changed = [n for n, a, b in zip(names, before, after, strict=True) if not np.array_equal(a, b)]
    assert changed == ["step_counter", "dynamic_scale"]
    assert float(optimizer.dynamic_scale) == 4.0


def test_gradients_that_vanish_on_their_way_in_float16():
    """The slope of the hidden unit is 1e-8; float16 ends at 6e-8 below and at 65504 above."""

    def trained(optimizer):
        small = {"kernel_initializer": Constant(1e-4), "trainable": False}
        layers = [{"kernel_initializer": "ones", "input_dim": 1}, small]
        model = Sequential([Dense(1, use_bias=False, dtype="float16", **own) for own in layers])
        model.compile(optimizer, lambda y_true, y_pred: y_pred * 1e-4)
        model.fit(np.full((4, 1), 1e3), np.zeros((4, 1)), verbose=0)
        return float(model.get_weights()[0][0, 0])

    assert trained(SGD(1e3)) == 1.0
    assert trained(LossScaleOptimizer(SGD(1e3))) == pytest.approx(0.99, abs=1e-3)
    for scale in (2.0**17, 2.0**4):  # float16 ends at 65504
        optimizer, weight = LossScaleOptimizer(SGD(1.0), scale), Variable(np.float16([2.0]), "w")
        optimizer.apply([np.float16([scale / 16])], [weight])
        assert weight.numpy().tolist() == [2.0 - 1 / 16]


def test_the_learning_rate_is_the_inner_one_s(tmp_path):
    optimizer = LossScaleOptimizer(SGD(0.5))
    model = Sequential([Dense(1, input_dim=1)])
    model.compile(optimizer, "mse")
    rates = LearningRateScheduler(lambda epoch: 0.25 / (1 + epoch))
    model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, callbacks=[rates], verbose=0)
    assert float(optimizer.inner_optimizer.lr) == 0.125
    model.save(tmp_path / "m.h5")
    loaded = load_model(tmp_path / "m.h5").optimizer
    assert isinstance(loaded, LossScaleOptimizer)
    assert float(loaded.lr) == 0.125
    plain = LossScaleOptimizer(SGD(schedules.ExponentialDecay(0.5, 1, 0.5)))
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        plain.lr = 0.1


def test_a_loss_is_scaled_before_it_is_differentiated():
    for optimizer in (LossScaleOptimizer(SGD(0.5)), SGD(0.5, loss_scale_factor=8.0)):
        weight = Variable([3.0], "w")
        updates = optimizer.get_updates(loss=weight * weight, params=[weight])
        backend.function([], [], updates=updates)([])
        assert weight.numpy().tolist() == [0.0]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"clipnorm": 1.0}, ValueError, "does not support `clipnorm`"),
        ({"dynamic": False}, ValueError, "set `loss_scale_factor` on the inner optimizer"),
        ({"foo": 1}, TypeError, "Unexpected keyword argument passed to optimizer: foo"),
    ],
)
def test_what_belongs_to_the_inner_optimizer(options, error, text):
    with pytest.raises(error, match=text):
        LossScaleOptimizer(SGD(), **options)
    LossScaleOptimizer(SGD(), dynamic=True, clipnorm=None, use_ema=False)  # an old configuration
    with pytest.raises(ValueError, match="cannot be inside of another"):
        LossScaleOptimizer(LossScaleOptimizer(SGD()))
