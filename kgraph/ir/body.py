"""Bodies: closed pieces of program that a node holds as an attribute, such as the step of a loop.

A body is nodes over `arg` leaves, constants and sizes, and nothing else: what it needs from outside
comes as an operand of the node that holds it. Nodes are interned, hence equal bodies are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from kgraph.errors import InferenceError, explain
from kgraph.ir.attributes import Nested, map_attribute
from kgraph.ir.dim import Dim, evaluate
from kgraph.ir.leaves import ARG, CONST, SIZE, arg
from kgraph.ir.node import Node, build
from kgraph.ir.types import TensorType
from kgraph.ir.walk import substitute, toposort

# Bodies in bodies: walks that follow the nesting may recurse, since it is never deeper than this.
MAX_DEPTH = 16


class Body(Nested):
    """A function of tensors as an immutable attribute; right from birth, as nodes are.

    Args:
        parameters: types of `arg` 0, 1, ...
        outputs: nodes of one output each.

    Attributes:
        nodes: all nodes that the outputs need, operands first.
        inner: the bodies that these nodes hold, each once.
        depth: 1 for a body that holds none.
        symbols: names of the symbolic sizes inside.

    Raises:
        InferenceError: the body is not closed, an `arg` is not declared or of another type, or
            bodies are nested too deeply.

    Example:
        >>> from kgraph import ops
        >>> type_ = TensorType((2,), "float32")
        >>> double = Body((type_,), (ops.multiply(arg(0, type_), 2.0),))
        >>> double == Body((type_,), (arg(0, type_) * 2.0,))
        True
        >>> double.apply([ops.exp(arg(0, type_))])
        (<multiply: f32[2]>,)
    """

    __slots__ = (
        "__weakref__", "_numbered", "depth", "inner", "nodes", "outputs", "parameters", "symbols"
    )  # fmt: skip

    parameters: tuple[TensorType, ...]
    outputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    inner: tuple[Body, ...]
    depth: int
    symbols: frozenset[str]
    _numbered: tuple[tuple[int | None, ...], Body] | None

    def __init__(self, parameters: Sequence[TensorType], outputs: Sequence[Node]) -> None:
        put = object.__setattr__
        put(self, "parameters", tuple(parameters))
        put(self, "outputs", tuple(outputs))
        put(self, "nodes", toposort(self.outputs))
        put(self, "inner", tuple(dict.fromkeys(b for n in self.nodes for b in bodies_of(n))))
        put(self, "depth", 1 + max((b.depth for b in self.inner), default=0))
        self._check()
        put(self, "symbols", frozenset(_symbols(self)))
        put(self, "_numbered", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Body is immutable")

    def _check(self) -> None:
        if self.depth > MAX_DEPTH:
            raise InferenceError(f"bodies are nested more than {MAX_DEPTH} deep")
        for node in self.outputs:
            if len(node.types) != 1:
                raise InferenceError(f"an output of the body, {node!r}, has several outputs")
        for node in self.nodes:
            fault = _fault(node, self.parameters)
            if fault is not None:
                raise InferenceError(fault)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        types = ", ".join(map(str, self.parameters))
        return f"Body({types}: {len(self.nodes)} nodes)"

    def __deepcopy__(self, memo: dict[int, Any]) -> Body:
        return self

    def key(self) -> Hashable:
        # Numbers of the outputs, as in the table of nodes, which would else keep them alive.
        return "Body", self.parameters, tuple(map(id, self.outputs))

    def map(self, function: Callable[[Any], Any]) -> Body:
        if not self.symbols:
            return self
        done: dict[Node, Node] = {}
        for node in self.nodes:
            if node.op is ARG:
                done[node] = arg(node.attrs["index"], _map_type(node.type, function))
                continue
            attrs = {name: map_attribute(v, function) for name, v in node.attrs.items()}
            done[node] = build(node.op, tuple(done[n] for n in node.inputs), attrs, node.origin)
        parameters = [_map_type(t, function) for t in self.parameters]
        return Body(parameters, [done[n] for n in self.outputs])

    def numbered(self, binding: Mapping[str, int]) -> Body:
        """The same with the numbers of all symbols; the last is kept, for runs ask again."""
        if not self.symbols:
            return self
        sizes = tuple([binding.get(symbol) for symbol in sorted(self.symbols)])
        if self._numbered is None or self._numbered[0] != sizes:
            found = self.map(lambda d: evaluate(d, binding) if isinstance(d, Dim) else d)
            object.__setattr__(self, "_numbered", (sizes, found))
            return found
        return self._numbered[1]

    def bind(self, binding: Mapping[str, int]) -> Body:
        """Gives the symbols that `binding` names their numbers."""
        return self.map(lambda d: d.substitute(binding) if isinstance(d, Dim) else d)

    def apply(self, operands: Sequence[Node]) -> tuple[Node, ...]:
        """The outputs as nodes over other nodes instead of the parameters.

        Args:
            operands: one node a parameter, of its type.

        Raises:
            InferenceError: number or types differ from the parameters'.
        """
        types = tuple(n.type for n in operands)
        if types != self.parameters:
            raise InferenceError(
                explain("a body's operands differ from its parameters",
                        expected=", ".join(map(str, self.parameters)),
                        got=", ".join(map(str, types)))
            )  # fmt: skip
        return substitute(
            self.outputs, {n: operands[n.attrs["index"]] for n in self.nodes if n.op is ARG}
        )


def bodies_of(node: Node) -> tuple[Body, ...]:
    """The bodies among a node's attributes."""
    return tuple([v for v in node.attrs.values() if isinstance(v, Body)]) if node.attrs else ()


def all_bodies(nodes: Iterable[Node]) -> tuple[Body, ...]:
    """Every body that the nodes hold, also those inside bodies: inner ones first, each once."""
    found: dict[Body, None] = {}
    stack = [body for node in nodes if node.attrs for body in bodies_of(node)][::-1]
    while stack:
        waiting = [b for b in stack[-1].inner if b not in found]
        if waiting:
            stack.extend(reversed(waiting))
        else:
            found[stack.pop()] = None
    return tuple(found)


def _fault(node: Node, parameters: Sequence[TensorType]) -> str | None:
    """Why a node may not stand in a body with these parameters."""
    if node.op is ARG:
        index = node.attrs["index"]
        if not 0 <= index < len(parameters):
            return f"arg {index} in a body of {len(parameters)} parameters"
        if node.type != parameters[index]:
            return f"arg {index} is {node.type}, but the body's parameter is {parameters[index]}"
        return None
    if not node.inputs and node.op not in (CONST, SIZE):
        return f"{node!r} may not stand in a body: it must come as an operand"
    if "FUSED" not in node.op.stages:
        hint = "write the loop in the `call` of a layer, where layers become ops"
        return explain(f"{node!r} may not stand in a body, which holds ops only", hint=hint)
    return None


def _map_type(type_: TensorType, function: Callable[[Any], Any]) -> TensorType:
    return type_.with_shape(tuple(map_attribute(type_.shape, function)))


def _symbols(body: Body) -> Iterable[str]:
    found: set[str] = set()

    def note(leaf: Any) -> Any:
        if isinstance(leaf, Dim):
            found.update(leaf.symbols)
        return leaf

    for type_ in (*body.parameters, *(t for n in body.nodes for t in n.types)):
        map_attribute(type_.shape, note)
    for node in body.nodes:
        for value in node.attrs.values():
            if isinstance(value, Body):
                found |= value.symbols
            else:
                map_attribute(value, note)
    return found
