"""The whole zoo, in training and in inference: strict passes change no bit, the default no meaning.

Compared are plans, the optimized one and the one of the graph as it is, over several steps, so that
a bit that is lost in a weight is seen in what is computed from it.
"""

from __future__ import annotations

import numpy as np
import pytest
from zoo import ZOO, inference_core, training_core

from kgraph import config
from kgraph.ir import Graph, Variable
from kgraph.passes import Pipeline
from kgraph.passes.pipeline import Finish
from kgraph.runtime.executable import compile

FUSES = True
STEPS = 3
BATCHES = (1, 32, 2000)  # the last is more than a cache holds, so rows are worked on in blocks
Results = list[tuple[str, np.ndarray]]


def run(graph: Graph, pipeline: Pipeline | None, fed: list[list[np.ndarray]]) -> Results:
    """Everything that some runs in a row compute; the states are then put back."""
    before = {v: v.numpy() for v in graph.states}
    counter = Variable(0, "rng_step", "int64", trainable=False)
    step = compile(graph, rng_step=counter, pipeline=pipeline)
    found: Results = []
    for i, arrays in enumerate(fed):
        outputs = step(*arrays)
        for (name, _), value in zip(graph.outputs, outputs, strict=True):
            found.append((f"output {name} of run {i}", value))
        for variable in graph.states:
            found.append((f"{variable.name} after run {i}", variable.numpy()))
    for variable, value in before.items():
        variable.assign(value)
    return found


def check_same_bits(graph: Graph, fed: list[list[np.ndarray]], monkeypatch) -> None:
    """The default pipeline under strict numerics against no passes at all."""
    monkeypatch.setattr(config, "numerics", "strict")
    wanted = run(graph, Pipeline((Finish(),)), fed)
    found = run(graph, None, fed)
    different = [
        name
        for (name, got), (_, want) in zip(found, wanted, strict=True)
        if got.dtype != want.dtype or got.tobytes() != want.tobytes()
    ]
    assert not different


@pytest.mark.parametrize("numerics", ["strict", "safe"])
@pytest.mark.parametrize("name", ZOO)
def test_training_steps(name, numerics, monkeypatch):
    """`numerics` is what the loss is built under: stable forms have other gradients."""
    monkeypatch.setattr(config, "numerics", numerics)
    specimen = ZOO[name]
    graph = training_core(specimen.model(), *specimen.arrays(2))
    for batch in BATCHES:
        fed = [specimen.feed(batch, seed) for seed in range(STEPS)]
        check_same_bits(graph, fed, monkeypatch)


@pytest.mark.parametrize("name", ZOO)
def test_inference(name, monkeypatch):
    specimen = ZOO[name]
    graph = inference_core(specimen.model())
    for batch in (0, *BATCHES):
        check_same_bits(graph, [specimen.arrays(batch)[0]], monkeypatch)


@pytest.mark.parametrize("name", ZOO)
def test_default_numerics_change_no_meaning(name):
    """Three steps through all passes end at the weights of three steps through none."""
    specimen = ZOO[name]
    graph = training_core(specimen.model(), *specimen.arrays(2))
    fed = [specimen.feed(32, seed) for seed in range(STEPS)]
    wanted = run(graph, Pipeline((Finish(),)), fed)
    for (what, got), (_, want) in zip(run(graph, None, fed), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5, err_msg=what)
