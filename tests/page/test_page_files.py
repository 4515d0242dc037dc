"""Pages as files: what `kgraph viz` and `to_html` write, and what they refuse."""

from __future__ import annotations

import json
import re

import pytest
from page_models import two_headed_model

from kgraph.tools.cli import main
from kgraph.tools.viz.html_page import FOLDER, join_modules
from kgraph.utils import to_html


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "heads.json"
    path.write_text(two_headed_model().to_json())
    return path


def tabs_of(page):
    pattern = r'<script type="application/json" id="(.*?)">(.*?)</script>'
    found = {name: json.loads(text) for name, text in re.findall(pattern, page)}
    return {tab["id"]: found[f"data-{tab['id']}"] for tab in found["data"]["tabs"]}


@pytest.mark.parametrize(
    ("options", "tabs"),
    [
        ([], ["layers", "ops", "fused", "memory"]),
        (["--training"], ["layers", "step", "fused", "memory"]),
        (["--passes", "--run", "2"], ["layers", "ops", "fused", "memory", "passes", "profile"]),
        (["--view", "ops"], ["ops"]),
        (["--view", "memory"], ["memory"]),
    ],
)
def test_pages_hold_their_views(model_file, tmp_path, options, tabs):
    target = tmp_path / "x.html"
    assert main(["viz", str(model_file), "-o", str(target), *options]) == 0
    assert list(tabs_of(target.read_text())) == tabs


def test_a_page_and_a_picture_at_once(model_file, tmp_path, capsys):
    page, picture = tmp_path / "x.htm", tmp_path / "x.svg"
    command = ["viz", str(model_file), "-o", str(page), "-o", str(picture), "--engine", "own"]
    assert main(command) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert "<svg" in picture.read_text()
    assert capsys.readouterr().err.count("wrote") == 2


@pytest.mark.parametrize("options", [["x.svg", "--passes"], ["x.html", "--passes", "--view=ops"]])
def test_what_only_whole_pages_have_is_refused(model_file, options, capsys):
    assert main(["viz", str(model_file), "-o", *options]) == 2
    assert "E0101" in capsys.readouterr().err


def test_a_page_is_not_replaced_where_that_is_not_wanted(model_file, tmp_path, capsys):
    target = tmp_path / "x.html"
    target.write_text("mine")
    assert main(["viz", str(model_file), "-o", str(target), "--no-clobber"]) == 2
    assert target.read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


def test_equal_models_give_equal_pages(model_file, tmp_path):
    pages = [tmp_path / name for name in ("a.html", "b.html")]
    for page in pages:
        assert main(["viz", str(model_file), "-o", str(page), "--title", "t"]) == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_a_page_of_a_model_in_hand():
    tabs = tabs_of(to_html(two_headed_model(), training=True))
    assert {node["label"] for node in tabs["layers"]["view"]["nodes"]} >= {"lstm", "main", "aux"}
    roles = {node["role"] for node in tabs["step"]["view"]["nodes"]}
    assert roles >= {"forward", "loss", "backward", "update"}


def test_the_page_asks_for_nothing():
    page = to_html(two_headed_model())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def test_every_module_is_part_of_the_page():
    script = join_modules()
    for path in FOLDER.glob("*.js"):
        assert f"const module_{path.stem} = " in script
    assert "\nimport " not in script
    assert "\nexport " not in script


def test_what_was_written_is_said_in_json(model_file, tmp_path, capsys):
    target = tmp_path / "x.html"
    assert main(["viz", str(model_file), "-o", str(target), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"ok": True, "code": 0, "files": [{"path": str(target), "format": "html"}]}
    assert main(["viz", str(tmp_path / "none.json"), "-o", str(target), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["ok"] is False
