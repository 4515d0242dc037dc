"""Dumps are files for eyes and tools, equal for equal programs in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import kgraph
from kgraph import ops
from kgraph.ir import Dim, input_node
from kgraph.ir.graph import Graph
from kgraph.ir.parser import parse
from kgraph.ir.serialize import load
from kgraph.passes import CORE, Dump, Pipeline, observing, optimize

FUSES = True
PROGRAM = """
import sys, numpy as np
from kgraph.layers import Dense, Dropout, Embedding, Flatten, Input
from kgraph.models import Model
from kgraph.passes import Dump, observing

np.random.seed(0)
ids, x = Input((3,), dtype="int32", name="ids"), Input((4,), name="x")
e = Flatten()(Embedding(7, 2)(ids))
h = Dropout(0.5)(Dense(6, activation="relu")(x))
from kgraph.layers import concatenate
model = Model([ids, x], Dense(3, activation="softmax")(concatenate([e, h])))
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
with observing(Dump(sys.argv[1])):
    a, b, t = np.zeros((4, 3), "int32"), np.ones((4, 4), "float32"), np.eye(4, 3)
    model.fit([a, b], t, epochs=1, batch_size=2, verbose=0)
    model.predict([a, b], verbose=0)
"""


def graph():
    """log(softmax(x * 1)) of a batch."""
    x = input_node((Dim.symbol("batch"), 4), name="x")
    return Graph((x,), (("y", ops.log(ops.softmax(x * 1))),))


def test_text_json_and_manifest(tmp_path):
    with observing(Dump(tmp_path / "graphs")):
        result, _ = optimize(graph())
    last = len(CORE)
    stems = ["000-input", "003-simplify", "004-stabilize", f"{last:03d}-{CORE[-1].name}"]
    files = [f"{stem}.{kind}" for stem in stems for kind in ("json", "txt")]
    assert sorted(p.name for p in (tmp_path / "graphs").iterdir()) == [*files, "manifest.json"]
    for stem in stems:
        parse((tmp_path / "graphs" / f"{stem}.txt").read_text())
        assert load(tmp_path / "graphs" / f"{stem}.json").stage
    assert (
        str(load(tmp_path / "graphs" / f"{stems[-1]}.json"))
        .split("#")[0]
        .startswith(str(result).splitlines()[0])
    )
    manifest = json.loads((tmp_path / "graphs" / "manifest.json").read_text())
    (compilation,) = manifest["compilations"]
    assert compilation["pipeline"] == str(Pipeline(CORE))
    assert compilation["options"]["numerics"] == "safe"
    assert [g["file"] for g in compilation["graphs"]] == stems
    assert compilation["graphs"][1]["fired"] == {"mul-one": 1}


def test_equal_in_two_processes_with_two_hash_seeds(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    root = str(Path(kgraph.__file__).parents[1])
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root}
        command = [sys.executable, str(program), str(tmp_path / seed)]
        subprocess.run(command, env=environment, check=True, timeout=60)
    files = [sorted(p.name for p in (tmp_path / seed).iterdir()) for seed in ("0", "4711")]
    assert files[0] == files[1]
    assert len(files[0]) > 12
    for name in files[0]:
        one, other = ((tmp_path / seed / name).read_bytes() for seed in ("0", "4711"))
        assert one == other, name
    manifest = json.loads((tmp_path / "0" / "manifest.json").read_text())
    # The forward graph before gradients, the training step, the prediction.
    assert len(manifest["compilations"]) == 3
