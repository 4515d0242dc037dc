"""How nodes that hold more are opened: nested models, bodies of loops, fused regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import arg
from kgraph.ir.node import Node
from kgraph.ir.op import find_op
from kgraph.ir.printer import ordered, ordered_body, show_value
from kgraph.ir.types import TensorType
from kgraph.ops.program import take_apart
from kgraph.tools.viz.builder import Drawing, Frame, Literal, Port
from kgraph.tools.viz.facts import port_names
from kgraph.tools.viz.model import Box, Edge


def open_model(drawing: Drawing, frame: Frame, node: Node, id: str) -> Frame | bool:
    """A call of a model: its layers, wired to what the call gets."""
    call = node.attrs["call"]
    inner = getattr(call.layer, "graph", None)
    if not isinstance(inner, Graph) or inner.stage is not Stage.LAYERS:
        return False
    given = _arranged(call, node.inputs)
    if len(given) != len(inner.inputs) or len(inner.outputs) != len(node.types):
        return False
    drawing.calls.setdefault(call.layer, []).append(f"c{len(drawing.clusters)}")
    box = drawing.facts.box(node, id, None)
    cluster = drawing.cluster(call.layer.name, "model", frame.cluster(node), box)

    def close(done: Frame) -> None:
        frame.ports[node] = tuple(done.operand(n) for _, n in inner.outputs)

    ports = {leaf: (frame.operand(n),) for leaf, n in zip(inner.inputs, given, strict=True)}
    return Frame(f"{id}_", ordered(inner), lambda _: cluster, close, dict(ports))


def _arranged(call: Any, inputs: Sequence[Node]) -> Sequence[Node]:
    """The operands in the order of the model's inputs; a dictionary goes by name."""
    args = call.arguments[0]
    names = getattr(call.layer, "input_names", ())
    if args and isinstance(args[0], Mapping) and set(names) <= set(args[0]):
        return [inputs[args[0][name].index] for name in names]
    return inputs


def open_loop(drawing: Drawing, frame: Frame, node: Node, id: str) -> Frame | bool:
    """A loop: parameters, one turn, results, and what a turn hands to the next."""
    body, consts, carry = (node.attrs[k] for k in ("body", "consts", "carry"))
    box = drawing.facts.box(node, id, None)
    names = _parameter_names(consts, carry, node.attrs["xs"])
    label = f"scan × {node.attrs['length']}"
    cluster = drawing.cluster(label, "loop", frame.cluster(node), box)
    leaves = [arg(i, t) for i, t in enumerate(body.parameters)]
    role, ports = box.role, {}
    for i, (leaf, name, operand) in enumerate(zip(leaves, names, node.inputs, strict=True)):
        made = Box(f"{id}_{i}", "arg", "arg", name, "", role, cluster, (name,), leaf.types)
        drawing.add(made, [frame.operand(operand)])
        ports[leaf] = (Port(made.id, 0, leaf.type),)

    def close(done: Frame) -> None:
        frame.ports[node] = tuple(
            _result(drawing, done, body.outputs[i], i, carry, node.types[i], cluster, role, id)
            for i in range(len(node.types))
        )
        for i in range(carry):
            drawing.edges.append(Edge(f"{id}_r{i}", f"{id}_{consts + i}", kind="control"))

    return Frame(f"{id}_", ordered_body(body), lambda _: cluster, close, dict(ports), role)


def _parameter_names(consts: int, carry: int, xs: int) -> list[str]:
    counts = (("const", consts), ("carry", carry), ("x", xs))
    return [f"{name} {i + 1}" for name, count in counts for i in range(count)]


def _result(
    drawing: Drawing, done: Frame, value: Node, index: int, carry: int, type_: TensorType,
    cluster: str, role: str, id: str,
) -> Port:  # fmt: skip
    """The box of what a loop gives: a carry of the last turn, or all turns' values stacked."""
    label = f"next carry {index + 1}" if index < carry else f"y {index - carry + 1}"
    box = Box(f"{id}_r{index}", "result", "result", label, "", role, cluster, ("value",), (type_,))
    drawing.add(box, [done.operand(value)])
    return Port(box.id, 0, type_, "grad" if role == "backward" else "data")


def open_region(drawing: Drawing, frame: Frame, node: Node, id: str) -> Frame | bool:
    """A fused region: its instructions; nothing is left to walk afterwards."""
    program = take_apart(node.attrs["program"], node.attrs["results"])
    types = program.infer([n.type for n in node.inputs])
    box = drawing.facts.box(node, id, None)
    cluster = drawing.cluster("fused", "fused", frame.cluster(node), box)
    values: list[Port | Literal] = [frame.operand(n) for n in node.inputs]
    for i, (name, numbers, pairs) in enumerate(node.attrs["program"]):
        type_ = types[len(node.inputs) + i]
        details = tuple(f"{key} = {show_value(value)}" for key, value in pairs)
        ins = port_names(find_op(name), len(numbers))
        made = Box(f"{id}_{i}", "op", name, name, "", box.role, cluster, ins, (type_,), details)
        drawing.add(made, [values[k] for k in numbers])
        values.append(Port(made.id, 0, type_, "grad" if box.role == "backward" else "data"))
    frame.ports[node] = tuple(values[k] for k in node.attrs["results"])
    return True
