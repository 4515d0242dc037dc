"""Mutation testing: plants wrong rules and faults of the engine, which the suite must catch.

    python tests/mutation/mutants.py                 # all: a table of mutants and what killed them
    python tests/mutation/mutants.py --only NAME     # one of them, as often as given
    python tests/mutation/mutants.py --list

Each mutant is applied in a process of its own by replacing attributes of imported modules; no file
is touched. Then the tests named beside it run, and one of them must fail within 180 seconds. A
mutant that survives is a missing test, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
ROOT = TESTS.parent
SECONDS = 180
MEMORY = 12 << 30  # bytes of address space; JAX takes some for nothing
FAULTS = (
    "rule_faults", "graph_faults", "plan_faults", "pass_faults", "window_faults", "loop_faults",
    "native_faults",
)  # fmt: skip
KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "BROKEN"


@dataclass(frozen=True)
class Mutant:
    """A fault and where it must be noticed.

    Args:
        name: kebab-case.
        apply: plants the fault in the running process.
        tests: files or folders below tests/, those that catch it first in front.
    """

    name: str
    apply: Callable[[], None]
    tests: tuple[str, ...]


MUTANTS: dict[str, Mutant] = {}


def mutant(name: str, *tests: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enters a function that plants a fault.

    Args:
        name: of the mutant.
        tests: what must fail.
    """

    def enter(apply: Callable[[], None]) -> Callable[[], None]:
        if name in MUTANTS:
            raise ValueError(f"two mutants are called {name}")
        for test in tests:
            if not (TESTS / test).exists():
                raise FileNotFoundError(f"mutant {name}: there is no tests/{test}")
        MUTANTS[name] = Mutant(name, apply, tests)
        return apply

    return enter


def load() -> None:
    """Imports the files that hold the mutants."""
    for path in (str(HERE), str(ROOT)):
        if path not in sys.path:
            sys.path.insert(0, path)
    sys.modules.setdefault("mutants", sys.modules[__name__])
    for name in FAULTS:
        importlib.import_module(name)


class _FirstFailure:
    """A pytest plugin that keeps the name of the first test that failed."""

    name = ""

    def pytest_runtest_logreport(self, report: object) -> None:
        if getattr(report, "failed", False) and not self.name:
            self.name = report.nodeid  # type: ignore[attr-defined]

    def pytest_collectreport(self, report: object) -> None:
        self.pytest_runtest_logreport(report)


def run_inside(name: str | None, tests: Sequence[str]) -> int:
    """Plants a mutant in this process and runs tests.

    Args:
        name: of the mutant; None for none, which must pass.
        tests: files or folders below tests/.

    Returns:
        pytest's exit code.
    """
    import pytest

    # A graph with a circle may be walked for ever; it shall end in an error, not fill the machine.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if name is not None:
        MUTANTS[name].apply()
    first = _FirstFailure()
    # A rule that a mutant adds has no case of its own; that it has none is not what must be seen.
    chosen = [str(TESTS / t) for t in tests]
    options = ["-x", "-q", "--no-header", "-m", "not slow", "-k", "not has_a_case"]
    code = pytest.main([*options, "--rootdir", str(ROOT), *chosen], plugins=[first])
    print(f"\nFIRST {first.name}")
    return int(code)


def run_mutant(name: str, seconds: float = SECONDS) -> tuple[str, str, float]:
    """Runs a mutant in a fresh process.

    Args:
        name: of the mutant.
        seconds: what its tests may take.

    Returns:
        KILLED, SURVIVED or BROKEN; the test that failed first, or why none did; seconds.
    """
    start = time.perf_counter()
    command = [sys.executable, __file__, "--inside", name]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=environment, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return SURVIVED, f"no failure in {seconds:.0f} s", time.perf_counter() - start
    first = done.stdout.rpartition("\nFIRST ")[2].strip()
    took = time.perf_counter() - start
    if done.returncode in (1, 2) and first:
        return KILLED, first, took
    if done.returncode == 0:
        return SURVIVED, "all tests passed", took
    return BROKEN, (done.stderr or done.stdout).strip()[-300:], took


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; 1 if a mutant survived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="one mutant, repeatable")
    parser.add_argument("--list", action="store_true", help="names and their tests")
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    load()
    if options.inside:
        return run_inside(options.inside, MUTANTS[options.inside].tests)
    names = options.only or list(MUTANTS)
    unknown = [n for n in names if n not in MUTANTS]
    if unknown:
        parser.error(f"unknown mutants: {', '.join(unknown)}")
    if options.list:
        for name in names:
            print(f"{name:38} {' '.join(MUTANTS[name].tests)}")
        return 0
    caught = 0
    for name in names:
        verdict, by, took = run_mutant(name)
        caught += verdict == KILLED
        print(f"{name:38} {verdict:9} {took:5.1f} s  {by}", flush=True)
    print(f"{caught}/{len(names)} mutants caught")
    return 0 if caught == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
