"""Convolutional layers against Keras 3, and the numbers of the specification."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random, step

from kgraph import config, layers
from kgraph.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    DepthwiseConv2D,
    Input,
    SeparableConv2D,
)

X1, X2, X3 = random(2, 7, 4), random(2, 6, 5, 4), random(2, 4, 5, 4, 2)
FIRST = {"data_format": "channels_first"}
LIKE_KERAS = [
    ("Conv1D", {"filters": 3, "kernel_size": 3}, X1),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, X1),
    ("Conv1D", {"filters": 2, "kernel_size": 2, "strides": 3, "padding": "causal"}, X1),
    ("Conv1D", {"filters": 4, "kernel_size": 4, "padding": "same", "groups": 2}, X1),
    ("Conv1D", {"filters": 3, "kernel_size": 2, **FIRST}, X1),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "relu"}, X2),
    ("Conv2D", {"filters": 3, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same"}, X2),
    ("Conv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 1), "use_bias": False}, X2),
    ("Conv2D", {"filters": 3, "kernel_size": 1}, X2),
    ("Conv2D", {"filters": 3, "kernel_size": 1, "strides": 2}, X2),
    ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 4}, X2),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "softmax", **FIRST}, X2),
    ("Conv3D", {"filters": 3, "kernel_size": (1, 2, 3), "strides": (1, 2, 1)}, X3),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "padding": "same", **FIRST}, X3),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, X1),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "padding": "same"}, X1),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same"}, X2),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (2, 3), "strides": (1, 3)}, X2),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "dilation_rate": 2, **FIRST}, X2),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same"}, X3),
    ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "padding": "same"}, X1),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "depth_multiplier": 2}, X2),
    ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": (1, 2), "use_bias": False}, X2),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 3, **FIRST}, X2),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 3, "padding": "same"}, X1),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}, X2),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 2, "activation": "tanh", **FIRST}, X2),
]


def made(name, arguments):
    return getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)


@pytest.mark.parametrize(("name", "arguments", "x"), LIKE_KERAS)
def test_like_keras(name, arguments, x):
    layer, other = made(name, arguments)
    expected = tuple(other.compute_output_shape(x.shape))
    assert layer.compute_output_shape(x.shape) == expected
    check_like_keras(layer, other, x, tolerance=1e-4)
    check_config(layer)
    unknown = tuple(n if i == layer.channel_axis % x.ndim else None for i, n in enumerate(x.shape))
    found = layer.compute_output_shape(unknown)
    assert found == tuple(expected[i] if n else None for i, n in enumerate(unknown))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_transposed_with_output_padding(size, stride, padding):
    x = random(1, 4, 1)
    kernel = random(size, 1, 1, seed=1)
    for more in (None, *range(stride)):
        layer = Conv1DTranspose(1, size, stride, padding, more, use_bias=False)
        full = np.zeros(3 * stride + max(size, stride), "float32")
        for i in range(4):
            full[i * stride : i * stride + size] += x[0, i, 0] * kernel[:, 0, 0]
        if more is None:
            length = 4 * stride if padding == "same" else 4 * stride + max(size - stride, 0)
            crop = max(size - stride, 0) // 2 if padding == "same" else 0
        else:
            half = size // 2 if padding == "same" else 0
            length = 3 * stride + size - 2 * half + more
            crop = max(2 * half - more, 0) // 2
        expected = np.append(full[crop:], np.zeros(length))[:length]
        layer.build((None, None, 1))
        layer.set_weights([kernel])
        np.testing.assert_allclose(layer(x).ravel(), expected, rtol=1e-5, atol=1e-6)
        assert layer.compute_output_shape((None, 4, 1)) == (None, length, 1)


def test_output_padding_like_keras():
    arguments = {"filters": 2, "kernel_size": (4, 3), "strides": (3, 2), "padding": "same"}
    for more in ((0, 1), (2, 0)):
        layer, other = made("Conv2DTranspose", {**arguments, "output_padding": more})
        check_like_keras(layer, other, X2[:1], tolerance=1e-4)
        assert check_config(layer).output_padding == more


@pytest.mark.parametrize(
    ("size", "expected"),
    [(3, [1, 2, 3, 0, 0, 0]), (4, [2, 3, 4, 0, 0, 0]), (5, [2, 3, 4, 5, 0, 0])],
)
def test_an_impulse_through_transposed_convolutions(size, expected):
    layer = Conv1DTranspose(1, size, strides=2, padding="same")
    layer.build((None, 3, 1))
    layer.set_weights([np.arange(1, size + 1.0).reshape(-1, 1, 1), np.zeros(1)])
    x = np.array([1, 0, 0], "float32").reshape(1, 3, 1)
    assert layer(x).ravel().tolist() == expected


def locally_connected(x, kernel, bias, size, strides, first):
    """The definition; x has its channels last, the kernel's rows may have them first."""
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], size, strides, strict=True)]
    out = np.zeros((len(x), *counts, kernel.shape[-1]))
    for place, at in enumerate(np.ndindex(*counts)):
        cuts = tuple(slice(i * s, i * s + k) for i, s, k in zip(at, strides, size, strict=True))
        seen = x[(slice(None), *cuts)]
        seen = np.moveaxis(seen, -1, 1) if first else seen
        out[(slice(None), *at)] = seen.reshape(len(x), -1) @ kernel[place]
    return out + bias


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [(3,), (2, 3)])
def test_locally_connected(size, strides, data_format):
    rank, first = len(size), data_format == "channels_first"
    x = random(2, *(5, 7)[:rank], 3)
    given = np.moveaxis(x, -1, 1) if first else x
    kind = layers.LocallyConnected1D if rank == 1 else layers.LocallyConnected2D
    layer = kind(4, size, strides, data_format=data_format, bias_initializer="normal")
    found = step(layer, given)
    kernel, bias = layer.get_weights()
    expected = locally_connected(x, kernel, bias, size, (strides,) * rank, first)
    last = np.moveaxis(found["output"], 1, -1) if first else found["output"]
    np.testing.assert_allclose(last, expected, rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape(given.shape) == found["output"].shape
    places = int(np.prod(expected.shape[1:-1]))
    assert kernel.shape == (places, int(np.prod(size)) * 3, 4)
    assert bias.shape == expected.shape[1:]
    check_config(layer)


def test_old_names_are_the_same_classes():
    assert layers.Convolution2D is Conv2D
    assert layers.Deconvolution2D is layers.Convolution2DTranspose is Conv2DTranspose
    assert layers.SeparableConvolution2D is SeparableConv2D
    module = layers.convolutional
    assert module.Convolution1D is Conv1D
    assert module.DepthwiseConvolution2D is DepthwiseConv2D
    assert module.Convolution3D is Conv3D


def test_the_global_data_format():
    try:
        config.set_image_data_format("channels_first")
        assert Conv2D(2, 3).data_format == "channels_first"
        assert Conv2D(2, 3).compute_output_shape((None, 1, 5, 6)) == (None, 2, 3, 4)
        assert Conv1D(2, 3).data_format == "channels_last"
    finally:
        config.set_image_data_format("channels_last")


def test_fans_of_kernels():
    for layer, shape, fans in (
        (Conv2D(6, 3), (None, 9, 9, 4), 9 * (4 + 6)),
        (Conv2DTranspose(6, 3), (None, 9, 9, 4), 9 * (6 + 4)),
        (DepthwiseConv2D(3), (None, 9, 9, 40), 9 * (40 + 1)),
    ):
        layer.build(shape)
        limit = (6 / fans) ** 0.5
        largest = np.abs(layer.get_weights()[0]).max()
        assert 0.9 * limit < largest <= limit


def test_a_strided_image_of_unknown_size():
    layer = Conv2D(2, 3, strides=2, padding="same")
    x = Input((None, None, 3))
    y = layer(x)
    assert layer.output_shape == (None, None, None, 2)
    assert str(y.type).count("//2") == 2
    for size in (4, 5):
        assert layer(random(1, size, 7, 3)).shape == (1, (size + 1) // 2, 4, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(2, (3, 3, 3)), "The `kernel_size` argument must be a tuple of 2 integers"),
        (lambda: Conv2D(2, 3, strides=(1,)), "The `strides` argument must be a tuple of 2 int"),
        (lambda: Conv2D(0, 3), "invalid value for `filters`"),
        (lambda: Conv2D(2, 3, padding="causal"), "`padding` argument must be one of 'valid', 'sa"),
        (lambda: Conv2D(2, 3, strides=2, dilation_rate=2), "`strides > 1` not supported"),
        (lambda: Conv2D(3, 3, groups=2), "number of filters must be evenly divisible"),
        (lambda: Conv2D(4, 3, groups=2)(Input((8, 8, 3))), "input channels must be evenly div"),
        (lambda: Conv2D(2, 5)(Input((4, 9, 1))), "Computed output size would be zero or negative"),
        (lambda: Conv2D(2, 3)(Input((4, 4, None))), "channel dimension of the inputs should be"),
        (lambda: Conv2D(2, 3)(Input((4, 4))), "expected ndim=4, found ndim=3"),
        (lambda: Conv2D(2, 3, data_format="last"), "`data_format` argument must be one of"),
        (lambda: Conv1DTranspose(1, 3, 2, output_padding=2), "must be strictly less than"),
        (lambda: layers.LocallyConnected2D(1, 2, padding="same"), "Invalid border mode for Loc"),
        (lambda: layers.LocallyConnected1D(1, 2)(Input((None, 2))), "fully-defined"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_built_layer_refuses_other_channels():
    layer = Conv2D(2, 3)
    layer(Input((8, 8, 3)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(Input((8, 8, 4)))


OLD = [
    (
        "Convolution2D",
        {
            "nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "same", "subsample": [2, 1],
            "dim_ordering": "tf", "init": "glorot_uniform", "bias": True, "W_regularizer": None,
        },
        {"filters": 4, "kernel_size": (3, 2), "padding": "same", "strides": (2, 1)},
    ),
    (
        "Convolution2D",
        {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "dim_ordering": "th"},
        {"kernel_size": (3, 3), "data_format": "channels_first"},
    ),
    (
        "Convolution1D",
        {"nb_filter": 4, "filter_length": 3, "subsample_length": 2, "border_mode": "valid"},
        {"kernel_size": (3,), "strides": (2,)},
    ),
    (
        "Convolution3D",
        {"nb_filter": 4, "kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3},
        {"kernel_size": (1, 2, 3)},
    ),
    (
        "DepthwiseConv2D",
        {"kernel_size": [3, 3], "groups": 1, "kernel_initializer": "zeros", "filters": None},
        {"kernel_size": (3, 3)},
    ),
    (
        "LocallyConnected2D",
        {"filters": 2, "kernel_size": [2, 2], "implementation": 1, "dilation_rate": [1, 1]},
        {"kernel_size": (2, 2)},
    ),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "lora_rank": None, "lora_alpha": 1}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "expected"), OLD)
def test_configurations_of_other_versions(name, old, expected):
    layer = layers.deserialize({"class_name": name, "config": old})
    assert {key: getattr(layer, key) for key in expected} == expected
