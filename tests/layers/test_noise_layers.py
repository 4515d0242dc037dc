"""GaussianNoise, GaussianDropout, AlphaDropout, SpatialDropout: what they draw, and when."""

import numpy as np
import pytest
from layer_harness import build_call, check_config, mask_values, random, step

from kgraph import layers
from kgraph.ir import Graph
from kgraph.layers.serialization import deserialize
from kgraph.runtime.interp import interpret

ALPHA = -1.7580993408473766
RANDOM = [
    layers.GaussianNoise(0.5),
    layers.GaussianDropout(0.3),
    layers.AlphaDropout(0.3),
    layers.SpatialDropout1D(0.3),
]


def drawn(layer, x, step=0):
    """The output of a training call in some step."""
    inputs, output, _, _ = build_call(layer, [x], training=True)
    return interpret(Graph(tuple(inputs), (("y", output),)), [x], step=step)[0][0]


@pytest.mark.parametrize("layer", RANDOM, ids=lambda layer: type(layer).__name__)
def test_rest_draw_anew_and_repeat_with_a_seed(layer):
    x = random(3, 4, 5)
    np.testing.assert_array_equal(layer(x), x)
    assert build_call(layer, [x])[1].op.name == "input"
    first, again, later = drawn(layer, x), drawn(layer, x), drawn(layer, x, step=1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)
    kind, config = type(layer), layer.get_config()
    seeded = [kind.from_config({**config, "seed": 7}) for _ in range(2)]
    np.testing.assert_array_equal(drawn(seeded[0], x), drawn(seeded[1], x))
    assert not np.array_equal(drawn(seeded[0], x), drawn(kind.from_config(config), x))
    check_config(seeded[0])
    mask = np.ones((3, 4), bool)
    np.testing.assert_array_equal(mask_values(layer, [x], [mask]), mask)
    for count in (0, 1):
        assert drawn(kind.from_config(config), x[:count]).shape == (count, 4, 5)


def test_gaussian_noise_is_added():
    x = np.full((400, 500), 2.0, "float32")
    noise = drawn(layers.GaussianNoise(0.7), x) - x
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(0.7, abs=0.01)
    found = step(layers.GaussianNoise(0.7, seed=1), random(5, 6), training=True)
    np.testing.assert_allclose(
        found["input_gradients"][0], np.cos(found["output"]), rtol=1e-4, atol=1e-5
    )


def test_gaussian_dropout_multiplies():
    x = np.full((400, 500), 2.0, "float32")
    factors = drawn(layers.GaussianDropout(0.2), x) / x
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.std() == pytest.approx(np.sqrt(0.2 / 0.8), abs=0.01)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    x = random(400, 500)
    y = drawn(layers.AlphaDropout(rate, seed=3), x)
    assert y.mean() == pytest.approx(x.mean(), abs=0.02)
    assert y.std() == pytest.approx(x.std(), abs=0.02)
    a = ((1 - rate) * (1 + rate * ALPHA**2)) ** -0.5
    b = -a * ALPHA * rate
    dropped = np.isclose(y, a * ALPHA + b, rtol=1e-6)
    assert dropped.mean() == pytest.approx(rate, abs=0.01)
    np.testing.assert_allclose(y[~dropped], a * x[~dropped] + b, 1e-4, 1e-5)


def test_alpha_dropout_of_whole_rows():
    x = np.abs(random(50, 4, 6))
    y = drawn(layers.AlphaDropout(0.5, noise_shape=(None, 1, None), seed=1), x)
    dropped = np.isclose(y, y.min())
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1], dropped.shape))
    assert 0 < dropped.mean() < 1
    with pytest.raises(ValueError, match=r"AlphaDropout layer .*: noise_shape has the wrong"):
        drawn(layers.AlphaDropout(0.5, noise_shape=(None, 1)), x)


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (layers.SpatialDropout1D(0.5), (30, 4, 8), (1,)),
        (layers.SpatialDropout2D(0.5), (30, 3, 4, 8), (1, 2)),
        (layers.SpatialDropout2D(0.5, "channels_first"), (30, 8, 3, 4), (2, 3)),
        (layers.SpatialDropout3D(0.5), (30, 2, 3, 2, 8), (1, 2, 3)),
        (layers.SpatialDropout3D(0.5, data_format="channels_first"), (30, 8, 2, 3, 2), (2, 3, 4)),
    ],
)
def test_spatial_dropout_drops_whole_channels(layer, shape, axes):
    y = drawn(layer, np.ones(shape, "float32"))
    np.testing.assert_array_equal(y.min(axes), y.max(axes))
    assert set(y.ravel()) == {0, 2}
    assert (y == 0).mean() == pytest.approx(0.5, abs=0.15)
    check_config(layer)
    old = {"name": "old", "p": 0.25, "noise_shape": None, "seed": None}
    assert deserialize({"class_name": type(layer).__name__, "config": old}).rate == 0.25


def test_rates_at_the_ends_and_errors():
    x = random(3, 4)
    for kind in (layers.GaussianDropout, layers.AlphaDropout):
        for rate in (0, 1):
            np.testing.assert_array_equal(kind(rate)(x, training=True), x)
        for rate in (-0.5, 1.5, "half"):
            with pytest.raises(ValueError, match="Expected a float value between 0 and 1"):
                kind(rate)
    np.testing.assert_array_equal(layers.GaussianNoise(0)(x, training=True), x)
    for stddev in (-1, np.inf, "one"):
        with pytest.raises(ValueError, match="Invalid value received for argument `stddev`"):
            layers.GaussianNoise(stddev)
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=2"):
        layers.SpatialDropout2D(0.5)(x)
    old = {"class_name": "GaussianNoise", "config": {"sigma": 0.3}}
    assert deserialize(old).stddev == 0.3
