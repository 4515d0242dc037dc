"""kgraph on one workload in this process: `python -m kgraph.tools.bench.own time|plan NAME`."""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

import kgraph
from kgraph.runtime.emit import Plan
from kgraph.tools.bench.counting import count_all
from kgraph.tools.bench.peers.builders import build
from kgraph.tools.bench.peers.timing import Subject, by_fit, converse
from kgraph.tools.bench.peers.workloads import batch_of


def main(argv: Sequence[str]) -> None:
    """Prints a line of JSON.

    Args:
        argv: `plan` for what the step consists of, or `time` for answers to the lines of standard
            input; and the workload.
    """
    what, name = argv
    if what == "time":
        converse("kgraph", name, subject(name), sys.stdin)
    else:
        print(json.dumps(describe_step(name)))


def build_own(name: str) -> Any:
    """kgraph's model of a workload, compiled."""
    return build(kgraph, name)


def subject(name: str) -> Subject:
    """kgraph's model of a workload, ready to be timed."""
    return by_fit(lambda: build_own(name), name)


def describe_step(name: str) -> dict[str, Any]:
    """What the compiled training step of a workload consists of.

    Returns:
        compile_ms: from the compiled model to the plan that can run; nodes and steps: of the
        optimized graph and of its plan; what `count_all` counts; arena_bytes and lower_bound:
        memory of the plan; python_bytes: what one run allocates besides, at its peak; peak_bytes:
        all of it, with the states and the batch.
    """
    model, (xs, ys) = build_own(name), batch_of(name)
    start = time.perf_counter()
    executable = model.executable(xs, ys)
    plan = executable.bind({"batch": len(ys[0])})
    compiled = time.perf_counter() - start
    plan.fill((*xs, *ys))
    borrowed = _allocated(plan)
    held = sum(buffer.nbytes for buffer in plan.inputs)
    held += sum(int(state.type.nbytes) for state in executable.graph.states)
    return {
        "compile_ms": round(compiled * 1e3, 1),
        "nodes": len(executable.graph),
        "steps": len(plan.data.steps),
        **count_all(plan.data),
        "arena_bytes": plan.data.arena_bytes,
        "lower_bound": plan.data.lower_bound,
        "python_bytes": borrowed,
        "peak_bytes": held + plan.data.arena_bytes + borrowed,
    }


def _allocated(plan: Plan) -> int:
    """Bytes that a run allocates at its peak, after one to warm up."""
    plan.run()
    tracemalloc.start()
    plan.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    main(sys.argv[1:])
