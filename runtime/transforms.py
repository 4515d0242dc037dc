"""Derivatives of plain Python functions of arrays: `grad` and `value_and_grad`, as in JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir.context import CallContext, calling, current_context, note_updates
from kgraph.ir.graph import substitute
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.op import as_node
from kgraph.ir.structure import flatten
from kgraph.ir.variable import Variable
from kgraph.ops.shapes import zeros_like
from kgraph.passes.lower import inline
from kgraph.passes.pipeline import forward_pipeline
from kgraph.runtime.autodiff import grad as differentiate
from kgraph.runtime.tracing import Traced, is_array, result_node

NOT_SCALAR = "Gradient only defined for scalar-output functions."
NOT_FLOAT = "grad requires real-valued {what} (a floating-point dtype), but got {dtype}."


def grad(
    fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Traced:
    """The gradient of a function of arrays that returns a scalar.

    Args:
        fun: as for `jit`; leaves of its arguments that are no arrays, and Python bools, are static.
        argnums: positions of the arguments to differentiate with respect to.
        has_aux: whether `fun` returns `(scalar, anything)`.

    Returns:
        A function of the same arguments that returns the gradient in the structure of the
        argument (a tuple of gradients for several `argnums`), or `(gradient, anything)`.

    Raises:
        TypeError: when called, if the result is no scalar or an argument no float.

    Example:
        >>> import numpy as np
        >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
        array([ 3., 12.])
    """
    both = _value_and_grad(fun, argnums, has_aux)

    @functools.wraps(fun, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, slopes = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return Traced(gradient, (), strict=False)


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    wrt: Sequence[Variable] | None = None,
) -> Traced:
    """The value and the gradient of a function of arrays that returns a scalar.

    A model may be called in the function: `model(x, training=True)`. Its moving statistics are
    updated then whenever the result is called.

    Args:
        fun: as for `grad`.
        argnums: positions of the arguments to differentiate with respect to.
        has_aux: whether `fun` returns `(scalar, anything)`.
        wrt: variables to differentiate with respect to instead of arguments, such as
            `model.trainable_weights`; the gradient is a list then.

    Returns:
        A function of the same arguments that returns `(value, gradient)`, or
        `((value, anything), gradient)`.

    Example:
        >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
        >>> float(value), float(slope)
        (9.0, 6.0)
    """
    if wrt is None:
        return Traced(_value_and_grad(fun, argnums, has_aux), (), strict=False)
    strange = [v for v in wrt if not isinstance(v, Variable)]
    if strange:
        raise TypeError(explain("`wrt` must hold variables", got=repr(strange[0])[:200]))
    return Traced(_value_and_grad(fun, (), has_aux, tuple(wrt)), (), strict=False)


def _value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int],
    has_aux: bool,
    variables: tuple[Variable, ...] | None = None,
) -> Callable[..., Any]:
    single = isinstance(argnums, int)
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(fun, updated=())
    def build(*args: Any, **kwargs: Any) -> Any:
        _check_positions(positions, len(args))
        given, structure = flatten(tuple(args[p] for p in positions))
        # Fresh inputs: a closure over a node that is also passed as the argument stays constant.
        stand_ins = [_stand_in(x) for x in given]
        replaced = list(args)
        for position, value in zip(positions, structure.pack(stand_ins), strict=True):
            replaced[position] = value
        with calling(None):  # layers leave their changes in the context below
            value, aux = _split(fun(*replaced, **kwargs), has_aux)
        leaves, aux_structure = flatten(aux)
        nodes = [value, *[result_node(x, p) for x, p in zip(leaves, aux_structure.paths("aux"))]]
        roots, slopes, updates = _differentiated(nodes, [*stand_ins, *(variables or ())])
        table = {s: as_node(x) for s, x in zip(stand_ins, given, strict=True)}
        done = substitute([*roots, *slopes, *(n for _, n in updates)], table)
        last = len(roots) + len(slopes)
        note_updates([(v, n) for (v, _), n in zip(updates, done[last:], strict=True)])
        value = (done[0], aux_structure.pack(done[1 : len(roots)])) if has_aux else done[0]
        if variables is not None:
            return value, list(done[len(roots) : last])
        slope = structure.pack(done[len(roots) : last])
        return value, slope[0] if single else slope

    return build


def _check_positions(positions: Sequence[int], count: int) -> None:
    for position in positions:
        if not -count <= position < count:
            raise ValueError(
                explain(
                    "differentiating with respect to an argument that is not there",
                    expected=f"at least {max(position + 1, -position)} positional arguments",
                    got=count,
                )
            )


def _differentiated(
    nodes: Sequence[Node], targets: Sequence[Node]
) -> tuple[tuple[Node, ...], list[Node], list[tuple[Variable, Node]]]:
    """The nodes in primitive ops, the gradients of the first, and what layers change."""
    outer = current_context()
    context = CallContext(training=outer is not None and outer.training)
    roots, _ = inline(nodes, context)
    # Stable forms first, so that the gradient is that of the stable form.
    roots = forward_pipeline().rewrite(roots)
    slopes = [
        zeros_like(x) if g is None else g
        for x, g in zip(targets, differentiate(roots[0], targets), strict=True)
    ]
    return roots, slopes, context.updates


def _split(result: Any, has_aux: bool) -> tuple[Node, Any]:
    """The scalar that a function returned, as a node, and what it returned beside."""
    if has_aux and not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(
            explain("with has_aux=True the function must return a pair", got=repr(result)[:200])
        )
    value, aux = result if has_aux else (result, None)
    if not (isinstance(value, Node) or is_array(value)):
        raise TypeError(f"{NOT_SCALAR} Output was: {value!r}"[:300])
    node = as_node(value)
    if node.shape:
        raise TypeError(f"{NOT_SCALAR} Output had shape: {tuple(node.shape)}.")
    if not node.type.is_float:
        raise TypeError(NOT_FLOAT.format(what="outputs", dtype=node.dtype))
    return node, aux


def _stand_in(leaf: Any) -> Node:
    if not isinstance(leaf, Node) and not is_array(leaf):
        raise TypeError(NOT_FLOAT.format(what="inputs", dtype=f"{type(leaf).__name__} {leaf!r}"))
    type_ = as_node(leaf).type
    if not type_.is_float:
        raise TypeError(NOT_FLOAT.format(what="inputs", dtype=type_.dtype))
    return input_node(type_.shape, type_.dtype, "stand_in")
