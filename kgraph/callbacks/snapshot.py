"""A snapshot of a run of `fit`: all that decides how it goes on, in one file.

A snapshot holds the variables that the training step reads and writes (weights, optimizer slots,
learning rate, counters, running totals, the counter of random ops), epoch and batch, NumPy's random
state now and before the epoch's rows were shuffled, and what callbacks say of themselves. The file
is NumPy's .npz with numbers and one JSON text; loading it runs no code.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.callbacks.base import Callback
from kgraph.errors import explain
from kgraph.ir.files import atomic_write
from kgraph.ir.variable import Variable, assign_all

_VERSION = 1


def save(path: str | os.PathLike[str], run: Any, callbacks: Sequence[Callback]) -> None:
    """Writes a snapshot, whole or not at all.

    Args:
        path: the file.
        run: has `variables`, `position` and `model`.
        callbacks: those whose state goes on.
    """
    variables: list[Variable] = run.variables
    arrays: dict[str, Any] = {f"variable/{i}": v.value for i, v in enumerate(variables)}
    states = [_split(c.get_state(), f"callback/{i}", arrays) for i, c in enumerate(callbacks)]
    position = run.position
    facts = {
        "version": _VERSION,
        "variables": [[v.name, list(v.value.shape), v.dtype] for v in variables],
        "epoch": position.epoch,
        "batch": position.batch,
        "stop": bool(run.model.stop_training),
        "callbacks": [[type(c).__name__, s] for c, s in zip(callbacks, states, strict=True)],
        "random": _random_facts(np.random.get_state(), "random/now", arrays),
        "shuffled": None,
    }
    if position.before is not None:
        facts["shuffled"] = _random_facts(position.before, "random/before", arrays)
    buffer = io.BytesIO()
    np.savez(buffer, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def restore(path: str | os.PathLike[str], run: Any, callbacks: Sequence[Callback]) -> None:
    """Makes a run go on where a snapshot was taken.

    Args:
        path: the file.
        run: has `variables`, `position` and `model`.
        callbacks: each takes the state of the one of its class that stood in the same place among
            those of its class.

    Raises:
        ValueError: the file is of another model or optimizer.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(arrays["facts"].tobytes())
    variables: list[Variable] = run.variables
    own = [[v.name, list(v.value.shape), v.dtype] for v in variables]
    # Names hold numbers that depend on what else the process has built; shapes do not.
    if [v[1:] for v in own] != [v[1:] for v in facts["variables"]]:
        raise ValueError(
            explain(
                "The backup is of another model or optimizer",
                expected=own[:20],
                got=facts["variables"][:20],
                where=os.fspath(path),
                hint="delete the backup to start anew",
            )
        )
    shuffled = facts["shuffled"]
    before = None if shuffled is None else _random_state(shuffled, arrays)
    now, position = _random_state(facts["random"], arrays), (facts["epoch"], facts["batch"])
    _restore_callbacks(facts["callbacks"], callbacks, arrays)
    assign_all((v, arrays[f"variable/{i}"]) for i, v in enumerate(variables))
    run.model.stop_training = facts["stop"]
    run.position.epoch, run.position.batch = position
    run.position.before = before
    np.random.set_state(now)


def _restore_callbacks(
    stored: Sequence[Any], callbacks: Sequence[Callback], arrays: dict[str, Any]
) -> None:
    waiting: dict[str, list[Any]] = {}
    for name, state in stored:
        waiting.setdefault(name, []).append(state)
    for callback in callbacks:
        states = waiting.get(type(callback).__name__)
        if states:
            callback.set_state(_join(states.pop(0), arrays))


def _random_facts(state: Any, key: str, arrays: dict[str, Any]) -> list[Any]:
    """NumPy's global random state; its words go to the arrays."""
    kind, words, place, has_gauss, gauss = state
    arrays[key] = words
    return [kind, key, int(place), int(has_gauss), float(gauss)]


def _random_state(facts: Sequence[Any], arrays: dict[str, Any]) -> Any:
    kind, key, place, has_gauss, gauss = facts
    return (kind, arrays[key], place, has_gauss, gauss)


def _split(state: dict[str, Any], key: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """The state with lists of arrays replaced by their names among the arrays."""
    found: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            names = [f"{key}/{name}/{i}" for i in range(len(value))]
            arrays.update(zip(names, value, strict=True))
            found[name] = {"arrays": names}
        else:
            found[name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's, so that JSON takes them."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def _join(state: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [arrays[key] for key in value["arrays"]]
        if isinstance(value, dict) and set(value) == {"arrays"}
        else value
        for name, value in state.items()
    }
