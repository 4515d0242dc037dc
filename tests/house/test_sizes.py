"""Files of at most 500 lines, functions of under 40; blank lines and docstrings are not counted."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for top in ("kgraph", "passes", "runtime", "tests", "tools")
    for path in (ROOT / top).rglob("*.py")
)


def code_lines(function, lines):
    """Lines of a function without its docstring and blank ones."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    start = body[0].lineno if body else function.end_lineno
    header = function.body[0].lineno - function.lineno
    return header + sum(bool(line.strip()) for line in lines[start - 1 : function.end_lineno])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sizes(path):
    text = path.read_text()
    lines = text.splitlines()
    assert len(lines) <= 500
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first line of a file says its one idea"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            count = code_lines(node, lines)
            assert count < 40, f"{node.name} has {count} lines"
