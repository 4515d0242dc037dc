"""Graphs: named outputs and state updates over interned nodes, at one of three stages."""

from __future__ import annotations

import enum
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kgraph.errors import VerifyError
from kgraph.ir.attributes import map_attribute
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node, rebuild
from kgraph.ir.printer import to_text
from kgraph.ir.variable import Variable


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
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbolic sizes, in order of first use."""
        found: dict[str, None] = {}

        def note(leaf: Any) -> None:
            if isinstance(leaf, Dim):
                found.update(dict.fromkeys(sorted(leaf.symbols)))

        for node in (*self.inputs, *self.nodes):
            for type_ in node.types:
                for size in type_.shape:
                    note(size)
            for value in node.attrs.values():
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

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return to_text(self)

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.outputs)
        return f"<Graph {self.stage.value}: {len(self)} nodes, outputs {names or 'none'}>"


def toposort(roots: Iterable[Node], stop: Iterable[Node] = ()) -> tuple[Node, ...]:
    """All nodes below the roots, operands first, each once; nodes in `stop` are not entered.

    Args:
        roots: the nodes to compute.
        stop: nodes that are not followed further.

    Returns:
        Every node that the roots need, operands first.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> [n.op.name for n in toposort([ops.tanh(x) + 1])]
        ['input', 'tanh', 'const', 'add']
    """
    cut = frozenset(stop)
    order: dict[Node, None] = {}
    for root in roots:
        stack = [(root, iter(() if root in cut else root.inputs))]
        if root in order:
            continue
        pending = {root}
        while stack:
            node, operands = stack[-1]
            for operand in operands:
                if operand not in order:
                    if not operand.inputs:
                        order[operand] = None
                        continue
                    if operand in pending:
                        raise VerifyError(f"{operand!r} depends on itself")
                    pending.add(operand)
                    stack.append((operand, iter(() if operand in cut else operand.inputs)))
                    break
            else:
                stack.pop()
                pending.discard(node)
                order[node] = None
    return tuple(order)


def transform(roots: Sequence[Node], function: Callable[[Node], Node]) -> tuple[Node, ...]:
    """Rebuilds the nodes below the roots, operands first, through `function`.

    Args:
        roots: the nodes to compute.
        function: gets each node over its new operands and returns what stands for it.

    Returns:
        The new roots.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> (y,) = transform([ops.exp(x)], lambda n: ops.tanh(*n.inputs) if n.op is ops.exp else n)
        >>> y.op.name
        'tanh'
    """
    done: dict[Node, Node] = {}
    for node in toposort(roots):
        done[node] = function(rebuild(node, tuple(done[i] for i in node.inputs)))
    return tuple(done[r] for r in roots)


def substitute(roots: Sequence[Node], table: Mapping[Node, Node]) -> tuple[Node, ...]:
    """Replaces the nodes in `table` wherever the roots need them.

    Args:
        roots: nodes.
        table: node -> what stands for it.

    Returns:
        The roots over the replaced nodes.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> y = substitute([ops.tanh(x)], {x: ops.exp(x)})[0]
        >>> y.inputs[0].op.name
        'exp'
    """
    done: dict[Node, Node] = dict(table)
    for node in toposort(roots, stop=table):
        if node not in done:
            done[node] = rebuild(node, tuple(done[i] for i in node.inputs))
    return tuple(done[r] for r in roots)
