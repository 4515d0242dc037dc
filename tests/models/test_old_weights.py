"""Arrays of Keras 1 and of Theano: gates one by one, kernels in other orders."""

import h5py
import numpy as np
import pytest

from kgraph.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    Input,
)
from kgraph.models import Model, Sequential


def write(path, layers, **attributes):
    """A weights file: {layer: arrays}, without a version as Keras 1 writes it."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for key, value in attributes.items():
            file.attrs[key] = value.encode()
        for layer, arrays in layers.items():
            names = [f"{layer}_{i}:0" for i in range(len(arrays))]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays, strict=True):
                group[name] = array
    return path


def built(layer, shape):
    x = Input(shape)
    return Model(x, layer(x))


def like(model, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=w.shape).astype("float32") for w in model.get_weights()]


def gates(arrays, count, order):
    """(W, U, b) of each gate in Keras 1's order, from kernels of all gates."""
    parts = [np.split(a, count, axis=-1) for a in arrays]
    return [part[gate] for gate in order for part in parts]


@pytest.mark.parametrize(
    ("make", "count", "order"),
    [
        (lambda: LSTM(3, name="r"), 4, (0, 2, 1, 3)),
        (lambda: GRU(3, reset_after=False, name="r"), 3, (0, 1, 2)),
    ],
)
def test_gates_of_keras_1(tmp_path, make, count, order):
    model = built(make(), (None, 2))
    expected = like(model)
    write(tmp_path / "w.h5", {"r": gates(expected, count, order)})
    model.load_weights(tmp_path / "w.h5")
    for p, q in zip(model.get_weights(), expected, strict=True):
        assert np.array_equal(p, q)


def test_gates_of_keras_1_inside_other_layers(tmp_path):
    x = Input((None, 2))
    inner = Sequential([LSTM(3, input_shape=(None, 2)), Dense(2)], name="inner")
    both = Bidirectional(LSTM(2), name="both")
    model = Model(x, [inner(x), both(x)])
    expected = like(model)
    write(
        tmp_path / "w.h5",
        {
            "inner": [*gates(expected[:3], 4, (0, 2, 1, 3)), *expected[3:5]],
            "both": [g for i in (5, 8) for g in gates(expected[i : i + 3], 4, (0, 2, 1, 3))],
        },
    )
    model.load_weights(tmp_path / "w.h5", by_name=True)
    for p, q in zip(model.get_weights(), expected, strict=True):
        assert np.array_equal(p, q)


FIRST = {"data_format": "channels_first"}
KERNELS = [
    (lambda: Conv1D(3, 2), (5, 4), lambda k: k[:, None]),
    (lambda: Conv1D(3, 2), (5, 4), lambda k: k[:, None].transpose(3, 2, 0, 1)),
    (lambda: Conv2D(3, (2, 4)), (5, 6, 2), lambda k: k),
    (lambda: Conv2D(3, (2, 4), **FIRST), (2, 5, 6), lambda k: k.transpose(3, 2, 0, 1)),
    (lambda: Conv2DTranspose(3, (2, 4)), (5, 6, 2), lambda k: k.transpose(0, 1, 3, 2)),
    (lambda: Conv2DTranspose(3, (2, 4), **FIRST), (2, 5, 6), lambda k: k.transpose(2, 3, 0, 1)),
    (lambda: Conv3D(3, (2, 3, 4), **FIRST), (2, 5, 6, 7), lambda k: k.transpose(4, 3, 0, 1, 2)),
]


@pytest.mark.parametrize(("make", "shape", "old"), KERNELS)
def test_kernels_of_keras_1(tmp_path, make, shape, old):
    layer = make()
    model = built(layer, shape)
    kernel, bias = like(model)
    write(tmp_path / "w.h5", {layer.name: [old(kernel), bias]})
    model.load_weights(tmp_path / "w.h5")
    assert np.array_equal(model.get_weights()[0], kernel)


def test_theano_applies_kernels_flipped(tmp_path):
    x = Input((8, 9, 2))
    model = Model(x, Dense(2, name="d")(Conv2D(3, (2, 4), name="c")(x)))
    kernel, bias, *top = like(model)
    flipped = {"c": [kernel[::-1, ::-1], bias], "d": top}
    for backend, expected in (("theano", kernel), ("tensorflow", kernel[::-1, ::-1])):
        path = tmp_path / f"{backend}.h5"
        write(path, flipped, keras_version="2.2.4", backend=backend)
        model.load_weights(path)
        assert np.array_equal(model.get_weights()[0], expected)


def test_gates_that_do_not_fit_are_refused(tmp_path):
    model = built(LSTM(3, name="r"), (None, 2))
    arrays = gates(like(model), 4, (0, 2, 1, 3))
    arrays[3] = np.zeros((9, 9))
    write(tmp_path / "w.h5", {"r": arrays})
    with pytest.raises(ValueError, match=r"has shape \(2, 12\), but the saved weight has shape"):
        model.load_weights(tmp_path / "w.h5")
    write(tmp_path / "w.h5", {"r": arrays[:11]})
    with pytest.raises(ValueError, match="expects 3 weights, but the saved weights have 11 elem"):
        model.load_weights(tmp_path / "w.h5")


def test_a_model_in_front_of_the_names_is_keras_3_s(tmp_path):
    """After freezing, a nested model has another order than its file: names put it right."""

    def make():
        layers = [Dense(3, input_dim=3, name="a"), Dense(3, name="b")]
        return Sequential([Sequential(layers, name="inner")])

    model, other = make(), make()
    model.layers[0].layers[0].trainable = False
    model.save_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        group = file["inner"]
        names = [n.decode() for n in group.attrs["weight_names"]]
        for name in names:
            group.move(name, f"outer/{name.removesuffix(':0')}")
        group.attrs["weight_names"] = [f"outer/{n.removesuffix(':0')}".encode() for n in names]
    other.load_weights(tmp_path / "w.h5")
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    assert np.array_equal(model.predict(x), other.predict(x))
