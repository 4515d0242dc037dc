"""Random graphs, valid by construction: an op is chosen, and operands whose types it accepts.

Thousands of graphs a second from a NumPy generator, the same ones under hypothesis, where they
shrink. A graph has up to 40 steps: diamonds, several outputs, updated states, ops of all families.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from kgraph import ops
from kgraph.errors import KGraphError
from kgraph.ir.graph import Graph, substitute
from kgraph.ir.leaves import const
from kgraph.ir.node import Node
from kgraph.ir.origin import Origin, making
from kgraph.ir.variable import Variable
from kgraph.passes.pattern import Call, Unknown
from kgraph.passes.rules import PatternRule
from kgraph.testing.choices import Choices, Drawn
from kgraph.testing.loop_steps import loop
from kgraph.testing.planting import CONSTANTS, build_left_side, side_of_zero
from kgraph.testing.pool import LIMIT, Pool, Value, clipped, make_pool
from kgraph.testing.steps import ELEMENTWISE, Step, differentiate
from kgraph.testing.tensor_steps import TENSOR
from kgraph.testing.window_steps import WINDOWS

# What may be planted: a rule of a pattern, a pattern, or for what has none a graph or a step.
Plant: TypeAlias = PatternRule | Call | Graph | Step
PLANTED = 30  # percent of the steps, where there is something to plant
STEPS: tuple[Step, ...] = (*ELEMENTWISE, *TENSOR, *WINDOWS, loop, differentiate)
# Unknown's kinds -> kinds of values; floats first, for most rules are about them.
_KINDS = {"f": "float", "i": "int", "b": "bool"}


def draw_graph(
    rng: np.random.Generator,
    *,
    most: int = 40,
    patterns: Sequence[Plant] = (),
    tame: bool = True,
    gradients: bool = True,
    empty: bool = True,
    planted: int = PLANTED,
) -> Graph:
    """Draws a valid graph.

    Args:
        rng: what is drawn from; equal states give equal graphs.
        most: steps at most; a step adds up to some ten nodes.
        patterns: what to plant: left sides of rules or patterns, graphs whose inputs are replaced,
            or functions of a `Pool` that give new values.
        tame: whether all values are finite and two orders of the same arithmetic differ by rounding
            only; otherwise constants hold NaNs, infinities and huge numbers.
        gradients: whether parts are gradients of other parts.
        empty: whether the graph must run without any rows, so that nothing takes the first row.
        planted: percent of the steps that plant something, where there is something to plant.

    Returns:
        A graph with one to some ten outputs, most often with updates of variables of its own.

    Example:
        >>> graph = draw_graph(np.random.default_rng(7), most=10)
        >>> len(graph.outputs) > 0
        True
    """
    return choose_graph(Drawn(rng), most, patterns, tame, gradients, empty, planted)


def choose_graph(
    choices: Choices,
    most: int = 40,
    patterns: Sequence[Plant] = (),
    tame: bool = True,
    gradients: bool = True,
    empty: bool = True,
    planted: int = PLANTED,
) -> Graph:
    """The same from any source of decisions; see `draw_graph`."""
    # A label of their own: nobody wrote these nodes, and finding the caller's line takes time.
    with making(Origin()):
        pool = make_pool(choices, tame, empty)
        choices.some(1, most, functools.partial(_grow, pool, patterns, gradients, planted))
        return _finish(pool)


def _grow(pool: Pool, patterns: Sequence[Plant], gradients: bool, planted: int) -> None:
    """Tries one step; where the shapes do not go together nothing comes of it."""
    choices = pool.choices
    if patterns and choices.chance(planted):
        step: Step = functools.partial(plant, patterns=patterns)
    else:
        step = choices.among(STEPS if gradients and pool.tame else STEPS[:-1])
    try:
        made = step(pool)
    except (KGraphError, ValueError, IndexError):
        return
    for value in made:
        if len(value.node.types) == 1:
            pool.add(value)


# -- planting ----------------------------------------------------------------------------------
def plant(pool: Pool, patterns: Sequence[Plant]) -> list[Value]:
    """A left side on values of the pool; half the time its inner nodes get other users as well."""
    chosen = pool.choices.among(patterns)
    if isinstance(chosen, Graph):
        return _plant_graph(pool, chosen)
    if not isinstance(chosen, (PatternRule, Call)):
        return chosen(pool)
    pattern = chosen.pattern if isinstance(chosen, PatternRule) else chosen
    previous: list[Node] = []

    def operand(unknown: Unknown) -> Node:
        node = _operand(pool, unknown.dtypes, previous)
        previous.append(node)
        # Between 0.1 and 0.5 or their negatives hardly any left side leaves a function's domain.
        tame = pool.tame and node.type.is_float
        return side_of_zero(pattern) * (0.3 + 0.2 * ops.sin(node)) if tame else node

    constants = [c for c in CONSTANTS if c or not pool.tame]
    root, inner = build_left_side(pattern, pool.choices, operand, constants)
    if pool.empty and any(_needs_rows(n) for n in (*inner, root)):
        return []
    shown = inner if pool.choices.flag() else []
    exact = all(pool.tame and n.dtype[0] != "f" for n in previous)
    return [Value(n, exact, 100.0) for n in (*shown, root) if len(n.types) == 1]


def _needs_rows(node: Node) -> bool:
    """Whether an empty batch has no such value: there is no largest of no elements."""
    if node.op.name in ("max", "min", "mean", "sum", "logsumexp"):
        sizes = [node.inputs[0].shape[axis] for axis in node.attrs["axis"]]
        return any(not isinstance(d, int) or d == 0 for d in sizes)
    return node.op.name == "slice"


def _operand(pool: Pool, dtypes: str, previous: Sequence[Node]) -> Node:
    """A value of one of the kinds, of the type of the one before where there is one."""
    kinds = [_KINDS[k] for k in dtypes]
    before = next((n for n in previous[::-1] if Value(n).kind in kinds), None)

    def fits(v: Value) -> bool:
        if v.kind not in kinds or (pool.tame and not v.exact and not v.is_float):
            return False
        return before is None or v.dtype == before.dtype

    value = pool.pick(fits)
    if value is None:
        return before if before is not None else const(2, "float32")
    if before is not None and value.shape != before.shape and pool.choices.chance(70):
        return before
    return value.node


def _plant_graph(pool: Pool, graph: Graph) -> list[Value]:
    """The graph's outputs with its inputs replaced by values of the same type, where there are."""
    table = {}
    for node in graph.inputs:
        found = pool.pick(lambda v, node=node: v.node.types == node.types)  # type: ignore[misc]
        if found is None:
            return []
        table[node] = found.node
    roots = substitute([n for _, n in graph.outputs], table)
    return [Value(n, False, 100.0) for n in roots]


