"""How far things are: a line on the terminal that goes, and nothing anywhere else."""

from __future__ import annotations

import io
import itertools
import sys

import pytest

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.ir.serialize import save
from kgraph.tools import progress as told
from kgraph.tools.cli import main
from kgraph.tools.progress import doing, progress, watching
from kgraph.tools.terminal import Terminal, note, talking, warn

ERASE = "\r\x1b[2K"


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def on_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Makes stderr a terminal; no fixture, for pytest sets stderr again after those."""
    monkeypatch.setattr(sys, "stderr", Screen())
    return sys.stderr


def shown(screen: io.StringIO) -> list[str]:
    """The lines that one could see, one after the other."""
    lines = screen.getvalue().split(ERASE)
    return [line for line, _ in itertools.groupby(lines) if line]


def test_what_is_done_is_shown_and_goes(monkeypatch):
    screen = on_screen(monkeypatch)
    with doing("reading") as say, doing("weights"):
        say("writing")
    assert shown(screen) == ["reading", "reading > weights", "writing > weights", "writing"]
    assert screen.getvalue().endswith(ERASE)


def test_a_line_fits_the_terminal(monkeypatch):
    screen = on_screen(monkeypatch)
    monkeypatch.setenv("COLUMNS", "10")
    with doing("a very long thing"):
        pass
    assert shown(screen) == ["a very lo"]


def test_items_are_counted(monkeypatch):
    screen = on_screen(monkeypatch)
    clock = itertools.count()
    monkeypatch.setattr(told.time, "monotonic", lambda: next(clock))
    assert list(progress("abc", "letter")) == ["a", "b", "c"]
    assert shown(screen) == [
        "letter", "letter 1 of 3", "letter 2 of 3, 4 s left", "letter 3 of 3, 2 s left"
    ]  # fmt: skip
    assert list(progress(iter("ab"), "draw")) == ["a", "b"]
    assert shown(screen)[-1] == "draw 2"


def test_notes_and_warnings_stand_on_lines_of_their_own(monkeypatch):
    screen = on_screen(monkeypatch)
    with doing("reading"):
        note("wrote x")
        warn("slow")
    assert shown(screen) == ["reading", "wrote x\n", "kgraph: warning: slow\n"]


@pytest.mark.parametrize("verbosity", [0, -1])
def test_nothing_is_shown_elsewhere(verbosity, capsys, monkeypatch):
    with talking(Terminal(verbosity)), watching(), doing("reading"):
        assert list(progress("ab", "letter")) == ["a", "b"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", Screen())
    with talking(Terminal(-1)), watching(), doing("reading"):
        assert list(progress("ab", "letter")) == ["a", "b"]
    assert sys.stderr.getvalue() == ""


def test_a_loop_that_ends_early_leaves_no_line(monkeypatch):
    screen = on_screen(monkeypatch)
    for _ in progress("abc", "letter"):
        break
    assert screen.getvalue().endswith(ERASE)


def test_passes_are_named(tmp_path, monkeypatch, capsys):
    screen = on_screen(monkeypatch)
    monkeypatch.chdir(tmp_path)
    x = input_node((2,), name="x")
    save(Graph((x,), (("y", ops.tanh(x) * 1),)), "g.json")
    for command in (["passes"], ["profile", "--runs", "1"], ["check", "--levels"]):
        assert main([command[0], "g.json", *command[1:]]) == 0
        lines = shown(screen)
        assert "reading g.json" in lines
        assert any("fuse, pass " in line and line.endswith(" nodes") for line in lines), command
        assert screen.getvalue().endswith(ERASE)
        screen.seek(0)
        screen.truncate()
    assert ERASE not in capsys.readouterr().out


def test_an_error_takes_the_line_away(tmp_path, monkeypatch):
    screen = on_screen(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "none.json"]) == 4
    assert shown(screen)[0] == "reading none.json"
    assert shown(screen)[-1].startswith("kgraph: error[E0401]")
