"""Prints what the passes and the planner decide for some graphs: equal in every process."""

from __future__ import annotations

import hashlib
import sys

import differential

from kgraph.ir.serialize import dumps
from kgraph.runtime.executable import compile


def fingerprint(seed: int) -> str:
    """A digest of a seed's optimized graph and of its plan's source."""
    case = differential.draw_case(seed)
    step = compile(case.graph)
    plan = step.bind({name: case.binding.get(name, 3) for name in step.graph.symbols})
    places = [(o.offset, o.shape, o.strides) for s in plan.data.steps for o in s.outputs]
    text = "\n".join([dumps(step.graph), plan.source, str(places), str(plan.data.arena_bytes)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        print(number, fingerprint(number))
