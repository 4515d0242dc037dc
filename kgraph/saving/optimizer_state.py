"""The state of an optimizer in a file: its counter and its slots, one array a weight and slot.

Written under Keras 2.3's names and in its order; read from every Keras. Slots that several weights
share are written weight by weight and read into their windows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.errors import FileFormatError, explain
from kgraph.ir.variable import Variable
from kgraph.saving import hdf5

# Slots under the names that Keras 2.3 gives them, where these differ.
_KERAS_2 = {"SGD": {"momentum": "moment"}}
# What Keras 2.3 keeps although it does not use it: class -> (slot, whether of the weight's shape).
_UNUSED = {"SGD": ("momentum", True), "Adam": ("vhat", False)}
# Names of slots in files of all Kerases -> ours.
_OURS = {
    "SGD": {"momentum": "momentum", "m": "momentum"},
    "Adam": {"m": "m", "v": "v", "vhat": "vhat", "momentum": "m", "velocity": "v",
             "velocity_hat": "vhat"},
    "RMSprop": {"accumulator": "accumulator", "rms": "accumulator", "velocity": "accumulator",
                "momentum": "momentum", "mean": "mean", "mg": "mean", "average_gradient": "mean"},
}  # fmt: skip
_COUNTERS = ("iterations", "iteration", "iter")
_RATES = ("learning_rate", "lr")
STALE = (
    "Error in loading the saved optimizer state. As a result, your model is starting with a "
    "freshly initialized optimizer."
)


def write_state(group: Any, optimizer: Any, weights: Sequence[Variable]) -> None:
    """Writes the counter and the slots of an optimizer that has made a step.

    Args:
        group: of the file; gets a group `optimizer_weights`.
        optimizer: whose state.
        weights: the weights that it trains, in order.
    """
    if not any(weight in optimizer.slots for weight in weights):
        return
    inner = group.create_group("optimizer_weights")
    kind = type(optimizer).__name__
    names = [f"{kind}/iterations:0"]
    inner.create_dataset(names[0], data=optimizer.iterations.value.astype("int64"))
    for slot in optimizer.slot_names:
        for i, weight in enumerate(weights):
            own = optimizer.slots.get(weight)
            names.append(_name(kind, slot, i))
            _write_array(inner, names[-1], weight, None if own is None else own[slot].value)
    unused, full = _UNUSED.get(kind, (None, False))
    if unused is not None and unused not in optimizer.slot_names:
        for i, weight in enumerate(weights):
            names.append(_name(kind, unused, i))
            shape = weight.value.shape if full else (1,)
            inner.create_dataset(names[-1], shape, weight.dtype)  # zeros, which take no room
    hdf5.write_names(inner, "weight_names", names)


def _name(kind: str, slot: str, index: int) -> str:
    return f"training/{kind}/{_KERAS_2.get(kind, {}).get(slot, slot)}_{index}:0"


def _write_array(group: Any, name: str, weight: Variable, value: np.ndarray | None) -> None:
    """A slot; that of a weight that no step has changed is zeros, which take no room."""
    if value is None:
        group.create_dataset(name, weight.value.shape, weight.dtype)
    else:
        group.create_dataset(name, data=value)


def read_state(group: Any, optimizer: Any, weights: Sequence[Variable]) -> None:
    """Reads the counter and the slots that any Keras wrote; warns if they do not fit.

    Args:
        group: `optimizer_weights` of a file.
        optimizer: gets the state.
        weights: the weights that it trains, in order.

    Raises:
        UnsafeFileError: an array points to data outside of the file.
    """
    names = hdf5.read_names(group, "weight_names")
    arrays = [(name.removesuffix(":0"), hdf5.find_array(group, name)) for name in names]
    optimizer.build(weights)
    try:
        found = _place(optimizer, weights, arrays)
    except FileFormatError as error:
        warnings.warn(f"{STALE} {error}", stacklevel=7)
        return
    values = [hdf5.read_array(data) for _, data in found]
    for (variable, _), value in zip(found, values, strict=True):
        variable.assign(value)


def _place(
    optimizer: Any, weights: Sequence[Variable], arrays: Sequence[tuple[str, Any]]
) -> list[tuple[Variable, Any]]:
    """Pairs the optimizer's variables with arrays of their shapes."""
    pairs: list[tuple[Variable, Any]] = []
    rest = []
    for name, data in arrays:
        last = name.rpartition("/")[2]
        if last in _COUNTERS and not data.shape:
            pairs.append((optimizer.iterations, data))
        elif last in _RATES and not data.shape:
            pairs.append((optimizer.learning_rate, data))
        else:
            rest.append((name, data))
    slots = optimizer.slot_names
    for slot, found in zip(slots, _by_slot(optimizer, rest, len(weights)), strict=True):
        own = [optimizer.slots[weight][slot] for weight in weights]
        shapes, stored = [v.value.shape for v in own], [data.shape for data in found]
        if shapes != stored:
            raise FileFormatError(
                explain(
                    f"Slot {slot!r} of {type(optimizer).__name__} does not fit",
                    expected=f"{len(shapes)} arrays of shapes {shapes}"[:300],
                    got=f"{len(stored)} arrays of shapes {stored}"[:300],
                )
            )
        pairs += zip(own, found, strict=True)
    return pairs


def _by_slot(optimizer: Any, arrays: Sequence[tuple[str, Any]], count: int) -> list[list[Any]]:
    """The arrays of each slot: by what their names say, else one slot after the other."""
    kinds = [_slot_of(type(optimizer).__name__, name) for name, _ in arrays]
    if None in kinds:  # before Keras 2.3 all are called "Variable"
        parts = range(len(optimizer.slot_names))
        return [[data for _, data in arrays[k * count : (k + 1) * count]] for k in parts]
    return [
        [data for kind, (_, data) in zip(kinds, arrays, strict=True) if kind == slot]
        for slot in optimizer.slot_names
    ]


def _slot_of(kind: str, name: str) -> str | None:
    """Our name of the slot that a path in a file speaks of: .../m_0, .../kernel/m, Adam/m/..., or
    adam/dense_kernel_momentum.
    """
    ours = {
        **_OURS.get(kind, {}),
        **{theirs: own for own, theirs in _KERAS_2.get(kind, {}).items()},
    }
    parts = name.split("/")
    base, _, number = parts[-1].rpartition("_")
    # Longer words first: "velocity_hat" before "hat" or "velocity".
    ends = [w for w in sorted(ours, key=len, reverse=True) if parts[-1].endswith(f"_{w}")]
    words = [base if number.isdigit() else parts[-1], *parts[1:2], *ends[:1]]
    return next((ours[w] for w in words if w in ours), None)
