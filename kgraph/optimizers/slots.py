"""Slots: the arrays that an optimizer keeps for each weight, one vector for many small weights.

A step on a few thousand numbers costs the calls, not the arithmetic. So small weights of one dtype
share their slots: their gradients are joined into one vector, the formula runs once over it, and
the change is cut apart again. Every element sees the same operations in the same order as it would
alone. The slot of a single weight is a window on the vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kgraph import ops
from kgraph.ir import Node, Variable

# Elements up to which joining (one more copy) is cheaper than a formula of its own (~8 calls).
SMALL = 4096
# Elements of one joined vector: its gradients are alive at one time, and it is to fit the cache.
JOINED = 1 << 15

# What a slot starts with that starts as a copy of its weight.
AS_WEIGHT = None

Slots = dict[str, Variable]
Shapes = Mapping[str, tuple[int, ...]]
Starts = Mapping[str, float | None]


@dataclass(frozen=True)
class Group:
    """Weights that one application of the formula updates.

    Args:
        weights: one weight of any size, or several small ones.
        slots: of the weight's shape, or vectors over all the weights.
        windows: for each weight its part of the slots, in its shape.
    """

    weights: tuple[Variable, ...]
    slots: Slots
    windows: dict[Variable, Slots]

    def join(self, gradients: Sequence[Node]) -> Node:
        """The gradients as one tensor of the slots' shape."""
        if len(gradients) == 1:
            return gradients[0]
        return ops.concatenate([_flat(g) for g in gradients], axis=0)

    def cut(self, change: Node) -> list[Node]:
        """One tensor for each weight from one of the slots' shape."""
        if len(self.weights) == 1:
            return [change]
        ends = np.cumsum([w.value.size for w in self.weights]).tolist()
        parts = ops.split(change, ends[:-1])
        return [
            p if w.ndim == 1 else ops.reshape(p, w.shape)
            for p, w in zip(parts, self.weights, strict=True)
        ]


def _flat(tensor: Node) -> Node:
    return tensor if tensor.ndim == 1 else ops.reshape(tensor, (-1,))


def make_groups(
    shapes: Mapping[Variable, Shapes],
    prefix: str,
    known: Mapping[Variable, Slots],
    starts: Starts,
    joining: bool = True,
) -> list[Group]:
    """Groups the weights and makes their slots.

    Args:
        shapes: the slots of each weight to train; without any, joining would save nothing.
        prefix: of the slots' names.
        known: slots from before, whose values go on.
        starts: values that slots start with where it is not 0.
        joining: whether the formula is elementwise, with slots of the weights' shapes.
    """
    small: dict[str, list[list[Variable]]] = {}
    filled: dict[str, int] = {}  # dtype -> elements of the last group
    for weight, own in shapes.items():
        size = weight.value.size
        if joining and own and size <= SMALL:
            groups = small.setdefault(weight.dtype, [[]])
            filled[weight.dtype] = filled.get(weight.dtype, 0) + size
            if filled[weight.dtype] > JOINED:
                groups.append([])
                filled[weight.dtype] = size
            groups[-1].append(weight)
    joined = [tuple(group) for groups in small.values() for group in groups if len(group) > 1]
    inside = {weight for group in joined for weight in group}
    alone = [(weight,) for weight in shapes if weight not in inside]
    return [_make_group(each, shapes[each[0]], prefix, known, starts) for each in (*alone, *joined)]


def _make_group(
    weights: tuple[Variable, ...],
    shapes: Shapes,
    prefix: str,
    known: Mapping[Variable, Slots],
    starts: Starts,
) -> Group:
    first, several = weights[0], len(weights) > 1
    path = f"{prefix}/joined" if several else f"{prefix}/{first.name}"
    size = (sum(w.value.size for w in weights),)
    slots = {
        name: _zeros(size if several else shape, first.dtype, f"{path}/{name}")
        for name, shape in shapes.items()
    }
    windows: dict[Variable, Slots] = {}
    start = 0
    for weight in weights:
        stop = start + weight.value.size
        windows[weight] = own = {}
        for name, slot in slots.items():
            own[name] = slot
            if several:
                own[name] = _zeros((), weight.dtype, f"{prefix}/{weight.name}/{name}")
                own[name].value = slot.value[start:stop].reshape(weight.value.shape)
            if weight in known:
                own[name].assign(known[weight][name].value)
            elif name in starts:
                own[name].assign(start_of(name, weight, own[name].value.shape, starts))
        start = stop
    return Group(weights, slots, windows)


def _zeros(shape: tuple[int, ...], dtype: str, name: str) -> Variable:
    return Variable(np.zeros(shape, dtype), name, dtype, trainable=False)


def start_of(name: str, weight: Variable, shape: tuple[int, ...], starts: Starts) -> np.ndarray:
    """What a weight's slot starts with.

    Args:
        name: of the slot.
        weight: whose slot.
        shape: of the slot.
        starts: values that slots start with where it is not 0.
    """
    value = starts.get(name, 0.0)
    return weight.value if value is AS_WEIGHT else np.full(shape, value, weight.dtype)
