"""A step that is interpreted node by node and refuses to store NaN: the debugging mode of training.

Every value is kept until the step is over. If a result is not finite, the way back leads to the
node that made the first such value out of finite ones. So a NaN that a `where` discards is no
error, and neither is an infinity that a constant of the graph brings in, as masks do. An error
leaves all variables as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import NotFiniteError, explain
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import CONST, INPUT
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.runtime.interp import evaluate
from kgraph.runtime.source import while_running

Values = Mapping[Node, Any]

_HINTS = {
    "log": "the logarithm of 0 is -inf, that of a negative number NaN: clip the operand first",
    "divide": "add a small number to the divisor, or use ops.where around the division",
    "sqrt": "the root of a negative number is NaN, and its slope at 0 infinite",
    "exp": "exp overflows above 88 in float32: subtract the largest operand, or use softplus",
}
_OTHER_HINT = "a smaller learning rate, clipnorm=1.0, or inputs scaled to around 1"


class WatchedPlan:
    """What a `Plan` is to whoever drives it, but interpreted: fill `inputs`, `run()`, repeat.

    Args:
        graph: a CORE or FUSED graph without a run counter of its own.
        binding: a number for each of its symbols.

    Attributes:
        inputs: arrays to fill before a run.
        outputs: arrays that hold the outputs until the next run.
    """

    def __init__(self, graph: Graph, binding: Mapping[str, int]) -> None:
        self._graph, self._binding = graph, binding
        self.inputs = tuple(self._array(node) for node in graph.inputs)
        self.outputs = tuple(self._array(node) for _, node in graph.outputs)

    def _array(self, node: Node) -> np.ndarray:
        type_ = node.type.bind(self._binding)
        return np.zeros(type_.shape, type_.dtype)  # type: ignore[arg-type]  # bound

    def feed(self, arrays: Sequence[np.ndarray]) -> Mapping[str, np.ndarray]:
        """Copies arrays into the inputs; nothing is left to hand to `run`."""
        for buffer, array in zip(self.inputs, arrays, strict=True):
            buffer[...] = array
        return {}

    def prepare(self) -> None:
        """Nothing: an interpreter computes everything each time."""

    def run(self, given: Mapping[str, np.ndarray] | None = None) -> None:
        """Runs every node once, checks the results, and only then stores them.

        Raises:
            NotFiniteError: a result is NaN or infinite that was not before.
        """
        self.run_bare(given=given)

    def run_bare(
        self, prepared: bool = False, given: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """The same; the arguments are those of `Plan.run_bare`."""
        del prepared, given
        graph = self._graph
        values: dict[Node, Any] = dict(zip(graph.inputs, self.inputs, strict=True))
        with np.errstate(all="ignore"):
            for node in graph.nodes:
                if node not in values:
                    values[node] = self._evaluate(node, values)
        for name, node in graph.outputs:
            self._check(f"output {name}", node, values, None)
        for state, node in graph.updates:
            self._check(f"variable {state.name}", node, values, state.value)
        # Copies first: a new value may be a window on an old one.
        results = [np.array(values[n]) for n in graph.roots]
        targets = [*self.outputs, *(state.value for state, _ in graph.updates)]
        for target, result in zip(targets, results, strict=True):
            target[...] = result

    def _evaluate(self, node: Node, values: Values) -> Any:
        try:
            return evaluate(node, values, self._binding, 0)
        except Exception as error:
            shapes = ", ".join(_describe(n, values) for n in node.inputs)
            error.add_note(while_running(f"{node.op.name}({shapes})", node))
            raise

    def _check(self, what: str, root: Node, values: Values, old: np.ndarray | None) -> None:
        """Raises if a result is not finite where it was before."""
        wrong = _not_finite(values[root])
        if wrong is None or (old is not None and not (wrong & np.isfinite(old)).any()):
            return
        culprit = find_culprit(root, values)
        from_constant = any(n.op is CONST and is_wrong(n, values) for n in culprit.inputs)
        if from_constant and not np.isnan(values[culprit]).any():
            return
        raise NotFiniteError(_message(culprit, values, what))


def find_culprit(root: Node, values: Values) -> Node:
    """The node from which what is not finite in `root` comes; its own operands are finite.

    Of several it is one that was computed before the others. Constants count as finite.
    """
    order = {node: place for place, node in enumerate(values)}
    waiting, seen, found = [root], {root}, []
    while waiting:
        node = waiting.pop()
        guilty = [n for n in node.inputs if n.op is not CONST and is_wrong(n, values)]
        if not guilty:
            found.append(node)
        waiting += [n for n in guilty if n not in seen]
        seen.update(guilty)
    return min(found, key=order.__getitem__)


def is_wrong(node: Node, values: Values) -> bool:
    """Whether a node's value, or one of several, holds NaN or infinity."""
    value = values[node]
    parts = value if isinstance(value, (tuple, list)) else [value]
    return any(_not_finite(part) is not None for part in parts)


def _not_finite(value: Any) -> np.ndarray | None:
    """Where an array holds NaN or infinity, None if nowhere."""
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return None
    wrong = ~np.isfinite(array)
    return wrong if wrong.any() else None


def _message(culprit: Node, values: Values, what: str) -> str:
    scope, value = culprit.origin.scope, values[culprit]
    parts = value if isinstance(value, (tuple, list)) else [value]
    first = next(np.asarray(p) for p in parts if _not_finite(p) is not None)
    kind = "NaN" if np.isnan(first).any() else "infinity"
    if culprit.op is INPUT or isinstance(culprit, Variable):
        role = "the data for input" if culprit.op is INPUT else "the value of variable"
        summary = f"The {kind} that reached {what} is in {role} {culprit.name}"
        return explain(summary, got=_places(first), where=culprit.origin.where,
                       hint="replace it before training")  # fmt: skip
    shapes = ", ".join(str(np.asarray(values[n]).shape) for n in culprit.inputs)
    layer = f" of layer {scope}" if scope else ""
    operands = "; ".join(_describe(n, values) for n in culprit.inputs)
    return explain(
        f"The first {kind} that reached {what} is made by {culprit.op.name}{layer}",
        expected=f"finite numbers from {culprit.op.name} of shapes {shapes}",
        got=f"{_places(first)}; operands: {operands}",
        where=culprit.origin.where,
        hint=_HINTS.get(culprit.op.name, _OTHER_HINT),
    )


def _places(array: np.ndarray) -> str:
    wrong = ~np.isfinite(array)
    place = [int(i) for i in np.argwhere(wrong)[0]]
    nan, size = int(np.isnan(array).sum()), array.size
    return f"{nan} NaN and {int(wrong.sum()) - nan} inf among {size} values, the first at {place}"


def _describe(node: Node, values: Values) -> str:
    """An operand's type and the range of its values."""
    array = np.asarray(values[node][0] if isinstance(values[node], tuple) else values[node])
    text = f"{array.dtype}{list(array.shape)}"
    if node.origin.name:
        text = f"{node.origin.name}: {text}"
    if not array.size or array.dtype.kind == "b":
        return text
    return f"{text} from {array.min():.6g} to {array.max():.6g}"
