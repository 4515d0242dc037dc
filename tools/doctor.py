"""`kgraph doctor`: what slows kgraph on this machine, what is not installed, and what to do."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import kgraph
from kgraph.runtime.c_compiler import find_compiler
from kgraph.tools.answers import add_json, answer
from kgraph.tools.colors import has_color, paint
from kgraph.tools.machine import (
    Blas,
    Processor,
    busy_cores,
    load_average,
    processor,
    speed_with,
    speeds,
)

# Extra of pyproject.toml -> the modules that it brings, and what they are for.
EXTRAS = {
    "data": (("pooch",), "downloads of data sets"),
    "plot": (("matplotlib",), "plot_history"),
    "sklearn": (("sklearn",), "kgraph.wrappers"),
    "tensorboard": (("tensorboardX",), "the TensorBoard callback"),
    "image": (("scipy", "PIL"), "kgraph.preprocessing.image"),
}
# Core types of OpenBLAS with kernels for AVX-512, and for AVX2.
_WIDE = ("SKYLAKEX", "COOPERLAKE", "SAPPHIRERAPIDS", "ZEN4", "ZEN5", "GRANITERAPIDS")
_NARROW = ("HASWELL", "ZEN", "EXCAVATOR")
# Vector instructions -> the core types that use them, the usual one first.
_CORES = {"AVX-512": _WIDE, "AVX2": _NARROW}
_GAIN = 1.1  # what another core type must bring to be worth a word
_BUSY = 0.5  # cores that others may keep busy before we say so
_STYLES = {"warning": "warning", "note": "dim"}


@dataclass(frozen=True)
class Finding:
    """Something to know.

    Args:
        level: warning, or note.
        code: a short name of it.
        message: what is so.
        fix: a command or a setting that changes it.
    """

    level: str
    code: str
    message: str
    fix: str


def add_parser(subparsers: Any) -> None:
    """Adds the `doctor` command to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        description="Reports the processor, the BLAS under NumPy, the speed of a product of "
        "matrices, who else is busy, and what is not installed. Takes about a second.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Looks at the machine; returns 0, whatever it finds."""
    others = busy_cores()
    cpu, blas = processor(), Blas()
    counts = [1, blas.threads or 1] if blas.threads != 1 else [1]
    deadly = cannot_run(cpu, blas.core)
    measured = {} if deadly else speeds(blas, counts)
    facts = _facts(cpu, blas, measured, others)
    kernels = deadly or other_kernels(cpu, blas.core, measured.get(1, 0.0))
    rest = [*slow(cpu, blas.threads, measured, others), *missing()]
    found = [*([kernels] if kernels else []), *rest]
    document = {"facts": facts, "findings": [asdict(f) for f in found]}
    return answer(args, document, _text(facts, found))


def cannot_run(cpu: Processor, core: str) -> Finding | None:
    """That OpenBLAS was told to use instructions which the processor lacks; None if not.

    Args:
        cpu: the processor.
        core: what OpenBLAS took it for.
    """
    if core.upper() not in _WIDE or cpu.vectors not in ("AVX2", "AVX", "SSE4.2"):
        return None
    message = (
        f"OpenBLAS has kernels for {core}, the processor no AVX-512: a product of matrices "
        "ends the process"
    )
    return Finding("warning", "core-type", message, "unset OPENBLAS_CORETYPE")


def other_kernels(
    cpu: Processor,
    core: str,
    speed: float,
    measure: Callable[[str], float | None] = speed_with,
) -> Finding | None:
    """That kernels for another core type are faster here, if they are.

    Args:
        cpu: the processor.
        core: what OpenBLAS took it for, "" if it does not say.
        speed: GFLOP/s of one thread as things are.
        measure: GFLOP/s with another core type, None if it does not run.
    """
    fitting = _CORES.get(cpu.vectors, ())
    if not core or not fitting or core.upper() in (*fitting, *_WIDE):
        return None
    better = measure(fitting[0])
    if better is None or better < _GAIN * speed:
        return None
    message = (
        f"OpenBLAS runs its kernels for {core}: {speed:.1f} GFLOP/s; those for {fitting[0]} "
        f"come to {better:.1f} here"
    )
    return Finding("warning", "core-type", message, f"export OPENBLAS_CORETYPE={fitting[0]}")


