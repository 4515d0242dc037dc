"""What this machine is: its processor, the BLAS under NumPy, who keeps it busy, how fast it is."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# What kernels of OpenBLAS's core types for AVX-512 use.
AVX512 = frozenset(["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"])
_SIZE, _SECONDS = 384, 0.12  # of the products that are timed, and for how long
# OpenBLAS reads its variables when NumPy loads it.
_CHILD = """
import os, sys
os.putenv("OPENBLAS_CORETYPE", {core!r})
os.putenv("OPENBLAS_NUM_THREADS", "1")
sys.path[:] = {path!r}
from kgraph.tools.machine import matmul_speed
print(matmul_speed())
"""
_BUILDS = (("scipy_openblas", "64_"), ("openblas", "64_"), ("scipy_openblas", ""), ("openblas", ""))


@dataclass(frozen=True)
class Processor:
    """The processor: what it is called, what it can, and how many cores this process may use."""

    name: str
    flags: frozenset[str]
    cores: int

    @property
    def vectors(self) -> str:
        """The widest vector instructions."""
        if self.flags >= AVX512:
            return "AVX-512"
        known = {"avx2": "AVX2", "avx": "AVX", "sse4_2": "SSE4.2", "asimd": "NEON"}
        return next((text for flag, text in known.items() if flag in self.flags), "unknown")


def processor() -> Processor:
    """The processor, by what Linux says of it; elsewhere its name alone.

    Example:
        >>> processor().cores > 0
        True
    """
    text = _read("/proc/cpuinfo")
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.*)$", text, re.MULTILINE)
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return Processor(
        name[1] if name else platform.processor() or platform.machine(),
        frozenset(flags[1].split() if flags else ()),
        cores,
    )


class Blas:
    """The BLAS that NumPy multiplies matrices with.

    Attributes:
        vendor: its name.
        version: of it.
        core: the processor that OpenBLAS took this one for; "" if it does not say.
        threads: how many it uses; None if it does not say.
    """

    def __init__(self) -> None:
        config: Any = np.show_config(mode="dicts")
        found = config.get("Build Dependencies", {}).get("blas", {})
        self.vendor, self.version = str(found.get("name", "?")), str(found.get("version", "?"))
        self._library, self._prefix, self._suffix = _openblas()
        self.core = self._text("get_corename")
        count = self._function("get_num_threads")
        self.threads: int | None = int(count()) if count else None

    def use_threads(self, count: int) -> None:
        """Sets the number of threads, where the library lets us."""
        function = self._function("set_num_threads")
        if function:
            function(count)

    def _function(self, name: str) -> Any:
        return getattr(self._library, f"{self._prefix}_{name}{self._suffix}", None)

    def _text(self, name: str) -> str:
        function = self._function(name)
        if function is None:
            return ""
        function.restype = ctypes.c_char_p
        return (function() or b"").decode()


def _openblas() -> tuple[Any, str, str]:
    """The loaded OpenBLAS with the beginning and end of its functions' names."""
    maps = re.findall(r"(/\S*openblas\S*)$", _read("/proc/self/maps"), re.MULTILINE)
    folder = Path(np.__file__).parent
    beside = [folder.parent / "numpy.libs", folder / ".dylibs"]
    files = [str(p) for place in beside for p in sorted(place.glob("*openblas*"))]
    for path in dict.fromkeys([*maps, *files]):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for prefix, suffix in _BUILDS:
            if hasattr(library, f"{prefix}_get_num_threads{suffix}"):
                return library, prefix, suffix
    return None, "", ""


def busy_cores(seconds: float = 0.1) -> float | None:
    """How many cores other processes kept busy during a short sleep; None where nobody says."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None:
        return None
    per_second = os.sysconf("SC_CLK_TCK")
    return max(0.0, (after - before) / per_second / seconds)


def _ticks() -> int | None:
    """Clock ticks that all cores spent on programs, this one's share taken off."""
    fields = _read("/proc/stat").split("\n", 1)[0].split()[1:]
    if len(fields) < 8:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    own = os.times()
    ours = (own.user + own.system) * os.sysconf("SC_CLK_TCK")
    return int(user + nice + system + irq + softirq + steal - ours)


def matmul_speed() -> float:
    """GFLOP/s of float32 products of square matrices: the best of several in a short time."""
    a = np.full((_SIZE, _SIZE), 0.5, "float32")
    out = np.empty_like(a)
    np.matmul(a, a, out=out)
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while (start := time.perf_counter()) < end:
        np.matmul(a, a, out=out)
        best = min(best, time.perf_counter() - start)
    return 2 * _SIZE**3 / best / 1e9


def speed_with(core: str) -> float | None:
    """GFLOP/s of one thread with the kernels of another core type of OpenBLAS.

    Args:
        core: the type, such as "HASWELL".

    Returns:
        What a process of its own measured; None if it died, as it does of instructions that the
        processor lacks.
    """
    code = _CHILD.format(core=core, path=sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return float(done.stdout)


def speeds(blas: Blas, counts: Sequence[int]) -> dict[int, float]:
    """GFLOP/s by number of threads; the number is set back afterwards."""
    if blas.threads is None:
        return {0: matmul_speed()}
    try:
        found = {}
        for count in dict.fromkeys(counts):
            blas.use_threads(count)
            found[count] = matmul_speed()
        return found
    finally:
        blas.use_threads(blas.threads)


def load_average() -> float | None:
    """Processes that wanted to run in the last minute; None on systems that do not count."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
