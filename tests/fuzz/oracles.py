"""What must hold for any graph: each oracle takes a case and raises where it does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from agreement import Case, DisagreementError, run_roots, same_bits

from kgraph import config, ops
from kgraph.ir import Graph, Node, Stage, Variable
from kgraph.ir.serialize import dumps, loads
from kgraph.ops import blocks
from kgraph.passes import CORE, Pass, Pipeline
from kgraph.passes.fuse import Fuse
from kgraph.passes.pipeline import Finish
from kgraph.passes.simplify import DropMarkers
from kgraph.runtime import c_source, native, unfuse
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import Executable, compile

LEVELS = ("strict", "safe", "fast")
RUNS = 2
BARE = Pipeline((Finish(),))
FUSING = Pipeline((*(p for p in CORE if p.gives is Stage.CORE), Fuse()))
ALONE = tuple({p.name: p for p in CORE if not isinstance(p, Finish)}.values())
Oracle = Callable[[Case], None]


@contextlib.contextmanager
def numerics(level: str) -> Iterator[None]:
    """Sets `config.numerics` for a block."""
    before, config.numerics = config.numerics, level
    try:
        yield
    finally:
        config.numerics = before


def optimized(graph: Graph, passes: Sequence[Pass], level: str) -> tuple[Graph, bool]:
    """The graph after some passes, and whether all that they did claims to be exact."""
    with numerics(level):
        found, report = Pipeline(tuple(passes)).run(graph)
    return found, all(f.kind == "exact" for r in report.passes for f in r.firings)


# -- passes ------------------------------------------------------------------------------------


def one_pass(case: Case) -> None:
    """Each pass alone keeps the values, and has nothing more to do in a second run."""
    step = ALONE[case.variant % len(ALONE)]
    level = LEVELS[case.variant // len(ALONE) % 3]
    found, exact = optimized(case.graph, (step,), level)
    case.check(run_roots(found, case.arrays), exact or level == "strict", level == "fast")
    if found.stage is Stage.CORE:
        again, _ = optimized(found, (step,), level)
        if again is not found:
            raise DisagreementError(f"{step.name} is not done after one run")


def pipeline(case: Case) -> None:
    """All passes in their order keep the values."""
    level = LEVELS[case.variant % 3]
    found, exact = optimized(case.graph, CORE, level)
    case.check(run_roots(found, case.arrays), exact or level == "strict", level == "fast")


def documents(case: Case) -> None:
    """Graphs before and after the passes survive being written and read."""
    found, _ = optimized(case.graph, CORE, LEVELS[case.variant % 3])
    for graph in (case.graph, found):
        text = dumps(graph)
        back = loads(text)
        if dumps(back) != text:
            raise DisagreementError("the document differs after being read and written")
        before = dict(zip(back.states, graph.states, strict=True))
        for copy, variable in before.items():
            copy.assign(variable.numpy())
        pairs = zip(run_roots(back, case.arrays), run_roots(graph, case.arrays), strict=True)
        if not all(same_bits(got, want) for got, want in pairs):
            raise DisagreementError("the graph that was read computes something else")


# -- plans -------------------------------------------------------------------------------------


def _level(case: Case) -> str:
    return ("strict", "safe", "bare", "fast")[case.variant % 4]


def compiled(case: Case, pipeline: Pipeline | None = None) -> Executable:
    """The case's graph, compiled at the level of its variant."""
    level = _level(case)
    counter = Variable(0, "rng_step", "int64", trainable=False)
    if level == "bare" and pipeline is None:
        pipeline = BARE
    with numerics("strict" if level == "bare" else level):
        return compile(case.graph, rng_step=counter, pipeline=pipeline)


def successive(case: Case, run: Callable[[], Sequence[np.ndarray]], earlier: int = 0) -> None:
    """Compares some runs in a row, each with the interpreter on the states that the run found.

    Args:
        case: graph and arrays.
        run: the outputs of one more run.
        earlier: how many runs there have been.
    """
    before = {v: v.numpy() for v in case.graph.states}
    level = _level(case)
    try:
        for number in range(RUNS):
            start = {v: v.numpy() for v in before}
            outputs = [array.copy() for array in run()]
            found = [*outputs, *(v.numpy() for v, _ in case.graph.updates)]
            end = {v: v.numpy() for v in before}
            _assign(start)
            now = replace(case, step=earlier + number)
            now.check(found, exact=level in ("bare", "strict"), fast=level == "fast")
            unchanged = set(before) - {v for v, _ in case.graph.updates}
            if not all(same_bits(end[v], start[v]) for v in unchanged):
                raise DisagreementError("a state that has no update was written")
            _assign(end)
    finally:
        _assign(before)


def _assign(values: dict[Variable, np.ndarray]) -> None:
    for variable, value in values.items():
        variable.assign(value)


@contextlib.contextmanager
def tiny_blocks() -> Iterator[None]:
    """Makes every fused op pay, in blocks of a few elements."""
    before = blocks.BLOCK_BYTES, unfuse.PAYS
    blocks.BLOCK_BYTES, unfuse.PAYS = 64, 0
    try:
        yield
    finally:
        blocks.BLOCK_BYTES, unfuse.PAYS = before


def blocked_plan(case: Case) -> None:
    """The plan of fused ops that run in several blocks."""
    with tiny_blocks():
        poisoned_plan(case, FUSING)


