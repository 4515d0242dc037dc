"""Every path and name of Keras 2 leads to kgraph's own objects, beside an installed Keras."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import types

import numpy as np
import pytest
from processes import python

import kgraph
from kgraph import compat, layers
from kgraph.compat.face import Face
from kgraph.compat.missing import ADVICE
from kgraph.compat.paths import HOMES
from kgraph.utils.registry import find_custom

IMPORTS_ALL = """
import importlib.metadata
assert importlib.metadata.version("keras") >= "3"  # the real one is installed here
import kgraph.compat
kgraph.compat.install(); kgraph.compat.install()
import keras
from keras_names import NAMES
for path, names in NAMES.items():
    module = f"keras.{path}".rstrip(".")
    for name in names.split():
        exec(f"from {module} import {name} as found")
        assert "keras.src" not in getattr(found, "__module__", ""), (module, name)
assert keras.__version__ == "2.3.1"
import sys
assert not [name for name in sys.modules if name.startswith(("keras.src", "jax", "tensorflow"))]
"""


pytestmark = pytest.mark.usefixtures("no_keras")


def test_every_path_and_name_of_keras_2():
    done = python("-c", IMPORTS_ALL)
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_objects_are_kgraphs_own():
    with compat.install():
        import keras
        import keras.layers as short
        from keras.layers.core import Dense
    assert Dense is short.Dense is keras.layers.Dense is layers.Dense
    assert keras.Sequential is kgraph.models.Sequential
    assert keras.losses.mse is keras.objectives.mse is kgraph.losses.mse
    assert isinstance(keras.layers, types.ModuleType)
    assert repr(keras.losses) == "<module 'keras.losses': kgraph.losses>"
    assert "Dense" in dir(keras.layers)


def test_everything_at_once():
    names: dict = {}
    with compat.install():
        exec(
            "from keras import *\nfrom keras.layers import *\nfrom keras.initializers import *",
            names,
        )
    assert names["Dense"] is layers.Dense
    assert isinstance(names["optimizers"], Face)
    assert names["Zeros"] is kgraph.initializers.Zeros
    assert "Any" not in names


def test_what_an_import_sets_stays_out_of_kgraph():
    with compat.install():
        import keras.objectives
        import keras.utils.np_utils
    assert "objectives" not in vars(kgraph)
    assert keras.utils.np_utils.to_categorical is kgraph.utils.to_categorical


def test_a_home_that_is_missing_adds_nothing(monkeypatch):
    monkeypatch.setitem(HOMES, "someday", "kgraph.someday kgraph.someday.deeper")
    with compat.install():
        keras = importlib.import_module("keras")
        assert not hasattr(keras, "someday")
        assert "someday" not in keras.__all__
        with pytest.raises(ImportError, match=r"kgraph has no `keras\.someday`"):
            importlib.import_module("keras.someday")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from keras.layers import RandomFlip", "ImageDataGenerator"),
        ("from keras.layers.core import Dens", "did you mean 'Dense'?"),
        ("from keras import applications", "build the network of layers"),
        ("import keras.applications.vgg16", "build the network of layers"),
        ("from keras.applications.vgg16 import VGG16", "kgraph has no `keras.applications`"),
        ("import keras.nonsense", "kgraph has no `keras.nonsense`"),
        ("import keras.src.layers", "the public path"),
        ("from keras.models import Graph", "functional API"),
        ("from keras.layers import Adam", "it is in keras.optimizers"),
        ("from keras.utils import Dense", "it is in keras.layers"),
        ("from keras.backend import tf", "there is no TensorFlow below"),
        ("from keras.utils import serialize_keras_object", "of its kind"),
    ],
)
def test_a_missing_name_says_what_to_use_instead(statement, message):
    for module in (kgraph.layers, kgraph.optimizers):
        assert isinstance(module, types.ModuleType)  # imported, so the hint can name it
    with compat.install(), pytest.raises(ImportError, match=message.replace("?", r"\?")):
        exec(statement)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("keras.distribution", "one machine"),
        ("keras.layers.TextVectorization", "Tokenizer"),
        ("keras.layers.Conv2d", "did you mean 'Conv2D'?"),
        ("keras.mixed_precision", "set_floatx"),
    ],
)
def test_a_missing_attribute_does_too(expression, message):
    with compat.install():
        keras = importlib.import_module("keras")
        with pytest.raises(AttributeError, match=message.replace("?", r"\?")):
            eval(expression)
        assert getattr(keras, "distribution", None) is None


def test_advice_is_about_what_is_missing():
    with compat.install():
        keras = importlib.import_module("keras")
        for path in ADVICE:
            found = keras
            for name in path.split("."):
                found = getattr(found, name, None)
            assert found is None, f"kgraph has {path}: delete its advice"


def test_only_the_module_that_was_a_function_can_be_called():
    with compat.install():
        import keras.layers.merge
        from keras.layers import merge
    tensors = [np.ones((1, 2), "float32")] * 2
    assert merge(tensors, mode="sum").tolist() == [[2.0, 2.0]]
    assert merge.Add is layers.Add
    with pytest.raises(TypeError, match=r"module 'keras\.layers' is not callable"):
        keras.layers()


def test_faces_travel_to_other_processes(tmp_path):
    with compat.install():
        import keras

        assert pickle.loads(pickle.dumps(keras)) is keras
        (tmp_path / "face.pickle").write_bytes(pickle.dumps(keras))
    code = """
import pickle, sys
keras = pickle.load(open("face.pickle", "rb"))
assert keras.layers.core.Dense.__module__ == "kgraph.layers.core"
assert "keras" not in sys.modules
"""
    done = python("-W", "ignore::ResourceWarning", "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_can_be_loaded_again():
    with compat.install():
        import keras.layers

        before = keras.layers
        assert importlib.reload(keras.layers) is before
        assert keras.layers.Dense is layers.Dense
        assert importlib.util.find_spec("keras.losses").name == "keras.losses"


def test_what_a_script_puts_into_a_module_can_be_loaded():
    def my_loss(y_true, y_pred):
        return y_true - y_pred

    with compat.install():
        import keras.losses

        keras.losses.my_loss = my_loss
        from keras.losses import my_loss as found
    assert found is find_custom("my_loss") is my_loss
    assert not hasattr(kgraph.losses, "my_loss")


def test_the_real_keras_comes_back_and_is_not_replaced():
    code = """
import kgraph.compat
with kgraph.compat.install(tf=True):
    import keras, tensorflow.keras
    kept = keras
    with kgraph.compat.install():
        pass
    assert keras.__version__ == "2.3.1"
    import keras.layers as ours
    assert kgraph.config.rows_and_columns is False
import sys
assert not [m for m in sys.modules if m.partition(".")[0] in ("keras", "tensorflow")]
assert kept.losses.mse is kgraph.losses.mse and kept.losses is kept.losses  # held on to
import keras
assert keras.__version__ >= "3" and keras.layers.Dense is not ours.Dense
kgraph.compat.install()
"""
    done = python("-c", code)
    assert "RuntimeError: kgraph.compat.install() comes too late: keras 3." in done.stderr
    assert "call it before anything imports keras" in done.stderr
