"""The state of an optimizer in a file: what all weights share, then one array a weight and slot.

Written under Keras 2.3's names and in its order; read from every Keras. Moving averages and sums of
gradients, which Keras 2.3 has not, come last. Slots that several weights share are written weight
by weight and read into their windows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from kgraph.errors import FileFormatError, explain
from kgraph.ir.variable import Variable, assign_all
from kgraph.optimizers.slots import AS_WEIGHT
from kgraph.saving.optimizer_names import name_of, scalar_of, slot_of
from kgraph.utils import hdf5

# What Keras 2.3 keeps although it does not use it: class -> (slot, whether of the weight's shape).
_UNUSED = {"SGD": ("momentum", True), "Adam": ("vhat", False)}
# Attribute of the group that says that weights and averages stand in each other's place.
_SWAPPED = "kgraph_swapped"
STALE = (
    "Error in loading the saved optimizer state. As a result, your model is starting with a "
    "freshly initialized optimizer."
)
Named = list[tuple[str, Any]]


def write_state(group: Any, optimizer: Any, weights: Sequence[Variable]) -> None:
    """Writes the state of an optimizer that has made a step.

    Args:
        group: of the file; gets a group `optimizer_weights`.
        optimizer: whose state.
        weights: the weights that it trains, in order.
    """
    trained = [weight for weight in weights if weight in optimizer.slots]
    if not trained:
        return
    inner = group.create_group("optimizer_weights")
    kind = optimizer.kind
    names = [f"{kind}/iterations:0"]
    inner.create_dataset(names[0], data=optimizer.iterations.value.astype("int64"))
    for state in optimizer.states:
        names.append(f"{kind}/{_last(state)}:0")
        inner.create_dataset(names[-1], data=state.value)
    slots = optimizer.slot_names
    for slot in slots:
        names += _write_arrays(inner, optimizer, slot, weights)
    unused, full = _UNUSED.get(kind, (None, False))
    if unused is not None and unused not in slots:
        for i, weight in enumerate(weights):
            names.append(name_of(kind, unused, i))
            shape = weight.value.shape if full else (1,)
            inner.create_dataset(names[-1], shape, weight.dtype)  # zeros, which take no room
    for slot in [slot for slot in optimizer.arrays_of(trained[0]) if slot not in slots]:
        names += _write_arrays(inner, optimizer, slot, weights)
    hdf5.write_names(inner, "weight_names", names)
    if optimizer.averages is not None and optimizer.averages.swapped:
        inner.attrs[_SWAPPED] = b"yes"


def _last(variable: Variable) -> str:
    return variable.name.rpartition("/")[2]


def _write_arrays(group: Any, optimizer: Any, slot: str, weights: Sequence[Variable]) -> list[str]:
    """A slot of all weights; that of a weight that no step has changed is what it starts with."""
    names = []
    starts = {"average": AS_WEIGHT, **optimizer.slot_starts}
    for i, weight in enumerate(weights):
        own = optimizer.arrays_of(weight)
        shapes = optimizer.slot_shapes(weight)
        if slot in optimizer.slot_names and slot not in shapes:
            continue  # a slot that only weights of other shapes have
        names.append(name_of(optimizer.kind, slot, i))
        start = starts.get(slot, 0.0)
        if slot in own:
            group.create_dataset(names[-1], data=own[slot].value)
        elif start is AS_WEIGHT:
            group.create_dataset(names[-1], data=weight.value)
        else:  # one number, which takes no room
            shape = shapes.get(slot, weight.value.shape)
            group.create_dataset(names[-1], shape, weight.dtype, fillvalue=start)
    return names


def read_state(group: Any, optimizer: Any, weights: Sequence[Variable]) -> None:
    """Reads the state that any Keras wrote; warns if it does not fit.

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
    assign_all((variable, hdf5.read_array(data)) for variable, data in found)
    if optimizer.averages is not None:
        optimizer.averages.swapped = hdf5.read_text(group, _SWAPPED) == "yes"


def _place(
    optimizer: Any, weights: Sequence[Variable], arrays: Named
) -> list[tuple[Variable, Any]]:
    """Pairs the optimizer's variables with arrays of their shapes."""
    pairs, rest = _place_scalars(optimizer, arrays)
    own: dict[str, list[Variable]] = {}
    for weight in weights:
        for slot, variable in optimizer.arrays_of(weight).items():
            own.setdefault(slot, []).append(variable)
    for slot, found in _by_slot(optimizer, list(own), rest, len(weights)).items():
        shapes, stored = [v.value.shape for v in own[slot]], [data.shape for data in found]
        if shapes != stored:
            raise FileFormatError(
                explain(
                    f"Slot {slot!r} of {optimizer.kind} does not fit",
                    expected=f"{len(shapes)} arrays of shapes {shapes}"[:300],
                    got=f"{len(stored)} arrays of shapes {stored}"[:300],
                )
            )
        pairs += zip(own[slot], found, strict=True)
    return pairs


def _place_scalars(optimizer: Any, arrays: Named) -> tuple[list[tuple[Variable, Any]], Named]:
    """The numbers that all weights share by their names, and the arrays that are left.

    A number without a telling name is the next in the order of Keras 2.3; where slots have no names
    either, only before these, for a weight may be a number. What a file has not stays as it is:
    Keras 2.2 keeps no counter for some classes, and not Nadam's product.
    """
    kind, slots = optimizer.kind, optimizer.slot_names
    words = [slot_of(kind, slots, name) for name, _ in arrays]
    telling = any(words)
    own = {"iterations": optimizer.iterations, **{_last(v): v for v in optimizer.states}}
    known = [name for name, data in arrays if not data.shape and scalar_of(name) in own]
    waiting = {n: v for n, v in own.items() if n not in map(scalar_of, known)}
    pairs: list[tuple[Variable, Any]] = []
    rest: Named = []
    for (name, data), slot in zip(arrays, words, strict=True):
        word = scalar_of(name)
        if data.shape:
            rest.append((name, data))
        elif word in own:
            pairs.append((own[word], data))
        elif word == "learning_rate":
            rate = optimizer.learning_rate
            pairs += [(rate, data)] if isinstance(rate, Variable) else []
        elif waiting and slot is None and (telling or not rest):
            pairs.append((waiting.pop(next(iter(waiting))), data))
        else:
            rest.append((name, data))
    return pairs, rest


def _by_slot(optimizer: Any, slots: Sequence[str], arrays: Named, count: int) -> dict[str, Any]:
    """The arrays of each slot: by what their names say, else one slot after the other."""
    kind = optimizer.kind
    kinds = [slot_of(kind, optimizer.slot_names, name) for name, _ in arrays]
    if None in kinds:  # before Keras 2.3 all are called "Variable"
        values = [data for _, data in arrays]
        return {s: values[k * count : (k + 1) * count] for k, s in enumerate(slots)}
    pairs = list(zip(kinds, arrays, strict=True))
    return {slot: [data for kind, (_, data) in pairs if kind == slot] for slot in slots}
