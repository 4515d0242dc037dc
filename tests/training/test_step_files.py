"""Graphs of every stage, a whole training step among them, go to a file and come back alive."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph.ir.serialize import load, save
from kgraph.layers import BatchNormalization, Dense, Dropout, Input, concatenate
from kgraph.models import Model
from kgraph.passes import optimize
from kgraph.passes.lower import lower
from kgraph.runtime.executable import compile

RNG = np.random.default_rng(5)
X = [RNG.normal(size=(4, 8)).astype("float32") for _ in range(2)]
Y = [np.eye(3, dtype="float32")[[0, 1, 2, 0]], np.ones((4, 1), "float32")]


def shared_and_two_headed():
    a, b, shared = Input((8,)), Input((8,)), Dense(64, activation="relu")
    both = Dropout(0.5)(BatchNormalization()(concatenate([shared(a), shared(b)])))
    return Model([a, b], [Dense(3, activation="softmax")(both), Dense(1)(both) * 2.0])


@pytest.mark.parametrize("stage", ["layers", "core", "fused"])
def test_stages(stage, tmp_path):
    model = shared_and_two_headed()
    core = lower(model.graph, training=False)
    graph = {"layers": model.graph, "core": core, "fused": optimize(core)[0]}[stage]
    save(graph, tmp_path / "graph.json")
    again = load(tmp_path / "graph.json")
    assert (again.stage, len(again)) == (graph.stage, len(graph))
    assert (tmp_path / "graph.npz").stat().st_size > 16 * 64 * 4  # the weights lie beside it
    run = compile(lower(again, training=False) if stage == "layers" else again)
    for found, expected in zip(run(*X), model.predict(X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_training_step(tmp_path):
    model = shared_and_two_headed()
    model.compile("adam", ["categorical_crossentropy", "mse"], metrics=["acc"])
    graph = model.executable(X, Y).graph
    save(graph, tmp_path / "step.json")
    again = load(tmp_path / "step.json")
    compile(again)(*X, *Y)
    compile(graph)(*X, *Y)
    for (mine, _), (theirs, _) in zip(again.updates, graph.updates, strict=True):
        assert mine.name == theirs.name
        np.testing.assert_allclose(mine.value, theirs.value, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_graph_before_the_passes(training, monkeypatch):
    model = shared_and_two_headed()
    model.compile("adam", ["categorical_crossentropy", "mse"], metrics=["acc"])
    with monkeypatch.context() as patch:
        patch.setattr("kgraph.training.program.compile", None)
        graph = model.step_graph(X, Y, training=training)
        assert model.step_graph(X, Y, training=training) is graph
    assert model.executable(X, Y, training=training).report.source is graph
    model.compile("adam", ["categorical_crossentropy", "mse"], run_eagerly=True)
    assert model.executable(X, Y).graph is model.step_graph(X, Y)
