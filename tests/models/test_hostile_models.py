"""Model files from strangers: refused with a reason; nothing runs, nothing leaks."""

import io
import json
import os
import pathlib
import random
import signal
import tracemalloc

import h5py
import numpy as np
import pytest

from kgraph.errors import FileFormatError, KGraphError, ParseError, UnsafeFileError
from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential, load_model, model_from_yaml
from kgraph.saving.strict_yaml import read_yaml
from kgraph.utils import hdf5_probe

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "hostile"

DENSE = {"name": "d", "units": 4, "batch_input_shape": [None, 4]}


def dense(**changes):
    return {"class_name": "Dense", "config": {**DENSE, **changes}}


def stack(*layers):
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def saved(config=None, training=None):
    """A file of one Dense layer with other texts in its attributes."""
    model = Sequential([Dense(4, input_dim=4, name="d")], name="s")
    model.compile("sgd", "mse")
    file = io.BytesIO()
    model.save(file)
    with h5py.File(file, "r+") as inside:
        if config is not None:
            text = config if isinstance(config, (str, bytes)) else json.dumps(config)
            inside.attrs["model_config"] = text
        if training is not None:
            inside.attrs["training_config"] = json.dumps(training)
    return file


LOOP = {
    "class_name": "Model",
    "config": {
        "name": "m",
        "layers": [
            {**dense(name=a), "name": a, "inbound_nodes": [[[b, 0, 0, {}]]]}
            for a, b in (("a", "b"), ("b", "a"))
        ],
        "input_layers": [["a", 0, 0]],
        "output_layers": [["b", 0, 0]],
    },
}
CODE = ["4wEAAAAAAAAA", None, None]

CONFIGS = {
    "needs more than 64 bits": stack(dense(units=10**30)),
    "nested too deeply": "[" * 100_000 + "]" * 100_000,
    "is used 2 times": stack(dense(), dense()),
    "larger than its file can tell": stack(dense(units=10**12)),
    "does not say where tensors come from": LOOP,
    "NaN is not a JSON number": json.dumps(stack(dense(units=float("nan")))),
    "'utf-8' codec can't": b"\xff\xfe{}",
    "not JSON": "{",
    "makes no sense": stack({"class_name": "Dense", "config": 5}),
    "makes no sense: TypeError": stack(dense(units={"a": 1}, color="red")),
    "Improper config format": [1, 2],
    "bytecode, which kgraph never runs": stack(
        {"class_name": "Lambda", "config": {"name": "l", "function": CODE,
                                            "function_type": "lambda"}}),
    "Unknown layer: builtins.eval": stack({"class_name": "builtins.eval", "config": {}}),
    "Unknown layer: eval": stack({"module": "builtins", "class_name": "eval", "config": {}}),
    "The file holds no model": dense(),
}  # fmt: skip


@pytest.mark.parametrize("message", CONFIGS)
def test_configurations_that_are_refused(message):
    with pytest.raises(ValueError) as error:
        load_model(saved(CONFIGS[message]))
    assert message.split(": TypeError")[0] in str(error.value)


@pytest.mark.parametrize(
    "training",
    [
        {"optimizer_config": {"module": "builtins", "class_name": "eval", "config": {"x": "1"}}},
        {"optimizer_config": {"class_name": "SGD", "config": {"os": "system"}}, "loss": "mse"},
        {"optimizer_config": {"class_name": "SGD", "config": {}}, "loss": "__import__"},
        {"optimizer_config": {"class_name": "SGD", "config": 3}, "loss": "mse"},
        {"loss": "mse"},
        [],
    ],
)
def test_training_configurations_that_are_refused(training):
    file = saved(training=training)
    with pytest.raises(FileFormatError, match="compile=False"):
        load_model(file)
    assert load_model(file, compile=False).count_params() == 20


