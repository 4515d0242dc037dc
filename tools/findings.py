"""What is wrong, or odd, in a model: each finding with a level, a code, a place and a message."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.errors import KGraphError
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import is_const
from kgraph.ir.node import Node
from kgraph.ir.printer import name_nodes
from kgraph.ir.serialize import dumps, loads
from kgraph.ir.variable import keeping
from kgraph.ir.verify import verify
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.passes.simplify import DropMarkers, Simplify
from kgraph.passes.stabilize import Stabilize
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.runtime.poison import run_poisoned
from kgraph.testing.failures import CheckError
from kgraph.testing.feeds import Kind, feed
from kgraph.testing.gradients import check_gradients
from kgraph.tools.divergence import apart, run_kept
from kgraph.tools.feeding import running
from kgraph.tools.models import as_model, graph_of
from kgraph.tools.progress import progress
from kgraph.tools.stages import LEVELS, numerics

ERROR, WARNING, NOTE = "error", "warning", "note"
_KINDS: tuple[Kind, ...] = ("normal", "smooth", "whole", "special")
_RTOL, _ATOL = 1e-3, 1e-4
_ROWS = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or odd.

    Args:
        level: error, warning or note.
        code: a short name of it.
        location: input, variable, node or layer.
        message: what is so.
    """

    level: str
    code: str
    location: str
    message: str

    def __str__(self) -> str:
        return f"{self.level} {self.code} {self.location}: {self.message}"


def structure(found: Any) -> list[Finding]:
    """Invariants of the IR with all types inferred again, and files that come back the same."""
    graph, results = graph_of(found), []
    stages = [graph] if graph.stage is not Stage.LAYERS else [graph, lower(graph)]
    for each in stages:
        try:
            verify(each)
        except KGraphError as error:
            first = str(error).split("\n", 1)[0]
            results.append(Finding(ERROR, "invalid", each.stage.value, first))
    try:
        text = dumps(graph)
        again = dumps(loads(text))
    except (KGraphError, ValueError) as error:  # a layer of the user's own
        message = f"it cannot be saved and read again: {error}".split("\n", 1)[0]
        return [*results, Finding(NOTE, "no-file", graph.stage.value, message)]
    if again != text:
        message = "saving and reading it again gives another document"
        results.append(Finding(ERROR, "unstable-file", graph.stage.value, message))
    return results


def unused(found: Any) -> list[Finding]:
    """Inputs that no output needs, and weights that none reaches."""
    graph = lower(graph_of(found))
    inside = set(graph.nodes)
    results = [
        Finding(WARNING, "unused-input", n.name, "no output depends on it")
        for n in graph.inputs
        if n not in inside
    ]
    weights = () if isinstance(found, Graph) else as_model(found).weights
    states = set(graph.states)
    for weight in weights:
        if weight not in states:
            message = "no output depends on it"
            results.append(Finding(WARNING, "unreachable-parameter", weight.name, message))
    return results


def promotions(found: Any) -> list[Finding]:
    """Where float64 begins in a graph that was not fed any."""
    graph, results = lower(graph_of(found)), []
    names = name_nodes(graph)
    for node in graph.nodes:
        wide = any(t.dtype == "float64" for t in node.types)
        above = any(t.dtype == "float64" for n in node.inputs for t in n.types if not is_const(n))
        if wide and node.inputs and not above:
            place = _place(node, names)
            message = f"{node.op.name} makes float64, twice the memory and half the speed"
            results.append(Finding(WARNING, "float64", place, message))
    return results


def instability(found: Any) -> list[Finding]:
    """Forms that overflow or cancel: what the passes rewrite, and what they have to leave."""
    graph = lower(graph_of(found))
    names = name_nodes(graph)
    passes = [p for p in (DropMarkers(), Simplify(), Stabilize()) if graph.stage is Stage.CORE]
    _, report = optimize(graph, passes)
    results = []
    for record in report.passes[-1:]:
        for miss in record.near_misses:
            place = _place(miss.node, names)
            message = f"an unstable form stays: rule {miss.rule} is held back, {miss.reason}"
            results.append(Finding(WARNING, "unstable", place, message))
        for firing in record.firings:
            message = f"rule {firing.rule} gives it a form that does not overflow"
            results.append(Finding(NOTE, "stabilised", _place(firing.old, names), message))
    return results


