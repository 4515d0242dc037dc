"""`kgraph viz`: options that bring values, limits and warnings; what contradicts what."""

from __future__ import annotations

import io
import json
import re
import time
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from viz_models import headlines, nested, sequential, siamese

import kgraph.tools.viz.write
from kgraph.tools.cli import build_parser, main
from kgraph.tools.picturing import style_of
from kgraph.tools.viz.palette import SCALE

OVERLAY = {"name": "energy", "unit": "mJ", "nodes": {"reader": 2.5, "a": 1}}


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(siamese().to_json())
    Path("h.json").write_text(headlines().to_json())
    Path("o.json").write_text(json.dumps(OVERLAY))


def viz(*options: str, source: str = "m.json") -> str:
    assert main(["viz", source, *options, "--engine", "own", "-o", "out.svg"]) == 0
    return Path("out.svg").read_text()


def document(*options: str, source: str = "m.json") -> dict:
    assert main(["viz", source, *options, "-o", "out.view.json"]) == 0
    return json.loads(Path("out.view.json").read_text())


def test_a_page_is_the_default(capsys):
    assert main(["viz", "m.json"]) == 0
    assert Path("m.html").read_text().startswith("<!doctype html>")
    assert capsys.readouterr().err.startswith("wrote m.html (")


def test_calls():
    assert viz().count(">reader<") == 1
    assert viz("--calls").count(">reader<") == 2
    Path("n.json").write_text(nested().to_json())
    assert viz("--calls", source="n.json").count(">e1<") == 2


@pytest.mark.parametrize("format", ["svg", "dot", "mermaid", "text", "json", "html"])
def test_overlays_in_every_format(format, capsys):
    assert main(["viz", "m.json", "--overlay", "o.json", "--view", "layers", "-o", "-",
                 "--format", format, "--engine", "own"]) == 0  # fmt: skip
    text = capsys.readouterr().out
    assert "energy" in text
    assert "2.5" in text
    page = {"html": 'overlay\\"', "json": '"color_by": "overlay"'}
    assert page.get(format, "2.5").replace("\\", "") in text
    assert main(["viz", "m.json", "--overlay", "o.json", "-o", "all.html"]) == 0
    assert '"name":"energy"' in Path("all.html").read_text()


def test_names_that_an_overlay_gets_wrong(capsys):
    Path("o.json").write_text(json.dumps({"nodes": {"reader": 1, "raeder": 2, "z": 3}}))
    viz("--overlay", "o.json")
    assert (
        "warning: the overlay's raeder, z is in no picture (2 unknown)" in capsys.readouterr().err
    )
    Path("o.json").write_text(json.dumps({"nodes": {"raeder": 2}}))
    for file in ("x.svg", "x.html"):
        assert main(["viz", "m.json", "--overlay", "o.json", "-o", file]) == 4
        error = capsys.readouterr().err
        assert "error[E0431]: the overlay names nothing" in error
        assert "hint: did you mean reader" in error
        assert not Path(file).exists()


def test_colours_by_every_measure():
    for by in ("op", "trainable", "dtype", "bytes", "flops", "params"):
        text = viz("--color-by", by)
        assert f">{by}</text>" in text
    assert viz("--color-by", "role") == viz()
    assert ">ms</text>" in viz("--color-by", "ms", "--run", "1")
    assert document("--color-by", "params")["color_by"] == "params"


@pytest.mark.parametrize("view", ["layers", "ops", "step", "fused"])
def test_times_of_every_view(view):
    found = document("--view", view, "--run", "1", "--dim", "batch=2", source="h.json")
    assert found["stage"] == ("layers" if view == "layers" else "fused")
    timed = [n["cost"]["ms"] for n in (*found["nodes"], *found["clusters"])
             if "ms" in n.get("cost", {})]  # fmt: skip
    assert len(timed) > 5
    assert min(timed) > 0
    assert found["symbols"]["batch"]["hint"] == 2


def test_times_from_a_profile(capsys):
    assert main(["profile", "h.json", "--runs", "1", "--warmup", "0", "-o", "p.json"]) == 0
    rows = json.loads(Path("p.json").read_text())
    for row in rows["nodes"]:
        row["us"] = 1000.0 * (1 + row["name"].count("lstm"))
    Path("p.json").write_text(json.dumps(rows))
    found = document("--profile", "p.json", "--color-by", "ms", source="h.json")
    ms = {n["label"]: n["cost"]["ms"] for n in found["nodes"] if "ms" in n.get("cost", {})}
    lstm = sum("lstm" in row["name"] for row in rows["nodes"])
    assert (ms["lstm"], ms["joined"]) == (2.0 * lstm, 1.0)
    text = viz("--profile", "p.json", "--color-by", "ms", source="h.json")
    assert f">{2 * lstm} ms<" in text
    assert SCALE[-1] in text
    assert main(["viz", "h.json", "--profile", "p.json", "-o", "p.html"]) == 0
    assert "data-profile" in Path("p.html").read_text()
    assert main(["viz", "m.json", "--profile", "p.json", "-o", "x.svg"]) == 4
    assert "error[E0431]: the profile is of another model" in capsys.readouterr().err


