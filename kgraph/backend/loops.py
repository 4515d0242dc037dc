"""Loops over the elements of tensors, and the choice between two tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.backend.functions import eval as evaluate
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.ir import CallContext, Node, cast_to
from kgraph.ir.context import calling, current_context
from kgraph.ir.op import as_node
from kgraph.layers.recurrent_loop import Loop, trace_step

StepFunction = Callable[[Any, list[Any]], tuple[Any, Sequence[Any]]]


def rnn(
    step_function: StepFunction,
    inputs: Any,
    initial_states: Sequence[Any],
    go_backwards: bool = False,
    mask: Any = None,
    constants: Sequence[Any] | None = None,
    unroll: bool = False,
    input_length: int | None = None,
) -> tuple[Any, Any, list[Any]]:
    """Repeats a step over the time axis of a batch of sequences.

    Masked steps keep the states and repeat the previous output, zeros before the first one.

    Args:
        step_function: (inputs of a step, states and constants) -> (output, new states).
        inputs: (batch, time, ...).
        initial_states: a tensor for each state.
        go_backwards: whether to begin with the last step; outputs are in the order of the loop.
        mask: (batch, time) or (batch, time, 1), False for steps to leave out.
        constants: tensors that each step gets after the states.
        unroll: whether to write the steps out.
        input_length: number of steps where the inputs do not tell, for `unroll`.

    Returns:
        The last output, all outputs (batch, time, ...), and the last states.

    Raises:
        ValueError: the inputs have fewer than three axes, steps are to be written out but their
            number is not known, or the states change their types.

    Example:
        >>> step = lambda x, states: (x + states[0], [x + states[0]])
        >>> x = np.float32([[[1], [2], [3]]])
        >>> last, outputs, states = rnn(step, x, [np.zeros((1, 1), "float32")])
        >>> outputs.ravel().tolist()
        [1.0, 3.0, 6.0]
    """
    given = [tensor(v) for v in (inputs, *initial_states, *(constants or ()))]
    xs, count = given[0], len(initial_states)
    if xs.ndim < 3:
        raise ValueError(explain("K.rnn: input should be at least 3D", got=f"{xs.ndim} axes"))
    masks = None if mask is None else tensor(mask)
    nodes = [as_node(v) for v in given]
    loop = _loop(step_function, nodes, count, go_backwards, unroll)
    sequences: Any = ops.swapaxes(nodes[0], 0, 1)
    if unroll and input_length is not None:
        sequences = ops.ensure_shape(sequences, (int(input_length), *sequences.shape[1:]))
    if unroll and not isinstance(sequences.shape[0], int):
        raise ValueError(
            explain("Unrolling requires a fixed number of time steps", got=str(sequences.type))
        )
    outputs, after = loop.run(sequences, nodes[1 : 1 + count], _time_first(masks))
    results = [outputs[:, -1], outputs, *after]
    if not any(isinstance(v, Node) for v in (*given, masks)):
        results = _values(results)
    return results[0], results[1], results[2:]


def _loop(
    step_function: StepFunction, nodes: Sequence[Node], count: int, backwards: bool, unroll: bool
) -> Loop:
    """The step, traced once."""
    xs, states, shared = nodes[0], nodes[1 : 1 + count], nodes[1 + count :]

    def call(x: Node, before: tuple[Node, ...]) -> tuple[Node, list[Node]]:
        output, new = step_function(x, [*before, *shared])
        return as_node(output), [cast_to(as_node(v), s.dtype) for v, s in zip(new, before)]

    one = xs.type.with_shape((xs.shape[0], *xs.shape[2:]))
    with calling(current_context() or CallContext(training=False)):
        step = trace_step(call, one, [s.type for s in states], "K.rnn")
    return Loop(step, backwards, sequences=True, unroll=unroll, zero_masked=False, from_zeros=False)


def _time_first(mask: Any) -> Node | None:
    """A mask of (batch, time) or (batch, time, 1) as (time, batch, 1)."""
    if mask is None:
        return None
    node: Any = ops.cast(as_node(mask), "bool")
    return ops.swapaxes(node if node.ndim == 3 else ops.expand_dims(node, -1), 0, 1)


def _values(nodes: Sequence[Any]) -> list[Any]:
    """Arrays, where nothing that the loop used was symbolic, else the tensors."""
    try:
        return [evaluate(n) for n in nodes]
    except ValueError:
        return list(nodes)


def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """Applies a function to each element along axis 0.

    Args:
        fn: an element -> a tensor.
        elems: a tensor, or several of one length, of which the function gets a tuple.
        name: accepted for Keras.
        dtype: of the results; default what the function gives.

    Returns:
        The results, stacked along axis 0.

    Example:
        >>> map_fn(lambda x: x * 2, np.arange(3)).tolist()
        [0, 2, 4]
    """
    del name
    xs = tuple(map(tensor, elems)) if isinstance(elems, (list, tuple)) else tensor(elems)
    _, found = ops.scan(lambda carry, x: (carry, fn(x)), None, xs)
    if dtype is None:
        return found
    if isinstance(found, (list, tuple)):
        return type(found)(ops.cast(v, d) for v, d in zip(found, dtype, strict=True))
    return ops.cast(found, dtype)


def foldl(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None
) -> Any:
    """Joins the elements along axis 0 from the first to the last.

    Args:
        fn: (what was joined so far, an element) -> a tensor of the same type.
        elems: a tensor.
        initializer: what to begin with; default the first element.
        name: accepted for Keras.

    Returns:
        The last result.

    Example:
        >>> foldl(lambda total, x: total + x, np.arange(4)).tolist()
        6
    """
    del name
    return _fold(fn, tensor(elems), initializer, backwards=False)


def foldr(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None
) -> Any:
    """Joins the elements along axis 0 from the last to the first.

    Args:
        fn: (what was joined so far, an element) -> a tensor of the same type.
        elems: a tensor.
        initializer: what to begin with; default the last element.
        name: accepted for Keras.

    Returns:
        The last result.

    Example:
        >>> foldr(lambda total, x: total * 2 + x, np.arange(4)).tolist()
        34
    """
    del name
    return _fold(fn, tensor(elems), initializer, backwards=True)


def _fold(fn: Callable[[Any, Any], Any], elems: Any, start: Any, backwards: bool) -> Any:
    if start is None:
        start = elems[-1] if backwards else elems[0]
        elems = elems[:-1] if backwards else elems[1:]
    total, _ = ops.scan(
        lambda carry, x: (fn(carry, x), None), tensor(start), elems, None, backwards
    )
    return total


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One tensor where a condition holds, else another one.

    Both are computed, unless the condition is a number.

    Args:
        condition: a bool, or a tensor of at most as many axes as the expressions; those that it
            lacks at the end are added.
        then_expression: a tensor, or a function without arguments that returns one.
        else_expression: another one, of the same shape.

    Returns:
        A tensor.

    Raises:
        ValueError: the condition has more axes than the expressions.

    Example:
        >>> switch([True, False], [[1, 1], [2, 2]], [[3, 3], [4, 4]]).tolist()
        [[1, 1], [4, 4]]
    """
    if isinstance(condition, (bool, int, np.bool_)):
        return _called(then_expression if condition else else_expression)
    first, second = _called(then_expression), _called(else_expression)
    chosen = ops.cast(tensor(condition), "bool")
    if chosen.ndim > first.ndim:
        raise ValueError(
            explain(
                "K.switch: the condition has more axes than the expressions",
                expected=f"at most {first.ndim}",
                got=chosen.ndim,
            )
        )
    if chosen.ndim:
        chosen = ops.reshape(chosen, (*chosen.shape, *[1] * (first.ndim - chosen.ndim)))
    return ops.where(chosen, first, second)


def _called(expression: Any) -> Any:
    made = expression() if callable(expression) and not isinstance(expression, Node) else expression
    return tensor(made)
