"""Native kernels: large fused programs and routines as compiled C, if the machine has a compiler.

The numbers are NumPy's to the bit, so nothing above the emitter can tell which of the two ran. An
RMSprop update of (784, 512) takes 135 us in one pass through registers, and 500 in nine passes of
NumPy through the cache.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np

from kgraph.ops.fused import fused
from kgraph.ops.patches import run_calls
from kgraph.ops.program import take_apart
from kgraph.ops.routines import Routine
from kgraph.runtime.c_compiler import load
from kgraph.runtime.c_source import CSource, c_source
from kgraph.runtime.loops import Call
from kgraph.runtime.plan import Operand, Step, contiguous

# Elements times instructions from which a program is compiled. It saves about 0.1 ns for each, so
# this one saves 50 us a run; compiling takes 0.2 s, once a machine.
LEAST_WORK = 1 << 19


class NativeKernel:
    """A function of (*operands, *results, *scratch) that runs a program in C.

    Args:
        source: the program.
        function: what it was compiled to.
        arrays: how many operands and results there are; scratch is not used.

    Attributes:
        text: the C.
    """

    def __init__(self, source: CSource, function: Any, arrays: int) -> None:
        self.text = source.text
        self._source, self._function, self._arrays = source, function, arrays
        # One tuple, so that whoever reads it sees arrays and addresses that belong together.
        self._built: tuple[tuple[np.ndarray, ...], Any] = ((), None)

    def __call__(self, *arrays: np.ndarray) -> None:
        held, addresses = self._built
        if len(held) != len(arrays) or not all(map(is_, held, arrays)):
            used = arrays[: self._arrays]
            addresses = (ctypes.c_void_p * len(used))(*[a.ctypes.data for a in used])
            self._built = (arrays, addresses)
        self._function(self._source.rows, self._source.columns, addresses)


class NativeCalls:
    """The calls of a kernel, whose routines run in C; a function without arguments.

    Args:
        calls: as they are made without a compiler.
        functions: text of a routine -> what it was compiled to.

    Attributes:
        text: the C.
    """

    def __init__(self, calls: Sequence[Any], functions: Mapping[str, Any]) -> None:
        self.text = "\n".join(functions)
        self._held = calls  # arrays, whose addresses are kept
        self._calls = [_in_c(call, functions) for call in calls]

    def __call__(self) -> None:
        run_calls(self._calls)


def native_calls(call: Call) -> NativeCalls | None:
    """What makes the calls of a kernel with its routines in C, or None if there are none.

    Args:
        call: a kernel and its arguments, bound to the arrays of a plan.

    Returns:
        A function for kernels with routines that are large enough, if all of them compile.
    """
    function, arguments = call
    if function is not run_calls:
        return None
    (calls,) = arguments
    routines = [c[0] for c in calls if isinstance(c[0], Routine)]
    texts = dict.fromkeys(r.text for r in routines)
    if sum(r.work for r in routines) < LEAST_WORK or "" in texts:
        return None
    functions = {text: load(text) for text in texts}
    return None if None in functions.values() else NativeCalls(calls, functions)


def _in_c(call: Any, functions: Mapping[str, Any]) -> Any:
    routine = call[0]
    if not isinstance(routine, Routine):
        return call
    addresses = (ctypes.c_void_p * len(routine.arrays))(*[a.ctypes.data for a in routine.arrays])
    return functions[routine.text], routine.rows, routine.columns, addresses


def native_kernel(step: Step) -> NativeKernel | None:
    """The compiled kernel of a step, or None where NumPy is to run it.

    Args:
        step: any step of a plan.

    Returns:
        A kernel for fused programs that are large enough and wholly expressible in C.
    """
    if step.op is not fused or not all(map(_in_c_order, (*step.inputs, *step.outputs))):
        return None
    program = take_apart(step.attrs["program"], step.attrs["results"])
    if math.prod(step.outputs[0].shape) * len(program.body) < LEAST_WORK:
        return None
    source = c_source(program, [o.type for o in step.inputs])
    function = load(source.text) if source else None
    if source is None or function is None:
        return None
    return NativeKernel(source, function, len(step.inputs) + len(step.outputs))


def _in_c_order(operand: Operand) -> bool:
    return operand.strides == contiguous(operand.base, operand.type).strides
