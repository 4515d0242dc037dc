"""`kgraph diff`: what corresponds, what differs, exit codes, stages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.serialize import save
from kgraph.layers import Dense, Dropout, Input, add
from kgraph.models import Model
from kgraph.passes.lower import lower
from kgraph.tools.cli import main
from kgraph.tools.comparison import compare_graphs


def model(units: int = 3, extra: bool = False, activation: str = "relu", prefix: str = "") -> Model:
    x = Input((4,), name="x")
    y = Dense(units, activation=activation, name=f"{prefix}hidden")(x)
    y = Dropout(0.5, name=f"{prefix}drop")(y) if extra else y
    return Model(x, Dense(2, name=f"{prefix}top")(add([y, y], name=f"{prefix}twice")), name="m")


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text(model().to_json())


def difference(capsys, *words: str) -> dict:
    code = main(["diff", *words, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["code"], found["ok"], found["identical"]) == (code, code == 0, code == 0)
    return found


@pytest.mark.parametrize("stage", ["", "@layers", "@core", "@fused", "@fused:strict"])
def test_equal_models_do_not_differ(stage, capsys):
    save(model().graph, "b.json")
    assert difference(capsys, f"a.json{stage}", f"b.json{stage}")["identical"]
    assert main(["diff", "a.json", "b.json"]) == 0
    assert capsys.readouterr().out == "identical: 4 nodes\n"


def test_one_argument_of_one_layer(capsys):
    Path("b.json").write_text(model(activation="tanh").to_json())
    found = difference(capsys, "a.json", "b.json")
    assert (found["added"], found["removed"]) == ([], [])
    [change] = found["changed"]
    assert change["fields"] == {"activation": ['"relu"', '"tanh"']}
    assert "hidden" in change["old"]


def test_a_layer_in_between(capsys):
    Path("b.json").write_text(model(extra=True).to_json())
    found = difference(capsys, "a.json", "b.json")
    assert [line.split()[1:3] for line in found["added"]] == [["Dropout", "drop:"]]
    assert found["removed"] == []
    assert [list(c["fields"]) for c in found["changed"]] == [["operands"]]
    back = difference(capsys, "b.json", "a.json")
    assert (back["added"], len(back["removed"])) == ([], 1)


def test_shapes_change_as_far_as_they_reach(capsys):
    Path("b.json").write_text(model(units=5).to_json())
    fields = [c["fields"] for c in difference(capsys, "a.json", "b.json")["changed"]]
    assert fields[0]["units"] == ["3", "5"]
    assert fields[1] == {"type": ["f32[batch, 3]", "f32[batch, 5]"]}


def test_names_may_be_ignored(capsys):
    Path("b.json").write_text(model(prefix="other_").to_json())
    found = difference(capsys, "a.json", "b.json")
    assert all("name" in c["fields"] for c in found["changed"])
    assert difference(capsys, "a.json", "b.json", "--ignore", "names")["identical"]
    save(lower(model().graph), "c.json")
    save(lower(model(prefix="other_").graph), "d.json")
    assert not difference(capsys, "c.json", "d.json", "--ignore", "names")["identical"]
    assert difference(capsys, "c.json", "d.json", "--ignore", "names,provenance")["identical"]


def test_weights_count_when_asked(capsys):
    one, two = model(), model()
    for number, each in enumerate((one, two)):
        each.set_weights([np.full(w.shape, number) for w in each.get_weights()])
        each.save(f"{number}.h5")
    assert difference(capsys, "0.h5", "1.h5")["identical"]
    for number, each in enumerate((one, two)):
        save(lower(each.graph), f"{number}.json")
    assert difference(capsys, "0.json", "1.json")["identical"]
    found = difference(capsys, "0.json", "1.json", "--values")
    assert [list(c["fields"]) for c in found["changed"]] == [["value"]] * 4


def test_stages_of_one_model(capsys):
    found = difference(capsys, "a.json@core", "a.json@fused")
    assert found["signature"] == ["stage: core -> fused"]
    assert main(["diff", "a.json@core", "a.json@fused"]) == 1
    assert "matched" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["a.json@O9", "a.json"], 2, "no stage 'O9'"),
        (["a.json@fused:wild", "a.json"], 2, "no stage"),
        (["a.json", "a.json", "--ignore", "colours"], 2, "names, provenance"),
        (["-", "-"], 2, "one of the two"),
        (["a.json", "a.json", "-o", "d.svg"], 2, ".txt, .html, .json"),
        (["a.json", "a.json", "-o", "d.txt", "--format", "html"], 2, "FILE.html"),
        (["a.json", "a.json", "--format", "html", "--json"], 2, "both want"),
        (["a.json", "a.json", "-o", "-", "--json"], 2, "both want"),
        (["a.json", "a.json", "-o", "a.json", "--no-clobber"], 2, "there already"),
        (["a.json", "a.json", "--structural", "--by-name"], 2, "not allowed"),
        (["none.json", "a.json"], 4, "none.json"),
        (["core.json@layers", "a.json"], 4, "past layers"),
    ],
)
def test_what_is_refused(words, code, text, capsys):
    save(lower(model().graph), "core.json")
    assert main(["diff", *words]) == code
    assert text in capsys.readouterr().err


def test_a_page_of_both_graphs(capsys):
    Path("b.json").write_text(model(extra=True, activation="tanh").to_json())
    assert main(["diff", "a.json", "b.json", "-o", "d.html"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("wrote d.html (")
    tab = page_data(Path("d.html").read_text(), "data-diff")
    kinds = {item["kind"]: item for item in tab["diff"]["items"]}
    labels = [{node["id"]: node["label"] for node in view["nodes"]} for view in tab["views"]]
    [drop] = kinds["added"]["boxes"][1]
    assert labels[1][drop] == "drop"
    assert kinds["added"]["boxes"][0] == []
    hidden = next(i for i in tab["diff"]["items"] if "hidden" in i["text"])
    assert [side[boxes[0]] for side, boxes in zip(labels, hidden["boxes"], strict=True)] == [
        "hidden", "hidden"
    ]  # fmt: skip
    assert hidden["fields"] == [{"name": "activation", "before": '"relu"', "after": '"tanh"'}]
    assert main(["diff", "a.json", "a.json", "--format", "html"]) == 0
    assert page_data(capsys.readouterr().out, "data-diff")["diff"]["items"] == []


def page_data(page: str, name: str) -> dict:
    return json.loads(re.search(f'id="{name}">(.*?)</script>', page)[1])


def test_files_of_other_formats(capsys):
    Path("b.json").write_text(model(units=5).to_json())
    assert main(["diff", "a.json", "b.json", "-o", "d.txt"]) == 1
    assert "2 changed" in Path("d.txt").read_text()
    assert main(["diff", "a.json", "b.json", "-o", "d.json", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert json.loads(Path("d.json").read_text()) == printed
    assert main(["diff", "a.json", "b.json", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == printed
    assert [0, 0] in printed["pairs"]
    assert all(change["at"] in printed["pairs"] for change in printed["changed"])


def test_what_corresponds_may_be_chosen(capsys):
    Path("b.json").write_text(model(activation="tanh").to_json())
    found = difference(capsys, "a.json", "b.json", "--structural")
    assert (found["matched"], found["changed"]) == (1, [])
    # Two layers whose names are exchanged: what they are counts, or what they are called.
    x = Input((4,), name="x")
    for file, names in (("c.json", "ab"), ("d.json", "ba")):
        y = Dense(4, activation="tanh", name=names[1])(Dense(4, name=names[0])(x))
        Path(file).write_text(Model(x, y, name="m").to_json())
    fields = [c["fields"] for c in difference(capsys, "c.json", "d.json")["changed"]]
    assert fields == [{"name": ["a", "b"]}, {"name": ["b", "a"]}]
    fields = [c["fields"] for c in difference(capsys, "c.json", "d.json", "--by-name")["changed"]]
    assert {"activation", "operands"} <= set(fields[0])


def test_order_of_inputs_and_updates_count():
    def made(swap: bool, rate: float) -> Graph:
        a, b = input_node((2,), name="a"), input_node((2,), name="b")
        w = Variable(np.zeros(2), name="w", dtype="float32")
        return Graph((b, a) if swap else (a, b), (("y", a - b),), ((w, w + a * rate),))

    assert compare_graphs(made(False, 1.5), made(False, 1.5)).identical
    assert compare_graphs(made(False, 1.5), made(True, 1.5)).signature == ("inputs: a, b -> b, a",)
    [change] = compare_graphs(made(False, 1.5), made(False, 2.5)).changed
    assert change.fields == {"value": ("1.5", "2.5")}


@pytest.mark.parametrize("stage", ["", "@core"])
def test_values_of_weights(stage, capsys):
    x = Input((3,), name="x")
    dense = Dense(2, name="out")
    model = Model(x, dense(x))
    save(model.graph, "a.json")
    dense.set_weights([np.ones((3, 2)), np.zeros(2)])
    save(model.graph, "b.json")
    assert main(["diff", f"a.json{stage}", f"b.json{stage}"]) == 0
    assert main(["diff", f"a.json{stage}", f"b.json{stage}", "--values"]) == 1
    assert "out/kernel" in capsys.readouterr().out


def test_long_graphs_are_compared_quickly():
    def made(where: int) -> Graph:
        x = y = input_node((2,), name="x")
        for i in range(5000):
            y = ops.tanh(y) if i != where else ops.exp(y)
        return Graph((x,), (("y", y),))

    assert compare_graphs(made(-1), made(-1)).identical
    found = compare_graphs(made(-1), made(2500))
    assert [c.fields for c in found.changed] == [{"op": ("tanh", "exp")}]
    assert (found.added, found.removed) == ((), ())
