"""`import kgraph` is lazy: NumPy and nothing else that is heavy."""

import subprocess
import sys

DATA = ("kgraph.datasets.mnist", "kgraph.datasets.cifar10", "kgraph.utils.get_file")
HEAVY = ("h5py", "yaml", "networkx", "graphviz", "rich", "scipy", "jax", "keras", "hypothesis")


def loaded_after(statement):
    """Names of the modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_numpy_at_most():
    loaded = loaded_after("import kgraph")
    assert not loaded & set(HEAVY)
    assert "kgraph.layers" not in loaded


def test_data_sets_load_no_network():
    loaded = loaded_after(f"import kgraph; {'; '.join(DATA)}")
    assert "kgraph.datasets.cifar" in loaded
    assert not loaded & {"pooch", "requests", *HEAVY}


def test_names_resolve_on_use():
    loaded = loaded_after("import kgraph; kgraph.layers.Dense; kgraph.Input; kgraph.function")
    assert "kgraph.layers.core" in loaded
    assert not loaded & set(HEAVY)


def test_a_model_that_is_not_saved_loads_no_library():
    loaded = loaded_after("from kgraph.models import Model, Sequential, load_model as _")
    assert "h5py" in loaded
    loaded = loaded_after("from kgraph.models import Model, Sequential, model_from_json")
    assert not loaded & set(HEAVY)


def test_unknown_names_say_so():
    done = subprocess.run(
        [sys.executable, "-c", "import kgraph; kgraph.dense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "module 'kgraph' has no attribute 'dense'" in done.stderr
