"""Values of variables: reading and writing them, and changes that a graph carries out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from kgraph import ops
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.ir import Node, Variable
from kgraph.ir.variable import assign_all


class Update(NamedTuple):
    """A change of a variable that takes place when a graph with it runs.

    `add_update`, `K.function(..., updates=[...])` and `K.eval` take it.

    Args:
        variable: the variable.
        value: its new value, computed from the old ones.
    """

    variable: Variable
    value: Any


def get_value(x: Any) -> Any:
    """The present value of a variable.

    Args:
        x: a variable, or a number or an array, which are their own value.

    Returns:
        An array; a NumPy number for a variable without axes.

    Raises:
        TypeError: x is a tensor that is no variable.

    Example:
        >>> get_value(Variable([1.0, 2.0]))
        array([1., 2.], dtype=float32)
    """
    if isinstance(x, Variable):
        return x.numpy()[()]
    if isinstance(x, Node):
        raise TypeError(
            explain("K.get_value reads variables", got=x, hint="K.eval(x) computes a tensor")
        )
    return np.asarray(x)[()]


def set_value(x: Any, value: Any) -> None:
    """Writes a new value into a variable.

    Args:
        x: a variable, such as `optimizer.lr`.
        value: numbers or an array of its shape.

    Raises:
        TypeError: x is no variable.
        ValueError: the shapes differ.

    Example:
        >>> v = Variable([1.0, 2.0])
        >>> set_value(v, [3, 4]); v.numpy()
        array([3., 4.], dtype=float32)
    """
    _variable("set_value", x).assign(get_value(value))


def batch_get_value(tensors: Iterable[Any]) -> list[Any]:
    """The present values of several variables.

    Args:
        tensors: variables.

    Returns:
        A list of arrays.

    Example:
        >>> batch_get_value([Variable([1.0])])
        [array([1.], dtype=float32)]
    """
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Writes new values into several variables, all of them or, after an error, none.

    Args:
        tuples: pairs (variable, value).

    Example:
        >>> v = Variable([1.0])
        >>> batch_set_value([(v, [2.0])]); v.numpy()
        array([2.], dtype=float32)
    """
    assign_all((_variable("batch_set_value", x), get_value(value)) for x, value in tuples)


def update(x: Any, new_x: Any) -> Update:
    """The change of a variable to a new value; nothing happens before a graph with it runs.

    Args:
        x: a variable.
        new_x: its new value, a tensor or an array.

    Returns:
        The pair of both.

    Raises:
        TypeError: x is no variable.

    Example:
        >>> from kgraph.backend.functions import eval
        >>> v = Variable([1.0])
        >>> eval(update(v, v * 3))
        array([3.], dtype=float32)
    """
    return Update(_variable("update", x), tensor(new_x))


def update_add(x: Any, increment: Any) -> Update:
    """The change of a variable by an increment.

    Args:
        x: a variable.
        increment: what is added.

    Returns:
        The update.

    Example:
        >>> update_add(Variable([1.0], "v"), 2.0).variable
        <Variable v: f32[1]>
    """
    return Update(_variable("update_add", x), ops.add(x, increment))


def update_sub(x: Any, decrement: Any) -> Update:
    """The change of a variable by a decrement.

    Args:
        x: a variable.
        decrement: what is taken off.

    Returns:
        The update.

    Example:
        >>> update_sub(Variable([1.0], "v"), 2.0).variable
        <Variable v: f32[1]>
    """
    return Update(_variable("update_sub", x), ops.subtract(x, decrement))


def moving_average_update(x: Any, value: Any, momentum: float) -> Update:
    """The change of a moving average: x * momentum + value * (1 - momentum).

    Args:
        x: the variable that holds the average.
        value: the new observation.
        momentum: what the average keeps of itself.

    Returns:
        The update.

    Example:
        >>> from kgraph.backend.functions import eval
        >>> eval(moving_average_update(Variable([1.0]), [2.0], 0.5))
        array([1.5], dtype=float32)
    """
    variable = _variable("moving_average_update", x)
    return Update(variable, variable * momentum + ops.multiply(tensor(value), 1.0 - momentum))


def _variable(name: str, x: Any) -> Variable:
    if isinstance(x, Variable):
        return x
    raise TypeError(
        explain(
            f"K.{name} changes variables",
            expected="K.variable(...), a weight, or optimizer.lr",
            got=x,
            hint="an optimizer with a schedule has no learning rate to set",
        )
    )
