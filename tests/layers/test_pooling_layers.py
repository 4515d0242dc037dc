"""Pooling layers against Keras 3, published numbers and formulas."""

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

from kgraph import config, layers
from kgraph.layers import Dense, Input, Masking
from kgraph.layers.serialization import deserialize
from kgraph.models import Model, Sequential

SHAPES = {1: (2, 7, 3), 2: (2, 7, 5, 3), 3: (1, 5, 4, 6, 2)}


def like_keras(name, x, **arguments):
    """Compares a layer with the one of the same name, then its shape and configuration."""
    mine, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    check_like_keras(mine, theirs, x)
    check_config(mine)
    shape = mine.compute_output_shape((None, *x.shape[1:]))
    assert shape == mine.output_shape == tuple(theirs.compute_output_shape((None, *x.shape[1:])))


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize(
    ("ndim", "arguments"),
    [
        (1, {"pool_size": 2}),
        (1, {"pool_size": 3, "strides": 2, "padding": "same"}),
        (1, {"pool_size": 2, "data_format": "channels_first"}),
        (2, {"pool_size": 2}),
        (2, {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}),
        (2, {"pool_size": 3, "strides": 1}),
        (2, {"pool_size": 2, "padding": "same", "data_format": "channels_first"}),
        (3, {"pool_size": (2, 1, 3), "strides": 2, "padding": "same"}),
    ],
)
def test_pooling_like_keras(kind, ndim, arguments):
    like_keras(f"{kind}Pooling{ndim}D", random(*SHAPES[ndim]), **arguments)


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize(
    ("ndim", "arguments"),
    [
        (1, {}),
        (2, {"keepdims": True}),
        (2, {"data_format": "channels_first"}),
        (3, {"data_format": "channels_first", "keepdims": True}),
    ],
)
def test_global_pooling_like_keras(kind, ndim, arguments):
    like_keras(f"Global{kind}Pooling{ndim}D", random(*SHAPES[ndim]), **arguments)


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize(
    ("ndim", "shape", "arguments"),
    [
        (1, (2, 7, 3), {"output_size": 5}),
        (2, (2, 3, 6, 4), {"output_size": 2, "data_format": "channels_first"}),
    ],
)
def test_adaptive_pooling_like_keras(kind, ndim, shape, arguments):
    like_keras(f"Adaptive{kind}Pooling{ndim}D", random(*shape), **arguments)


@pytest.mark.parametrize(("kind", "reduce"), [("Max", np.max), ("Average", np.mean)])
def test_adaptive_pooling_is_over_parts_rounded_outwards(kind, reduce):
    x, sizes = random(2, 3, 7, 5, 2), (2, 4, 3)
    expected = np.empty((2, *sizes, 2), "float32")
    for place in np.ndindex(*sizes):
        parts = [
            slice(i * n // new, -(-(i + 1) * n // new))
            for i, n, new in zip(place, x.shape[1:], sizes)
        ]
        expected[:, *place] = reduce(x[:, *parts], axis=(1, 2, 3))
    found = getattr(layers, f"Adaptive{kind}Pooling3D")(sizes)(x)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_every_dimension_and_name():
    for kind in ("Max", "Average", "GlobalMax", "GlobalAverage"):
        for ndim, shape in SHAPES.items():
            cls = getattr(layers, f"{kind}Pooling{ndim}D")
            alias = f"{kind.replace('Average', 'Avg')}Pool{ndim}D"
            assert getattr(layers, alias) is cls
            assert type(deserialize({"class_name": alias, "config": {}})) is cls
            x = random(*shape)
            last = cls()(x)
            form = {"data_format": "channels_first"}
            first = cls(**form)(np.moveaxis(x, -1, 1))
            np.testing.assert_allclose(
                np.moveaxis(first, 1, -1) if first.ndim > 2 else first, last, 1e-6, 1e-6
            )


def test_published_values():
    x = np.arange(4.0, dtype="float32").reshape(1, 4, 1)
    assert layers.AveragePooling1D(3, 2, "same")(x).ravel().tolist() == [1, 2.5]
    assert layers.MaxPooling1D(3, 2, "same")(-x).ravel().tolist() == [0, -2]


def test_a_max_of_ties_sends_its_gradient_to_the_first():
    x = np.zeros((1, 4, 4, 1), "float32")
    found = step(layers.MaxPooling2D(), x)["input_gradients"][0][0, ..., 0]
    assert np.argwhere(found).tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]