@contextlib.contextmanager
def all_in_c() -> Iterator[None]:
    """Makes every fused op pay, and compiles those that C can say, whatever their size."""
    before = unfuse.PAYS, native.LEAST_WORK, c_source.LEAST_COLUMNS
    unfuse.PAYS = native.LEAST_WORK = c_source.LEAST_COLUMNS = 0
    try:
        yield
    finally:
        unfuse.PAYS, native.LEAST_WORK, c_source.LEAST_COLUMNS = before


def native_plan(case: Case) -> None:
    """The plan of fused ops that run as compiled C."""
    with all_in_c():
        poisoned_plan(case, FUSING)


def poisoned_plan(case: Case, pipeline: Pipeline | None = None) -> None:
    """The bound plan, over memory full of NaNs, leaves its inputs alone."""
    step = compiled(case, pipeline)
    plan = step.bind(case.binding)

    def run() -> Sequence[np.ndarray]:
        plan._arena[...] = 0xFF
        plan.fill(case.arrays)
        plan.run()
        for buffer, array in zip(plan.inputs, case.arrays, strict=True):
            if not same_bits(buffer, array):
                raise DisagreementError("an input was written")
        return plan.outputs

    successive(case, run)


def prepared_plan(case: Case) -> None:
    """What follows from states alone is computed once and outlives every run, as in `predict`."""
    step = compiled(case)
    plan = step.bind(case.binding)
    plan._arena[...] = 0xFF
    plan.prepare()

    def run() -> Sequence[np.ndarray]:
        plan.fill(case.arrays)
        with np.errstate(all="ignore"):
            plan.run_bare(prepared=True)
        return plan.outputs

    successive(case, run)


def disguised_call(case: Case) -> None:
    """A call on arrays that are strided, reversed, read-only or one array for several inputs."""
    step = compiled(case)
    arrays = disguised(case.arrays)
    kept: list[np.ndarray] = []

    def run() -> Sequence[np.ndarray]:
        outputs = step(*arrays)
        if any(np.shares_memory(y, x) for y in outputs for x in (*arrays, *kept) if y.size):
            raise DisagreementError("an output shares memory with an input or an earlier output")
        kept.extend(outputs)
        return outputs

    successive(case, run)
    if not all(same_bits(a, b) for a, b in zip(arrays, case.arrays, strict=True)):
        raise DisagreementError("an array of the caller was written")


def disguised(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The same values in memory that is strided, reversed or read-only; equal arrays are one."""
    found: list[np.ndarray] = []
    for i, array in enumerate(arrays):
        if i % 3 == 0 or not array.ndim:
            other = np.array(array, order="F")
        elif i % 3 == 1:
            other = np.repeat(array, 2, axis=0)[::2]
        else:
            other = array[::-1].copy()[::-1]
        other = other.view()
        other.flags.writeable = False
        twin = [a for a in found if a.dtype == other.dtype and same_bits(a, other)]
        found.append(twin[0] if twin else other)
    return found


# -- gradients ---------------------------------------------------------------------------------

# Ops with kinks or jumps, at which two forms of one function may have other slopes.
KINKED = frozenset(
    ["relu", "relu6", "leaky_relu", "elu", "selu", "abs", "maximum", "minimum", "max", "min",
     "clip", "sign", "floor", "ceil", "round", "floor_divide", "mod", "hard_sigmoid", "sort",
     "top_k", "where", "prod", "power", "sqrt"]
)  # fmt: skip


def both_orders(case: Case) -> None:
    """Differentiating and then optimizing = optimizing and then differentiating."""
    level = LEVELS[case.variant % 3]
    forward = _smooth_forward(case.graph)
    if forward is None:
        return
    wrt = [n for n in (*forward.inputs, *forward.states) if n.type.is_float]
    late = gradient_graph(forward, wrt)
    if late is None:
        return
    passes = tuple(p for p in CORE if p.gives is Stage.CORE and not isinstance(p, DropMarkers))
    early = gradient_graph(optimized(forward, passes, level)[0], wrt)
    reference = replace(case, graph=late)
    fast = level == "fast"
    reference.check(run_roots(optimized(late, CORE, level)[0], case.arrays), False, fast)
    if early is not None:
        reference.check(run_roots(early, case.arrays), False, fast)


def _smooth_forward(graph: Graph) -> Graph | None:
    """The outputs that a smooth function of the leaves gives."""
    smooth = []
    for name, root in graph.outputs:
        below = Graph(graph.inputs, ((name, root),)).nodes
        if root.type.is_float and not any(n.op.name in KINKED for n in below):
            smooth.append((name, root))
    return Graph(graph.inputs, tuple(smooth)) if smooth else None


def gradient_graph(forward: Graph, wrt: Sequence[Node]) -> Graph | None:
    """Gradients of a bounded function of all outputs; zeros where nothing flows back."""
    losses = [ops.sin(node) for _, node in forward.outputs]
    slopes = grad(losses, wrt)
    if all(s is None for s in slopes):
        return None
    named = tuple(
        (f"slope{i}", ops.zeros_like(x) if s is None else s)
        for i, (x, s) in enumerate(zip(wrt, slopes, strict=True))
    )
    return Graph(forward.inputs, named)
