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
    ("threads", "measured", "others", "codes"),
    [
        (2, {1: 50, 2: 95}, 0.0, []),
        (None, {0: 50}, None, []),
        (8, {1: 50, 8: 95}, 0.0, ["threads"]),
        (2, {1: 50, 2: 20}, 1.7, ["waiting", "busy"]),
        (1, {1: 50}, 0.0, ["one-thread"]),
        (1, {1: 50}, 1.0, ["busy"]),
    ],
)
def test_what_is_slow(threads, measured, others, codes):
    found = doctor.slow(Processor("x", PLAIN, 2), threads, measured, others)
    assert [f.code for f in found] == codes
    assert all(f.fix for f in found)


@pytest.mark.parametrize(
    ("flags", "core", "tried", "gain"),
    [
        (AVX512 | PLAIN, "Haswell", "SKYLAKEX", 1.8),
        (AVX512 | PLAIN, "Zen", "SKYLAKEX", 1.0),
        (AVX512 | PLAIN, "Zen", "SKYLAKEX", None),
        (AVX512 | PLAIN, "SkylakeX", "", 1.8),
        (PLAIN, "Sandybridge", "HASWELL", 9.0),
        (PLAIN, "Haswell", "", 1.8),
        (frozenset(["avx512f"]) | PLAIN, "Zen", "", 1.8),
        (PLAIN, "", "", 1.8),
        (frozenset(["asimd"]), "neoversen1", "", 1.8),
    ],
)
def test_kernels_for_another_core_type_are_measured(flags, core, tried, gain):
    asked = []

    def measure(name: str) -> float | None:
        asked.append(name)
        return gain and 50.0 * gain

    found = doctor.other_kernels(Processor("x", flags, 2), core, 50.0, measure)
    assert asked == [tried] * bool(tried)
    assert (found is not None) == bool(tried and gain and gain > 1.1)
    if found is not None:
        assert found.fix == f"export OPENBLAS_CORETYPE={tried}"
        assert f"{core}: 50.0 GFLOP/s; those for {tried} come to {50 * gain:.1f}" in found.message


def test_kernels_that_the_processor_cannot_run(monkeypatch, capsys):
    found = doctor.cannot_run(Processor("x", PLAIN, 2), "SkylakeX")
    assert found is not None
    assert found.fix == "unset OPENBLAS_CORETYPE"
    assert doctor.cannot_run(Processor("x", AVX512, 2), "SkylakeX") is None
    assert doctor.cannot_run(Processor("x", frozenset(), 2), "SkylakeX") is None
    monkeypatch.setattr(doctor, "cannot_run", lambda *_: found)
    monkeypatch.setattr(doctor, "speeds", lambda *_: 1 / 0)  # it would end the process
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["facts"]["gflops"] == {}
    assert "core-type" in [f["code"] for f in answer["findings"]]


def test_a_measurement_in_a_process_of_its_own(monkeypatch):
    assert machine.speed_with("") > 0  # as OpenBLAS sees it
    monkeypatch.setattr("sys.executable", "/no/such/python")
    assert machine.speed_with("") is None


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
