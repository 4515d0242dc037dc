"""Loops in plans: a `scan` runs as a Python loop over kernel calls whose arrays exist beforehand.

A step of the loop is planned once (`plan.plan_loop`). Here every window of that plan becomes one on
the memory around it: what all steps share lies in the operands, the carry in the loop's outputs,
where each step overwrites it, and what belongs to one step is a window that moves along axis 0, one
array for each step. A carry that the steps give as well lies in their sequence: what one step
writes the next one reads there. A loop inside a step is run by its op's kernel, which allocates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgraph.ops.specialized import Prepared
from kgraph.runtime.copying import COPY
from kgraph.runtime.plan import Operand, Step
from kgraph.runtime.planning import carry_places
from kgraph.runtime.source import Line, Listing, Names, call_line, definition, wish

# A kernel with its attributes built in, and what it is called with.
Call = tuple[Callable[..., Any], tuple[Any, ...]]


def bound_call(step: Step, arrays: Sequence[np.ndarray]) -> Call:
    """The kernel of a step for its types, and its arguments: the arrays, or views of them."""
    return _call(_kernel_of(step), arrays)


def _kernel_of(step: Step) -> Callable[..., Any]:
    return step.op.specialize(
        [o.type for o in step.inputs], [o.type for o in step.outputs], step.attrs
    )


def _call(kernel: Callable[..., Any], arrays: Sequence[np.ndarray]) -> Call:
    if isinstance(kernel, Prepared):
        return kernel.run, tuple(kernel.views(*arrays))
    return kernel, tuple(arrays)


class LoopFunction:
    """One `scan` of a plan, ready to run.

    Args:
        step: the step of the plan around it.
        array: the array that an operand of that plan stands for.

    Attributes:
        listing: the emitted text.
        run: runs all steps of the loop.
    """

    def __init__(self, step: Step, array: Callable[[Operand], np.ndarray]) -> None:
        assert step.loop is not None
        self._step, self._loop, self._array = step, step.loop, array
        self._names = Names()
        self._consts, self._carry = step.attrs["consts"], step.attrs["carry"]
        length = int(step.attrs["length"])
        self._times = range(length)[::-1] if step.attrs["reverse"] else range(length)
        self._used: dict[str, None] = {}
        # Name in the text -> what it stands for in each step of the loop.
        self._moving: dict[str, list[Any]] = {}
        self._places = carry_places(step.attrs) if length else {}
        self._written: set[int] = set()  # the carries that the text has written so far
        # Where there is no step, sequences have no memory that a window could show.
        body = [self._line(inner) for inner in self._loop.steps if self._times]
        self.listing = Listing(self, "loop", self._text(body), self._names.values)
        self.run = self.listing.function("run_loop")

    def _text(self, body: Sequence[Line]) -> list[Line]:
        moves = list(zip(*self._moving.values())) if self._moving else [()] * len(self._times)
        starts = [line for i in range(self._carry) for line in self._start(i)]
        ends = [line for i in range(self._carry) for line in self._end(i)]
        targets = "".join(f"{name}, " for name in self._moving).strip() or "_"
        head: Line = (f"    for {targets} in {self._name(moves, 'moves')}:", None)
        lines = [*starts, head, *(body or [("        pass", None)]), *ends]
        return definition("run_loop", self._used, lines)

    def _start(self, index: int) -> Iterable[Line]:
        """The line that puts the first value of a carry in its place."""
        source, target = self._step.inputs[self._consts + index], self._step.outputs[index]
        place = self._places.get(index)
        if place is not None and place.before:
            target = self._given(place.given, 0)
        yield from self._copy(source, target, f"h{index}", f"first{index}")

    def _end(self, index: int) -> Iterable[Line]:
        """The line that hands out the last value of a carry that lies in a sequence."""
        place = self._places.get(index)
        if place is not None and not place.before:
            source = self._given(place.given, len(self._times) - 1)
            yield from self._copy(source, self._step.outputs[index], f"h{index}", f"last{index}")

    def _copy(self, source: Operand, target: Operand, *wishes: str) -> Iterable[Line]:
        if source != target:
            step = Step(COPY, {}, (source,), (target,), (), self._step.node)
            arrays = self._array(target), self._array(source)
            names = map(self._name, (np.copyto, *arrays), ("copyto", *wishes))
            yield call_line([*names], step)

    def _line(self, inner: Step) -> Line:
        """The call of a kernel in the body; arguments that move are variables of the loop."""
        count = len(inner.inputs)
        operands = (*inner.inputs, *inner.outputs, *inner.scratch)
        kernel = _kernel_of(inner)
        written = [self._carry_of(o) in self._written for o in inner.inputs]
        new = [*written, *[True] * (len(operands) - count)]
        self._written.update(i for i in map(self._carry_of, inner.outputs) if i is not None)
        times = range(len(self._times) if any(map(self._moves, operands)) else 1)
        arrays = [self._over(times, o, n) for o, n in zip(operands, new)]
        calls = [_call(kernel, each) for each in zip(*arrays)]
        run = calls[0][0]
        columns = [list(c) for c in zip(*(arguments for _, arguments in calls))]
        names = [self._wish(o) for o in operands]
        wishes = names if len(names) == len(columns) else ["view"] * len(columns)
        words = [self._name(run, inner.op.name)]
        for values, text in zip(columns, wishes, strict=True):
            still = all(value is values[0] for value in values)
            words.append(self._name(values[0], text) if still else self._variable(values, text))
        return call_line(words, inner, indent="        ")

    def _over(self, times: range, operand: Operand, new: bool) -> list[np.ndarray]:
        """The arrays that an operand of the body stands for in the steps of the loop."""
        if self._moves(operand):
            return [self._at(operand, i, new) for i in times]
        return [self._at(operand, 0, new)] * len(times)

    def _name(self, value: Any, text: str) -> str:
        name = self._names.of(value, text)
        self._used[name] = None
        return name

    def _variable(self, values: list[Any], text: str) -> str:
        """The variable of the loop that takes these values in turn."""
        for name, known in self._moving.items():
            if all(a is b for a, b in zip(known, values)):
                return name
        name = self._names.of(values, text)
        self._moving[name] = values
        return name

    def _wish(self, operand: Operand) -> str:
        """What to call a window: `w` what all steps share, `h` the carry, `x` and `y` its like."""
        index = _parameter(operand)
        if index is None:
            return wish(operand)
        counts = (("w", self._consts), ("h", self._carry), ("x", self._step.attrs["xs"]))
        for letter, count in counts:
            if index < count:
                return f"{letter}{index}"
            index -= count
        return f"y{index}"

    def _carry_of(self, operand: Operand) -> int | None:
        """Which carry a window lies in."""
        index = _parameter(operand)
        inside = index is not None and 0 <= index - self._consts < self._carry
        return index - self._consts if index is not None and inside else None

    def _moves(self, operand: Operand) -> bool:
        """Whether the window lies elsewhere in each step."""
        index = _parameter(operand)
        late = index is not None and index >= self._consts + self._carry
        return late or self._carry_of(operand) in self._places

    def _at(self, operand: Operand, number: int, new: bool) -> np.ndarray:
        """The array that an operand of the body stands for in one step of the loop.

        Args:
            operand: a window.
            number: how many steps have come before.
            new: whether a carry has its next value already.
        """
        if not isinstance(operand.base, int) and _parameter(operand) is None:
            return self._array(operand)  # a constant
        whole = self._home(operand, number, new)
        offset = whole.offset + operand.offset
        window = operand.shape, operand.strides, operand.dtype
        return self._array(Operand(whole.base, offset, *window))

    def _home(self, operand: Operand, number: int, new: bool) -> Operand:
        """What a window of the body lies in: part of the loop's scratch, operands or outputs."""
        step, index = self._step, _parameter(operand)
        if index is None:
            scratch = step.scratch[0]
            return replace(scratch, offset=scratch.offset + self._loop.buffers[operand.base].offset)
        if index < self._consts:
            return step.inputs[index]
        if index < self._consts + self._carry:
            return self._carried(index - self._consts, number, new)
        if index < len(step.inputs):
            return _element(step.inputs[index], self._times[number])
        return self._given(index - len(step.inputs), number)

    def _carried(self, index: int, number: int, new: bool) -> Operand:
        """Where a carry lies in one step of the loop."""
        place = self._places.get(index)
        if place is not None:
            # What lies in the sequence is the value that a step finds, or the one it hands on.
            number += new if place.before else new - 1
            if 0 <= number < len(self._times):
                return self._given(place.given, number)
        return self._step.outputs[index]

    def _given(self, index: int, number: int) -> Operand:
        """Where one step of the loop puts what it gives."""
        return _element(self._step.outputs[self._carry + index], self._times[number])


def _element(whole: Operand, time: int) -> Operand:
    """One part along axis 0."""
    offset = whole.offset + time * whole.strides[0]
    return Operand(whole.base, offset, whole.shape[1:], whole.strides[1:], whole.dtype)


def _parameter(operand: Operand) -> int | None:
    """Number of the body's parameter that a window lies in; outputs of a step follow them."""
    base = operand.base
    return None if isinstance(base, int) or base.op.name != "arg" else base.attrs["index"]