# -- outputs and updates -----------------------------------------------------------------------
def _finish(pool: Pool) -> Graph:
    """Names outputs and updates, and keeps the inputs that they need."""
    choices, values = pool.choices, pool.values
    used = {i for v in values for i in v.node.inputs}
    ends = [v.node for v in values if v.node.inputs and v.node not in used]
    outputs = ends[len(ends) - choices.between(0, min(len(ends), 8)) :]
    for _ in range(choices.between(0 if outputs else 1, 3)):
        outputs.append(choices.among(values[::-1]).node)
    updates: list[tuple[Variable, Node]] = []
    for state in pool.states:
        if choices.chance(60):
            type_ = state.node.type
            fitting = [v for v in values[::-1] if v.shape == state.shape and v.node.type == type_]
            fitting = [v for v in fitting if not pool.tame or v.exact or not state.exact]
            chosen = choices.among(fitting)
            if pool.tame and chosen.bound > LIMIT:
                chosen = clipped(chosen)  # to be the state's next value run after run
            updates.append((state.node, chosen.node))  # type: ignore[arg-type]
    named = tuple((f"y{i}", n) for i, n in enumerate(outputs))
    return trimmed(Graph(pool.inputs, named, tuple(updates)))


def trimmed(graph: Graph) -> Graph:
    """The graph without inputs that nothing reads, one kept for each symbolic size.

    Args:
        graph: any graph.

    Returns:
        A graph of the same outputs and updates.

    Example:
        >>> from kgraph.ir import input_node
        >>> x, y = input_node((2,), name="x"), input_node((2,), name="y")
        >>> [n.name for n in trimmed(Graph((x, y), (("out", x + 1),))).inputs]
        ['x']
    """
    needed = set(graph.nodes)
    kept = [n for n in graph.inputs if n in needed]
    shown = {d for n in kept for d in n.shape}
    bare = Graph(tuple(kept), graph.outputs, graph.updates, graph.stage)
    for node in graph.inputs:
        new = [d for d in node.shape if not isinstance(d, int) and d not in shown]
        if any(str(d) in bare.symbols for d in new):
            kept.append(node)
            shown.update(new)
    order = {n: i for i, n in enumerate(graph.inputs)}
    inputs = tuple(sorted(kept, key=order.__getitem__))
    return Graph(inputs, graph.outputs, graph.updates, graph.stage)
