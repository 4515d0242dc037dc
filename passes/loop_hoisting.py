"""What need not be in a loop leaves it: before it, or behind it, for all steps at once.

    f(w) in every step                   ->  f(w) once                              (exact)
    f(x_t), elementwise and small        ->  f of the whole sequence                (exact)
    a view of x_t that leaves the loop   ->  a view of the sequence                 (rounding)
    x_t @ W and what follows from it     ->  one product over time and rows         (rounding)
    y_t @ W that only leaves the loop    ->  y leaves it; one product behind it     (rounding)

One product of all rows does what the small ones do in fewer calls: (32, 16) @ (16, 64) 80 times
takes 300 us, (2560, 16) @ (16, 64) once 120 us; with 512 columns both take as long. An elementwise
op on what a step reads moves where its call is what costs: 80 multiplications of 2 KiB take 69 us,
of 8 KiB 92 us, of 32 KiB 181 us; one of all takes 8, 38 and 123 us, but is read once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kgraph import ops
from kgraph.ir.dim import evaluate
from kgraph.ir.leaves import CONST, SIZE, arg
from kgraph.ir.node import Node
from kgraph.ir.walk import substitute, toposort
from kgraph.ops.reductions import Reduction
from kgraph.passes.cost import SIZE_HINT
from kgraph.passes.loop_parts import PARTS
from kgraph.passes.loop_vectors import can_spread, is_product, spread
from kgraph.passes.loops import Form, Found, Source, each_loop
from kgraph.passes.planned import Lookup, Plan, PlannedRewrite, PlannedRule
from kgraph.passes.rules import Rule

# How many times the bytes of the sequences that a product is made of its own may take; or of a
# sequence of the carry, since training keeps some of these anyway.
MOST_GROWTH = 16
# Bytes of a step's value up to which an elementwise op is worth moving.
SMALL_STEP = 8192


# -- what all steps share ----------------------------------------------------------------------
def _shared(form: Form) -> set[Node]:
    """The nodes of the body that all steps have in common and that can be computed outside."""
    found = {*form.consts}
    for node in _order(form):
        movable = node.op is ops.matmul or isinstance(node.op, Reduction) or can_spread(node, ())
        inside = bool(node.inputs) and all(n in found for n in node.inputs)
        if node.op in (CONST, SIZE) or (movable and inside):
            found.add(node)
    return found


def _order(form: Form) -> tuple[Node, ...]:
    return toposort((*form.after, *form.ys))


def _hoist_shared(found: Found) -> Plan:
    form = found.form
    shared = _shared(form)
    read = _read_outside(form, shared)
    taken = [n for n in read if n.inputs and _source_of_view(n).inputs]
    if not taken:
        return {}
    leaves = _fresh(form, taken)
    return _take(found, leaves, {}, {leaf: _computed(n, form) for n, leaf in leaves.items()})


def _computed(node: Node, form: Form) -> Source:
    """What all steps share, outside."""

    def make(find: Lookup) -> Node:
        return substitute([node], _made(form, find))[0]

    needs = [n for source in form.consts.values() for n in source.needs]
    return Source(tuple(needs), make)


def _made(form: Form, find: Lookup) -> dict[Node, Node]:
    return {leaf: source.make(find) for leaf, source in form.consts.items()}


def _read_outside(form: Form, inside: Collection[Node]) -> list[Node]:
    """The nodes of a set that others read or that the body gives."""
    edges = [n for node in _order(form) if node not in inside for n in node.inputs]
    return [n for n in dict.fromkeys((*edges, *form.after, *form.ys)) if n in inside]


def _source_of_view(node: Node) -> Node:
    while node.op.view is not None:
        node = node.inputs[0]
    return node


def _fresh(form: Form, nodes: Iterable[Node]) -> dict[Node, Node]:
    """Leaves that the body has not got yet, one a node."""
    leaves = (*form.consts, *form.carry, *form.xs)
    count = 1 + max((leaf.attrs["index"] for leaf in leaves), default=-1)
    return {n: arg(count + i, n.type) for i, n in enumerate(nodes)}


def _take(
    found: Found,
    leaves: dict[Node, Node],
    xs: dict[Node, Source],
    consts: dict[Node, Source],
) -> Plan:
    """The loop that reads from outside what it computed."""
    form = found.form
    now = substitute((*form.after, *form.ys), leaves)
    after, ys = now[: len(form.after)], now[len(form.after) :]
    new = replace(form, consts={**form.consts, **consts}, xs={**form.xs, **xs}, after=after, ys=ys)
    of = dict(zip(form.ys, ys, strict=True))
    return dict(found.redirect(new.final, lambda y: new.sequence(of[y])))


# -- what follows from the sequences -----------------------------------------------------------
def _moving(form: Form, shared: Collection[Node], products: bool) -> dict[Node, None]:
    """The nodes that can be computed from sequences for all steps at once, without the carry."""
    found = dict.fromkeys(form.xs)
    for node in _order(form):
        known = all(n in found or n in shared for n in node.inputs)
        moves = any(n in found for n in node.inputs) and (products or not is_product(node))
        if known and moves and can_spread(node, found):
            found[node] = None
    return found


def _hoist_maps(found: Found) -> Plan:
    """Elementwise ops on elements of sequences, where they are small."""
    form = found.form
    moving = _moving(form, _shared(form), products=False)
    taken = dict.fromkeys(map(_source_of_view, _read_outside(form, moving)))
    return _hoist(found, [n for n in taken if n.inputs and _bytes([n]) <= SMALL_STEP])


def _hoist_views(found: Found) -> Plan:
    """Views of elements of sequences that the steps give are views of the sequences."""
    form = found.form
    moving = _moving(form, _shared(form), products=False)
    return _hoist(
        found, [y for y in dict.fromkeys(form.ys) if y in moving and y.op.view is not None]
    )


def _stop(node: Node, form: Form) -> Node:
    """Views are free in a step, unless they are what it gives."""
    return node if node in form.ys else _source_of_view(node)


def _hoist_products(found: Found) -> Plan:
    """Products of sequences with what all steps share, and all that follows from them."""
    form = found.form
    moving = _moving(form, _shared(form), products=True)
    above: dict[Node, None] = {}
    for node in moving:
        if is_product(node) or any(n in above for n in node.inputs):
            above[node] = None
    if not above:
        return {}
    # What the products read is not computed twice.
    below = toposort(above, stop=form.xs)
    inside = {n: None for n in moving if n in above or (n in below and _source_of_view(n).inputs)}
    taken = [_stop(n, form) for n in _read_outside(form, inside)]
    taken = [n for n in dict.fromkeys(taken) if n.inputs]
    read = [n for n in below if n in form.xs]
    return _hoist(found, taken) if _bytes(taken) <= _budget(form, read) else {}


def _hoist(found: Found, taken: Sequence[Node]) -> Plan:
    form, leaves = found.form, _fresh(found.form, taken)
    if not taken:
        return {}
    xs = {leaf: _spread_source(node, form, form.xs) for node, leaf in leaves.items()}
    return _take(found, leaves, xs, {})


def _spread_source(node: Node, form: Form, sequences: Mapping[Node, Source]) -> Source:
    """The sequence of a node of the body, made of other sequences."""

    def make(find: Lookup) -> Node:
        made = {leaf: source.make(find) for leaf, source in sequences.items()}
        return spread([node], made, _made(form, find), form.length)[0]

    sources = (*form.consts.values(), *sequences.values())
    return Source(tuple(dict.fromkeys(n for s in sources for n in s.needs)), make)


def _budget(form: Form, nodes: Iterable[Node]) -> int:
    """What sequences that come instead of others may take in a step."""
    return MOST_GROWTH * max(_bytes(nodes), _bytes(form.carry))


def _bytes(nodes: Iterable[Node]) -> int:
    """What one step's values take, with the hint for symbolic sizes."""
    sizes = [n.type.nbytes for n in nodes]
    return sum(
        s if isinstance(s, int) else evaluate(s, dict.fromkeys(s.symbols, SIZE_HINT)) for s in sizes
    )


