"""Optimizers against Keras 2's formulas, golden values and Keras 3."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import optimizers
from kgraph.constraints import NonNeg
from kgraph.ir import Graph, Stage, Variable, input_node
from kgraph.optimizers import SGD, Adam, RMSprop, slots
from kgraph.runtime.interp import interpret

GRADIENTS = (0.5, -0.2, 0.1)


def run(optimizer, gradients, start=1.0, dtype="float32", constraint=None):
    """The weight after each gradient."""
    weight = Variable(np.asarray(start, dtype), "w", constraint=constraint)
    g = input_node(weight.shape, dtype, "g")
    graph = Graph((g,), (), tuple(optimizer.get_updates([g], [weight])), Stage.CORE)
    values = []
    for gradient in gradients:
        _, updates = interpret(graph, [np.asarray(gradient, dtype)])
        for variable, value in updates.items():
            variable.assign(value)
        values.append(weight.numpy())
    return values


@pytest.mark.parametrize(
    ("optimizer", "golden"),
    [
        (SGD(), (0.995, 0.997, 0.996)),
        (SGD(0.01, momentum=0.9), (0.995, 0.9925, 0.98925)),
        (SGD(0.01, momentum=0.9, nesterov=True), (0.9905, 0.99025, 0.986325)),
        (
            SGD(0.01, momentum=0.9, nesterov=True, decay=1e-2),
            (0.9905, 0.99021238, 0.98630859),
        ),
        (RMSprop(), (0.99683772, 0.99806631, 0.99743195)),
        (Adam(), (0.99900001, 0.9986544, 0.99827501)),
    ],
    ids=["sgd", "momentum", "nesterov", "nesterov-decay", "rmsprop", "adam"],
)
def test_golden_values(optimizer, golden):
    np.testing.assert_allclose(run(optimizer, GRADIENTS), golden, rtol=0, atol=1.2e-7)


def test_decay_starts_with_the_second_step():
    values = run(SGD(0.1, decay=1.0), (1.0, 1.0, 1.0), dtype="float64")
    np.testing.assert_allclose(values, [0.9, 0.85, 0.85 - 0.1 / 3], rtol=1e-7)


def test_amsgrad_divides_by_the_largest_mean_square():
    betas, m, v, top, w, expected = (0.9, 0.999), 0.0, 0.0, 0.0, 1.0, []
    for t, g in enumerate((2.0, 0.1, 0.1), start=1):
        m, v = betas[0] * m + 0.1 * g, betas[1] * v + 0.001 * g * g
        top = max(top, v)
        rate = 0.01 * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
        w -= rate * m / (np.sqrt(top) + 1e-7)
        expected.append(w)
    values = run(Adam(0.01, amsgrad=True), (2.0, 0.1, 0.1), dtype="float64")
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rmsprop_centered_and_momentum(momentum):
    a = mean = v = 0.0
    w, expected = 1.0, []
    for g in GRADIENTS:
        a, mean = 0.9 * a + 0.1 * g * g, 0.9 * mean + 0.1 * g
        v = momentum * v + 0.01 * g / (np.sqrt(a - mean**2) + 1e-7)
        w -= v
        expected.append(w)
    optimizer = RMSprop(0.01, momentum=momentum, centered=True)
    np.testing.assert_allclose(run(optimizer, GRADIENTS, dtype="float64"), expected, rtol=1e-6)


def test_clipping():
    vector = np.array([3.0, 4.0], "float32")
    start = np.zeros(2, "float32")
    by_norm = run(SGD(1.0, clipnorm=1.0), [vector], start)[0]
    np.testing.assert_allclose(by_norm, [-0.6, -0.8], rtol=1e-6)
    short = run(SGD(1.0, clipnorm=10.0), [vector], start)[0]
    np.testing.assert_allclose(short, -vector, rtol=1e-6)
    by_value = run(SGD(1.0, clipvalue=3.5), [vector], start)[0]
    np.testing.assert_allclose(by_value, [-3.0, -3.5])
    with pytest.raises(ValueError, match="Only one of `clipnorm`, `clipvalue`"):
        SGD(clipnorm=1.0, clipvalue=1.0)


def test_global_clipnorm_is_over_all_weights():
    weights = [Variable([0.0], "a"), Variable([0.0], "b")]
    gradients = [input_node((1,), name="ga"), input_node((1,), name="gb")]
    updates = SGD(1.0, global_clipnorm=1.0).get_updates(gradients, weights)
    _, found = interpret(Graph(tuple(gradients), (), tuple(updates)), [[3.0], [4.0]])
    np.testing.assert_allclose([found[w][0] for w in weights], [-0.6, -0.8], rtol=1e-6)


def test_weight_decay_comes_before_the_step():
    np.testing.assert_allclose(run(SGD(0.1, weight_decay=0.5), [1.0]), [1.0 - 0.05 - 0.1])


def test_weight_decay_takes_the_learning_rate_without_adams_correction():
    golden = (0.99899602, 0.99864644, 0.99826306)  # AdamW of Keras 3
    np.testing.assert_allclose(run(Adam(weight_decay=0.004), GRADIENTS), golden, rtol=0, atol=1e-7)


def test_constraint_projects_the_new_value():
    values = run(SGD(1.0), [[0.5, 3.0]], [1.0, 1.0], constraint=NonNeg())
    np.testing.assert_allclose(values[0], [0.5, 0.0])


def test_learning_rate_can_be_set_under_both_names():
    optimizer = SGD(lr=0.5)
    assert optimizer.get_config()["learning_rate"] == 0.5
    optimizer.lr = 0.25
    assert float(optimizer.learning_rate.value) == 0.25
    optimizer.learning_rate = 0.1
    assert float(optimizer.lr.value) == np.float32(0.1)
    np.testing.assert_allclose(run(optimizer, [1.0]), [0.9])


def test_slots_and_state_in_keras_order():
    optimizer, weights = Adam(amsgrad=True), [Variable([1.0, 2.0], "a"), Variable([1.0], "b")]
    optimizer.get_updates(weights, weights)
    assert [v.name for v in optimizer.weights] == [
        "adam/iterations",
        "adam/a/m",
        "adam/b/m",
        "adam/a/v",
        "adam/b/v",
        "adam/a/vhat",
        "adam/b/vhat",
    ]
    state = [np.full_like(w, i) for i, w in enumerate(optimizer.get_weights())]
    optimizer.set_weights(state)
    for got, want in zip(optimizer.get_weights(), state, strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match=r"Length of the specified weight list \(1\)"):
        optimizer.set_weights(state[:1])
    with pytest.raises(ValueError, match=r"Optimizer weight shape \(2,\) not compatible"):
        optimizer.set_weights([state[0], np.zeros(3), *state[2:]])


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.05, momentum=0.5, nesterov=True, decay=1e-3),
        RMSprop(0.002, rho=0.8, momentum=0.1, epsilon=1e-3, centered=True),
        Adam(0.01, 0.8, 0.99, amsgrad=True, clipnorm=1.0, weight_decay=0.1),
    ],
)
def test_config_round_trip(optimizer):
    config = optimizers.serialize(optimizer)
    again = optimizers.deserialize(config)
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert optimizers.get(config).get_config() == optimizer.get_config()


def test_configurations_of_keras_2_and_3():
    old = {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.9, "decay": 0.0}}
    assert optimizers.get(old).momentum == 0.9
    new = {
        "module": "keras.optimizers",
        "class_name": "Adam",
        "registered_name": None,
        "config": {
            "name": "adam", "learning_rate": 0.001, "weight_decay": None, "clipnorm": None,
            "global_clipnorm": None, "clipvalue": None, "use_ema": False, "ema_momentum": 0.99,
            "ema_overwrite_frequency": None, "loss_scale_factor": None,
            "gradient_accumulation_steps": None, "beta_1": 0.9, "beta_2": 0.999,
            "epsilon": 1e-07, "amsgrad": False,
        },
    }  # fmt: skip
    assert optimizers.get(new).get_config()["learning_rate"] == 0.001


def test_get():
    assert isinstance(optimizers.get("rmsprop"), RMSprop)
    assert isinstance(optimizers.get("Adam"), Adam)
    assert isinstance(optimizers.get(SGD), SGD)
    instance = SGD()
    assert optimizers.get(instance) is instance
    with pytest.raises(ValueError, match="Unknown optimizer: foo"):
        optimizers.get("foo")
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: 3"):
        optimizers.get(3)


def test_unknown_arguments():
    with pytest.raises(TypeError, match="Unexpected keyword argument passed to optimizer: foo"):
        SGD(foo=1)
    with pytest.raises(TypeError, match="pass `decay` by its name"):
        SGD(0.01, 0.9, 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_updates_keep_the_weights_dtype(dtype):
    for optimizer in (SGD(momentum=0.9), RMSprop(decay=0.1), Adam(clipnorm=1.0, weight_decay=0.1)):
        values = run(optimizer, [1.0], dtype=dtype)
        assert values[0].dtype == dtype


@pytest.mark.parametrize("make", [lambda: SGD(momentum=0.9), RMSprop, lambda: Adam(amsgrad=True)])
def test_joined_small_weights_get_the_same_bits_as_separate_ones(make, monkeypatch):
    def steps(limit):
        monkeypatch.setattr(slots, "SMALL", limit)
        rng = np.random.default_rng(0)
        shapes = [(3, 4), (4,), (60, 80), (2, 1)]
        weights = [Variable(rng.normal(size=s).astype("float32"), f"w{s}") for s in shapes]
        inputs = [input_node(s, name=f"g{s}") for s in shapes]
        optimizer = make()
        graph = Graph(tuple(inputs), (), tuple(optimizer.get_updates(inputs, weights)))
        for _ in range(3):
            arrays = [rng.normal(size=s).astype("float32") for s in shapes]
            for variable, value in interpret(graph, arrays)[1].items():
                variable.assign(value)
        return weights, optimizer

    (alone, first), (joined, second) = steps(0), steps(4096)
    assert len(second.build(joined)) == 2
    for a, b in zip(alone, joined, strict=True):
        np.testing.assert_array_equal(a.value, b.value)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [v.name for v in first.weights] == [v.name for v in second.weights]


def test_slots_go_on_when_the_set_of_trained_weights_changes():
    optimizer = SGD(momentum=0.9)
    weights = [Variable([1.0], "a"), Variable([2.0, 3.0], "b")]
    optimizer.get_updates(weights, weights)
    optimizer.set_weights([3, [4.0], [5.0, 6.0]])
    optimizer.get_updates(weights[1:], weights[1:])
    np.testing.assert_array_equal(optimizer.get_weights()[2], [5.0, 6.0])
    assert optimizer.build(weights[1:])[0].slots["momentum"] is optimizer.weights[2]
