"""Gradients of tensors, and tensors that let none through."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir import Node
from kgraph.layers.gradient_call import gradients_of


def gradients(loss: Any, variables: Any) -> list[Node | None]:
    """The gradients of a loss.

    Args:
        loss: a tensor, whose elements are summed, or several.
        variables: a variable or tensor on the way to the loss, or several.

    Returns:
        A tensor like each of the variables, or None where the loss does not depend on it.

    Raises:
        TypeError: the loss or a variable is no tensor.

    Example:
        >>> from kgraph.backend.creation import variable
        >>> from kgraph.backend.functions import eval
        >>> x = variable([1.0, 2.0])
        >>> eval(gradients(x * x, x)[0]).tolist()
        [2.0, 4.0]
    """
    return gradients_of(_tensors(loss), _tensors(variables))


def _tensors(value: Any) -> tuple[Node, ...]:
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for each in given:
        if not isinstance(each, Node):
            raise TypeError(
                explain(
                    "K.gradients differentiates tensors by variables or tensors",
                    expected="symbolic tensors",
                    got=each,
                    hint="kgraph.grad differentiates plain functions of arrays",
                )
            )
    return given


def stop_gradient(variables: Any) -> Any:
    """The tensor as a constant for gradients.

    Args:
        variables: a tensor or an array, or a list of them.

    Returns:
        Tensors of the same values.

    Example:
        >>> stop_gradient([1.0, 2.0]).tolist()
        [1.0, 2.0]
    """
    if isinstance(variables, (list, tuple)) and any(isinstance(v, Node) for v in variables):
        return type(variables)(ops.stop_gradient(v) for v in variables)
    return ops.stop_gradient(variables)
