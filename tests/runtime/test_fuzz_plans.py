"""Random graphs through plans and through the interpreter: the same outputs and the same states.

Buffers are stale from the run before and poisoned, so a plan that reads memory before writing it,
or after its value has died, gives NaN. Arrays come strided, read-only and one for several inputs.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgraph.ir import Graph, Variable
from kgraph.ir.verify import verify
from kgraph.passes.manager import Pipeline
from kgraph.runtime.executable import Executable, compile
from kgraph.runtime.interp import interpret
from kgraph.runtime.poison import run_poisoned
from kgraph.testing.choices import seeds
from kgraph.testing.drawn_graphs import draw_graph
from kgraph.testing.feeds import feed
from kgraph.testing.strategies import graphs

RUNS = 2


def budget(examples: int) -> settings:
    """Settings of one amount of work."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def disguised(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The same values in memory that is strided, reversed or read-only; equal arrays are one."""
    found: list[np.ndarray] = []
    for i, array in enumerate(arrays):
        if i % 3 == 0 and array.ndim == 2:
            other = np.asfortranarray(array)
        elif not array.ndim:
            other = array.copy()
        elif i % 3 == 1:
            other = np.repeat(array, 2, axis=0)[::2]
        else:
            other = array[::-1].copy()[::-1]
        other.flags.writeable = False
        twin = [a for a in found if a.shape == other.shape and np.array_equal(a, other)]
        found.append(twin[0] if twin else other)
    return found


def expected_runs(
    graph: Graph, arrays: list[np.ndarray]
) -> list[tuple[tuple[np.ndarray, ...], dict[Variable, np.ndarray]]]:
    """Outputs and new states of several runs in a row; the states are left as they were."""
    before = {v: v.numpy() for v in graph.states}
    found = []
    for step in range(RUNS):
        outputs, updates = interpret(graph, arrays, step=step)
        found.append((outputs, updates))
        for variable, value in updates.items():
            variable.assign(value)
    restore(before)
    return found


def restore(values: dict[Variable, np.ndarray]) -> None:
    """Gives variables back what they held."""
    for variable, value in values.items():
        variable.assign(value)


def check_agree(got: np.ndarray, want: np.ndarray, name: str) -> None:
    """Equal up to the rounding that another order of the same sums may give."""
    assert got.dtype == want.dtype, name
    assert got.shape == want.shape, name
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want, err_msg=name)
        return
    loose = 2e-2 if want.dtype == np.float16 else 1e-3
    np.testing.assert_allclose(got, want, rtol=loose, atol=loose, err_msg=name)


def run_bound(
    run: Executable, arrays: list[np.ndarray], binding: dict[str, int]
) -> tuple[np.ndarray, ...]:
    """Runs the bound plan where what does not live is NaN; inputs come out as they went in."""
    plan = run.bind(binding)
    plan.fill(arrays)
    run_poisoned(plan)
    for buffer, array in zip(plan.inputs, arrays, strict=True):
        np.testing.assert_array_equal(buffer, array, err_msg="an input was written")
    return plan.outputs


def check_program(graph: Graph, batch: int, seed: int) -> None:
    """Runs a graph optimized and as it is, called and bound, and compares with the interpreter."""
    verify(graph)
    arrays = feed(graph, np.random.default_rng(seed), batch=batch)
    binding = dict.fromkeys(graph.symbols, batch)
    try:
        wanted = expected_runs(graph, arrays)
    except IndexError:  # an empty batch has no first row: the plan must not invent one
        with pytest.raises(IndexError, match="is no part of axis"):
            compile(graph, pipeline=Pipeline(()))(*arrays)
        return
    before = {v: v.numpy() for v in graph.states}
    counter = Variable(0, "runs", "int64", trainable=False)
    compiled = [compile(graph, rng_step=counter, pipeline=p) for p in (None, Pipeline(()))]
    for run, poisoned in itertools.product(compiled, (False, True)):
        for outputs, updates in wanted:
            if poisoned:
                found = run_bound(run, arrays, binding)
            else:
                found = run(*disguised(arrays))
            for (name, _), got, want in zip(graph.outputs, found, outputs, strict=True):
                check_agree(got, want, name)
            for variable, value in before.items():
                check_agree(variable.value, updates.get(variable, value), variable.name)
        restore({**before, counter: np.array(0)})


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_plans_agree_with_the_interpreter(batch):
    for rng in seeds(60, seed=batch):
        check_program(draw_graph(rng, most=25, empty=False), batch, seed=1)


@budget(60)
@given(graphs(most=25, empty=False), st.sampled_from([0, 1, 5]), st.integers(0, 5))
def test_a_plan_that_disagrees_shrinks(graph, batch, seed):
    check_program(graph, batch, seed)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_plans_of_larger_graphs_agree_with_the_interpreter(batch):
    for rng in seeds(40, seed=batch):
        check_program(draw_graph(rng, most=80, empty=False), batch, seed=1)
