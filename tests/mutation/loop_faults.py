"""Mutants of loops: merging, what leaves them, and where the carry lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mutants import mutant

from kgraph.passes import loop_hoisting, loop_parts, loop_vectors, loops
from kgraph.runtime import loops as running
from kgraph.runtime import planning

MERGING = ("passes/test_loop_parts.py",)
HOISTING = ("passes/test_loop_hoisting.py",)
RUNNING = ("runtime/test_loops.py",)


@mutant("rebuilt-loops-go-forward", *MERGING)
def rebuilt_loops_go_forward() -> None:
    original = loops.Form.of
    loops.Form.of = staticmethod(lambda node: replace(original(node), reverse=False))


@mutant("carries-of-later-steps-dropped", *MERGING)
def carries_of_later_steps_dropped() -> None:
    """What only later steps read is no operand any more."""
    original = loop_parts.toposort
    loop_parts.toposort = lambda roots: original(list(roots)[:1])


@mutant("values-of-the-carry-hoisted", *HOISTING)
def values_of_the_carry_hoisted() -> None:
    original = loop_hoisting._moving

    def moving(form: Any, shared: Any, products: bool) -> Any:
        return original(replace(form, xs={**form.xs, **form.carry}), shared, products)

    loop_hoisting._moving = moving


@mutant("what-may-fail-is-hoisted", *HOISTING)
def what_may_fail_is_hoisted() -> None:
    loop_vectors.may_fail = lambda node: False


@mutant("short-operands-not-padded", *HOISTING)
def short_operands_not_padded() -> None:
    """Wrong where an operand has fewer axes than the result."""
    loop_vectors._padded = lambda x, ndim: x


@mutant("carry-one-step-late", *RUNNING)
def carry_one_step_late() -> None:
    original = planning.carry_places

    def places(attrs: Any) -> Any:
        found = original(attrs)
        return {i: replace(place, before=not place.before) for i, place in found.items()}

    planning.carry_places = running.carry_places = places
