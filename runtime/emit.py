"""Emit: a plan's steps become one straight-line Python function over preallocated arrays.

Every kernel, with its attributes built in, and every array is a local variable of the function, so
a step costs its NumPy call and nothing else. The source is kept and registered with `linecache`.
"""

from __future__ import annotations

import itertools
import keyword
import linecache
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.ops.linalg import matmul
from kgraph.ops.specialized import Prepared
from kgraph.runtime.memory import ALIGNMENT
from kgraph.runtime.plan import Operand, PlanData, Step

Functions = tuple[Callable[..., None], ...]
Given = Mapping[str, np.ndarray]

# Bytes of an input from which a product may read the caller's array instead of a copy. With less
# copying takes half a microsecond, as long as asking whether the array will do.
LENT = 1 << 15

_NOTHING: Given = {}
_NUMBERS = itertools.count(1)
_CHUNK = 4000  # lines a function; Python compiles several short functions faster than a huge one


class Plan:
    """An emitted plan with memory of its own.

    Attributes:
        data: the plan as plain data.
        inputs: arrays to fill before a run, in the order of the graph's inputs.
        outputs: arrays that hold the outputs until the next run.
        source: text of the generated function.
    """

    def __init__(self, data: PlanData) -> None:
        self.data = data
        self.filename = f"<kgraph plan {next(_NUMBERS)}>"
        self._arena = aligned_bytes(data.arena_bytes)
        self._bases: dict[Node, np.ndarray] = {}
        self._arrays: dict[Operand, np.ndarray] = {}
        self._wishes: dict[int, str] = {}  # id of an array -> what to call it
        self.inputs = tuple(self.array(o) for o in data.inputs)
        self.outputs = tuple(self.array(o) for o in data.outputs)
        self.calls = [self._call(step) for step in data.steps]
        names = _Names()
        self.source, self._preparing, self._running = self._emit(names)
        self._lent = self._find_lent(names)

    def array(self, operand: Operand) -> np.ndarray:
        """The array that an operand stands for; equal operands give one array."""
        found = self._arrays.get(operand)
        if found is None:
            found = self._arrays[operand] = self._window(operand)
            self._wishes.setdefault(id(found), _wish(operand))
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

    def _call(self, step: Step) -> tuple[Callable[..., Any], tuple[np.ndarray, ...]]:
        operands = (*step.inputs, *step.outputs, *step.scratch)
        kernel = step.op.specialize(
            [o.type for o in step.inputs], [o.type for o in step.outputs], step.attrs
        )
        arrays = tuple(self.array(o) for o in operands)
        if isinstance(kernel, Prepared):
            return kernel.run, tuple(kernel.views(*arrays))
        return kernel, arrays

    def _emit(self, names: _Names) -> tuple[str, Functions, Functions]:
        first, last = self.data.prepared, len(self.calls)
        cuts = sorted({0, first, *range(first, last, _CHUNK), last})
        parts = [self._emit_chunk(*bounds, names) for bounds in itertools.pairwise(cuts)]
        source = "\n\n".join(parts)
        code = compile(source, self.filename, "exec")
        scope: dict[str, Any] = {}
        exec(code, scope)
        functions = [(start, scope[f"run_{start}"]) for start in cuts[:-1]]
        for _, function in functions:
            words = function.__code__.co_varnames[: function.__code__.co_argcount]
            function.__defaults__ = tuple([names.values[word] for word in words])
        linecache.cache[self.filename] = (
            len(source),
            None,
            source.splitlines(keepends=True),
            self.filename,
        )
        weakref.finalize(self, linecache.cache.pop, self.filename, None)
        ready = tuple(function for start, function in functions if start < first)
        return source, ready, tuple(function for start, function in functions if start >= first)

    def _emit_chunk(self, start: int, stop: int, names: _Names) -> str:
        lines: list[str] = []
        used: dict[str, None] = {}
        wishes = self._wishes
        for (kernel, arrays), step in zip(
            self.calls[start:stop], self.data.steps[start:stop], strict=True
        ):
            words = [names.of(kernel, step.op.name)]
            words += [names.of(a, wishes.get(id(a), "view")) for a in arrays]
            used.update(dict.fromkeys(words))
            label = step.node.origin.scope
            if not label.isprintable():
                # A layer's name may come from a file: a line break in it would end the comment.
                label = "".join(c if c.isprintable() else "?" for c in label)
            comment = f"  # {label}" if label else ""
            lines.append(f"    {words[0]}({', '.join(words[1:])}){comment}")
        # What they stand for is set as defaults: Python reads a name without one in half the time.
        return "\n".join([f"def run_{start}({', '.join(used)}):", *(lines or ["    return"])])

    def _find_lent(self, names: _Names) -> tuple[str | None, ...]:
        """For each input the parameter that may stand for another array, or None.

        Only products read such an input, and read all of it; nothing holds a window on it, and no
        state is written, which could be what the other array shows. Nor is it a small one.
        """
        data, whole = self.data, {id(array) for array in self.inputs if array.nbytes >= LENT}
        kept = {o.base for o in data.outputs}
        for step, (_, arrays) in zip(data.steps, self.calls, strict=True):
            given = whole.intersection(map(id, arrays)) if step.op is matmul else ()
            kept.update([o.base for o in step.inputs if id(self.array(o)) not in given])
        if data.graph.updates or len(self._running) != 1:
            return (None,) * len(self.inputs)
        code = self._running[0].__code__  # type: ignore[attr-defined]
        words = [names.of(array, "input") for array in self.inputs]
        return tuple(
            [
                word if word in code.co_varnames and node not in kept else None
                for word, node in zip(words, data.graph.inputs, strict=True)
            ]
        )

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
            self._explain(error)
            raise

    def _explain(self, error: Exception) -> None:
        """Adds to a kernel's error what was being computed, and for which line of the user."""
        trace, index = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.filename:
                start = int(trace.tb_frame.f_code.co_name.rpartition("_")[2])
                index = start + trace.tb_lineno - trace.tb_frame.f_code.co_firstlineno - 1
            trace = trace.tb_next
        if index is None:
            return
        step = self.data.steps[index]
        shapes = ", ".join(str(o.type) for o in step.inputs)
        layer = step.node.origin.scope
        text = f"while running {step.op.name}({shapes})" + (f" of layer {layer}" if layer else "")
        error.add_note(explain(text, where=step.node.origin.where))


