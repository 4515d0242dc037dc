"""fused: several ops as one node, so that what lies between them never leaves the cache.

`program` is a tuple of instructions (op name, operand numbers, sorted (name, value) pairs). Numbers
below n are operands, n + i is the value of instruction i; `results` are the numbers of the outputs.
Instructions are matrix products of operands, elementwise ops of one shape, and reductions of their
values. The meaning is that of the ops one after the other, and so is the kernel; only `specialize`
runs them block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op, Sample, find_op, register
from kgraph.ir.types import TensorType
from kgraph.ops.block_runner import BlockRunner
from kgraph.ops.blocks import Layout
from kgraph.ops.program import take_apart


def expand(
    operands: Sequence[Node], program: Sequence[Any], results: Sequence[int]
) -> tuple[Node, ...]:
    """The outputs of a program as nodes of their own.

    Args:
        operands: what stands for the numbers from 0 on.
        program, results: the attributes of `fused`.

    Returns:
        One node a result, built of the instructions' ops.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> expand([x], (("tanh", (0,), ()), ("multiply", (1, 1), ())), (2,))[0].op
        <op multiply>
    """
    values = list(operands)
    for name, numbers, pairs in program:
        values.append(build(find_op(name), tuple(values[k] for k in numbers), dict(pairs)))
    return tuple(values[k] for k in results)


class Fused(Op):
    """Several ops as one: products of operands, elementwise ops of one shape, reductions of these.

    Example:
        >>> program = (("tanh", (0,), ()), ("multiply", (1, 1), ()))
        >>> fused([0.0, np.inf], program=program, results=(2,))
        array([0., 1.], dtype=float32)
    """

    name = "fused"
    stages = ("FUSED",)

    def infer(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        parts = take_apart(attrs["program"], attrs["results"])
        if len(types) != parts.operands:
            raise InferenceError(f"takes {parts.operands} operands, got {len(types)}")
        inferred = parts.infer(types)
        return tuple(inferred[k] for k in parts.results)

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        parts = take_apart(attrs["program"], attrs["results"])
        values = list(arrays)
        for step in parts.instructions:
            values.append(step.op.kernel(*[values[k] for k in step.operands], **step.attrs))
        found = tuple(values[k] for k in parts.results)
        if out is not None:
            for target, value in zip(out if len(found) > 1 else (out,), found, strict=True):
                np.copyto(target, value)
            return out
        return found if len(found) > 1 else found[0]

    def reference(self, *operands: Node, program: Any, results: Any) -> Any:
        found = expand(operands, program, results)
        return found if len(found) > 1 else found[0]

    def reuses(self, output: int, attrs: Mapping[str, Any]) -> tuple[int, ...]:
        return take_apart(attrs["program"], attrs["results"]).overwritable(output)

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return Layout(take_apart(attrs["program"], attrs["results"]), types).scratch

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        return BlockRunner(Layout(take_apart(attrs["program"], attrs["results"]), inputs))

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        parts = take_apart(attrs["program"], attrs["results"])
        types: list[TensorType] = parts.infer(inputs)
        flops: Any = 0
        for step in parts.instructions:
            read = [types[k] for k in step.operands]
            flops += step.op.cost(read, [types[step.number]], step.attrs)[0]
        return flops, super().cost(inputs, outputs, attrs)[1]

    def samples(self) -> Iterable[Sample]:
        for program, results, shapes in _SAMPLES:
            draws = tuple(_draw(*shape) for shape in shapes)
            yield Sample(draws, {"program": program, "results": results})
        flags = (("greater", (0, 1), ()), ("where", (3, 1, 2), ()), ("relu_grad", (0, 4), ()))
        draws = tuple(_draw(4, 3) for _ in range(3))
        yield Sample(draws, {"program": flags, "results": (3, 5)}, differentiable=False)


def _draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(0.3, 2.0, shape).astype("float32")


_OVER_ROWS = (("axis", (1,)), ("keepdims", False))
_OVER_ALL = (("axis", (0, 1)), ("keepdims", False))
_DENSE = (("matmul", (0, 1), ()), ("add", (3, 2), ()), ("tanh", (4,), ()))
_RUNNING = (("multiply", (0, 1), ()), ("square", (2,), ()), ("add", (4, 5), ()),
            ("sqrt", (6,), ()), ("divide", (2, 7), ()), ("subtract", (3, 8), ()))  # fmt: skip
_SQUARES = (("subtract", (0, 1), ()), ("square", (2,), ()))
_SAMPLES = (
    (_DENSE, (5,), ((4, 3), (3, 5), (5,))),
    (_DENSE, (4, 5), ((4, 3), (3, 5), (5,))),
    (_RUNNING, (6, 9), ((4, 3), (), (4, 3), (4, 3))),
    (_RUNNING, (6, 9), ((4, 3), (4, 1), (4, 3), (3,))),
    ((*_SQUARES, ("mean", (3,), _OVER_ROWS)), (4,), ((4, 3), (4, 3))),
    ((*_SQUARES, ("sum", (3,), _OVER_ALL)), (3, 4), ((4, 3), (3,))),
    ((*_SQUARES, ("exp", (3,), ())), (4,), ((5,), (5,))),
)

fused = Fused()
register(fused)
