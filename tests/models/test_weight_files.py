"""save_weights and load_weights: Keras 2.3's HDF5 layout, its errors, and files from strangers."""

import io
import os
import zipfile

import h5py
import numpy as np
import pytest

from kgraph.layers import BatchNormalization, Dense, Dropout, Input, Layer
from kgraph.models import Model, Sequential, load_model
from kgraph.saving import load_weights, save_weights
from kgraph.utils import hdf5


def mlp(prefix="", units=2):
    return Sequential(
        [
            Dense(4, input_shape=(3,), name=f"{prefix}first"),
            BatchNormalization(name=f"{prefix}norm"),
            Dropout(0.5, name=f"{prefix}drop"),
            Dense(units, name=f"{prefix}last"),
        ]
    )


def equal(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


def randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])


# -- writing -------------------------------------------------------------------------------------
def test_the_layout_is_keras_s(tmp_path):
    path = tmp_path / "w.h5"
    model = mlp()
    model.save_weights(path)
    with h5py.File(path) as file:
        assert list(file.attrs["layer_names"]) == [b"first", b"norm", b"drop", b"last"]
        assert file.attrs["backend"] == "tensorflow"
        assert file.attrs["keras_version"] == "2.3.1"
        assert list(file["first"].attrs["weight_names"]) == [b"first/kernel:0", b"first/bias:0"]
        assert [name.decode() for name in file["norm"].attrs["weight_names"]] == [
            f"norm/{name}:0" for name in ("gamma", "beta", "moving_mean", "moving_variance")
        ]
        assert list(file["drop"].attrs["weight_names"]) == []
        assert np.array_equal(file["last/last/kernel:0"][()], model.layers[3].get_weights()[0])


def test_a_functional_model_has_a_group_for_each_input_too(tmp_path):
    x = Input((3,), name="x")
    Model(x, Dense(2, name="d")(x)).save_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert list(file.attrs["layer_names"]) == [b"x", b"d"]


def test_a_nested_model_is_one_group_with_trainable_weights_first(tmp_path):
    outer = Sequential([mlp(), Dense(1)])
    inner = outer.layers[0]
    outer.save_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        names = [n.decode() for n in file[inner.name].attrs["weight_names"]]
    assert names == [
        "first/kernel:0", "first/bias:0", "norm/gamma:0", "norm/beta:0", "last/kernel:0",
        "last/bias:0", "norm/moving_mean:0", "norm/moving_variance:0",
    ]  # fmt: skip


def test_slashes_in_names_and_names_that_come_again(tmp_path):
    class Twice(Layer):
        def build(self, input_shape):
            self.parts = [Dense(2, name="same"), Dense(2, name="same")]
            for part in self.parts:
                part.build(input_shape)

        def call(self, inputs):
            return self.parts[1](self.parts[0](inputs))

    def make():
        return Sequential([
            Dense(2, input_shape=(2,), name="block/expand"), Dense(2, name="block"),
            Twice(name="twice"),
        ])  # fmt: skip

    model, other = make(), make()
    randomize(model)
    model.save_weights(tmp_path / "w.h5")
    other.load_weights(tmp_path / "w.h5")
    assert equal(model, other)
    with h5py.File(tmp_path / "w.h5") as file:
        assert file["twice"].attrs["weight_names"][2] == b"same/kernel_1:0"