def test_what_is_fed_to_a_run(capsys):
    np.save("left.npy", np.ones((3, 8), "float32"))
    found = document("--run", "1", "--input", "left=left.npy", "--input", "right=ones")
    assert any("ms" in n.get("cost", {}) for n in found["nodes"])
    assert main(["viz", "m.json", "--run", "1", "--input", "lefd=ones", "-o", "x.svg"]) == 4
    assert "error[E0431]: no input 'lefd'" in capsys.readouterr().err
    np.save("left.npy", np.ones((3, 7), "float32"))
    assert main(["viz", "m.json", "--run", "1", "--input", "left=left.npy", "-o", "x.svg"]) == 4


def test_passes_in_json():
    found = document("--passes")
    assert {"pass", "ms", "before", "after", "rules"} <= set(found["passes"][0])
    assert found["passes"][0]["before"]["nodes"] > 0


def test_sizes_get_their_numbers():
    found = document("--dim", "batch=7")
    assert next(n for n in found["nodes"] if n["label"] == "reader")["shape"] == [7, 4]
    assert all(7 in edge["shape"] for edge in found["edges"])
    assert "f32[batch, 8]" in viz()
    assert "f32[7, 8]" in viz("--dim", "batch=7")


def test_numerics():
    strict, fast = (document("--view", "fused", "--numerics", level)["nodes"]
                    for level in ("strict", "fast"))  # fmt: skip
    assert strict
    assert fast


def test_pages_have_a_theme():
    assert main(["viz", "m.json", "--theme", "dark", "-o", "d.html"]) == 0
    assert '<html lang="en" data-theme="dark">' in Path("d.html").read_text()
    for options in ([], ["--view", "layers"]):
        assert main(["viz", "m.json", *options, "-o", "a.html"]) == 0
        assert '<html lang="en">' in Path("a.html").read_text()


def test_sizes_in_pixels_are_those_of_the_image():
    args = build_parser("viz").parse_args(["viz", "m.json", "--dpi", "192", "--size", "400x300"])
    assert style_of(args, "svg").size == (400, 300)
    assert style_of(args, "png").size == (200, 150)  # 192 of them an inch, not 96
    args = build_parser("viz").parse_args(["viz", "m.json", "--size", "2x1in"])
    assert style_of(args, "png").size == style_of(args, "svg").size == (192, 96)


def test_what_was_decided_is_said(capsys):
    Path("s.json").write_text(sequential().to_json())
    viz("--color-by", "flops", source="s.json")
    assert "W0301 batch counts as 32: --dim batch=N" in capsys.readouterr().err
    viz("--color-by", "flops", "--dim", "batch=3", source="s.json")
    viz("--color-by", "params", source="s.json")
    assert "W0301" not in capsys.readouterr().err


def test_only_the_own_engine_wraps(capsys):
    assert main(["viz", "m.json", "--wrap", "2", "-o", "w.svg"]) == 0
    assert "own engine" in capsys.readouterr().err
    for options in (["-o", "w.png"], ["-o", "w.dot"], ["-o", "w.svg", "--engine", "dot"]):
        assert main(["viz", "m.json", "--wrap", "2", *options]) == 2
        error = capsys.readouterr().err
        assert "only the own engine goes on in new columns" in error
        assert "hint: --engine own -o x.svg" in error


@pytest.mark.parametrize(
    ("slow", "what", "options"),
    [
        ("kgraph.tools.viz.write.to_svg", "the picture", ["-o", "x.svg", "--engine", "own"]),
        ("kgraph.tools.viz.dot.to_dot", "the picture", ["-o", "x.svg"]),
        ("kgraph.tools.picturing.build_view", "the view of the graph", ["-o", "x.svg"]),
        ("kgraph.tools.interactive.build_view", "the page", ["-o", "x.html"]),
        ("kgraph.tools.viz.write.to_mermaid", "the picture", ["-o", "x.mmd"]),
    ],
)
def test_a_picture_that_takes_too_long(slow, what, options, capsys, monkeypatch):
    assert main(["viz", "m.json", *options]) == 0  # what is imported late is there from now on
    Path(options[1]).unlink()
    monkeypatch.setattr(slow, lambda *_, **__: time.sleep(30))
    monkeypatch.setitem(kgraph.tools.viz.write._OWN, "mermaid", lambda *_: time.sleep(30))
    assert main(["viz", "m.json", "--timeout", "3", *options]) == 6
    error = capsys.readouterr().err
    assert f"error[E0601]: the time is up: {what} was not done within 3 seconds" in error
    assert "hint: a larger --timeout; --depth or --select" in error
    assert not Path(options[1]).exists()