def test_a_function_of_the_user_stands_in_for_bytecode():
    layer = {"class_name": "Lambda", "config": {"name": "l", "function": CODE,
                                                "function_type": "lambda"}}  # fmt: skip
    file = saved(stack(dense(), layer))
    model = load_model(file, {"l": lambda x: x * 0 + 7}, compile=False)
    assert model.predict(np.ones((1, 4))).tolist() == [[7.0] * 4]
    with pytest.raises(UnsafeFileError, match="whatever `safe_mode` says"):
        load_model(file, safe_mode=False)


REFUSED = {
    "h5_dtype_compound": (FileFormatError, "is not an array of numbers"),
    "h5_dtype_ref": (FileFormatError, "is not an array of numbers"),
    "h5_dtype_vlen": (FileFormatError, "is not an array of numbers"),
    "h5_external_link": (UnsafeFileError, "is a link, which is not followed"),
    "h5_garbled": (OSError, "bad object header"),
    "h5_missing_weight": (FileFormatError, r"'d/nope:0' is missing\n  at: .*h5/model_weights/d"),
    "h5_shape_bomb": (ValueError, r"the saved weight has shape \(1048576, 1048576\)"),
    "h5_virtual": (UnsafeFileError, "keeps its data in another file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(name):
    kind, message = REFUSED[name]
    tracemalloc.start()
    with pytest.raises(kind, match=message):
        load_model(DATA / f"{name}.h5", compile=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_cycle_of_groups_is_not_walked():
    assert load_model(DATA / "h5_cycle.h5", compile=False).count_params() == 20


def weights_with(path, **options):
    """A file whose kernel is stored in some other way."""
    Sequential([Dense(4, input_dim=4, name="d")]).save_weights(path)
    with h5py.File(path, "r+") as file:
        value = file["d/d/kernel:0"][()]
        del file["d/d/kernel:0"]
        file["d/d"].create_dataset("kernel:0", data=value, **options)
    return path


def weights_of(path, change):
    """A file whose kernel has settings that h5py's usual calls refuse, and no data."""
    weights_with(path)
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((4, 4))
    change(settings)
    with h5py.File(path, "r+") as file:
        del file["d/d/kernel:0"]
        space = h5py.h5s.create_simple((4, 4), (h5py.h5s.UNLIMITED, h5py.h5s.UNLIMITED))
        h5py.h5d.create(file["d/d"].id, b"kernel:0", h5py.h5t.IEEE_F32LE, space, settings)
    return path


def test_compression_is_read_but_not_by_plug_ins_or_in_huge_chunks(tmp_path):
    model, path = Sequential([Dense(4, input_dim=4, name="d")]), tmp_path / "w.h5"
    for options in ({"compression": "gzip"}, {"compression": "lzf", "shuffle": True}):
        model.load_weights(weights_with(path, **options))
    weights_of(path, lambda settings: settings.set_chunk((1 << 14, 1 << 14)))
    with pytest.raises(UnsafeFileError, match="claims chunks that are larger than the array"):
        model.load_weights(path)
    weights_of(path, lambda settings: settings.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ()))
    with pytest.raises(UnsafeFileError, match="needs a plug-in"):
        model.load_weights(path)


def test_attributes_that_claim_more_than_the_file_holds(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = np.array([b"{}", b"{}"])
        file.create_group("model_weights").attrs["layer_names"] = 5
    with pytest.raises(FileFormatError, match="'model_config' is not one text"):
        load_model(tmp_path / "m.h5")
    with pytest.raises(FileFormatError, match="'layer_names' holds no texts"):
        Sequential([Dense(4, input_dim=4)]).load_weights(tmp_path / "m.h5")


def test_hdf5_may_hang_or_crash_but_not_here(monkeypatch):
    with monkeypatch.context() as patch:  # only here, for a crash may take as long to come
        patch.setattr(hdf5_probe, "_SECONDS", 0.5)
        with pytest.raises(FileFormatError, match="reading it does not come to an end"):
            load_model(DATA / "h5_endless.h5")
    monkeypatch.setattr(hdf5_probe, "_touch_all", lambda file: os.kill(os.getpid(), signal.SIGSEGV))
    with pytest.raises(FileFormatError, match=r"HDF5 crashes on it \(SIGSEGV\)"):
        load_model(saved())
    monkeypatch.setattr(hdf5_probe, "_touch_all", lambda file: bytearray(1 << 33))
    with pytest.raises(FileFormatError, match="damaged: MemoryError"):
        load_model(saved())


def test_any_bytes_of_a_file_may_be_wrong(tmp_path, monkeypatch):
    """Random damage ends in a model or in an error, never in a crash."""
    monkeypatch.setattr(hdf5_probe, "_SECONDS", 1.0)  # HDF5 runs in circles in some of them
    whole = saved().getvalue()
    rng = random.Random(0)
    path = tmp_path / "m.h5"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 3, 30])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            load_model(path)
        except (OSError, ValueError, KGraphError):
            continue


# -- YAML ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("y_laughs", UnsafeFileError, "unfolds to more than a million entries"),
        ("y_multi", ParseError, "not one YAML document"),
        ("y_new", UnsafeFileError, "python/object/new:os.getpid', which is not read"),
        ("y_selfref", UnsafeFileError, r"holds itself\n  at: line 2, column 9"),
    ],
)
def test_yaml_files_that_are_refused(name, kind, message):
    with pytest.raises(kind, match=message):
        model_from_yaml((DATA / f"{name}.yaml").read_bytes())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 20_000, "nested too deeply"),
        ("\n".join(" " * i + f"k{i}:" for i in range(3000)), "nested too deeply"),
        ("", "it is empty"),
        ("a: 1\na: 2", "is a key that stands twice"),
        ("1: 2", "is a key that is not a text"),
        ("a: .nan", "is not a finite number"),
        ("a: 1.0e+999", "is not a finite number"),
        ("a: " + "9" * 5000, "needs more than 64 bits"),
        ("a: 2001-01-01", "timestamp"),
        ("a: !!binary aGk=", "binary"),
        ("a: !!set {x}", "set"),
        ("a: 1:30", "which is not read"),
        ("a: &x {b: 1}\nc: {<<: *x}", "merge"),
        ("a: !!python/name:os.system", "python/name:os.system"),
        ("a: !!python/object/apply:os.system [ls]", "python/object/apply"),
        ("a: !!python/tuple 3", "python/tuple"),
        ("a: !mine 3", "!mine"),
    ],
)
def test_yaml_texts_that_are_refused(text, message):
    with pytest.raises((ParseError, UnsafeFileError), match=message):
        read_yaml(text)


