"""Keras 3 runs on JAX here, and pytest explains the harness's asserts."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
# Each comparison compiles a small program once: compile time is all that counts.
FAST_COMPILE = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
os.environ.setdefault("XLA_FLAGS", FAST_COMPILE)
pytest.register_assert_rewrite("layer_harness")


@pytest.fixture(autouse=True)
def _seeded(request):
    import numpy as np

    np.random.seed(len(request.node.name))
