"""`kgraph diff` as a page: both graphs side by side, and a list of what differs."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from kgraph.ir.graph import Graph, Stage
from kgraph.tools.comparison import Comparison, short_value
from kgraph.tools.viz.html_page import make_page
from kgraph.tools.viz.tabs import Tab, graph_tab
from kgraph.tools.viz.view import build_view

_NUMBER = re.compile(r"n(\d+)(?=_|$)")  # of a node, at the start of the ids of its boxes


def diff_page(graphs: tuple[Graph, Graph], found: Comparison, names: tuple[str, str]) -> str:
    """Two graphs and what differs between them as one file that a browser opens.

    Args:
        graphs: the two.
        found: what `compare_graphs` says of them.
        names: how the command line calls them.

    Returns:
        HTML that asks for nothing else.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> from kgraph.tools.comparison import compare_graphs
        >>> x = input_node((2,), name="x")
        >>> pair = Graph((x,), (("y", ops.tanh(x)),)), Graph((x,), (("y", ops.exp(x)),))
        >>> page = diff_page(pair, compare_graphs(*pair), ("a.json", "b.json"))
        >>> '"before":"tanh","after":"exp"' in page
        True
    """
    tabs = [_picture(graph, name) for graph, name in zip(graphs, names, strict=True)]
    boxes = [_boxes(tab) for tab in tabs]
    matched = [{pair[side] for pair in found.pairs} for side in (0, 1)]
    lost, new = ([n for n in range(len(graph)) if n not in known]
                 for graph, known in zip(graphs, matched, strict=True))  # fmt: skip
    items = [_item("removed", text, (boxes[0][n], []))
             for n, text in zip(lost, found.removed, strict=True)]  # fmt: skip
    items += [_item("added", text, ([], boxes[1][n]))
              for n, text in zip(new, found.added, strict=True)]  # fmt: skip
    for change in found.changed:
        sides = tuple(each[n] for each, n in zip(boxes, change.at, strict=True))
        fields = [
            {"name": key, "before": short_value(a), "after": short_value(b)}
            for key, (a, b) in change.fields.items()
        ]
        items.append(_item("changed", change.old, sides, fields))
    diff = {"names": names, "items": items, "signature": found.signature}
    tab = {"id": "diff", "label": "Differences", "kind": "diff", "diff": diff,
           "views": [tab["view"] for tab in tabs]}  # fmt: skip
    text = "\n".join(f"{item['kind']} {item['text']}" for item in items)
    return make_page(f"{names[0]} and {names[1]}", [tab], text)


def _picture(graph: Graph, name: str) -> Tab:
    """The tab of a graph; folded blocks and merged calls would hide what differs in one of them."""
    view = "layers" if graph.stage is Stage.LAYERS else "ops"
    return graph_tab(build_view(graph, name, view=view, fold=False, calls=True))


def _boxes(tab: Tab) -> dict[int, list[str]]:
    """Number of a node -> its boxes: one, all that it is opened to, or none for a number."""
    found = defaultdict(list)
    for node in tab["view"]["nodes"]:
        number = _NUMBER.match(node["id"])
        if number:
            found[int(number[1])].append(node["id"])
    return found


def _item(kind: str, text: str, boxes: Any, fields: Any = ()) -> dict[str, Any]:
    return {"kind": kind, "text": text, "boxes": boxes, "fields": fields}
