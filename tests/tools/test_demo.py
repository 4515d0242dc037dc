"""`kgraph demo` trains on the bundled digits and draws its graph."""

import json
import re
import shutil

from kgraph.tools.cli import main


def test_demo_learns_real_digits_and_writes_the_graph(tmp_path, capsys):
    picture = tmp_path / "graph.dot"
    assert main(["demo", "-o", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "reader (Dense)" in printed
    accuracy = re.search(r"accuracy on 360 unseen digits: ([\d.]+) \(which digit\)", printed)
    # scikit-learn's MLPClassifier with one layer of 64 units gets 0.90 to 0.92 on this split.
    assert float(accuracy[1]) > 0.89
    assert "shared: calls #1 to #2" in picture.read_text()


def test_demo_draws_without_graphviz(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("dot") is None
    assert main(["demo", "--epochs", "1", "-o", str(tmp_path / "graph.svg")]) == 0
    assert "own engine" in capsys.readouterr().err
    assert "shared: calls #1 to #2" in (tmp_path / "graph.svg").read_text()


def test_demo_as_json(tmp_path, capsys):
    assert main(["demo", "--epochs", "1", "-o", str(tmp_path / "graph.dot"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["steps"]) == (True, 45)
    assert 0 <= found["scores"]["digit_accuracy"] <= 1
