"""Python processes of their own, in which kgraph is the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs the interpreter of this process; keywords are those of `subprocess.run`."""
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
        **options,
    )


def kgraph_run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs `kgraph run`."""
    return python("-m", "kgraph.tools.cli", "run", *arguments, **options)
