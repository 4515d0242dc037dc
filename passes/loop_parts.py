"""Equal loops become one, and loops lose the parts that nobody needs.

    two loops that hand on alike              ->  one that gives what both gave
    outputs that nobody reads                 ->  gone, with the carries and operands that only
                                                  they need
    operands or outputs that stand twice      ->  once
    an output that is an element of `xs`      ->  the sequence itself
    a carry or an output that never changes   ->  its first value, one value for all steps

The first merges the forward loop of a training step into the one that saves what the backward loop
reads. It compares bodies node for node, so it comes before any rule has seen one of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

from kgraph import ops
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import CONST
from kgraph.ir.node import Node
from kgraph.ir.walk import substitute, toposort
from kgraph.passes.loops import Form, Found, Source, each_loop, find_loops
from kgraph.passes.planned import Plan, PlannedRewrite, PlannedRule, Replacement
from kgraph.passes.rules import Rule


# -- equal loops -------------------------------------------------------------------------------
def _plan_merges(graph: Graph) -> Plan:
    """Loops of the same operands whose carries go the same way."""
    groups: dict[Hashable, list[Found]] = {}
    for found in find_loops(graph):
        node, attrs = found.node, found.node.attrs
        counts = (attrs["consts"], attrs["carry"], attrs["length"], attrs["reverse"])
        key = (node.inputs, counts, attrs["body"].parameters, found.form.after)
        groups.setdefault(key, []).append(found)
    plan: dict[Node, Replacement] = {}
    for group in groups.values():
        if len(group) > 1:
            ys = dict.fromkeys(y for found in group for y in found.form.ys)
            whole = replace(group[0].form, ys=tuple(ys))
            for found in group:
                plan.update(found.redirect(whole.final, whole.sequence))
    return plan


# -- what nobody needs -------------------------------------------------------------------------
def _drop_unused(found: Found) -> Plan:
    form = found.form
    ys = [y for y, node in zip(form.ys, found.stacks, strict=True) if node is not None]
    after = dict(zip(form.carry, form.after, strict=True))
    alive, grown = set(found.finals), True
    while grown:
        needed = set(toposort((*ys, *(after[leaf] for leaf in alive))))
        more = {leaf for leaf in after if leaf in needed} - alive
        alive |= more
        grown = bool(more)
    new = replace(
        form,
        consts=_only(form.consts, needed),
        carry=_only(form.carry, alive),
        xs=_only(form.xs, needed),
        after=tuple(after[leaf] for leaf in after if leaf in alive),
        ys=tuple(ys),
    )
    return _exchange(found, new)


def _only(parts: Mapping[Node, Source], wanted: set[Node]) -> dict[Node, Source]:
    return {leaf: source for leaf, source in parts.items() if leaf in wanted}


def _exchange(found: Found, new: Form) -> Plan:
    """The loop in its new form, if that has fewer parts."""
    if _size(new) == _size(found.form):
        return {}
    return dict(found.redirect(new.final, new.sequence))


def _size(form: Form) -> int:
    return len(form.sources) + len(form.ys)


# -- what stands twice -------------------------------------------------------------------------
def _join_equal(found: Found) -> Plan:
    form = found.form
    consts, same = _distinct(form.consts)
    xs, same_xs = _distinct(form.xs)
    table = same | same_xs
    after, ys = (substitute(nodes, table) for nodes in (form.after, form.ys))
    new = replace(form, consts=consts, xs=xs, after=after, ys=tuple(dict.fromkeys(ys)))
    if _size(new) == _size(form):
        return {}
    now = dict(zip(form.ys, ys, strict=True))
    return dict(found.redirect(new.final, lambda y: new.sequence(now[y])))


def _distinct(parts: Mapping[Node, Source]) -> tuple[dict[Node, Source], dict[Node, Node]]:
    """The parts that stand for different things; and leaf -> the first that stands for the same."""
    first: dict[tuple[Node, ...], Node] = {}
    same = {leaf: first.setdefault(source.needs, leaf) for leaf, source in parts.items()}
    return {leaf: parts[leaf] for leaf in first.values()}, same


# -- what never changes ------------------------------------------------------------------------
def _fix_carries(found: Found) -> Plan:
    """A carry that every step hands on as it is becomes what all steps share."""
    form = found.form
    fixed = {h: form.carry[h] for h, y in zip(form.carry, form.after, strict=True) if h is y}
    if not fixed:
        return {}
    moving = {h: y for h, y in zip(form.carry, form.after, strict=True) if h not in fixed}
    new = replace(
        form,
        consts={**form.consts, **fixed},
        carry={h: form.carry[h] for h in moving},
        after=tuple(moving.values()),
    )
    return dict(found.redirect(lambda h: fixed[h] if h in fixed else new.final(h), new.sequence))


def _give_outside(found: Found) -> Plan:
    """Outputs that are elements of a sequence, or the same in all steps, need no loop."""
    form = found.form
    known = {y: form.xs[y] for y in form.ys if y in form.xs}
    known |= {y: _repeated(y, form) for y in form.ys if y in form.consts or y.op is CONST}
    if not known:
        return {}
    new = replace(form, ys=tuple(y for y in form.ys if y not in known))
    return dict(found.redirect(new.final, lambda y: known[y] if y in known else new.sequence(y)))


def _repeated(y: Node, form: Form) -> Source:
    """One value for every step."""
    shape = (form.length, *y.shape)
    if y not in form.consts:
        return Source((), lambda find: ops.broadcast_to(y, shape))
    source = form.consts[y]
    return Source(source.needs, lambda find: ops.broadcast_to(source.make(find), shape))


PARTS: tuple[Rule, ...] = (
    PlannedRule("loop-unused", each_loop(_drop_unused)),
    PlannedRule("loop-twice", each_loop(_join_equal)),
    # What stands for an output may lie otherwise in memory, so that sums of it round otherwise.
    PlannedRule("loop-fixed-carry", each_loop(_fix_carries), kind="rounding"),
    PlannedRule("loop-given", each_loop(_give_outside), kind="rounding"),
)
MERGE_LOOPS: tuple[Rule, ...] = (PlannedRule("merge-loops", _plan_merges), *PARTS)


@dataclass(frozen=True)
class MergeLoops(PlannedRewrite):
    """Makes one loop of several that go the same way, and drops what nobody needs.

    Example:
        >>> from kgraph.ir import input_node
        >>> xs = input_node((3,), name="xs")
        >>> sums = ops.scan(lambda s, x: (s + x, s + x), 0.0, xs)[1]
        >>> doubled = ops.scan(lambda s, x: (s + x, s * 2), 0.0, xs)[1]
        >>> graph = MergeLoops().run(Graph((xs,), (("sums", sums), ("doubled", doubled))))
        >>> [n.op.name for n in graph.nodes]
        ['const', 'input', 'scan', 'item', 'item']
    """

    rules: tuple[Rule, ...] = field(default=MERGE_LOOPS, repr=False)
