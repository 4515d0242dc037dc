"""Runs a program written for Keras with kgraph in Keras's place."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def run(path):
    """Names that a program leaves, with `keras` read as `kgraph`.

    Args:
        path: of the program, from this folder on.
    """
    text = (HERE / path).read_text()
    text = re.sub(r"^import keras\b", "import kgraph as keras", text, flags=re.MULTILINE)
    text = re.sub(r"^from keras\b", "from kgraph", text, flags=re.MULTILINE)
    names = {"__name__": "__main__"}
    exec(compile(text, path, "exec"), names)
    return names