def aligned_bytes(size: int) -> np.ndarray:
    """Zeroed memory that starts where a cache line does, as the offsets of buffers assume."""
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


class _Names:
    """Readable, distinct variable names for kernels and arrays."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._by_id: dict[int, str] = {}
        self._stems: dict[str, str] = {}
        self._numbers: dict[str, itertools.count[int]] = {}

    def of(self, value: Any, wish: str) -> str:
        """The name of `value`: as wished, numbered where others wish the same."""
        known = self._by_id.get(id(value))
        if known is not None:
            return known
        stem = self._stems.get(wish)
        if stem is None:
            stem = self._stems[wish] = _as_identifier(wish)
        numbers = self._numbers.setdefault(stem, itertools.count(2))
        name = stem
        while name in self.values:
            name = f"{stem}_{next(numbers)}"
        self.values[name] = value
        self._by_id[id(value)] = name
        return name


def _as_identifier(wish: str) -> str:
    # ASCII only, for Python takes some different letters for the same.
    stem = re.sub(r"\W", "_", wish, flags=re.ASCII)
    taken = keyword.iskeyword(stem) or stem.startswith(("run_", "__"))
    return f"v_{stem}" if taken or not stem.isidentifier() else stem


def _wish(operand: Operand) -> str:
    """What to call an operand's array: its state or input, `c` for constants, else `t`."""
    if isinstance(operand.base, int):
        return f"t{operand.base}"
    leaf = operand.base.op.name in ("input", "state")
    return operand.base.name if leaf else "c"
