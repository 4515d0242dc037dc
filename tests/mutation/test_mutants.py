"""Some of the mutants are caught, and the list is what it claims; all of them run by hand."""

import mutants
import pytest

mutants.load()
QUICK = ("axis-off-by-one", "state-updated-before-its-last-reader", "fusion-across-a-reduction")


@pytest.mark.parametrize("name", QUICK)
def test_is_caught(name):
    verdict, by, _ = mutants.run_mutant(name)
    assert verdict == mutants.KILLED, by


def test_there_are_mutants_of_every_part():
    parts = {m.apply.__module__ for m in mutants.MUTANTS.values()}
    assert parts == set(mutants.FAULTS)
    assert len(mutants.MUTANTS) >= 30


def test_a_mutant_that_changes_nothing_survives(monkeypatch, capsys):
    """Whoever runs the script must be told."""
    monkeypatch.setattr(mutants, "run_mutant", lambda name: (mutants.SURVIVED, "nothing", 0.0))
    assert mutants.main(["--only", QUICK[0]]) == 1
    assert "0/1 mutants caught" in capsys.readouterr().out
