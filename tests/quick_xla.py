"""XLA, on which JAX and the Keras beside ours run, compiles as fast as it can.

Each comparison compiles a small program and runs it once, so the time of compiling is all that
counts: these flags divide it by four.
"""

import importlib.util
import mmap
import os
from pathlib import Path

FLAGS = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": "true",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}


def is_known(flag):
    """Whether the installed XLA names a flag; it ends a process that sets one it does not know."""
    (folder,) = importlib.util.find_spec("jaxlib").submodule_search_locations
    for path in sorted(Path(folder).glob("*.so"), key=lambda path: -path.stat().st_size):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            if text.find(flag.encode()) >= 0:
                return True
    return False


def set_flags():
    """Gives the flags to XLA, which reads them at its first use, here and in child processes."""
    if "XLA_FLAGS" not in os.environ:
        known = [f"--{flag}={value}" for flag, value in FLAGS.items() if is_known(flag)]
        os.environ["XLA_FLAGS"] = " ".join(known)
