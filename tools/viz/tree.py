"""A view as an indented text: what each output is computed from, what was said before only named.

Operands stand below their user; where there are several, each begins with a dash, further in. So a
chain is a plain list.
"""

from __future__ import annotations

from kgraph.tools.viz.looks import Style, operand_types, rows_of
from kgraph.tools.viz.model import Box, Edge, GraphView, by_id
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.painting import painting
from kgraph.tools.viz.text import clean


def to_text(view: GraphView, style: Style | None = None) -> str:
    """The view as text.

    Args:
        view: from `build_view`.
        style: which facts are said.

    Returns:
        Lines; `(see n3)` means that the node stands further up.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> y = ops.tanh(x)
        >>> print(to_text(build_view(Graph((x,), (("y", y + y),)), "sum")))
        sum (ops, core)
        y (output) out0: f32[2]
        add n2: f32[2]
          - tanh n1: f32[2]
            x (input) n0: f32[2]
          - tanh (see n1)
        <BLANKLINE>
    """
    style = style or Style()
    whole, view = view, visible(view)
    paint = painting(whole, view, style.color_by)
    boxes, given = by_id(view.boxes), operand_types(view)
    incoming: dict[str, list[Edge]] = {}
    for edge in view.edges:
        if edge.kind not in ("shared", "control"):
            incoming.setdefault(edge.target, []).append(edge)
    paths = {c.id: c.path for c in view.clusters}
    used = {edge.source for edges in incoming.values() for edge in edges}
    roots = [b for b in view.boxes if b.id not in used]
    lines = [f"{clean(view.title)} ({view.view}, {view.stage})".strip()]
    said: set[str] = set()
    # What is left at the end depends on itself through closed clusters.
    for root in [*roots, *view.boxes]:
        if root.id in said:
            continue
        stack: list[tuple[str, str, str, str]] = [(root.id, "", "", "")]
        while stack:
            name, space, dash, which = stack.pop()
            head = space + dash + _head(boxes[name])
            if name in said:
                lines.append(f"{head} (see {name}){which}")
                continue
            said.add(name)
            box = boxes[name]
            rows = rows_of(box, style.show, given.get(name, ()))
            rows = tuple(dict.fromkeys(filter(None, (paint.row(name), *rows))))
            facts = ", ".join(map(clean, rows))
            place = f"  [{clean(paths[box.cluster])}]" if box.cluster else ""
            lines.append(f"{head} {name}{which}" + (f": {facts}" if facts else "") + place)
            below = sorted(incoming.get(name, ()), key=lambda e: e.operand)
            space += " " * len(dash)
            ends = (f"{space}  ", "- ") if len(below) > 1 else (space, "")
            stack += [(e.source, *ends, _which(e)) for e in reversed(below)]
    return "\n".join(lines) + "\n"


def _which(edge: Edge) -> str:
    """How many tensors an edge stands for, or which call of a shared layer they come from."""
    if edge.count > 1:
        return f" × {edge.count}"
    return f" #{edge.calls[0]}" if edge.calls[0] else ""


def _head(box: Box) -> str:
    plain = box.kind in ("op", "arg", "result") or not box.type
    return clean(box.label) if plain else f"{clean(box.label)} ({clean(box.type)})"
