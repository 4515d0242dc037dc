"""Values from outside on a view: a document that names boxes or clusters and gives them values."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kgraph.errors import RenderError, explain
from kgraph.tools.viz.model import GraphView, Overlay, Value

FORM = '{"name": text, "unit": text, "nodes": {id or name: number or text}}'


def overlaid(view: GraphView, document: Mapping[str, Any]) -> GraphView:
    """The view with the values of one more overlay.

    Args:
        view: any view.
        document: name, perhaps a unit, and under `nodes` a number or text for ids, labels, or paths
            of clusters; a label gives its value to all boxes that have it.

    Returns:
        The view; what its boxes and clusters are not called is in `unknown` of the overlay.

    Raises:
        RenderError: the document has another form.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", x),)))
        >>> found = overlaid(view, {"name": "watts", "nodes": {"x": 2.5, "z": 1}}).overlays[0]
        >>> found.values, found.unknown
        ({'n0': 2.5}, ('z',))
    """
    name, unit, nodes = _checked(document)
    names = names_of(view)
    values: dict[str, Value] = {}
    for key, value in nodes.items():
        values |= dict.fromkeys(names.get(key, ()), value)
    # An id is one thing, a label may be many: where both are given, the id counts.
    values |= {key: value for key, value in nodes.items() if key in names and key in names[key]}
    unknown = tuple(key for key in nodes if key not in names)
    return replace(view, overlays=(*view.overlays, Overlay(name, unit, values, unknown)))


def nowhere(overlays: Sequence[Overlay], known: Iterable[str]) -> tuple[str, ...]:
    """The names that no picture knows.

    Args:
        overlays: one overlay as it lies on some pictures.
        known: names that are in them, of which close ones are proposed.

    Raises:
        RenderError: it lies on none of them.
    """
    unknown = [name for name in overlays[0].unknown if all(name in o.unknown for o in overlays)]
    if any(overlay.values for overlay in overlays):
        return tuple(unknown)
    wanted = unknown[0] if unknown else ""
    near = ", ".join(difflib.get_close_matches(wanted, list(dict.fromkeys(known)), 3, 0.3))
    message = f"the overlay names nothing that is in the picture, such as {wanted!r}"
    hint = f"did you mean {near}?" if near else "names are labels, ids, or paths of clusters"
    raise RenderError(explain(message, hint=hint), "E0431")


def names_of(view: GraphView) -> dict[str, list[str]]:
    """What boxes and clusters are called -> their ids."""
    found: dict[str, list[str]] = {}
    labels = {b.label for b in view.boxes if b.kind not in ("output", "update")}
    for box in view.boxes:
        # An output that is called as the layer that makes it is not meant.
        if box.kind in ("output", "update") and box.label in labels:
            found[box.id] = [box.id]
            continue
        for name in dict.fromkeys((box.label, box.id)):
            found.setdefault(name, []).append(box.id)
    for cluster in view.clusters:
        for name in dict.fromkeys((cluster.label, cluster.path, cluster.id)):
            found.setdefault(name, []).append(cluster.id)
    return found


def _checked(document: Any) -> tuple[str, str, Mapping[str, Value]]:
    nodes = document.get("nodes") if isinstance(document, Mapping) else None
    if not isinstance(nodes, Mapping):
        raise _malformed("an object with nodes", document)
    name, unit = document.get("name", "overlay"), document.get("unit", "")
    if not isinstance(name, str) or not isinstance(unit, str):
        raise _malformed("name and unit that are texts", [name, unit])
    for key, value in nodes.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not isinstance(value, str) and not (number and math.isfinite(value)):
            raise _malformed("numbers or texts", value, f"/nodes/{key}")
    return name, unit, nodes


def _malformed(expected: str, got: Any, where: str = "") -> RenderError:
    message = f"an overlay needs {expected}"
    return RenderError(
        explain(message, expected=FORM, got=repr(got)[:80], where=where or None), "E0402"
    )
