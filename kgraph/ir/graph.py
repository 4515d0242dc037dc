"""Graphs: named outputs and state updates over interned nodes, at one of three stages."""

from __future__ import annotations

import enum
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kgraph.ir.attributes import Nested, map_attribute
from kgraph.ir.body import Body, all_bodies
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.printer import to_text
from kgraph.ir.variable import Variable
from kgraph.ir.walk import substitute, toposort, transform

__all__ = ["Graph", "Stage", "substitute", "toposort", "transform"]


class Stage(enum.Enum):
    """How far a graph has come: as the user built it, in primitive ops, or optimized."""

    LAYERS = "layers"
    CORE = "core"
    FUSED = "fused"


@dataclass(frozen=True, repr=False)
class Graph:
    """What is fed, what is asked for, and what the run changes.

    Args:
        inputs: input nodes, in the order of feeding.
        outputs: (name, node) in the order of returning.
        updates: (variable, new value); all right sides read the old values.
        stage: which ops may occur.

    Attributes:
        nodes: everything that outputs and updates need, operands first.
        states: the variables among them, in order of first use, updated ones included.
        users: node -> the nodes that read it.
        kinds: what ops there are on what ops.
        bodies: the bodies that nodes hold.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> print(Graph((x,), (("y", ops.tanh(x) * 2),)))
        graph core
        input %0 'x' : f32[2]
        %1 = tanh(%0) : f32[2]  # ...
        %2 = const(2.0) : f32[]
        %3 = multiply(%1, %2) : f32[2]  # ...
        output 'y' %3
    """

    inputs: tuple[Node, ...]
    outputs: tuple[tuple[str, Node], ...]
    updates: tuple[tuple[Variable, Node], ...] = ()
    stage: Stage = Stage.CORE

    @property
    def roots(self) -> tuple[Node, ...]:
        """The nodes that have to be computed."""
        return tuple(n for _, n in self.outputs) + tuple(n for _, n in self.updates)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, operands before users, in one canonical order."""
        return toposort(self.roots)

    @cached_property
    def states(self) -> tuple[Variable, ...]:
        """The variables that the graph reads or updates."""
        found = [n for n in self.nodes if isinstance(n, Variable)]
        return tuple(dict.fromkeys([*found, *(v for v, _ in self.updates)]))

    @cached_property
    def users(self) -> Mapping[Node, tuple[Node, ...]]:
        """Node -> the nodes that read it (a node that reads it twice stands twice)."""
        table: dict[Node, list[Node]] = {n: [] for n in self.nodes}
        for node in self.nodes:
            for operand in node.inputs:
                table[operand].append(node)
        return {n: tuple(u) for n, u in table.items()}

    @cached_property
    def kinds(self) -> frozenset[tuple[Op, ...]]:
        """For each node its op and those of its operands: what rules look at first."""
        return frozenset([(n.op, *[i.op for i in n.inputs]) for n in self.nodes])

    @cached_property
    def bodies(self) -> tuple[Body, ...]:
        """The bodies that the nodes hold, also those inside bodies: inner ones first."""
        return all_bodies(self.nodes)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbolic sizes, in order of first use."""
        found: dict[str, None] = {}

        def note(leaf: Any) -> Any:
            if isinstance(leaf, Dim):
                found.update(dict.fromkeys(sorted(leaf.symbols)))
            return leaf

        seen: set[int] = set()  # ids of attributes, which nodes that are alike share
        for node in (*self.inputs, *self.nodes):
            for type_ in node.types:
                for size in type_.shape:
                    if type(size) is not int:
                        note(size)
            for value in node.attrs.values():
                if isinstance(value, (tuple, Dim, Nested)) and id(value) not in seen:
                    seen.add(id(value))
                    map_attribute(value, note)
        return tuple(found)

    def with_roots(self, roots: Sequence[Node], stage: Stage | None = None) -> Graph:
        """The same signature over other nodes; itself when nothing differs."""
        n = len(self.outputs)
        outputs = tuple((name, r) for (name, _), r in zip(self.outputs, roots[:n], strict=True))
        updates = tuple((v, r) for (v, _), r in zip(self.updates, roots[n:], strict=True))
        if tuple(roots) == self.roots and stage in (None, self.stage):
            return self
        return replace(self, outputs=outputs, updates=updates, stage=stage or self.stage)

    def rewrite(self, function: Callable[[Node], Node]) -> Graph:
        """Replaces every node, operands first.

        Args:
            function: gets each node after its operands were replaced; returns it or another node
                of the same type.
        """
        return self.with_roots(transform(self.roots, function))

    def to_networkx(self) -> Any:
        """The graph as a `networkx.MultiDiGraph`; see `kgraph.ir.networkx`."""
        # The import waits for the first call: networkx takes longer to load than NumPy.
        return importlib.import_module("kgraph.ir.networkx").to_networkx(self)

    def _repr_svg_(self) -> str | None:
        """The picture that notebooks show; it waits for the first look, as networkx does."""
        return importlib.import_module("kgraph.tools.viz.notebook").svg_of(self)

    def _repr_html_(self) -> str | None:
        return self._repr_svg_()  # svg may stand in html as it is

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return to_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis shows of a failing example, and a terminal of IPython."""
        printer.text(str(self))

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.outputs)
        return f"<Graph {self.stage.value}: {len(self)} nodes, outputs {names or 'none'}>"
