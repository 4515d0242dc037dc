"""The text form of graphs: one node a line, read back by `parser.py`.

    graph core
    input %0 'x' : f32[batch, 3]
    state @dense_1/kernel : f32[3, 4]
    %2 = matmul(%0, @dense_1/kernel) : f32[batch, 4]  # dense_1 model.py:31
    output 'y' %2

A body stands before the node that holds it; `%0`, `%1`, ... are its parameters:

    body !0 : f32[4], f32[3]
      %2 = tanh(%0) : f32[4]
    end %2, %1
    %7 = scan(%5, %6) {body=!0, ...} : f32[4], f32[9, 3]

`%17` is node 17 of the JSON form. What text cannot carry (records of layer calls, large constants)
stands as `<...>`; `anchors(graph)` is the table that gives it back to the parser.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import re
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kgraph.ir.arrays import array_type, to_base64, to_numbers
from kgraph.ir.attributes import Constant
from kgraph.ir.body import Body, all_bodies
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import ARG, CONST, INPUT, arg
from kgraph.ir.node import Node
from kgraph.ir.origin import Origin
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable

if TYPE_CHECKING:
    from kgraph.ir.graph import Graph

# Constants of at most this many elements are written out unless the caller wants all.
ELIDE = 16
_NO_BODIES: Mapping[Body, str] = {}
_UNITS = ("B", "KB", "MB", "GB", "TB")
_PLAIN_NAME = re.compile(r"[\w./:-]+")


def to_text(graph: Graph, elide: int | None = ELIDE) -> str:
    """The graph in IR notation.

    Args:
        graph: any graph, also one that `verify` would refuse.
        elide: constants with more elements are only named; None writes all of them out.

    Returns:
        Lines that `parse` reads; comments name layer, source line and the rules that fired.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> print(to_text(Graph((x,), (("y", x),))))
        graph core
        input %0 'x' : f32[2]
        output 'y' %0
    """
    names, bodies = name_nodes(graph), name_bodies(graph)
    declared = set(graph.inputs)
    lines = [f"graph {graph.stage.value}"]
    lines += [f"input {names[n]} {n.attrs['name']!r} : {_types(n)}" for n in graph.inputs]
    lines += [_state_line(v, names[v]) for v in graph.states]
    for body in bodies:
        lines += _body_lines(body, bodies, elide)
    for node in graph.nodes:
        if node not in declared and not isinstance(node, Variable):
            lines.append(node_line(node, names, elide, bodies))
    lines += [f"output {name!r} {names[node]}" for name, node in graph.outputs]
    lines += [f"update {names[state]} {names[node]}" for state, node in graph.updates]
    return "\n".join(lines)


def ordered(graph: Graph) -> tuple[Node, ...]:
    """Every node in the order of its number: inputs, the rest by need, updated states not read."""
    return tuple(dict.fromkeys([*graph.inputs, *graph.nodes, *graph.states]))


def name_nodes(graph: Graph) -> dict[Node, str]:
    """Node -> the name it has in the text: `%17`, or `@dense_1/kernel` for a state."""
    names: dict[Node, str] = {}
    seen: dict[str, int] = {}
    for number, node in enumerate(ordered(graph)):
        if not isinstance(node, Variable):
            names[node] = f"%{number}"
            continue
        name = node.attrs["name"]
        count = seen[name] = seen.get(name, 0) + 1
        plain = name if _PLAIN_NAME.fullmatch(name) else repr(name)
        names[node] = f"@{plain}" if count == 1 else f"@{plain}~{count}"
    return names


def name_bodies(graph: Graph) -> dict[Body, str]:
    """Body -> the name it has in the text, `!0`; a body comes after those that it holds."""
    return {body: f"!{number}" for number, body in enumerate(all_bodies(graph.nodes))}


def ordered_body(body: Body) -> tuple[Node, ...]:
    """Every node of a body in the order of its number: the parameters, then the rest by need."""
    parameters = [arg(i, t) for i, t in enumerate(body.parameters)]
    return tuple(dict.fromkeys([*parameters, *body.nodes]))


def anchors(graph: Graph, elide: int | None = ELIDE) -> dict[str, Node]:
    """Name in the text -> node, for all that the text alone cannot bring back as it was."""
    found = {
        name: node
        for node, name in name_nodes(graph).items()
        if isinstance(node, Variable) or node.op is INPUT or _has_opaque(node, elide)
    }
    for body, prefix in name_bodies(graph).items():
        for number, node in enumerate(ordered_body(body)):
            if _has_opaque(node, elide):
                found[f"{prefix}%{number}"] = node
    return found


def node_line(
    node: Node,
    names: Mapping[Node, str],
    elide: int | None = ELIDE,
    bodies: Mapping[Body, str] = _NO_BODIES,
) -> str:
    """One node in IR notation; operands that `names` does not know stand as `?`."""
    if node.op is CONST:
        inner, attrs = _elements(node.attrs["value"], elide), ""
    else:
        inner = ", ".join([names.get(i, "?") for i in node.inputs])
        attrs = _attributes(node, elide, bodies) if node.attrs else ""
    operands = f"({inner})" if inner or node.op is CONST else ""
    label = names.get(node, "?")
    # Constants and sizes may have been made for another model first: their origin would mislead.
    comment = _comment(node.origin) if node.inputs else ""
    return f"{label} = {node.op.name}{operands}{attrs} : {_types(node)}{comment}"


def show_value(
    value: Any, elide: int | None = ELIDE, bodies: Mapping[Body, str] = _NO_BODIES
) -> str:
    """One attribute in IR notation."""
    if isinstance(value, float):
        return _show_float(value)
    if isinstance(value, tuple):
        inner = ", ".join([show_value(v, elide) for v in value])
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Constant):
        return f"{array_type(value.array)}({_elements(value, elide)})"
    if value is None or type(value) in (bool, int, str, Dim):
        return repr(value)
    if isinstance(value, TensorType):
        return str(value)
    if isinstance(value, Body) and value in bodies:
        return bodies[value]
    return f"<{_describe(value)}>"


def show_bytes(count: float) -> str:
    """A number of bytes in the unit that leaves it short.

    Example:
        >>> show_bytes(640), show_bytes(1536)
        ('640 B', '1.5 KB')
    """
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:.0f} B"


def _body_lines(body: Body, bodies: Mapping[Body, str], elide: int | None) -> list[str]:
    names = {node: f"%{number}" for number, node in enumerate(ordered_body(body))}
    types = ", ".join(map(str, body.parameters))
    inner = [node_line(n, names, elide, bodies) for n in body.nodes if n.op is not ARG]
    head = f"body {bodies[body]} : {types}" if types else f"body {bodies[body]}"
    return [
        head,
        *(f"  {line}" for line in inner),
        f"end {', '.join(names[n] for n in body.outputs)}",
    ]


def _has_opaque(node: Node, elide: int | None) -> bool:
    return any(_is_opaque(v, elide) for v in node.attrs.values())


def _is_opaque(value: Any, elide: int | None) -> bool:
    if isinstance(value, tuple):
        return any(_is_opaque(v, elide) for v in value)
    if isinstance(value, Constant):
        return elide is not None and value.array.size > elide
    return value is not None and type(value) not in (bool, int, float, str, Dim, TensorType, Body)


def _describe(value: Any) -> str:
    layer = getattr(value, "layer", None)
    text = type(value).__name__ if layer is None else f"{type(layer).__name__} {layer.name!r}"
    return re.sub(r"[<>]", "_", text)


def _attributes(node: Node, elide: int | None, bodies: Mapping[Body, str]) -> str:
    if node.op is INPUT:
        return f" {{name={node.attrs['name']!r}, <undeclared>}}"
    shown = [f"{name}={show_value(value, elide, bodies)}" for name, value in node.attrs.items()]
    return " {" + ", ".join(shown) + "}"


def _elements(value: Constant, elide: int | None) -> str:
    array = value.array
    if elide is not None and array.size > elide:
        digest = hashlib.sha256(array.tobytes()).hexdigest()[:8]
        return f"<{array.size} elements, sha256 {digest}>"
    numbers = to_numbers(array)
    if numbers is None:
        return f"b64'{to_base64(array)}'"
    return ", ".join([_show_float(n) if isinstance(n, float) else repr(n) for n in numbers])


def _show_float(value: float) -> str:
    bits = struct.pack(">d", value)
    if math.isnan(value) and bits != struct.pack(">d", math.nan):
        return f"nan:{bits.hex()}"
    return repr(value)


def _state_line(state: Variable, name: str) -> str:
    frozen = "" if state.trainable else " frozen"
    return f"state {name}{frozen} : {state.type}"


def _types(node: Node) -> str:
    return ", ".join([str(t) for t in node.types])


def _comment(origin: Origin) -> str:
    rules = " <- ".join(f"{step.pass_name}/{step.rule}" for step in reversed(origin.lineage))
    words = _place(origin.scope, origin.file, origin.line) + (f" <- {rules}" if rules else "")
    return f"  # {words.strip()}" if words else ""


@functools.lru_cache(maxsize=4096)
def _place(scope: str, file: str | None, line: int) -> str:
    where = f"{os.path.basename(file)}:{line}" if file else ""
    return " ".join(f"{scope} {where}".split())
