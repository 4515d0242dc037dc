"""Memory in which nothing lives is garbage: plans do not notice, wrong ones do."""

from __future__ import annotations

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.runtime.emit import Plan
from kgraph.runtime.planning import make_plan
from kgraph.runtime.poison import run_poisoned


def chain() -> Graph:
    x = input_node((Dim.symbol("batch"), 64), name="x")
    w = Variable(np.full((64, 64), 0.1), name="w", dtype="float32")
    y = ops.tanh(x @ w)
    for _ in range(3):
        y = ops.tanh(y @ w) + ops.exp(y)
    return Graph((x,), (("y", y),), ((w, w * 0.5),))


def run(plan: Plan, run_it) -> list[bytes]:
    (w,) = plan.data.graph.states
    kept = w.numpy()
    plan.inputs[0][...] = np.linspace(-1, 1, plan.inputs[0].size).reshape(plan.inputs[0].shape)
    run_it(plan)
    found = [plan.outputs[0].tobytes(), w.value.tobytes()]
    w.assign(kept)
    return found


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_a_right_plan_does_not_notice(batch):
    plan = Plan(make_plan(chain(), {"batch": batch}))
    assert run(plan, run_poisoned) == run(plan, Plan.run)
    assert run(plan, run_poisoned) == run(plan, Plan.run)


def test_what_is_read_after_its_end_shows():
    plan = Plan(make_plan(chain(), {"batch": 2}))
    right = run(plan, Plan.run)
    for buffer in plan.data.buffers:
        end, buffer.end = buffer.end, buffer.start
        same = run(plan, run_poisoned) == right
        assert same is (end == buffer.start)
        buffer.end = end


def test_moments_rise_and_cover_the_lifetimes():
    data = make_plan(chain(), {"batch": 2})
    found = [step.moment for step in data.steps]
    assert found == sorted(found)
    assert {b.start for b in data.buffers if b.size} <= set(found)
