"""What `get_updates` is called with: gradients, or a loss in one of Keras 2's orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir import Node, Variable
from kgraph.layers.gradient_call import gradients_of


def gradients_and_weights(
    gradients: Any, variables: Any, loss: Any, params: Any, scale: Callable[[Node], Node]
) -> tuple[Sequence[Node], Sequence[Variable]]:
    """The gradients and the weights that they belong to.

    Args:
        gradients: the gradients; or the loss, or the weights before `variables` (then constraints)
            and `loss`.
        variables: the weights.
        loss: the loss.
        params: the weights, by Keras 2's name.
        scale: what is done to a loss before it is differentiated.

    Raises:
        TypeError: there is neither a loss nor gradients, or there are no weights.
        ValueError: the loss does not depend on a weight.

    Example:
        >>> v = Variable([1.0], "v")
        >>> gradients_and_weights(v * v, [v], None, None, lambda loss: loss)
        ([<layer_call: f32[1]>], [<Variable v: f32[1]>])
    """
    if isinstance(gradients, Node):
        gradients, loss = None, gradients
    if loss is None:
        weights = variables if params is None else params
        if gradients is None or weights is None:
            raise TypeError(
                explain(
                    "get_updates needs weights and what moves them",
                    expected="gradients and variables, or loss and params",
                    got=f"{gradients!r} and {weights!r}",
                )
            )
        return gradients, weights
    # Keras 2.0 has the weights first, then constraints, which the weights hold themselves here.
    weights = params if params is not None else variables if gradients is None else gradients
    if weights is None:
        raise TypeError(explain("get_updates needs weights", expected="params=[...]"))
    found = gradients_of([scale(loss)], weights)
    lost = [w.name for w, g in zip(weights, found, strict=True) if g is None]
    if lost:
        raise ValueError(
            explain(
                "An operation has `None` for gradient: the loss does not depend on all weights",
                expected="weights that the loss depends on in a differentiable way",
                got=", ".join(lost),
            )
        )
    return [g for g in found if g is not None], weights
