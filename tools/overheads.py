"""What a user waits for besides the arithmetic: importing, compiling, the loops around steps."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.runtime.executable import compile
from kgraph.tools import driving

NODES, LAYERS, UNITS, BATCH = 2000, 200, 64, 32
RUNS = 3  # of which the best counts


def web(seed: int) -> Graph:
    """A graph in which every node reads the oldest and any of the eight last ones."""
    rng = np.random.default_rng(seed)
    x = input_node((Dim.symbol("batch"), 16), name="x")
    recent = [x] * 8
    for choice, other in rng.integers(0, (4, 8), (NODES, 2)):
        a, b = recent[0], recent[other]
        made = (ops.tanh(a + b), a * b, ops.maximum(a, b), ops.sigmoid(a - b))[choice]
        recent = [*recent[1:], made]
    return Graph((x,), tuple((f"y{i}", node) for i, node in enumerate(recent)))


def import_seconds(module: str) -> float:
    """Seconds that a fresh interpreter takes to import a module; the best of several."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    done = [subprocess.run(command, capture_output=True, check=True) for _ in range(2 * RUNS)]
    return min(float(d.stdout) for d in done)


def compile_seconds() -> float:
    """Seconds from a graph of 2,000 nodes to its first result; the best of several graphs."""
    seconds = []
    for seed in range(RUNS):
        graph = web(seed)
        start = time.perf_counter()
        compile(graph)(np.zeros((32, 16)))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def training_seconds() -> float:
    """Seconds from a model of dense layers to its training step: lower, grad, passes, plan."""
    data, seconds = np.zeros((BATCH, UNITS), "float32"), []
    for _ in range(RUNS):
        model = Sequential([Dense(UNITS, activation="relu", input_shape=(UNITS,))])
        for _ in range(LAYERS - 1):
            model.add(Dense(UNITS, activation="relu"))
        start = time.perf_counter()
        model.compile("adam", "mse")
        model.executable(data, data).bind({"batch": BATCH})
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure() -> dict[str, float]:
    """All overheads, in seconds."""
    return {
        "import numpy": import_seconds("numpy"),
        "import kgraph": import_seconds("kgraph"),
        "compile and run 2,000 nodes": compile_seconds(),
        "compile a training step of 200 layers": training_seconds(),
        **driving.measure(),
    }