def test_long_lists_of_names_are_split():
    buffer = io.BytesIO()
    names = [f"{'x' * 500}{i}" for i in range(300)]
    with h5py.File(buffer, "w") as file:
        hdf5.write_names(file, "layer_names", names)
        assert set(file.attrs) == {"layer_names0", "layer_names1", "layer_names2"}
        assert hdf5.read_names(file, "layer_names") == names
        with pytest.raises(RuntimeError, match="larger than 64512 bytes"):
            hdf5.write_names(file, "one", ["y" * 70000])


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.h5"
    mlp().save_weights(path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        mlp().save_weights(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.h5"]


def test_overwriting_asks_when_told_to(tmp_path, monkeypatch):
    path = tmp_path / "w.h5"
    model = mlp()
    model.save_weights(path, overwrite=False)
    before = path.read_bytes()
    randomize(model)
    answers = iter(["maybe", "n", "y"])
    asked = []
    monkeypatch.setattr("builtins.input", lambda text: (asked.append(text), next(answers))[1])
    model.save_weights(path, overwrite=False)
    assert path.read_bytes() == before
    assert asked[0] == f"[WARNING] {path} already exists - overwrite? [y/n]"
    model.save_weights(str(path), overwrite=False)
    assert path.read_bytes() != before


def test_files_in_memory_and_open_groups():
    model, other, third = mlp(), mlp(), mlp()
    randomize(model)
    buffer = io.BytesIO()
    save_weights(model, buffer)
    buffer.seek(0)
    load_weights(other, buffer)
    with h5py.File(io.BytesIO(), "w") as file:
        model.save_weights(file)
        assert third.load_weights(file) is None
    assert equal(model, other)
    assert equal(model, third)


# -- reading by order ----------------------------------------------------------------------------
def test_weights_load_by_order_whatever_the_names(tmp_path):
    model, other = mlp(), mlp("other_")
    randomize(model)
    model.save_weights(tmp_path / "w.h5")
    other.load_weights(tmp_path / "w.h5")
    assert equal(model, other)


def test_freezing_does_not_mix_up_a_nested_model(tmp_path):
    def make():
        return Sequential([mlp(), Dense(1)])

    model, other = make(), make()
    randomize(model)
    model.save_weights(tmp_path / "w.h5")
    other.layers[0].layers[0].trainable = False
    other.load_weights(tmp_path / "w.h5")
    x = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    assert np.array_equal(model(x), other(x))


def test_another_number_of_layers(tmp_path):
    mlp().save_weights(tmp_path / "w.h5")
    with pytest.raises(ValueError) as error:
        Sequential([Dense(4, input_shape=(3,))]).load_weights(tmp_path / "w.h5")
    assert str(error.value).startswith(
        "You are trying to load a weight file containing 3 layers into a model with 1 layers."
    )


def test_another_number_of_weights(tmp_path):
    Sequential([Dense(4, use_bias=False, input_shape=(3,), name="dense_7")]).save_weights(
        tmp_path / "w.h5"
    )
    with pytest.raises(ValueError) as error:
        Sequential([Dense(4, input_shape=(3,), name="dense_1")]).load_weights(tmp_path / "w.h5")
    assert str(error.value) == (
        'Layer #0 (named "dense_1" in the current model) was found to correspond to layer dense_7 '
        "in the save file. However the new layer dense_1 expects 2 weights, but the saved weights "
        f"have 1 elements.\n  at: {tmp_path / 'w.h5'}/dense_7"
    )


def test_another_shape_changes_nothing(tmp_path):
    mlp(units=5).save_weights(tmp_path / "w.h5")
    model = mlp()
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=r'Layer #2 \(named "last"\), weight last/kernel has shape'
    ):
        model.load_weights(tmp_path / "w.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_reshape_takes_as_many_elements(tmp_path):
    model = Sequential([Dense(6, use_bias=False, input_shape=(2,))])
    model.save_weights(tmp_path / "w.h5")
    other = Sequential([Dense(4, use_bias=False, input_shape=(3,))])
    other.load_weights(tmp_path / "w.h5", reshape=True)
    assert np.array_equal(other.get_weights()[0].ravel(), model.get_weights()[0].ravel())


# -- reading by name -----------------------------------------------------------------------------
def test_by_name_takes_the_layers_that_are_there(tmp_path):
    model = mlp()
    randomize(model)
    model.save_weights(tmp_path / "w.h5")
    part = Sequential([Dense(4, input_shape=(3,), name="first"), Dense(7, name="mine")])
    mine = part.layers[1].get_weights()
    with pytest.warns(UserWarning, match=r"no weights for layers \['mine'\].*\['norm', 'last'\]"):
        part.load_weights(tmp_path / "w.h5", by_name=True)
    assert np.array_equal(part.get_weights()[0], model.get_weights()[0])
    assert np.array_equal(part.layers[1].get_weights()[0], mine[0])


def test_by_name_refuses_or_skips_what_does_not_fit(tmp_path):
    mlp(units=5).save_weights(tmp_path / "w.h5")
    model = mlp()
    with pytest.raises(ValueError, match=r"weight last/kernel has shape \(4, 2\), but the saved"):
        model.load_weights(tmp_path / "w.h5", by_name=True)
    with pytest.warns(UserWarning, match="Skipping loading of weights for layer last due to mis"):
        model.load_weights(tmp_path / "w.h5", by_name=True, skip_mismatch=True)
    lean = Sequential([Dense(4, use_bias=False, input_shape=(3,), name="first")])
    with pytest.raises(ValueError, match=r'Layer #0 \(named "first"\) expects 1 weight\(s\), but'):
        lean.load_weights(tmp_path / "w.h5", by_name=True)
    with pytest.warns(UserWarning, match="due to mismatch in number of weights"):
        lean.load_weights(tmp_path / "w.h5", by_name=True, skip_mismatch=True)
    with pytest.raises(ValueError, match="skip_mismatch can only be set to True when by_name"):
        model.load_weights(tmp_path / "w.h5", skip_mismatch=True)


# -- what is not a weight file -------------------------------------------------------------------
def test_files_that_are_missing_or_something_else(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file"):
        mlp().load_weights(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(OSError, match="file signature not found"):
        mlp().load_weights(tmp_path / "text.h5")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(OSError, match=r"an archive(.|\n)*in Keras 3, save it as `\.h5`"):
        load_model(tmp_path / "m.keras")
    with h5py.File(tmp_path / "new.h5", "w") as file:
        file.create_group("layers/dense/vars")
    with pytest.raises(ValueError, match="does not hold weights in Keras 2's layout"):
        mlp().load_weights(tmp_path / "new.h5")


def one_layer_file(path, fill):
    with h5py.File(path, "w") as file:
        hdf5.write_names(file, "layer_names", ["d"])
        hdf5.write_names(file.create_group("d"), "weight_names", ["k", "b"])
        fill(file["d"])


def test_data_in_other_files_is_not_read(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(6, dtype="float32").tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["k"] = np.ones((3, 2), "float32")
    virtual = h5py.VirtualLayout((3, 2), "float32")
    virtual[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "k", (3, 2))
    cases = {
        "is a link": lambda g: g.__setitem__("k", h5py.ExternalLink("secret.h5", "k")),
        "is a link, which": lambda g: g.__setitem__("k", h5py.SoftLink("/d/b")),
        "keeps its data in another file": lambda g: g.create_dataset(
            "k", (3, 2), "float32", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
        ),
        "keeps its data in another": lambda g: g.create_virtual_dataset("k", virtual),
        "is not an array of numbers": lambda g: g.create_dataset("k", data=b"text"),
        "is not an array": lambda g: g.create_group("k"),
        "is missing": lambda g: None,
    }
    for message, fill in cases.items():
        path = tmp_path / "bad.h5"
        one_layer_file(path, lambda g, fill=fill: (fill(g), g.create_dataset("b", data=[0.0, 0.0])))
        model = Sequential([Dense(2, input_shape=(3,), name="d")])
        with pytest.raises(ValueError, match=message):
            model.load_weights(path)


def test_a_claim_of_a_huge_shape_is_refused_before_reading(tmp_path):
    path = tmp_path / "huge.h5"
    one_layer_file(
        path,
        lambda g: (
            g.create_dataset("k", (1 << 40, 2), "float32", chunks=(1024, 2)),
            g.create_dataset("b", data=[0.0, 0.0]),
        ),
    )
    with pytest.raises(ValueError, match="but the saved weight has shape"):
        Sequential([Dense(2, input_shape=(3,), name="d")]).load_weights(path)
