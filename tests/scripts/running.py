"""Runs a program written for Keras with kgraph in Keras's place."""

import runpy
import sys
from pathlib import Path

from kgraph import compat

HERE = Path(__file__).parent


def run(path):
    """Names that a program leaves; the real Keras, where it is loaded, stands aside meanwhile.

    Args:
        path: of the program, from this folder on.
    """
    real = {name: sys.modules[name] for name in [*sys.modules] if name.split(".")[0] == "keras"}
    for name in real:
        del sys.modules[name]
    try:
        with compat.install():
            return runpy.run_path(str(HERE / path), run_name="__main__")
    finally:
        sys.modules.update(real)
