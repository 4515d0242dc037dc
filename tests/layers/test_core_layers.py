"""Dense, Activation, Dropout, Masking, ActivityRegularization against Keras 3 and the formulas."""

import keras
import numpy as np
import pytest
from layer_harness import (
    build_call,
    check_config,
    check_like_keras,
    mask_values,
    random,
    step,
)

from kgraph import constraints, regularizers
from kgraph.ir import Graph
from kgraph.layers import (
    Activation,
    ActivityRegularization,
    Dense,
    Dropout,
    Flatten,
    Input,
    Masking,
    core,
)
from kgraph.runtime.interp import interpret


# -- Dense -------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(4, 3), (4, 5, 3), (2, 2, 5, 3), (1, 3), (0, 3)])
@pytest.mark.parametrize("arguments", [{}, {"activation": "tanh"}, {"use_bias": False}])
def test_dense_like_keras(shape, arguments):
    check_like_keras(Dense(6, **arguments), keras.layers.Dense(6, **arguments), random(*shape))


def test_dense_is_two_ops_and_the_activation():
    _, output, _, _ = build_call(Dense(3, activation="relu"), [random(4, 2)])
    assert [n.op.name for n in Graph((), (("y", output),)).nodes if n.inputs] == [
        "matmul",
        "add",
        "relu",
    ]


def test_dense_weights():
    layer = Dense(4, kernel_initializer="ones", bias_initializer="uniform", input_dim=3, name="d")
    assert layer.batch_input_shape == (None, 3)
    symbolic = layer(Input((3,)))
    assert [w.name for w in layer.weights] == ["d/kernel", "d/bias"]
    assert [w.shape for w in layer.weights] == [(3, 4), (4,)]
    assert layer.count_params() == 16
    assert symbolic._keras_shape == layer.compute_output_shape((None, 3)) == (None, 4)
    assert layer.get_weights()[0].all()
    start = [random(3, 4), random(4)]
    np.testing.assert_array_equal(Dense(4, weights=start)(np.zeros((1, 3), "f")), start[1][None])


def test_dense_hands_its_penalties_and_projections_to_the_weights():
    layer = Dense(2, kernel_regularizer="l2", bias_regularizer=regularizers.l1(0.5),
                  kernel_constraint="max_norm", bias_constraint=constraints.NonNeg())  # fmt: skip
    layer(Input((3,)))
    kernel, bias = layer.weights
    assert (kernel.regularizer.l2, bias.regularizer.l1) == (0.01, 0.5)
    assert isinstance(kernel.constraint, constraints.MaxNorm)
    assert isinstance(bias.constraint, constraints.NonNeg)


def test_dense_activity_penalty_is_per_sample():
    layer = Dense(2, activity_regularizer="l2", kernel_initializer="ones")
    x = random(5, 3)
    expected = 0.01 * (x.sum(1) ** 2).sum() * 2 / 5
    assert step(layer, x)["loss"] == pytest.approx(expected, rel=1e-5)


def test_dense_takes_integers():
    assert Dense(2, kernel_initializer="ones")(np.array([[1, 2]])).tolist() == [[3.0, 3.0]]


def test_dense_configuration_is_keras_2s():
    layer = Dense(32, activation="relu", kernel_regularizer=regularizers.l2(0.25), name="d")
    assert layer.get_config() == {
        "name": "d",
        "trainable": True,
        "dtype": "float32",
        "units": 32,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": {
            "class_name": "VarianceScaling",
            "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
        },
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.25}},
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    check_config(layer)
    check_config(Dense(3, input_shape=(7,), bias_constraint="nonneg", trainable=False))


def test_dense_errors():
    with pytest.raises(ValueError, match="last dimension of the inputs to `Dense` should be"):
        Dense(3)(Input((None,)))
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        Dense(3)(Input(()))
    layer = Dense(3)
    layer(Input((4,)))
    with pytest.raises(
        ValueError, match=r"expected axis -1 of input shape to have value 4 but got shape \(None, 5"
    ):
        layer(Input((5,)))
    for units in (0, -3, 2.5, "many", None):
        with pytest.raises(ValueError, match="invalid value for `units`"):
            Dense(units)
    with pytest.raises(TypeError, match="Keyword argument not understood: unit"):
        Dense(3, unit=3)
    with pytest.raises(ValueError, match="Unknown activation function: rleu"):
        Dense(3, activation="rleu")


# -- Activation --------------------------------------------------------------------------------
def test_activation():
    check_like_keras(Activation("elu"), keras.layers.Activation("elu"), random(4, 3))
    check_config(Activation("softmax"))
    double = Activation(lambda x: x * 2)
    assert double(np.ones((1, 2), "f")).tolist() == [[2.0, 2.0]]


