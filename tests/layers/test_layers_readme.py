"""The examples of kgraph/layers/README.md run, and its table of files is complete."""

import pathlib
import re

LAYERS = pathlib.Path(__file__).resolve().parents[2] / "kgraph" / "layers"
TEXT = (LAYERS / "README.md").read_text()


def test_the_examples_run():
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "kgraph/layers/README.md", "exec"), names)


def test_every_file_is_mentioned():
    for path in LAYERS.glob("*.py"):
        assert f"`{path.name}`" in TEXT or path.name == "__init__.py", path.name
