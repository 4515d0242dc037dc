"""Files of at most 500 lines, functions of under 40; docstrings are not counted as code."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for top in ("kgraph", "passes", "runtime", "tests", "tools")
    for path in (ROOT / top).rglob("*.py")
)


def code_lines(function):
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    return (function.end_lineno - function.lineno + 1) - (
        first.end_lineno - first.lineno + 1 if documented else 0
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path):
    text = path.read_text()
    assert text.count("\n") <= 500
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first line of a file says its one idea"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert code_lines(node) < 40, f"{node.name} has {code_lines(node)} lines"
