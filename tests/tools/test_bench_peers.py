"""The peers of `kgraph bench` run alone, and their models are the same as kgraph's."""

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import types

import jax
import keras
import numpy as np
import pytest

import kgraph
from kgraph.tools.bench import timed, turns
from kgraph.tools.bench.peers import __main__ as peers_main
from kgraph.tools.bench.peers.builders import build
from kgraph.tools.bench.peers.timing import Subject, bursts_of, converse
from kgraph.tools.bench.peers.workloads import FRAMEWORKS, WORKLOADS, batch_of

PEERS = "kgraph.tools.bench.peers"


@pytest.mark.parametrize("argv", [(), ("torch",), ("theano", "mlp_mnist"), ("jax", "mlp_nothing")])
def test_wrong_arguments_are_named(argv):
    with pytest.raises(SystemExit, match="expected one of torch, jax, keras and one of mlp_binary"):
        peers_main.main(argv)


def test_it_runs_without_kgraph():
    """The process knows the peers' folder and nothing of kgraph."""
    asked = timed.start("jax", sys.executable, "mlp_binary")
    assert (asked.row["framework"], asked.row["workload"]) == ("jax", "mlp_binary")
    count = WORKLOADS["mlp_binary"].steps // 4
    assert [len([t for t in asked.ask(what) if t > 0]) for what in turns.WHAT] == [count, count]
    asked.close()


def test_keras_is_named_with_its_backend(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    fake = types.SimpleNamespace(run=lambda name: Subject(lambda: [1e-6], lambda: [1e-6]))
    monkeypatch.setitem(sys.modules, f"{PEERS}.with_keras", fake)
    monkeypatch.setattr(sys, "stdin", [])
    for asked, backend in (("keras", "jax"), ("keras-tensorflow", "tensorflow")):
        peers_main.main([asked, "two_head"])
        assert json.loads(capsys.readouterr().out)["framework"] == f"keras-{backend}"
        assert os.environ["KERAS_BACKEND"] == backend


def test_no_file_hides_a_module():
    """The folder is first in the path of interpreters that import the standard library and more."""
    mine = {p.stem for p in timed.HERE.iterdir()} - {"__init__", "__pycache__"}
    assert not mine & set(sys.stdlib_module_names)
    others = {
        name: who
        for name, who in importlib.metadata.packages_distributions().items()
        if name in mine and who != ["kgraph"]
    }
    assert not others


def as_list(shape):
    """The shapes of one or several tensors, as Keras gives them."""
    return shape if isinstance(shape, list) else [shape]


@pytest.mark.parametrize("name", WORKLOADS)
def test_batches_have_the_shapes_of_the_models(name):
    work = WORKLOADS[name]
    xs, ys = batch_of(name)
    model = build(kgraph, name)
    assert [(None, *x.shape[1:]) for x in xs] == as_list(model.input_shape)
    assert [(None, *y.shape[1:]) for y in ys] == as_list(model.output_shape)
    assert all(len(a) == work.batch for a in (*xs, *ys))
    for read, x in zip(work.inputs, xs, strict=True):
        assert x.dtype == ("int32" if read.ids else "float32")
        assert x.min() >= 0
        assert x.max() < (read.ids or 1)
    assert {float(v) for v in np.unique(ys[0])} == {0.0, 1.0}


@pytest.mark.parametrize("name", WORKLOADS)
def test_jax_has_as_many_weights_as_kgraph(name):
    with_jax = importlib.import_module(f"{PEERS}.with_jax")
    weights, forward = with_jax.MODELS[name](WORKLOADS[name])
    assert sum(w.size for w in jax.tree.leaves(weights)) == build(kgraph, name).count_params()
    xs, ys = batch_of(name)
    shapes = [z.shape for z in jax.eval_shape(forward, weights, jax.random.PRNGKey(0), *xs)]
    assert shapes == [y.shape for y in ys]


def test_keras_takes_the_same_builder():
    count = build(kgraph, "embedding_dense").count_params()
    assert build(keras, "embedding_dense").count_params() == count


def test_every_framework_has_every_workload():
    for framework in FRAMEWORKS:
        assert (timed.HERE / "peers" / f"with_{framework}.py").exists()
    text = (timed.HERE / "peers" / "with_torch.py").read_text()
    assert all(f'"{name}":' in text for name in WORKLOADS)


def test_calls_are_timed():
    seen = []
    seconds = bursts_of(lambda: seen.append(0), 5)()
    assert len(seen) == len(seconds) == 5
    assert min(seconds) >= 0


def test_each_line_is_answered(capsys):
    converse("torch", "mlp_wide", Subject(lambda: [0.5], lambda: [0.25, 0.5], 7), ["predict\n"])
    told, times = map(json.loads, capsys.readouterr().out.splitlines())
    assert told == {"framework": "torch", "workload": "mlp_wide", "memory_bytes": 7}
    assert times == [0.25, 0.5]


# The process of the tests is large, and the system may take pages from it meanwhile.
GROWING = """
import numpy as np
from kgraph.tools.bench.peers.timing import forget_peak, growth, peak_bytes

before = forget_peak()
held = np.ones(1 << 23)
print(peak_bytes() is None or growth(before) > held.nbytes // 2, growth(None))
"""


def test_memory_is_seen():
    root = os.path.dirname(os.path.dirname(kgraph.__file__))
    command = [sys.executable, "-c", GROWING]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.stdout.split() == ["True", "None"], done.stderr
