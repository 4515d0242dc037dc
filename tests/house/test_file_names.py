"""Files of tests have names of their own: pytest imports them by bare name, from all folders."""

import pathlib
from collections import Counter

TESTS = pathlib.Path(__file__).resolve().parents[1]
BY_PATH = ("conftest.py", "examples", "seeds")  # never imported by bare name


def test_names_are_unique():
    paths = [path.relative_to(TESTS) for path in TESTS.rglob("*.py")]
    names = Counter(path.name for path in paths if not {*path.parts} & {*BY_PATH})
    assert [name for name, count in names.items() if count > 1] == []
