"""The table of a model's layers, in the layout of Keras 2.3; columns widen instead of cutting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kgraph.ir.leaves import INPUT
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable
from kgraph.layers.structure import unpack_singleton
from kgraph.models.topology import Topology, operands_of, unit_of

_CHAIN = ("Layer (type)", "Output Shape", "Param #")
_GRAPH = (*_CHAIN, "Connected to")
_CHAIN_LENGTH, _CHAIN_POSITIONS = 65, (0.45, 0.85, 1.0)
_GRAPH_LENGTH, _GRAPH_POSITIONS = 98, (0.33, 0.55, 0.67, 1.0)

Row = tuple[str, ...]


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
) -> None:
    """Prints a table of the layers with their output shapes and numbers of parameters.

    Args:
        model: a built model.
        line_length: width of the table; default as wide as needed.
        positions: ends of the columns, as fractions of the width or in characters.
        print_fn: called once a line; default `print`.

    Raises:
        ValueError: the model is not built.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(2, input_shape=(3,), name="out")], name="tiny")
        >>> print_summary(model, print_fn=lambda line: print(line.rstrip()))
        Model: "tiny"
        _________________________________________________________________
        Layer (type)                 Output Shape              Param #
        =================================================================
        out (Dense)                  (None, 2)                 8
        =================================================================
        Total params: 8
        Trainable params: 8
        Non-trainable params: 0
        _________________________________________________________________
    """
    show = print_fn or print
    for line in summary_lines(model, line_length, positions):
        show(line)


def summary_lines(
    model: Any, line_length: int | None = None, positions: Sequence[float] | None = None
) -> list[str]:
    """The lines of the summary."""
    topology = model.require_built().network.topology
    chain = is_chain(model, topology)
    header = _CHAIN if chain else _GRAPH
    owners = model.layers if chain and not topology.ops else topology.owners
    groups = [_rows(owner, topology, chain) for owner in owners]
    fixed = line_length is not None or positions is not None
    length = line_length or (_CHAIN_LENGTH if chain else _GRAPH_LENGTH)
    ends = _ends(positions or (_CHAIN_POSITIONS if chain else _GRAPH_POSITIONS), length)
    if not fixed:
        ends = _widened(ends, [header, *(row for rows in groups for row in rows)])
        length = ends[-1]
    lines = [f'Model: "{model.name}"', "_" * length, _line(header, ends), "=" * length]
    for i, rows in enumerate(groups):
        lines += [_line(row, ends) for row in rows]
        lines.append(("=" if i == len(groups) - 1 else "_") * length)
    trained, others = _count(model.trainable_weights), _count(model.non_trainable_weights)
    return [
        *lines,
        f"Total params: {trained + others:,}",
        f"Trainable params: {trained:,}",
        f"Non-trainable params: {others:,}",
        "_" * length,
    ]


def is_chain(model: Any, topology: Topology) -> bool:
    """Whether each layer is called once, on what the one before returned."""
    if len(topology.layers) > len(model.layers):  # a Sequential hides its input
        return not topology.ops
    units = [unit for found in topology.units.values() for unit in found]
    depths = list(topology.depths.values())
    straight = all(len(unit.inputs) <= 1 for unit in units)
    return straight and len(set(depths)) == len(depths) == len(units)


def _rows(owner: Any, topology: Topology, chain: bool) -> list[Row]:
    name = topology.names[owner]
    if isinstance(owner, Node):
        kind, params = owner.op.name, 0
        shape = str(unpack_singleton([_type_shape(t) for t in owner.types]))
    else:
        kind, params = type(owner).__name__, owner.count_params()
        shape = output_shape(owner)
    row = (f"{name} ({kind})", shape, str(params))
    if chain:
        return [row]
    links = links_of(owner, topology)
    return [(*row, links[0] if links else ""), *(("", "", "", link) for link in links[1:])]


def links_of(owner: Any, topology: Topology) -> list[str]:
    """What each call of a layer, or a raw op, reads, as `layer[call][output]`."""
    return [
        "{}[{}][{}]".format(*topology.reference(tensor))
        for unit in topology.units[owner]
        for tensor in unit.inputs
        if unit.op is not INPUT and unit_of(tensor) in operands_of(unit)
    ]


def _type_shape(type_: TensorType) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in type_.shape)


def output_shape(layer: Any) -> str:
    """The shape that all calls of a layer return, as text; "multiple" if there are several."""
    try:
        return str(layer.output_shape)
    except AttributeError:
        return "multiple"


def _count(weights: Sequence[Variable]) -> int:
    return sum(v.value.size for v in weights)


def _ends(positions: Sequence[float], length: int) -> list[int]:
    if positions[-1] <= 1:
        return [int(length * p) for p in positions]
    return [int(p) for p in positions]


def _widened(ends: Sequence[int], rows: Sequence[Row]) -> list[int]:
    """Columns at least as wide as their longest cell and a space."""
    found: list[int] = []
    for i, end in enumerate(ends):
        width = end - (ends[i - 1] if i else 0)
        longest = max(len(row[i]) for row in rows) + (i < len(ends) - 1)
        found.append((found[-1] if found else 0) + max(width, longest))
    return found


def _line(row: Row, ends: Sequence[int]) -> str:
    """The cells, each cut to its column and, between columns, ended by a space."""
    line = ""
    for i, (cell, end) in enumerate(zip(row, ends, strict=True)):
        if i:
            line = line[:-1] + " "
        line = (line + cell)[:end].ljust(end)
    return line
