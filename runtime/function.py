"""Graphs as functions of arrays: `function` runs nodes, `gradients` differentiates them.

Both take the nodes of models and of raw ops alike: layer calls are lowered for inference first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import BindingError, explain
from kgraph.ir.context import CallContext
from kgraph.ir.graph import Graph, Stage, toposort, transform
from kgraph.ir.leaves import INPUT, input_node
from kgraph.ir.node import Node
from kgraph.ir.op import as_node
from kgraph.ir.structure import flatten
from kgraph.ir.variable import Variable
from kgraph.ops.gradients import identity
from kgraph.passes.lower import inline, merge_updates
from kgraph.passes.pipeline import forward_pipeline
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import Executable, compile

# Kinds of arrays that an input of a kind takes without losing what the caller meant.
_TAKES = {"b": "b", "i": "bui", "u": "bui", "f": "buif"}


class Function:
    """A compiled function of arrays; `function` makes it.

    Attributes:
        executable: what runs, with its report and generated source.
    """

    def __init__(self, graph: Graph, structure: Any) -> None:
        self.executable: Executable = compile(graph)
        self._inputs, self._structure = graph.inputs, structure
        self._names = tuple(n.name for n in graph.inputs)

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """Runs once.

        Args:
            arrays: one an input, in the order of the inputs.
            named: arrays by the names of inputs, for those that `arrays` leaves.

        Returns:
            New arrays in the structure of the outputs.

        Raises:
            TypeError: an input is missing, or an array's dtype does not fit.
            ValueError: a shape does not fit.
        """
        given = self._order(arrays, named) if named else arrays
        if len(given) != len(self._inputs):
            raise TypeError(self._count_message(len(given)))
        fed = [check_dtype(n, a) for n, a in zip(self._inputs, given, strict=True)]
        try:
            return self._structure.pack(self.executable(*fed))
        except BindingError as error:
            raise _with_all_shapes(error, self._inputs, fed) from None

    def _order(self, arrays: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        left = self._names[len(arrays) :]
        if set(left) != set(named):
            got = [*self._names[: len(arrays)], *named]
            raise TypeError(self._count_message(", ".join(got)))
        return [*arrays, *[named[name] for name in left]]

    def _count_message(self, got: object) -> str:
        types = ", ".join(f"{n.name}: {n.type}" for n in self._inputs)
        return explain(f"This function takes {len(self._inputs)} arrays", expected=types, got=got)

    def __repr__(self) -> str:
        return f"<kgraph.function of {', '.join(self._names) or 'nothing'}>"


def function(
    inputs: Node | Sequence[Node],
    outputs: Any,
    updates: Iterable[tuple[Variable, Any]] = (),
    *,
    training: bool = False,
    stateful: bool = True,
) -> Function:
    """Compiles nodes to a function of arrays.

    Args:
        inputs: the nodes that the caller feeds, each an input or a tensor in the middle of a
            graph, which is then fed instead of computed.
        outputs: a node, or nodes in nested tuples, lists and dictionaries.
        updates: (variable, new value) pairs that each call carries out; new values are computed
            from the old ones.
        training: whether dropout and batch statistics are on.
        stateful: whether layers also update their states, as they do when a model runs.

    Returns:
        A function of one array an input, by position or name, that returns arrays in the
        structure of `outputs`.

    Raises:
        ValueError: an output needs an input that is not among `inputs`.

    Example:
        >>> from kgraph.ir import Dim, input_node
        >>> x = input_node((Dim.symbol("batch"),), name="x")
        >>> double = function(x, {"twice": x + x})
        >>> double([1.0, 2.0])
        {'twice': array([2., 4.], dtype=float32)}
    """
    fed = (inputs,) if isinstance(inputs, Node) else tuple(inputs)
    env = {n: n if n.op is INPUT else input_node(n.shape, n.dtype, n.name) for n in fed}
    if len(env) != len(fed):
        raise ValueError("function: an input stands twice in `inputs`")
    leaves, structure = flatten(outputs)
    pairs = [(v, as_node(value, v.dtype)) for v, value in updates]
    context = CallContext(training)
    roots, _ = inline([*map(as_node, leaves), *[n for _, n in pairs]], context, env)
    _check_connected(roots, env)
    named = tuple(zip(structure.paths("out"), roots, strict=False))
    own = [(v, n) for (v, _), n in zip(pairs, roots[len(leaves) :], strict=True)]
    steps = merge_updates([*own, *(context.updates if stateful else ())])
    return Function(Graph(tuple(env.values()), named, steps, Stage.CORE), structure)


def gradients(outputs: Node | Sequence[Node], wrt: Node | Sequence[Node]) -> list[Node | None]:
    """Gradients of the sum of all elements of the outputs, as nodes.

    Args:
        outputs: one node or several, with layer calls or without.
        wrt: variables, inputs or any tensors on the way; each gets its total derivative.

    Returns:
        For each node of `wrt` a node of its type, or None where the outputs do not depend on it.

    Raises:
        GradientError: an op on the way has no gradient.

    Example:
        >>> from kgraph.ir import Variable, input_node
        >>> x, w = input_node((2,), name="x"), Variable([3.0, 4.0], "w")
        >>> slope = function(x, gradients(x * w, [x, w]))
        >>> slope([1.0, 2.0])
        [array([3., 4.], dtype=float32), array([1., 2.], dtype=float32)]
    """
    roots = (outputs,) if isinstance(outputs, Node) else tuple(outputs)
    targets = (wrt,) if isinstance(wrt, Node) else tuple(wrt)
    taps = frozenset(n for n in targets if n.inputs)
    lowered, _ = inline([*roots, *targets], CallContext(training=False), taps=taps)
    # Stable forms first, so that the gradient is that of the stable form.
    lowered = forward_pipeline().rewrite(lowered)
    found = grad(lowered[: len(roots)], lowered[len(roots) :])
    return _without(found, frozenset(n for n in lowered[len(roots) :] if n.inputs))


def check_dtype(node: Node, value: Any) -> np.ndarray:
    """Makes what is fed to an input an array of a kind that the input takes.

    Raises:
        TypeError: it is no tensor, or would lose its fractions.
    """
    array = np.asarray(value)
    if array.dtype.kind not in _TAKES[np.dtype(node.dtype).kind]:
        raise TypeError(
            explain(
                f"The array for input {node.name} has the wrong dtype",
                expected=node.type,
                got=f"{array.dtype}{list(array.shape)}",
                where=node.origin.where,
                hint=f"convert it: array.astype({node.dtype!r})",
            )
        )
    return array


def _with_all_shapes(
    error: BindingError, inputs: Sequence[Node], arrays: Sequence[np.ndarray]
) -> BindingError:
    """The error with the shapes of all arrays and a hint."""
    got = ", ".join(f"{n.name}: {a.dtype}{list(a.shape)}" for n, a in zip(inputs, arrays))
    hint = "a symbol stands for one number in all arrays of a call, and never stretches"
    if any(n.ndim == a.ndim + 1 for n, a in zip(inputs, arrays)):
        hint = "one sample needs an axis for the batch: array[None]"
    return BindingError(f"{error}\n  all arrays: {got}\n  hint: {hint}")


def _check_connected(roots: Sequence[Node], env: Mapping[Node, Node]) -> None:
    known = frozenset(env.values())
    fed = ", ".join(n.name for n in known)
    for node in toposort(roots):
        if node.op is INPUT and node not in known:
            raise ValueError(
                explain(
                    f"function: the outputs need the input {node.name!r}, which is not fed",
                    expected=f"one of {fed}" if fed else "no inputs",
                    got=repr(node),
                    where=node.origin.where,
                    hint="add it to `inputs`",
                )
            )


def _without(roots: Sequence[Node | None], taps: frozenset[Node]) -> list[Node | None]:
    """Takes the identities out again, so that forward nodes are shared with other graphs."""
    if not taps:
        return list(roots)
    tags = frozenset(n.attrs["tag"] for n in taps)

    def skip(node: Node) -> Node:
        return node.inputs[0] if node.op is identity and node.attrs["tag"] in tags else node

    done = iter(transform([n for n in roots if n is not None], skip))
    return [None if n is None else next(done) for n in roots]
