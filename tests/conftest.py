"""Settings of the whole suite."""

import gc
import os
import sys
import tracemalloc

import pytest
from hypothesis import settings
from quick_xla import set_flags

from kgraph import compat
from kgraph.layers import naming
from kgraph.utils.registry import get_custom_objects

# Threads of OpenBLAS spin while they wait for each other: where another process holds one of two
# cores, a small matrix product takes twenty times as long. One thread is enough for these tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Real Keras, where it is the oracle, runs on JAX.
os.environ.setdefault("KERAS_BACKEND", "jax")
set_flags()
# No test is timed: where other processes hold the cores, anything may take long. Every run draws
# the same examples, so that a change is to blame for what fails; `--hypothesis-profile random`
# draws others.
settings.register_profile("random", deadline=None, print_blob=True)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")


def pytest_collection_finish(session):
    """What is imported and collected by now stays, and the garbage collector need not look at it.

    It looks at the rest less often than every 700 objects, of which a graph has thousands.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def names_go_on():
    """Automatic names are not given again after a test that starts their numbers anew.

    Layers of a test file live longer than a test, and a model must not meet two of one name.
    """
    before = naming._COUNTS.copy()
    yield
    naming._COUNTS |= before


@pytest.fixture(autouse=True)
def plain_names_end():
    """What a test, as scripts do, puts under a plain name for all configurations ends with it.

    Names with a package before them come from decorators, and modules are imported once.
    """
    before = set(get_custom_objects())
    yield
    for name in set(get_custom_objects()) - before:
        if ">" not in name:
            del get_custom_objects()[name]


@pytest.fixture
def no_keras():
    """Takes a real Keras that other tests imported out of the process for one test."""
    modules = {k: v for k, v in sys.modules.items() if k.partition(".")[0] == "keras"}
    for name in modules:
        del sys.modules[name]
    yield
    compat.uninstall()
    sys.modules.update(modules)


@pytest.fixture
def measure_allocations():
    """A function of (call, runs): bytes borrowed at most in repeated calls, and bytes kept."""

    def measure(call, runs):
        call()
        gc.collect()
        tracemalloc.start()
        try:
            call()
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(runs):
                call()
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        return peak - before, after - before

    return measure