def gradients(found: Any, seed: int) -> list[Finding]:
    """Derivatives of all outputs against central differences, in float64."""
    try:
        check_gradients(found if isinstance(found, Graph) else as_model(found),
                        order=1, directions=2, seed=seed)  # fmt: skip
    except CheckError as error:
        lines = str(error).split("\n", 1)
        return [Finding(ERROR, "gradient", str(error.facts.get("at", "outputs")), lines[0])]
    except KGraphError as error:
        return [Finding(ERROR, "gradient", "outputs", str(error).split("\n", 1)[0])]
    return []


def levels(found: Any, draws: int, seed: int) -> list[Finding]:
    """Plans of every level of numerics against the interpreter, on drawn inputs.

    Args:
        found: a model or graph.
        draws: how many feeds to try; special values come in their turn.
        seed: of them.
    """
    graph, results = lower(graph_of(found)), []
    for number in progress(range(draws), "draw"):
        kind = _KINDS[number % len(_KINDS)]
        arrays = feed(graph, np.random.default_rng([seed, number]), batch=_ROWS, kind=kind)
        with running():
            expected = interpret(graph, arrays)[0]
        for level in LEVELS:
            if kind == "special" and level == "fast":
                continue  # its rules hold for real numbers only
            with numerics(level), running():
                outputs = run_kept(graph, arrays)[0]
            results += _apart(graph, expected, outputs, level, f"{kind} numbers, draw {number}")
    return list(dict.fromkeys(results))


def poison(found: Any, draws: int, seed: int) -> list[Finding]:
    """Plans against themselves over memory in which what is not alive is NaN.

    Args:
        found: a model or graph.
        draws: how many feeds to try.
        seed: of them.
    """
    graph = lower(graph_of(found))
    plan = compile(graph).bind(dict.fromkeys(graph.symbols, _ROWS))
    results = []
    for number in progress(range(draws), "poisoned draw"):
        arrays = feed(graph, np.random.default_rng([seed, number]), batch=_ROWS)
        pair = []
        for run in (plan.run, functools.partial(run_poisoned, plan)):
            plan.fill(arrays)
            with keeping(plan.data.graph.states), running(), np.errstate(all="ignore"):
                run()
                pair.append(_bits(plan))
        results += [
            Finding(ERROR, "poison", name, "memory is read in which nothing lives")
            for name, bits in pair[0].items()
            if bits != pair[1][name]
        ]
    return list(dict.fromkeys(results))


def _bits(plan: Plan) -> dict[str, bytes]:
    """The bits of outputs and states after a run, and of inputs that should be as they were."""
    graph = plan.data.graph
    outputs = {name: a.tobytes() for (name, _), a in zip(graph.outputs, plan.outputs, strict=True)}
    inputs = {n.name: a.tobytes() for n, a in zip(graph.inputs, plan.inputs, strict=True)}
    return inputs | {v.name: v.value.tobytes() for v in graph.states} | outputs


def _apart(
    graph: Graph, expected: Sequence[Any], outputs: Sequence[Any], level: str, what: str
) -> list[Finding]:
    results = []
    for (name, _), a, b in zip(graph.outputs, expected, outputs, strict=True):
        # A stable form may have numbers where the plain one has none.
        known = np.isfinite(a) if a.dtype.kind == "f" else np.ones(a.shape, bool)
        error = apart(np.where(known, a, 0), np.where(known, b, 0), _RTOL, _ATOL)
        if error is not None:
            message = f"numerics {level} and the interpreter differ by {error:.2g} on {what}"
            results.append(Finding(ERROR, "levels", name, message))
    return results


def _place(node: Node, names: Any) -> str:
    origin = node.origin
    known = [names.get(node, node.op.name), origin.scope, origin.where]
    return " ".join(part for part in known if part)
