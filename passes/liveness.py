"""Liveness: which bytes live when, if a graph runs in the order that the runtime will choose.

An estimate for passes. Views are their operand's memory, an op works in place where it can, and a
state's next value is written into the state. What is left out is what only a plan decides: places
in the arena, joins that cost nothing, and views that turn out to need a copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import items
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.runtime.schedule import schedule, shares_storage


@dataclass(frozen=True, slots=True)
class Run:
    """One computation: value number `makes` from the numbers in `reads`.

    Args:
        makes: the value's number.
        reads: the values that it is computed from; states, inputs and constants have none.
        overwrites: for each output those whose memory it may take if they die here.
    """

    makes: int
    reads: tuple[int, ...]
    overwrites: tuple[tuple[int, ...], ...] = ()


@dataclass
class Liveness:
    """The computed values of a graph, numbered in the order of the runtime.

    Args:
        graph: a FUSED graph.
        binding: the number of every symbol.

    Attributes:
        nodes: number -> the node that computes the value; views and items are none.
        sizes: number -> bytes; none for what is written into a state.
        scratch: number -> bytes that the value's kernel needs while it runs.
        runs: number -> how it is computed.
        kept: numbers of the values that outputs and updates need until the end.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((256,), name="x")
        >>> live = Liveness(Graph((x,), (("y", ops.sum(ops.exp(x) * ops.tanh(x))),)), {})
        >>> live.peak
        2048
    """

    graph: Graph
    binding: Mapping[str, int]
    nodes: list[Node] = field(init=False)
    sizes: list[int] = field(init=False)
    scratch: list[int] = field(init=False)
    runs: list[Run] = field(init=False)
    kept: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self._root: dict[Node, Node] = {}
        order = schedule(self.graph, self.binding)
        self.nodes = [n for n in order if not shares_storage(n)]
        self.number = {n: i for i, n in enumerate(self.nodes)}
        self._in_place = {value for _, value in self.graph.updates}
        self.sizes = [self._size(n) for n in self.nodes]
        self.scratch = [self._scratch(n) for n in self.nodes]
        self.runs = [self._run(n) for n in self.nodes]
        found = (self.value(n) for n in self.graph.roots)
        self.kept = frozenset(i for i in found if i is not None)

    def root(self, node: Node) -> Node:
        """The node whose memory a node names: itself unless it is a view."""
        path = []
        while node not in self._root and shares_storage(node):
            path.append(node)
            node = node.inputs[0]
        found = self._root.get(node, node)
        self._root.update(dict.fromkeys(path, found))
        return found

    def value(self, node: Node) -> int | None:
        """The number of the value that a node names, None for leaves."""
        return self.number.get(self.root(node))

    def bind(self, types: Sequence[TensorType]) -> list[TensorType]:
        """The types with numbers for sizes."""
        return [t.bind(self.binding) for t in types]

    def _size(self, node: Node) -> int:
        """Bytes of a node's outputs, those left out that are written into states."""
        types = self.bind(node.types)
        return sum(int(t.nbytes) for y, t in zip(items(node), types) if y not in self._in_place)

    def _scratch(self, node: Node) -> int:
        if not node.op.has_scratch:
            return 0
        inputs = self.bind([n.type for n in node.inputs])
        attrs = bind_attributes(node.attrs, self.binding)
        return sum(int(t.nbytes) for t in node.op.scratch(*inputs, **attrs))

    def _cost(self, node: Node) -> tuple[int, int]:
        inputs = self.bind([t for n in node.inputs for t in n.types])
        attrs = bind_attributes(node.attrs, self.binding)
        flops, moved = node.op.cost(inputs, self.bind(node.types), attrs)
        return int(flops), int(moved)

    @cached_property
    def costs(self) -> list[tuple[int, int]]:
        """Number -> floating-point operations and bytes moved."""
        return [self._cost(n) for n in self.nodes]

    def _run(self, node: Node) -> Run:
        reads = [self.value(n) for n in node.inputs]
        overwrites = []
        for output, y in enumerate(items(node)):
            places = () if y in self._in_place else node.op.reuses(output, node.attrs)
            fitting = [reads[i] for i in places if i < len(reads) and _is_whole(node.inputs[i], y)]
            overwrites.append(tuple(r for r in fitting if r is not None))
        found = dict.fromkeys(r for r in reads if r is not None)
        return Run(self.number[node], tuple(found), tuple(overwrites))

    def balance(self, runs: Iterable[Run], sizes: Sequence[int]) -> list[int]:
        """The bytes that live while each computation runs.

        Args:
            runs: computations in their order; numbers behind the graph's stand for second ones.
            sizes: number -> bytes.
        """
        runs = list(runs)
        last = {value: i for i, run in enumerate(runs) for value in (run.makes, *run.reads)}
        last.update(dict.fromkeys(self.kept, len(runs)))
        live, found = 0, []
        for i, run in enumerate(runs):
            dying = {v for v in run.reads if last[v] == i}
            taken = dict[int, None]()
            for options in run.overwrites:
                free = next((v for v in options if v in dying and v not in taken), None)
                taken.update({} if free is None else {free: None})
            live += sizes[run.makes]
            beside = self.scratch[run.makes % len(self.scratch)]
            found.append(live + beside - sum(sizes[v] for v in taken))
            live -= sum(sizes[v] for v in dying)
            if last[run.makes] == i:
                live -= sizes[run.makes]
        return found

    @cached_property
    def peak(self) -> int:
        """The most bytes that live at once."""
        return max(self.balance(self.runs, self.sizes), default=0)


def _is_whole(operand: Node, output: Node) -> bool:
    """Whether an operand lies in memory as the output will."""
    return not shares_storage(operand) and operand.types == output.types
