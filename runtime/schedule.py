"""Schedule: one order of a graph's nodes that frees memory early and lets states update in place.

A list scheduler makes two orders, and the one whose values take less memory at once is used. One
is greedy: of the nodes whose operands are ready it runs the one that frees the most bytes net of
what it allocates, which is right where activations are large. The other stays close to the graph's
own order, which finishes one weight's update before it computes the next weight's gradient and is
right where weights are large. In both the node that makes a state's new value waits until everybody
has read the old one, where that is possible; where two such waits close a circle one of them is
given up and the planner copies instead.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import LEAVES
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType

# Bytes up to which a joined value gets its memory when its first piece is computed. Copying the
# pieces of a larger one costs little beside them, and holding the memory early may cost much.
JOINED = 1 << 18
# The graph's own order is used where it takes less than this factor of the greedy one's memory.
GAIN = 0.98


def is_leaf(node: Node) -> bool:
    """Whether the runtime provides the node's value instead of computing it."""
    return node.op.name in LEAVES


def shares_storage(node: Node) -> bool:
    """Whether the node is, or may be, other names for its operand's memory."""
    return node.op.name == "item" or node.op.view is not None


def joins_in_place(node: Node, shape: Sequence[int]) -> bool:
    """Whether the node joins its operands one behind the other, in memory that they share."""
    if node.op.name != "concatenate" or math.prod(shape[: node.attrs["axis"]]) != 1:
        return False
    return math.prod(shape) * node.type.itemsize <= JOINED


def written_by(value: Node) -> tuple[Node, int]:
    """The node that computes a value, and which of its outputs the value is."""
    return (value.inputs[0], value.attrs["index"]) if value.op.name == "item" else (value, 0)


def storage_of(node: Node) -> tuple[Node, int]:
    """The node that writes the memory which a node names, and with which of its outputs."""
    while node.op.view is not None:
        node = node.inputs[0]
    return written_by(node)


def schedule(graph: Graph, binding: Mapping[str, int]) -> list[Node]:
    """Orders the nodes that need computing, views and items included.

    Args:
        graph: a CORE or FUSED graph.
        binding: the number of every symbol.

    Returns:
        Every non-leaf node once, operands first.
    """
    start = _Start(graph, binding)
    greedy, other = _Scheduler(start, greedy=True), _Scheduler(start, greedy=False)
    order, plain = greedy.run(), other.run()
    chosen = plain if other.peak < GAIN * greedy.peak else order
    return [graph.nodes[i] for i in chosen]


class _Start:
    """What every order of a graph starts from; no scheduler changes it.

    A node is its place in `graph.nodes` here, and a storage the place of the node that writes it.
    """

    def __init__(self, graph: Graph, binding: Mapping[str, int]) -> None:
        self.nodes, self.binding = graph.nodes, binding
        self.place = {n: i for i, n in enumerate(graph.nodes)}
        self.work = [i for i, n in enumerate(graph.nodes) if not is_leaf(n)]
        computed = set(self.work)
        self.bytes: dict[TensorType, int] = {}
        self.users: list[list[int]] = [[] for _ in graph.nodes]
        self.root = list(range(len(graph.nodes)))
        # The storages that a node reads which computes something; None where it names one only.
        self.reads: list[frozenset[int] | None] = [None] * len(graph.nodes)
        self.waits = [0] * len(graph.nodes)
        for i in self.work:
            node = graph.nodes[i]
            operands = {self.place[n] for n in node.inputs}
            for operand in operands:
                self.users[operand].append(i)
            self.waits[i] = len(operands & computed)
            if shares_storage(node):
                self.root[i] = self.root[self.place[node.inputs[0]]]
            else:
                self.reads[i] = frozenset([self.root[operand] for operand in operands])
        self.size = self._find_sizes(graph)
        self.in_place = [
            self.reads[i] is not None and bool(n.op.reuses(0, n.attrs))
            for i, n in enumerate(graph.nodes)
        ]
        self.readers = self._count_readers(graph)
        self.blocks = self._order_updates(graph)
        self.held = [0] * len(graph.nodes)
        for blocked in self.blocks.values():
            for i in blocked:
                self.held[i] += 1

    def _find_sizes(self, graph: Graph) -> list[int]:
        """The bytes of memory of its own that each node takes."""
        # What updates a state is written into the state, a piece of a join into the join.
        in_place = {written_by(value) for _, value in graph.updates}
        for node in graph.nodes:
            if node.op.name == "concatenate" and joins_in_place(node, self._shape(node.type)):
                in_place.update(map(storage_of, node.inputs))
        return [
            0
            if self.reads[i] is None
            else sum([self._bytes(t) for k, t in enumerate(n.types) if (n, k) not in in_place])
            for i, n in enumerate(graph.nodes)
        ]

    def _shape(self, type_: TensorType) -> list[int]:
        return [evaluate(d, self.binding) for d in type_.shape]

    def _bytes(self, type_: TensorType) -> int:
        if type_ not in self.bytes:
            self.bytes[type_] = type_.itemsize * math.prod(self._shape(type_))
        return self.bytes[type_]

    def _count_readers(self, graph: Graph) -> list[int]:
        """How many nodes still have to read each storage; outputs are never freed."""
        readers = [0] * len(graph.nodes)
        for roots in self.reads:
            for root in roots or ():
                readers[root] += 1
        for _, node in graph.outputs:
            readers[self.root[self.place[node]]] += 1
        return readers

    def _order_updates(self, graph: Graph) -> dict[int, list[int]]:
        """Reader of an old state -> the final nodes that must wait for it."""
        blocks: dict[int, list[int]] = {}
        for state, value in graph.updates:
            if is_leaf(value) or state not in self.place:
                continue
            writer = self.place[written_by(value)[0]]
            if self._is_used(writer, self.place[value]):
                continue  # a value that others use cannot wait without risking a circle
            stack, seen = list(self.users[self.place[state]]), set[int]()
            while stack:
                reader = stack.pop()
                if reader in seen or reader == writer:
                    continue
                seen.add(reader)
                if self.reads[reader] is None:
                    stack.extend(self.users[reader])
                else:
                    blocks.setdefault(reader, []).append(writer)
        return blocks

    def _is_used(self, writer: int, value: int) -> bool:
        """Whether a node that computes a state's new value has users in the graph."""
        if self.users[value]:
            return True
        return value != writer and any(self.users[item] for item in self.users[writer])


