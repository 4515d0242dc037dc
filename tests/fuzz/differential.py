"""Differential fuzzing: random graphs through passes and plans, against the interpreter.

    python tests/fuzz/differential.py --graphs 50000 --seed 0 --processes 2
    python tests/fuzz/differential.py --seed 1234 --graphs 1      # one case again

The oracles take turns with the seed, one or two a graph. So do levels of numerics, the pass that
is run alone, batches of 5, 1 and 0 rows, sizes of graphs, graphs with updates and without, and tame
graphs (of which rounding is judged) and wild ones (NaNs, infinities, limits of dtypes: bits only).
A failure is made small, printed, and saved as kgraph JSON with its arrays.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pathlib
import sys
import time
import traceback
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np
import oracles
import relations
from agreement import Case
from motifs import MOTIFS
from reduce import reduced

from kgraph.errors import KGraphError
from kgraph.ir import Graph
from kgraph.ir.serialize import save
from kgraph.passes import CORE
from kgraph.passes.rules import PatternRule
from kgraph.testing.drawn_graphs import draw_graph, trimmed
from kgraph.testing.feeds import feed

RULES = {r.name: r for p in CORE for r in getattr(p, "rules", ()) if isinstance(r, PatternRule)}
PLANTS = (*RULES.values(), *MOTIFS * max(len(RULES) // len(MOTIFS), 1))
SIZES = (6, 12, 12, 25)  # steps of a graph at most
BATCHES = (5, 5, 1, 5, 0)
WILD = 4  # one graph in so many
TURNS: tuple[tuple[oracles.Oracle, ...], ...] = (
    (oracles.one_pass, oracles.pipeline),
    (oracles.one_pass, oracles.poisoned_plan),
    (oracles.one_pass, oracles.blocked_plan),
    (oracles.both_orders,),
    (oracles.one_pass, oracles.disguised_call),
    (oracles.one_pass, oracles.poisoned_plan),
    (oracles.documents,),
    (oracles.native_plan,),
    (oracles.one_pass, oracles.blocked_plan),
    (oracles.one_pass, oracles.prepared_plan),
    (relations.told_otherwise,),
    (relations.several_sizes,),
)


def draw_case(seed: int) -> Case:
    """The case of a seed.

    Args:
        seed: from 0 on.

    Returns:
        A random graph with arrays for its inputs.
    """
    rng = np.random.default_rng([seed, 20261121])
    tame = seed % WILD != WILD - 1
    batch = BATCHES[seed // 3 % len(BATCHES)]
    most = SIZES[seed // 7 % len(SIZES)]
    graph = draw_graph(rng, most=most, patterns=PLANTS, tame=tame, empty=batch == 0, planted=60)
    if seed % 5 in (2, 3) and graph.outputs:
        graph = trimmed(Graph(graph.inputs, graph.outputs))  # as in inference: weights are fixed
    kind = "special" if not tame else "normal" if seed % 5 == 1 else "whole"
    arrays = feed(graph, rng, batch=batch, kind=kind)
    return Case(graph, arrays, tame, variant=int(rng.integers(1 << 30)))


def oracles_of(seed: int) -> tuple[oracles.Oracle, ...]:
    """The oracles whose turn it is."""
    return TURNS[seed // WILD % len(TURNS)]


def error_of(oracle: oracles.Oracle, case: Case) -> str | None:
    """What an oracle objects to, or None."""
    try:
        oracle(case)
    except (AssertionError, KGraphError, ArithmeticError, LookupError, TypeError, ValueError):
        return traceback.format_exc(limit=-6)
    return None


def check(seed: int, folder: pathlib.Path | None = None) -> str | None:
    """Runs the oracles of a seed.

    Args:
        seed: names the case.
        folder: where a failing graph goes, made small.

    Returns:
        A report of the failure, or None.
    """
    case = draw_case(seed)
    try:
        case.base  # noqa: B018  # the interpreter must be able to run it
    except IndexError:
        return None  # no row to take from an empty batch
    for oracle in oracles_of(seed):
        error = error_of(oracle, case)
        if error is not None:
            return report(seed, oracle, case, error, folder)
    return None


def report(
    seed: int, oracle: oracles.Oracle, case: Case, error: str, folder: pathlib.Path | None
) -> str:
    """The failure in words, and the small graph in a file."""
    last = error.strip().splitlines()[-1].split(":")[0]

    def fails(smaller: Case) -> bool:
        try:
            smaller.base  # noqa: B018
        except (KGraphError, ArithmeticError, LookupError, TypeError, ValueError):
            return False
        found = error_of(oracle, smaller)
        return found is not None and last in found

    small = reduced(case, fails)
    lines = [f"seed {seed}, {oracle.__name__}, variant {case.variant}", error, str(small.graph)]
    lines.append(error_of(oracle, small) or "")
    lines += [f"{n.name} = {a!r}" for n, a in zip(small.graph.inputs, small.arrays, strict=True)]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        save(small.graph, folder / f"seed{seed}.json")
        np.savez(folder / f"seed{seed}.inputs.npz", *small.arrays)
        lines.append(f"saved as {folder / f'seed{seed}.json'}")
    return "\n".join(lines)


def work(task: tuple[int, int, int, str]) -> tuple[int, list[str]]:
    """One process's share: every `stride`-th seed."""
    first, last, stride, folder = task
    failures = []
    for count, seed in enumerate(range(first, last, stride), 1):
        found = check(seed, pathlib.Path(folder))
        if found is not None:
            failures.append(found)
            print(found, flush=True)
        if count % 1000 == 0:
            print(f"seed {seed}: {count} graphs, {len(failures)} failures", flush=True)
    return len(range(first, last, stride)), failures


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; 1 if a graph failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first graph")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", default="fuzz-failures", help="where failing graphs go")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    first, last, n = options.seed, options.seed + options.graphs, options.processes
    tasks = [(first + i, last, n, options.folder) for i in range(n)]
    if n == 1:
        results = [work(tasks[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(n) as pool:
            results = pool.map(work, tasks)
    graphs, failures = sum(c for c, _ in results), [f for _, fs in results for f in fs]
    seconds = time.perf_counter() - start
    print(f"{graphs} graphs, {len(failures)} failures, {seconds:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