def test_too_many_boxes(capsys):
    assert main(["viz", "m.json", "--max-nodes", "3", "-o", "x.html"]) == 6


class Terminal(io.StringIO):
    """A terminal that shows what is written to it."""

    def isatty(self) -> bool:
        return True


def test_binary_data_is_not_for_a_terminal(capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Terminal())
        assert main(["viz", "m.json", "-o", "-", "--format", "png"]) == 2
    error = capsys.readouterr().err
    assert "error[E0101]: a png is nothing for a terminal" in error
    assert "hint: -o x.png, or a pipe" in error


def test_binary_data_goes_into_a_pipe(capsysbinary, tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nprintf '\\211PNG'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert main(["viz", "m.json", "-o", "-", "--format", "png"]) == 0
    assert capsysbinary.readouterr().out == b"\x89PNG"


@pytest.mark.parametrize("kind", ["none", "text", "windows"])
def test_a_browser_is_opened_where_there_is_a_display(kind, monkeypatch, capsys):
    opened = []

    class Windows(webbrowser.GenericBrowser):
        def open(self, url, new=0, autoraise=True):
            opened.append(url)
            return True

    def get():
        if kind == "none":
            raise webbrowser.Error("no browser")
        return webbrowser.GenericBrowser("lynx") if kind == "text" else Windows("firefox")

    monkeypatch.setattr(webbrowser, "get", get)
    viz("--open")
    assert opened == ([Path("out.svg").resolve().as_uri()] if kind == "windows" else [])
    assert ("no browser to open out.svg in" in capsys.readouterr().err) == (kind != "windows")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--color-by", "ms"], 2, "nothing is known to colour by ms"),
        (["--color-by", "overlay"], 2, "nothing is known to colour by overlay"),
        (["--color-by", "colour"], 2, "invalid choice: 'colour'"),
        (["--color-by", "parms"], 2, "did you mean 'params'"),
        (["--color-by", "params", "--view", "memory"], 2, "no boxes for times, overlays or"),
        (["--overlay", "none.json"], 4, "error[E0401]: none.json: No such file"),
        (["--overlay", "bad.json"], 4, "error[E0401]: bad.json: "),
        (["--overlay", "list.json"], 4, "error[E0402]: list.json holds no JSON object"),
        (["--overlay", "m.json"], 4, "error[E0402]: an overlay needs an object with nodes"),
        (["--profile", "o.json"], 4, "error[E0402]: o.json is no profile"),
        (["--profile", "o.json", "--run", "2"], 2, "--run and --profile both say the times"),
        (["--run", "0"], 2, "'0' is not a whole number above 0"),
        (["--input", "x=ones"], 2, "--input is for --run N"),
        (["--run", "1", "--view", "ops", "--stage", "core"], 2, "not of ops before the passes"),
        (["--passes"], 2, "--passes is for -o x.html without --view, and for json"),
        (["--dim", "bacth=3"], 4, "did you mean 'batch'"),
        (["--numerics", "wild"], 2, "invalid choice"),
        (["--from", "nowhere", "--to", "a"], 4, "error[E0431]"),
        (["--from", "a", "--to", "reader"], 4, "no edges lead from 'a' to 'reader'"),
        (["--select", "zz*"], 4, "expected: left, right, reader"),
        (["--hops", "-1"], 2, "not a whole number from 0 on"),
        (["--view", "step", "--loss", "mes"], 2, "error[E0101]: the training step: Unknown loss"),
        (["--around", "raeder"], 4, "did you mean reader"),
        (["--format", "dot"], 2, "--format dot contradicts the extension of x.svg"),
        (["-o", "x.bmp"], 2, "expected: extension svg"),
        (["-o", "-"], 2, "Standard output needs --format"),
    ],
)
def test_what_is_refused(options, code, message, capsys):
    Path("bad.json").write_text('{"nodes": {"a": 1,}')
    Path("list.json").write_text("[]")
    assert main(["viz", "m.json", "-o", "x.svg", *options]) == code
    error = capsys.readouterr().err
    assert message in re.sub(r"\n  (expected|hint): ", lambda m: f" {m[1]}: ", error)
    assert not list(Path().glob("x.*"))


def test_a_format_for_a_file_without_an_extension(capsys):
    assert (
        main(
            [
                "viz",
                "m.json",
                "-o",
                "picture",
                "-o",
                "x.svg.part",
                "--format",
                "svg",
                "--engine",
                "own",
            ]
        )
        == 0
    )
    assert Path("picture").read_bytes() == Path("x.svg.part").read_bytes()
    assert Path("picture").read_text().startswith("<svg")
    assert main(["viz", "m.json", "-o", "x.bmp"]) == 2
    assert "error[E0101]: No picture can be written to x.bmp" in capsys.readouterr().err
