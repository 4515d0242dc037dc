"""`kgraph doctor`: what it measures, and what it makes of machines that we do not have."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from kgraph.tools import doctor, machine
from kgraph.tools.cli import main
from kgraph.tools.machine import AVX512, Blas, Processor

PLAIN = frozenset(["avx", "avx2"])
FACTS = {"kgraph", "python", "numpy", "processor", "vectors", "cores", "blas", "blas_core",
         "blas_threads", "gflops", "busy_cores", "load", "dot", "extras", "terminal"}  # fmt: skip


def test_the_answer(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["facts"]) >= FACTS
    assert found["facts"]["numpy"] == np.__version__
    assert all(speed > 0 for speed in found["facts"]["gflops"].values())
    assert all(set(f) == {"level", "code", "message", "fix"} for f in found["findings"])
    assert main(["doctor"]) == 0
    assert "blas threads" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "core", "threads", "measured", "others", "codes"),
    [
        (AVX512 | PLAIN, "Haswell", 2, {1: 50, 2: 95}, 0.0, ["core-type"]),
        (AVX512 | PLAIN, "Zen", 2, {1: 50, 2: 95}, 0.0, ["core-type"]),
        (AVX512 | PLAIN, "SkylakeX", 2, {1: 50, 2: 95}, 0.0, []),
        (PLAIN, "Haswell", 2, {1: 50, 2: 95}, 0.0, []),
        (frozenset(["avx512f"]) | PLAIN, "Haswell", 2, {1: 50, 2: 95}, 0.0, []),
        (AVX512, "", None, {0: 50}, None, []),
        (PLAIN, "Haswell", 8, {1: 50, 8: 95}, 0.0, ["threads"]),
        (PLAIN, "Haswell", 2, {1: 50, 2: 20}, 1.7, ["waiting", "busy"]),
        (PLAIN, "Haswell", 1, {1: 50}, 0.0, ["one-thread"]),
        (PLAIN, "Haswell", 1, {1: 50}, 1.0, ["busy"]),
    ],
)
def test_what_is_slow(flags, core, threads, measured, others, codes):
    found = doctor.slow(Processor("x", flags, 2), core, threads, measured, others)
    assert [f.code for f in found] == codes
    assert all(f.fix for f in found)
    # On a processor without AVX-512 these kernels die.
    assert flags >= AVX512 or not any("CORETYPE" in f.fix for f in found)


def test_what_is_not_installed(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    codes = {f.code: f.fix for f in doctor.missing()}
    assert codes["dot"] == "apt-get install graphviz"
    assert codes["compiler"] == "apt-get install gcc libc6-dev"
    assert codes["plot"] == "pip install 'kgraph[plot]'"


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    known = set(project["project"]["optional-dependencies"])
    assert set(doctor.EXTRAS) == known - {"test", "dev"}


def test_machines_that_say_nothing(monkeypatch):
    monkeypatch.setattr(machine, "_read", lambda path: "")
    assert machine.processor().vectors == "unknown"
    assert machine.busy_cores(0.0) is None


def test_threads_are_set_back():
    blas = Blas()
    measured = machine.speeds(blas, [1])
    assert len(measured) == 1
    assert Blas().threads == blas.threads
