"""C text becomes a function of this process, by the machine's own C compiler if it has one.

What was compiled is kept in the folder `native` of `kgraph.config.home`, under a name that follows
from the text, the compiler, its options and the processor, so a text is compiled once a machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

from kgraph import config
from kgraph.errors import explain
from kgraph.ir.files import atomic_write

# This processor's vector instructions; compilers for ARM have another word for it.
_NATIVE = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
# What would change a bit is off: `a * b + c` is not one rounding, nothing is reassociated.
OPTIONS = ("-O3", _NATIVE, "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
_SHARED = ("-shared", "-fPIC", "-x", "c", "-")
_SECONDS = 60
_NO_HOME = (OSError, RuntimeError)  # no file, no permission; a user without a home


def find_compiler() -> str | None:
    """The path of the C compiler that `kgraph.config.compiler` names, or None."""
    return shutil.which(config.compiler) if config.compiler else None


def load(text: str) -> Any:
    """Compiles a text, or finds what was compiled before.

    Args:
        text: C that defines `run(ptrdiff_t, ptrdiff_t, void *const *)`.

    Returns:
        The function, or None: there is no compiler, or it failed, which warns once.
    """
    compiler = find_compiler()
    return None if compiler is None else _load(text, compiler, config.home)


@functools.lru_cache(maxsize=256)
def _load(text: str, compiler: str, home: str) -> Any:
    name = f"{_name(text, compiler)}.so"
    with contextlib.suppress(*_NO_HOME):
        return _function(Path(home).expanduser() / "native" / name)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, name)
        if not _compile(text, compiler, made):
            return None
        # Without a home that can be written to, each process compiles for itself.
        with contextlib.suppress(*_NO_HOME):
            keep = Path(home).expanduser() / "native"
            keep.mkdir(parents=True, exist_ok=True)
            with atomic_write(keep / name) as file:
                file.write(made.read_bytes())
        return _function(made)


def _function(path: Path) -> Any:
    function = ctypes.CDLL(str(path)).run
    function.argtypes = (ctypes.c_ssize_t, ctypes.c_ssize_t, ctypes.POINTER(ctypes.c_void_p))
    function.restype = None
    return function


def _compile(text: str, compiler: str, target: Path) -> bool:
    command = [compiler, *OPTIONS, *_SHARED, "-o", str(target)]
    try:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, timeout=_SECONDS, check=False
        )
        trouble = done.stderr.strip() if done.returncode else ""
        failed = done.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        trouble, failed = str(error), True
    if failed:
        message = explain(
            "The C compiler failed, so NumPy runs what it would have run",
            got=trouble[:500] or f"exit code {done.returncode}",
            where=" ".join(command),
            hint='set KGRAPH_CC to a compiler that works, or to "" for none',
        )
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return not failed


def _name(text: str, compiler: str) -> str:
    """A name for what becomes of a text, on this machine and with this compiler."""
    known = os.stat(compiler)
    parts = (text, compiler, known.st_size, known.st_mtime_ns, *OPTIONS, _processor())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@functools.cache
def _processor() -> str:
    """What `native` stands for: a home may be shared by different machines."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        found = sorted(set(re.findall(r"^(?:model name|flags|Features)\s*: (.*)$", text, re.M)))
    return "\n".join(found) or f"{platform.machine()} {platform.processor()}"
