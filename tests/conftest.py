"""Settings of the whole suite."""

import os

# Threads of OpenBLAS spin while they wait for each other: where another process holds one of two
# cores, a small matrix product takes twenty times as long. One thread is enough for these tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Real Keras, where it is the oracle, runs on JAX.
os.environ.setdefault("KERAS_BACKEND", "jax")
