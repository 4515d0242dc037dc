"""Which nodes each pass added, removed and changed, as data from which every graph follows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from kgraph.ir.node import Node
from kgraph.ir.printer import ordered
from kgraph.passes.manager import CompileReport
from kgraph.passes.report import PassRecord
from kgraph.tools.comparison import compare_graphs

Change = dict[str, list[Any]]


def pass_changes(report: CompileReport) -> list[Change]:
    """What the passes of a compilation did to single nodes, an entry a pass.

    Ids are those of the view of ops before the passes (`kgraph viz --view ops --format json`). A
    node keeps its id while it has a counterpart of the same op; what is added gets the next number.
    So the graph after a pass is the one before it without `del`, with `chg` in place of nodes of
    the same ids, and with `add`.

    Args:
        report: of a compilation.

    Returns:
        For each pass `del`, ids of nodes that it removed; `add`, nodes that it made; and `chg`,
        nodes that it gave other operands, types or attributes.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import optimize
        >>> x = input_node((2,), name="x")
        >>> changes = pass_changes(optimize(Graph((x,), (("y", ops.tanh(x * 1)),)))[1])
        >>> [c for c in changes if c["del"]][0]["del"]
        ['n1', 'n2']
    """
    first = report.passes[0].before if report.passes else report.source
    ids = {node: f"n{number}" for number, node in enumerate(ordered(first))}
    free = (f"n{number}" for number in itertools.count(len(ids)))
    found = []
    for record in report.passes:
        change: Change = {"del": [], "add": [], "chg": []}
        if record.changed:
            ids, change = _change(record, ids, free)
        found.append(change)
    return found


def _change(
    record: PassRecord, ids: Mapping[Node, str], free: Iterator[str]
) -> tuple[dict[Node, str], Change]:
    """The ids after a pass, and what it did."""
    old, new = ordered(record.before), ordered(record.after)
    compared = compare_graphs(record.before, record.after)
    twins = {new[b]: old[a] for a, b in compared.pairs if old[a].op is new[b].op}
    differing = {new[change.at[1]] for change in compared.changed}
    after = {node: ids[twins[node]] if node in twins else next(free) for node in new}
    kept = {ids[node] for node in twins.values()}
    changed = [
        node
        for node in new
        if node in twins
        and (node in differing or _operands(node, after) != _operands(twins[node], ids))
    ]
    return after, {
        "del": [ids[node] for node in old if ids[node] not in kept],
        "add": [_row(node, after) for node in new if node not in twins],
        "chg": [_row(node, after) for node in changed],
    }


def _operands(node: Node, ids: Mapping[Node, str]) -> list[str]:
    return [ids[operand] for operand in node.inputs]


def _row(node: Node, ids: Mapping[Node, str]) -> dict[str, Any]:
    """A node as data; the same words as in the view."""
    row: dict[str, Any] = {
        "id": ids[node],
        "op": node.op.name,
        "types": [str(type_) for type_ in node.types],
        "inputs": _operands(node, ids),
        "scope": node.origin.scope,
        "lineage": [str(step) for step in reversed(node.origin.lineage)],
    }
    return {key: value for key, value in row.items() if value or key == "inputs"}
