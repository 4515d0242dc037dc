"""Mutants of the planner: memory written too early, kept too short, or shared too freely."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from mutants import mutant

from kgraph.runtime import executable, memory, planning, schedule
from kgraph.runtime.planning import _Planner

PLANS = ("runtime/test_plan.py", "runtime/test_fuzz_plans.py", "fuzz/test_differential.py")


@mutant("buffers-overlap-by-one-step", "runtime/test_memory.py", *PLANS)
def buffers_overlap_by_one_step() -> None:
    """A buffer's last reader and the next writer of its bytes run at the same time."""
    for name in ("place_by_time", "place_by_size"):
        _shorten(name)


def _shorten(name: str) -> None:
    original = getattr(memory, name)

    def place(buffers: Any) -> int:
        shorter = [copy.copy(b) for b in buffers]
        for buffer in shorter:
            buffer.end = max(buffer.start, buffer.end - 1)
        total = original(shorter)
        for buffer, other in zip(buffers, shorter, strict=True):
            buffer.offset = other.offset
        return total

    setattr(memory, name, place)


@mutant("buffers-overlap-by-one-line", "runtime/test_memory.py", *PLANS)
def buffers_overlap_by_one_line() -> None:
    """Every buffer gets a cache line less than it needs."""
    memory._aligned = lambda size: max(-(-size // memory.ALIGNMENT) - 1, 1) * memory.ALIGNMENT


@mutant("view-does-not-extend-a-lifetime", *PLANS)
def view_does_not_extend_a_lifetime() -> None:
    """Only who reads the storage itself counts, not who reads a view of it."""

    def find_last_reads(self: Any) -> dict[Any, int]:
        last: dict[Any, int] = {}
        for index, node in enumerate(self.order):
            if self._computes(node):
                for operand in node.inputs:
                    if self.windows[operand][0].base == (operand, 0):
                        last[operand, 0] = index
                    else:
                        last.setdefault(self.windows[operand][0].base, 0)
        for root in self.graph.roots:
            last[self.windows[root][0].base] = len(self.order)
        return last

    _Planner._find_last_reads = find_last_reads


@mutant("output-overwritten", *PLANS)
def output_overwritten() -> None:
    """An output's buffer is free once its last reader has run."""
    original = _Planner._find_last_reads

    def find_last_reads(self: Any) -> dict[Any, int]:
        last = original(self)
        for _, root in self.graph.outputs:
            base = self.windows[root][0].base
            readers = [
                i for i, n in enumerate(self.order)
                if self._computes(n) and base in [self.windows[o][0].base for o in n.inputs]
            ]  # fmt: skip
            last[base] = max(readers, default=0)
        return last

    _Planner._find_last_reads = find_last_reads


@mutant("in-place-on-an-input", *PLANS)
def in_place_on_an_input() -> None:
    original = _Planner._settle

    def settle(self: Any, index: int, node: Any, inputs: Any) -> None:
        original(self, index, node, inputs)
        for i in node.op.reuse:
            operand, whole = inputs[i], planning.contiguous(None, self._bind(node.types)[0])
            is_input = getattr(getattr(operand.base, "op", None), "name", "") == "input"
            if is_input and dataclasses.replace(operand, base=None) == whole:
                self.home[node, 0] = operand.base

    _Planner._settle = settle


@mutant("in-place-on-an-operand-that-others-read", *PLANS)
def in_place_on_an_operand_that_others_read() -> None:
    original = _Planner._reusable

    def reusable(self: Any, index: int, *rest: Any) -> Any:
        ends = [b.end for b in self.data.buffers]
        for buffer in self.data.buffers:
            buffer.end = index if buffer.end < len(self.order) else buffer.end
        found = original(self, index, *rest)
        for buffer, end in zip(self.data.buffers, ends, strict=True):
            buffer.end = end
        return found

    _Planner._reusable = reusable


@mutant("in-place-whatever-the-layout", *PLANS)
def in_place_whatever_the_layout() -> None:
    """On transposed, reversed and 0-stride windows, and where an operand is read twice."""
    original = _Planner._may_overwrite

    def may_overwrite(self: Any, base: Any, type_: Any, storage: Any, inputs: Any) -> bool:
        own = [o for o in inputs if o.base == base]
        same = all(o.dtype == type_.dtype for o in own)
        return original(self, base, type_, storage, inputs) or (same and isinstance(base, int))

    _Planner._may_overwrite = may_overwrite


@mutant("state-updated-before-its-last-reader", *PLANS)
def state_updated_before_its_last_reader() -> None:
    _Planner._may_write = lambda self, *rest: True


@mutant("update-reads-a-new-value", *PLANS)
def update_reads_a_new_value() -> None:
    """No copies of old values: swapped states lose one, and an output shows the new value."""
    planning.protect_old_states = lambda graph: graph


@mutant("output-aliases-the-plan", "runtime/test_executable.py", "fuzz/test_differential.py")
def output_aliases_the_plan() -> None:
    """The copy is gone that keeps results apart from the memory of the next run."""

    def run(self: Any, key: Any, fed: Any) -> Any:
        ready = self._take(key)
        try:
            for buffer, array in zip(ready.inputs, fed, strict=True):
                buffer[...] = array
            ready.run()
            return tuple(ready.outputs)
        finally:
            with self._lock:
                if key in self._data:
                    self._idle.setdefault(key, []).append(ready)

    executable.Executable._run = run


@mutant("writers-do-not-wait", *PLANS)
def writers_do_not_wait() -> None:
    """The schedule lets a state's writer run at any time and the planner trusts it."""
    schedule._Start._order_updates = lambda self, graph: {}
    _Planner._may_write = lambda self, *rest: True


@mutant("random-counter-stands-still", "runtime/test_executable.py", "layers/test_core_layers.py",
        "fuzz/test_differential.py")  # fmt: skip
def random_counter_stands_still() -> None:
    original = executable.count_runs

    def count_runs(graph: Any, counter: Any) -> Any:
        counted = original(graph, counter)
        return dataclasses.replace(counted, updates=graph.updates)

    executable.count_runs = count_runs


@mutant("batch-of-one-broadcasts", "runtime/test_plan.py", "fuzz/test_differential.py",
        "ir/test_types.py", "runtime/test_executable.py")  # fmt: skip
def batch_of_one_broadcasts() -> None:
    """Arrays of one row are accepted where the other input has several."""
    original = executable.bind_shapes

    def bind_shapes(inputs: Any, shapes: Any) -> Any:
        rows = max([s[0] for s in shapes if s], default=1)
        wide = [(rows, *s[1:]) if s and s[0] == 1 else s for s in shapes]
        return original(inputs, wide)

    executable.bind_shapes = bind_shapes