def test_the_mean_over_steps_honours_the_mask():
    x = random(3, 5, 2)
    mask = np.arange(5) < np.array([[5], [2], [1]])
    layer = layers.GlobalAveragePooling1D()
    expected = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    np.testing.assert_allclose(layer(x, mask=mask), expected, 1e-5, 1e-6)
    assert mask_values(layer, [x], [mask]) is None
    x[~mask] = 0
    tensor = Input((5, 2))
    model = Model(tensor, Dense(1, kernel_initializer="ones")(layer(Masking()(tensor))))
    np.testing.assert_allclose(model.predict(x), expected.sum(1, keepdims=True), 1e-5, 1e-5)
    x[~mask] = np.nan  # what is masked does not count, whatever it is
    np.testing.assert_allclose(layer(x, mask=mask), expected, 1e-5, 1e-6)
    first = layers.GlobalAveragePooling1D("channels_first", keepdims=True)
    found = first(np.moveaxis(x, -1, 1), mask=mask)
    np.testing.assert_allclose(found[..., 0], expected, 1e-5, 1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling2D(2, padding="same"),
        layers.AveragePooling2D(3, 2),
        layers.GlobalMaxPooling2D(),
    ],
)
def test_unknown_sizes_and_small_batches(layer):
    model = Sequential([Input((None, None, 3)), layer])
    for shape in ((2, 5, 7, 3), (1, 4, 4, 3), (0, 6, 5, 3)):
        x = random(*shape)
        np.testing.assert_allclose(model.predict(x), type(layer).from_config(layer.get_config())(x))
    assert layer.output_shape[0] is None
    assert layer.output_shape[-1] == 3


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_dtypes(dtype):
    x = random(2, 6, 6, 2).astype(dtype)
    for name in ("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"):
        cls = getattr(layers, name)
        found, exact = cls(dtype=dtype)(x), cls(dtype="float64")(x.astype("float64"))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, exact, 2e-3, 2e-3)


def test_the_global_format_counts():
    assert layers.MaxPooling1D().data_format == "channels_last"
    config.set_image_data_format("channels_first")
    try:
        assert layers.MaxPooling2D()(random(1, 3, 4, 6)).shape == (1, 3, 2, 3)
        assert layers.GlobalMaxPooling2D()(random(1, 3, 4, 6)).shape == (1, 3)
        assert layers.MaxPooling1D(data_format=None).data_format == "channels_first"
    finally:
        config.set_image_data_format("channels_last")


def test_configurations_of_keras_1_and_2():
    old = {"pool_length": 3, "stride": 2, "border_mode": "same", "name": "old"}
    layer = deserialize({"class_name": "MaxPooling1D", "config": old})
    assert (layer.pool_size, layer.strides, layer.padding) == ((3,), (2,), "same")
    assert layers.MaxPooling2D(3).get_config()["pool_size"] == (3, 3)


def test_errors():
    with pytest.raises(ValueError, match=r"must be a tuple of 2 integers. Received: \(1, 2, 3"):
        layers.MaxPooling2D((1, 2, 3))
    with pytest.raises(ValueError, match="`strides` argument must be a tuple of 2 integers"):
        layers.MaxPooling2D(2, strides=0)
    with pytest.raises(ValueError, match='`padding` argument must be one of "valid", "same"'):
        layers.MaxPooling2D(2, padding="causal")
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        layers.MaxPooling2D()(Input((3, 3)))
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        layers.MaxPooling2D(4)(Input((3, 3, 1)))
    with pytest.raises(ValueError, match="needs known spatial sizes"):
        layers.AdaptiveMaxPooling1D(2)(Input((None, 1)))
    with pytest.raises(ValueError, match="`output_size` argument must be a tuple of 1 integers"):
        layers.AdaptiveMaxPooling1D(0)
    with pytest.raises(ValueError, match="window"):
        Sequential([Input((None, 1)), layers.MaxPooling1D(4)]).predict(np.ones((1, 3, 1)))


def test_pooling_channels_last_is_one_op():
    _, output, _, _ = build_call(layers.MaxPooling2D(), [random(2, 4, 4, 1)])
    assert output.op.name == "max_pool"
