"""Branches and loops over tensors, made of `where` and `scan`.

A branch that depends on a symbolic tensor is computed and so is the other one; `where` chooses. So
both must be defined for all values: a division by 0 in the branch that was not taken leaves no NaN
in the result, but it does in the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node
from kgraph.ir.structure import flatten
from kgraph.ops.base import normalize_axis
from kgraph.ops.comparison import equal, logical_and
from kgraph.ops.composite.operands import known, tensor
from kgraph.ops.elementwise import add
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.joining import concatenate
from kgraph.ops.scan import scan
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import flip, shape_of
from kgraph.ops.slicing import slice_


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions returns.

    Args:
        pred: a bool. If it is an array or a number, only its function is called.
        true_fn: a function without arguments.
        false_fn: another one, whose results have the same structure, shapes and dtypes.

    Returns:
        The results of `true_fn` if `pred` holds, else those of `false_fn`. For a symbolic `pred`
        both are computed.

    Raises:
        InferenceError: the two results differ in structure or shape.

    Example:
        >>> float(cond(np.array(True), lambda: np.array(1.0), lambda: np.array(2.0)))
        1.0
    """
    if not isinstance(pred, Node):
        return true_fn() if bool(np.asarray(pred)) else false_fn()
    if pred.ndim:
        raise InferenceError(explain("cond: pred must be a scalar", got=pred.type,
                                     hint="use where for a choice of each element"))  # fmt: skip
    return _chosen("cond", cast(pred, "bool"), true_fn(), false_fn())


def _chosen(name: str, pred: Any, first: Any, second: Any) -> Any:
    """The leaves of one tree where `pred` holds, else those of the other."""
    left, structure = flatten(first)
    right, other = flatten(second)
    shapes = [shape_of(x) for x in left], [shape_of(x) for x in right]
    if structure != other or shapes[0] != shapes[1]:
        raise InferenceError(
            explain(f"{name}: the branches differ in structure or shape",
                    expected=f"{structure} of {shapes[0]}", got=f"{other} of {shapes[1]}")
        )  # fmt: skip
    return structure.pack([where(pred, a, b) for a, b in zip(left, right)])


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the function of this number returns; numbers outside mean the first and the last one.

    Args:
        index: an integer. If it is symbolic, all functions are computed.
        branches: functions whose results have the same structure, shapes and dtypes.
        *operands: their arguments.

    Returns:
        The results of that function.

    Raises:
        InferenceError: results differ in structure or shape.

    Example:
        >>> float(switch(1, [lambda x: x, lambda x: x * 2], np.array(3.0)))
        6.0
    """
    last = len(branches) - 1
    if not isinstance(index, Node):
        return branches[min(max(int(index), 0), last)](*operands)
    index = minimum(maximum(index, 0), last)
    found = branches[last](*operands)
    for number in reversed(range(last)):
        found = _chosen("switch", equal(index, number), branches[number](*operands), found)
    return found


def fori_loop(lower: int, upper: int, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """The state after `state = body_fun(i, state)` for each i from `lower` to below `upper`.

    Args:
        lower: the first number.
        upper: what the numbers stay below; a size may be symbolic.
        body_fun: called once, on symbolic tensors.
        init_val: the first state: tensors in nested tuples, lists and dictionaries.

    Returns:
        The last state. It has a gradient.

    Raises:
        InferenceError: a bound is a tensor.

    Example:
        >>> int(fori_loop(0, 4, lambda i, total: total + i, 0))
        6
    """
    if isinstance(lower, Node) or isinstance(upper, Node):
        raise InferenceError(
            explain("fori_loop: the number of steps would depend on values",
                    expected="numbers and sizes such as x.shape[0]", got=f"{lower}, {upper}",
                    hint="use while_loop with maximum_iterations")
        )  # fmt: skip

    def step(carry: tuple[Any, Any], _: None) -> tuple[Any, None]:
        i, state = carry
        return (add(i, 1), body_fun(i, state)), None

    (_, state), _ = scan(step, (np.array(lower, "int32"), init_val), length=upper - lower)
    return state


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Calls `body` on its own results as long as `cond` of them holds.

    Args:
        cond: a function of the variables that returns a bool.
        body: a function of the variables that returns the next ones.
        loop_vars: the first variables, a tensor or a tuple or list of them.
        maximum_iterations: after how many steps to stop at the latest. It must be given for
            symbolic variables: so many steps are computed, and those after the end change nothing.

    Returns:
        The last variables.

    Raises:
        InferenceError: variables are symbolic and there is no `maximum_iterations`.

    Example:
        >>> int(while_loop(lambda n: n < 100, lambda n: n * 2, (np.array(3),))[0])
        192
    """
    several = isinstance(loop_vars, (tuple, list))
    values = tuple(loop_vars) if several else (loop_vars,)

    def after(now: tuple[Any, ...]) -> tuple[Any, ...]:
        found = body(*now)
        return tuple(found) if isinstance(found, (tuple, list)) else (found,)

    if not any(isinstance(x, Node) for x in flatten(values)[0]):
        count = 0
        while bool(cond(*values)) and (maximum_iterations is None or count < maximum_iterations):
            values, count = after(values), count + 1
        return _like(loop_vars, values)
    if maximum_iterations is None:
        raise InferenceError(
            explain("while_loop: the number of steps would depend on values",
                    expected="maximum_iterations, when variables are symbolic",
                    hint="steps after the end are computed and change nothing")
        )  # fmt: skip

    def step(carry: tuple[Any, Any], _: None) -> tuple[Any, None]:
        going, now = carry
        going = logical_and(going, cast(cond(*now), "bool"))
        return (going, _chosen("while_loop", going, after(now), now)), None

    (_, values), _ = scan(step, (np.array(True), values), length=maximum_iterations)
    return _like(loop_vars, values)


