"""Settings of the whole suite."""

import gc
import os
import tracemalloc

import pytest

# Threads of OpenBLAS spin while they wait for each other: where another process holds one of two
# cores, a small matrix product takes twenty times as long. One thread is enough for these tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Real Keras, where it is the oracle, runs on JAX.
os.environ.setdefault("KERAS_BACKEND", "jax")


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
