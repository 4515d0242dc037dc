"""The order of layers in a model: Keras's depth-first numbering and depths, on the graph itself.

A *unit* is what computes tensors: an input, a layer call, or a raw op between layers. Its *owner*
is the layer that was called; a raw op owns itself. Layers come by decreasing depth (distance from
the outputs) and, at one depth, in the order in which a walk from the outputs enters them. Summary,
weights and files all follow this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.ir.call import LAYER_CALL
from kgraph.ir.leaves import INPUT, ITEM, LEAVES
from kgraph.ir.node import Node


@dataclass(frozen=True)
class Topology:
    """The layers and raw ops between the inputs and outputs of a model.

    Attributes:
        owners: layers and raw ops, first ones first.
        units: owner -> its units in the model, in the order of calling.
        depths: owner -> depth.
        names: owner -> name; raw ops get `<op>_<n>`.
    """

    owners: tuple[Any, ...]
    units: dict[Any, tuple[Node, ...]]
    depths: dict[Any, int]
    names: dict[Any, str]

    @property
    def layers(self) -> list[Any]:
        """The owners that are layers."""
        return [owner for owner in self.owners if not isinstance(owner, Node)]

    @property
    def ops(self) -> list[Node]:
        """The owners that are raw ops."""
        return [owner for owner in self.owners if isinstance(owner, Node)]

    def reference(self, tensor: Node) -> tuple[str, int, int]:
        """Keras's [layer name, node index, tensor index], counting only the model's own calls."""
        unit = unit_of(tensor)
        owner = owner_of(unit)
        index = self.units[owner].index(unit) + (0 if isinstance(owner, Node) else owner.first_call)
        return self.names[owner], index, tensor.attrs["index"] if tensor.op is ITEM else 0


def unit_of(tensor: Node) -> Node:
    """The node that computes a tensor."""
    return tensor.inputs[0] if tensor.op is ITEM else tensor


def owner_of(unit: Node) -> Any:
    """The layer that was called, or the raw op itself."""
    if unit.op is LAYER_CALL:
        return unit.attrs["call"].layer
    if unit.op is INPUT and unit.origin.history is not None:
        return unit.origin.history[0]
    return unit


def operands_of(unit: Node) -> tuple[Node, ...]:
    """The units that a unit reads; constants and variables are none."""
    units = (unit_of(tensor) for tensor in unit.inputs)
    return tuple(u for u in units if u.op is INPUT or u.op.name not in LEAVES)


def map_network(inputs: Sequence[Node], outputs: Sequence[Node]) -> Topology:
    """Orders what lies between inputs and outputs.

    Args:
        inputs: input nodes; those that no output needs are kept, at depth 0.
        outputs: tensors.

    Returns:
        The order.

    Raises:
        ValueError: two layers have one name.
    """
    indices: dict[Any, int] = {}
    finished: dict[Node, None] = {}
    for output in outputs:
        for unit, entered in _walk(unit_of(output), finished):
            if entered:
                indices.setdefault(owner_of(unit), len(indices))
            else:
                finished[unit] = None
    depths = _depths(finished)
    for node in inputs:
        if node not in finished:
            finished[node] = None
            indices[owner_of(node)], depths[owner_of(node)] = -1, 0
    owners = tuple(sorted(indices, key=lambda o: (-depths[o], indices[o])))
    units: dict[Any, list[Node]] = {owner: [] for owner in owners}
    for unit in finished:
        units[owner_of(unit)].append(unit)
    ordered = {o: tuple(sorted(found, key=_call_index)) for o, found in units.items()}
    return Topology(owners, ordered, depths, _names(owners, indices))


def _walk(root: Node, finished: Iterable[Node]) -> Iterator[tuple[Node, bool]]:
    """Depth first: (unit, True) on entering, (unit, False) on leaving."""
    if root in finished:
        return
    entered = {root}
    yield root, True
    stack = [(root, iter(operands_of(root)))]
    while stack:
        unit, operands = stack[-1]
        following = next((o for o in operands if o not in finished and o not in entered), None)
        if following is None:
            stack.pop()
            yield unit, False
        else:
            entered.add(following)
            yield following, True
            stack.append((following, iter(operands_of(following))))


def _depths(finished: Iterable[Node]) -> dict[Any, int]:
    """The largest distance of each owner from an output."""
    unit_depths: dict[Node, int] = {}
    depths: dict[Any, int] = {}
    for unit in reversed(list(finished)):
        owner = owner_of(unit)
        depth = max(unit_depths.get(unit, 0), depths.get(owner, 0))
        depths[owner] = unit_depths[unit] = depth
        for operand in operands_of(unit):
            unit_depths[operand] = max(unit_depths.get(operand, 0), depth + 1)
    return depths


def _call_index(unit: Node) -> int:
    return unit.attrs["call"].index if unit.op is LAYER_CALL else 0


def _names(owners: Sequence[Any], indices: dict[Any, int]) -> dict[Any, str]:
    layers = [owner for owner in owners if not isinstance(owner, Node)]
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.name] = counts.get(layer.name, 0) + 1
    for name, count in counts.items():
        if count > 1:
            raise ValueError(
                f'The name "{name}" is used {count} times in the model. '
                "All layer names should be unique."
            )
    names: dict[Any, str] = {layer: layer.name for layer in layers}
    numbers: dict[str, int] = {}
    for owner in sorted((o for o in owners if isinstance(o, Node)), key=indices.__getitem__):
        name = ""
        while not name or name in counts:
            numbers[owner.op.name] = numbers.get(owner.op.name, 0) + 1
            name = f"{owner.op.name}_{numbers[owner.op.name]}"
        names[owner] = name
    return names