def _like(given: Any, values: tuple[Any, ...]) -> Any:
    """The variables in the form in which they were given."""
    if isinstance(given, list):
        return list(values)
    return values if isinstance(given, tuple) else values[0]


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """A function of each element along axis 0, the results stacked.

    Args:
        f: called once, on symbolic tensors.
        xs: tensors in nested tuples, lists and dictionaries.

    Returns:
        What f returns, with a new first axis.

    Example:
        >>> map(lambda x: x * 2, np.array([1, 2, 3])).tolist()
        [2, 4, 6]
    """
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """The same as `map`; a pass makes one call of what does not depend on other elements.

    Example:
        >>> vectorized_map(lambda x: x * 2, np.array([1, 2, 3])).tolist()
        [2, 4, 6]
    """
    return map(function, elements)


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All partial results of an associative function, such as running sums for addition.

    Args:
        f: a function of two structures like `elems` that works on each element along the axis.
        elems: tensors in nested tuples, lists and dictionaries, of one size along the axis.
        reverse: whether to start at the end.
        axis: along which to combine.

    Returns:
        A structure like `elems`.

    Raises:
        InferenceError: the size along the axis is not known.

    Example:
        >>> associative_scan(lambda a, b: a + b, np.array([1, 2, 3])).tolist()
        [1, 3, 6]
    """
    leaves, structure = flatten(elems)
    now = [flip(tensor(x), axis) if reverse else tensor(x) for x in leaves]
    along = [normalize_axis(axis, len(shape_of(x))) for x in now]
    size = known("associative_scan", shape_of(now[0])[along[0]])
    distance = 1
    # After a step each place holds the result of twice as many elements up to it.
    while distance < size:
        heads = [_part(x, 0, size - distance, a) for x, a in zip(now, along)]
        tails = [_part(x, distance, size, a) for x, a in zip(now, along)]
        joined = flatten(f(structure.pack(heads), structure.pack(tails)))[0]
        kept = [_part(x, 0, distance, a) for x, a in zip(now, along)]
        now = [concatenate([k, j], a) for k, j, a in zip(kept, joined, along)]
        distance *= 2
    return structure.pack([flip(x, a) if reverse else x for x, a in zip(now, along)])


def _part(x: Any, start: int | Dim, stop: int | Dim, axis: int) -> Any:
    sizes = shape_of(x)
    return slice_(
        x,
        [start if a == axis else 0 for a in range(len(sizes))],
        [stop if a == axis else n for a, n in enumerate(sizes)],
    )
