"""Keras 3 runs on JAX here, and pytest explains the harness's asserts."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
pytest.register_assert_rewrite("layer_harness")


@pytest.fixture(autouse=True)
def _seeded(request):
    import numpy as np

    np.random.seed(len(request.node.name))
