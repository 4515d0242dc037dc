"""`kgraph run` runs a script as `python` does, with kgraph in Keras's place."""

from __future__ import annotations

import textwrap

import pytest
from processes import kgraph_run, python


@pytest.fixture
def script(tmp_path):
    """A function that writes a script and returns its path."""

    def write(text: str, name: str = "script.py") -> str:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


def test_a_script_sees_what_python_shows_it(script, tmp_path):
    path = script(
        """
        import keras, pickle, sys
        import beside
        assert keras.layers.Dense.__module__ == "kgraph.layers.core"
        assert keras.__version__ == "2.3.1"
        assert __name__ == "__main__" and __file__ == sys.argv[0] and __spec__ is None
        assert __doc__ is None and __builtins__.__name__ == "builtins"
        assert sys.modules["__main__"].beside is beside
        class Mine: pass
        assert type(pickle.loads(pickle.dumps(Mine()))) is Mine
        assert "matplotlib" not in sys.modules
        print(sys.argv[1:], sys.path[0])
        sys.exit(7)
        """
    )
    script("", "beside.py")
    done = kgraph_run(path, "--epochs", "3", "--tf", "-m", "--", "x")
    assert done.stderr == ""
    assert done.stdout == f"['--epochs', '3', '--tf', '-m', '--', 'x'] {tmp_path}\n"
    assert done.returncode == 7


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    raise ValueError('x')\nf()\n",
        "print(1\n",
        "import sys\nsys.exit('the end')\n",
        "raise KeyError from OSError()\n",
        "import nothing_of_this_name\n",
        "import sys\nsys.excepthook = lambda *a: print('mine')\n1 / 0\n",
    ],
)
def test_errors_look_as_python_prints_them(script, text):
    path = script(text)
    ours, pythons = kgraph_run(path), python(path)
    assert (ours.stderr, ours.stdout) == (pythons.stderr, pythons.stdout)
    assert ours.returncode == pythons.returncode == 1


def test_an_interrupt_is_130(script):
    done = kgraph_run(script("raise KeyboardInterrupt\n"))
    assert done.returncode == 130
    assert done.stderr.endswith(
        "line 1, in <module>\n    raise KeyboardInterrupt\nKeyboardInterrupt\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.py"], "cannot open 'absent.py': No such file or directory\n  hint: -m MODULE"),
        (["."], "'.' is a directory"),
        (["-m", "absent.module"], "no module named 'absent.module'"),
        ([], "SCRIPT"),
    ],
)
def test_what_cannot_be_run(arguments, message, tmp_path):
    done = kgraph_run(*arguments, cwd=tmp_path)
    assert message in done.stderr
    assert done.returncode == 2


def test_a_module_of_a_package(script, tmp_path):
    (tmp_path / "package").mkdir()
    script("", "package/__init__.py")
    script(
        """
        import sys
        from keras.models import Sequential
        from . import __name__ as parent
        print(parent, __name__, __spec__.name, sys.argv[1:], Sequential.__module__)
        """,
        "package/tool.py",
    )
    done = kgraph_run("-m", "package.tool", "-v", cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout == "package __main__ package.tool ['-v'] kgraph.models.sequential\n"


def test_a_keras_beside_the_script_is_not_taken(script):
    script("raise AssertionError('a stranger')", "keras.py")
    path = script("import keras.layers; print(keras.layers.Dense.__module__)")
    assert kgraph_run(path).stdout == "kgraph.layers.core\n"


TENSORFLOW = """
import numpy as np
import tensorflow as tf
from tensorflow import keras
import tensorflow.keras.layers as L
from tensorflow.keras import layers, models
from tensorflow.keras.layers import Dense
from tensorflow.python.keras.layers import Dense as Same
import keras as plain

assert tf.__version__ == "2.0.0" and tf.keras is keras
assert Same is Dense is L.Dense is plain.layers.Dense
assert Dense.__module__ == "kgraph.layers.core"
assert tf.config.list_physical_devices("GPU") == []
tf.random.set_seed(3)
first = Dense(2)(np.ones((1, 2), "float32"))
tf.random.set_seed(3)
assert (Dense(2)(np.ones((1, 2), "float32")) == first).all()

def loss(y_true, y_pred):
    error = tf.cast(y_true, tf.float32) - y_pred
    return tf.reduce_mean(tf.square(error), axis=-1) + 0 * tf.reduce_sum(tf.math.abs(error), -1)

model = tf.keras.Sequential([tf.keras.Input((2,)), Dense(1, activation=tf.nn.relu)])
model.compile(tf.keras.optimizers.Adam(0.1), loss=loss)
model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)

for statement, error, hint in [
    ("tf.GradientTape()", AttributeError, "value_and_grad"),
    ("tf.data.Dataset", AttributeError, "NumPy arrays"),
    ("tf.nonsense", AttributeError, "the keras part of TensorFlow only"),
    ("from tensorflow import data", ImportError, "NumPy arrays"),
    ("import tensorflow.contrib.slim", ImportError, "the keras part"),
    ("from tensorflow.keras import applications", ImportError, "build the network"),
]:
    try:
        exec(statement)
    except error as found:
        assert hint in str(found), found
    else:
        raise AssertionError(statement)
"""


def test_tensorflow_where_it_is_asked_for(script):
    path = script(TENSORFLOW)
    done = kgraph_run("--tf", path)
    assert (done.returncode, done.stderr) == (0, "")
    done = kgraph_run(script("import tensorflow\n"))
    if "No module named" in done.stderr:  # it is not installed
        assert done.stderr.endswith("kgraph: hint: --tf lets kgraph stand for tensorflow.keras\n")
