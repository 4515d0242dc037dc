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
    return plain if other.peak < GAIN * greedy.peak else order


class _Start:
    """What every order of a graph starts from; no scheduler changes it."""

    def __init__(self, graph: Graph, binding: Mapping[str, int]) -> None:
        self.nodes = [n for n in graph.nodes if not is_leaf(n)]
        self.index = {n: i for i, n in enumerate(self.nodes)}
        self.users = graph.users
        self.root: dict[Node, Node] = {}
        for node in graph.nodes:
            self.root[node] = self.root[node.inputs[0]] if shares_storage(node) else node
        # Node that computes something -> the storages that it reads; names of storage read none.
        self.reads: dict[Node, frozenset[Node]] = {
            n: frozenset([self.root[i] for i in n.inputs]) for n in self.nodes if self.root[n] is n
        }
        self.binding = binding
        self.bytes: dict[TensorType, int] = {}
        # What updates a state is written into the state, a piece of a join into the join.
        in_place = {written_by(value) for _, value in graph.updates}
        for node in self.nodes:
            if node.op.name == "concatenate" and joins_in_place(node, self._shape(node.type)):
                in_place.update(map(storage_of, node.inputs))
        self.size = {
            n: sum([self._bytes(t) for i, t in enumerate(n.types) if (n, i) not in in_place])
            if n in self.reads
            else 0
            for n in self.nodes
        }
        self.readers = self._count_readers(graph)
        self.waits = {n: sum(not is_leaf(i) for i in set(n.inputs)) for n in self.nodes}
        self.blocks = self._order_updates(graph)
        self.held: dict[Node, int] = {}
        for blocked in self.blocks.values():
            for node in blocked:
                self.held[node] = self.held.get(node, 0) + 1

    def _shape(self, type_: TensorType) -> list[int]:
        return [evaluate(d, self.binding) for d in type_.shape]

    def _bytes(self, type_: TensorType) -> int:
        if type_ not in self.bytes:
            self.bytes[type_] = type_.itemsize * math.prod(self._shape(type_))
        return self.bytes[type_]

    def _count_readers(self, graph: Graph) -> dict[Node, int]:
        """Storage -> nodes that still have to read it; outputs are never freed."""
        readers: dict[Node, int] = {}
        for roots in self.reads.values():
            for root in roots:
                readers[root] = readers.get(root, 0) + 1
        for _, node in graph.outputs:
            root = self.root[node]
            readers[root] = readers.get(root, 0) + 1
        return readers

    def _order_updates(self, graph: Graph) -> dict[Node, list[Node]]:
        """Reader of an old state -> the final nodes that must wait for it."""
        blocks: dict[Node, list[Node]] = {}
        for state, value in graph.updates:
            writer = written_by(value)[0]
            if is_leaf(value) or state not in self.users or self._is_used(writer, value):
                continue  # a value that others use cannot wait without risking a circle
            stack, seen = list(self.users[state]), set()
            while stack:
                reader = stack.pop()
                if reader in seen or reader is writer:
                    continue
                seen.add(reader)
                if shares_storage(reader):
                    stack.extend(self.users[reader])
                else:
                    blocks.setdefault(reader, []).append(writer)
        return blocks

    def _is_used(self, writer: Node, value: Node) -> bool:
        """Whether a node that computes a state's new value has users in the graph."""
        if self.users[value]:
            return True
        return value is not writer and any(self.users[item] for item in self.users[writer])


class _Scheduler:
    """State of one scheduling: what is ready, what still reads each storage.

    Attributes:
        peak: the most bytes that live at once in the order that `run` returned.
    """

    def __init__(self, start: _Start, greedy: bool) -> None:
        self.greedy = greedy
        self.live = self.peak = 0
        self.nodes, self.index, self.users = start.nodes, start.index, start.users
        self.reads, self.size, self.blocks = start.reads, start.size, start.blocks
        self.readers, self.waits = dict(start.readers), dict(start.waits)
        self.held = dict(start.held)
        self.ready: list[tuple[int, int, Node]] = []
        self.done: set[Node] = set()

    def run(self) -> list[Node]:
        order: list[Node] = []
        for node in self.nodes:
            self._offer(node)
        while len(order) < len(self.nodes):
            if not self.ready:
                self._give_up_one_wait()
            score, _, node = heapq.heappop(self.ready)
            if node in self.done:
                continue
            current = self._score(node)
            if current > score:  # what it frees has changed since it was offered
                heapq.heappush(self.ready, (current, self.index[node], node))
                continue
            self.done.add(node)
            order.append(node)
            self._release(node)
        return order

    def _offer(self, node: Node) -> None:
        if not self.waits[node] and not self.held.get(node) and node not in self.done:
            heapq.heappush(self.ready, (self._score(node), self.index[node], node))

    def _score(self, node: Node) -> int:
        """Bytes allocated less bytes freed; the smallest goes first."""
        if node not in self.reads:
            return -(1 << 62)
        return self.size[node] - self._freed(node) if self.greedy else 0

    def _freed(self, node: Node) -> int:
        """Bytes of the storages that nobody else has still to read."""
        size, readers = self.size, self.readers
        return sum([size.get(r, 0) for r in self.reads[node] if readers[r] == 1])

    def _release(self, node: Node) -> None:
        if node in self.reads:
            self._count(node)
            for root in self.reads[node]:
                self.readers[root] -= 1
                if self.readers[root] == 1 and self.greedy:
                    for user in self.users[root]:
                        self._offer(user)
        for user in dict.fromkeys(self.users[node]):
            self.waits[user] -= 1
            self._offer(user)
        for value in self.blocks.get(node, ()):
            self.held[value] -= 1
            self._offer(value)

    def _count(self, node: Node) -> None:
        """Keeps the balance of living bytes; an op that works in place takes no new ones."""
        freed = self._freed(node)
        self.live += self.size[node] - freed
        in_place = node.op.reuses(0, node.attrs)
        self.peak = max(self.peak, self.live if in_place else self.live + freed)

    def _give_up_one_wait(self) -> None:
        node = min(
            (n for n, count in self.held.items() if count and not self.waits[n]),
            key=self.index.__getitem__,
        )
        self.held[node] = 0
        self.blocks = {r: [v for v in vs if v is not node] for r, vs in self.blocks.items()}
        self._offer(node)