class _Scheduler:
    """State of one scheduling: what is ready, what still reads each storage.

    Attributes:
        peak: the most bytes that live at once in the order that `run` returned.
    """

    def __init__(self, start: _Start, greedy: bool) -> None:
        self.start, self.greedy = start, greedy
        self.live = self.peak = 0
        self.users, self.reads, self.size = start.users, start.reads, start.size
        self.blocks = start.blocks
        self.readers, self.waits = list(start.readers), list(start.waits)
        self.held, self.done = list(start.held), [False] * len(start.nodes)
        self.ready: list[tuple[int, int]] = []

    def run(self) -> list[int]:
        work, ready, done = self.start.work, self.ready, self.done
        order: list[int] = []
        for node in work:
            self._offer(node)
        while len(order) < len(work):
            if not ready:
                self._give_up_one_wait()
            score, node = heapq.heappop(ready)
            if done[node]:
                continue
            current = self._score(node)
            if current > score:  # what it frees has changed since it was offered
                heapq.heappush(ready, (current, node))
                continue
            done[node] = True
            order.append(node)
            self._release(node)
        return order

    def _offer(self, node: int) -> None:
        if not (self.waits[node] or self.held[node] or self.done[node]):
            heapq.heappush(self.ready, (self._score(node), node))

    def _score(self, node: int) -> int:
        """Bytes allocated less bytes freed; the smallest goes first."""
        reads = self.reads[node]
        if reads is None:
            return -(1 << 62)
        return self.size[node] - self._freed(reads) if self.greedy else 0

    def _freed(self, reads: frozenset[int]) -> int:
        """Bytes of the storages that nobody else has still to read."""
        freed, readers = 0, self.readers
        for root in reads:
            if readers[root] == 1:
                freed += self.size[root]
        return freed

    def _release(self, node: int) -> None:
        reads, readers, waits = self.reads[node], self.readers, self.waits
        if reads is not None:
            self._count(node, self._freed(reads))
            for root in reads:
                readers[root] -= 1
                if readers[root] == 1 and self.greedy:
                    for user in self.users[root]:
                        self._offer(user)
        for user in self.users[node]:
            waits[user] -= 1
            if not waits[user]:
                self._offer(user)
        for value in self.blocks.get(node, ()):
            self.held[value] -= 1
            self._offer(value)

    def _count(self, node: int, freed: int) -> None:
        """Keeps the balance of living bytes; an op that works in place takes no new ones."""
        self.live += self.size[node] - freed
        most = self.live if self.start.in_place[node] else self.live + freed
        self.peak = max(self.peak, most)

    def _give_up_one_wait(self) -> None:
        node = next(n for n, count in enumerate(self.held) if count and not self.waits[n])
        self.held[node] = 0
        self.blocks = {r: [v for v in vs if v != node] for r, vs in self.blocks.items()}
        self._offer(node)
