"""What a user waits for besides training: importing kgraph, and compiling 2,000 nodes."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.runtime.executable import compile

NODES = 2000


def web(seed: int, nodes: int = NODES) -> Graph:
    """A graph in which every node reads the oldest and any of the eight last ones.

    Args:
        seed: of the random choices.
        nodes: how many are made.
    """
    rng = np.random.default_rng(seed)
    x = input_node((Dim.symbol("batch"), 16), name="x")
    recent = [x] * 8
    for choice, other in rng.integers(0, (4, 8), (nodes, 2)):
        a, b = recent[0], recent[other]
        made = (ops.tanh(a + b), a * b, ops.maximum(a, b), ops.sigmoid(a - b))[choice]
        recent = [*recent[1:], made]
    return Graph((x,), tuple((f"y{i}", node) for i, node in enumerate(recent)))


def import_seconds(module: str, runs: int = 5) -> float:
    """Seconds that a fresh interpreter takes to import a module; the best of several."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    done = [subprocess.run(command, capture_output=True, check=True) for _ in range(runs)]
    return min(float(d.stdout) for d in done)


def compile_seconds(runs: int = 3) -> float:
    """Seconds from a graph of 2,000 nodes to its first result; the best of several graphs."""
    seconds = []
    for seed in range(runs):
        graph = web(seed)
        start = time.perf_counter()
        compile(graph)(np.zeros((32, 16)))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure() -> dict[str, float]:
    """All overheads, in seconds."""
    return {
        "import numpy": import_seconds("numpy"),
        "import kgraph": import_seconds("kgraph"),
        "compile and run 2,000 nodes": compile_seconds(),
    }
