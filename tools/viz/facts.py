"""What is known of one node: the lines of its box, its source line, its history, its work."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kgraph.ir.arrays import to_numbers
from kgraph.ir.body import Body
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.context import CallContext, calling
from kgraph.ir.leaves import ARG, CONST, INPUT, const_value
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.origin import Origin, making
from kgraph.ir.printer import show_value
from kgraph.ir.types import DTYPES
from kgraph.ir.variable import Variable
from kgraph.ir.walk import toposort
from kgraph.ops.fused import fused
from kgraph.passes.cost import SIZE_HINT, estimate_nodes
from kgraph.tools.viz.model import Box, Source, Work
from kgraph.tools.viz.roles import role_of


@dataclass
class Facts:
    """Reads facts off nodes; work is estimated with numbers for the symbolic sizes.

    Args:
        symbols: symbolic size -> number.
        training: whether the graph is a training step.
        costs: whether to estimate the work; each layer is lowered for it.
        folders: whether source files keep their folders.
    """

    symbols: Mapping[str, int]
    training: bool = False
    costs: bool = True
    folders: bool = False

    def box(self, node: Node, id: str, cluster: str | None) -> Box:
        """The box of a node."""
        fields: dict[str, Any] = {
            "id": id,
            "op": node.op.name,
            "cluster": cluster,
            "types": node.types,
            "role": role_of(node, self.training),
        }
        if node.op is INPUT:
            name = node.attrs["name"] or "input"
            return Box(kind="input", label=name, type="input", **fields)
        if isinstance(node, Variable):
            details = () if node.trainable else ("frozen",)
            fields |= {"details": details, "trainable": node.trainable}
            return Box(kind="state", label=node.attrs["name"], type="state", **fields)
        if node.op is CONST:
            return Box(kind="const", label="constant", type=DTYPES[node.dtype], **fields)
        if node.op is ARG:
            return Box(kind="arg", label=f"arg {node.attrs['index']}", **fields)
        fields |= self.history(node) | {"ins": port_names(node.op, len(node.inputs))}
        if node.op is LAYER_CALL:
            return Box(kind="layer", **(fields | self.layer(node)))
        return Box(kind="op", label=node.op.name, details=_attributes(node), **fields)

    def history(self, node: Node) -> dict[str, Any]:
        """Source line, lineage and work."""
        file, line = node.origin.file, node.origin.line
        steps = reversed(node.origin.lineage)
        name = file if self.folders or not file else os.path.basename(file)
        return {
            "source": Source(name, line) if name else None,
            "lineage": tuple(str(step) for step in steps),
            "work": self.work(node) if self.costs else None,
        }

    def layer(self, node: Node) -> dict[str, Any]:
        """What a layer says of itself."""
        layer = node.attrs["call"].layer
        weights = tuple(getattr(layer, "weights", ()))
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        inner, wrapped = getattr(layer, "layers", None), getattr(layer, "layer", None)
        details = [f"a model of {len(inner)} layers"] if inner else []
        if wrapped is not None and hasattr(wrapped, "name"):
            details.append(f"around {type(wrapped).__name__}")
        return {
            "op": type(layer).__name__,
            "label": layer.name,
            "type": type(layer).__name__,
            "details": tuple(details),
            "activation": None if activation == "linear" else activation,
            "params": sum(v.value.size for v in weights),
            "trainable": bool(getattr(layer, "trainable_weights", weights)) if weights else None,
        }

    def work(self, node: Node) -> Work | None:
        """The estimated work of a node; None for what does none."""
        if not node.inputs:
            return None
        nodes = _inlined(node) if node.op is LAYER_CALL else (node,)
        cost = estimate_nodes(nodes, _Hints(self.symbols))
        return Work(cost.flops, cost.bytes)


class _Hints(dict[str, int]):
    """Sizes that only an inner model knows count as `SIZE_HINT` too."""

    def __missing__(self, name: str) -> int:
        return SIZE_HINT


def _inlined(node: Node) -> tuple[Node, ...]:
    """The primitive ops of a layer call."""
    context, masks = CallContext(False), (None,) * len(node.inputs)
    with calling(context), making(Origin()):
        outputs, _ = node.attrs["call"].invoke(node.inputs, masks, context)
    below = toposort(outputs, stop=node.inputs)
    outside = set(node.inputs)
    return tuple(n for n in below if n not in outside)


def _attributes(node: Node) -> tuple[str, ...]:
    if node.op is fused:
        return (" + ".join(name for name, *_ in node.attrs["program"]),)
    shown = ((n, v) for n, v in node.attrs.items() if not isinstance(v, Body))
    return tuple(f"{name} = {show_value(value)}" for name, value in shown)


def is_scalar(node: Node) -> bool:
    """Whether a node is a constant of one element, which is written into its users' boxes."""
    return node.op is CONST and const_value(node).size == 1


def scalar_text(node: Node) -> str:
    """The number that a scalar constant is."""
    numbers = to_numbers(const_value(node))
    return str(numbers[0] if numbers else const_value(node).item())


def port_names(op: Op, count: int) -> tuple[str, ...]:
    """Names of an op's operands: those of its rule for types where it names them."""
    names = _parameters(type(op).infer)
    return names if len(names) == count else tuple(f"x{i}" for i in range(count))


@functools.lru_cache(maxsize=1024)
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    found = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.kind is positional and p.default is inspect.Parameter.empty and p.name != "self"
    ]
    return tuple(found)
