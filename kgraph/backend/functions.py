"""Running graphs: `K.function` compiles one, `K.eval` computes a tensor once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kgraph import config
from kgraph.backend.operands import tensor
from kgraph.backend.phase import PHASE
from kgraph.backend.updates import Update
from kgraph.errors import explain
from kgraph.ir import CallContext, Dim, Graph, Node, Stage, Variable
from kgraph.ir.graph import toposort
from kgraph.ir.leaves import INPUT
from kgraph.passes.lower import inline
from kgraph.runtime.function import Function
from kgraph.runtime.function import function as compile_function
from kgraph.runtime.interp import interpret

# What random ops take as the number of the run, so that no two calls of `eval` draw the same.
_RUNS = itertools.count()


def eval(x: Any) -> Any:
    """The value of a tensor that needs no inputs; an update takes place.

    Args:
        x: a variable, a tensor made of variables and constants, an update, or an array.

    Returns:
        An array.

    Raises:
        ValueError: the tensor depends on an input.

    Example:
        >>> eval(Variable([1.0, 2.0]) * 2)
        array([2., 4.], dtype=float32)
    """
    if isinstance(x, Update):
        x.variable.assign(eval(x.value))
        return x.variable.numpy()
    node = tensor(x)
    if not isinstance(node, Node):
        return np.array(node)
    context = CallContext(training=bool(config.learning_phase))
    (root,), _ = inline([node], context)
    needed = [n.name for n in toposort([root]) if n.op is INPUT]
    if needed or any(isinstance(d, Dim) for d in root.shape):
        raise ValueError(
            explain(
                "K.eval computes tensors that need no inputs",
                got=f"{node!r}, which needs {', '.join(needed) or 'a size that is not known'}",
                where=node.origin.where,
                hint="K.function([input], [x])([array]) feeds inputs",
            )
        )
    graph = Graph((), (("value", root),), (), Stage.CORE)
    return interpret(graph, (), step=next(_RUNS))[0][0]


class BackendFunction:
    """A compiled function of a list of arrays; `function` makes it.

    It is compiled for each learning phase when it is first called in it.
    """

    def __init__(
        self, inputs: Sequence[Any], outputs: Any, updates: Sequence[tuple[Variable, Any]]
    ) -> None:
        self.inputs, self.outputs, self.updates = tuple(inputs), outputs, tuple(updates)
        self._phases = tuple(i for i, n in enumerate(self.inputs) if _is_phase(n))
        self._compiled: dict[bool, Function] = {}
        self.in_phase(bool(config.learning_phase))

    def in_phase(self, training: bool) -> Function:
        """What runs in a phase, with its executable and report."""
        if training not in self._compiled:
            fed = [n for i, n in enumerate(self.inputs) if i not in self._phases]
            self._compiled[training] = compile_function(
                fed, self.outputs, self.updates, training=training, stateful=False
            )
        return self._compiled[training]

    def __call__(self, inputs: Any = ()) -> Any:
        """Runs once.

        Args:
            inputs: one array for each input, 0 or 1 for the learning phase.

        Returns:
            Arrays in the structure of the outputs.

        Raises:
            TypeError: `inputs` is no list, or an array is missing.
        """
        if not isinstance(inputs, (list, tuple)):
            raise TypeError(
                explain(
                    "A backend function takes one list of arrays",
                    expected="`inputs` should be a list or tuple",
                    got=type(inputs),
                    hint="f([x])",
                )
            )
        if len(inputs) != len(self.inputs):
            names = ", ".join("learning phase" if _is_phase(n) else n.name for n in self.inputs)
            raise TypeError(
                explain(
                    f"This function takes {len(self.inputs)} arrays",
                    expected=names,
                    got=len(inputs),
                )
            )
        training = bool(config.learning_phase)
        for i in self._phases:
            training = self._fed_phase(self.inputs[i], inputs[i])
        arrays = [_value(a) for i, a in enumerate(inputs) if i not in self._phases]
        return self.in_phase(training)(*arrays)

    def _fed_phase(self, fixed: Any, value: Any) -> bool:
        number = np.asarray(value)
        if number.size != 1 or number.item() not in (0, 1):
            raise ValueError(explain("The learning phase is 0 or 1", got=repr(value)))
        if not isinstance(fixed, Node) and fixed != number.item():
            raise ValueError(
                explain(
                    "The learning phase was fixed by K.set_learning_phase when this function was "
                    "made",
                    expected=fixed,
                    got=value,
                )
            )
        return bool(number.item())


def _is_phase(value: Any) -> bool:
    return value is PHASE or (isinstance(value, int) and value in (0, 1))


def _value(array: Any) -> Any:
    return array.numpy() if isinstance(array, Variable) else array


def function(
    inputs: Any, outputs: Any, updates: Iterable[Any] | None = None, name: str | None = None
) -> BackendFunction:
    """Compiles tensors to a function of a list of arrays.

    Args:
        inputs: a list of the tensors that are fed; `K.learning_phase()` may be among them, else the
            function infers.
        outputs: a list of tensors, or one.
        updates: `K.update(...)` or (variable, new value) pairs that each call carries out, and
            nothing else that layers would update.
        name: accepted for Keras.

    Returns:
        A function of a list of arrays, one for each input, that returns arrays.

    Raises:
        TypeError: `inputs` is no list of tensors, or an update is none.
        ValueError: an output needs an input that is not fed.

    Example:
        >>> from kgraph.backend.creation import placeholder
        >>> x = placeholder((None,))
        >>> function([x], [x + 1])([[1.0, 2.0]])
        [array([2., 3.], dtype=float32)]
    """
    del name
    given = [inputs] if isinstance(inputs, Node) else inputs
    if not isinstance(given, (list, tuple)) or not all(
        isinstance(n, Node) or _is_phase(n) for n in given
    ):
        raise TypeError(
            explain(
                "`inputs` to a backend function should be a list of tensors",
                expected="placeholders, inputs of models, K.learning_phase()",
                got=inputs,
                hint="K.placeholder(shape) makes one",
            )
        )
    return BackendFunction(given, outputs, [_pair(u) for u in updates or ()])


def _pair(update: Any) -> tuple[Variable, Any]:
    if isinstance(update, (tuple, list)) and len(update) == 2 and isinstance(update[0], Variable):
        return update[0], update[1]
    raise TypeError(
        explain(
            "An update of a backend function is a variable and its new value",
            expected="K.update(variable, value), or a pair (variable, value)",
            got=update,
        )
    )
