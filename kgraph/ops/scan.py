"""scan: a loop over time as one node; its body says what a step does with the carry and inputs.

Operands are (*consts, *carry, *sequences): what all steps share, what is handed from step to step,
what is read along axis 0. The body's parameters are (consts, carry, one element of each sequence),
its outputs the next carry and what the step gives; the node's outputs are the last carry and what
the steps gave, stacked along axis 0. The gradient is in `runtime/loop_gradients.py`, because it
differentiates the body. The kernel allocates in every step; plans have loops of their own, in
`runtime/loops.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.body import Body
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import ARG, CONST, ITEM, arg
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import TensorType
from kgraph.ir.walk import toposort
from kgraph.ops.elementwise import multiply, sin, tanh
from kgraph.ops.linalg import matmul
from kgraph.ops.shapes import draw
from kgraph.ops.steps import trace_step

Step = Callable[[Any, Any], tuple[Any, Any]]


class Scan(Op):
    """A loop: `f(carry, x) -> (carry, y)` along axis 0 of `xs`, as in `jax.lax.scan`.

    Args:
        f: a function of the carry and one element of `xs`. It is called once, on symbolic
            tensors; whatever it uses from outside becomes an operand of the loop.
        init: the first carry: a tensor, or nested tuples, lists, dictionaries and None of them.
        xs: what the steps read along axis 0, in the same forms, or None.
        length: number of steps; needed only without `xs`.
        reverse: whether the last element comes first. `ys` stay at the places of their `xs`.
        unroll: without effect; a hint to the compilers of other backends.

    Returns:
        The last carry, and what the steps gave, stacked along axis 0.

    Raises:
        InferenceError: the carry changes its type, `xs` have different lengths, or there is no
            length.
        TypeError: `f` does not return a pair of the right structure, or something that is no
            tensor.

    Example:
        >>> total, sums = scan(lambda s, x: (s + x, s + x), 0.0, np.arange(4, dtype="float32"))
        >>> float(total), sums.tolist()
        (6.0, [0.0, 1.0, 3.0, 6.0])
    """

    name = "scan"

    def __call__(
        self,
        f: Step,
        init: Any,
        xs: Any = None,
        length: int | Dim | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> Any:
        traced = trace_step(f, init, xs, length, bool(reverse))
        finals, ys = traced.loop.build()
        if not traced.symbolic:
            found = constant_values((*finals, *ys))
            if found is not None:
                return traced.pack(found[: len(finals)], found[len(finals) :])
        return traced.pack(finals, ys)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        """The length may be left out where there are sequences."""
        counts = {name: int(attrs.get(name, 0)) for name in ("consts", "carry", "xs")}
        length = attrs.get("length")
        if length is None and counts["xs"] and inputs and inputs[-1].ndim:
            length = inputs[-1].shape[0]
        if isinstance(length, bool) or not isinstance(length, (int, np.integer, Dim)):
            raise InferenceError(f"length must be a size, not {length!r}")
        length = length if isinstance(length, Dim) else int(length)
        reverse = bool(attrs.get("reverse", False))
        return {"body": attrs["body"], **counts, "length": length, "reverse": reverse}

    def infer(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        body, length = attrs["body"], attrs["length"]
        n, m, k = attrs["consts"], attrs["carry"], attrs["xs"]
        if not isinstance(body, Body):
            raise InferenceError(f"body must be a Body, not {body!r}")
        if min(n, m, k) < 0 or not len(types) == n + m + k == len(body.parameters):
            raise InferenceError(
                f"{n} consts, {m} carries and {k} sequences are not the {len(types)} operands "
                f"or the body's {len(body.parameters)} parameters"
            )
        if isinstance(length, int) and length < 0:
            raise InferenceError(f"length {length} is negative")
        if len(body.outputs) < m or not body.outputs:
            raise InferenceError("the body gives nothing, or less than the carry")
        _check_operands(types, body, n + m, length)
        after = tuple(y.type for y in body.outputs)
        if after[:m] != body.parameters[n : n + m]:
            raise InferenceError(
                explain("the carry changes its type", expected=_show(body.parameters[n : n + m]),
                        got=_show(after[:m]))
            )  # fmt: skip
        return (*after[:m], *(t.with_shape((length, *t.shape)) for t in after[m:]))

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        n, m, length = attrs["consts"], attrs["carry"], attrs["length"]
        consts, carry, xs = arrays[:n], list(arrays[n : n + m]), arrays[n + m :]
        body = attrs["body"]
        given = body.outputs[m:]
        if out is None:
            ys = [np.empty((length, *y.shape), y.dtype) for y in given]
        else:
            targets = out if isinstance(out, tuple) else (out,)
            ys = list(targets[m:])
        run = runner(body)
        for t in reversed(range(length)) if attrs["reverse"] else range(length):
            values = run([*consts, *carry, *[x[t, ...] for x in xs]])
            carry = values[:m]
            for y, value in zip(ys, values[m:], strict=True):
                y[t, ...] = value
        if out is None:
            found = (*(np.array(c) for c in carry), *ys)
            return found if len(found) > 1 else found[0]
        for target, value in zip(targets[:m], carry, strict=True):
            np.copyto(target, value)
        return out

    def reuses(self, output: int, attrs: Mapping[str, Any]) -> tuple[int, ...]:
        return (attrs["consts"] + output,) if output < attrs["carry"] else ()

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        flops: Any = 0
        for node in attrs["body"].nodes:
            if node.inputs and node.op is not ITEM:
                read = [t for n in node.inputs for t in n.types]
                flops = flops + node.op.cost(read, node.types, node.attrs)[0]
        return flops * attrs["length"], super().cost(inputs, outputs, attrs)[1]

    def samples(self) -> Iterable[Sample]:
        row, square = TensorType((3,), "float32"), TensorType((3, 3), "float32")
        s, x = arg(0, row), arg(1, row)
        sums = Body((row, row), (s + x, s + x))
        yield Sample((draw(3), draw(4, 3)), {"body": sums, "carry": 1, "xs": 1})
        last = Body((row, row), (sin(multiply(s, x)),))
        yield Sample((draw(3), draw(4, 3)), {"body": last, "carry": 1, "xs": 1, "reverse": True})
        w, h, x = arg(0, square), arg(1, row), arg(2, row)
        cell = tanh(matmul(h, w) + x)
        recurrent = Body((square, row, row), (cell, cell, h))
        counts = {"consts": 1, "carry": 1, "xs": 1}
        yield Sample((draw(3, 3), draw(3), draw(4, 3)), {"body": recurrent, **counts})
        number = TensorType((), "int64")
        counted = Body((number, row), (arg(0, number) + 1, multiply(arg(1, row), 2.0)))
        attrs = {"body": counted, "carry": 2, "length": 3}
        yield Sample((np.array(2, "int64"), draw(3)), attrs, differentiable=False)


def runner(body: Body) -> Callable[[Sequence[np.ndarray]], list[Any]]:
    """A function from the parameters' arrays to the outputs', by the kernels of the body's ops.

    The body's sizes are numbers. An output may be a parameter's array itself.
    """
    places = {n: n.attrs["index"] for n in body.nodes if n.op is ARG}
    count = len(body.parameters)
    steps: list[tuple[Op, list[int], dict[str, Any]]] = []
    for node in body.nodes:
        if node not in places:
            steps.append((node.op, [places[n] for n in node.inputs], dict(node.attrs)))
            places[node] = count + len(steps) - 1
    results = [places[n] for n in body.outputs]

    def run(arrays: Sequence[np.ndarray]) -> list[Any]:
        values: list[Any] = list(arrays)
        for op, numbers, attrs in steps:
            if op is ITEM:
                values.append(values[numbers[0]][attrs["index"]])
            else:
                values.append(op.kernel(*[values[k] for k in numbers], **attrs))
        return [values[k] for k in results]

    return run


def constant_values(nodes: Sequence[Node]) -> tuple[np.ndarray, ...] | None:
    """The values of nodes, by the ops' kernels, or None where one follows not from constants."""
    values: dict[Node, Any] = {}
    order = toposort(nodes)
    if any(not n.inputs and n.op is not CONST for n in order):
        return None
    with np.errstate(all="ignore"):
        for node in order:
            operands = [values[n] for n in node.inputs]
            if node.op is ITEM:
                values[node] = operands[0][node.attrs["index"]]
            else:
                values[node] = node.op.kernel(*operands, **node.attrs)
    return tuple(np.array(values[n]) for n in nodes)


def _check_operands(types: Sequence[TensorType], body: Body, first: int, length: int | Dim) -> None:
    """Consts and carry have their parameters' types, sequences an axis of `length` before them."""
    for index, (type_, parameter) in enumerate(zip(types, body.parameters, strict=True)):
        if index >= first:
            parameter = parameter.with_shape((length, *parameter.shape))
        if type_ != parameter:
            raise InferenceError(
                explain(f"operand {index} does not fit the body", expected=parameter, got=type_)
            )


def _show(types: Iterable[TensorType]) -> str:
    return ", ".join(map(str, types))


scan = Scan()
register(scan)