# -- what only leaves the loop -----------------------------------------------------------------
def _push_products(found: Found) -> Plan:
    """Products of what a step gives, which no later step reads."""
    form = found.form
    shared = _shared(form)
    region = _outgoing(form, shared)
    pushed = {y: None for y in form.ys if y in region}
    if not pushed:
        return {}
    below = [n for node in toposort(pushed) if node in region for n in node.inputs]
    read = [n for n in dict.fromkeys(below) if n not in region and n not in shared]
    given = dict.fromkeys(n for n in read if n not in form.xs)
    if _bytes(n for n in given if n not in form.ys) > _budget(form, pushed):
        return {}
    kept = dict.fromkeys((*(y for y in form.ys if y not in pushed), *given))
    new = replace(form, ys=tuple(kept))
    sequences = {n: form.xs[n] if n in form.xs else new.sequence(n) for n in read}

    def stack(y: Node) -> Source:
        return _spread_source(y, form, sequences) if y in pushed else new.sequence(y)

    return dict(found.redirect(new.final, stack))


def _outgoing(form: Form, shared: Collection[Node]) -> set[Node]:
    """Products and what follows from them, down to outputs, where nothing else reads them."""
    order, kept = _order(form), {*toposort(form.after), *shared}
    moving = {n for n in order if n not in shared}
    found: dict[Node, None] = {}
    readers: dict[Node, list[Node]] = {}
    for node in order:
        follows = node.op is ops.matmul or any(n in found for n in node.inputs)
        if follows and node not in kept and can_spread(node, moving):
            found[node] = None
        for operand in node.inputs:
            readers.setdefault(operand, []).append(node)
    leaving: set[Node] = set()
    for node in reversed(found):
        users = readers.get(node, ())
        if all(user in leaving for user in users) and (users or node in form.ys):
            leaving.add(node)
    region: set[Node] = set()
    for node in found:
        if node in leaving and (node.op is ops.matmul or any(n in region for n in node.inputs)):
            region.add(node)
    return region


HOIST_LOOPS: tuple[Rule, ...] = (
    PlannedRule("hoist-shared", each_loop(_hoist_shared)),
    PlannedRule("hoist-products", each_loop(_hoist_products), kind="rounding"),
    PlannedRule("push-products", each_loop(_push_products), kind="rounding"),
    PlannedRule("hoist-maps", each_loop(_hoist_maps)),
    # They do not lie in memory as what the steps give would, so that sums may round otherwise.
    PlannedRule("hoist-views", each_loop(_hoist_views), kind="rounding"),
    *PARTS,
)


@dataclass(frozen=True)
class HoistLoops(PlannedRewrite):
    """Moves what does not depend on the carry out of loops.

    Example:
        >>> from kgraph.ir import input_node
        >>> xs, w = input_node((80, 32, 16), name="xs"), input_node((16, 64), name="w")
        >>> zeros = input_node((32, 64), name="h")
        >>> h, _ = ops.scan(lambda h, x: (ops.tanh(h + x @ w), None), zeros, xs)
        >>> from kgraph.ir import Graph
        >>> graph = HoistLoops().run(Graph((xs, w, zeros), (("h", h),)))
        >>> [n.op.name for n in graph.nodes if n.op is ops.matmul]
        ['matmul']
    """

    rules: tuple[Rule, ...] = field(default=HOIST_LOOPS, repr=False)