def slow(
    cpu: Processor,
    threads: int | None,
    measured: dict[int, float],
    others: float | None,
) -> list[Finding]:
    """What makes products of matrices slower than they could be.

    Args:
        cpu: the processor.
        threads: of the BLAS.
        measured: GFLOP/s by number of threads.
        others: cores that other processes keep busy.
    """
    count, one = threads or 0, measured.get(1, 0.0)
    busy = others is not None and others > _BUSY
    rows = [
        (count > cpu.cores, "threads", f"the BLAS has {count} threads for {cpu.cores} cores",
         f"export OPENBLAS_NUM_THREADS={cpu.cores}"),
        (count > 1 and measured.get(count, 0.0) < 1.1 * one, "waiting",
         f"{count} threads multiply no faster than one: they wait for one another",
         "export OPENBLAS_NUM_THREADS=1"),
        (busy, "busy", f"other processes keep {others or 0:.1f} of {cpu.cores} cores busy",
         "stop them" if count == 1 else
         "stop them, or export OPENBLAS_NUM_THREADS=1: threads that wait are slower than one"),
    ]  # fmt: skip
    found = [Finding("warning", code, text, fix) for so, code, text, fix in rows if so]
    if count == 1 and cpu.cores > 1 and not busy:
        message = f"the BLAS has 1 thread for {cpu.cores} cores"
        fix = f"export OPENBLAS_NUM_THREADS={cpu.cores}, if nothing else runs"
        found.append(Finding("note", "one-thread", message, fix))
    return found


def missing() -> list[Finding]:
    """What is not installed."""
    found = []
    if shutil.which("dot") is None:
        message = "the program `dot` of Graphviz is not installed"
        found.append(Finding("note", "dot", message, "apt-get install graphviz"))
    if find_compiler() is None:
        message = "no C compiler: large updates of weights take NumPy four times as long"
        found.append(Finding("note", "compiler", message, "apt-get install gcc libc6-dev"))
    for extra, (modules, purpose) in EXTRAS.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            message = f"{' and '.join(absent)}: not installed, needed for {purpose}"
            found.append(Finding("note", extra, message, f"pip install 'kgraph[{extra}]'"))
    return found


def _facts(
    cpu: Processor, blas: Blas, measured: dict[int, float], others: float | None
) -> dict[str, Any]:
    installed = {e: all(map(importlib.util.find_spec, m)) for e, (m, _) in EXTRAS.items()}
    return {
        "kgraph": kgraph.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": cpu.name,
        "vectors": cpu.vectors,
        "cores": cpu.cores,
        "blas": f"{blas.vendor} {blas.version}",
        "blas_core": blas.core or None,
        "blas_threads": blas.threads,
        "gflops": {str(n): round(speed, 1) for n, speed in measured.items()},
        "busy_cores": None if others is None else round(others, 2),
        "load": load_average(),
        "dot": shutil.which("dot"),
        "c_compiler": find_compiler(),
        "extras": installed,
        "terminal": {
            "tty": sys.stdout.isatty(),
            "color": has_color(sys.stdout),
            "columns": shutil.get_terminal_size().columns,
        },
    }


def _text(facts: dict[str, Any], found: list[Finding]) -> str:
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k}: {v}" for k, v in value.items())
        lines.append(f"{name.replace('_', ' '):<14}{'-' if value is None else value}")
    lines.append("")
    for finding in found:
        head = paint(f"{finding.level:<8}{finding.code}", _STYLES[finding.level])
        lines += [f"{head}: {finding.message}", f"        fix: {finding.fix}"]
    return "\n".join([*lines, *([] if found else [paint("nothing to complain of", "good")])])
