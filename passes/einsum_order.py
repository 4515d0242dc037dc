"""Einsum in simpler ops: of several operands the best order of pairs, a pair as one matmul.

The plan of an `einsum` node would do the same when it runs, but only what stands in the graph can
be shared, merged and reordered with other products.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from kgraph import ops
from kgraph.ir.dim import Dim, evaluate, product
from kgraph.ir.node import Node
from kgraph.passes.products import bindings
from kgraph.passes.rules import FunctionRule, Rule, at

# All orders of more operands are too many to try.
MAX_OPERANDS = 8
# An order must be within this factor of the best one at every size that a symbol may have.
TOLERANCE = 1.3

Letters = frozenset[str]
# Numbers of operands, paired until one pair is left.
Order = Any


def read(node: Node) -> tuple[list[str], str, dict[str, int | Dim]]:
    """The letters of the operands and of the result, and the sizes of the letters."""
    left, _, result = node.attrs["subscripts"].partition("->")
    terms = left.split(",")
    sizes = {c: d for term, n in zip(terms, node.inputs) for c, d in zip(term, n.shape)}
    return terms, result, sizes


# -- more than two operands --------------------------------------------------------------------
def pair_up(node: Node) -> Callable[[], Node] | str | None:
    """Splits an einsum of several operands into einsums of two."""
    terms, result, sizes = read(node)
    if len(terms) < 3 or _repeats(terms):
        return None
    if len(terms) > MAX_OPERANDS:
        return f"more than {MAX_OPERANDS} operands"
    chosen: Order = None
    for binding in bindings(sizes.values()):
        numbers = {c: evaluate(d, binding) for c, d in sizes.items()}
        time, best = best_order(terms, result, numbers)
        chosen = best if chosen is None else chosen
        if order_time(chosen, terms, result, numbers) > TOLERANCE * time:
            return "the best order depends on symbolic sizes"
    return partial(_in_pairs, node, chosen, terms, result)


def _repeats(terms: Iterable[str]) -> bool:
    return any(len(set(term)) != len(term) for term in terms)


def _kept(inside: Iterable[str], outside: Iterable[str], result: str) -> Letters:
    """The letters of some operands that others or the result still need."""
    return frozenset("".join(inside)) & frozenset("".join([*outside, result]))


def best_order(terms: Sequence[str], result: str, sizes: Mapping[str, int]) -> tuple[int, Order]:
    """The order of pairs with the fewest multiplications, and their number."""
    everything = range(len(terms))
    found: dict[frozenset[int], tuple[int, Order]] = {frozenset([i]): (0, i) for i in everything}
    for count in range(2, len(terms) + 1):
        for members in itertools.combinations(everything, count):
            choices: list[tuple[int, int, Order]] = []
            for left in _halves(members):
                right = tuple(i for i in members if i not in left)
                (a, first), (b, second) = found[frozenset(left)], found[frozenset(right)]
                work = _work(left, right, terms, result, sizes)
                choices.append((a + b + work, len(choices), (first, second)))
            total, _, order = min(choices, key=lambda choice: choice[:2])
            found[frozenset(members)] = total, order
    return found[frozenset(everything)]


def _halves(members: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The ways to split the members in two, each once."""
    first, rest = members[0], members[1:]
    for count in range(len(rest)):
        for others in itertools.combinations(rest, count):
            yield (first, *others)


def _letters(members: Sequence[int], terms: Sequence[str], result: str) -> Letters:
    inside = [terms[i] for i in members]
    outside = [t for i, t in enumerate(terms) if i not in members]
    return _kept(inside, outside, result)


def _work(
    left: Sequence[int],
    right: Sequence[int],
    terms: Sequence[str],
    result: str,
    sizes: Mapping[str, int],
) -> int:
    letters = _letters(left, terms, result) | _letters(right, terms, result)
    return int(product(sizes[c] for c in letters))


def order_time(order: Order, terms: Sequence[str], result: str, sizes: Mapping[str, int]) -> int:
    """The number of multiplications of an order."""
    if isinstance(order, int):
        return 0
    first, second = order
    below = (order_time(o, terms, result, sizes) for o in order)
    return sum(below) + _work(_members(first), _members(second), terms, result, sizes)


def _members(order: Order) -> tuple[int, ...]:
    if isinstance(order, int):
        return (order,)
    return tuple(i for part in order for i in _members(part))


def _in_pairs(node: Node, order: Order, terms: Sequence[str], result: str) -> Node:
    def make(part: Order, wanted: str | None) -> tuple[Node, str]:
        if isinstance(part, int):
            return node.inputs[part], terms[part]
        (a, left), (b, right) = (make(p, None) for p in part)
        letters = wanted
        if letters is None:
            needed = _letters(_members(part), terms, result)
            letters = "".join(dict.fromkeys(c for c in _arranged(left, right) if c in needed))
        return ops.einsum(f"{left},{right}->{letters}", a, b), letters

    return make(order, result)[0]


def _arranged(left: str, right: str) -> str:
    """Shared letters first, then those of the left operand alone, then the right one's."""
    return "".join(c for c in left if c in right) + left + right


# -- two operands ------------------------------------------------------------------------------
def one_product(node: Node) -> Callable[[], Node] | None:
    """A pair that sums over shared letters is a matmul of transposed and reshaped operands."""
    terms, result, sizes = read(node)
    if len(terms) != 2 or _repeats(terms):
        return None
    a, b = terms
    summed = "".join(c for c in a if c in b and c not in result)
    alone = (set(a) ^ set(b)) - set(result)
    rows = "".join(c for c in result if c not in b)
    columns = "".join(c for c in result if c not in a)
    if not summed or alone or not (rows or columns):
        return None
    lead = "".join(c for c in result if c in a and c in b)
    return partial(_matmul, node, terms, result, sizes, (lead, rows, summed, columns))


def _matmul(
    node: Node,
    terms: Sequence[str],
    result: str,
    sizes: Mapping[str, int | Dim],
    groups: tuple[str, str, str, str],
) -> Node:
    lead, rows, summed, columns = groups

    def size(letters: str) -> int | Dim:
        return product(sizes[c] for c in letters)

    def matrix(x: Node, term: str, first: str, second: str) -> Node:
        ordered = _transposed(x, term, lead + first + second)
        return ops.reshape(ordered, (*(sizes[c] for c in lead), size(first), size(second)))

    left = matrix(node.inputs[0], terms[0], rows, summed)
    right = matrix(node.inputs[1], terms[1], summed, columns)
    letters = lead + rows + columns
    whole: Any = ops.reshape(ops.matmul(left, right), tuple(sizes[c] for c in letters))
    return _transposed(whole, letters, result)


def _transposed(x: Node, term: str, wanted: str) -> Node:
    return x if term == wanted else ops.transpose(x, tuple(term.index(c) for c in wanted))


EINSUM: tuple[Rule, ...] = (
    FunctionRule("einsum-pairs", pair_up, at(ops.einsum), "rounding"),
    FunctionRule("einsum-matmul", one_product, at(ops.einsum), "rounding"),
)
