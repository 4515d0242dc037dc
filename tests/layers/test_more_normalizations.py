"""Group, RMS, unit and spectral normalization against Keras 3 and the formulas."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random, step

from kgraph import layers
from kgraph.layers import (
    BatchNormalization,
    Dense,
    Embedding,
    GroupNormalization,
    Input,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
    normalization,
)
from kgraph.layers.serialization import deserialize
from kgraph.models import Sequential

X = random(3, 4, 5, 6) * 2 + 1
CASES = [
    ("GroupNormalization", {"groups": 3}, X), ("GroupNormalization", {"groups": -1}, X),
    ("GroupNormalization", {"groups": 2, "axis": 1, "center": False}, X),
    ("GroupNormalization", {"groups": 1, "scale": False, "epsilon": 0.1}, X[:, 0, 0]),
    ("RMSNormalization", {}, X), ("RMSNormalization", {"axis": [3, 2], "epsilon": 0.1}, X),
    ("UnitNormalization", {}, X), ("UnitNormalization", {"axis": (1, 3)}, X),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "x"), CASES)
def test_like_keras(name, arguments, x):
    layer, other = (getattr(kit, name)(**arguments) for kit in (layers, keras.layers))
    check_like_keras(layer, other, x, tolerance=1e-4)
    check_config(layer)
    assert layer.compute_output_shape(x.shape) == x.shape
    assert set(layer.get_config()) == set(other.get_config())
    stored = deserialize(keras.saving.serialize_keras_object(other))
    expected = {"groups": 6} if layer.get_config().get("groups") == -1 else {}
    found, wanted = stored.get_config(), {**layer.get_config(), "name": other.name, **expected}
    assert {**found, "axis": 0} == {**wanted, "axis": 0}
    assert np.ravel(found["axis"]).tolist() == sorted(np.ravel(wanted["axis"]).tolist())


def test_scale_of_an_inner_axis_runs_along_it():
    """Keras would multiply along the last axis."""
    layer = RMSNormalization(axis=1, epsilon=0.0)
    layer(X[0])
    layer.set_weights([np.arange(5.0)])
    power = np.sqrt((X[0] ** 2).mean(1, keepdims=True))
    np.testing.assert_allclose(layer(X[0]), X[0] / power * np.arange(5)[:, None], 1e-5)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_unknown_lengths(batch):
    for layer in (GroupNormalization(2), RMSNormalization(), UnitNormalization()):
        model = Sequential([layer], name="m")
        model.build((None, None, 4))
        assert model.predict_on_batch(random(batch, 3, 4)).shape == (batch, 3, 4)


def test_zeros_stay_zeros():
    x = np.zeros((2, 3), "float32")
    for layer in (GroupNormalization(1), RMSNormalization(), UnitNormalization()):
        found = step(layer, x)
        assert not found["output"].any()
        assert np.isfinite(found["input_gradients"][0]).all()


def test_half_precision_is_computed_in_single():
    x = (200 * random(4, 32)).astype("float16")
    exact = x.astype("float64")
    for layer in (RMSNormalization(dtype="float16"), UnitNormalization(dtype="float16"),
                  GroupNormalization(1, dtype="float16")):  # fmt: skip
        y = layer(x)
        assert y.dtype == np.float16
        centred = exact - exact.mean(1, keepdims=True) * isinstance(layer, GroupNormalization)
        power = (centred**2).sum(1, keepdims=True)
        wanted = centred / np.sqrt(power * (1 if isinstance(layer, UnitNormalization) else 1 / 32))
        np.testing.assert_allclose(y, wanted, 2e-3, 2e-3)


# -- spectral normalization ----------------------------------------------------------------------
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_like_keras(training, iterations):
    layer = SpectralNormalization(Dense(4), iterations)
    other = keras.layers.SpectralNormalization(keras.layers.Dense(4), iterations)
    x = random(5, 3)
    layer(x)
    other.build(x.shape)
    kernel, bias, vector = layer.get_weights()
    layer.set_weights([kernel, bias + 0.5, random(1, 4)])
    kernel, bias, vector = layer.get_weights()
    other.set_weights([kernel, vector, bias])
    expected = np.asarray(other(x, training=training))
    found = step(layer, x, training=training)
    np.testing.assert_allclose(found["output"], expected, 1e-5, 1e-5)
    np.testing.assert_allclose(layer(x, training=training), expected, 1e-5, 1e-5)
    for a, b in zip(layer.get_weights(), [other.weights[i] for i in (0, 2, 1)], strict=True):
        np.testing.assert_allclose(a, np.asarray(b.value), 1e-5, 1e-5)


def test_training_brings_the_norm_to_one():
    inner = Dense(4, kernel_initializer="random_normal", use_bias=False)
    model = Sequential([SpectralNormalization(inner, 2, input_shape=(6,)), Dense(1)])
    model.compile("sgd", "mse")
    x = random(16, 6)
    for _ in range(15):
        model.train_on_batch(x, 100 * x[:, :1])
    np.testing.assert_allclose(np.linalg.norm(inner.kernel.value, 2), 1.0, 1e-2)
    assert [w.name.rpartition("/")[2] for w in model.layers[0].weights] == ["kernel", "vector_u"]


def test_spectral_slopes_pass_through_the_division():
    """Slopes of the kernel are orthogonal to it, as its length does not matter."""
    layer, x = SpectralNormalization(Dense(4, use_bias=False), 100), random(5, 3)
    layer(x)
    slope = step(layer, x, training=True)["weight_gradients"][0]
    assert abs((slope * layer.get_weights()[0]).sum()) < 1e-3 * np.abs(slope).sum()


def test_spectral_normalization_of_zeros_and_of_embeddings():
    layer = SpectralNormalization(Dense(2, kernel_initializer="zeros"))
    vector = layer.build((None, 3)) or layer.get_weights()[2]
    assert not layer(np.ones((1, 3), "float32"), training=True).any()
    np.testing.assert_array_equal(layer.get_weights()[2], vector)
    table = SpectralNormalization(Embedding(5, 3, mask_zero=True), 50)
    ids = np.array([[0, 3]], "int32")
    table(ids, training=True)
    np.testing.assert_allclose(np.linalg.norm(table.layer.embeddings.value, 2), 1, 1e-3)
    tensor = Input((2,), dtype="int32")
    table(tensor)
    assert table.output_mask is not None


def test_spectral_configuration():
    layer = SpectralNormalization(Dense(3, activation="relu"), 2)
    again = check_config(layer)
    assert again.layer.units == 3
    other = keras.layers.SpectralNormalization(keras.layers.Dense(3, activation="relu"), 2)
    stored = deserialize(keras.saving.serialize_keras_object(other))
    assert (stored.layer.units, stored.power_iterations) == (3, 2)
    inner, x = Dense(2), random(3, 4)
    inner(x)
    assert SpectralNormalization(inner)(x).tolist() == inner(x).tolist()


def test_errors():
    with pytest.raises(ValueError, match="invalid value for argument `groups`"):
        GroupNormalization(0)
    with pytest.raises(ValueError, match="a multiple of groups=4"):
        GroupNormalization(4)(Input((6,)))
    for layer in (GroupNormalization(2), RMSNormalization()):
        with pytest.raises(ValueError, match="Axis -1 of input tensor should have a defined dim"):
            layer(Input((None,)))
    with pytest.raises(TypeError, match="axis has the wrong type"):
        UnitNormalization("last")
    with pytest.raises(ValueError, match="Axis 2 is out of bounds"):
        UnitNormalization(2)(Input((3,)))
    with pytest.raises(ValueError, match="expected a positive integer"):
        SpectralNormalization(Dense(2), 0)
    with pytest.raises(ValueError, match="isn't a supported layer type"):
        SpectralNormalization("Dense")
    with pytest.raises(ValueError, match="no attribute 'kernel' nor 'embeddings'"):
        SpectralNormalization(UnitNormalization())(Input((3,)))
    with pytest.raises(ValueError, match="batch renormalization is not offered"):
        BatchNormalization(renorm=True)


def test_batch_normalization_takes_keras_arguments():
    layer = BatchNormalization(renorm=False, renorm_momentum=0.9, synchronized=True)
    assert check_config(layer).synchronized
    stored = keras.saving.serialize_keras_object(keras.layers.BatchNormalization(axis=1))
    assert deserialize(stored).axis == 1


def test_all_are_under_keras_path():
    for name in normalization.__all__:
        assert getattr(normalization, name) is getattr(layers, name)