@pytest.mark.parametrize("name", ["k224_multi", "k231_rnn"])
def test_genuine_yaml_of_keras_is_its_json(name):
    folder = DATA.parent / "keras"
    text = (folder / f"{name}.yaml").read_text()
    assert "!!python/tuple" in text
    assert read_yaml(text) == json.loads((folder / f"{name}.json").read_text())
    assert model_from_yaml(text).to_json()


def test_yaml_with_a_pickled_number_is_refused():
    text = (DATA.parent / "keras" / "k122_cnn.yaml").read_text()
    with pytest.raises(UnsafeFileError, match="python/object/apply:numpy"):
        model_from_yaml(text)


def test_yaml_goes_there_and_back():
    x = Input((3, 4), name="x")
    model = Model(x, Dense(2, kernel_regularizer="l2", name="y")(x))
    again = model_from_yaml(model.to_yaml(indent=4))
    assert again.to_json() == model.to_json()
    text = "[a, ~, true, -3, 0.5, '1', 1_000, &x [1], *x, !!python/tuple [1, 2]]"
    with pytest.raises(UnsafeFileError, match="which is not read"):
        read_yaml(text)
    expected = ["a", None, True, -3, 0.5, "1", [1], [1], [1, 2]]
    assert read_yaml(text.replace("1_000, ", "")) == expected