# -- Dropout -----------------------------------------------------------------------------------
def dropped(layer, x, step=0):
    inputs, output, _, _ = build_call(layer, [x], training=True)
    return interpret(Graph(tuple(inputs), (("y", output),)), [x], step=step)[0][0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_part_and_scales_it(rate):
    x = np.full((200, 100), 3.0, "float32")
    y = dropped(Dropout(rate), x)
    kept = y != 0
    np.testing.assert_allclose(y[kept], 3 / (1 - rate), rtol=1e-6)
    assert kept.mean() == pytest.approx(1 - rate, abs=0.01)
    assert kept.mean(0).std() < 0.06


def test_dropout_rests_outside_training():
    layer, x = Dropout(0.5), random(4, 3)
    np.testing.assert_array_equal(layer(x), x)
    assert build_call(layer, [x])[1].op.name == "input"
    for rate in (0, 0.0, 1):
        np.testing.assert_array_equal(Dropout(rate)(x, training=True), x)
    assert (layer(np.ones((50, 50), "f"), training=True) == 0).any()


def test_dropout_gradient_is_the_mask():
    x = np.abs(random(20, 20)) + 1
    layer = Dropout(0.5, seed=3)
    found = step(layer, x, training=True)
    expected = np.where(found["output"] != 0, 2 * np.cos(2 * x), 0)
    np.testing.assert_allclose(found["input_gradients"][0], expected, rtol=1e-4, atol=1e-5)


def test_dropout_draws_anew_for_each_call_and_run_and_layer():
    x = np.ones((8, 16), "float32")
    layer = Dropout(0.5)
    tensor = Input((16,))
    twice = Graph((tensor,), (("a", layer(tensor)), ("b", layer(tensor))))
    inputs, output, _, _ = build_call(layer, [x], training=True)
    both = [n for _, n in twice.outputs]
    assert both[0] is not both[1]
    graph = Graph(tuple(inputs), (("y", output),))
    first, again, later = (interpret(graph, [x], step=s)[0][0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)
    assert not np.array_equal(first, dropped(Dropout(0.5), x))


def test_two_calls_of_one_dropout_draw_differently():
    class Twice(core.Layer):
        def __init__(self):
            super().__init__()
            self.dropout = Dropout(0.5)

        def call(self, inputs):
            return [self.dropout(inputs), self.dropout(inputs)]

    a, b = Twice()(np.ones((8, 16), "float32"), training=True)
    assert (a == 0).any()
    assert not np.array_equal(a, b)


def test_dropout_seeds():
    x = np.ones((8, 16), "float32")
    np.testing.assert_array_equal(
        dropped(Dropout(0.5, seed=1), x), dropped(Dropout(0.5, seed=1), x)
    )
    found = []
    for _ in range(2):
        np.random.seed(5)
        found.append(dropped(Dropout(0.5), x))
    np.testing.assert_array_equal(*found)


def test_dropout_noise_shape():
    x = np.ones((6, 5, 4), "float32")
    y = dropped(Dropout(0.5, noise_shape=(None, 1, None)), x)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert len(set(y[:, 0].ravel())) == 2
    with pytest.raises(ValueError, match="noise_shape has the wrong number of axes"):
        dropped(Dropout(0.5, noise_shape=(None, 1)), x)


def test_dropout_configuration_and_errors():
    again = check_config(Dropout(0.25, noise_shape=[None, 1], seed=4, name="drop"))
    assert (again.rate, again.seed, again.stream) == (0.25, 4, 4)
    check_config(Dropout(0.25))
    for rate in (-0.1, 1.5, 30, "half"):
        with pytest.raises(ValueError, match="Expected a float value between 0 and 1"):
            Dropout(rate)


# -- Masking -----------------------------------------------------------------------------------
def test_masking_zeroes_and_masks():
    x = random(3, 4, 2)
    x[0, 1] = x[2, 0] = 7.0
    x[1, 2, 0] = 7.0
    layer = Masking(7.0)
    mask = mask_values(layer, [x], [None])
    np.testing.assert_array_equal(mask, (x != 7).any(-1))
    check_like_keras(layer, keras.layers.Masking(7.0), x)
    np.testing.assert_array_equal(layer(x), x * mask[..., None])
    check_config(layer)


def test_masks_pass_through_the_layers_that_support_them():
    x = random(2, 3, 4)
    mask = np.array([[True, False, True], [True, True, False]])
    for layer in (Dense(2), Activation("tanh"), Dropout(0.5), ActivityRegularization(0.1)):
        np.testing.assert_array_equal(mask_values(layer, [x], [mask]), mask)
    tensor = Dense(2)(Masking()(Input((3, 4))))
    assert tensor.inputs[0].op.name == "layer_call"
    assert build_call(Masking(), [x])[2].dtype == "bool"
    with pytest.warns(UserWarning, match="Layer flatten_.* does not support masking"):
        Flatten()(Masking()(Input((3, 4))))


# -- ActivityRegularization ----------------------------------------------------------------------
def test_activity_regularization():
    x = random(5, 3)
    layer = ActivityRegularization(l1=0.1, l2=0.2)
    expected = (0.1 * abs(x).sum() + 0.2 * (x**2).sum()) / 5
    found = step(layer, x)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(found["output"], x)
    check_config(layer)


def test_the_old_import_paths():
    for name in core.__all__:
        assert getattr(core, name).__name__ == name


def test_layers_that_keep_the_shape():
    for layer in (Activation("relu"), Dropout(0.5), Masking(), ActivityRegularization()):
        assert layer.compute_output_shape((None, 3, 4)) == (None, 3, 4)
