"""Emit: a plan's steps become one straight-line Python function over preallocated arrays.

Every kernel, with its attributes built in, and every array is a local variable of the function, so
a step costs its NumPy call and nothing else. The source is kept and registered with `linecache`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.ops.linalg import matmul
from kgraph.runtime.loops import Call, LoopFunction, bound_call
from kgraph.runtime.memory import ALIGNMENT
from kgraph.runtime.native import NativeCalls, NativeKernel, native_calls, native_kernel
from kgraph.runtime.plan import Operand, PlanData, Step
from kgraph.runtime.source import Line, Listing, Names, call_line, definition, wish

Functions = tuple[Callable[..., None], ...]
Given = Mapping[str, np.ndarray]

# Bytes of an input from which a product may read the caller's array instead of a copy. With less
# copying takes half a microsecond, as long as asking whether the array will do.
LENT = 1 << 15

_NATIVE = (NativeKernel, NativeCalls)
_NOTHING: Given = {}
_CHUNK = 1000  # lines a function; Python compiles several short functions faster than a huge one


class Plan:
    """An emitted plan with memory of its own.

    Attributes:
        data: the plan as plain data.
        inputs: arrays to fill before a run, in the order of the graph's inputs.
        outputs: arrays that hold the outputs until the next run.
    """

    def __init__(self, data: PlanData) -> None:
        self.data = data
        self._arena = aligned_bytes(data.arena_bytes)
        self._bases: dict[Node, np.ndarray] = {}
        self._arrays: dict[Operand, np.ndarray] = {}
        self._wishes: dict[int, str] = {}  # id of an array -> what to call it
        self._loops: list[LoopFunction] = []
        self.inputs = tuple(self.array(o) for o in data.inputs)
        self.outputs = tuple(self.array(o) for o in data.outputs)
        self.calls = [self._call(step) for step in data.steps]
        names = Names()
        self._listing, self._preparing, self._running = self._emit(names)
        self._lent = self._find_lent(names)

    @property
    def filename(self) -> str:
        """The name under which tracebacks show the generated text."""
        return self._listing.filename

    @property
    def arena(self) -> np.ndarray:
        """Bytes (arena_bytes,) that hold the plan's buffers, for those who look into them."""
        return self._arena

    @property
    def source(self) -> str:
        """The text of the generated functions: Python, that of loops, C."""
        native = dict.fromkeys(k.text for k, _ in self.calls if isinstance(k, _NATIVE))
        loops = [loop.listing.text for loop in self._loops]
        return "\n\n".join([self._listing.text, *loops, *native])

    def array(self, operand: Operand) -> np.ndarray:
        """The array that an operand stands for; equal operands give one array."""
        found = self._arrays.get(operand)
        if found is None:
            found = self._arrays[operand] = self._window(operand)
            self._wishes.setdefault(id(found), wish(operand))
        return found

    def _window(self, operand: Operand) -> np.ndarray:
        offset = operand.offset
        if isinstance(operand.base, int):
            memory: Any = self._arena
            offset += self.data.buffers[operand.base].offset
        else:
            memory = self._base(operand.base)
            if memory.shape == operand.shape and memory.strides == operand.strides:
                return memory
            if not memory.flags.c_contiguous:
                raise ValueError(f"{operand.base!r} does not lie in C order")
        if 0 in operand.shape:
            return np.empty(operand.shape, operand.dtype)
        return np.ndarray(operand.shape, operand.dtype, memory, offset, operand.strides)

    def _base(self, node: Node) -> np.ndarray:
        if isinstance(node, Variable):
            return node.value
        if node in self.data.known:
            return self.data.known[node]
        if node not in self._bases:
            type_ = node.type.bind(self.data.binding)
            self._bases[node] = np.zeros(type_.shape, type_.dtype)  # type: ignore[arg-type]
        return self._bases[node]

    def _call(self, step: Step) -> Call:
        if step.loop is None:
            arrays = [self.array(o) for o in (*step.inputs, *step.outputs, *step.scratch)]
            native = native_kernel(step)
            if native is not None:
                return native, tuple(arrays)
            call = bound_call(step, arrays)
            routines = native_calls(call)
            return (routines, ()) if routines else call
        self._loops.append(LoopFunction(step, self.array))
        return self._loops[-1].run, ()

    def _emit(self, names: Names) -> tuple[Listing, Functions, Functions]:
        first, last = self.data.prepared, len(self.calls)
        cuts = sorted({0, first, *range(first, last, _CHUNK), last})
        lines: list[Line] = []
        for start, stop in itertools.pairwise(cuts):
            lines += self._emit_chunk(start, stop, names)
        listing = Listing(self, "plan", lines, names.values)
        functions = [(start, listing.function(f"run_{start}")) for start in cuts[:-1]]
        ready = tuple(function for start, function in functions if start < first)
        running = tuple(function for start, function in functions if start >= first)
        return listing, ready, running

    def _emit_chunk(self, start: int, stop: int, names: Names) -> list[Line]:
        lines: list[Line] = []
        used: dict[str, None] = {}
        wishes = self._wishes
        for (kernel, arrays), step in zip(
            self.calls[start:stop], self.data.steps[start:stop], strict=True
        ):
            native = isinstance(kernel, _NATIVE)
            words = [names.of(kernel, "native" if native else step.op.name)]
            words += [names.of(a, wishes.get(id(a), "view")) for a in arrays]
            used.update(dict.fromkeys(words))
            lines.append(call_line(words, step))
        return definition(f"run_{start}", used, lines)

    def _find_lent(self, names: Names) -> tuple[str | None, ...]:
        """For each input the parameter that may stand for another array, or None.

        Only products read such an input, and read all of it; nothing holds a window on it, and no
        state is written, which could be what the other array shows. Nor is it a small one.
        """
        if self.data.graph.updates or len(self._running) != 1:
            return (None,) * len(self.inputs)
        data, whole = self.data, {id(array) for array in self.inputs if array.nbytes >= LENT}
        kept = {o.base for o in data.outputs}
        for step, (_, arrays) in zip(data.steps, self.calls, strict=True):
            given = whole.intersection(map(id, arrays)) if step.op is matmul else ()
            kept.update([o.base for o in step.inputs if id(self.array(o)) not in given])
        code = self._running[0].__code__  # type: ignore[attr-defined]
        words = [names.of(array, "input") for array in self.inputs]
        return tuple(
            [
                word if word in code.co_varnames and node not in kept else None
                for word, node in zip(words, data.graph.inputs, strict=True)
            ]
        )

    def fill(self, arrays: Sequence[np.ndarray]) -> None:
        """Copies arrays into the inputs, for any number of runs that leave them as they are.

        Args:
            arrays: one an input, of its shape.
        """
        for buffer, array in zip(self.inputs, arrays, strict=True):
            buffer[...] = array

    def feed(self, arrays: Sequence[np.ndarray]) -> Given:
        """Copies arrays into the inputs, but for those that a run may read where they lie.

        Args:
            arrays: one an input, of its shape.

        Returns:
            What to hand to `run` or `run_bare`, which must follow before an array is changed.
        """
        given: dict[str, np.ndarray] = {}
        for name, buffer, array in zip(self._lent, self.inputs, arrays):
            if name is not None and array.dtype == buffer.dtype and array.flags.carray:
                given[name] = array
            else:
                buffer[...] = array
        return given

    def run(self, given: Given = _NOTHING) -> None:
        """Runs every step once; an error names the step's node, layer and source line.

        Args:
            given: what `feed` returned, if the inputs were fed by it.
        """
        with np.errstate(all="ignore"):
            self.run_bare(given=given)

    def prepare(self) -> None:
        """Runs the steps that follow from states alone."""
        with np.errstate(all="ignore"):
            self._run(self._preparing)

    def run_bare(self, prepared: bool = False, given: Given = _NOTHING) -> None:
        """What `run` does, for callers that silence NumPy's warnings once for many runs.

        Args:
            prepared: leave out what `prepare` does; nobody has written a state since.
            given: as for `run`.
        """
        if self._preparing and not prepared:
            self._run(self._preparing)
        self._run(self._running, given)

    def _run(self, functions: Functions, given: Given = _NOTHING) -> None:
        try:
            for function in functions:
                function(**given)
        except Exception as error:
            for listing in (self._listing, *(loop.listing for loop in self._loops)):
                listing.explain(error)
            raise


def aligned_bytes(size: int) -> np.ndarray:
    """Zeroed memory that starts where a cache line does, as the offsets of buffers assume."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
