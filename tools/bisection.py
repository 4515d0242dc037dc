"""Bisection of a wrong result: the number of firings at which a check begins to fail.

CHECK.py defines `check(executable)`, which gets a `kgraph.runtime.executable.Executable` and calls
it on arrays of its choice. It returns False or raises when the result is wrong; whatever else it
returns means that all is well. It must give the same answer for the same executable; variables get
their old values back after each check.
"""

from __future__ import annotations

import contextlib
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph, toposort
from kgraph.ir.variable import keeping
from kgraph.passes.blame import cut_out, first_bad, rerun
from kgraph.passes.journal import Firing, fueled
from kgraph.passes.manager import CompileReport, Pipeline
from kgraph.runtime.executable import Executable, compile
from kgraph.testing.comparing import compare_bits
from kgraph.testing.values import STRICT_DRAWS, draw_values
from kgraph.testing.widening import as_functions
from kgraph.tools.complaints import CommandError, unreadable

Check = Callable[[Executable], Any]


@dataclass(frozen=True)
class Guilt:
    """What a bisection found.

    Args:
        number: of the guilty firing, counted from 1.
        firings: of the whole compilation.
        failure: what the check said.
        step: the pass.
        firing: the replacement.
        reproduction: both sides of it, as a graph with the outputs `before` and `after`.
        alone: whether the pass does the same to the side `before` on its own.
        differs: whether the two sides differ in any bit on drawn inputs.
    """

    number: int
    firings: int
    failure: str
    step: str
    firing: Firing
    reproduction: Graph
    alone: bool
    differs: bool


def load_check(path: str) -> Check:
    """The function `check` of a Python file.

    Raises:
        CommandError: it cannot be read or fails, or has no such function.
    """
    try:
        with open(path, "rb"), contextlib.redirect_stdout(sys.stderr):  # its words are no result
            found = runpy.run_path(path).get("check")
    except OSError as error:
        raise unreadable(path, error) from error
    except (Exception, SystemExit) as error:
        message = f"{path} fails: {type(error).__name__}: {error}"
        raise CommandError("E0421", message) from error
    if not callable(found):
        message = explain(f"{path} has no check", expected="def check(executable): ...")
        raise CommandError("E0421", message)
    return found


def bisect(graph: Graph, check: Check, pipeline: Pipeline) -> Guilt | None:
    """Finds the first firing with which a check fails.

    Args:
        graph: a graph of any stage before FUSED.
        check: see the head of this file.
        pipeline: the passes.

    Returns:
        The guilty firing; None if the check never fails.

    Raises:
        KGraphError: the check fails without any firing, or gives two answers for one executable.
    """

    def attempt(fuel: int | None, twice: bool = False) -> tuple[str, Executable, int]:
        with fueled(fuel) as tank:
            executable = compile(graph, pipeline=pipeline)
        failure = _failure(check, executable)
        if twice and bool(_failure(check, executable)) != bool(failure):
            raise KGraphError(
                explain("the check is not deterministic: it passes and fails on one executable",
                        hint="seed its random numbers")
            )  # fmt: skip
        return failure, executable, tank.burnt

    failure, _, count = attempt(None, twice=True)
    plain, _, _ = attempt(0, twice=True)
    if plain:
        raise KGraphError(
            explain("the check fails without any optimization: no rule is to blame", got=plain,
                    hint="the fault is in the model, an op, the check, or a pass before gradients")
        )  # fmt: skip
    if not failure:
        return None
    number = first_bad(lambda n: bool(attempt(n)[0]), count)
    failure, executable, _ = attempt(number)
    return _guilt(number, count, failure, executable.report, pipeline)


def _failure(check: Check, executable: Executable) -> str:
    """What is wrong with the results, "" if nothing; variables keep their values."""
    with keeping(executable.graph.states):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                verdict = check(executable)
        except (Exception, SystemExit) as error:
            return f"{type(error).__name__}: {str(error).strip()}"
    return "" if verdict is None or np.all(verdict) else f"check returned {verdict!r}"


def _guilt(
    number: int, count: int, failure: str, report: CompileReport | None, pipeline: Pipeline
) -> Guilt:
    assert report is not None
    record = next(p for p in reversed(report.passes) if p.firings)
    firing, stage = record.firings[-1], record.after.stage
    small = cut_out(firing.old, firing.new, stage)
    step = next(p for p in pipeline.passes if p.name == record.name)
    half = Graph(small.inputs, small.outputs[:1], (), record.before.stage)
    alone = any(f.rule == firing.rule for f in rerun(step, half, None, frozenset())[1])
    if not alone:  # a condition wants to see more of what is below
        needed = set(toposort([firing.old, firing.new]))
        inputs = tuple(n for n in report.source.inputs if n in needed)
        small = Graph(inputs, (("before", firing.old), ("after", firing.new)), (), stage)
    return Guilt(number, count, failure, record.name, firing, small, alone, _differs(small))


def _differs(graph: Graph) -> bool:
    """Whether the two outputs differ in a bit on drawn inputs."""
    before, after = (Graph(graph.inputs, (("y", n),)) for _, n in graph.outputs)
    for kind, batch in STRICT_DRAWS:
        _, old, new = as_functions(graph, before, after)
        arrays = draw_values(graph, kind, batch)
        if compare_bits(old, new, arrays) is not None:
            return True
    return False
